"""The attachment of a voicemail mail: the recording in a format that people can play, or why there is none.

The tools that convert are looked for when they are needed, and nothing depends on them: without one, or when it fails
or takes too long, the recording is attached unconverted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from pbxnotify.asterisk.audio import FORMATS, PLAYS_EVERYWHERE, WIDEBAND, is_wave, length_of
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.programs import run_program
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import BinaryIO

    from pbxnotify.events import Voicemail
    from pbxnotify.settings.sections import Voicemail as VoicemailSettings

MEGABYTE = 1024 * 1024
CONVERSION_TIMEOUT = 60  # seconds for one tool
BYTES_OF_A_SECOND = {"wav": 16000, "mp3": 3000, "WAV": 1625}  # of plain WAV, of MP3 at 24 kbit/s, and of wav49
SMALLER = ("mp3", "WAV")  # what a recording is re-coded to that is too large, in this order
WIDEBAND_RATE = 16000  # Hz of what is made of wideband formats: more is not in the sound of a telephone
NEEDS = {"mp3": "lame or ffmpeg", "wav": "sox or ffmpeg"}  # the tools that make a format, in words


class Attachment(NamedTuple):
    """The recording that is attached; without ``content`` none is, as it is missing or ``too_large``."""

    content: bytes = b""
    format: str = ""
    too_large: int = 0  # the size of a recording in bytes, if it is too large; else 0
    remark: str = ""  # what goes to the log

    @property
    def megabytes(self) -> float:
        """Return ``too_large`` in MB."""
        return self.too_large / MEGABYTE


def prepare_attachment(
    open_recording: Callable[[], int],
    voicemail: Voicemail,
    settings: VoicemailSettings,
    scratch: str | None = None,
) -> Attachment | None:
    """Return the recording to attach, None if none is wanted; ``scratch`` is for converters. Never raises OSError.

    ``open_recording`` returns its descriptor, or raises OSError.
    """
    if not settings.attach:
        return None
    if not voicemail.recording:
        return Attachment(remark=voicemail.trouble)
    try:
        with open(open_recording(), "rb") as recording:
            return _prepared(recording, voicemail.recording, settings, scratch)
    except OSError as error:
        return Attachment(remark=f"the recording cannot be read: {error.strerror}")


def _prepared(recording: BinaryIO, format_: str, settings: VoicemailSettings, scratch: str | None) -> Attachment:
    """Return an open recording as it is attached: as wanted, else unconverted, else smaller. Raises OSError."""
    size, limit, audio = os.fstat(recording.fileno()).st_size, settings.max_attachment * MEGABYTE, settings.audio
    wanted = _converted(recording, format_, audio, limit, scratch)
    if wanted.content:
        return wanted
    fits, plays = size <= limit, FORMATS[format_].extension in PLAYS_EVERYWHERE
    reasons = [f"the recording has {size} bytes, more than max_attachment = {settings.max_attachment} MB"]
    if audio != "as-is" and not (fits and (plays or wanted.remark)):
        for smaller in SMALLER:
            made = _converted(recording, format_, smaller, limit, scratch) if smaller != audio else wanted
            name = smaller.replace("WAV", "wav49")
            if made.content:
                return made._replace(remark="" if fits else f"{reasons[0]}: it is attached as {name}")
            reasons += [f"not as {name}: {made.remark}"] if made.remark else []
    if not fits:
        return Attachment(too_large=size, remark="; ".join(reasons))
    recording.seek(0)
    remark = wanted.remark and f"the recording is attached unconverted, not as {audio}: {wanted.remark}"
    return Attachment(recording.read(limit), format_, remark=remark)


def _converted(recording: BinaryIO, format_: str, audio: str, limit: int, scratch: str | None) -> Attachment:
    """Return the recording in another format; without content if it has that already or cannot be converted."""
    if audio == "as-is" or format_ == audio or (audio == "wav" and format_ in PLAYS_EVERYWHERE):
        return Attachment()
    from shutil import which

    seconds = length_of(format_, os.fstat(recording.fileno()).st_size, os.pread(recording.fileno(), 32, 0)) or 0
    rate = 2 * WIDEBAND_RATE if audio == "wav" and format_ in WIDEBAND else BYTES_OF_A_SECOND[audio]
    if seconds * rate > limit:
        return Attachment()
    failures, tools = [], []
    for tool, command in _commands(recording, format_, audio):
        tools.append(tool)
        if which(tool):
            content, failure = _output_of(command, recording.fileno(), audio, limit, scratch)
            if len(content) > (seconds - 1) * rate * 0.9 + FORMATS[audio].header:
                return Attachment(content, audio)
            failures.append(f"{tool}: {failure or f'made {len(content)} bytes of {seconds} s of sound'}")
    return Attachment(remark="; ".join(failures) or f"{' or '.join(tools)} is not installed")


def _commands(recording: BinaryIO, format_: str, audio: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the tools that can convert a format, with their command lines, which lack the output's path."""
    path = f"/dev/fd/{recording.fileno()}"  # the open file itself, whatever its path leads to by now
    sox, ffmpeg = FORMATS[format_].sox.split(), FORMATS[format_].ffmpeg.split()
    rate = str(WIDEBAND_RATE) if format_ in WIDEBAND else ""
    if audio == "wav" and sox:
        pcm = ["-e", "signed-integer", "-b", "16", *(("-r", rate) if rate else ())]
        yield "sox", ["sox", *sox, path, *pcm, "-t", "wav"]
    if audio == "WAV" and sox:
        yield "sox", ["sox", *sox, path, "-e", "gsm-full-rate", "-r", "8000", "-c", "1", "-t", "wav"]
    # lame takes anything else for raw sound, and makes noise of it.
    if audio == "mp3" and is_wave(os.pread(recording.fileno(), 16, 0)):
        yield "lame", ["lame", "--quiet", "-m", "m", "-b", "24", path]
    codings = {"mp3": "-b:a 24k", "wav": "-c:a pcm_s16le", "WAV": "-c:a libgsm_ms -ar 8000"}
    coding = [*codings[audio].split(), *(("-ar", rate) if rate and audio != "WAV" else ())]
    source = ["ffmpeg", "-nostdin", "-v", "error", "-y", *ffmpeg, "-i", f"file:{path}"]
    yield "ffmpeg", [*source, "-ac", "1", *coding, "-f", audio.lower()]


def _output_of(command: list[str], recording: int, audio: str, limit: int, scratch: str | None) -> tuple[bytes, str]:
    """Return what a tool made, or what went wrong. It runs with ``nice``: this host carries calls."""
    from subprocess import DEVNULL, PIPE, TimeoutExpired
    from tempfile import NamedTemporaryFile

    try:
        with NamedTemporaryFile(dir=scratch, suffix=f".{audio}") as output:
            command = ["nice", *command, output.name]
            done = run_program(command, CONVERSION_TIMEOUT, stdout=DEVNULL, stderr=PIPE, pass_fds=[recording])
            made = os.fstat(output.fileno()).st_size
            if done.returncode:
                said = clean(done.stderr.decode(errors="replace"))
                return b"", f"exit status {done.returncode} {said}".rstrip()
            if made > limit:
                return b"", f"made {made} bytes, more than may be sent"
            return output.read(), ""
    except TimeoutExpired:
        return b"", f"not finished after {CONVERSION_TIMEOUT} s"
    except OSError as error:
        return b"", f"cannot be started: {error.strerror}"
