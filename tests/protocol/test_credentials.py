"""What we log in with: one face for a password, a command and a token, and nothing imported that is not needed."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from golden import Golden
from login_office import LoginOffice
from relay import Catcher

from pbxnotify.errors import SettingsError
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp import credentials
from pbxnotify.smtp.credentials import LONGEST_COMPLAINT, PasswordCommand, credentials_of

SECRET = "s3cret"  # noqa: S105 - made up
USER = pwd.getpwuid(os.geteuid()).pw_name
REACH = (
    "import sys; from pbxnotify.settings.load import ini_path, load_settings;"
    "from pbxnotify.smtp.client import Relay;"
    "Relay(load_settings(ini_path()).smtp).__enter__();"
    "print(*sys.modules)"
)
OAUTH = {"oauthlib", "http.client", "urllib.request", "pbxnotify.smtp.oauth.authorization_server"}


def command(text: str) -> Smtp:
    """Return settings whose password a Python program prints."""
    return Smtp(password_command=f'"{sys.executable}" -c "{text}"')


def loaded_by_a_login() -> set[str]:
    """Return what a process has imported that has logged in."""
    done = subprocess.run([sys.executable, "-c", REACH], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


# A password


def test_a_password_is_the_only_one() -> None:
    ours = credentials_of(Smtp(password=SECRET))
    assert (ours.secret(), ours.secret(rejected=SECRET)) == (SECRET, "")


def test_a_password_needs_nothing_of_oauth(write_ini) -> None:
    with Catcher(login=("pbx", SECRET), mechanisms=["PLAIN"]) as catcher:
        write_ini(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nlogin = pbx\npassword = {SECRET}\n")
        loaded = loaded_by_a_login()
        assert catcher.logins == ["PLAIN"]
    assert not [name for name in loaded if name.startswith("pbxnotify.smtp.oauth")]
    assert loaded.isdisjoint(OAUTH | {"subprocess"})


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        pytest.param("abcd\u00a0efgh\u00a0ijkl\u00a0mnop", "abcdefghijklmnop", id="no-break spaces"),
        pytest.param("\ufeffabcd efgh\u2009ijkl mnop ", "abcdefghijklmnop", id="a mark and blanks of all kinds"),
        pytest.param("3j6e\u202f3d9k\u202f5h7g\u202f2k4l", "3j6e3d9k5h7g2k4l", id="digits"),
        pytest.param("abcd efgh ijkl mnop", "abcd efgh ijkl mnop", id="ordinary blanks, which Gmail ignores"),
        pytest.param("мама мыла раму вела", "мама мыла раму вела", id="four words"),
        pytest.param("my\u00a0pass", "my\u00a0pass", id="not in groups"),
        pytest.param("пароль ✓ 42", "пароль ✓ 42", id="any other"),
    ],
)
def test_an_app_password_is_sent_as_it_was_issued(written: str, sent: str) -> None:
    assert credentials_of(Smtp(password=written)).secret() == sent


# A command


def test_the_first_line_of_a_command_is_the_password() -> None:
    assert credentials_of(command("print('a b '); print('c')")).secret() == "a b "


def test_a_command_is_not_run_again_for_a_secret_that_is_rejected() -> None:
    assert credentials_of(command("exit(3)")).secret(rejected=SECRET) == ""


@pytest.mark.parametrize(
    "smtp",
    [
        pytest.param(command(f"print('{SECRET}'); exit(3)"), id="failed"),
        pytest.param(command(f"print('\\n{SECRET}')"), id="empty"),
        pytest.param(Smtp(password_command=f"/nowhere {SECRET}"), id="missing"),
    ],
)
def test_a_command_that_gives_no_password(smtp: Smtp, golden: Golden) -> None:
    with pytest.raises(SettingsError) as caught:
        PasswordCommand(smtp).secret()
    golden(caught.value, user=USER)
    assert SECRET not in str(caught.value)
    assert f"sudo -H -u {USER}" in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        pytest.param("echo gpg: a note >&2; echo gpg: no secret key >&2", ": gpg: no secret key;", id="the last line"),
        pytest.param("echo denied >&2; echo >&2", ": denied;", id="an empty one"),
        pytest.param('echo "$2 and ${1#*=} are unknown" >&2', ": *** and *** are unknown;", id="words of the command"),
        pytest.param(f"echo {SECRET}; echo not {SECRET} >&2", ": not ***;", id="the password"),
        pytest.param("printf '\\033[31mred\\n' >&2", ": [31mred;", id="what a terminal would obey"),
        pytest.param("printf '%0999d' 0 >&2", f": {'0' * LONGEST_COMPLAINT};", id="endless"),
    ],
)
def test_a_command_that_says_why_it_fails(script: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(f"{script}\nexit 2\n")
    smtp = Smtp(password_command=f"sh {tmp_path}/script --token=t0ken {SECRET}")
    with pytest.raises(SettingsError) as caught:
        PasswordCommand(smtp).secret()
    assert f"exit status 2{shown} " in str(caught.value)


def test_a_command_that_never_ends(monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setattr(credentials, "COMMAND_TIMEOUT", 0.1)
    with pytest.raises(SettingsError) as caught:
        credentials_of(command("import time; time.sleep(60)")).secret()
    golden(caught.value, user=USER)


# A token


def test_a_valid_token_needs_neither_oauthlib_nor_http(office: LoginOffice) -> None:
    office.keep()
    loaded = loaded_by_a_login()
    assert {name for name in loaded if name.startswith("pbxnotify.smtp.oauth.")} == {"pbxnotify.smtp.oauth.token_store"}
    assert loaded.isdisjoint(OAUTH)
    assert office.catcher.logins == ["XOAUTH2"]


def test_a_token_that_is_rejected_is_renewed_once(office: LoginOffice) -> None:
    valid = office.keep()
    ours = credentials_of(office.relay)
    first = ours.secret()
    second = ours.secret(rejected=first)
    assert (first, second not in ("", first), ours.secret(rejected=second)) == (valid.access, True, "")
    assert office.asked() == 1


def test_the_answer_to_a_new_token_is_noted(office: LoginOffice) -> None:
    office.keep(expires=1.0)
    ours = credentials_of(office.relay)
    ours.secret()
    ours.rejected("535 no")
    assert office.kept.rejected == "535 no"
    again = credentials_of(office.relay)
    again.secret()
    again.rejected("it is not new")
    assert office.kept.rejected == "535 no"
    again.accepted()
    assert office.kept.rejected == ""
