"""Where the ini file is, and a new version of it put in place atomically.

Root does this in a directory that may be of Asterisk's user, who must not lead root to another file: the directory and
the new file are held by their descriptors, no link but root's own is followed, and nothing else is looked at.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress

from pbxnotify.errors import SettingsError
from pbxnotify.files import Directory
from pbxnotify.links import MOST_LINKS


class IniPlace:
    """The place of the ini file, its directory held open; where it is a link, that of the file it leads to."""

    def __init__(self, path: str) -> None:
        """Raise SettingsError, before anybody has typed anything, if the file cannot be replaced."""
        self.path = path
        try:
            self._directory, self._name = _resolved(os.path.abspath(path))
        except FileNotFoundError as error:
            what = f"there is no directory {error.filename}"
            raise SettingsError(f"{path}: {what}; name another file, or install Asterisk first") from None
        except OSError as error:
            raise SettingsError(f"{path}: cannot be replaced: {error.strerror}") from None
        if not self._directory.is_writable(""):
            what = f"cannot be replaced: {self._directory} is not writable"
            raise SettingsError(f"{path}: {what}; run this as root (sudo)")
        if self._directory.has(self._name):
            self._require_replaceable(self._directory.status(self._name))

    def _require_replaceable(self, status: os.stat_result) -> None:
        if os.geteuid() not in (0, status.st_uid):
            raise SettingsError(f"{self.path}: belongs to user {status.st_uid}; run this as root (sudo)")
        is_mounted = _is_mount_point(os.path.join(self._directory, self._name))
        if is_mounted or status.st_nlink > 1:
            what = "a mount point" if is_mounted else "a hard link to another name"
            raise SettingsError(f"{self.path}: cannot be replaced: it is {what}; edit it with another program")

    def replace(self, text: str, group: int = -1) -> None:
        """Replace the file, keeping owner, group and mode; a new one is 0640 with this group. Raises SettingsError."""
        directory, new = self._directory, f".pbxnotify-{os.urandom(8).hex()}.ini"
        try:
            descriptor = directory.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                self._copy_permissions(file.fileno(), group)
                os.fsync(file.fileno())
                if not os.path.samestat(directory.status(new), os.fstat(file.fileno())):
                    what = "unchanged: somebody replaced the new file before it was in place"
                    raise SettingsError(f"{self.path}: {what}")
            directory.rename(new, self._name)
            directory.sync()
        except OSError as error:
            raise SettingsError(f"{self.path}: unchanged: {error.strerror}") from error
        finally:
            with suppress(OSError):
                directory.remove(new)

    def _copy_permissions(self, new: int, group: int) -> None:
        """Give a new file owner, group, mode and access control list of the old one, if any. Raises OSError."""
        try:
            old = self._directory.open_regular(self._name)
        except FileNotFoundError:
            os.fchown(new, -1, group)
            os.fchmod(new, 0o640)
            return
        try:
            status = os.fstat(old)
            os.fchown(new, status.st_uid if status.st_uid != os.geteuid() else -1, status.st_gid)
            with suppress(OSError):  # a filesystem without them
                for attribute in os.listxattr(old):
                    with suppress(OSError):
                        os.setxattr(new, attribute, os.getxattr(old, attribute))
            os.fchmod(new, stat.S_IMODE(status.st_mode))
        finally:
            os.close(old)


def _is_mount_point(path: str) -> bool:
    """Return whether a file is mounted there, as into a container.

    os.path.ismount() takes files of an overlay filesystem for that: their device is another than their directory's
    where its layers lie on several (as in OpenWrt, or a live system).
    """
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        points = (line.split(" ")[4] for line in mounts)
        return os.path.realpath(path) in (re.sub(r"\\([0-7]{3})", _unescaped, point) for point in points)
    return False


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _resolved(path: str) -> tuple[Directory, str]:
    """Return the directory and the name that a path leads to, through links that we may follow. Raises OSError."""
    for _ in range(MOST_LINKS):
        parent, name = os.path.split(path)
        directory = Directory(parent)
        target = directory.target(name)
        if target is None:
            return directory, name
        path = os.path.join(parent, target)
    raise OSError(0, "too many links", path)
