"""What is attached: real recordings through the real tools, and what is sent when a tool fails."""

from __future__ import annotations

import os
import shutil
import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from golden import Golden
from mailboxes import length_of, require, sound

from pbxnotify.asterisk.audio import WIDEBAND
from pbxnotify.events import Voicemail
from pbxnotify.mail import attachment
from pbxnotify.mail.attachment import Attachment, prepare_attachment
from pbxnotify.settings.sections import Voicemail as Settings

SECONDS = 4


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Leave only these tools on the PATH; those given as scripts are stand-ins for tools."""

    def only(*tools: str, **scripts: str) -> None:
        directory = tmp_path / "bin"
        directory.mkdir()
        for tool in ("nice", *tools):
            (directory / tool).symlink_to(require(tool))
        for tool, script in scripts.items():
            (directory / tool).write_text(f"#!/bin/sh\n{script}\n")
            (directory / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(directory))

    return only


def prepared(path: Path, scratch: Path | None = None, **settings: Any) -> Attachment:
    """Return what becomes of a recording."""
    directory = str(scratch) if scratch else None
    made = prepare_attachment(
        lambda: os.open(path, os.O_RDONLY), Voicemail(recording=path.suffix[1:]), Settings(**settings), directory
    )
    assert made is not None
    return made


def length_of_wav(content: bytes, rate: int = 8000) -> float:
    """Return the seconds of a plain WAV file, as Python's own wave module understands it."""
    with wave.open(BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        return file.getnframes() / file.getframerate()


@pytest.mark.parametrize("format_", ["wav", "WAV", "gsm", "ulaw"])
def test_as_is(tmp_path: Path, format_: str) -> None:
    path = sound(tmp_path / f"x.{format_}", SECONDS)
    assert prepared(path, audio="as-is") == Attachment(path.read_bytes(), format_)


def test_plain_wav_needs_no_tool(tmp_path: Path, only) -> None:
    path = sound(tmp_path / "x.wav", SECONDS)
    only()
    assert prepared(path, audio="wav") == Attachment(path.read_bytes(), "wav")


@pytest.mark.parametrize("tool", ["sox", "ffmpeg"])
@pytest.mark.parametrize("format_", ["WAV", "gsm", "ulaw", "alaw", "sln", "slin", "pcm", "au"])
def test_to_wav(tmp_path: Path, only, tool: str, format_: str) -> None:
    path = sound(tmp_path / f"x.{format_}", SECONDS)
    only(tool)
    made = prepared(path, audio="wav")
    assert (made.format, made.remark) == ("wav", "")
    assert length_of_wav(made.content) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("audio", ["wav", "mp3"])
@pytest.mark.parametrize("format_", WIDEBAND)
def test_a_wideband_recording(tmp_path: Path, format_: str, audio: str) -> None:
    require("ffmpeg")
    made = prepared(sound(tmp_path / f"x.{format_}", SECONDS), audio=audio)
    assert (made.format, made.remark) == (audio, "")
    measured = length_of_wav(made.content, rate=16000) if audio == "wav" else length_of(made.content, tmp_path)
    assert measured == pytest.approx(SECONDS, abs=0.3)


@pytest.mark.parametrize("tool", ["lame", "ffmpeg"])
@pytest.mark.parametrize("format_", ["wav", "WAV"])
def test_to_mp3(tmp_path: Path, only, monkeypatch, tool: str, format_: str) -> None:
    path = sound(tmp_path / f"x.{format_}", SECONDS)
    everything = os.environ["PATH"]
    only(tool)
    made = prepared(path, audio="mp3")
    monkeypatch.setenv("PATH", everything)
    assert (made.format, made.remark) == ("mp3", "")
    assert length_of(made.content, tmp_path) == pytest.approx(SECONDS, abs=0.3)
    assert len(made.content) < SECONDS * 4000


@pytest.mark.parametrize("format_", ["gsm", "ulaw"])
def test_ffmpeg_makes_mp3_of_what_lame_cannot_read(tmp_path: Path, only, format_: str) -> None:
    path = sound(tmp_path / f"x.{format_}", SECONDS)
    only("lame", "ffmpeg")
    assert prepared(path, audio="mp3").format == "mp3"


@pytest.mark.parametrize(
    ("audio", "scripts", "tool"),
    [
        pytest.param("mp3", {}, "lame", id="no tool for mp3"),
        pytest.param("wav", {}, "sox", id="no tool for wav"),
        pytest.param("mp3", {"lame": "echo broken >&2; exit 3"}, "lame", id="the tool fails"),
        pytest.param("wav", {"sox": "exit 0"}, "sox", id="the tool makes nothing"),
        pytest.param("mp3", {"lame": "exec sleep 60"}, "lame", id="the tool hangs"),
    ],
)
def test_without_the_tool_it_is_attached_unconverted(
    tmp_path: Path, only, monkeypatch, golden: Golden, audio: str, scripts: dict[str, str], tool: str
) -> None:
    path = sound(tmp_path / "x.WAV", SECONDS)
    sleep = shutil.which("sleep")
    only(**{tool: script.replace("sleep", str(sleep)) for tool, script in scripts.items()})
    monkeypatch.setattr(attachment, "CONVERSION_TIMEOUT", 0.2)
    made = prepared(path, audio=audio)
    assert (made.content, made.format) == (path.read_bytes(), "WAV")
    assert tool in made.remark
    golden(made.remark)


def test_the_next_tool_is_tried_when_one_fails(tmp_path: Path, only) -> None:
    path = sound(tmp_path / "x.WAV", SECONDS)
    only("ffmpeg", sox="exit 1")
    assert prepared(path, audio="wav").format == "wav"


def test_lame_alone_is_no_help_for_gsm(tmp_path: Path, only, golden: Golden) -> None:
    path = sound(tmp_path / "x.gsm", SECONDS)
    only("lame")
    golden(prepared(path, audio="mp3").remark)


def test_mp3_is_not_made_larger(tmp_path: Path) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(b"\xff\xf3 sound")
    assert prepared(path, audio="wav") == Attachment(b"\xff\xf3 sound", "mp3")


def test_a_recording_that_is_no_sound_goes_as_it_is(tmp_path: Path) -> None:
    require("ffmpeg")
    path = tmp_path / "x.WAV"
    path.write_bytes(b"RIFF" + os.urandom(3000))
    made = prepared(path, audio="mp3")
    assert (made.content, made.format) == (path.read_bytes(), "WAV")
    assert "ffmpeg: exit status" in made.remark


def test_one_that_is_too_large_is_left_out(tmp_path: Path, golden: Golden) -> None:
    path = tmp_path / "x.wav"
    with open(path, "wb") as file:
        file.truncate(500 << 20)
    made = prepared(path)
    assert (made.content, made.too_large) == (b"", 500 << 20)
    golden(made.remark)


@pytest.mark.parametrize("audio", ["mp3", "wav"])
def test_500_mb_are_not_even_converted(tmp_path: Path, only, audio: str) -> None:
    path = tmp_path / "x.WAV"
    with open(path, "wb") as file:
        file.truncate(500 << 20)
    only(lame="echo called >&2; exit 1", sox="echo called >&2; exit 1")
    assert "called" not in prepared(path, audio=audio).remark


@pytest.mark.parametrize(
    ("format_", "tools", "audio", "becomes"),
    [
        pytest.param("wav", ("lame",), "mp3", "mp3", id="mp3 as wanted"),
        pytest.param("wav", ("lame",), "wav", "mp3", id="mp3 by lame"),
        pytest.param("wav", ("ffmpeg",), "wav", "mp3", id="mp3 by ffmpeg"),
        pytest.param("wav", ("sox",), "wav", "WAV", id="wav49 by sox, where nothing makes mp3"),
        pytest.param("wav", ("sox",), "mp3", "WAV", id="wav49 in place of the mp3 that is wanted"),
        pytest.param("sln48", ("ffmpeg",), "wav", "mp3", id="a wideband recording"),
        pytest.param("wav", (), "wav", "", id="no tool"),
        pytest.param("wav", ("lame", "sox"), "as-is", "", id="not with as-is"),
    ],
)
def test_one_that_is_too_large_is_made_smaller(
    tmp_path: Path, only, monkeypatch, golden: Golden, format_: str, tools: tuple[str, ...], audio: str, becomes: str
) -> None:
    path = sound(tmp_path / f"x.{format_}", 120)
    everything = os.environ["PATH"]
    only(*tools)
    made = prepared(path, audio=audio, max_attachment=1)
    monkeypatch.setenv("PATH", everything)
    assert (made.format, made.too_large) == (becomes, 0 if becomes else path.stat().st_size)
    if becomes:
        assert length_of(made.content, tmp_path) == pytest.approx(120, abs=0.3)
    golden(made.remark)


def test_one_that_nobody_can_play_and_that_is_too_large_as_wav_goes_as_mp3(tmp_path: Path) -> None:
    require("ffmpeg")
    path = sound(tmp_path / "x.gsm", 120)
    assert path.stat().st_size < 1 << 20
    assert prepared(path, audio="wav", max_attachment=1).format == "mp3"


def test_one_that_is_too_large_as_wav_goes_as_it_is(tmp_path: Path) -> None:
    path = sound(tmp_path / "x.WAV", 120)
    assert prepared(path, audio="wav", max_attachment=1).format == "WAV"


def test_one_that_has_vanished(tmp_path: Path, golden: Golden) -> None:
    made = prepared(tmp_path / "x.wav")
    assert made.content == b""
    golden(made.remark)


def test_a_message_without_a_recording() -> None:
    assert prepare_attachment(lambda: -1, Voicemail(trouble="it is gone"), Settings()) == Attachment(
        remark="it is gone"
    )


def test_a_tool_that_cannot_be_started(tmp_path: Path, only, golden: Golden) -> None:
    path = sound(tmp_path / "x.WAV", SECONDS)
    only(sox="exit 0")
    (tmp_path / "bin" / "nice").unlink()
    made = prepared(path, audio="wav")
    assert (made.content, made.format) == (path.read_bytes(), "WAV")
    golden(made.remark)


def test_no_room_for_what_a_tool_makes(tmp_path: Path) -> None:
    path = sound(tmp_path / "x.WAV", SECONDS)
    made = prepared(path, tmp_path / "missing", audio="wav")
    assert made.content == path.read_bytes()


def test_a_header_is_not_the_recording(tmp_path: Path) -> None:
    """sox makes a header and nothing else of a WAV file that says it has no sound, and is content with it."""
    path = sound(tmp_path / "x.WAV", SECONDS)
    content = path.read_bytes()
    path.write_bytes(content[:56] + bytes(4) + content[60:])  # the length of the sound, said to be 0
    made = prepared(path, audio="wav")
    assert len(made.content) > SECONDS * 1600


def test_what_would_become_too_large_is_not_converted(tmp_path: Path, only) -> None:
    path = tmp_path / "x.gsm"
    path.write_bytes(bytes(13 << 20))  # two hours, 130 MB as WAV
    only(sox="echo called >&2; exit 1")
    made = prepared(path, audio="wav")
    assert (made.format, made.remark) == ("gsm", "")


def test_nothing_is_left_in_the_scratch_directory(tmp_path: Path) -> None:
    require("lame")
    path, scratch = sound(tmp_path / "x.WAV", SECONDS), tmp_path / "scratch"
    scratch.mkdir()
    assert prepared(path, scratch, audio="mp3").format == "mp3"
    assert list(scratch.iterdir()) == []
