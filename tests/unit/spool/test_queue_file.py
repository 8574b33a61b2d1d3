"""An item's file and the recording beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from calls import added
from golden import Golden

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.files import read_all
from pbxnotify.spool import sweep as sweep_module
from pbxnotify.spool.failed import list_failed
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool
from pbxnotify.spool.sweep import sweep
from pbxnotify.spool.unkept import UnkeptItem

CALL = MissedCall(1795478867.0, 5, ("101", "102"), "5551212", "Alice", linked_id="1795478867.0")
MESSAGE = Voicemail(
    1795478867.0, 3, ("101",), "5551212", linked_id="1.1", message_id="1795478867-00000001", place="1.1-msg0000-"
)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a recording in a mailbox."""
    path = tmp_path / "msg0000.wav"
    path.write_bytes(b"RIFF sound")
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def kept(spool: Spool, recording: int) -> QueueFile:
    """Return the item of a voicemail with a recording."""
    return added(spool, MESSAGE._replace(recording="wav"), recording)


def recordings(spool: Spool) -> dict[str, list[bytes]]:
    """Return what recordings there are, by folder."""
    folders = ("queue", "failed", "tmp")
    return {folder: [path.read_bytes() for path in Path(spool.directory, folder).glob("*.wav")] for folder in folders}


def test_the_recording_is_kept_when_the_mailbox_is_emptied(spool: Spool, kept: QueueFile, tmp_path: Path) -> None:
    (tmp_path / "msg0000.wav").unlink()
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}
    assert read_all(kept.open_recording(), 100) == b"RIFF sound"


def test_the_recording_goes_with_its_item(spool: Spool, kept: QueueFile, tmp_path: Path) -> None:
    kept.change(attempts=1)
    kept.fail("refused")
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}
    kept.retry()
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}
    kept.end("sent")
    assert recordings(spool) == {"queue": [], "failed": [], "tmp": []}
    assert (tmp_path / "msg0000.wav").exists()


def test_an_item_put_back_where_it_is_keeps_its_recording(spool: Spool, kept: QueueFile) -> None:
    kept.change(attempts=3, due=1e12)
    kept.retry()
    assert (kept.item.attempts, recordings(spool)["queue"]) == (0, [b"RIFF sound"])


def test_a_message_is_notified_once(spool: Spool, kept: QueueFile, recording: int) -> None:
    assert spool.add(MESSAGE._replace(recording="wav", place="2.1-msg0000-"), recording) is None
    assert recordings(spool)["queue"] == [b"RIFF sound"]


def test_a_message_that_is_gone_was_notified_under_its_place(spool: Spool, kept: QueueFile) -> None:
    assert spool.add(MESSAGE._replace(message_id="")) is None


def test_the_next_message_in_the_same_place_is_notified(spool: Spool, kept: QueueFile) -> None:
    assert spool.add(MESSAGE._replace(message_id="1795478870-00000002")) is not None


def test_two_scripts_at_once_keep_one_recording(spool: Spool, recording: int) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: spool.add(MESSAGE._replace(recording="wav"), recording), range(16)))
    assert sum(one is not None for one in found) == 1
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}


def test_a_recording_that_cannot_be_kept_is_left_out(
    spool: Spool, recording: int, logged: Callable[[], str], golden: Golden
) -> None:
    closed = os.dup2(recording, 900)  # which no other file gets
    os.close(closed)
    with pytest.raises(FileNotFoundError):
        added(spool, MESSAGE._replace(recording="wav"), closed).open_recording()
    assert "Bad file descriptor" in logged()
    golden(logged())


def test_why_there_is_no_recording_is_logged(spool: Spool, logged: Callable[[], str]) -> None:
    spool.add(MESSAGE._replace(trouble="recording: msg0000.wav is empty"))
    assert 'reason="recording: msg0000.wav is empty"' in logged()


def test_the_recording_of_a_damaged_item_is_set_aside_with_it(spool: Spool, kept: QueueFile) -> None:
    kept.release()
    (Path(spool.directory) / "queue" / f"{kept.item.id}.json").write_text("{")
    assert spool.lock(kept.item.id) is None
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}
    sweep(spool.directory)
    assert recordings(spool)["failed"] == [b"RIFF sound"]


def test_a_recording_without_an_item_is_swept_in_time(
    spool: Spool, kept: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("queue", "failed"):
        (Path(spool.directory) / folder / "20261124-000000-dead.wav").write_bytes(b"of a killed process")
    sweep(spool.directory)
    assert len(recordings(spool)["queue"]) == 2
    monkeypatch.setattr(sweep_module, "LEFT_OVER", -1.0)
    sweep(spool.directory)
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}


def test_a_recording_of_an_unkept_item_can_be_read(recording: int, tmp_path: Path) -> None:
    unkept = UnkeptItem(MESSAGE._replace(recording="wav"), "no room", recording)
    (tmp_path / "msg0000.wav").unlink()
    assert read_all(unkept.open_recording(), 100) == b"RIFF sound"


def test_a_recording_goes_along_where_links_are_refused(
    spool: Spool, kept: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*arguments: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    kept.fail("refused")
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("time", 10**400, id="no time"),
        pytest.param("caller_number", "\ud800", id="half a character"),
        pytest.param("attempts", "3", id="text for a number"),
        pytest.param("due", 1e300, id="never"),
        pytest.param("reason", None, id="null"),
    ],
)
def test_an_item_written_by_hand_is_set_aside(spool: Spool, kept: QueueFile, field: str, value: object) -> None:
    kept.release()
    path = Path(spool.directory) / "queue" / f"{kept.item.id}.json"
    record = json.loads(path.read_text())
    (record["event"] if field in record["event"] else record)[field] = value
    path.write_text(json.dumps(record))
    assert spool.lock(kept.item.id) is None
    assert list_failed(spool.directory).damaged == [f"{kept.item.id}.json.damaged"]
