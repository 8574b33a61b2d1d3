"""Reads and writes the records in state/: the last mail, queue run and settings, the problems, the token.

Only the token is needed to deliver anything, so nothing else is fsynced, and a lost or damaged record is as good as
none.
"""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress

from pbxnotify.files import Directory
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TextIO

FOLDER = "state"
SENT, RUN, SETTINGS, MONITOR = "last-sent", "last-run", "last-settings", "last-monitor"
LONGEST = 65536  # characters of a record that are read
NEW = ".new"  # ends the name of a durable record while it is written; nothing sweeps it
ROOM = 8192  # bytes that a record which grows and shrinks takes from the beginning: on a full disk it cannot grow


class Record(NamedTuple):
    """A record's text, and when it was written."""

    written: float | None = None  # in seconds since the epoch; None if never, or if the clock has been set back since
    text: str = ""


class SeenSettings(NamedTuple):
    """The ini file when it was last checked."""

    fingerprint: str = ""
    digest: str = ""  # of its mail settings when they could last be read; salted, as a password is among them
    salt: str = ""
    test: str = ""  # the identifier of the test mail after the last change


def replace(directory: Directory, name: str, text: str, *, durable: bool = False) -> None:
    """Replace a record atomically, also on a full disk if it has room for the text already. Raises OSError."""
    temporary = f"{FOLDER}/{name}{NEW}" if durable else f"tmp/{name}.{os.getpid()}"
    try:
        new = directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with open(new, "w", encoding="utf-8", errors="backslashreplace") as file:
            _write(file, text, durable)
        directory.rename(temporary, f"{FOLDER}/{name}")
        if durable:
            directory.sync(FOLDER)
    except OSError as error:
        with suppress(OSError):
            directory.remove(temporary)
        try:
            _overwrite(directory, f"{FOLDER}/{name}", text, durable)
        except OSError:
            raise error from None


def _overwrite(directory: Directory, name: str, text: str, durable: bool) -> None:
    """Write over a file, as on a full disk, if there is room for the whole text. Raises OSError."""
    descriptor = directory.open_regular(name, os.O_RDWR)
    with open(descriptor, "r+", encoding="utf-8", errors="backslashreplace") as file:
        _reserve(file, len(text.encode("utf-8", "backslashreplace")))
        _write(file, text, durable)
        os.utime(descriptor)


def _reserve(file: TextIO, length: int) -> None:
    """Reserve the room before any byte changes: half a text is worse than the old one. Raises OSError."""
    before = os.fstat(file.fileno()).st_size
    try:
        os.posix_fallocate(file.fileno(), 0, length)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a filesystem that cannot reserve
            file.truncate(before)
            raise


def _write(file: TextIO, text: str, durable: bool) -> None:
    file.write(text)
    file.truncate()
    file.flush()
    if durable:
        os.fsync(file.fileno())


def write(directory: Directory, name: str, text: str = "") -> bool:
    """Write a record; returns whether that succeeded. Never raises: no record may stop a mail."""
    try:
        replace(directory, name, text)
    except OSError:
        return False
    return True


def read(directory: Directory, name: str) -> Record:
    """Return a record; an empty one if there is none that can be read."""
    try:
        written = directory.status(f"{FOLDER}/{name}").st_mtime
        text = directory.read(f"{FOLDER}/{name}", 4 * LONGEST).decode(errors="replace")[:LONGEST]
    except OSError:
        return Record()
    return Record(written if written <= time.time() + 1 else None, text)


def write_settings(directory: Directory, seen: SeenSettings) -> bool:
    """Record the settings that were checked; returns whether that succeeded."""
    return write(directory, SETTINGS, json.dumps(seen._asdict()))


def read_settings(directory: Directory) -> SeenSettings:
    """Return the settings last checked."""
    try:
        record = json.loads(read(directory, SETTINGS).text)
        texts = {name: str(value).encode("ascii", "replace").decode() for name, value in record.items()}
        return SeenSettings(**texts)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return SeenSettings()
