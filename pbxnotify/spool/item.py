"""A queue item: an event, what is known about each recipient, and when it is tried again; to and from JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from enum import Enum

from pbxnotify.errors import NewerItem
from pbxnotify.events import Alert, Event, Voicemail, event_from_json, event_to_json
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import Literal

    ItemState = Literal["queued", "sent", "deferred", "failed", "skipped"]

VERSION = 2  # the version of the file's format. The first one did not name it; fields it lacks have their defaults.
LONGEST_PAUSE = 4080.0
"""Seconds between two attempts at most: an item that is due later was written before the clock was set back."""
ALERT = "alert-"
"""The beginning of an alert's identifier: alerts leave first, and no file need be read to know them."""
SWITCHED_OFF = "kept until they are switched on"
"""The end of the reason of an item that waits because such mails have been switched off, not for the relay."""


class RecipientState(str, Enum):
    """What is known about one recipient; a recipient that has no state is still to be sent the mail."""

    SENT = "sent"
    SENT_WITHOUT = "sent without the recording"
    """Has a voicemail mail that says where to listen: the message must stay in the mailbox."""
    REFUSED = "refused"  # is not tried again
    SENDING = "sending"  # written before the final dot
    UNKNOWN = "unknown"  # may have the mail, and gets one more copy
    SENDING_AGAIN = "sending again"  # written before the final dot of that copy
    UNKNOWN_TWICE = "unknown twice"  # may have two copies, and gets no third


class Item(NamedTuple):
    """An event in the queue."""

    id: str
    event: Event
    queued: float  # in seconds since the epoch, as all times
    recipients: Mapping[str, str] = {}
    """The RecipientState of each address, or what else is in the file: then the address is not tried again."""
    decided: bool = False  # settings that could be read had recipients for it: it is not skipped any more
    attempts: int = 0
    due: float = 0.0  # when it may be tried
    settings: str = ""  # the fingerprint of the ini file at the last attempt: with another one the item is due
    reason: str = ""  # why it still waits, or why it failed
    doubted: bool = False
    """The relay has not taken it for what may be about us: another ini file puts it back if it has failed."""

    def is_due(self, fingerprint: str) -> bool:
        """Return whether it may be tried; a changed ini file ends every backoff."""
        return not 0 < self.due - time.time() <= LONGEST_PAUSE or self.settings != fingerprint

    def to_json(self) -> str:
        """Return the item as the text of its file."""
        record = {"version": VERSION, **self._asdict(), "event": event_to_json(self.event)}
        return json.dumps(record, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Item:
        """Return the item that ``to_json`` wrote. Raises NewerItem, and ValueError on anything else."""
        try:
            record = json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(record, dict):
            raise ValueError("not an item")
        version = record.get("version", 1)
        if isinstance(version, int) and version > VERSION:
            which = f"item {clean(str(record.get('id')))} has format {version}, of a newer pbxnotify"
            raise NewerItem(f"{which}: it stays in the queue until that version runs")
        if not isinstance(record.get("event"), dict):
            raise ValueError("not an item")
        record["event"] = event = event_from_json(record["event"])
        known = {field: record[field] for field in cls._fields if field in record}
        for field, example in cls("", event, 0.0)._asdict().items():
            value = known.get(field, cls._field_defaults.get(field))
            kind = (int, float) if isinstance(example, float) else type(example)
            if not isinstance(value, kind) or (isinstance(value, (int, float)) and not abs(value) < 1e12):
                raise ValueError(f"{field} is {value!r}")
        return cls(**known)


def identifier_of(epoch: float) -> str:
    """Return the beginning of the identifiers of items queued at this time, behind ``ALERT``; they sort by it."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(epoch))


def in_order(identifier: str) -> tuple[bool, str]:
    """Return what identifiers are sorted by: alerts first, each kind oldest first."""
    return (not identifier.startswith(ALERT), identifier)


def is_older(identifier: str, moment: str) -> bool:
    """Return whether an item was queued no later than a moment (``identifier_of``), by the clock of then."""
    return identifier[len(ALERT) if identifier.startswith(ALERT) else 0 :] <= moment


def new_item(event: Event) -> Item:
    """Return the item of an event that has just happened."""
    now = time.time()
    reason = event.trouble if isinstance(event, Voicemail) else ""
    kind = ALERT if isinstance(event, Alert) else ""
    return Item(id=f"{kind}{identifier_of(now)}-{os.urandom(4).hex()}", event=event, queued=now, reason=reason)
