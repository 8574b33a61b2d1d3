"""Paths opened as root: whoever else may write in a directory on the way must not lead root to another file."""

from __future__ import annotations

import errno
import os
import stat

MOST_LINKS = 40  # on the way of one path, as in Linux


def open_as_root(path: str, flags: int, mode: int) -> int:
    """Return the descriptor of a file or directory; the links on the way are followed if they are root's own.

    Raises OSError.
    """
    ahead, links = path.split("/")[::-1], 0
    place = os.open("/" if path.startswith("/") else ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            name = ahead.pop() or "."
            target = target_of_link(name, place, path)
            if target is not None:
                links += 1
                if links > MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                ahead += target.split("/")[::-1]
                step = os.open("/" if target.startswith("/") else ".", os.O_PATH | os.O_CLOEXEC, dir_fd=place)
            elif not any(ahead):
                return os.open(name, flags, mode, dir_fd=place)
            else:
                step = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
            os.close(place)
            place = step
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(place)


def target_of_link(name: str, place: int, path: str) -> str | None:
    """Return where a link leads, None if it is none; ``place`` is its open directory.

    Raises PermissionError if root must not follow it, and OSError.
    """
    try:
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place)
    except FileNotFoundError:
        return None  # it may be about to be made
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISLNK(status.st_mode):
            return None
        if os.geteuid() == 0 != status.st_uid:
            why = f"root does not follow the link {name} of user {status.st_uid} (chown -h root it if it is yours)"
            raise PermissionError(errno.EPERM, why, path)
        return os.readlink("", dir_fd=descriptor)
    finally:
        os.close(descriptor)
