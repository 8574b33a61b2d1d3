"""How full a filesystem is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Least


class Disk(NamedTuple):
    """The filesystem that one path is on; free bytes and inodes are those that are free for ordinary users."""

    path: str
    device: int
    size: int
    free: int
    inodes: int
    free_inodes: int

    def is_full(self, least: Least, factor: float = 1.0) -> bool:
        """Return whether less than the limit times a factor is free; a factor alone never makes an empty disk full."""
        space, inodes = max(least.bytes, least.share * self.size), least.share_of_inodes * self.inodes
        return self.free < _more(space, factor, self.size) or self.free_inodes < _more(inodes, factor, self.inodes)

    @property
    def share_free(self) -> float:
        """Return the share of bytes or of inodes that is free, whichever is smaller."""
        shares = [free / whole for free, whole in ((self.free, self.size), (self.free_inodes, self.inodes)) if whole]
        return min(shares, default=1.0)


def _more(limit: float, factor: float, whole: float) -> float:
    """Return a limit times a factor, at most halfway between the limit and the whole."""
    return min(limit * factor, (limit + max(whole, limit)) / 2) if factor > 1 else limit


def look(path: str) -> Disk:
    """Return the filesystem that a path is on. Raises OSError."""
    found, device = os.statvfs(path), os.stat(path).st_dev
    free = found.f_frsize * found.f_bavail
    size = found.f_frsize * (found.f_blocks - found.f_bfree) + free
    return Disk(path=path, device=device, size=size, free=free, inodes=found.f_files, free_inodes=found.f_favail)


def readable(count: int, units: Sequence[str]) -> str:
    """Return a number of bytes in the unit that fits, such as ``1.2 GB``; ``units`` are bytes and their multiples."""
    size, fitting = float(count), 0
    while size >= 1000 and fitting < len(units) - 1:
        size, fitting = size / 1024, fitting + 1
    return f"{size:.0f} {units[fitting]}" if size >= 10 or not fitting else f"{size:.1f} {units[fitting]}"
