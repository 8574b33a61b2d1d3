"""Keeps a voicemail's recording beside its item: the mailbox may be emptied or renumbered at any time."""

from __future__ import annotations

import os

from pbxnotify.events import Event, Voicemail
from pbxnotify.files import Directory

LARGEST_COPY = 100 * 1024 * 1024
"""Bytes of the largest recording that is copied if it cannot be linked: the call waits meanwhile."""
PIECE = 1 << 20  # bytes copied at a time


def recording_name(folder: str, identifier: str, event: Event) -> str:
    """Return the name of an item's recording in the spool; empty if it has none."""
    format_ = os.path.basename(event.recording) if isinstance(event, Voicemail) else ""
    return f"{folder}/{identifier}.{format_}" if format_ else ""


def keep_recording(descriptor: int, directory: Directory, name: str) -> None:
    """Keep an open recording in the spool, durable: a link if that is permitted, else a copy. Raises OSError."""
    try:
        directory.link(descriptor, name)
    except OSError:
        _copy(descriptor, directory, name)
        return
    try:
        os.fsync(descriptor)
    except OSError:
        directory.remove(name)
        raise


def _copy(descriptor: int, directory: Directory, name: str) -> None:
    size = os.fstat(descriptor).st_size
    if size > LARGEST_COPY:
        raise OSError(f"it cannot be linked, and is too large to be copied ({size} bytes)")
    copy = directory.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        offset = 0
        while offset < size and (sent := os.sendfile(copy, descriptor, offset, PIECE)):  # 0: it became shorter
            offset += sent
        os.fsync(copy)
    except OSError:
        directory.remove(name)
        raise
    finally:
        os.close(copy)
