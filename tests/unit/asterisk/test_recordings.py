"""Which files of a mailbox are the recording of a message, and how long it is."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from mailboxes import sound

from pbxnotify.asterisk.audio import FORMATS
from pbxnotify.asterisk.mailbox import read_message
from pbxnotify.asterisk.recordings import LARGE, open_recording, recorded_length

BEGAN = 1_795_478_867
OTHERS, OWN = 11, 4  # seconds of another caller's recording, and of the one that was left


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a message without extension."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path))
    folder = tmp_path / "voicemail" / "default" / "101" / "INBOX"
    folder.mkdir(parents=True)
    return folder / "msg0000"


def leave(box: Path, files: Mapping[str, tuple[int, float]], *, counted: int = OWN, written: float = OWN) -> None:
    """Write recordings by format, each with its length and the seconds from the message's beginning when it was."""
    information = box.with_suffix(".txt")
    information.write_text(f"[message]\norigtime={BEGAN}\nmsg_id={BEGAN}-00000001\nflag=\nduration={counted}\n")
    for format_, (seconds, moment) in files.items():
        size = FORMATS[format_].header + seconds * (FORMATS[format_].rate or 3000)
        path = box.with_suffix(f".{format_}")
        path.write_bytes(b"RIFF    WAVEfmt " if FORMATS[format_].extension == "wav" else b"sound")
        with open(path, "r+b") as file:
            if FORMATS[format_].extension == "wav":
                file.seek(28)
                file.write((FORMATS[format_].rate or 0).to_bytes(4, "little"))
            file.truncate(size)
        os.utime(path, (BEGAN + moment, BEGAN + moment))
    os.utime(information, (BEGAN + written, BEGAN + written))


def taken(box: Path) -> str:
    """Return the format of the recording that is taken; empty if none is."""
    recording = open_recording(str(box))
    if recording.descriptor >= 0:
        os.close(recording.descriptor)
    return recording.format


DAY = 86400.0


@pytest.mark.parametrize(
    ("files", "written", "format_"),
    [
        pytest.param({"wav": (OWN, OWN), "WAV": (OWN, OWN)}, OWN, "wav", id="all at the same moment"),
        pytest.param({"wav": (OTHERS, -3 * DAY), "WAV": (OWN, OWN)}, OWN, "WAV", id="wav of three days ago"),
        pytest.param({"wav": (OWN, -3 * DAY), "WAV": (OWN, OWN)}, OWN, "WAV", id="of the same length"),
        pytest.param({"wav": (OTHERS, -5), "gsm": (OWN, OWN)}, OWN, "gsm", id="of five seconds before"),
        pytest.param({"wav": (OTHERS, -DAY)}, OWN, "", id="nothing but an old one"),
        pytest.param({"wav": (OWN, OWN)}, OWN + 300, "wav", id="reviewed for five minutes"),
        pytest.param({"wav": (OTHERS, 40), "WAV": (OTHERS, 40)}, 90, "wav", id="recorded again in the review"),
        pytest.param({"mp3": (OWN, OWN + 5)}, OWN, "mp3", id="replaced by a converter"),
        pytest.param({"mp3": (OWN, OWN + 5), "gsm": (OTHERS, -DAY)}, OWN, "mp3", id="replaced, and an old one"),
        pytest.param({"wav": (OWN, OWN + 5), "gsm": (OWN, OWN)}, OWN, "wav", id="made louder in place"),
        pytest.param({"mp3": (OWN, OWN + 5), "WAV": (OWN, OWN)}, OWN, "WAV", id="perhaps half an mp3"),
        pytest.param({"wav": (OTHERS, DAY), "WAV": (OWN, OWN)}, OWN, "WAV", id="an old one that was touched"),
        pytest.param({"wav": (OTHERS, 2 * DAY), "WAV": (OWN, 4 * DAY)}, 4 * DAY, "WAV", id="forwarded on another day"),
        pytest.param({"wav": (OWN, 4 * DAY - 6), "WAV": (OWN, 4 * DAY)}, 4 * DAY, "wav", id="forwarded, copied slowly"),
        pytest.param({"wav": (OWN, -3600), "gsm": (OWN, -3600)}, -3600, "wav", id="the clock was set back meanwhile"),
        pytest.param({"wav": (OTHERS, -DAY), "gsm": (OWN, -60)}, -60, "gsm", id="set back, and an old one"),
        pytest.param({"wav": (OWN, 3600)}, 3600, "wav", id="set forward"),
        pytest.param({"wav": (OWN, OWN - 2), "WAV": (OWN, OWN - 2)}, OWN - 1, "wav", id="times in even seconds"),
    ],
)
def test_the_recording_of_this_message(
    box: Path, files: Mapping[str, tuple[int, float]], written: float, format_: str
) -> None:
    leave(box, files, written=written)
    assert taken(box) == format_


def test_the_newest_one_where_nothing_says_when_the_message_was_left(box: Path) -> None:
    leave(box, {"wav": (OTHERS, -DAY), "WAV": (OWN, OWN)})
    box.with_suffix(".txt").unlink()
    assert taken(box) == "WAV"


def test_the_times_stay_when_a_mailbox_is_renumbered(box: Path) -> None:
    leave(box, {"wav": (OTHERS, -DAY), "WAV": (OWN, OWN)})
    moved = box.with_name("msg0007")
    for extension in ("WAV", "txt"):
        box.with_suffix(f".{extension}").rename(moved.with_suffix(f".{extension}"))
    assert (taken(moved), taken(box)) == ("WAV", "wav")


MINUTES = 60


@pytest.mark.parametrize(
    ("files", "format_"),
    [
        pytest.param({"wav": 10, "WAV": 10}, "wav", id="10 minutes: the best one"),
        pytest.param({"wav": 40, "WAV": 40}, "WAV", id="40 minutes: the one that can be attached"),
        pytest.param({"wav": 40, "ulaw": 40, "gsm": 40}, "gsm", id="the best of those that can be"),
        pytest.param({"wav": 300, "WAV": 300}, "WAV", id="the smallest where none can be"),
        pytest.param({"wav": 40}, "wav", id="the only one"),
    ],
)
def test_a_long_message(box: Path, files: Mapping[str, int], format_: str) -> None:
    leave(box, {name: (minutes * MINUTES, 1.0) for name, minutes in files.items()})
    assert taken(box) == format_
    assert recorded_length(read_message(str(box))) == max(files.values()) * MINUTES


# ---- the length


@pytest.mark.parametrize(
    ("formats", "counted"),
    [
        pytest.param(("wav", "WAV", "gsm"), OWN, id="8 kHz"),
        pytest.param(("g722", "wav"), 2 * OWN, id="g722 first"),
        pytest.param(("wav", "g722"), OWN, id="g722 last"),
        pytest.param(("g722",), 2 * OWN, id="g722"),
        pytest.param(("wav16",), 2 * OWN, id="wav16"),
        pytest.param(("sln12",), OWN * 3 // 2, id="sln12"),
        pytest.param(("sln16",), 2 * OWN, id="sln16"),
        pytest.param(("sln24",), 3 * OWN, id="sln24"),
        pytest.param(("sln32",), 4 * OWN, id="sln32"),
        pytest.param(("sln44",), 22, id="sln44"),
        pytest.param(("sln48",), 6 * OWN, id="sln48"),
        pytest.param(("sln96",), 12 * OWN, id="sln96"),
        pytest.param(("sln192",), 24 * OWN, id="sln192"),
        pytest.param(("slin", "pcm", "au"), OWN, id="other names"),
        pytest.param(("wav",), 1, id="the caller was silent before hanging up, and app_voicemail counts no silence"),
    ],
)
def test_the_length_is_that_of_the_recording(box: Path, formats: tuple[str, ...], counted: int) -> None:
    for format_ in formats:
        sound(box.with_suffix(f".{format_}"), OWN)
    box.with_suffix(".txt").write_text(f"[message]\norigtime={time.time():.0f}\nduration={counted}\n")
    message = read_message(str(box))
    recording = open_recording(str(box))
    lengths = (message.duration, recorded_length(message), recorded_length(message, recording))
    os.close(recording.descriptor)
    assert lengths == (counted, OWN, OWN)


@pytest.mark.parametrize(
    ("files", "length"),
    [
        pytest.param({}, 7, id="no recording"),
        pytest.param({"mp3": (OWN, OWN)}, 7, id="an mp3 alone"),
        pytest.param({"wav": (0, OWN)}, 7, id="an empty one"),
        pytest.param({"wav": (OTHERS, -DAY)}, 7, id="another caller's alone"),
        pytest.param({"wav": (OTHERS, -DAY), "gsm": (OWN, OWN)}, OWN, id="another caller's beside it"),
    ],
)
def test_where_the_length_comes_from(box: Path, files: Mapping[str, tuple[int, float]], length: int) -> None:
    leave(box, files, counted=7)
    assert recorded_length(read_message(str(box))) == length


def test_the_length_of_a_wav_file_of_another_rate(box: Path) -> None:
    sound(box.with_suffix(".wav16"), OWN).rename(box.with_suffix(".wav"))
    box.with_suffix(".txt").write_text(f"[message]\norigtime={time.time():.0f}\nduration=9\n")
    assert recorded_length(read_message(str(box))) == OWN


def test_the_length_of_a_message_that_is_moved_meanwhile(box: Path) -> None:
    leave(box, {"wav": (OWN, OWN)})
    message = read_message(str(box))
    leave(box, {"wav": (OTHERS, OTHERS + 60)}, written=OTHERS + 60)
    assert recorded_length(message) == OWN


def test_the_limit_is_the_default_one() -> None:
    from pbxnotify.settings.sections import Voicemail

    assert Voicemail().max_attachment << 20 == LARGE
