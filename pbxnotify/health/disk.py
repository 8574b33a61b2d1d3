"""How full a filesystem is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Least


class Disk(NamedTuple):
    """A filesystem, by one path on it. Bytes and inodes that are free for others than root."""

    path: str
    device: int
    size: int
    free: int
    inodes: int
    free_inodes: int

    def is_full(self, least: Least, factor: float = 1.0) -> bool:
        """Return whether less is free than must be, times a factor; an empty disk never is for the factor's sake."""
        room, inodes = max(least.bytes, least.share * self.size), least.share_of_inodes * self.inodes
        return self.free < _more(room, factor, self.size) or self.free_inodes < _more(inodes, factor, self.inodes)

    @property
    def share_free(self) -> float:
        """Return the share of room or of inodes that is free, whichever is smaller."""
        shares = [free / whole for free, whole in ((self.free, self.size), (self.free_inodes, self.inodes)) if whole]
        return min(shares, default=1.0)


def _more(limit: float, factor: float, whole: float) -> float:
    """Return a limit times a factor, but no more than halfway between the limit and the whole."""
    return min(limit * factor, (limit + max(whole, limit)) / 2) if factor > 1 else limit


def look(path: str) -> Disk:
    """Return the filesystem on which a path is. Raises OSError."""
    found = os.statvfs(path)
    return Disk(
        path=path,
        device=os.stat(path).st_dev,
        size=found.f_frsize * (found.f_blocks - found.f_bfree + found.f_bavail),
        free=found.f_frsize * found.f_bavail,
        inodes=found.f_files,
        free_inodes=found.f_favail,
    )


def readable(count: int, units: Sequence[str]) -> str:
    """Return a number of bytes in the unit that fits, of bytes and their multiples: ``1.2 GB``."""
    size, fitting = float(count), 0
    while size >= 1000 and fitting < len(units) - 1:
        size, fitting = size / 1024, fitting + 1
    return f"{size:.0f} {units[fitting]}" if size >= 10 or not fitting else f"{size:.1f} {units[fitting]}"
