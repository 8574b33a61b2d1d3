"""Where the spool is, and its directory, opened and fit for use."""

from __future__ import annotations

import os
import stat
import syslog
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pbxnotify import log
from pbxnotify.asterisk.config import spool_directory
from pbxnotify.errors import SpoolError
from pbxnotify.files import Directory

FOLDERS = ("tmp", "queue", "done", "failed", "state")


@contextmanager
def spool_errors() -> Iterator[None]:
    """Raise a system error as a SpoolError."""
    try:
        yield
    except OSError as error:
        instead = _who_may() if isinstance(error, PermissionError) else ""
        if instead:
            raise SpoolError(f"the spool is for Asterisk's user: {instead}") from error
        what = f"{error.strerror}: {error.filename or 'while writing'}"
        raise SpoolError(f"the spool cannot be used: {what}") from error


def spool_path() -> str:
    """Return the spool directory: $PBXNOTIFY_SPOOL, else pbxnotify/ in Asterisk's own spool."""
    return os.environ.get("PBXNOTIFY_SPOOL") or os.path.join(spool_directory(), "pbxnotify")


@spool_errors()
def open_directory() -> Directory:
    """Return the spool's directory with its folders, made if it is missing. Raises SpoolError if it is not ours."""
    path = spool_path()
    if not os.path.isdir(path):
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
    _require_ours(path, os.stat(path))  # which may not be ours to open
    directory = Directory(path)
    _require_ours(path, directory.status())
    there = directory.names()
    foreign = set(there).difference(FOLDERS, ("relay.json",))  # where earlier versions had it
    if foreign:  # a directory that others use too: it would be closed to them
        raise SpoolError(f"{path} is not a pbxnotify spool, it holds {min(foreign)}: use a separate directory")
    if directory.status().st_mode & 0o077:
        directory.set_mode(0o700)
        log.write(syslog.LOG_NOTICE, f"{path} was open to other users: set back to 0700")
    return _with_folders(directory, [folder for folder in FOLDERS if folder not in there])


def _require_ours(path: str, status: os.stat_result) -> None:
    """Raise SpoolError if the spool belongs to another user, or is a directory of root's that others may write."""
    ours = os.geteuid()
    if status.st_uid != ours:
        whose = f"the spool {path} belongs to user {status.st_uid}, not to {ours}"
        remedy = _who_may() or (
            f"run this as its owner or as root (sudo); if Asterisk runs as {ours}: chown -Rh {ours} {path}"
        )
        raise SpoolError(f"{whose}: {remedy}")
    if ours == 0 and status.st_mode & stat.S_IWOTH:  # as /dev/shm: not for us to close
        raise SpoolError(f"the spool {path} is a directory of root's in which others may write: use a separate one")


def _who_may() -> str:
    from pbxnotify.asterisk.user import who_may  # no script comes here: it runs as the owner

    return who_may()


def _with_folders(directory: Directory, missing: list[str]) -> Directory:
    """Make folders, durable: an item in a folder that a power cut takes away would go with it."""
    for folder in missing:
        directory.make(folder)
    if missing:
        from pbxnotify.spool.backoff import write_backoff

        write_backoff(directory, None)
        directory.sync()
        parent = Directory(os.path.dirname(os.path.abspath(os.fspath(directory))))
        parent.sync()
    return directory
