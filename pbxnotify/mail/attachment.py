"""The attachment of a voicemail mail: the recording in a format that people can play, or why there is none.

The tools that convert are looked for when they are needed, and nothing depends on them: without one, or when it fails
or takes too long, the recording is attached unconverted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from pbxnotify.asterisk.audio import FORMATS, PLAYS_EVERYWHERE, is_wave, length_of
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.programs import run_program
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import BinaryIO

    from pbxnotify.events import Voicemail
    from pbxnotify.settings.sections import Voicemail as VoicemailSettings

MEGABYTE = 1024 * 1024
CONVERSION_TIMEOUT = 60  # seconds for one tool
BYTES_OF_A_SECOND = {"wav": 16000, "mp3": 3000}  # of plain WAV, and of MP3 at 24 kbit/s
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
    """Return an open recording as it is attached. Raises OSError."""
    size, limit = os.fstat(recording.fileno()).st_size, settings.max_attachment * MEGABYTE
    converted = _converted(recording, format_, size, settings, scratch)
    if converted.content:
        return converted
    if size > limit:
        remark = f"the recording has {size} bytes, more than max_attachment = {settings.max_attachment} MB"
        return Attachment(too_large=size, remark=remark)
    recording.seek(0)
    return Attachment(recording.read(limit), format_, remark=converted.remark)


def _converted(
    recording: BinaryIO, format_: str, size: int, settings: VoicemailSettings, scratch: str | None
) -> Attachment:
    """Return the recording in the wanted format; without content if it has that already or cannot be converted."""
    audio, limit = settings.audio, settings.max_attachment * MEGABYTE
    if audio == "as-is" or format_ == audio or (audio == "wav" and format_ in PLAYS_EVERYWHERE):
        return Attachment()
    from shutil import which

    seconds = length_of(format_, size) or 0
    if seconds * BYTES_OF_A_SECOND[audio] > limit:
        return Attachment()
    failures, tools = [], []
    for tool, command in _commands(recording, format_, audio):
        tools.append(tool)
        if which(tool):
            content, failure = _output_of(command, recording.fileno(), audio, limit, scratch)
            if len(content) > (seconds - 1) * BYTES_OF_A_SECOND[audio] * 0.9 + FORMATS[audio].header:
                return Attachment(content, audio)
            failures.append(f"{tool}: {failure or f'made {len(content)} bytes of {seconds} s of sound'}")
    why = "; ".join(failures) or f"{' or '.join(tools)} is not installed"
    return Attachment(remark=f"the recording is attached unconverted, not as {audio}: {why}")


def _commands(recording: BinaryIO, format_: str, audio: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the tools that can convert a format, with their command lines, which lack the output's path."""
    path = f"/dev/fd/{recording.fileno()}"  # the open file itself, whatever its path leads to by now
    sox, ffmpeg = FORMATS[format_].sox.split(), FORMATS[format_].ffmpeg.split()
    if audio == "wav" and sox:
        yield "sox", ["sox", *sox, path, "-e", "signed-integer", "-b", "16", "-t", "wav"]
    # lame takes anything else for raw sound, and makes noise of it.
    if audio == "mp3" and is_wave(os.pread(recording.fileno(), 16, 0)):
        yield "lame", ["lame", "--quiet", "-m", "m", "-b", "24", path]
    quality = ["-b:a", "24k"] if audio == "mp3" else ["-c:a", "pcm_s16le"]
    source = ["ffmpeg", "-nostdin", "-v", "error", "-y", *ffmpeg, "-i", f"file:{path}"]
    yield "ffmpeg", [*source, "-ac", "1", *quality, "-f", audio]


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
