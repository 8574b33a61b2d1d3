"""The phone book: a CSV file, ``number,name`` in each line, as Excel and other programs really write it."""

from __future__ import annotations

import csv
import io
import os
import re
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator

from pbxnotify.errors import PhoneBookError
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import SHORTEST_NATIONAL, is_same_number, national
from pbxnotify.text import clean

LARGEST = 20 * 1024 * 1024  # bytes; a larger file is not read, because a mail waits meanwhile
LONGEST_ROW = 10_000  # characters of a line that are read, fewer than ``csv`` allows in a field (field_size_limit)
LETTER = re.compile(r"[^\W\d_]")
DELIMITER = re.compile(r"[;\t]|,(?!\d+E\+\d)")
"""The first one ends the number. 7,49512E+10 is how a Russian Excel shortens a number."""


class Row(NamedTuple):
    """One line that is neither blank nor a comment."""

    line: int  # counted from 1
    number: str
    name: str  # both as written

    @property
    def is_entry(self) -> bool:
        """Return whether it has both a number and a name."""
        return bool(_digits(self.number) and clean(self.name))


def name_in_phone_book(path: str, number: str) -> str:
    """Return the name of the first entry with the same number, "" without one; raises PhoneBookError."""
    wanted = _digits(number)
    if not path or not wanted:
        return ""
    rows = phone_book_rows(path, wanted[-SHORTEST_NATIONAL:])
    names = (clean(row.name) for row in rows if _digits(row.number) and is_same_number(row.number, number))
    return next(filter(None, names), "")


def phone_book_rows(path: str, digits: str = "") -> Iterator[Row]:
    """Yield the rows, entries or not, in which these digits follow each other, "" for all; raises PhoneBookError."""
    content = _content(path)
    text = io.TextIOWrapper(io.BytesIO(content), _encoding(path, content), errors="replace")
    has_digits = re.compile(r"\D*".join(digits))  # to take each of 100 000 lines apart would take half a second
    for number, line in enumerate(text, 1):
        if has_digits.search(line) and line.strip() and not line.lstrip().startswith("#"):
            yield Row(number, *_columns(line[:LONGEST_ROW]))


def _columns(line: str) -> tuple[str, str]:
    # Each line is a row by itself: a quote that is not closed costs one name, and not those of all lines below it.
    delimiter = DELIMITER.search(line)
    (cells,) = csv.reader([line], delimiter=delimiter[0] if delimiter else ",", skipinitialspace=True)
    number, name, *_ = [*cells, ""]
    return number, name


def _digits(number: str) -> str:
    """Return the digits to compare; "" for a heading, 7.49512E+10, and a number followed by "ext. 12"."""
    return "" if LETTER.search(number) else national(number)


def _content(path: str) -> bytes:
    flags = os.O_NONBLOCK | os.O_NOCTTY  # a pipe that nobody writes to would be waited for
    try:
        with open(path, "rb", opener=lambda path, usual: os.open(path, usual | flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PhoneBookError(path, "is not a regular file")
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise PhoneBookError(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST:
        raise PhoneBookError(path, f"is larger than {LARGEST // 1024 // 1024} MB")
    return content


def _encoding(path: str, content: bytes) -> str:
    """Return the encoding in which all of the file is text; raises PhoneBookError."""
    has_mark = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    for encoding in ["utf-16"] if has_mark else ["utf-8-sig", "cp1251"]:
        try:
            # Not to the end: the file may just be written, up to the middle of a character.
            text = getincrementaldecoder(encoding)().decode(content)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return encoding
    raise PhoneBookError(path, "is not text in UTF-8, windows-1251, or UTF-16 with a byte order mark")
