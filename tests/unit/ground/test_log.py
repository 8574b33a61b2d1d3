"""A line of the log: always one line, and without withheld numbers."""

from __future__ import annotations

import json
import os
import stat
import syslog
from pathlib import Path

import pytest

from pbxnotify import log
from pbxnotify.events import MissedCall, Voicemail, event_from_json
from pbxnotify.spool.unkept import UnkeptItem

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


def lost(box: Path, event: MissedCall | Voicemail) -> str:
    """Return the JSON that is logged about an event that neither disk nor relay takes."""
    UnkeptItem(event, "no room").log_state("failed")
    (line,) = (line for line in (box / "log").read_text().splitlines() if " lost id=" in line)
    return line.partition(" event=")[2]


@pytest.mark.parametrize("event", [CALL, Voicemail(caller_number="555", mailbox="1")], ids=["missed", "voicemail"])
def test_a_lost_event_is_logged_whole(box: Path, event: MissedCall | Voicemail) -> None:
    assert event_from_json(json.loads(lost(box, event))) == event


@pytest.mark.parametrize(
    ("number", "name", "kept"),
    [
        pytest.param("+79161234567", "Иван", "Иван", id="a name"),
        pytest.param("+79161234567", "8 (916) 123-45-67", "", id="the number as a name"),
        pytest.param("+79161234567", "Ivan 9161234567", "", id="the number in a name"),
        pytest.param("alice.smith", "alice.smith", "", id="no digits"),
        pytest.param("", "Иван 2", "Иван 2", id="no number"),
    ],
)
def test_a_lost_event_has_all_but_a_withheld_number(box: Path, number: str, name: str, kept: str) -> None:
    call = CALL._replace(private=True, caller_number=number, caller_name=name)
    assert event_from_json(json.loads(lost(box, call))) == call._replace(caller_number="", caller_name=kept)
    assert not number or number not in (box / "log").read_text()


def test_a_lost_event_is_one_line_of_json_whatever_is_in_it(box: Path) -> None:
    call = CALL._replace(linked_id="\x1b]0;title\x07\x9b2J\u202e\u2028\r\n\0 lost id=2 event={}")
    assert event_from_json(json.loads(lost(box, call))) == call


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_log_file_is_not_for_everybody(box: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        log.write(syslog.LOG_INFO, "a line")
    finally:
        os.umask(before)
    assert stat.S_IMODE((box / "log").stat().st_mode) == 0o640 & ~umask


def test_a_log_file_that_is_there_keeps_its_mode(box: Path) -> None:
    (box / "log").touch()
    (box / "log").chmod(0o666)
    log.write(syslog.LOG_INFO, "a line")
    assert stat.S_IMODE((box / "log").stat().st_mode) == 0o666
    assert (box / "log").read_text().endswith("a line\n")


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_link_in_place_of_the_log_file_is_not_followed(box: Path, target: str) -> None:
    (box / "there").touch()
    (box / "log").symlink_to(target)
    log.write(syslog.LOG_INFO, "a line")
    assert ((box / "there").read_text(), (box / "missing").exists()) == ("", False)


def test_a_container_may_log_to_its_own_output(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (box / "output").open("w") as output:
        monkeypatch.setenv("PBXNOTIFY_LOG", f"/proc/self/fd/{output.fileno()}")
        log.write(syslog.LOG_INFO, "a line")
    assert (box / "output").read_text().endswith("a line\n")


def test_a_fifo_in_place_of_the_log_file_stops_nothing(box: Path) -> None:
    os.mkfifo(box / "log")
    log.write(syslog.LOG_INFO, "nobody reads")
    reader = os.open(box / "log", os.O_RDONLY | os.O_NONBLOCK)
    for _ in range(3):
        log.write(syslog.LOG_INFO, "nobody reads on" * 10_000)
    os.close(reader)


@pytest.mark.parametrize("line", ["\ud800", "a\nb", "\x1b[2J", "a\0b", "\x9b2J"], ids=ascii)
def test_whatever_is_logged_is_one_visible_line(box: Path, capfd: pytest.CaptureFixture[str], line: str) -> None:
    log.open_syslog(to_stderr=True)
    try:
        log.write(syslog.LOG_INFO, f"a file named {line}")
    finally:
        log.open_syslog()
    (said,), (written,) = capfd.readouterr().err.splitlines(), (box / "log").read_text().splitlines()
    assert said.isprintable()
    assert written.isprintable()
