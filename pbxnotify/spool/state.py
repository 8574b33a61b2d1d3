"""Reads and writes the records in state/: the last mail, queue run and settings, the problems, the token.

Only the token is needed to deliver anything, so nothing else is fsynced, and a lost or damaged record is as good as
none.
"""

from __future__ import annotations

import json
import os
import stat
import time

from pbxnotify import files
from pbxnotify.namedtuple import NamedTuple

FOLDER = "state"
SENT, RUN, SETTINGS, MONITOR = "last-sent", "last-run", "last-settings", "last-monitor"
LONGEST = 65536  # bytes of a record that are read
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


def path(directory: str, name: str) -> str:
    """Return the path of a record."""
    return os.path.join(directory, FOLDER, name)


def replace(directory: str, name: str, text: str, *, durable: bool = False) -> None:
    """Replace a record atomically, also on a full disk if it has room for the text already. Raises OSError."""
    temporary = os.path.join(directory, "tmp", f"{name}.{os.getpid()}")
    files.replace(path(directory, name), temporary, text, durable=durable)


def write(directory: str, name: str, text: str = "") -> bool:
    """Write a record; returns whether that succeeded. Never raises: no record may stop a mail."""
    try:
        replace(directory, name, text)
    except OSError:
        return False
    return True


def read(directory: str, name: str) -> Record:
    """Return a record; an empty one if there is none that can be read."""
    try:
        with open(path(directory, name), encoding="utf-8", errors="replace", opener=files.open_no_follow) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return Record()
            return Record(status.st_mtime if status.st_mtime <= time.time() + 1 else None, file.read(LONGEST))
    except OSError:
        return Record()


def write_settings(directory: str, seen: SeenSettings) -> bool:
    """Record the settings that were checked; returns whether that succeeded."""
    return write(directory, SETTINGS, json.dumps(seen._asdict()))


def read_settings(directory: str) -> SeenSettings:
    """Return the settings last checked."""
    try:
        record = json.loads(read(directory, SETTINGS).text)
        texts = {name: str(value).encode("ascii", "replace").decode() for name, value in record.items()}
        return SeenSettings(**texts)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return SeenSettings()
