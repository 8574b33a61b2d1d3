"""How long the relay is left alone, noted for every process of a spool."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pbxnotify import rest
from pbxnotify.rest import Rest
from pbxnotify.spool import Spool


def test_it_is_remembered_and_ended(spool: Spool) -> None:
    rest.note(spool.directory, Rest(2, 9e9, "ini", "refused", 1.0))
    assert rest.read(spool.directory).holds("ini")
    assert not rest.read(spool.directory).holds("changed ini")
    rest.note(spool.directory, None)
    assert rest.read(spool.directory) == Rest()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"until": 1, "x": 2}'])
def test_a_damaged_one_is_none(spool: Spool, content: str) -> None:
    (Path(spool.directory) / "relay.json").write_text(content)
    assert rest.read(spool.directory) == Rest()


def test_a_clock_set_back_ends_it() -> None:
    tomorrow = time.time() + 86400
    noted = Rest(1, tomorrow + 60, "ini", "refused", tomorrow)
    assert not noted.holds("ini")
    assert not noted.was_noted_since(time.time())
