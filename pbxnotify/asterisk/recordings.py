"""The recordings of a message in a mailbox: which files are its own, the best of them, and how long it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from pbxnotify.asterisk.audio import FORMATS, is_silent, length_of
from pbxnotify.asterisk.mailbox import Message, open_safely, read_message
from pbxnotify.errors import MailboxError
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.text import clean

SAME_MOMENT = 10.0  # seconds within which all formats of a message are written, or copied to another mailbox
ROUNDED = 2.0  # seconds by which times may differ: FAT has even ones only
LARGE = 14 * 1024 * 1024
"""Bytes of a recording in place of which a smaller copy is taken: the default of ``max_attachment``."""


class Copy(NamedTuple):
    """A message's recording in one format, or what lies in its place."""

    path: str
    format: str
    size: int
    written: float  # when, in seconds since the epoch

    @property
    def length(self) -> float:
        """Return the seconds that a file of this size has in this format; NaN if that varies."""
        length = length_of(self.format, self.size)
        return float("nan") if length is None else length


class Recording(NamedTuple):
    """The recording of a message, as far as it can be read."""

    descriptor: int = -1  # open for reading; -1 if there is none
    format: str = ""
    trouble: str = ""


def recording_exists(path: str) -> bool:
    """Return whether there is a recording at a path without extension."""
    return any(os.path.lexists(f"{path}.{format_}") for format_ in FORMATS)


def own_copies(message: Message) -> list[Copy]:
    """Return the recordings of a message, the best first, without what another one has left under its number.

    app_voicemail writes all formats at the same moment, and the information last (main/app.c, __ast_play_and_record).
    Renaming keeps the times. It replaces only files of the formats that it writes.
    """
    copies = list(_copies(message.path))
    finished = message.written or max((copy.written for copy in copies), default=0.0)
    began = message.began or 0.0
    if finished < began - ROUNDED:  # the clock was set back meanwhile
        began = finished - SAME_MOMENT
    copies = [copy for copy in copies if copy.written >= began - ROUNDED]
    before = [copy for copy in copies if copy.written <= finished + ROUNDED]
    if not before:  # another program has replaced all of them
        return copies
    moment = max(copy.written for copy in before)
    at_once = [copy for copy in before if copy.written >= moment - SAME_MOMENT]
    # What is newer than the information was made of one of these, or has been touched.
    return [copy for copy in copies if copy in at_once or any(abs(copy.length - one.length) <= 1 for one in at_once)]


def _copies(path: str) -> Iterator[Copy]:
    """Yield what has the name of a recording of the message at a path without extension, the best format first."""
    with suppress(ValueError):  # a path that no file can have
        for format_ in FORMATS:
            name = f"{path}.{format_}"
            if os.access(name, os.F_OK):  # in half the time of a failing lstat: a call waits for all of these
                with suppress(OSError):
                    status = os.lstat(name)
                    yield Copy(name, format_, status.st_size, status.st_mtime)


def recorded_length(message: Message, recording: Recording | None = None) -> int | None:
    """Return a message's length in whole seconds by the size of its recording, else as app_voicemail counted it.

    ``recording`` is the one that is open, if one is.
    """
    if recording and recording.format and FORMATS[recording.format].rate:
        head = os.pread(recording.descriptor, 32, 0)  # a WAV file by another program may have another rate
        return length_of(recording.format, os.fstat(recording.descriptor).st_size, head)
    copies = own_copies(message) if message.path else []
    copy = next((copy for copy in copies if copy.length > 0), None)
    measured = _length_of_copy(copy, message) if copy else None
    return message.duration if measured is None else measured


def _length_of_copy(copy: Copy, message: Message) -> int | None:
    """Return the whole seconds of a recording, None if it cannot be read, or is no longer the message's."""
    descriptor = -1
    try:
        descriptor = open_safely(copy.path, only_in_spool=False)
        head = os.pread(descriptor, 32, 0)
        moved = os.lstat(f"{message.path}.txt").st_mtime != message.written
    except (OSError, MailboxError):
        return None
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return None if moved else length_of(copy.format, copy.size, head)


def open_recording(path: str) -> Recording:
    """Return the best recording of the message at a path without extension, and what is wrong with better ones.

    Of several, one that is not ``LARGE``, else the smallest.
    """
    troubles = []
    copies = own_copies(read_message(path))
    for copy in sorted(copies, key=lambda copy: copy.size if copy.size > LARGE else 0):
        try:
            descriptor = open_safely(copy.path)
        except MailboxError as error:
            troubles.append(f"recording: {error}")
            continue
        if not is_silent(copy.format, os.fstat(descriptor).st_size):
            return Recording(descriptor, copy.format, "; ".join(troubles))
        os.close(descriptor)
        troubles.append(f"recording: {clean(copy.path)} is empty")
    if not copies and recording_exists(path):
        troubles.append(f"recording: what lies at {clean(path)} is older than the message")
    return Recording(trouble="; ".join(troubles) or f"recording: none found at {clean(path)}")
