"""The audio formats of recordings: what Asterisk writes, and what converters and other machines call it."""

from __future__ import annotations

from pbxnotify.namedtuple import NamedTuple


class Format(NamedTuple):
    """What there is to know of a format; most have no header that would say it."""

    header: int  # bytes before the sound
    rate: int | None  # bytes per second; None if that varies
    mime_type: str
    extension: str  # the file extension that other machines know
    sox: str  # sox's options for its input; empty if sox cannot read the format
    ffmpeg: str


def _linear(hertz: int, name: str) -> Format:
    """Return signed linear sound of 16 bits without a header (Asterisk's formats/format_sln.c)."""
    sox = f"-t raw -e signed-integer -b 16 -r {hertz} -c 1"
    return Format(0, 2 * hertz, BINARY, name, sox, f"-f s16le -ar {hertz}")


BINARY = "application/octet-stream"
ULAW = Format(0, 8000, "audio/basic", "ulaw", "-t ul -r 8000 -c 1", "-f mulaw -ar 8000")
WAVE = ("audio/wav", "wav", "-t wav", "-f wav")
SLN = {
    "sln16": 16,
    "sln192": 192,
    "sln96": 96,
    "sln48": 48,
    "sln44": 44.1,
    "sln32": 32,
    "sln24": 24,
    "sln12": 12,
}  # kHz
FORMATS = {
    "wav16": Format(44, 32000, *WAVE),
    "wav": Format(44, 16000, *WAVE),
    "mp3": Format(0, None, "audio/mpeg", "mp3", "", "-f mp3"),
    "ogg": Format(0, None, "audio/ogg", "ogg", "-t ogg", "-f ogg"),
    "WAV": Format(60, 1625, *WAVE),
    "ulaw": ULAW,
    "pcm": ULAW,
    "au": Format(24, 8000, "audio/basic", "au", "-t au", "-f au"),
    "alaw": Format(0, 8000, BINARY, "alaw", "-t al -r 8000 -c 1", "-f alaw -ar 8000"),
    **{name: _linear(int(1000 * kilohertz), name) for name, kilohertz in SLN.items()},
    **{name: _linear(8000, "sln") for name in ("sln", "slin")},
    "gsm": Format(0, 1650, "audio/x-gsm", "gsm", "-t gsm -r 8000 -c 1", "-f gsm -ar 8000"),
    "g722": Format(0, 8000, "audio/g722", "g722", "", "-f g722"),
    "g729": Format(0, 1000, "audio/g729", "g729", "", "-f g729"),
}
"""By Asterisk's file extension, the best first. ``WAV`` is GSM in a WAV file; audio/basic: RFC 2046 section 4.3."""
PLAYS_EVERYWHERE = ("wav", "wav16", "mp3", "ogg")
WIDEBAND = (*SLN, "g722")  # formats with more than 8000 samples a second that are not played everywhere


def is_wave(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is a WAV file, whatever its encoding."""
    return head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt "


def is_silent(name: str, size: int) -> bool:
    """Return whether a recording of this size in bytes is nothing but a header."""
    return size <= FORMATS[name].header


def length_of(name: str, size: int, head: bytes = b"") -> int | None:
    """Return a recording's length in whole seconds, None if its size and first 32 bytes (``head``) do not say it."""
    header, rate = FORMATS[name].header, FORMATS[name].rate
    if is_wave(head):
        header, rate = FORMATS["wav"].header, int.from_bytes(head[28:32], "little")  # of a WAV file's fmt chunk
    return max(size - header, 0) // rate if rate else None
