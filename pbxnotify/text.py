"""Text from outside made safe to show: printable, escaped as HTML; and suggestions for mistyped words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
LONGEST_TEXT = 256  # characters; Asterisk cuts caller ID names at 79 bytes, a number may be longer
INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159"
    "\ufe00\ufe01\ufe02\ufe03\ufe04\ufe05\ufe06\ufe07\ufe08\ufe09\ufe0a\ufe0b\ufe0c\ufe0d\ufe0e\ufe0f"
)
"""Letters, signs and marks that show nothing: fillers, blanks, variation selectors (see DerivedCoreProperties.txt)."""
TAGS = "\U000e0000"  # the first of the tags and further variation selectors; no script comes after them
MOST_MARKS = 4
"""Marks above and below one letter: Burmese needs four (U+101C with 103E 102D 102F 1037), Hebrew and Arabic three."""
MARKS_BEGIN = "\u0300"  # no combining mark comes before it
OF_DIRECTION = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes a terminal show a line in another order, or as two."""
NOT_A_BYTE = "[\ud800-\udc7f\udd00-\udfff]"
"""Surrogates that do not stand for a byte (PEP 383); JSON may hold them. To compile it delays a call by 0.5 ms."""


def clean(text: str, longest: int | None = LONGEST_TEXT) -> str:
    """Return text from outside as one printable line of at most ``longest`` characters; None: of any length.

    A SIP caller can put newlines, terminal escapes and invalid UTF-8 into the caller ID, a relay into its replies. Line
    breaks and controls become spaces, invalid bytes U+FFFD; a last character that Asterisk cut in half is dropped. So
    are invisible letters, and the marks that one letter has too many of: they would hide what comes after them.
    """
    if not text.isascii():
        encoded = re.sub(NOT_A_BYTE, "\ufffd", text).encode("utf-8", "surrogateescape")
        text = encoded.decode("utf-8", "replace").rstrip("\ufffd")
        text = "".join(_legible(text))
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:longest]


def _legible(text: str) -> Iterator[str]:
    """Yield the characters that show something, with at most ``MOST_MARKS`` combining marks on each."""
    marks = 0
    for character in text:
        if character in INVISIBLE or character >= TAGS:
            continue
        marks = marks + 1 if _is_mark(character) else 0
        if marks <= MOST_MARKS:
            yield character


def _is_mark(character: str) -> bool:
    if character < MARKS_BEGIN or character.isalnum():
        return False
    from unicodedata import category  # up to 0.8 ms, which few calls need

    return category(character) in ("Mn", "Me")


def mended(text: str) -> str:
    """Return text as it was meant whose bytes are not UTF-8 (surrogateescape), or which was read in a wrong encoding.

    Nearly none is, and a call waits: only what looks like it is looked at closely.
    """
    if text.isascii() or not _is_odd(text):
        return text
    from pbxnotify.mojibake import mend

    return mend(text)


def _is_odd(text: str) -> bool:
    if sum("\xc0" <= one <= "\xff" for one in text) > 3 or any("\ud800" <= one <= "\udfff" for one in text):
        return True
    # The bytes of UTF-8, D0 and D1 before Russian letters, in windows-1251 and in Latin-1; and what follows them.
    return any(
        (first in "РС" and second > "\x7f" and not "А" <= second <= "я" and second not in "ёЁіїєІЇЄ")
        or ("\xc2" <= first <= "\xf4" and not second.isascii() and not "\xc0" <= second <= "\xff")
        for first, second in zip(text, text[1:])
    )


def visible(text: str, kept: str = "") -> str:
    """Return text with all that a terminal would obey, but what is ``kept``, written as \\uXXXX.

    That is C0 and C1 controls, DEL, controls of direction (CVE-2021-42574), lone surrogates. JSON stays the same JSON.
    """
    if text.isprintable():
        return text
    return "".join(escaped(one) if _is_obeyed(one) and one not in kept else one for one in text)


def _is_obeyed(character: str) -> bool:
    return (
        character < " "
        or "\x7f" <= character <= "\x9f"
        or character in OF_DIRECTION
        or "\ud800" <= character <= "\udfff"
    )


def escaped(character: str) -> str:
    """Return a character as JSON can write it, in two halves beyond U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


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
