"""What a spool remembers of itself."""

from __future__ import annotations

import time
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
    assert Path(spool.directory, records.RUN).stat().st_mode & 0o077 == 0


def test_never(spool: Spool) -> None:
    assert records.read(spool.directory, records.SENT) == (0.0, "")


def test_the_spool_with_records_is_still_ours(spool: Spool) -> None:
    for name in records.FILES:
        records.write(spool.directory, name)
    assert open_spool().identifiers() == []


def test_a_directory_that_takes_no_record(tmp_path: Path) -> None:
    records.write(str(tmp_path / "nowhere"), records.RUN)
    assert list(tmp_path.rglob("last-run")) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"other": 1}', "null"], ids=["empty", "cut", "list", "alien", "null"])
def test_a_damaged_record_is_none(spool: Spool, text: str) -> None:
    records.write(spool.directory, records.SETTINGS, text)
    assert records.settings(spool.directory) == records.Seen()


def test_settings(spool: Spool) -> None:
    seen = records.Seen("fingerprint", "digest", "salt", "item")
    records.note_settings(spool.directory, seen)
    assert records.settings(spool.directory) == seen
