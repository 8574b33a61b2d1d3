"""``pbxnotify oauth``: logging in from a shell without a browser, and what follows when the login ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import calls
import pytest
from authorization_server import Answer
from golden import Golden
from login_office import ACCOUNT, LoginOffice
from relay import Certificates, ScriptedRelay, Talk
from shell import Shell

from pbxnotify.delivery.runner import run_queue
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

CODE = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a"}
Run = Callable[..., tuple[int, str, str]]
USER_CODE = r"(?m)^ +(?:\x1b\[32m)?([A-Z0-9-]+)(?:\x1b\[0m)?\r?$"


def complaints(said: str) -> str:
    """Return what a command has complained about on its terminal."""
    return "\n".join(line for line in said.splitlines() if "pbxnotify: " in line)


def notes(said: str) -> str:
    """Return what a command has noted."""
    return "\n".join(line for line in said.splitlines() if line.startswith("NOTE"))


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


def test_what_was_tested_is_not_tested_again_by_the_run_of_the_queue(office: LoginOffice, run: Run) -> None:
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


def test_somebody_says_no(office: LoginOffice, golden: Golden) -> None:
    with Shell("oauth", "login") as shell:
        office.server.deny(shell.find(USER_CODE))
        status, said = shell.end()
    assert (status, "access_denied" in said) == (os.EX_CONFIG, True)
    golden(complaints(said).rpartition(" (")[2])
    assert not Path(token_store.path()).exists()


def test_nobody_enters_it_in_time(office: LoginOffice, golden: Golden) -> None:
    with Shell("oauth", "login") as shell:
        shell.find(USER_CODE)
        office.server.expire_device_codes()
        status, said = shell.end()
    assert status == os.EX_CONFIG
    golden(complaints(said))


def test_a_code_that_ends_while_nobody_says_so(office: LoginOffice, run: Run, golden: Golden) -> None:
    code = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "expires_in": 1, "interval": 0.2}
    office.server.answer("/device", Answer(200, code))
    office.server.answer("/token", *(Answer(400, {"error": "authorization_pending"}) for _ in range(9)))
    status, _, said = run("oauth", "login")
    assert status == os.EX_TEMPFAIL
    golden(said)


def test_asked_too_often(office: LoginOffice, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_ctrl_c_while_nobody_enters_it(office: LoginOffice, golden: Golden) -> None:
    with Shell("oauth", "login") as shell:
        shell.find(USER_CODE)
        shell.wait_for("Ctrl-C gives up")
        shell.interrupt()
        status, said = shell.end()
    assert status == 130
    golden(complaints(said))
    assert not Path(token_store.path()).exists()


# With an address that is pasted


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


def test_nobody_signs_in_for_a_provider_that_cannot_be_reached(office: LoginOffice, run: Run, golden: Golden) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    office.write_ini(own=office.server.ini().replace(f"{office.server.port}/token", f"{port}/token"))
    status, said, complained = run("oauth", "login", "--flow", "code")
    assert (status, said) == (os.EX_TEMPFAIL, "")
    golden(complained)


def test_somebody_says_no_in_the_browser(office: LoginOffice, golden: Golden) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"), consents=False)
        shell.answer("paste it here.", back)
        status, said = shell.end()
    assert (status, "access_denied" in said) == (os.EX_CONFIG, True)
    golden(complaints(said).rpartition(" (")[2])


def test_where_the_browser_is_sent(office: LoginOffice) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.wait_for("http://127.0.0.1:8899")
        assert back.startswith("http://127.0.0.1:8899")


def test_a_port_of_ones_choice(office: LoginOffice) -> None:
    """It means the flow with an address."""
    with Shell("oauth", "login", "--port", "4711") as shell:
        back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
        shell.wait_for("http://127.0.0.1:4711")
        assert back.startswith("http://127.0.0.1:4711")


def test_a_port_that_is_taken_does_not_matter(office: LoginOffice) -> None:
    """Nothing listens there but the browser's own machine."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with Shell("oauth", "login", "--port", str(port), "--no-test") as shell:
            back = office.server.browse(shell.find(r"(https://localhost:\S+)"))
            shell.answer("paste it here.", back)
            assert shell.end()[0] == 0


@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_is_not_one(office: LoginOffice, run: Run, port: str) -> None:
    assert run("oauth", "login", "--port", port)[0] == os.EX_USAGE


def test_a_port_where_no_browser_comes_back(office: LoginOffice, run: Run) -> None:
    office.write_ini(own=re.sub("authorization_url.*\n", "", office.server.ini()))
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, office.server.issue()))
    assert run("oauth", "login", "--port", "4711")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_terminal_that_is_closed(office: LoginOffice, number: int, golden: Golden) -> None:
    with Shell("oauth", "login", "--flow", "code") as shell:
        shell.wait_for("Ctrl-C gives up")
        shell.kill(number)
        status, said = shell.end()
    assert status == 130
    golden(complaints(said))


@pytest.mark.parametrize("input_", ["silent", "closed", "at its end"])
def test_nothing_is_pasted(office: LoginOffice, input_: str, golden: Golden) -> None:
    code = (
        "import os, sys; from pbxnotify.commands import oauth_login as login; from pbxnotify.cli import main;"
        "login.PATIENCE = 0.3;"
        "sys.exit(main(['oauth', 'login', '--flow', 'code']))"
    )
    silent, kept_open = os.pipe()
    stdin = {"silent": silent, "closed": None, "at its end": subprocess.DEVNULL}[input_]
    command = [sys.executable, "-c", code]
    if input_ == "closed":
        command = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command]
    done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=False)
    os.close(silent)
    os.close(kept_open)
    assert done.returncode == os.EX_TEMPFAIL
    golden(done.stderr)


def test_without_a_device_flow_a_browser_is_the_way(office: LoginOffice, run: Run, golden: Golden) -> None:
    office.write_ini(own=re.sub("device_url.*\n", "", office.server.ini()))
    with Shell("oauth", "login") as shell:
        shell.wait_for("paste it here.")
    status, _, said = run("oauth", "login", "--flow", "device")
    assert status == os.EX_USAGE
    golden(said)


# What a login gives


def test_a_login_without_a_refresh_token_is_said(office: LoginOffice, run: Run, golden: Golden) -> None:
    issued = {"access_token": office.server.issue()["access_token"], "token_type": "Bearer", "expires_in": 3600}
    office.server.answer("/token", Answer(200, issued))
    status, said, _ = run("oauth", "login")
    assert status == 0
    golden(notes(said))


def test_a_login_that_ends_is_said(office: LoginOffice, run: Run, golden: Golden) -> None:
    """Google's applications that are being tested: seven days."""
    office.write_ini(own=office.server.ini().replace("custom\n", 'google\nclient_secret = "a"\n'))
    issued = {**office.server.issue(), "refresh_token_expires_in": 604799}
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, issued))
    status, said, _ = run("oauth", "login")
    assert status == 0
    golden(notes(said))
    golden(re.findall("(?m)^renewed .*", run("oauth", "status")[1])[0], "status")
    golden("\n".join(re.findall("(?m)^NOTE .*provider.*", run("check")[1])), "check")


def test_less_than_was_asked_for_is_said(office: LoginOffice, run: Run, golden: Golden) -> None:
    many = " ".join(f"https://example.com/a-long-scope/{number}" for number in range(20))
    for scope, is_less in (("mail.read", True), (f"{many} mail.send", False), (["mail.send"], False)):
        office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
        office.server.answer("/token", Answer(200, {**office.server.issue(), "scope": scope}))
        said = run("oauth", "login", "--no-test")[1]
        assert (notes(said) != "") == is_less
        if is_less:
            golden(notes(said))


def test_a_login_without_an_administrators_address(office: LoginOffice, run: Run, golden: Golden) -> None:
    office.ini.write_text(office.ini.read_text().replace("admin_email = admin@example.com\n", ""))
    office.server.answer("/token", Answer(200, office.server.issue()))
    status, said, _ = run("oauth", "login")
    assert status == 0
    golden(said.splitlines()[-1])


def test_a_login_that_cannot_be_kept_is_said_to_be_lost(
    office: LoginOffice,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    golden: Golden,
) -> None:
    monkeypatch.setattr(token_store, "PATIENCE", 0.2)
    office.server.answer("/token", *(Answer(200, office.server.issue()) for _ in range(2)))
    with token_store.alone():
        status, _, complained = run("oauth", "login")
    assert status == os.EX_TEMPFAIL
    golden(complained, "in use")
    Path(token_store.path()).mkdir()
    status, _, complained = run("oauth", "login")
    assert status == os.EX_IOERR
    golden(complained, "not to be written")


def test_the_token_of_another_account_goes_when_a_login_works(office: LoginOffice, run: Run) -> None:
    office.keep()
    before = token_store.account(office.relay)
    office.write_ini(own=office.server.ini().replace("scope = mail.send", "scope = mail.send offline_access"))
    office.keep()
    assert token_store.others(office.relay) == [before]
    office.server.answer("/token", Answer(200, office.server.issue()))
    assert run("oauth", "login")[0] == 0
    assert token_store.others(office.relay) == []


def log_in(office: LoginOffice, run: Run, issued: dict[str, object] | None = None) -> tuple[int, str, str]:
    """Log in, which somebody allows at once."""
    office.server.answer("/device", Answer(200, {**CODE, "interval": 0.1}))
    office.server.answer("/token", Answer(200, issued or office.server.issue()))
    return run("oauth", "login", "--no-test")


def test_a_second_login_ends_the_first(rotating: LoginOffice, run: Run) -> None:
    first = rotating.keep()
    status, said, _ = log_in(rotating, run)
    assert (status, notes(said), rotating.asked("/revoke")) == (0, "", 1)
    assert not rotating.server.is_valid(ACCOUNT, first.access)
    assert rotating.server.is_valid(ACCOUNT, rotating.kept.access)


def test_a_provider_that_ends_both(rotating: LoginOffice, run: Run, golden: Golden) -> None:
    """Better known while somebody is here than in an hour."""
    rotating.server.share_one_consent()
    rotating.keep()
    status, _, complained = log_in(rotating, run)
    assert status == os.EX_CONFIG
    golden(complained)
    assert run("oauth", "status")[0] == os.EX_CONFIG
    assert (log_in(rotating, run)[0], rotating.asked("/revoke")) == (0, 1)
    assert rotating.server.is_valid(ACCOUNT, rotating.kept.access)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(503, ""), id="not now"),
        pytest.param(Answer(404, "<h1>Not here</h1>", "text/html"), id="not there"),
    ],
)
def test_a_first_login_that_cannot_be_ended_is_said(
    office: LoginOffice, run: Run, answer: Answer, golden: Golden
) -> None:
    office.keep()
    office.server.answer("/revoke", answer)
    status, said, _ = log_in(office, run)
    assert (status, office.kept.refused) == (0, "")
    golden(notes(said))


@pytest.mark.parametrize("case", ["the same refresh token again", "refused before", "Google ends all", "no address"])
def test_a_first_login_that_is_left_alone(office: LoginOffice, run: Run, case: str) -> None:
    if case == "Google ends all":
        office.write_ini(own=office.server.ini().replace("custom\n", 'google\nclient_secret = "a"\n'))
    if case == "no address":
        office.write_ini(own=re.sub("revocation_url.*\n", "", office.server.ini()))
    first = office.keep(refused="withdrawn" if case == "refused before" else "")
    issued = office.server.issue()
    if case == "the same refresh token again":
        issued["refresh_token"] = first.refresh
    assert (log_in(office, run, issued)[0], office.asked("/revoke"), office.asked()) == (0, 0, 1)
    assert office.kept.access == issued["access_token"]


def test_a_relay_that_does_not_take_the_token(office: LoginOffice, run: Run, golden: Golden) -> None:
    """Somebody else's account was logged in; one more try with a fresh token, and no more."""
    issued = {"access_token": "of-another-account", "refresh_token": "r", "token_type": "Bearer", "expires_in": 3600}
    office.server.answer("/token", Answer(200, issued), Answer(200, {**issued, "access_token": "of-another-too"}))
    status, said, complained = run("oauth", "login")
    assert status == os.EX_CONFIG
    assert "AUTH XOAUTH2 (status 401) with 535" in complained
    golden(complained)
    assert (len(office.catcher.logins), office.asked()) == (2, 2)
    assert "of-another" not in said + complained
    assert run("oauth", "status")[0] == os.EX_CONFIG


@pytest.mark.parametrize(
    ("reason", "is_said"),
    [
        pytest.param({"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}, True, id="Gmail"),
        pytest.param({"status": "insufficient_scope", "scope": "imap smtp"}, True, id="RFC 7628"),
        pytest.param({"status": "invalid_token", "scope": "mail.read mail.send"}, False, id="ours is among them"),
        pytest.param({"status": "invalid_token", "scope": ""}, False, id="an empty one"),
        pytest.param({"status": "invalid_token", "scope": "a\r\nb\x1b[2J" * 99}, True, id="a terminal's, and endless"),
    ],
)
def test_a_relay_that_wants_another_scope(
    office: LoginOffice,
    run: Run,
    certificates: Certificates,
    reason: dict[str, str],
    is_said: bool,
    golden: Golden,
) -> None:
    def refuse(talk: Talk) -> None:
        talk.say(f"334 {b64encode(json.dumps(reason).encode()).decode()}")
        talk.line()
        talk.say("535 5.7.8 no")

    office.keep()
    with ScriptedRelay(tls=certificates.server, extensions=["AUTH XOAUTH2"], AUTH=refuse) as relay:
        office.write_ini(port=relay.port, security="tls")
        status, _, complained = run("test")
    assert (status, "wants the scope" in complained) == (os.EX_CONFIG, is_said)
    golden(complained.partition(" (the token")[0])


@pytest.mark.parametrize("action", ["login", "status"])
@pytest.mark.parametrize(
    "smtp",
    [
        pytest.param('password = "a"\n', id="password"),
        pytest.param("auth = oauth2\npassword_command = echo a\n", id="a helper"),
    ],
)
def test_settings_that_want_no_token(
    run: Run, write_ini: Callable[[str], Path], action: str, smtp: str, golden: Golden
) -> None:
    write_ini(f"[smtp]\nhost = ssl://mx.example.com\nlogin = a@example.com\n{smtp}")
    status, said, complained = run("oauth", action)
    assert (status, said) == (os.EX_USAGE, "")
    golden(complained)


# status and logout


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, 0, id="well"),
        pytest.param({"expires": 1.0}, 0, id="to be renewed"),
        pytest.param({"expires": None}, 0, id="no end known"),
        pytest.param({"refresh": ""}, 0, id="this one only"),
        pytest.param({"access": "", "refresh": ""}, os.EX_CONFIG, id="none"),
        pytest.param({"expires": 1.0, "ends": 2.0}, os.EX_CONFIG, id="over"),
        pytest.param({"expires": 1.0, "refused": "withdrawn; log in"}, os.EX_CONFIG, id="refused"),
        pytest.param({"refused": "no", "refused_at": 1.7e9}, os.EX_CONFIG, id="refused, and valid"),
    ],
)
def test_status(office: LoginOffice, run: Run, changes: dict[str, object], status: int, golden: Golden) -> None:
    secrets = office.keep(**changes)
    found, said, _ = run("oauth", "status")
    assert found == status
    golden(said)
    assert secrets.access not in said
    assert secrets.refresh not in said
    assert office.server.requests == []


def test_logout_ends_the_token_at_the_provider(office: LoginOffice, run: Run, golden: Golden) -> None:
    given = office.keep()
    status, said, complained = run("oauth", "logout")
    assert (status, complained) == (0, "")
    golden(said)
    assert not office.server.is_valid(ACCOUNT, given.access)
    assert not Path(token_store.path()).exists()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda office: office.write_ini(own=re.sub("revocation_url.*\n", "", office.server.ini())),
            id="no address for that",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).write_text("{"),
            id="a damaged file",
        ),
        pytest.param(
            lambda office: office.server.answer("/revoke", Answer(400, {"error": "invalid_token"})),
            id="the provider knows no such token",
        ),
        pytest.param(
            lambda office: office.write_ini(own=office.server.ini().replace("pbx-client", "another")),
            id="other settings by now",
        ),
        pytest.param(
            lambda office: office.ini.write_text("[smtp]\nhost = ssl://mx.example.com\n"),
            id="back to a password",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).rename(f"{token_store.path()}.new"),
            id="a copy that a process left when it was killed",
        ),
        pytest.param(
            lambda office: Path(token_store.path()).unlink(),
            id="nothing there",
        ),
    ],
)
def test_logout_removes_it_whatever_the_provider_says(
    office: LoginOffice, run: Run, spoil: Callable[[LoginOffice], object], golden: Golden
) -> None:
    office.keep()
    spoil(office)
    status, said, complained = run("oauth", "logout")
    assert (status, complained) == (0, "")
    golden(said)
    assert [path.name for path in Path(token_store.path()).parent.parent.rglob("oauth2.json*")] == []


def test_logout_keeps_what_it_cannot_end_for_a_mistake_in_the_ini_file(office: LoginOffice, run: Run) -> None:
    given = office.keep()
    office.ini.write_text(office.ini.read_text().replace("host =", "hots ="))
    assert run("oauth", "logout")[0] == os.EX_CONFIG
    office.write_ini()
    assert office.kept == given


def test_logout_keeps_what_the_provider_cannot_end_now(office: LoginOffice, run: Run, golden: Golden) -> None:
    given = office.keep()
    office.server.answer("/revoke", Answer(503, ""))
    status, _, complained = run("oauth", "logout")
    assert status == os.EX_TEMPFAIL
    golden(complained)
    assert office.kept == given
    assert run("oauth", "logout")[0] == 0
    assert not office.server.is_valid(ACCOUNT, given.access)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(404, "<h1>Not here</h1>", "text/html"), id="another address"),
        pytest.param(
            Answer(404, {"error": "invalid_request", "error_description": "unrecognized route"}),
            id="another address, as oidc-provider says it",
        ),
        pytest.param(Answer(401, {"error": "invalid_client"}), id="another secret"),
        pytest.param(Answer(403, {"error": "unauthorized_client"}), id="another application"),
    ],
)
def test_logout_keeps_what_another_ini_file_can_end(
    office: LoginOffice, run: Run, answer: Answer, golden: Golden
) -> None:
    given = office.keep()
    office.server.answer("/revoke", answer)
    status, said, complained = run("oauth", "logout")
    assert (status, said, office.kept) == (os.EX_CONFIG, "", given)
    golden(complained)
    assert run("oauth", "logout")[0] == 0
    assert not office.server.is_valid(ACCOUNT, given.access)


# The whole way: what the end of a login does to mails


@pytest.mark.parametrize(
    ("changes", "is_held"),
    [
        pytest.param({}, False, id="well"),
        pytest.param({"access": "", "refresh": ""}, True, id="none"),
        pytest.param({"expires": 1.0, "refused": "withdrawn"}, True, id="refused"),
    ],
)
def test_what_cannot_leave_is_known_before_a_mail_has_to(
    office: LoginOffice, run: Run, changes: dict[str, object], is_held: bool, golden: Golden
) -> None:
    office.keep(**changes)
    run("queue", "run")
    trouble = token_store.trouble(office.relay)
    assert (trouble != "", run("status")[0] == 2) == (is_held, is_held)
    for command in ("status", "check"):
        said = run(command)[1]
        golden("\n".join(re.findall("(?m)^.*no mail can leave.*", said)), command)


def test_a_token_that_nobody_uses_is_noted(office: LoginOffice, run: Run, golden: Golden) -> None:
    office.keep()
    office.ini.write_text("[smtp]\nhost = ssl://mx.example.com\n")
    golden("\n".join(line for line in notes(run("check")[1]).splitlines() if token_store.path() in line))


def test_a_test_mail_that_is_taken_ends_the_wait(office: LoginOffice, spool: Spool, run: Run) -> None:
    """Whatever was mended: an installed library changes no ini file."""
    office.keep(expires=1.0)
    office.server.answer("/token", Answer(400, {"error": "invalid_client"}))
    assert calls.tell()[-1] == "QUEUED"
    assert (run("test")[0], run("queue", "run")[0]) == (0, 0)
    assert sorted(mail.recipients[0] for mail in office.catcher.mails) == [
        *("admin@example.com", "admin@example.com", "ivan@example.com")
    ]


def test_a_login_that_fails_costs_none_that_works(office: LoginOffice, run: Run) -> None:
    office.keep()
    before = office.ini.read_text()
    office.ini.write_text(before.replace(f"login = {ACCOUNT}", "login = boss@office.test"))
    office.server.answer("/token", *(Answer(200, office.server.issue()) for _ in range(2)))
    assert run("oauth", "login")[0] == os.EX_CONFIG
    office.ini.write_text(before)
    assert run("test")[0] == 0


def test_the_monitor_can_renew_what_it_needs(office: LoginOffice, box: Path, spool: Spool, run: Run) -> None:
    """It delivers while it holds a lock of its own."""
    office.keep(expires=1.0)
    text = office.ini.read_text().replace(
        "[employees]", f"[system]\ndisks = {box} 999999 GB\nasterisk = no\n[employees]"
    )
    office.ini.write_text(text)
    assert run("monitor")[0] == 0
    assert office.catcher.wait(1)[0].recipients == ("admin@example.com",)
    assert office.asked() == 1


def test_mails_go_on_over_the_end_of_a_token(office: LoginOffice) -> None:
    office.keep()
    assert calls.tell() == ["QUEUED", "SENT"]
    office.server.expire_access_tokens()  # earlier than it had said
    assert calls.tell(calls.CALL._replace(linked_id="2.2")) == ["QUEUED", "SENT"]
    assert (office.asked(), office.catcher.logins) == (1, ["XOAUTH2"] * 3)
    assert calls.tell(calls.CALL._replace(linked_id="3.3")) == ["QUEUED", "SENT"]
    assert office.asked() == 1


def test_a_withdrawn_login_keeps_the_mail_and_is_told_once(
    office: LoginOffice, spool: Spool, logged: Callable[[], str], run: Run, golden: Golden
) -> None:
    given = office.keep()
    office.server.withdraw()
    for number in range(3):
        assert calls.tell(calls.CALL._replace(linked_id=f"{number}.1"))[-1] == "QUEUED"
    noted = read_backoff(spool.directory)
    assert noted.until - time.time() > 3000
    assert noted.told
    golden(noted.reason)
    assert (len(office.catcher.logins), office.asked()) == (1, 1)  # both asked once, by the first call
    items = [QueueFile.read(spool.directory, identifier) for identifier in spool.identifiers()]
    assert sorted(item.event.kind for item in items if item) == ["alert", "missed", "missed", "missed"]
    assert run("status")[0] == 2
    files = [path.read_text() for path in Path(spool.directory, "queue").iterdir()]
    everything = "".join([logged(), *files, run("queue", "list")[1]])
    assert (given.access in everything, given.refresh in everything) == (False, False)


def test_a_withdrawn_login_is_no_login_any_more(office: LoginOffice, run: Run, golden: Golden) -> None:
    office.keep()
    office.server.withdraw()
    calls.tell()
    status, said, _ = run("oauth", "status")
    assert status == os.EX_CONFIG
    assert re.search("(?m)^access token +none$", said)
    golden(re.findall("(?m)^state .*", said)[0])


def test_logging_in_again_ends_the_wait(office: LoginOffice, spool: Spool, run: Run, golden: Golden) -> None:
    office.keep()
    office.server.withdraw()
    calls.tell()
    office.server.answer("/token", Answer(200, office.server.issue()))
    status, said, _ = run("oauth", "login")
    assert status == 0
    golden(said.splitlines()[-1])
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
