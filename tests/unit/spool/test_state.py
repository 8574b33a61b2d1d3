"""The records in the spool's state/."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify.spool import state
from pbxnotify.spool.store import Spool, open_spool
from pbxnotify.spool.sweep import sweep


def test_what_is_written_is_read(spool: Spool) -> None:
    began = time.time() - 1
    state.write(spool.directory, state.SENT, "missed 5551212 -> 101")
    when, text = state.read(spool.directory, state.SENT)
    assert when is not None
    assert (began < when < time.time() + 1, text) == (True, "missed 5551212 -> 101")


def test_it_is_for_the_owner_only(spool: Spool) -> None:
    state.write(spool.directory, state.RUN)
    assert Path(spool.directory, "state", state.RUN).stat().st_mode & 0o077 == 0


def test_never(spool: Spool) -> None:
    assert state.read(spool.directory, state.SENT) == state.Record()


def test_the_spool_with_records_is_still_ours(spool: Spool) -> None:
    for name in (state.SENT, state.RUN, state.SETTINGS, state.MONITOR):
        state.write(spool.directory, name)
    assert open_spool().identifiers() == []


def test_a_directory_that_takes_no_record(spool: Spool) -> None:
    shutil.rmtree(Path(spool.directory) / "state")
    assert not state.write(spool.directory, state.RUN)


@pytest.mark.parametrize("is_large", [False, True], ids=["a link", "a FIFO"])
def test_what_is_no_file_is_no_record(spool: Spool, tmp_path: Path, is_large: bool) -> None:
    place = Path(spool.directory) / "state" / state.SENT
    if is_large:
        os.mkfifo(place)
    else:
        (tmp_path / "secret").write_text("root's")
        place.symlink_to(tmp_path / "secret")
    assert state.read(spool.directory, state.SENT) == state.Record()


def test_an_older_version_takes_the_spool_for_its_own(spool: Spool) -> None:
    for name in (state.SENT, state.RUN, state.SETTINGS, state.MONITOR):
        state.write(spool.directory, name)
    assert {path.name for path in Path(spool.directory).iterdir()} == {"tmp", "queue", "done", "failed", "state"}


def test_they_are_not_swept_like_keys(spool: Spool) -> None:
    state.write(spool.directory, state.SENT, "missed 5551212 -> 101")
    long_ago = float(round(time.time() - 10 * 86400))
    os.utime(Path(spool.directory, "state", state.SENT), (long_ago, long_ago))
    sweep(spool.directory)
    assert state.read(spool.directory, state.SENT) == state.Record(long_ago, "missed 5551212 -> 101")


def test_a_record_that_cannot_be_replaced_is_written_over(spool: Spool) -> None:
    state.write(spool.directory, state.RUN, "a long text")
    Path(spool.directory, "tmp").rmdir()
    assert state.write(spool.directory, state.RUN, "short")
    assert state.read(spool.directory, state.RUN).text == "short"


def test_what_cannot_be_written_is_said_and_leaves_nothing(spool: Spool) -> None:
    Path(spool.directory, "state", state.RUN).mkdir()
    assert not state.write(spool.directory, state.RUN, "text")
    assert list(Path(spool.directory, "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)], ids=["FIFO", "directory", "link"]
)
def test_what_is_no_record(spool: Spool, make: Callable[[str], None]) -> None:
    make(f"{spool.directory}/state/{state.SETTINGS}")
    assert state.read_settings(spool.directory) == state.SeenSettings()


def test_a_time_to_come_is_none(spool: Spool) -> None:
    state.write(spool.directory, state.RUN)
    tomorrow = time.time() + 86400
    os.utime(Path(spool.directory, "state", state.RUN), (tomorrow, tomorrow))
    assert state.read(spool.directory, state.RUN).written is None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"other": 1}', "null", "[" * 60000],
    ids=["empty", "cut", "list", "alien", "null", "deep"],
)
def test_a_damaged_record_is_none(spool: Spool, text: str) -> None:
    state.write(spool.directory, state.SETTINGS, text)
    assert state.read_settings(spool.directory) == state.SeenSettings()


def test_a_text_that_is_none_in_utf_8(spool: Spool) -> None:
    state.write(spool.directory, state.SETTINGS, '{"fingerprint": "x", "salt": "\\ud800"}')
    assert state.read_settings(spool.directory) == state.SeenSettings("x", salt="?")


def test_settings(spool: Spool) -> None:
    seen = state.SeenSettings("fingerprint", "digest", "salt", "item")
    state.write_settings(spool.directory, seen)
    assert state.read_settings(spool.directory) == seen
