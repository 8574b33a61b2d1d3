"""The lines of an ini file: which section or option each belongs to (configobj does not say)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pbxnotify.asterisk.user import who_may
from pbxnotify.errors import SettingsError
from pbxnotify.files import require_regular
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import BinaryIO

Place = tuple[str, ...]
"""``("smtp", "host")`` or ``("employees", "101", "email")``; the place of a section ends in an empty word."""

HEADER = re.compile(r"""\s*(\[[\[\s]*)(['"]?)(.*?)\2\s*\]""")
OPTION = re.compile(r"""\s*(['"]?)([^'"=\s].*?|)\1\s*=\s*(.*)""")
LONGEST = 4 * 1024 * 1024  # bytes that are read: 20 000 employees have half of that
TRIPLE_QUOTES = ("'''", '"""')


class Extent(NamedTuple):
    """The lines, counted from 1, that a section header or an option spans."""

    first: int
    last: int
    place: Place


def extents(lines: list[str]) -> Iterator[Extent]:
    """Yield the extent of each section header and option."""
    sections: Place = ()
    number = 0
    while number < len(lines):
        first, line = number + 1, lines[number]
        number += 1
        header, assignment = HEADER.match(line), OPTION.match(line)
        if line.lstrip().startswith("#"):
            continue
        if header:
            sections = (*sections[: header[1].count("[") - 1], header[3])
            yield Extent(first, first, (*sections, ""))
        elif assignment:
            quotes = assignment[3][:3]
            if quotes in TRIPLE_QUOTES and quotes not in assignment[3][3:]:
                number = next((end + 1 for end in range(number, len(lines)) if quotes in lines[end]), len(lines))
            yield Extent(first, number, (*sections, assignment[2]))


def inline_comment(line: str) -> str:
    """Return the comment after a value, with the blanks before it; "" if there is none."""
    from configobj import ConfigObj, ConfigObjError

    try:
        comments = ConfigObj([line.strip()], interpolation=False).inline_comments.values()
    except ConfigObjError:  # the first line of a longer text
        return ""
    return "".join(f"  {comment}" for comment in comments if comment)


def shown(place: Place) -> str:
    """Return a place as an error names it: ``[employees] [[101]] email``."""
    *sections, name = place
    headers = (f"{'[' * depth}{section}{']' * depth}" for depth, section in enumerate(sections, 1))
    return " ".join(filter(None, (*headers, first_word(name))))


def first_word(name: str) -> str:
    """Return the first word of an option's name: ``password: secret=`` makes a name that contains a secret."""
    return re.split(r"\W", name, maxsplit=1)[0]


def opened(path: str) -> BinaryIO:
    """Open an ini file, which must be a regular one: a FIFO could keep us waiting for ever. Raises OSError."""
    file = open(path, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY))  # noqa: SIM115
    try:
        require_regular(file.fileno(), path)
    except OSError:
        file.close()
        raise
    return file


def read(path: str) -> bytes:
    """Return the content of an ini file; raises SettingsError."""
    try:
        with opened(path) as file:
            return file.read(LONGEST)
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; run  pbxnotify setup  to create it") from None
    except PermissionError:
        instead = who_may() or "make it readable for Asterisk's user"
        raise SettingsError(f"{path}: permission denied; {instead}") from None
    except (OSError, ValueError) as error:  # a directory, or a NUL in the path
        why = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be read: {why}; put a readable file there") from None


def decoded(path: str, content: bytes) -> list[str]:
    """Return the lines of an ini file, whatever its line ends are; raises SettingsError unless it is UTF-8."""
    text = content.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    is_wide = text.count("\0") > len(text) / 8  # UTF-16 without a mark; a stray NUL is reported for its option
    undecodable = re.search("[\x00\ud800-\udfff]" if is_wide else "[\ud800-\udfff]", text)
    if undecodable:
        line = text.count("\n", 0, undecodable.start()) + 1
        raise SettingsError(f"{path}:{line}: this is not UTF-8 text; save the file as UTF-8")
    return text.split("\n")
