"""A queue item that this process has locked: one JSON file, and a voicemail's recording beside it.

Invariants:

- An item is written to tmp/, fsynced, renamed into queue/, and queue/ is fsynced: then it is durable.
- Its recording lies beside it before it is there, and until it is gone: wherever the item is, so is the recording.
- It is locked (flock) from birth to removal: a new version is locked before it is renamed over the old one, and a
  process that gets a lock checks the link count, because the file may have been replaced or removed just before.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.errors import SpoolError
from pbxnotify.events import Event, Voicemail
from pbxnotify.files import Directory, read_all, try_lock
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.spool.directory import spool_errors
from pbxnotify.spool.item import Item, RecipientState, new_item
from pbxnotify.spool.recording import keep_recording, recording_name

if TYPE_CHECKING:
    from typing import Any

    from pbxnotify.spool.item import ItemState

LONGEST = 16 * 1024 * 1024  # bytes of an item's file; the largest that we write have a hundredth of that


class QueueFile:
    """An item in the spool, locked by this process until ``release``."""

    def __init__(self, directory: Directory | None, item: Item, lock: int, folder: str = "queue") -> None:
        self.item = item
        self.line = ""  # the last line that was logged about it
        self._directory = directory
        self._folder = folder
        self._lock = lock

    @classmethod
    def new(cls, directory: Directory, event: Event, recording: int = -1) -> QueueFile:
        """Make an event durable in queue/, with its recording if an open one is given. Raises SpoolError."""
        item = new_item(event)
        kept = recording_name("queue", item.id, event)
        if kept and recording >= 0 and isinstance(event, Voicemail):
            try:
                keep_recording(recording, directory, kept)
                return cls(directory, item, _write_new(directory, item))
            except (OSError, SpoolError) as error:
                # Without it there may be room for the item, which must not wait in memory for a relay that is down.
                with suppress(OSError):
                    directory.remove(kept)
                why = f"the recording cannot be kept in the spool: {getattr(error, 'strerror', None) or error}"
                item = new_item(event._replace(recording="", trouble=why))
        return cls(directory, item, _write_new(directory, item))

    @classmethod
    def locked(cls, directory: Directory, identifier: str, folder: str = "queue") -> QueueFile | None:
        """Return an item, locked; None if another process has it or it is gone.

        Raises NewerItem, SpoolError if it cannot be read, and ValueError if it is damaged.
        """
        name = item_name(folder, identifier)
        lock = -1
        try:
            lock = directory.open_regular(name)
            if try_lock(lock) and os.fstat(lock).st_nlink:
                found = cls(directory, _item_of(read_all(lock, LONGEST + 1))._replace(id=identifier), lock, folder)
                lock = -1
                return found
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SpoolError(f"{directory}/{name} cannot be read: {error.strerror}") from error
        finally:
            if lock >= 0:
                os.close(lock)
        return None

    @staticmethod
    def read(directory: Directory, identifier: str, folder: str = "queue") -> Item | None:
        """Return an item without locking it; None if it is gone or damaged. Raises NewerItem."""
        try:
            return _item_of(directory.read(item_name(folder, identifier), LONGEST + 1))
        except (OSError, ValueError, TypeError):
            return None

    @spool_errors()
    def change(self, **fields: Any) -> None:
        """Replace the item by a new version, durable. Raises SpoolError if the disk takes none: the old one stays."""
        self.item = self.item._replace(**fields)
        previous, self._lock = self._lock, _write(self._spool, self._folder, self.item)
        os.close(previous)
        self._spool.sync(self._folder)

    def mark(self, address: str, state: str | None) -> None:
        """Record the state of one recipient; None: still to be sent the mail. Raises SpoolError."""
        states = {**self.item.recipients, address: state}
        self.change(recipients={address: known for address, known in states.items() if known})

    def fail(self, reason: str, *, doubted: bool = False) -> None:
        """Keep the item in failed/, where it is tried again at the admin's command. Raises SpoolError.

        If it is ``doubted``, an ini file that has changed puts it back as well.
        """
        with suppress(SpoolError):  # moving it needs no room
            self.change(reason=reason, doubted=doubted)
        self._move("failed")
        self.log_state("failed")

    def retry(self) -> None:
        """Put the item back as if it had just been queued, for those who do not have the mail. Raises SpoolError."""
        has_it = (RecipientState.SENT, RecipientState.SENT_WITHOUT)
        recipients = {address: state for address, state in self.item.recipients.items() if state in has_it}
        self.change(recipients=recipients, attempts=0, due=0.0, queued=time.time(), reason="", doubted=False)
        self._move("queue")
        self.log_state("queued")

    def end(self, state: ItemState, reason: str = "") -> None:
        """Remove the item: it was ``sent``, or is ``skipped``. Raises SpoolError."""
        with spool_errors():
            with suppress(FileNotFoundError):
                self._spool.remove(item_name(self._folder, self.item.id))
            self._spool.sync(self._folder)
            if self._recording:
                with suppress(FileNotFoundError):
                    self._spool.remove(self._recording)
        self.item = self.item._replace(reason=reason)
        self.log_state(state)
        self.release()

    def release(self) -> None:
        """Unlock the item for other processes."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def log_state(self, state: ItemState) -> None:
        """Log a change of state."""
        self.line = log.state(state, self.item.id, self.item.event, self.item.reason)

    def open_recording(self) -> int:
        """Return the descriptor of its recording. Raises OSError if it has none that can be read."""
        return self._spool.open_regular(self._recording)

    @property
    def scratch(self) -> str | None:
        """A directory for temporary files, which is swept; None for the system's."""
        return os.path.join(self._directory, "tmp") if self._directory else None

    @property
    def _spool(self) -> Directory:
        """The spool's directory, where there is one."""
        assert self._directory is not None, "an item that no spool has taken"
        return self._directory

    @property
    def _recording(self) -> str:
        """The name of its recording in the spool; empty if there is none."""
        return recording_name(self._folder, self.item.id, self.item.event)

    @spool_errors()
    def _move(self, folder: str) -> None:
        """Move the item to another folder, durable, with its recording there first. Raises SpoolError."""
        left, recording = self._folder, self._recording
        if folder == left:
            return
        if recording:
            self._copy_recording(recording_name(folder, self.item.id, self.item.event))
        self._spool.rename(item_name(left, self.item.id), item_name(folder, self.item.id))
        self._spool.sync(folder)
        self._spool.sync(left)
        if recording:
            with suppress(FileNotFoundError):
                self._spool.remove(recording)
        self._folder = folder

    def _copy_recording(self, name: str) -> None:
        """Keep its recording under another name as well. Raises OSError."""
        with suppress(FileExistsError, FileNotFoundError):  # there already, or it has none
            descriptor = self.open_recording()
            try:
                keep_recording(descriptor, self._spool, name)
            finally:
                os.close(descriptor)


def item_name(folder: str, identifier: str) -> str:
    """Return the name of an item's file in the spool."""
    return f"{folder}/{identifier}.json"


def _item_of(content: bytes) -> Item:
    """Return the item in a file. Raises NewerItem, and ValueError if it is damaged."""
    if len(content) > LONGEST:
        raise ValueError(f"longer than {LONGEST} bytes")
    return Item.from_json(content.decode())


def _write(directory: Directory, folder: str, item: Item) -> int:
    """Put an item in place, durable once its folder is synced; returns the descriptor of its lock. Raises OSError."""
    temporary = f"tmp/{item.id}.{os.getpid()}"
    lock = directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        try_lock(lock)
        with open(lock, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as file:
            file.write(item.to_json())
        os.fsync(lock)
        directory.rename(temporary, item_name(folder, item.id))
    except OSError:
        os.close(lock)
        with suppress(OSError):
            directory.remove(temporary)
        raise
    return lock


@spool_errors()
def _write_new(directory: Directory, item: Item) -> int:
    """Make a new item durable, whole or not at all: a caller that gets SpoolError sends it from memory."""
    lock = _write(directory, "queue", item)
    try:
        directory.sync("queue")
    except OSError:
        with suppress(OSError):
            directory.remove(item_name("queue", item.id))
        os.close(lock)
        raise
    return lock
