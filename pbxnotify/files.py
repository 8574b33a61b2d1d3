"""Files opened safely and locked: below a directory that is held open, no link followed, no FIFO waited for."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # follows no link, does not wait for a FIFO


class Directory:
    """An open directory: what is in it is reached through its descriptor, wherever its path may lead by now.

    A name is that of a file in it, or in a folder of it (``queue/1.json``); no link is followed.
    """

    def __init__(self, path: str) -> None:
        """Open it. Raises OSError."""
        self._descriptors: dict[str, int] = {}  # its own is that of ""
        self._path = path
        self._descriptors[""] = open_path(path, os.O_RDONLY | os.O_DIRECTORY)

    def __del__(self) -> None:
        """Close it."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    def __fspath__(self) -> str:
        """Return its path, for messages and other programs."""
        return self._path

    __str__ = __fspath__

    def _folder(self, folder: str) -> int:
        """Return the descriptor of a folder, "" for the directory itself. Raises OSError."""
        if folder not in self._descriptors:
            flags = os.O_RDONLY | os.O_DIRECTORY | SAFELY
            try:
                self._descriptors[folder] = os.open(folder, flags, dir_fd=self._descriptors[""])
            except OSError as error:
                raise self._named(error, folder) from None
        return self._descriptors[folder]

    def _named(self, error: OSError, name: str) -> OSError:
        """Return a system error with the whole path in it."""
        error.filename, error.filename2 = os.path.join(self._path, name), None
        return error

    def _place(self, name: str) -> tuple[int, str]:
        """Return the descriptor of a file's folder, and its name there. Raises OSError."""
        folder, _, own = name.rpartition("/")
        return self._folder(folder), own

    def status(self, name: str = "") -> os.stat_result:
        """Return the status of a file, a link's own; of the directory without a name. Raises OSError."""
        if not name:
            return os.fstat(self._folder(""))
        place, own = self._place(name)
        return os.stat(own, dir_fd=place, follow_symlinks=False)

    def has(self, name: str) -> bool:
        """Return whether there is anything of this name."""
        try:
            self.status(name)
        except OSError:
            return False
        return True

    def names(self, folder: str = "") -> list[str]:
        """Return the names in the directory, or in a folder of it. Raises OSError."""
        return os.listdir(self._folder(folder))

    def open(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
        """Return the descriptor of a file. Raises OSError."""
        place, own = self._place(name)
        try:
            return os.open(own, flags | SAFELY, mode, dir_fd=place)
        except OSError as error:
            raise self._named(error, name) from None

    def open_regular(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Return the descriptor of a regular file that is there. Raises OSError."""
        descriptor = self.open(name, flags)
        try:
            require_regular(descriptor, name)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def open_folder(self, folder: str = "") -> int:
        """Return a descriptor of its own for the directory or a folder, to lock it. Raises OSError."""
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | SAFELY, dir_fd=self._folder(folder))

    def read(self, name: str, longest: int) -> bytes:
        """Return at most ``longest`` bytes of a regular file. Raises OSError."""
        descriptor = self.open_regular(name)
        try:
            return read_all(descriptor, longest)
        finally:
            os.close(descriptor)

    def make(self, folder: str, mode: int = 0o700) -> None:
        """Make a folder if there is none. Raises OSError."""
        with suppress(FileExistsError):
            os.mkdir(folder, mode, dir_fd=self._folder(""))

    def remove(self, name: str) -> None:
        """Remove a file. Raises OSError."""
        place, own = self._place(name)
        try:
            os.unlink(own, dir_fd=place)
        except OSError as error:
            raise self._named(error, name) from None

    def rename(self, name: str, other: str) -> None:
        """Rename a file, over another if there is one. Raises OSError."""
        (place, own), (other_place, other_own) = self._place(name), self._place(other)
        try:
            os.rename(own, other_own, src_dir_fd=place, dst_dir_fd=other_place)
        except OSError as error:
            raise self._named(error, other) from None

    def link(self, descriptor: int, name: str) -> None:
        """Give an open file another name: the file itself, whatever its path leads to by now. Raises OSError."""
        place, own = self._place(name)
        # A plain link() would link the link in /proc; with descriptors Python calls linkat(AT_SYMLINK_FOLLOW).
        os.link(f"/proc/self/fd/{descriptor}", own, src_dir_fd=place, dst_dir_fd=place, follow_symlinks=True)

    def sync(self, folder: str = "") -> None:
        """Make the changes in it, or in a folder of it, durable. Raises OSError."""
        os.fsync(self._folder(folder))

    def target(self, name: str) -> str | None:
        """Return where a link leads; None if it is none, or missing. Raises OSError if root may not follow it."""
        from pbxnotify.links import target_of_link

        return target_of_link(name, self._folder(""), name)

    def is_writable(self, folder: str) -> bool:
        """Return whether files can be made in a folder. Raises OSError."""
        return os.access(".", os.W_OK | os.X_OK, dir_fd=self._folder(folder))

    def set_mode(self, mode: int) -> None:
        """Set the permissions of the directory itself. Raises OSError."""
        os.fchmod(self._folder(""), mode)


def open_path(path: str, flags: int, mode: int = 0o600) -> int:
    """Return the descriptor of a file or directory; its directories may be links. Raises OSError.

    Root follows only root's own links, also as the last part of a path.
    """
    if os.geteuid() == 0 and path:
        from pbxnotify.links import open_as_root

        return open_as_root(path, flags | SAFELY, mode)
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC, mode)


def require_regular(descriptor: int, name: str) -> None:
    """Raise OSError unless an open file is a regular one."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", name)


def read_all(descriptor: int, longest: int) -> bytes:
    """Return what is left of an open file, at most ``longest`` bytes. Raises OSError."""
    pieces = []
    while longest > 0 and (piece := os.read(descriptor, min(longest, 1 << 20))):
        pieces.append(piece)
        longest -= len(piece)
    return b"".join(pieces)


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
