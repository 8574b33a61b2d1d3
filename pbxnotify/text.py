"""Text from outside made safe to show: printable, escaped as HTML; and suggestions for mistyped words."""

from __future__ import annotations

import re
from collections.abc import Iterable

ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
LONGEST_TEXT = 256  # characters; Asterisk cuts caller ID names at 79 bytes, a number may be longer
NOT_A_BYTE = "[\ud800-\udc7f\udd00-\udfff]"
"""Surrogates that do not stand for a byte (PEP 383); JSON may hold them. To compile it delays a call by 0.5 ms."""


def clean(text: str, longest: int | None = LONGEST_TEXT) -> str:
    """Return text from outside as one printable line of at most ``longest`` characters; None: of any length.

    A SIP caller can put newlines, terminal escapes and invalid UTF-8 into the caller ID, a relay into its replies. Line
    breaks and controls become spaces, invalid bytes U+FFFD; a last character that Asterisk cut in half is dropped.
    """
    if not text.isascii():
        encoded = re.sub(NOT_A_BYTE, "\ufffd", text).encode("utf-8", "surrogateescape")
        text = encoded.decode("utf-8", "replace").rstrip("\ufffd")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:longest]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion to append to a mistyped word, "" if no known word resembles it."""
    from difflib import get_close_matches

    spellings = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), spellings, n=1)
    return f" (did you mean {spellings[close[0]]}?)" if close else ""


def escape_html(text: str) -> str:
    """Return text as HTML, within attributes too. As ``html.escape``, without importing 2231 entities (2 ms)."""
    return text.translate(ENTITIES)


def html_of_text(text: str) -> str:
    """Return plain text as HTML, its lines and tabs kept."""
    return escape_html(text).replace("\n", "<br>\n").replace("\t", "&nbsp;" * 4)
