"""``pbxnotify oauth``: logging in from a shell without a browser, and what follows when the login ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import calls
import pytest
from authorization_server import Answer
from login_office import ACCOUNT, LoginOffice
from shell import Shell

from pbxnotify.commands import redirect
from pbxnotify.delivery.runner import run_queue
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

CODE = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a"}
USER_CODE = r"(?m)^ +(?:\x1b\[32m)?([A-Z0-9-]+)(?:\x1b\[0m)?\r?$"


def browser_goes_to(address: str) -> tuple[int, bytes]:
    """Do what a browser does with an address of loopback; returns status and page."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    connection.request("GET", f"{parts.path or '/'}?{parts.query}")
    response = connection.getresponse()
    return response.status, response.read()


# With a code for another device


def test_a_code_entered_elsewhere(office: LoginOffice) -> None:
    with Shell("oauth", "login") as shell:
        shell.wait_for(f"Open  {office.server.url}/verify  in a browser on any device, sign in as {ACCOUNT}")
        office.server.allow(shell.find(USER_CODE))
        status, said = shell.end()
    assert (status, "admin@example.com: the relay said: 250" in said) == (0, True)
    assert office.server.is_valid(ACCOUNT, office.kept.access)
    assert office.kept.access not in said
    assert office.catcher.mails[0].recipients == ("admin@example.com",)


def test_what_was_tested_is_not_tested_again_by_the_run_of_the_queue(office: LoginOffice, run) -> None:
    run("queue", "run")
    office.write_ini(own=office.server.ini() + "tenant = another\n")
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, office.server.issue()))
    assert (run("oauth", "login")[0], run("queue", "run")[0]) == (0, 0)
    assert len(office.catcher.mails) == 1


def test_without_a_test_mail(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--no-test") as shell:
        office.server.allow(shell.find(USER_CODE))
        assert shell.end()[0] == 0
    assert office.catcher.logins == []


def test_somebody_says_no(office: LoginOffice) -> None:
    with Shell("oauth", "login") as shell:
        office.server.deny(shell.find(USER_CODE))
        status, said = shell.end()
    assert (status, "somebody said no in the browser" in said) == (os.EX_CONFIG, True)
    assert not Path(token_store.path()).exists()


def test_nobody_enters_it_in_time(office: LoginOffice) -> None:
    with Shell("oauth", "login") as shell:
        shell.find(USER_CODE)
        office.server.expire_device_codes()
        status, said = shell.end()
    assert (status, "nobody has entered the code in time; log in again" in said) == (os.EX_CONFIG, True)


def test_a_code_that_ends_while_nobody_says_so(office: LoginOffice, run) -> None:
    code = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "expires_in": 1, "interval": 0.2}
    office.server.answer("/device", Answer(200, code))
    office.server.answer("/token", *(Answer(400, {"error": "authorization_pending"}) for _ in range(9)))
    status, _, said = run("oauth", "login")
    assert (status, said) == (os.EX_TEMPFAIL, "pbxnotify: nobody has entered the code in time: log in again\n")


def test_asked_too_often(office: LoginOffice, run, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8628 section 3.5: five seconds more for each slow_down."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    code = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "expires_in": 900, "interval": 3}
    office.server.answer("/device", Answer(200, code))
    slow, pending = (Answer(400, {"error": error}) for error in ("slow_down", "authorization_pending"))
    issued = Answer(200, office.server.issue())
    office.server.answer("/token", pending, slow, pending, slow, Answer(503, ""), issued)
    assert run("oauth", "login", "--no-test")[0] == 0
    assert pauses == [3.0, 3.0, 8.0, 8.0, 13.0, 26.0]


def test_ctrl_c_while_nobody_enters_it(office: LoginOffice) -> None:
    with Shell("oauth", "login") as shell:
        shell.find(USER_CODE)
        shell.wait_for("Ctrl-C gives up")
        shell.interrupt()
        status, said = shell.end()
    assert (status, "interrupted; nothing is changed" in said) == (130, True)
    assert not Path(token_store.path()).exists()


# With a browser that comes back


def test_a_browser_that_comes_back_by_itself_or_through_ssh(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--flow", "code", SSH_CONNECTION="192.0.2.9 50000 192.0.2.1 22", USER="pbx") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        port = urlsplit(back).port
        shell.wait_for(f"ssh -L {port}:127.0.0.1:{port} pbx@192.0.2.1\r\n")
        shell.wait_for("paste it here.")
        assert browser_goes_to(f"http://127.0.0.1:{port}/favicon.ico")[0] == 404
        status, page = browser_goes_to(back)
        assert (status, b"You can close this page" in page) == (200, True)
        assert shell.end()[0] == 0
    assert office.server.is_valid(ACCOUNT, office.kept.access)


@pytest.mark.parametrize(
    ("connection", "command"),
    [
        pytest.param("192.0.2.9 50000 192.0.2.1 2222", "ssh -p 2222 -L {0}:127.0.0.1:{0} pbx@192.0.2.1", id="a port"),
        pytest.param("::2 50000 2001:db8::1 22", "ssh -L {0}:127.0.0.1:{0} pbx@2001:db8::1", id="IPv6"),
        pytest.param("", f"ssh -L {{0}}:127.0.0.1:{{0}} pbx@{socket.gethostname()}", id="no ssh, or sudo"),
    ],
)
def test_how_ssh_brings_the_browser_here(office: LoginOffice, connection: str, command: str) -> None:
    with Shell("oauth", "login", "--flow", "code", SSH_CONNECTION=connection, SUDO_USER="pbx") as shell:
        port = urlsplit(office.server.browse(shell.find(r"(https://localhost:\S+)"))).port
        shell.wait_for(f"{command.format(port)}\r\n")


def test_an_address_that_is_pasted(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.answer("paste it here.", back.replace("state=", "state=x"))
        shell.answer("this is not the address that the browser was sent back to: paste all of it", f"  {back} ")
        assert shell.end()[0] == 0
    assert office.server.is_valid(ACCOUNT, office.kept.access)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda back: re.sub("(code=.{9})", r"\1\n", back), id="two lines, broken within the code"),
        pytest.param(lambda back: f"'{back}'", id="in quotes"),
        pytest.param(lambda back: f"<{back}>", id="in angle brackets"),
        pytest.param(lambda back: back.replace("&", "&amp;"), id="out of a page's source"),
        pytest.param(lambda back: f"\x1b[200~{back}\x1b[201~", id="with the marks of a terminal"),
    ],
)
def test_an_address_that_is_pasted_with_something(office: LoginOffice, spoil: Callable[[str], str]) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.answer("paste it here.", spoil(back))
        status, said = shell.end()
    assert (status, "this is not the address" in said) == (0, False)
    assert office.server.is_valid(ACCOUNT, office.kept.access)


def test_nobody_signs_in_for_a_provider_that_cannot_be_reached(office: LoginOffice, run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    office.write_ini(own=office.server.ini().replace(f"{office.server.port}/token", f"{port}/token"))
    status, said, complained = run("oauth", "login", "--flow", "code")
    assert (status, said, "cannot be reached: Connection refused" in complained) == (os.EX_TEMPFAIL, "", True)


def test_visitors_that_go_at_once_say_nothing_on_the_terminal(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.wait_for("paste it here.")
        for _ in range(5):
            visitor = socket.create_connection(("127.0.0.1", urlsplit(back).port or 0))
            visitor.sendall(b"GET / HT")
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            visitor.close()
        assert browser_goes_to(back)[0] == 200
        status, said = shell.end()
    assert (status, "Traceback" in said, "Exception" in said) == (0, False, False)


def test_a_visitor_that_says_nothing_keeps_nobody_waiting(office: LoginOffice) -> None:
    """Browsers open connections ahead; and whoever else is on this machine may know the port."""
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.wait_for("paste it here.")
        port = urlsplit(back).port or 0
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        assert browser_goes_to(f"http://127.0.0.1:{port}/?code=guessed&state=guessed")[0] == 200
        shell.wait_for("this is not the address")
        assert browser_goes_to(back)[0] == 200
        assert shell.end()[0] == 0
        for connection in silent:
            connection.close()


def test_somebody_says_no_in_the_browser(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"), consents=False)
        shell.answer("paste it here.", back)
        status, said = shell.end()
    assert (status, "access_denied" in said, "log in again and allow it" in said) == (os.EX_CONFIG, True, True)


def test_a_port_of_ones_choice(office: LoginOffice) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Shell("oauth", "login", "--flow", "code", "--port", str(port)) as shell:
            status, said = shell.end()
        assert (status, f"port {port} cannot be used: Address already in use" in said) == (os.EX_USAGE, True)
    with Shell("oauth", "login", "--port", str(port)) as shell:
        shell.wait_for(f"The browser then goes to http://127.0.0.1:{port}.")


def test_a_port_where_no_browser_comes_back(office: LoginOffice, run) -> None:
    office.write_ini(own=re.sub("authorization_url.*\n", "", office.server.ini()))
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, office.server.issue()))
    assert run("oauth", "login", "--port", "4711")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_is_closed(office: LoginOffice, number: int) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        shell.wait_for("Ctrl-C gives up")
        shell.kill(number)
        status, said = shell.end()
    assert (status, "interrupted; nothing is changed" in said) == (130, True)


def test_no_browser_comes(office: LoginOffice, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redirect, "PATIENCE", 0.3)
    status, _, said = run("oauth", "login", "--flow", "code")
    assert (status, "no browser has come back within 0 minutes: nothing is changed" in said) == (os.EX_TEMPFAIL, True)


def test_without_a_device_flow_a_browser_is_the_way(office: LoginOffice, run) -> None:
    office.write_ini(own=re.sub("device_url.*\n", "", office.server.ini()))
    with Shell("oauth", "login") as shell:
        shell.wait_for("paste it here.")
    status, _, said = run("oauth", "login", "--flow", "device")
    assert (status, "--flow device: custom has no address for that; leave it out" in said) == (os.EX_USAGE, True)


# What a login gives


def test_a_login_without_a_refresh_token_is_said(office: LoginOffice, run) -> None:
    issued = {"access_token": office.server.issue()["access_token"], "token_type": "Bearer", "expires_in": 3600}
    office.server.answer("/token", Answer(200, issued))
    status, said, _ = run("oauth", "login")
    assert (status, "NOTE  the provider gave no refresh token: this one is good until 20" in said) == (0, True)


def test_a_login_that_ends_is_said(office: LoginOffice, run) -> None:
    """Google's applications that are being tested: seven days."""
    office.write_ini(own=office.server.ini().replace("custom\n", 'google\nclient_secret = "a"\n'))
    issued = {**office.server.issue(), "refresh_token_expires_in": 604799}
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, issued))
    status, said, _ = run("oauth", "login")
    assert status == 0
    assert re.search("NOTE  the provider lets this login end at 20.*: publish the application", said)
    assert "by itself, until 20" in run("oauth", "status")[1]
    assert "the provider lets the login end at" in run("check")[1]


def test_less_than_was_asked_for_is_said(office: LoginOffice, run) -> None:
    many = " ".join(f"https://example.com/a-long-scope/{number}" for number in range(20))
    for scope, is_less in (("mail.read", True), (f"{many} mail.send", False), (["mail.send"], False)):
        office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
        office.server.answer("/token", Answer(200, {**office.server.issue(), "scope": scope}))
        said = run("oauth", "login", "--no-test")[1]
        assert ("NOTE  the provider allows only mail.rea" in said) == is_less
        assert ("the provider allows only" in said) == is_less


def test_a_login_without_an_administrators_address(office: LoginOffice, run) -> None:
    office.ini.write_text(office.ini.read_text().replace("admin_email = admin@example.com\n", ""))
    office.server.answer("/token", Answer(200, office.server.issue()))
    status, said, _ = run("oauth", "login")
    assert (status, "the relay has let us in; no test mail: there is no administrator's address" in said) == (0, True)


def test_a_login_that_cannot_be_kept_is_said_to_be_lost(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_store, "PATIENCE", 0.2)
    office.server.answer("/token", *(Answer(200, office.server.issue()) for _ in range(2)))
    lost = "so this login is lost: mend that, and log in again"
    with token_store.alone():
        status, _, complained = run("oauth", "login")
    assert (status, lost in complained) == (os.EX_TEMPFAIL, True)
    Path(token_store.path()).mkdir()
    status, _, complained = run("oauth", "login")
    assert (status, f"{token_store.path()} cannot be written: Is a directory, {lost}" in complained) == (74, True)


def test_the_token_of_another_account_is_told_when_it_goes(office: LoginOffice, run) -> None:
    office.keep()
    before = token_store.account(office.relay)
    office.write_ini(own=office.server.ini().replace("scope = mail.send", "scope = mail.send offline_access"))
    office.keep()
    assert f"has a token that is not used, for {before}" in " ".join(run("check")[1].split())
    office.server.answer("/token", Answer(200, office.server.issue()))
    assert f"NOTE  forgotten too: the login as {before}" in run("oauth", "login")[1]


def test_a_relay_that_does_not_take_the_token(office: LoginOffice, run) -> None:
    """Somebody else's account was logged in; one more try with a fresh token, and no more."""
    issued = {"access_token": "of-another-account", "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600}
    office.server.answer("/token", Answer(200, issued), Answer(200, {**issued, "access_token": "of-another-too"}))
    status, said, complained = run("oauth", "login")
    assert status == os.EX_CONFIG
    assert "AUTH XOAUTH2 (status 401) with 535" in complained
    assert "the token is for another account or was withdrawn" in complained
    assert (len(office.catcher.logins), office.asked()) == (2, 2)
    assert "of-another" not in said + complained
    assert run("oauth", "status")[0] == os.EX_CONFIG


@pytest.mark.parametrize("action", ["login", "status"])
@pytest.mark.parametrize(
    ("smtp", "sentence"),
    [
        pytest.param(
            'password = "a"\n',
            "[smtp] auth = password: no token is used; for OAuth 2 run  pbxnotify setup",
            id="password",
        ),
        pytest.param(
            "auth = oauth2\npassword_command = echo a\n",
            "[smtp] password_command gives the token: there is none of ours",
            id="a helper",
        ),
    ],
)
def test_settings_that_want_no_token(
    run: Callable[..., tuple[int, str, str]], write_ini: Callable[[str], Path], action: str, smtp: str, sentence: str
) -> None:
    write_ini(f"[smtp]\nhost = ssl://mx.example.com\nlogin = a@example.com\n{smtp}")
    assert run("oauth", action) == (os.EX_USAGE, "", f"pbxnotify: {sentence}\n")


# status and logout


@pytest.mark.parametrize(
    ("changes", "status", "state", "access", "renewed"),
    [
        pytest.param({}, 0, "well", "valid until 20", "by itself", id="well"),
        pytest.param({"expires": 1.0}, 0, "well", "ended", "by itself", id="to be renewed"),
        pytest.param({"expires": 0.0}, 0, "well", "valid until the relay rejects it", "by itself", id="no end known"),
        pytest.param({"refresh": ""}, 0, "well", "valid until 20", "not at all, there is no", id="this one only"),
        pytest.param(
            {"access": "", "refresh": ""}, os.EX_CONFIG, f"{ACCOUNT}: there is no", "none", "not at all", id="none"
        ),
        pytest.param(
            {"expires": 1.0, "ends": 2.0},
            os.EX_CONFIG,
            f"{ACCOUNT}: there is no token any more",
            "ended",
            "by itself, until 1970",
            id="over",
        ),
        pytest.param(
            {"expires": 1.0, "refused": "withdrawn; log in"},
            os.EX_CONFIG,
            "withdrawn; log in",
            "ended",
            "no more",
            id="refused",
        ),
    ],
)
def test_status(
    office: LoginOffice,
    run: Callable[..., tuple[int, str, str]],
    changes: dict[str, object],
    status: int,
    state: str,
    access: str,
    renewed: str,
) -> None:
    secrets = office.keep(**changes)
    found, said, _ = run("oauth", "status")
    lines = {name.strip(): text for name, text in re.findall("(?m)^(.{16}) (.*)$", said)}
    assert found == status
    assert lines["access token"].startswith(access)
    assert lines["renewed"].startswith(renewed)
    assert lines["state"].startswith(state)
    assert secrets.access not in said
    assert secrets.refresh not in said
    assert office.server.requests == []


def test_logout_ends_the_token_at_the_provider(office: LoginOffice, run) -> None:
    given = office.keep()
    assert run("oauth", "logout") == (0, f"logged out; the provider has ended the token\n{WAITS}", "")
    assert not office.server.is_valid(ACCOUNT, given.access)
    assert not Path(token_store.path()).exists()


BY_HAND = "withdraw the permission in the account's settings"
WAITS = "mail waits from now on, until  pbxnotify oauth login  or another auth in the ini file\n"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(
            lambda office: office.write_ini(own=re.sub("revocation_url.*\n", "", office.server.ini())),
            f"logged out; custom cannot be told: {BY_HAND}\n{WAITS}",
            id="no address for that",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).write_text("{"),
            f"logged out; what there was cannot be used, and the provider was not told: {BY_HAND}\n{WAITS}",
            id="a damaged file",
        ),
        pytest.param(
            lambda office: office.server.answer("/revoke", Answer(400, {"error": "invalid_token"})),
            f"logged out; the provider does not end the token (localhost says no: invalid_token): {BY_HAND}\n{WAITS}",
            id="the provider knows no such token",
        ),
        pytest.param(
            lambda office: office.write_ini(own=office.server.ini().replace("pbx-client", "another")),
            f"logged out; it was not for these settings, and the provider was not told: {BY_HAND}\n{{other}}{WAITS}",
            id="other settings by now",
        ),
        pytest.param(
            lambda office: office.ini.write_text("[smtp]\nhost = ssl://mx.example.com\n"),
            f"logged out; it was not for these settings, and the provider was not told: {BY_HAND}\n{{other}}",
            id="back to a password",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).rename(
                Path(token_store.path()).parent.parent / "tmp" / "oauth2.json.4711"
            ),
            f"logged out; it was not for these settings, and the provider was not told: {BY_HAND}\n{WAITS}",
            id="a copy that a process left when it was killed",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).unlink(),
            "there was no token\n",
            id="nothing there",
        ),
    ],
)
def test_logout_forgets_it_whatever_the_provider_says(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], spoil: Callable[[LoginOffice], object], told: str
) -> None:
    office.keep()
    other = f"NOTE  forgotten too: the login as {token_store.account(office.relay)}; {BY_HAND}\n"
    spoil(office)
    status, said, complained = run("oauth", "logout")
    assert (status, complained) == (0, "")
    assert said == told.format(other=other)
    assert [path.name for path in Path(token_store.path()).parent.parent.rglob("oauth2.json*")] == []


def test_logout_keeps_what_it_cannot_end_for_a_mistake_in_the_ini_file(office: LoginOffice, run) -> None:
    given = office.keep()
    office.ini.write_text(office.ini.read_text().replace("host =", "hots ="))
    assert run("oauth", "logout")[0] == os.EX_CONFIG
    office.write_ini()
    assert office.kept == given


def test_logout_keeps_what_the_provider_cannot_end_now(office: LoginOffice, run) -> None:
    given = office.keep()
    office.server.answer("/revoke", Answer(503, ""))
    status, _, complained = run("oauth", "logout")
    assert status == os.EX_TEMPFAIL
    assert f"the token is kept: try again, or remove {token_store.path()}, and {BY_HAND}" in complained
    assert office.kept == given
    assert run("oauth", "logout")[0] == 0
    assert not office.server.is_valid(ACCOUNT, given.access)


# The whole way: what the end of a login does to mails


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        pytest.param({}, "", id="well"),
        pytest.param({"access": "", "refresh": ""}, f"{ACCOUNT}: there is no token any more: log in", id="none"),
        pytest.param({"expires": 1.0, "refused": "withdrawn"}, "withdrawn", id="refused"),
    ],
)
def test_what_cannot_leave_is_told_before_a_mail_has_to(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], changes: dict[str, object], trouble: str
) -> None:
    office.keep(**changes)
    run("queue", "run")
    status, said, _ = run("status")
    assert (status == 2, f"no mail can leave, or none soon: {trouble}" in said) == (bool(trouble), bool(trouble))
    assert (f"no mail can leave, or none soon: {trouble}" in run("check")[1]) == bool(trouble)


def test_a_token_that_nobody_uses_is_noted(office: LoginOffice, run) -> None:
    office.keep()
    office.ini.write_text("[smtp]\nhost = ssl://mx.example.com\n")
    assert f"a token lies in {token_store.path()}, and is not used: end it with  pbxnotify oauth logout" in " ".join(
        run("check")[1].split()
    ).replace("with pbxnotify", "with  pbxnotify")


def test_a_test_mail_that_is_taken_ends_the_wait(office: LoginOffice, spool: Spool, run) -> None:
    """Whatever was mended: an installed library changes no ini file."""
    office.keep(expires=1.0)
    office.server.answer("/token", Answer(400, {"error": "invalid_client"}))
    assert calls.tell()[-1] == "QUEUED"
    assert (run("test")[0], run("queue", "run")[0]) == (0, 0)
    assert sorted(mail.recipients[0] for mail in office.catcher.mails) == [
        *("admin@example.com", "admin@example.com", "ivan@example.com")
    ]


def test_a_login_that_fails_costs_none_that_works(office: LoginOffice, run) -> None:
    office.keep()
    before = office.ini.read_text()
    office.ini.write_text(before.replace(f"login = {ACCOUNT}", "login = boss@office.test"))
    office.server.answer("/token", *(Answer(200, office.server.issue()) for _ in range(2)))
    assert run("oauth", "login")[0] == os.EX_CONFIG
    office.ini.write_text(before)
    assert run("test")[0] == 0


def test_the_monitor_can_renew_what_it_needs(office: LoginOffice, box: Path, spool: Spool, run) -> None:
    """It delivers while it holds a lock of its own."""
    office.keep(expires=1.0)
    text = office.ini.read_text().replace(
        "[employees]", f"[system]\ndisks = {box} 999999 GB\nasterisk = no\n[employees]"
    )
    office.ini.write_text(text)
    began = time.monotonic()
    assert run("monitor")[0] == 0
    assert office.catcher.wait(1)[0].recipients == ("admin@example.com",)
    assert (office.asked(), time.monotonic() - began < token_store.PATIENCE) == (1, True)


def test_mails_go_on_over_the_end_of_a_token(office: LoginOffice) -> None:
    office.keep()
    assert calls.tell() == ["QUEUED", "SENT"]
    office.server.expire_access_tokens()  # earlier than it had said
    assert calls.tell(calls.CALL._replace(linked_id="2.2")) == ["QUEUED", "SENT"]
    assert (office.asked(), office.catcher.logins) == (1, ["XOAUTH2"] * 3)
    assert calls.tell(calls.CALL._replace(linked_id="3.3")) == ["QUEUED", "SENT"]
    assert office.asked() == 1


def test_a_withdrawn_login_keeps_the_mail_and_is_told_once(
    office: LoginOffice, spool: Spool, logged: Callable[[], str], run: Callable[..., tuple[int, str, str]]
) -> None:
    given = office.keep()
    office.server.withdraw()
    for number in range(3):
        assert calls.tell(calls.CALL._replace(linked_id=f"{number}.1"))[-1] == "QUEUED"
    noted = read_backoff(spool.directory)
    assert noted.until - time.time() > 3000
    assert noted.told
    assert "log in with  pbxnotify oauth login" in noted.reason
    assert (len(office.catcher.logins), office.asked()) == (1, 1)  # both asked once, by the first call
    events = [QueueFile.read(spool.directory, identifier).event.kind for identifier in spool.identifiers()]
    assert sorted(events) == ["alert", "missed", "missed", "missed"]
    assert run("status")[0] == 2
    items = [path.read_text() for path in Path(spool.directory, "queue").iterdir()]
    everything = "".join([logged(), *items, run("queue", "list")[1]])
    assert (given.access in everything, given.refresh in everything) == (False, False)


def test_a_withdrawn_login_is_no_login_any_more(office: LoginOffice, run) -> None:
    office.keep()
    office.server.withdraw()
    calls.tell()
    status, said, _ = run("oauth", "status")
    assert status == os.EX_CONFIG
    assert re.search("(?m)^access token +none$", said)
    assert re.search("(?m)^state +localhost says no: invalid_grant", said)


def test_logging_in_again_ends_the_wait(office: LoginOffice, spool: Spool, run) -> None:
    office.keep()
    office.server.withdraw()
    calls.tell()
    office.server.answer("/token", Answer(200, office.server.issue()))
    status, said, _ = run("oauth", "login")
    assert (status, "2 wait: they leave with the next run of the queue" in said) == (0, True)
    assert run("queue", "run")[0] == 0
    assert sorted(mail.recipients[0] for mail in office.catcher.wait(3)) == [
        *("admin@example.com", "admin@example.com", "ivan@example.com")
    ]


def test_an_endpoint_that_is_down_is_tried_again_soon(office: LoginOffice, spool: Spool) -> None:
    office.keep(expires=1.0)
    office.server.answer("/token", Answer(503, ""))
    assert calls.tell()[-1] == "QUEUED"
    noted = read_backoff(spool.directory)
    assert (noted.told, noted.until - time.time() < 70) == (False, True)
    write_backoff(spool.directory, None)
    assert run_queue(spool, everything=True) == {"sent": 1}
