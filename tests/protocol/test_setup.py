"""``pbxnotify setup``: from nothing to a test mail, at a terminal and with options."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import login_office
import pytest
from authorization_server import Answer
from golden import Golden
from login_office import ACCOUNT, LoginOffice
from relay import Catcher, Certificates
from shell import ROOT, Shell

from pbxnotify.settings.load import load_settings
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.providers import PROVIDERS
from pbxnotify.settings.rewrite import shipped_file
from pbxnotify.smtp.oauth import token_store
from pbxnotify.smtp.oauth.token_store import Tokens
from pbxnotify.spool.store import Spool

LOGIN = ("office@example.com", 's3cret #1, "two"')
WITHOUT_OAUTHLIB = """
import sys
sys.modules["oauthlib"] = None
from pbxnotify.cli import main
sys.exit(main())
"""
CODE = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "interval": 0.1}
OTHER = str(len(PROVIDERS) + 1)
"""The choice of another relay than a provider's."""


@pytest.fixture
def ini(box: Path, spool: Spool) -> Path:
    """Return where the ini file will be."""
    return box / "pbxnotify.ini"


def answers(shell: Shell, catcher: Catcher, password: str = LOGIN[1]) -> None:
    """Answer all questions for a relay of the house, up to the people."""
    shell.answer("Number", OTHER)
    shell.answer("SMTP host / SMTP хост", f"ssl://localhost:{catcher.port}")
    shell.answer("Verify server certificate", "")
    shell.answer("SMTP login", LOGIN[0])
    shell.answer("SMTP password", password)
    shell.answer("Sender address", "")


def relay_without_login(shell: Shell, catcher: Catcher) -> None:
    """Answer all questions for a relay that wants no login, up to the people."""
    shell.answer("Number", OTHER)
    shell.answer("SMTP host", f"127.0.0.1:{catcher.port}")
    for label in ("Use TLS", "SMTP login", "Sender"):
        shell.answer(label, "")


def people(shell: Shell, common: str = "") -> None:
    """Answer the questions about people."""
    shell.answer("System administrator e-mail", "admin@example.com")
    shell.answer("E-mail for missed calls", common)
    for label in ("Single e-mail for voicemail", "language", "Use notifications"):
        shell.answer(label, "")


@pytest.fixture
def secure(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Catcher:
    """Return a relay with TLS and login, whose certificate this system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)
    return Catcher(tls=certificates.server, implicit=True, login=LOGIN)


def test_from_nothing_to_a_test_mail(ini: Path, secure: Catcher, run, golden: Golden) -> None:
    with secure, Shell("setup") as shell:
        answers(shell, secure)
        people(shell, "office@example.com, second@example.com")
        status, said = shell.end()
        (mail,) = secure.wait(1)
        assert run("queue", "run")[0] == 0
        assert len(secure.mails) == 1
    assert status == 0
    golden(lines_with(said, str(ini)))
    golden(lines_with(said, " 250"), "relay")
    assert (mail.sender, mail.recipients, mail.encrypted) == (LOGIN[0], ("admin@example.com",), True)
    settings = load_settings(ini)
    assert (settings.smtp.password, settings.smtp.security) == (LOGIN[1], "tls")
    assert settings.missed_calls.email == ("office@example.com", "second@example.com")
    assert LOGIN[1] not in said
    assert stat.S_IMODE(ini.stat().st_mode) == 0o640


def test_all_comments_of_the_file_are_kept(ini: Path, catcher: Catcher, run) -> None:
    shipped = shipped_file("pbxnotify.ini").read_text(encoding="utf-8")
    run("setup", "--host", f"127.0.0.1:{catcher.port}", "--admin-email", "admin@example.com")
    comments = [line for line in shipped.splitlines() if line.startswith("#")]
    assert [line for line in ini.read_text(encoding="utf-8").splitlines() if line.startswith("#")] == comments


def test_a_wrong_password_then_the_right_one(ini: Path, secure: Catcher) -> None:
    with secure, Shell("setup") as shell:
        answers(shell, secure, "wr0ng")
        people(shell)
        shell.wait_for("535")
        shell.wait_for("app password")
        shell.answer(
            "a to answer again, t to try again, q to leave the ini file unchanged, w to write it anyway [a]: ", ""
        )
        assert not ini.exists()
        shell.answer("Number [7]: ", "")
        for label in ("SMTP host", "Verify server certificate", "SMTP login"):
            shell.answer(label, "")
        shell.answer("SMTP password", LOGIN[1])
        for label in ("Sender", "administrator", "missed calls", "voicemail", "language", "Use notifications"):
            shell.answer(label, "")
        status, said = shell.end()
    assert (status, len(secure.mails), load_settings(ini).smtp.password) == (0, 1, LOGIN[1])
    assert ("wr0ng" in said, LOGIN[1] in said) == (False, False)


@pytest.mark.parametrize(("answer", "written", "status"), [("q", False, os.EX_USAGE), ("w", True, 0)], ids=["q", "w"])
def test_a_relay_that_does_not_answer(ini: Path, catcher: Catcher, answer: str, written: bool, status: int) -> None:
    catcher.stop()
    with Shell("setup") as shell:
        relay_without_login(shell, catcher)
        people(shell)
        shell.wait_for("Connection refused")
        shell.answer("w to write it anyway [a]: ", answer)
        assert shell.end()[0] == status
    assert ini.exists() == written


def test_a_provider_fills_in_the_relay_and_says_where_the_password_comes_from(ini: Path, golden: Golden) -> None:
    with Shell("setup") as shell:
        shell.answer("Number: ", "2")
        shell.wait_for("Yandex: ssl://smtp.yandex.ru. Password: an app password for mail: https://id.yandex.ru/")
        shell.answer("Log in [1]: ", "")
        shell.answer("SMTP login", "office")
        shell.wait_for("is not an e-mail address")
        shell.answer("SMTP login", "office@yandex.ru")
        shell.wait_for("SMTP password")
        shell.interrupt()
        status, said = shell.end()
    assert (status, ini.exists()) == (130, False)
    golden(said.splitlines()[-1])


def test_what_stands_in_the_file_is_offered(ini: Path, catcher: Catcher) -> None:
    ini.write_text(
        f"[smtp]\nhost = 127.0.0.1\nport = {catcher.port}\nsender = pbx@example.com\n"
        "[notifications]\nadmin_email = admin@example.com\nlanguage = ru\n[missed_calls]\nemail = a@x, b@x\n"
    )
    before = load_settings(ini)
    with Shell("setup") as shell:
        shell.answer("Number [7]: ", "")
        for default in ("127.0.0.1", str(catcher.port)):
            shell.answer(f"[{default}]: ", "")
        for label in ("Use TLS", "SMTP login"):
            shell.answer(label, "")
        for default in ("pbx@example.com", "admin@example.com", "a@x, b@x"):
            shell.answer(f"[{default}]: ", "")
        shell.answer("Single e-mail for voicemail", "")
        shell.answer("[ru]: ", "")
        shell.answer("Use notifications", "")
        assert shell.end()[0] == 0
    assert load_settings(ini) == before
    assert catcher.mails[0].recipients == ("admin@example.com",)


def test_russian_is_offered_where_the_terminal_speaks_it(ini: Path) -> None:
    with Shell("setup", LANG="ru_RU.UTF-8") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", "mx.example.com")
        for label in ("SMTP port", "Use TLS", "SMTP login", "Sender", "administrator", "missed", "voicemail"):
            shell.answer(label, "")
        shell.wait_for("[ru]: ")


QUESTIONS = ("SMTP port", "Use TLS", "Verify", "SMTP login", "SMTP password", "Sender", "administrator", "missed")


@pytest.mark.parametrize("written", ["mx", "mx:587", "ssl://mx", "tls://mx:25"])
def test_what_the_host_says_is_not_asked(ini: Path, written: str) -> None:
    with Shell("setup") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", written)
        if ":" not in written:
            shell.answer("SMTP port", "587")
        if "//" not in written:
            shell.answer("Use TLS", "yes")
        shell.answer("Verify", "")
        shell.wait_for("SMTP login")
        shell.interrupt()
        said = shell.end()[1]
    assert ("SMTP port" in said, "Use TLS" in said) == (":" not in written, "//" not in written)


@pytest.mark.parametrize("leave", ["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("asked", range(len(QUESTIONS)), ids=lambda asked: QUESTIONS[asked])
def test_it_can_be_left_at_any_question(ini: Path, asked: int, leave: str) -> None:
    with Shell("setup") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", "mx.example.com")
        for label in QUESTIONS[:asked]:
            shell.answer(label, {"Use TLS": "yes", "SMTP login": "me", "SMTP password": "secret"}.get(label, ""))
        shell.wait_for(QUESTIONS[asked])
        (shell.interrupt if leave == "Ctrl-C" else shell.end_input)()
        status, said = shell.end()
    assert (status, ini.exists()) == (130 if leave == "Ctrl-C" else os.EX_USAGE, False)
    assert said.splitlines()[-1].startswith("pbxnotify: ")


def test_a_file_with_mistakes_is_said(ini: Path) -> None:
    ini.write_text("[smtp]\nhots = mx\n")
    with Shell("setup") as shell:
        shell.wait_for("did you mean host?")
        shell.wait_for("its values are not offered")


# With options


def run_with_input(*arguments: str, typed: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a pipe."""
    command = [sys.executable, "-m", "pbxnotify.cli", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)


def lines_with(said: str, word: str) -> str:
    """Return the lines of what was said that contain a word."""
    return "\n".join(line for line in said.splitlines() if word in line)


def options(catcher: Catcher) -> tuple[str, ...]:
    return (
        *("setup", "--host", f"ssl://localhost:{catcher.port}", "--login", LOGIN[0]),
        *("--admin-email", "admin@example.com", "--missed-calls-email", "a@example.com, b@example.com"),
    )


def test_the_password_comes_from_standard_input(ini: Path, secure: Catcher) -> None:
    with secure:
        done = run_with_input(*options(secure), "--password-stdin", typed=f"{LOGIN[1]}\n")
    settings = load_settings(ini)
    assert (done.returncode, len(secure.mails), settings.smtp.password) == (0, 1, LOGIN[1])
    assert settings.missed_calls.email == ("a@example.com", "b@example.com")
    assert LOGIN[1] not in done.stdout + done.stderr


def test_the_password_comes_from_a_command(ini: Path, secure: Catcher, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(LOGIN[1])
    with secure:
        done = run_with_input(*options(secure), "--password-command", f"cat {tmp_path}/password", typed="")
    assert (done.returncode, len(secure.mails)) == (0, 1)
    assert load_settings(ini).smtp.password == ""


def test_an_option_for_the_password_does_not_exist(run, ini: Path) -> None:
    status, _, said = run("setup", "--password", "x")
    assert (status, "usage: pbxnotify" in said) == (os.EX_USAGE, True)


def test_nothing_is_written_when_the_relay_says_no(ini: Path, secure: Catcher) -> None:
    with secure:
        done = run_with_input(*options(secure), "--password-stdin", typed="wr0ng\n")
    assert (done.returncode, ini.exists(), "535" in done.stderr) == (os.EX_CONFIG, False, True)
    assert "wr0ng" not in done.stdout + done.stderr


def test_what_was_pasted_along_with_a_password_is_noted_before_the_relay_says_no(ini: Path, secure: Catcher) -> None:
    with secure:
        done = run_with_input(*options(secure), "--password-stdin", typed="“wr0ng”\n")
    (note,) = lines_with(done.stdout, "NOTE").splitlines()
    assert (done.returncode, "U+201C" in note, "535" in done.stderr) == (os.EX_CONFIG, True, True)
    assert "wr0ng" not in done.stdout + done.stderr


def test_without_a_test(run, ini: Path, golden: Golden) -> None:
    status, said, _ = run("setup", "--host", "mx.example.com", "--no-test")
    assert (status, load_settings(ini).smtp.host) == (0, "mx.example.com")
    golden("\n".join(line for line in said.splitlines() if not line.startswith("NOTE")))


def test_options_change_what_they_name_and_nothing_else(run, ini: Path) -> None:
    ini.write_text("[smtp]\nhost = mx.example.com  # mine\n[employees]\n[[101]]\nname = Анна\n", encoding="utf-8")
    run("setup", "--sender", "pbx@example.com", "--no-test")
    assert ini.read_text(encoding="utf-8") == (
        "[smtp]\nhost = mx.example.com  # mine\nsender = pbx@example.com\n[employees]\n[[101]]\nname = Анна\n"
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(("--port", "x"), os.EX_USAGE, id="wrong value"),
        pytest.param(("--host", "smtp://mail.example.com:25"), os.EX_USAGE, id="smtp://"),
        pytest.param(("--host", "smtps://mail.example.com"), os.EX_USAGE, id="smtps://"),
        pytest.param(("--admin-email", "mailto:a@example.com"), os.EX_USAGE, id="mailto:"),
        pytest.param(("--missed-calls-email", "Anna <a@example.com>"), os.EX_USAGE, id="a name"),
        pytest.param(("--sender", "“a@example.com”"), os.EX_USAGE, id="quotes of a word processor"),
        pytest.param(("--login", "me"), os.EX_CONFIG, id="no password"),
        pytest.param(("--provider", "gmial"), os.EX_USAGE, id="no provider"),
        pytest.param(("--password-stdin",), os.EX_USAGE, id="empty password"),
        pytest.param((), os.EX_USAGE, id="no options"),
    ],
)
def test_options_that_do_not_do(ini: Path, golden: Golden, arguments: tuple[str, ...], status: int) -> None:
    done = run_with_input("setup", *arguments, typed="")
    assert (done.returncode, ini.exists()) == (status, False)
    golden(done.stderr.splitlines()[-1])


def test_a_directory_that_is_not_there(run, box: Path, golden: Golden) -> None:
    status, _, said = run("--config", str(box / "missing" / "x.ini"), "setup", "--host", "mx", "--no-test")
    assert status == os.EX_CONFIG
    golden(said)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(("--admin-email", "a@x.de,b@x.de"), "admin_email = a@x.de, b@x.de", id="no blank"),
        pytest.param(("--admin-email", "a&b@x.de, c@x.de"), 'admin_email = "a&b@x.de", c@x.de', id="a quoted part"),
        pytest.param(("--pbx-name", "Office, Main"), 'pbx_name = "Office, Main"', id="a comma in a text"),
        pytest.param(("--host", " smtp.gmail.com "), "host = smtp.gmail.com", id="blanks around it"),
    ],
)
def test_what_is_written(run, ini: Path, arguments: tuple[str, str], line: str) -> None:
    assert run("setup", "--no-test", *arguments)[0] == 0
    assert line in ini.read_text(encoding="utf-8").splitlines()


def test_a_provider_makes_an_end_of_what_was_meant_for_another_relay(run, ini: Path) -> None:
    house = "host = mx\nport = 25\nuse_tls = yes\nverify_certificate = no\nsender = pbx@house"
    ini.write_text(f"[smtp]\n{house}\nlogin = a@gmail.com\npassword = b\n")
    assert run("setup", "--provider", "gmail", "--no-test")[0] == 0
    relay = load_settings(ini).smtp
    assert (relay.host, relay.port, relay.security) == ("smtp.gmail.com", 465, "tls")
    assert (relay.verify_certificate, relay.sender, relay.sender_address) == (True, "", "a@gmail.com")


def test_enter_keeps_the_provider_as_it_is_written(ini: Path) -> None:
    ini.write_text("[smtp]\nhost = smtp.gmail.com:587\nuse_tls = yes\nlogin = a@gmail.com\npassword = b\n")
    with Shell("setup") as shell:
        shell.answer("Number [1]: ", "")
        shell.wait_for("Gmail: smtp.gmail.com:587.")
        shell.answer("Log in [1]: ", "")
        shell.answer("SMTP login", "office")
        shell.wait_for("'office' is not an e-mail address; enter the full address of the account")


# Without a password


@pytest.fixture
def office(ini: Path, box: Path, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoginOffice]:
    """Return an office that logs in with tokens, whose servers this system trusts; it has no ini file yet."""
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)
    with login_office.running(box, certificates) as office:
        ini.unlink()
        yield office


@pytest.mark.parametrize(
    ("number", "way", "host", "tenant"),
    [
        pytest.param("1", "1", "ssl://smtp.gmail.com", None, id="Gmail takes app passwords still"),
        pytest.param("2", "1", "ssl://smtp.yandex.ru", None, id="Yandex too"),
        pytest.param("4", "2", "tls://smtp.office365.com", "", id="Microsoft 365 does not for long"),
        pytest.param("5", "", "tls://smtp-mail.outlook.com", "consumers", id="Outlook.com takes nothing else"),
    ],
)
def test_a_login_without_a_password_is_offered(ini: Path, number: str, way: str, host: str, tenant: str | None) -> None:
    with Shell("setup") as shell:
        shell.answer("Number: ", number)
        shell.wait_for(f": {host}.")
        if way:
            shell.wait_for("with OAuth 2: no password")
            shell.answer(f"Log in [{way}]: ", "2")
        shell.answer("SMTP login", "office@example.com")
        shell.answer("client_id: ", "")
        shell.answer("an answer is required here; expected the ID of the application", "")
        shell.answer("client_id: ", "app-1")
        if tenant is None:
            shell.answer(f"client_secret (it is not shown{'' if number == '1' else ', Enter for none'})", "s3cret")
        else:
            shell.answer(f"tenant [{tenant}]: " if tenant else "tenant: ", "")
        shell.wait_for("Sender address")
        shell.interrupt()
        assert "s3cret" not in shell.end()[1]
    assert not ini.exists()


def test_from_nothing_to_a_test_mail_without_a_password(ini: Path, office: LoginOffice, golden: Golden) -> None:
    """The application stands in the file already, as one for a provider that we do not know has to."""
    ini.write_text(office.server.ini() + "[smtp]\nauth = oauth2\nlogin = pbx@office.test\n")
    with Shell("setup") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", f"ssl://localhost:{office.catcher.port}")
        for label in (
            "Verify server certificate",
            "Log in [2]",
            "SMTP логин [pbx@",
            "client_id [pbx-client]",
        ):
            shell.answer(label, "")
        shell.answer("client_secret", "")
        shell.answer("Sender address", "")
        people(shell)
        office.server.allow(shell.find(r"(?m)^ +(?:\x1b\[32m)?([A-Z0-9-]+)(?:\x1b\[0m)?\r?$"))
        status, said = shell.end()
    assert status == 0
    golden(lines_with(said, str(ini)))
    golden(lines_with(said, " 250"), "relay")
    assert office.catcher.logins == ["XOAUTH2"]


def test_options_for_a_login_without_a_password(ini: Path, run) -> None:
    ini.write_text("[smtp]\nhost = ssl://mx\nlogin = a@example.com\npassword = old\n")
    options = ("--auth", "oauth2", "--client-id", "app-1", "--login", "office@outlook.com", "--no-test")
    assert run("setup", "--provider", "outlook.com", *options)[0] == 0
    relay = load_settings(ini).smtp
    assert (relay.auth, relay.password, relay.host) == ("oauth2", "", "smtp-mail.outlook.com")
    assert relay.oauth2.token_url == "https://login.microsoftonline.com/consumers/oauth2/v2.0/token"  # noqa: S105


CUSTOM = ("--token-url", "https://a.test/token", "--authorization-url", "https://a.test/auth", "--client-id", "app-1")


def test_options_for_a_provider_that_nobody_here_knows(ini: Path, run) -> None:
    ini.write_text(
        "[smtp]\nhost = ssl://mx.a.test\nlogin = me@a.test\npassword = old\n[oauth2]\nprovider = google\ntenant = t\n"
    )
    assert run("setup", "--provider", "custom", *CUSTOM, "--scope", "mail offline_access", "--no-test")[0] == 0
    relay = load_settings(ini).smtp
    assert (relay.host, relay.auth, relay.password) == ("mx.a.test", "oauth2", "")
    assert relay.oauth2 == OAuth2(
        "custom",
        "app-1",
        scope="mail offline_access",
        authorization_url="https://a.test/auth",
        token_url="https://a.test/token",  # noqa: S106 - an address
    )


@pytest.mark.parametrize(
    ("options", "status"),
    [
        pytest.param(CUSTOM, os.EX_CONFIG, id="no scope"),
        pytest.param(("--client-id", "a", "--scope", "b"), os.EX_CONFIG, id="no addresses"),
        pytest.param(("--auth", "password"), os.EX_USAGE, id="a password"),
    ],
)
def test_what_an_unknown_provider_needs(ini: Path, run, options: tuple[str, ...], status: int, golden: Golden) -> None:
    found, _, said = run("setup", "--provider", "custom", "--host", "ssl://a", "--login", "a@a.test", *options)
    assert found == status
    golden(said)
    assert not ini.exists()


def test_the_secret_of_the_application_comes_from_standard_input(ini: Path) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "setup", "--provider", "gmail", "--auth", "oauth2", "--no-test"]
    command += ["--login", "a@gmail.com", "--client-id", "app-1", "--client-secret-stdin"]
    done = subprocess.run(command, input="GOCSPX-s3cret\n", cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, load_settings(ini).smtp.oauth2.client_secret) == (0, "GOCSPX-s3cret")
    assert "s3cret" not in done.stdout + done.stderr


def test_options_that_log_in_on_the_way(ini: Path, office: LoginOffice, run) -> None:
    ini.write_text(office.server.ini())
    office.server.answer("/device", Answer(200, CODE))
    office.server.answer("/token", Answer(200, office.server.issue()))
    options = ("--auth", "oauth2", "--login", "pbx@office.test", "--admin-email", "admin@example.com")
    assert run("setup", "--host", f"ssl://localhost:{office.catcher.port}", *options)[0] == 0
    assert (len(office.catcher.mails), load_settings(ini).smtp.auth) == (1, "oauth2")


def test_another_account_that_fails_leaves_the_login_that_works(ini: Path, office: LoginOffice, run) -> None:
    office.write_ini()
    office.keep()
    before = ini.read_text()
    office.server.answer("/device", Answer(200, CODE))
    office.server.answer("/token", Answer(200, office.server.issue()))
    status, _, complained = run("setup", "--login", "other@office.test")
    assert (status, "AUTH XOAUTH2 (status 401) with 535" in complained) == (os.EX_CONFIG, True)
    assert (ini.read_text(), run("test", "ivan@example.com")[0]) == (before, 0)


def test_what_was_given_for_settings_that_are_not_written_is_given_back(
    ini: Path, office: LoginOffice, run, golden: Golden
) -> None:
    """Somebody signed in as another account than the login."""
    ini.write_text(office.server.ini())
    issued = office.server.issue()
    other = {**issued, "access_token": "of-another"}
    office.server.answer("/device", Answer(200, CODE))
    office.server.answer("/token", Answer(200, other), Answer(200, other))
    options = ("--auth", "oauth2", "--login", "boss@office.test")
    status, said, _ = run("setup", "--host", f"ssl://localhost:{office.catcher.port}", *options)
    assert status == os.EX_CONFIG
    golden("\n".join(said.splitlines()[-2:]))
    assert not Path(token_store.path()).exists()
    assert not office.server.is_valid(ACCOUNT, issued["access_token"])


def test_what_the_provider_does_not_take_back_is_said(ini: Path, office: LoginOffice, run, golden: Golden) -> None:
    ini.write_text(office.server.ini())
    other = {**office.server.issue(), "access_token": "of-another"}
    office.server.answer("/device", Answer(200, CODE))
    office.server.answer("/token", Answer(200, other), Answer(200, other))
    office.server.answer("/revoke", Answer(404, "<h1>Not here</h1>", "text/html"))
    options = ("--auth", "oauth2", "--login", "boss@office.test")
    status, said, _ = run("setup", "--host", f"ssl://localhost:{office.catcher.port}", *options)
    assert (status, Path(token_store.path()).exists()) == (os.EX_CONFIG, False)
    golden("\n".join(said.splitlines()[-2:]))


def test_a_test_that_fails_costs_no_login_that_was_there(ini: Path, office: LoginOffice, run) -> None:
    """Not even where the file with the mistake wants none."""
    office.write_ini()
    given = office.keep()
    ini.write_text(ini.read_text().replace("host = ssl://", "host = sssl://"))
    office.catcher.stop()
    status, said, _ = run("setup", "--host", f"ssl://localhost:{office.catcher.port}")
    assert (status, "is removed" in said) == (os.EX_TEMPFAIL, False)
    office.write_ini()
    assert token_store.read(office.relay) == given


def test_what_is_given_back_may_not_end_another_login(ini: Path, office: LoginOffice, run, golden: Golden) -> None:
    """Google ends all that an account has allowed an application."""
    office.write_ini()
    given = office.keep()
    office.server.answer("/device", Answer(200, CODE))
    other = Answer(200, {**office.server.issue(), "access_token": "of-another"})
    office.server.answer("/token", other, other)
    status, said, _ = run("setup", "--login", "boss@office.test")
    assert status == os.EX_CONFIG
    golden(said.splitlines()[-1])
    assert (office.asked("/revoke"), token_store.read(office.relay)) == (0, given)
    assert "boss@office.test" not in Path(token_store.path()).read_text()


def test_ctrl_c_gives_back_what_was_given(ini: Path, office: LoginOffice, golden: Golden) -> None:
    ini.write_text(office.server.ini() + "[smtp]\nauth = oauth2\nlogin = boss@office.test\n")
    office.server.answer("/device", Answer(200, CODE))
    issued = office.server.issue()
    other = Answer(200, {**issued, "access_token": "of-another"})
    office.server.answer("/token", other, other)
    with Shell("setup") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", f"ssl://localhost:{office.catcher.port}")
        for label in ("Verify server certificate", "Log in [2]"):
            shell.answer(label, "")
        for label in ("SMTP логин [boss@office.test]", "client_id [pbx-client]", "client_secret", "Sender address"):
            shell.answer(label, "")
        people(shell)
        shell.wait_for("w to write it anyway [a]: ")
        shell.interrupt()
        status, said = shell.end()
    assert status == 130
    golden(said[said.rindex("the token for boss@office.test") :].splitlines()[0])
    assert not Path(token_store.path()).exists()
    assert not office.server.is_valid(ACCOUNT, issued["access_token"])


def test_an_id_of_an_application_means_oauth2(ini: Path, run) -> None:
    options = ("--client-id", "app-1", "--login", "a@example.com", "--no-test")
    assert run("setup", "--provider", "microsoft365", *options)[0] == 0
    assert (load_settings(ini).smtp.auth, load_settings(ini).smtp.oauth2.provider) == ("oauth2", "microsoft")


def test_a_login_as_the_wrong_account_is_no_dead_end(ini: Path, office: LoginOffice, run) -> None:
    office.write_ini()
    token_store.write(office.relay, Tokens("of-another", "none", time.time(), time.time() + 3600))
    office.server.answer("/device", Answer(200, CODE))
    office.server.answer("/token", Answer(400, {"error": "invalid_grant"}), Answer(200, office.server.issue()))
    status, said, complained = run("setup", "--admin-email", "admin@example.com")
    assert (status, "invalid_grant" in complained, "enter this code" in said) == (0, True, True)
    assert len(office.catcher.mails) == 1


def test_a_provider_gets_nothing_of_the_application_of_another(ini: Path, run) -> None:
    ini.write_text(
        "[smtp]\nhost = ssl://smtp.gmail.com\nauth = oauth2\nlogin = a@gmail.com\n[oauth2]\nprovider = google\n"
        "client_id = a\nclient_secret = s3cret\nscope = mine\ntoken_url = https://oauth2.googleapis.com/token\n"
    )
    options = ("--auth", "oauth2", "--client-id", "b", "--login", "a@outlook.com", "--no-test")
    assert run("setup", "--provider", "outlook.com", *options)[0] == 0
    oauth2 = load_settings(ini).smtp.oauth2
    assert (oauth2.client_id, oauth2.client_secret, oauth2.tenant) == ("b", "", "consumers")
    usual = OAuth2("microsoft", tenant="consumers").with_defaults()
    assert (oauth2.token_url, oauth2.scope) == (usual.token_url, usual.scope)
    assert run("setup", "--provider", "microsoft365", *options)[0] == 0
    oauth2 = load_settings(ini).smtp.oauth2
    assert (oauth2.client_id, oauth2.tenant) == ("b", "")


def test_a_secret_can_be_taken_out_again(ini: Path, golden: Golden) -> None:
    ini.write_text(
        "[smtp]\nhost = ssl://smtp.yandex.ru\nauth = oauth2\nlogin = a@yandex.ru\n[oauth2]\nprovider = yandex\n"
        "client_id = a\nclient_secret = s3cret\ndevice_url = https://localhost:1/\n"
    )
    with Shell("setup") as shell:
        for question in ("Number [2]: ", "Log in [2]: ", "SMTP логин [a@", "client_id [a]"):
            shell.answer(question, "")
        shell.answer("client_secret (Enter keeps it, - for none)", "-")
        for label in ("Sender", "administrator", "missed calls", "voicemail", "language", "Use notifications"):
            shell.answer(label, "")
        shell.answer("w to write it anyway [a]: ", "t")
        shell.answer("w to write it anyway [a]: ", "w")
        status, said = shell.end()
    assert (status, load_settings(ini).smtp.oauth2.client_secret) == (0, "")
    assert said.count("cannot be reached") + said.count("Connection refused") >= 2
    golden(lines_with(said, "pbxnotify oauth login"))


def test_a_relay_of_the_house_ends_a_login_by_token(ini: Path) -> None:
    ini.write_text(
        "[smtp]\nhost = ssl://smtp.gmail.com\nauth = oauth2\nlogin = a@gmail.com\n[oauth2]\nprovider = google\n"
        "client_id = a\nclient_secret = a\n"
    )
    with Shell("setup") as shell:
        shell.answer("Number [1]: ", OTHER)
        shell.answer("SMTP host", "mx.example.com")
        for label in ("SMTP port", "Use TLS", "Log in [1]: "):
            shell.answer(label, "")
        shell.answer("SMTP login", "-")
        shell.wait_for("Sender address")


@pytest.mark.parametrize("key", ["gmail", "google", "Microsoft", "outlook"])
def test_a_provider_has_more_than_one_name(ini: Path, run, key: str) -> None:
    assert run("setup", "--provider", key, "--no-test")[0] == 0
    assert load_settings(ini).smtp.host.startswith("smtp")


def test_a_provider_that_is_none(run, golden: Golden) -> None:
    status, _, said = run("setup", "--provider", "aol")
    assert status == os.EX_USAGE
    golden(said.splitlines()[-1])


def test_what_is_missing_for_it_is_said_before_the_questions(ini: Path, golden: Golden) -> None:
    with Shell("setup", command=(sys.executable, "-c", WITHOUT_OAUTHLIB)) as shell:
        shell.answer("Number: ", "5")
        status, said = shell.end()
    assert (status, ini.exists()) == (os.EX_CONFIG, False)
    golden(said.splitlines()[-1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_nothing_goes_on_behind_the_back_of_who_ended_it(ini: Path, office: LoginOffice, number: int) -> None:
    office.write_ini()
    with Shell("setup", "--admin-email", "admin@example.com") as shell:
        code = shell.find(r"(?m)^ +(?:\x1b\[32m)?([A-Z0-9-]+)(?:\x1b\[0m)?\r?$")
        shell.kill(number)
        assert shell.end()[0] == 130
    office.server.allow(code)
    asked = office.asked()
    time.sleep(1.5)  # more than the interval in which it would ask
    assert (office.asked(), office.catcher.mails) == (asked, [])


def test_back_to_a_password(ini: Path, run) -> None:
    ini.write_text(
        "[smtp]\nhost = smtp.gmail.com:465\nlogin = a@gmail.com\nauth = oauth2\n"
        "[oauth2]\nprovider = google\nclient_id = a\nclient_secret = a\n"
    )
    with Shell("setup") as shell:
        shell.answer("Number [1]: ", "")
        shell.answer("Log in [2]: ", "1")
        shell.answer("SMTP логин [a@gmail.com]", "")
        shell.answer("SMTP password", "app passw0rd")
        shell.answer("Sender", "")
        for label in ("administrator", "missed calls", "voicemail", "language"):
            shell.answer(label, "")
        shell.answer("Use notifications", "")
        shell.answer("w to write it anyway [a]: ", "w")
        shell.end()
    assert (load_settings(ini).smtp.auth, load_settings(ini).smtp.password) == ("password", "app passw0rd")


def test_what_others_save_while_questions_stand_there_stays(ini: Path, catcher: Catcher) -> None:
    ini.write_text(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\n")
    with Shell("setup") as shell:
        shell.answer("Number", "")
        with ini.open("a") as file:
            file.write("[employees]\n[[101]]\nemail = ivan@example.com\n")
        for label in ("SMTP host", "Use TLS", "SMTP login", "Sender"):
            shell.answer(label, "")
        people(shell)
        assert shell.end()[0] == 0
    assert [employee.emails for employee in load_settings(ini).employees] == [("ivan@example.com",)]


def test_what_was_written_untested_is_tested_by_the_run_of_the_queue(ini: Path, catcher: Catcher, run) -> None:
    ini.write_text("")
    run("setup", "--no-test", "--host", "127.0.0.1")
    run("queue", "run")
    catcher.stop()
    with Shell("setup") as shell:
        relay_without_login(shell, catcher)
        people(shell)
        shell.answer("w to write it anyway [a]: ", "w")
        assert shell.end()[0] == 0
    catcher.start()
    run("queue", "run", "--all")
    assert [mail.recipients for mail in catcher.mails] == [("admin@example.com",)]


def test_a_readable_password_is_said(ini: Path, golden: Golden) -> None:
    ini.write_text("[smtp]\nhost = mx\nuse_tls = yes\n")
    ini.chmod(0o644)
    done = run_with_input("setup", "--login", "me", "--password-stdin", "--no-test", typed="s3cret\n")
    assert done.returncode == 0
    golden(lines_with(done.stdout, "password"))


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--password=s3cret",), id="a password as argument"),
        pytest.param(("--client-secret", "s3cret"), id="the application's secret"),
        pytest.param(("--password-stdin", "--client-secret-stdin"), id="two from one place"),
        pytest.param(("--provider", "icloud", "--auth", "oauth2"), id="no tokens"),
        pytest.param(("--password-stdin", "--password-command", "cat x"), id="two ways"),
    ],
)
def test_passwords_on_the_command_line(ini: Path, golden: Golden, arguments: tuple[str, ...]) -> None:
    done = run_with_input("setup", *arguments, typed="s3cret\n")
    assert (done.returncode, "s3cret" in done.stderr) == (os.EX_USAGE, False)
    golden(done.stderr.splitlines()[-1])


@pytest.mark.parametrize("option", ["--pbx-name", "--login"])
def test_an_option_that_is_no_text(ini: Path, option: str, golden: Golden) -> None:
    done = run_with_input("setup", option, "\udcff", "--no-test", typed="")
    assert done.returncode == os.EX_USAGE
    golden(done.stderr.splitlines()[-1])


def test_a_closed_standard_input(ini: Path, golden: Golden) -> None:
    command = f"'{sys.executable}' -m pbxnotify.cli setup <&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == os.EX_USAGE
    golden(done.stderr)


def test_the_language_that_is_written_is_offered(ini: Path) -> None:
    ini.write_text("[notifications]\nlanguage = en\n")
    with Shell("setup", LANG="ru_RU.UTF-8") as shell:
        shell.answer("Number", OTHER)
        shell.answer("SMTP host", "mx.example.com")
        for label in ("SMTP port", "Use TLS", "SMTP login", "Sender", "administrator", "missed", "voicemail"):
            shell.answer(label, "")
        shell.wait_for("[en]: ")
