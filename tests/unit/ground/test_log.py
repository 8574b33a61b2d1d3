"""A line of the log: always one line, and without withheld numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pbxnotify import log
from pbxnotify.events import MissedCall, Voicemail

CALL = MissedCall(1795478867.0, 23, ("101", "102"), "555", "Иван", False, "BUSY", "1795478867.0")


@pytest.mark.parametrize("event", [CALL, Voicemail(caller_number="555")], ids=["missed", "voicemail"])
def test_a_withheld_number_is_not_in_the_log(event: MissedCall | Voicemail) -> None:
    assert "from=private" in log.state("queued", "1", event._replace(private=True))


def test_a_log_line_stays_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_LOG", str(tmp_path / "log"))
    call = CALL._replace(caller_number="5\n6 state=sent")
    assert log.state("queued", "1", call, 'said "no"\r\nand left') == (
        "pbxnotify: queued id=1 event=missed from=5_6_state_sent to=101&102 reason=\"said 'no' and left\""
    )
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_a_voicemail_for_nobody_names_the_mailbox() -> None:
    assert log.state("queued", "1", Voicemail(mailbox="200")).endswith("event=voicemail from=unknown to=200")


def test_a_log_file_that_cannot_be_written_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_LOG", str(tmp_path / "missing" / "log"))
    assert log.state("queued", "1", CALL)


@pytest.mark.parametrize(("inode", "said"), [(0, False), (1, True)], ids=["the journal", "a file, below a journal"])
def test_the_journal_gets_a_line_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], inode: int, said: bool
) -> None:
    """A command of systemd's has the journal behind syslog and behind stderr."""
    stderr = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stderr.st_dev}:{stderr.st_ino + inode}")
    log.open_syslog(to_stderr=True)
    try:
        log.state("queued", "1", CALL)
    finally:
        log.open_syslog()
    assert ("queued id=1" in capfd.readouterr().err) is said
