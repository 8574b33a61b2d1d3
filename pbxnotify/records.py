"""What a spool remembers of itself beside its items: the last mail, the last queue run, the settings last looked at.

None of it is needed to deliver anything, so none of it is fsynced, and a lost or damaged record is as good as none.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import NamedTuple

SENT, RUN, SETTINGS = "last-sent", "last-run", "last-settings"
FILES = (SENT, RUN, SETTINGS)


class Seen(NamedTuple):
    """The ini file as it was last looked at."""

    fingerprint: str = ""
    digest: str = ""
    """Of its mail settings, the last time they could be read; salted, as a password is among them."""
    salt: str = ""
    test: str = ""
    """The item of the test mail that the last change led to."""


def write(directory: str, name: str, text: str = "") -> None:
    """Remember a text, and when. Never raises: no record may stop a mail."""
    temporary = os.path.join(directory, "tmp", f"{name}.{os.getpid()}")
    with suppress(OSError):
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", opener=_private) as file:
            file.write(text)
        os.rename(temporary, os.path.join(directory, name))


def read(directory: str, name: str) -> tuple[float, str]:
    """Return when a text was remembered (seconds since the epoch), and the text; 0 and "" if never."""
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            return os.fstat(file.fileno()).st_mtime, file.read()
    except OSError:
        return 0.0, ""


def note_settings(directory: str, seen: Seen) -> None:
    """Remember the settings that were looked at."""
    write(directory, SETTINGS, json.dumps(seen._asdict()))


def settings(directory: str) -> Seen:
    """Return the settings last looked at."""
    try:
        record = json.loads(read(directory, SETTINGS)[1])
        return Seen(**{name: str(value) for name, value in record.items()})
    except (ValueError, TypeError, AttributeError):
        return Seen()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
