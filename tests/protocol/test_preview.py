"""``pbxnotify preview``: a mail of samples and of given values."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden
from relay import Catcher

from pbxnotify.commands.preview import KINDS
from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.events import MissedCall
from pbxnotify.languages.language import LANGUAGE_CODES, load_language
from pbxnotify.settings.load import ini_path, load_settings

ENGLISH, RUSSIAN = load_language("en"), load_language("ru")
INI = """\
[smtp]
sender = pbx@example.com
[notifications]
pbx_name = office
timezone = Europe/Moscow
[missed_calls]
email = common@example.com
[employees]
[[201]]
name = Мария
email = maria@example.com
language = ru
[[202]]
name = Ivan
email = ivan@example.com
"""


@pytest.fixture(autouse=True)
def _settings(write_ini) -> None:
    write_ini(INI)


@pytest.fixture
def mail(run, tmp_path: Path):
    """Return the whole mail that is written to a file."""

    def mail(*arguments: str) -> EmailMessage:
        file = tmp_path / "mail.eml"
        assert run("preview", *arguments, "--eml", str(file))[0] == 0
        return message_from_bytes(file.read_bytes(), policy=policy.strict)

    return mail


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_every_mail_in_every_language(mail, kind: str, code: str) -> None:
    message = mail(kind, "--language", code)
    page = message.get_body(("html",))
    assert f'<html lang="{code}">' in page.get_content()
    assert message.get_body(("plain",)) is not None


def test_the_first_employee_is_the_sample(mail) -> None:
    message = mail("missed")
    assert message["To"] == "maria@example.com"
    caller = f"{RUSSIAN.sample_caller}, +7 495 123-45-67"
    assert message["Subject"] == RUSSIAN.missed_call_subject.format(caller=caller)


@pytest.mark.parametrize(
    ("arguments", "caller", "to"),
    [
        (["--to", "202"], f"{ENGLISH.sample_caller}, +7 495 123-45-67", "ivan@example.com"),
        (["--to", "202", "--from", "5551212"], "5551212", "ivan@example.com"),
        (["--to", "202", "--from", "201"], "Мария, 201", "ivan@example.com"),
        (["--to", "202", "--name", "Alice"], f"Alice, {ENGLISH.unknown}", "ivan@example.com"),
        (["--to", "999"], f"{ENGLISH.sample_caller}, +7 495 123-45-67", "common@example.com"),
    ],
)
def test_what_is_given(mail, arguments: list[str], caller: str, to: str) -> None:
    message = mail("missed", *arguments)
    assert (message["Subject"], message["To"]) == (ENGLISH.missed_call_subject.format(caller=caller), to)


def test_why_and_for_how_long(run) -> None:
    said = run("preview", "missed", "--to", "202", "--cause", "cancel", "--duration", "7")[1]
    assert ENGLISH.why["hung up"].format(length="7 s") in said


def test_a_voicemail_has_its_recording(mail) -> None:
    message = mail("voicemail", "--to", "202", "--duration", "61")
    (recording,) = message.iter_attachments()
    assert recording.get_content_type() == "audio/wav"
    assert recording.get_content()[:4] == b"RIFF"
    assert message["Subject"].endswith("(1:01)")


def test_an_alert(mail) -> None:
    message = mail("alert", "--subject", "disk", "--body", "2 % free\nof 3 GB")
    assert message["Subject"] == "office: disk"
    assert "2 % free<br>" in message.get_body(("html",)).get_content()
    assert message["To"] == "somebody@example.com"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cause", "declined"], ENGLISH.why["declined"]),
        (["--cause", "not registered"], ENGLISH.why["not registered"]),
        (["--cause", "abandoned"], ENGLISH.why["left the queue"].format(length="23 s")),
        (["--private"], f"{ENGLISH.whose}: {ENGLISH.private}"),
    ],
)
def test_what_is_rare(run, arguments: list[str], said: str) -> None:
    assert said in run("preview", "missed", "--to", "202", *arguments)[1]


def test_what_nobody_would_get_is_said(run, write_ini, golden: Golden) -> None:
    write_ini(INI.replace("[notifications]", "[notifications]\nenabled = no"))
    status, said, noted = run("preview", "missed")
    assert status == 0
    golden(noted, reason=recipients_of(MissedCall(), load_settings(ini_path())).reason)
    assert RUSSIAN.missed_call in said, "the employee's language"


def test_without_a_recording(mail, write_ini) -> None:
    write_ini(INI.replace("[employees]", "[voicemail]\nattach = no\n[employees]"))
    assert list(mail("voicemail").iter_attachments()) == []


def test_the_call_history(run, write_ini) -> None:
    write_ini(INI.replace("pbx_name", "history_url = 'https://x/?l=LINKEDID&u=UNIQUEID'\npbx_name"))
    assert re.search(r"https://x/\?l=\d+\.1&u=\d+\.1", run("preview", "missed")[1])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding(encoding: str) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "preview", "missed", "--language", "ru"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert b"+7 495 123-45-67" in done.stdout


@pytest.mark.parametrize("arguments", [["missed"], ["missed", "--html", "-"]], ids=str)
def test_a_full_disk(arguments: list[str], golden: Golden) -> None:
    command = f"'{sys.executable}' -m pbxnotify.cli preview {' '.join(arguments)} > /dev/full"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 74
    golden(done.stderr.decode())


def test_the_page_alone(run, tmp_path: Path, golden: Golden) -> None:
    file = tmp_path / "mail.html"
    golden(run("preview", "missed", "--html", str(file))[1])
    assert file.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("option", ["--html", "--eml"])
def test_standard_output(option: str) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "preview", "missed", option, "-"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout.startswith(b"<!DOCTYPE html>" if option == "--html" else b"From: ")
    assert b"written" not in done.stdout


def test_the_admins_own_text(run, write_ini) -> None:
    write_ini(INI.replace("[employees]", "subject = 'call NOTIFICATION_CALLERID'\n[employees]"))
    assert "Subject: call +74951234567" in run("preview", "missed")[1]


def test_nothing_is_sent_nor_kept(run, relay: Catcher, box: Path) -> None:
    for kind in KINDS:
        run("preview", kind)
    assert relay.mails == []
    assert not list(box.glob("spool/pbxnotify/queue/*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["missed", "--html", "/nowhere/x.html"], "/nowhere/x.html: No such file", id="no such folder"),
        pytest.param(["missed", "--html", "/tmp"], "/tmp: Is a directory", id="a directory"),  # noqa: S108
        pytest.param(["missed", "--html", "a", "--eml", "b"], "not allowed with", id="two files"),
        pytest.param(["fax"], "invalid choice: 'fax'", id="another kind"),
        pytest.param(["missed", "--language", "xx"], "invalid choice: 'xx'", id="another language"),
        pytest.param(["missed", "--html", ""], ": No such file", id="no name"),
    ],
)
def test_bad_input(run, arguments: list[str], said: str) -> None:
    status, _, error = run("preview", *arguments)
    assert status == 64
    assert said in error


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        pytest.param(["missed", "--to", "&"], "--to", id="nobody"),
        pytest.param(["missed", "--subject", "x"], "--subject", id="foreign"),
        pytest.param(["alert", "--from", "5"], "--from", id="foreign too"),
        pytest.param(["voicemail", "--cause", "busy"], "--cause", id="foreign as well"),
    ],
)
def test_an_option_that_cannot_be_used(run, golden: Golden, arguments: list[str], option: str) -> None:
    status, _, error = run("preview", *arguments)
    assert (status, option in error) == (64, True)
    golden(error.splitlines()[-1])


def test_a_mistake_in_the_ini_file(run, write_ini) -> None:
    write_ini(INI.replace("pbx_name", "pbxname"))
    status, _, said = run("preview", "missed")
    assert (status, "pbx_name?" in said) == (78, True)
