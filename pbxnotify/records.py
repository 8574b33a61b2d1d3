"""What a spool remembers of itself: the last mail, queue run and settings, the problems of this machine.

They lie in done/ beside the keys. None of them but the tokens is needed to deliver anything, so none is fsynced, and a
lost or damaged record is as good as none.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from contextlib import suppress

from pbxnotify.entry import sync
from pbxnotify.frozen import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TextIO

FOLDER = "done"
SENT, RUN, SETTINGS, MONITOR = "last-sent", "last-run", "last-settings", "last-monitor"
TOKENS = "oauth2.json"
"""What lets us in where we log in with tokens; the one thing here that is needed, see ``tokens``."""
FILES = (SENT, RUN, SETTINGS, MONITOR, TOKENS)
LONGEST = 65536
"""Bytes of a record."""
ROOM = 8192
"""Bytes that a record which grows and shrinks has from the beginning: on a full disk it can grow no more."""


class Seen(NamedTuple):
    """The ini file as it was last looked at."""

    fingerprint: str = ""
    digest: str = ""
    """Of its mail settings, the last time they could be read; salted, as a password is among them."""
    salt: str = ""
    test: str = ""
    """The item of the test mail that the last change led to."""


def replace(directory: str, place: str, text: str, *, durable: bool = False) -> None:
    """Put a text in the place of a file of the spool, where nobody ever reads half of it. Raises OSError.

    On a full disk the file is written over where it is, if it has the room for all of it.
    """
    path = os.path.join(directory, place)
    temporary = os.path.join(directory, "tmp", f"{os.path.basename(place)}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", opener=_private) as file:
            _fill(file, text, durable)
        os.rename(temporary, path)
        if durable:
            sync(os.path.dirname(path))
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        try:
            with open(path, "r+", encoding="utf-8", errors="backslashreplace") as file:
                _reserve(file, len(text.encode("utf-8", "backslashreplace")))
                _fill(file, text, durable)
            os.utime(path)
        except OSError:
            raise error from None


def _reserve(file: TextIO, length: int) -> None:
    """Have room for all bytes before one of them is changed: half a text is worse than the old one. Raises OSError."""
    before = os.fstat(file.fileno()).st_size
    try:
        os.posix_fallocate(file.fileno(), 0, length)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that reserves nothing
            file.truncate(before)
            raise


def _fill(file: TextIO, text: str, durable: bool) -> None:
    file.write(text)
    file.truncate()
    file.flush()
    if durable:
        os.fsync(file.fileno())


def write(directory: str, name: str, text: str = "") -> bool:
    """Remember a text, and when; returns whether it could be. Never raises: no record may stop a mail."""
    try:
        replace(directory, os.path.join(FOLDER, name), text)
    except OSError:
        return False
    return True


def read(directory: str, name: str) -> tuple[float, str]:
    """Return when a text was remembered (seconds since the epoch), and the text; 0 and "" if never.

    A time to come is none: the clock was ahead.
    """
    try:
        with open(_path(directory, name), encoding="utf-8", errors="replace", opener=at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return 0.0, ""
            return status.st_mtime if status.st_mtime <= time.time() + 1 else 0.0, file.read(LONGEST)
    except OSError:
        return 0.0, ""


def note_settings(directory: str, seen: Seen) -> bool:
    """Remember the settings that were looked at; returns whether they could be."""
    return write(directory, SETTINGS, json.dumps(seen._asdict()))


def settings(directory: str) -> Seen:
    """Return the settings last looked at."""
    try:
        record = json.loads(read(directory, SETTINGS)[1])
        texts = {name: str(value).encode("ascii", "replace").decode() for name, value in record.items()}
        return Seen(**texts)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Seen()


def _path(directory: str, name: str) -> str:
    return os.path.join(directory, FOLDER, name)


def at_once(path: str, flags: int) -> int:
    """Open a file for ``open``: no link, and nothing that would keep us waiting. Raises OSError."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
