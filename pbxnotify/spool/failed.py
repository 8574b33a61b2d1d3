"""What lies in failed/: listed, counted and removed without being read, as there may be very much of it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from pbxnotify.files import Directory, try_lock
from pbxnotify.spool.directory import spool_errors

ITEM, DAMAGED = ".json", ".json.damaged"


class Failed(NamedTuple):
    """What lies in failed/, the oldest first."""

    items: list[str]  # identifiers
    damaged: list[str]  # names of files


class Removed(NamedTuple):
    """How much was removed from failed/."""

    items: int
    damaged: int
    trouble: str  # why the first of what is still there could not be removed; empty if nothing was in the way


class _ByAge(NamedTuple):
    old: list[str]  # names of the files of items and damaged items, an item before what is damaged of it
    young: set[str]  # identifiers
    recordings: dict[str, list[str]]  # names of files, by identifier


def list_failed(directory: Directory) -> Failed:
    """Return what lies in failed/ of a spool. Raises SpoolError."""
    with spool_errors():
        names = sorted(directory.names("failed"))
    items = [name[: -len(ITEM)] for name in names if name.endswith(ITEM)]
    return Failed(items, [name for name in names if name.endswith(DAMAGED)])


def remove_failed(directory: Directory, before: float) -> Removed:
    """Remove what was last written before a time: items with their recordings, and damaged files. Raises SpoolError.

    It stays if another process has it, as ``queue retry`` does.
    """
    items = damaged = 0
    trouble = ""
    with spool_errors():
        found = _by_age(directory, before)
        for name in found.old:
            identifier = _identifier(name)
            try:
                if not _unlink_unless_locked(directory, f"failed/{name}"):
                    found.young.add(identifier)
                    continue
                items, damaged = items + name.endswith(ITEM), damaged + name.endswith(DAMAGED)
                for recording in found.recordings.get(identifier, ()) if identifier not in found.young else ():
                    directory.remove(f"failed/{recording}")
            except OSError as error:
                trouble = trouble or f"{error.strerror}: {error.filename}"
        directory.sync("failed")
    return Removed(items, damaged, trouble)


def _by_age(directory: Directory, before: float) -> _ByAge:
    """Return what was last written before a time, and what was not. Raises OSError."""
    old, young, recordings = list[str](), set[str](), dict[str, list[str]]()
    for name in directory.names("failed"):
        if not name.endswith((ITEM, DAMAGED)):
            recordings.setdefault(_identifier(name), []).append(name)
            continue
        with suppress(FileNotFoundError):  # gone by now
            if directory.status(f"failed/{name}").st_mtime < before:
                old.append(name)
            else:
                young.add(_identifier(name))
    return _ByAge(sorted(old), young, recordings)


def _identifier(name: str) -> str:
    return name.partition(".")[0]


def _unlink_unless_locked(directory: Directory, name: str) -> bool:
    """Unlink an item, whatever its file is; returns False if a process has it, or has replaced it. Raises OSError."""
    lock = -1
    try:
        with suppress(OSError):  # a link, or a file that may not be read: nobody can have locked it
            lock = directory.open(name)
        if lock >= 0 and not (try_lock(lock) and os.fstat(lock).st_nlink):
            return False
        directory.remove(name)
    except FileNotFoundError:
        return False
    finally:
        if lock >= 0:
            os.close(lock)
    return True
