"""Text in windows-1251 or Latin-1 instead of UTF-8, and UTF-8 that was taken for one of these, as it was meant."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

BYTE = "[\udc80-\udcff]"  # a byte that is not UTF-8 (PEP 383)
CYRILLIC_WORD = rb"(?<![A-Za-z])[\xa8\xb8\xc0-\xff]{%d,}(?![A-Za-z])"
"""Letters that are all beyond ASCII: a word in windows-1251. In Latin-1 such letters stand among others."""
MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}")
FEWEST = {"cp1252": 1, "cp1251": 2}
"""Characters of UTF-8 in a text that seems to be of an encoding, from which it is UTF-8 for certain."""


def mend(name: str) -> str:
    """Return a name with bytes that are not UTF-8 (surrogateescape), or wrong characters, as its sender meant it."""
    if len(re.findall(BYTE, name)) > sum("\x7f" < character < "\ud800" for character in name):
        raw = name.encode("utf-8", "surrogateescape")
        return _decoded(raw, "cp1251" if re.search(CYRILLIC_WORD % 2, raw) else "cp1252")
    for encoding, fewest in FEWEST.items():
        bytes_or_none = _bytes_in(name, encoding)
        if bytes_or_none is None:
            continue
        if len(MULTIBYTE.findall(bytes_or_none)) >= fewest and (mended := _decoded_utf_8(bytes_or_none)):
            return mended
        if encoding == "cp1252" and re.search(CYRILLIC_WORD % 4, bytes_or_none):
            return _decoded(bytes_or_none, "cp1251")
    return name


def _decoded_utf_8(raw: bytes) -> str:
    """Return UTF-8 as text, without a last character that Asterisk has cut; empty if it is not UTF-8."""
    try:
        return getincrementaldecoder("utf-8")().decode(raw)
    except UnicodeDecodeError:
        return ""


def _decoded(raw: bytes, encoding: str) -> str:
    """Return the characters that bytes stand for, controls where the encoding has none."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in raw)


def _bytes_in(text: str, encoding: str) -> bytes | None:
    """Return the bytes that were taken for a text in an encoding, None if it has other characters."""
    raw = bytearray()
    for character in text:
        try:
            raw += character.encode(encoding)
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            raw.append(ord(character))  # what the encoding does not have is passed through as a control
    # The letter И is D0 98, of which windows-1251 does not have the second byte: some drop it.
    return re.sub(rb"\xd0(?![\x80-\xbf])", b"\xd0\x98", bytes(raw)) if encoding == "cp1251" else bytes(raw)
