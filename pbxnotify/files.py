"""Files that survive crashes, full disks and hostile users: atomic replace, fsync, lock, safe opening."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def sync_directory(directory: str) -> None:
    """Make the changes in a directory durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Lock an open file or directory (flock); returns whether that succeeded. Does not wait. Raises OSError."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(descriptor: int, seconds: float) -> bool:
    """Lock as ``try_lock`` does, but wait so long for it, asleep in the kernel. Main thread only. Raises OSError."""
    if seconds <= 0 or try_lock(descriptor):
        return try_lock(descriptor)
    import signal

    is_waiting = True

    def give_up(*_: object) -> None:
        if is_waiting:
            raise TimeoutError

    handler = signal.signal(signal.SIGALRM, give_up)
    # Repeated each second: an alarm just before flock begins would let it wait for ever.
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except TimeoutError:
        pass
    finally:
        is_waiting = False
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
    return try_lock(descriptor)


def unlock(descriptor: int) -> None:
    """Unlock and close: the lock ends at once, even if a forked process still has the descriptor. Raises OSError."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def open_no_follow(path: str, flags: int) -> int:
    """Open a file, as ``opener`` of ``open``: follows no link, and does not wait for a FIFO. Raises OSError."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def replace(path: str, temporary: str, text: str, *, durable: bool = False) -> None:
    """Replace a file's content atomically, through a temporary file on the same filesystem. Raises OSError."""
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", opener=_open_private) as file:
            _write(file, text, durable)
        os.rename(temporary, path)
        if durable:
            sync_directory(os.path.dirname(path))
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        try:  # on a full disk in place, if there is room for the whole text
            with open(path, "r+", encoding="utf-8", errors="backslashreplace") as file:
                _reserve(file, len(text.encode("utf-8", "backslashreplace")))
                _write(file, text, durable)
            os.utime(path)
        except OSError:
            raise error from None


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


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
