"""Keeps a voicemail's recording beside its item: the mailbox may be emptied or renumbered at any time."""

from __future__ import annotations

import os

from pbxnotify.events import Event, Voicemail

LARGEST_COPY = 100 * 1024 * 1024
"""Bytes of the largest recording that is copied if it cannot be linked: the call waits meanwhile."""
PIECE = 1 << 20  # bytes copied at a time


def recording_path(directory: str, folder: str, identifier: str, event: Event) -> str:
    """Return the path of an item's recording; empty if it has none."""
    format_ = os.path.basename(event.recording) if isinstance(event, Voicemail) else ""
    return os.path.join(directory, folder, f"{identifier}.{format_}") if format_ else ""


def keep_recording(descriptor: int, path: str) -> None:
    """Keep an open recording under another name, durable: a link if that is permitted, else a copy. Raises OSError."""
    try:
        # The open file itself, whatever its path leads to by now. A plain link() would link the link in /proc;
        # with a descriptor, which an absolute path leaves unused, Python calls linkat(AT_SYMLINK_FOLLOW).
        os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)
    except OSError:
        _copy(descriptor, path)
        return
    try:
        os.fsync(descriptor)
    except OSError:
        os.unlink(path)
        raise


def _copy(descriptor: int, path: str) -> None:
    size = os.fstat(descriptor).st_size
    if size > LARGEST_COPY:
        raise OSError(f"it cannot be linked, and is too large to be copied ({size} bytes)")
    copy = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        offset = 0
        while offset < size and (sent := os.sendfile(copy, descriptor, offset, PIECE)):  # 0: it became shorter
            offset += sent
        os.fsync(copy)
    except OSError:
        os.unlink(path)
        raise
    finally:
        os.close(copy)
