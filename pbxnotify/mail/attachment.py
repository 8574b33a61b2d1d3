"""What is attached to a voicemail mail: the recording as people can play it, or the reason why there is none.

The tools that convert are looked for when they are needed, and nothing depends on them: without one, or when it fails
or takes too long, the recording goes as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from pbxnotify.asterisk.audio import FORMATS, PLAYS_EVERYWHERE, is_wave, length_of
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.events import Voicemail
    from pbxnotify.settings.sections import Voicemail as VoicemailSettings

MEGABYTE = 1024 * 1024
CONVERSION_TIMEOUT = 60
"""Seconds for one tool."""
BYTES_OF_A_SECOND = {"wav": 16000, "mp3": 3000}
"""What a second of sound becomes: plain WAV, and MP3 of 24 kbit/s."""
NEEDS = {"mp3": "lame or ffmpeg", "wav": "sox or ffmpeg"}
"""The tools that make a format."""


class Attachment(NamedTuple):
    """The recording as it is attached; without content it is not, because it is missing or ``too_large``."""

    content: bytes = b""
    format: str = ""
    too_large: int = 0
    """The recording's bytes, if they are too many."""
    remark: str = ""
    """What the log should say of it."""

    @property
    def megabytes(self) -> float:
        """Return what ``too_large`` is in MB."""
        return self.too_large / MEGABYTE


def prepare_attachment(
    path: str, voicemail: Voicemail, settings: VoicemailSettings, scratch: str | None = None
) -> Attachment | None:
    """Return the recording at a path as the settings want it attached, None if not at all; never raises OSError.

    ``scratch`` is the directory for what the tools make.
    """
    if not settings.attach:
        return None
    if not voicemail.recording:
        return Attachment(remark=voicemail.trouble)
    limit = settings.max_attachment * MEGABYTE
    try:
        size = os.stat(path).st_size
        converted = _converted(path, voicemail.recording, size, Target(settings.audio, limit, scratch))
        if converted.content:
            return converted
        if size > limit:
            remark = f"the recording has {size} bytes, more than max_attachment = {settings.max_attachment} MB"
            return Attachment(too_large=size, remark=remark)
        with open(path, "rb") as file:
            return Attachment(file.read(limit), voicemail.recording, remark=converted.remark)
    except OSError as error:
        return Attachment(remark=f"the recording cannot be read: {error.strerror}")


class Target(NamedTuple):
    """What a recording is to become."""

    audio: str
    limit: int
    """Bytes."""
    scratch: str | None


def _converted(path: str, format_: str, size: int, target: Target) -> Attachment:
    """Return the recording in the wanted format; without content if it has that already, or cannot be converted."""
    audio = target.audio
    if audio == "as-is" or format_ == audio or (audio == "wav" and format_ in PLAYS_EVERYWHERE):
        return Attachment()
    from shutil import which

    seconds = length_of(format_, size) or 0
    if seconds * BYTES_OF_A_SECOND[audio] > target.limit:
        return Attachment()
    troubles, tools = [], []
    for tool, command in _commands(path, format_, audio):
        tools.append(tool)
        if which(tool):
            content, trouble = _output_of(command, target)
            if len(content) > (seconds - 1) * BYTES_OF_A_SECOND[audio] * 0.9 + FORMATS[audio].header:
                return Attachment(content, audio)
            troubles.append(f"{tool}: {trouble or f'it made {len(content)} bytes of {seconds} s of sound'}")
    why = "; ".join(troubles) or f"{' or '.join(tools)} is not installed"
    return Attachment(remark=f"the recording goes as it is, not as {audio}: {why}")


def _commands(path: str, format_: str, audio: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the tools that can convert a format and their command lines, which want the output's path added."""
    sox, ffmpeg = FORMATS[format_].sox.split(), FORMATS[format_].ffmpeg.split()
    if audio == "wav" and sox:
        yield "sox", ["sox", *sox, path, "-e", "signed-integer", "-b", "16", "-t", "wav"]
    with open(path, "rb") as file:
        wave = is_wave(file.read(16))
    if audio == "mp3" and wave:  # anything else lame takes for raw sound, and makes noise of it
        yield "lame", ["lame", "--quiet", "-m", "m", "-b", "24", path]
    quality = ["-b:a", "24k"] if audio == "mp3" else ["-c:a", "pcm_s16le"]
    source = ["ffmpeg", "-nostdin", "-v", "error", "-y", *ffmpeg, "-i", f"file:{path}"]
    yield "ffmpeg", [*source, "-ac", "1", *quality, "-f", audio]


def _output_of(command: list[str], target: Target) -> tuple[bytes, str]:
    """Return what a tool made, or what went wrong. It runs behind everything else: this host carries calls."""
    import subprocess
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=target.scratch, suffix=f".{target.audio}") as output:
            done = subprocess.run(
                ["nice", *command, output.name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=CONVERSION_TIMEOUT,
                check=False,
            )
            made = os.fstat(output.fileno()).st_size
            if done.returncode:
                said = clean(done.stderr.decode(errors="replace"))
                return b"", f"exit status {done.returncode} {said}".rstrip()
            return (
                (output.read(), "") if made <= target.limit else (b"", f"it made {made} bytes, more than may be sent")
            )
    except subprocess.TimeoutExpired:
        return b"", f"not finished after {CONVERSION_TIMEOUT} s"
    except OSError as error:
        return b"", f"it cannot be started: {error.strerror}"
