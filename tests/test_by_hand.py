"""Telling of a call by hand: what is sent, printed, and answered to the shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mailboxes import sound
from relay import Catcher

from pbxnotify.spool import Spool

MISSED = ["missed", "--from", "5551212", "--name", "Алиса", "--to", "101"]


def test_missed_sends_a_mail(run, relay: Catcher, spool: Spool) -> None:  # type: ignore[no-untyped-def]
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    assert "pbxnotify: queued id=" in error
    assert relay.wait(1)[0].message["Subject"] == "Missed call: Алиса, 5551212"
    assert spool.identifiers() == []


def test_missed_while_the_relay_is_down(run, relay: Catcher, spool: Spool) -> None:  # type: ignore[no-untyped-def]
    relay.stop()
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_TEMPFAIL, "pbxnotify: QUEUED\n")
    assert "Connection refused" in error
    assert len(spool.identifiers()) == 1


def test_missed_as_a_dry_run(run, relay: Catcher, box: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(*MISSED, "--dry-run")
    assert status == os.EX_OK
    assert "Subject: Missed call: Алиса, 5551212" in said
    assert "To: ivan@example.com" in said
    assert "\r" not in said
    assert relay.mails == []
    assert not (box / "spool").exists()


def test_a_dry_run_that_tells_nobody(run, relay: Catcher) -> None:  # type: ignore[no-untyped-def]
    assert "nobody would be told: 999 fits no employee" in run("missed", "--from", "5", "--to", "999", "--dry-run")[1]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--cause", "ANSWER"], id="an answered call"),
        pytest.param(["--duration", "99999999999999"], id="longer than any call"),
        pytest.param(["--to", " & "], id="no extension"),
    ],
)
def test_what_is_no_missed_call(run, relay: Catcher, arguments: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert run(*MISSED, *arguments)[0] == os.EX_USAGE


VOICEMAIL = ["voicemail", "--from", "5551212", "--name", "Алиса", "--to", "101"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a recording of 7 s."""
    return sound(tmp_path / "msg0000.wav", 7)


def test_voicemail_sends_a_mail(run, relay: Catcher, spool: Spool, recording: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(*VOICEMAIL, "--recording", str(recording))
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    (mail,) = relay.wait(1)
    assert mail.message["Subject"] == "Voicemail: Алиса, 5551212 (0:07)"
    (part,) = mail.message.iter_attachments()
    assert part.get_content() == recording.read_bytes()
    assert recording.exists()
    assert list(Path(spool.directory).rglob("*.wav")) == []


def test_voicemail_as_a_dry_run(run, relay: Catcher, box: Path, recording: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(
        *VOICEMAIL, "--recording", str(recording), "--duration", "65", "--mailbox", "200", "--dry-run"
    )
    assert status == os.EX_OK
    assert "Subject: Voicemail: Алиса, 5551212 (1:05)" in said
    assert "Mailbox: 200" in said
    assert f"_5551212.wav, audio/wav, {recording.stat().st_size} bytes]" in said
    assert (relay.mails, (box / "spool").exists()) == ([], False)


def test_voicemail_waits_while_the_relay_is_down(run, relay: Catcher, spool: Spool, recording: Path) -> None:  # type: ignore[no-untyped-def]
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
        pytest.param("notes.doc", "is no recording: its name must end in one of .wav16, .wav, ", id="no recording"),
        pytest.param("folder.wav", "is no regular file", id="a directory"),
        pytest.param("passwd.wav", "is no WAV file, whatever its name says", id="another file"),
    ],
)
def test_what_is_no_recording(run, relay: Catcher, tmp_path: Path, name: str, why: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "passwd.wav").write_text("root:x:0:0:root:/root:/bin/sh\n")
    status, _, said = run(*VOICEMAIL, "--recording", str(tmp_path / name))
    assert (status, why in said) == (os.EX_USAGE, True)
