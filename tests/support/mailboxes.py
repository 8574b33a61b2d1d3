"""A mailbox as app_voicemail leaves it on disk, for tests without a call."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import wave
from pathlib import Path

from skipping import unavailable

INFORMATION = """\
;
; Message Information file
;
[message]
origmailbox=101
context=from-trunk
exten=101
rdnis=unknown
priority=3
callerchan={channel}
callerid="Alice Smith" <5551212>
origdate=Tue Nov 24 00:07:47 AM UTC 2026
origtime={began}
category=
msg_id={message_id}
flag=
duration={duration}
"""
CHANNEL = "PJSIP/trunk-00000001"
SOX = {"WAV": "-t wav -e gsm-full-rate", "ulaw": "-t ul", "alaw": "-t al", "sln": "-t raw", "gsm": "-t gsm"}
SOX |= {"pcm": "-t ul", "slin": "-t raw", "au": "-t au -e u-law", "wav16": "-t wav -r 16000"}
SOX |= {f"sln{kilohertz}": f"-t raw -r {kilohertz}000" for kilohertz in (12, 16, 24, 32, 48, 96, 192)}
SOX |= {"sln44": "-t raw -r 44100"}
"""sox's options to write a format."""


def require(tool: str) -> str:
    """Return where a tool is; skip the running test without it, and fail it where nothing may be skipped."""
    found = shutil.which(tool)
    if not found:
        unavailable(f"{tool} is not installed")
    return found


def sound(path: Path, seconds: float, hertz: int = 500) -> Path:
    """Write a tone as Asterisk would write it in the format of the file's extension."""
    format_ = path.suffix[1:]
    path.parent.mkdir(parents=True, exist_ok=True)
    second = struct.pack("<8000h", *(int(9000 * math.sin(2 * math.pi * hertz * i / 8000)) for i in range(8000)))
    as_wav = path if format_ == "wav" else path.with_name(f"{path.name}.source.wav")
    with wave.open(str(as_wav), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        for _ in range(int(seconds)):
            file.writeframes(second)
        file.writeframes(second[: 2 * int(8000 * (seconds % 1))])
    if format_ == "g722":
        subprocess.run([require("ffmpeg"), "-v", "error", "-i", as_wav, "-ar", "16000", path], check=True)
    elif format_ != "wav":
        subprocess.run([require("sox"), as_wav, *SOX[format_].split(), path], check=True)
    if format_ != "wav":
        as_wav.unlink()
    return path


def message(
    spool: Path,
    *formats: str,
    mailbox: str = "101",
    number: int = 0,
    channel: str = CHANNEL,
    message_id: str = "1795478867-00000001",
    duration: int = 3,
    hertz: int = 500,
) -> str:
    """Leave a message in the mailbox's INBOX; returns its path without extension, as VM_MESSAGEFILE."""
    folder = spool / "voicemail" / "default" / mailbox / "INBOX"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"msg{number:04}"
    information = INFORMATION.format(channel=channel, began=1795478867, message_id=message_id, duration=duration)
    path.with_suffix(".txt").write_text(information)
    for format_ in formats or ("wav",):
        sound(path.with_suffix(f".{format_}"), duration, hertz)
    return str(path)


def six_messages(spool: Path) -> str:
    """Leave six messages, each with a tone of its own; returns the path of the third, the only one of ``CHANNEL``."""
    paths = [
        message(
            spool,
            number=number,
            channel=CHANNEL if number == 2 else f"PJSIP/other-{number}",
            message_id=f"1795478867-{number:08}",
            duration=1,
            hertz=300 + 100 * number,
        )
        for number in range(6)
    ]
    return paths[2]


def renumber(folder: Path) -> None:
    """Close the gap at 0 as resequence_mailbox does: of each message first the sound, then the information."""
    for kind in ("txt", "wav"):
        (folder / f"msg0000.{kind}").unlink()
    for number in range(1, len(list(folder.glob("*.txt"))) + 1):
        for kind in ("wav", "txt"):
            (folder / f"msg{number:04}.{kind}").rename(folder / f"msg{number - 1:04}.{kind}")


def length_of(content: bytes, directory: Path) -> float:
    """Return the seconds of any recording, as ffprobe hears it."""
    path = directory / "heard"
    path.write_bytes(content)
    command = [require("ffprobe"), "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
