"""The durable queue on disk: tmp -> queue -> failed; done/ holds the keys of notified events, state/ records.

A key is claimed after its item is durable: a crash between the two doubles an item, it never loses one.
"""

from __future__ import annotations

import os
import re
import syslog
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pbxnotify import log
from pbxnotify.errors import SpoolError
from pbxnotify.events import Event, MissedCall, Voicemail
from pbxnotify.files import Directory, lock_within, try_lock
from pbxnotify.spool.directory import open_directory, spool_errors
from pbxnotify.spool.item import in_order
from pbxnotify.spool.queue_file import QueueFile, item_name

LONGEST_NAME = 200  # characters of a key's file name
PATIENCE = 5.0  # seconds for which a process waits to become the only one that sends what is due
CALL_PLACES, QUEUE_PLACES = ("tmp", "state"), ("queue",)
"""The folders that deliveries lock: two after calls, one ``queue run`` or another command. So three at most deliver at
once on a host, whatever the relay does: Microsoft 365 takes so many connections of one mailbox, and rejects a fourth.
To lock a folder takes no room, and it is there before the settings are read.
"""


class Spool:
    """The spool directory."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def add(self, event: Event, recording: int = -1) -> QueueFile | None:
        """Make an event durable and return its item, locked; None if all of it is already notified. Raises SpoolError.

        ``recording`` is the descriptor of a voicemail's recording, open for reading; -1 if there is none.
        """
        keys, aliases = event.keys(), _aliases(event)
        if any(map(self._has, aliases[:1])) or (keys and all(map(self._has, keys.values()))):
            log.state("skipped", "-", event, "already notified")
            return None
        queue_file = QueueFile.new(self.directory, event, recording)
        ours = [self._claim(alias) for alias in aliases]
        fresh = [part for part, key in keys.items() if self._claim(key)] if all(ours[:1]) else []
        if keys and not fresh:
            with suppress(SpoolError):  # then it is notified twice
                queue_file.end("skipped", "already notified")
            return None
        if isinstance(event, (MissedCall, Voicemail)) and len(fresh) < len(keys):
            with suppress(SpoolError):  # it is durable as it was, and narrowed in memory
                queue_file.change(event=event.only(fresh))
        queue_file.log_state("queued")
        return queue_file

    def forget(self, event: Event) -> None:
        """Remove the keys of an event: it may be notified again."""
        for key in (*event.keys().values(), *_aliases(event)):
            with suppress(OSError):
                self.directory.remove(_key(key))

    def identifiers(self, folder: str = "queue") -> list[str]:
        """Return the items of a folder, alerts first, each kind oldest first. Raises SpoolError."""
        with spool_errors():
            names = self.directory.names(folder)
        return sorted((name[:-5] for name in names if name.endswith(".json")), key=in_order)

    def folder_of(self, identifier: str) -> str | None:
        """Return the folder that an item is in, None if there is no such item. Lists nothing."""
        folders = ("queue", "failed") if identifier and "/" not in identifier else ()
        return next((one for one in folders if self.directory.has(item_name(one, identifier))), None)

    def lock(self, identifier: str, folder: str = "queue") -> QueueFile | None:
        """Return an item, locked; None if another process has it, or it is gone. A damaged one moves to failed/.

        Raises NewerItem, and SpoolError if its file cannot be read.
        """
        try:
            return QueueFile.locked(self.directory, identifier, folder)
        except (ValueError, TypeError) as error:
            why = f"its file is damaged and kept in failed/: {error}"
            log.write(syslog.LOG_ERR, f'failed id={identifier} reason="{why}"')
        with suppress(OSError):
            for name in self.directory.names(folder):
                if name.startswith(f"{identifier}.") and not name.endswith(".json"):  # its recording
                    self.directory.rename(f"{folder}/{name}", f"failed/{name}")
            self.directory.rename(item_name(folder, identifier), f"{item_name('failed', identifier)}.damaged")
        return None

    def log_untouched(self, identifier: str, reason: str) -> None:
        """Log why an item is not tried, once a day."""
        if self._claim(f"left-{identifier}"):
            log.write(syslog.LOG_ERR, f'deferred id={identifier} reason="{reason}"')

    @contextmanager
    def alone(self, folder: str = "queue", patience: float | None = None) -> Iterator[bool]:
        """Yield whether this process is the only one in a folder: some relays take one connection at a time."""
        descriptor = self.directory.open_folder(folder)
        try:
            yield lock_within(descriptor, PATIENCE if patience is None else patience)
        finally:
            os.close(descriptor)

    def take_place(self, folders: tuple[str, ...]) -> int | None:
        """Return a place to deliver in, to be given up with ``files.unlock``; None if others have them all.

        Who finds none leaves its item to them, and must have released it before asking for the last time: then whoever
        gives up a place, and looks at the queue once more after that, finds it.
        """
        for folder in folders:
            descriptor = -1
            try:
                descriptor = self.directory.open_folder(folder)
                if try_lock(descriptor):
                    return descriptor
            except OSError as error:
                log.write(syslog.LOG_ERR, f"no place to deliver in: {error.strerror}: {self.directory}/{folder}")
            if descriptor >= 0:
                os.close(descriptor)
        return None

    def _has(self, key: str) -> bool:
        return self.directory.has(_key(key))

    def _claim(self, key: str) -> bool:
        """Return whether the key is ours; one that cannot be written is: better notified twice than never."""
        try:
            os.close(self.directory.open(_key(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except OSError as error:
            return not isinstance(error, FileExistsError)
        return True


def open_spool() -> Spool:
    """Return the spool, made if it is missing. Raises SpoolError, also if it belongs to another user."""
    directory = open_directory()
    with spool_errors():
        is_writable = directory.is_writable("queue")
    if not is_writable:
        # What cannot be removed once it is sent would be sent again and again.
        raise SpoolError(f"the spool {directory} cannot be written: nothing is sent from it until it can")
    return Spool(directory)


def _aliases(event: Event) -> tuple[str, ...]:
    return event.aliases() if isinstance(event, Voicemail) else ()


def _key(key: str) -> str:
    """Return the name of the file that claims a key."""
    safe = re.sub(r"[^A-Za-z0-9.@+-]", lambda match: f"_{ord(match[0]):x}", key)
    if len(safe) > LONGEST_NAME:  # cut off, two keys could become one
        from hashlib import sha256

        safe = sha256(safe.encode()).hexdigest()
    return f"done/{safe}"
