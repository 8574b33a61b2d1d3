"""The relay backoff, recorded for every process of a spool."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pbxnotify.spool.backoff import RelayBackoff, read_backoff, write_backoff
from pbxnotify.spool.store import Spool


def test_it_is_remembered_and_ended(spool: Spool) -> None:
    write_backoff(spool.directory, RelayBackoff(2, 9e9, "ini", "refused", 1.0))
    assert read_backoff(spool.directory).holds("ini")
    assert not read_backoff(spool.directory).holds("changed ini")
    write_backoff(spool.directory, None)
    assert read_backoff(spool.directory) == RelayBackoff()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"until": 1, "x": 2}'])
def test_a_damaged_one_is_none(spool: Spool, content: str) -> None:
    Path(spool.directory, "state", "relay.json").write_text(content)
    assert read_backoff(spool.directory) == RelayBackoff()


def test_a_clock_set_back_ends_it() -> None:
    tomorrow = time.time() + 86400
    noted = RelayBackoff(1, tomorrow + 60, "ini", "refused", tomorrow)
    assert not noted.holds("ini")
    assert not noted.was_noted_since(time.time())


@pytest.mark.parametrize(
    "text",
    ['{"until": "x"}', '{"until": 1e30}', '{"failures": null}', '{"reason": 5.5}', "[" * 60000, '{"other": 1}'],
    ids=["a word", "for ever", "nothing", "a number", "deep", "alien"],
)
def test_a_damaged_note_is_none(spool: Spool, text: str) -> None:
    Path(spool.directory, "state", "relay.json").write_text(text)
    assert read_backoff(spool.directory) == RelayBackoff()
