"""What a spool remembers of itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify import records
from pbxnotify.spool import Spool, open_spool


def test_what_is_written_is_read(spool: Spool) -> None:
    began = time.time() - 1
    records.write(spool.directory, records.SENT, "missed 5551212 -> 101")
    when, text = records.read(spool.directory, records.SENT)
    assert (began < when < time.time() + 1, text) == (True, "missed 5551212 -> 101")


def test_it_is_for_the_owner_only(spool: Spool) -> None:
    records.write(spool.directory, records.RUN)
    assert Path(spool.directory, "done", records.RUN).stat().st_mode & 0o077 == 0


def test_never(spool: Spool) -> None:
    assert records.read(spool.directory, records.SENT) == (0.0, "")


def test_the_spool_with_records_is_still_ours(spool: Spool) -> None:
    for name in records.FILES:
        records.write(spool.directory, name)
    assert open_spool().identifiers() == []


def test_a_directory_that_takes_no_record(tmp_path: Path) -> None:
    records.write(str(tmp_path / "nowhere"), records.RUN)
    assert list(tmp_path.rglob("last-run")) == []


def test_an_older_version_takes_the_spool_for_its_own(spool: Spool) -> None:
    for name in records.FILES:
        records.write(spool.directory, name)
    assert {path.name for path in Path(spool.directory).iterdir()} == {"tmp", "queue", "done", "failed", "relay.json"}


def test_they_are_not_swept_like_keys(spool: Spool) -> None:
    records.write(spool.directory, records.SENT, "missed 5551212 -> 101")
    long_ago = time.time() - 10 * 86400
    os.utime(Path(spool.directory, "done", records.SENT), (long_ago, long_ago))
    spool.sweep()
    assert records.read(spool.directory, records.SENT) == (pytest.approx(long_ago), "missed 5551212 -> 101")


def test_a_record_that_cannot_be_replaced_is_written_over(spool: Spool) -> None:
    records.write(spool.directory, records.RUN, "a long text")
    Path(spool.directory, "tmp").rmdir()
    assert records.write(spool.directory, records.RUN, "short")
    assert records.read(spool.directory, records.RUN)[1] == "short"


def test_what_cannot_be_written_is_said_and_leaves_nothing(spool: Spool) -> None:
    Path(spool.directory, "done", records.RUN).mkdir()
    assert not records.write(spool.directory, records.RUN, "text")
    assert list(Path(spool.directory, "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)], ids=["FIFO", "directory", "link"]
)
def test_what_is_no_record(spool: Spool, make: Callable[[str], None]) -> None:
    make(f"{spool.directory}/done/{records.SETTINGS}")
    assert records.settings(spool.directory) == records.Seen()


def test_a_time_to_come_is_none(spool: Spool) -> None:
    records.write(spool.directory, records.RUN)
    tomorrow = time.time() + 86400
    os.utime(Path(spool.directory, "done", records.RUN), (tomorrow, tomorrow))
    assert records.read(spool.directory, records.RUN)[0] == 0.0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"other": 1}', "null", "[" * 60000],
    ids=["empty", "cut", "list", "alien", "null", "deep"],
)
def test_a_damaged_record_is_none(spool: Spool, text: str) -> None:
    records.write(spool.directory, records.SETTINGS, text)
    assert records.settings(spool.directory) == records.Seen()


def test_a_text_that_is_none_in_utf_8(spool: Spool) -> None:
    records.write(spool.directory, records.SETTINGS, '{"fingerprint": "x", "salt": "\\ud800"}')
    assert records.settings(spool.directory) == records.Seen("x", salt="?")


def test_settings(spool: Spool) -> None:
    seen = records.Seen("fingerprint", "digest", "salt", "item")
    records.note_settings(spool.directory, seen)
    assert records.settings(spool.directory) == seen
