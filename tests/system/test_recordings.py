"""Recordings as Asterisk's formats really are (sox writes them), and a mailbox that another process renumbers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from golden import Golden
from mailboxes import message, renumber, six_messages
from voicemails import left


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Asterisk's spool directory."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path / "asterisk"))
    (tmp_path / "asterisk" / "voicemail").mkdir(parents=True)
    return tmp_path / "asterisk"


@pytest.mark.parametrize("format_", ["wav", "WAV", "gsm", "ulaw", "sln"])
def test_the_length_without_an_information_file(asterisk: Path, format_: str) -> None:
    path = message(asterisk, format_, duration=7)
    Path(f"{path}.txt").unlink()
    assert left(path)[0].duration == 7


@pytest.mark.parametrize("formats", [("wav",), ("WAV", "gsm", "wav")], ids=["wav", "all three"])
def test_an_empty_recording(asterisk: Path, formats: tuple[str, ...], golden: Golden) -> None:
    path = message(asterisk, *formats, duration=0)
    event, content = left(path, "101")
    assert (event.duration, event.recording, content) == (0, "", None)
    golden(event.trouble)


def test_beside_a_process_that_renumbers(asterisk: Path) -> None:
    """A real race: whatever is read, the sound is that of the message, or there is none."""
    six = six_messages(asterisk)
    folder = Path(six).parent
    own = Path(f"{six}.wav").read_bytes()
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    outcomes = []
    for delay in range(0, 300, 3):
        for path in folder.iterdir():
            path.unlink()
        for name, before in kept.items():
            (folder / name).write_bytes(before)
        child = os.fork()
        if child == 0:
            time.sleep(delay / 1e6)
            renumber(folder)
            os._exit(0)
        event, content = left(six)
        os.waitpid(child, 0)
        assert event.message_id in ("1795478867-00000002", "")
        assert content in (own, None)
        outcomes.append(content == own)
    assert outcomes.count(True) > 90
