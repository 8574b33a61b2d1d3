"""Notifying from the command line: what is sent, printed, and answered to the shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden
from mailboxes import sound
from relay import Catcher

from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.events import MissedCall
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.spool.store import Spool

ENGLISH = load_language("en")
MISSED_SUBJECT = ENGLISH.missed_call_subject.format(caller="Алиса, 5551212")
VOICEMAIL_SUBJECT = ENGLISH.voicemail_subject.format(caller="Алиса, 5551212")
MISSED = ["missed", "--from", "5551212", "--name", "Алиса", "--to", "101"]


def test_missed_sends_a_mail(run, relay: Catcher, spool: Spool) -> None:
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    assert "pbxnotify: queued id=" in error
    assert relay.wait(1)[0].message["Subject"] == MISSED_SUBJECT
    assert spool.identifiers() == []


@pytest.mark.parametrize("offers_smtputf8", [True, False], ids=["SMTPUTF8", "no SMTPUTF8"])
def test_an_address_beyond_ascii_holds_up_no_other(run, write_ini, spool: Spool, offers_smtputf8: bool) -> None:
    with Catcher(smtputf8=offers_smtputf8) as catcher:
        write_ini(
            f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nsender = pbx@example.com\n"
            "[employees]\n[[101]]\nemail = иван@example.com, olga@example.com\n"
        )
        run(*MISSED)
        expected = ["olga@example.com", *(["иван@example.com"] if offers_smtputf8 else [])]
        assert sorted(mail.recipients[0] for mail in catcher.wait(len(expected))) == sorted(expected)
    assert spool.identifiers() == []


def test_missed_while_the_relay_is_down(run, relay: Catcher, spool: Spool) -> None:
    relay.stop()
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_TEMPFAIL, "pbxnotify: QUEUED\n")
    assert "Connection refused" in error
    assert len(spool.identifiers()) == 1


def test_missed_as_a_dry_run(run, relay: Catcher, box: Path) -> None:
    status, said, _ = run(*MISSED, "--dry-run")
    assert status == os.EX_OK
    assert f"Subject: {MISSED_SUBJECT}" in said
    assert "To: ivan@example.com" in said
    assert "\r" not in said
    assert relay.mails == []
    assert not (box / "spool").exists()


def test_a_dry_run_that_notifies_nobody(run, relay: Catcher, golden: Golden) -> None:
    reason = recipients_of(MissedCall(extensions=("999",)), load_settings(ini_path())).reason
    assert "999" in reason
    golden(run("missed", "--from", "5", "--to", "999", "--dry-run")[1], reason=reason)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--cause", "ANSWER"], id="an answered call"),
        pytest.param(["--duration", "99999999999999"], id="longer than any call"),
        pytest.param(["--to", " & "], id="no extension"),
    ],
)
def test_what_is_not_a_missed_call(run, relay: Catcher, arguments: list[str]) -> None:
    assert run(*MISSED, *arguments)[0] == os.EX_USAGE


VOICEMAIL = ["voicemail", "--from", "5551212", "--name", "Алиса", "--to", "101"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a recording of 7 s."""
    return sound(tmp_path / "msg0000.wav", 7)


def test_voicemail_sends_a_mail(run, relay: Catcher, spool: Spool, recording: Path) -> None:
    status, said, _ = run(*VOICEMAIL, "--recording", str(recording))
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    (mail,) = relay.wait(1)
    assert mail.message["Subject"] == f"{VOICEMAIL_SUBJECT} (0:07)"
    (part,) = mail.message.iter_attachments()
    assert part.get_content() == recording.read_bytes()
    assert recording.exists()
    assert list(Path(spool.directory).rglob("*.wav")) == []


def test_voicemail_as_a_dry_run(run, relay: Catcher, box: Path, recording: Path) -> None:
    status, said, _ = run(
        *VOICEMAIL, "--recording", str(recording), "--duration", "65", "--mailbox", "200", "--dry-run"
    )
    assert status == os.EX_OK
    assert f"Subject: {VOICEMAIL_SUBJECT} (1:05)" in said
    assert f"{ENGLISH.mailbox}: 200" in said
    assert f"_5551212.wav, audio/wav, {recording.stat().st_size} bytes]" in said
    assert (relay.mails, (box / "spool").exists()) == ([], False)


def test_voicemail_waits_while_the_relay_is_down(run, relay: Catcher, spool: Spool, recording: Path) -> None:
    relay.stop()
    assert run(*VOICEMAIL, "--recording", str(recording))[0] == os.EX_TEMPFAIL
    recording.unlink()
    relay.start()
    run("queue", "run", "--all")
    (part,) = relay.wait(1)[0].message.iter_attachments()
    assert len(part.get_content()) == 7 * 16000 + 44


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("missing.wav", "No such file or directory", id="no file"),
        pytest.param("notes.doc", ".wav16, .wav, ", id="no recording"),
        pytest.param("folder.wav", "regular file", id="a directory"),
        pytest.param("passwd.wav", "WAV", id="another file"),
    ],
)
def test_what_is_not_a_recording(run, relay: Catcher, tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "passwd.wav").write_text("root:x:0:0:root:/root:/bin/sh\n")
    status, _, said = run(*VOICEMAIL, "--recording", str(tmp_path / name))
    assert (status, name in said, why in said) == (os.EX_USAGE, True, True)


# ---- alert


def test_an_alert(run, relay: Catcher) -> None:
    assert run("alert", "backup failed", "--body", "disk full\n\nsee the log")[0] == 0
    (mail,) = relay.mails
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert mail.message["Subject"].endswith(": backup failed")
    assert str(body.get_content()).startswith(f"disk full\r\n\r\nsee the log\r\n\r\n{ENGLISH.when}: ")


@pytest.mark.parametrize(("level", "importance"), [("info", None), ("warning", None), ("critical", "high")])
def test_the_level_of_an_alert(run, relay: Catcher, level: str, importance: str | None) -> None:
    assert run("alert", "x", "--level", level)[0] == 0
    assert relay.mails[0].message["Importance"] == importance
    page = relay.mails[0].message.get_body(("html",))
    assert page is not None
    assert f">{ENGLISH.levels[level]}</p>" in str(page.get_content())


def test_an_alert_with_a_key_is_sent_once_a_day(run, relay: Catcher) -> None:
    for _ in range(3):
        assert run("alert", "backup failed", "--key", "backup")[0] == 0
    run("alert", "backup failed", "--key", "other")
    assert len(relay.mails) == 2
    first, second = (mail.message["References"] for mail in relay.mails)
    assert first != second


@pytest.mark.parametrize(
    ("written", "line"),
    [
        pytest.param(b"one\ntwo\n", "one", id="lines"),
        pytest.param(b"\xff\xfe bad \x00 bytes \033[31m", "\ufffd\ufffd bad bytes [31m", id="not UTF-8"),
        pytest.param(b"x" * 1_000_000, "[...]", id="a megabyte"),
        pytest.param(b"old\n" * 100_000 + b"the error\n", "[...]", id="a long log"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_the_text_from_standard_input(relay: Catcher, written: bytes, line: str) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "alert", "subject", "--body", "-"]
    done = subprocess.run(command, cwd=ROOT, input=written, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    body = relay.wait(1)[0].message.get_body(("plain",))
    assert body is not None
    lines = str(body.get_content()).splitlines()
    assert lines[0].startswith(line or f"{ENGLISH.when}: ")
    assert "the error" in lines or not written.endswith(b"error\n")


def test_a_closed_standard_input(relay: Catcher) -> None:
    command = f"'{sys.executable}' -m pbxnotify.cli alert subject --body - <&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, len(relay.wait(1))) == (0, 1), done.stderr


@pytest.mark.parametrize("blank", ["", "  ", "\n"], ids=repr)
def test_a_blank_subject(run, relay: Catcher, blank: str) -> None:
    assert run("alert", blank)[0] == 64
    assert relay.mails == []


def test_a_key_whose_alert_nobody_got_is_free_again(run, relay: Catcher) -> None:
    relay.answers["admin@example.com"] = "550 5.1.1 no such user"
    assert run("alert", "backup failed", "--key", "backup")[0] == 69
    relay.answers.clear()
    assert run("alert", "backup failed", "--key", "backup")[0] == 0
    assert len(relay.mails) == 1


def test_a_key_of_an_alert_that_was_switched_off_is_free_again(run, relay: Catcher) -> None:
    path = Path(ini_path())
    text = path.read_text()
    path.write_text(text.replace("[notifications]", "[notifications]\nenabled = no"))
    run("alert", "backup failed", "--key", "backup")
    path.write_text(text)
    run("alert", "backup failed", "--key", "backup")
    assert len(relay.mails) == 1


def test_a_hostile_subject(run, relay: Catcher) -> None:
    run("alert", "a\nBcc: evil@example.com\n\n<script>")
    (mail,) = relay.mails
    assert mail.recipients == ("admin@example.com",)
    assert mail.message["Bcc"] is None
    assert mail.message["Subject"].endswith(": a Bcc: evil@example.com <script>")


def test_an_alert_while_the_relay_is_down(run, relay: Catcher) -> None:
    relay.stop()
    assert run("alert", "x")[0] == 75


@pytest.mark.parametrize("arguments", [[], ["x", "--level", "loud"], ["x", "y"]], ids=str)
def test_mistakes_in_an_alert(run, arguments: list[str]) -> None:
    assert run("alert", *arguments)[0] == 64
