"""What one run of a script has to tell, and how far that has come."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping

from pbxnotify.errors import NewerItem
from pbxnotify.events import Event, Voicemail, event_from_json, event_to_json
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.text import clean

VERSION = 2
"""The version of the file's format. The first one did not name it; what it lacks has its default."""
LONGEST_PAUSE = 4080.0
"""Seconds between two attempts at most: what is due later was noted before the clock was set back."""

SWITCHED_OFF = "kept until they are switched on"
"""The end of the reason of an item that waits because somebody has switched such mails off, not for the relay."""
SENT, REFUSED, UNKNOWN = "sent", "refused", "unknown"
"""What is known of one recipient: has it, is not to be tried again, or may have it and gets one more copy."""
SENT_WITHOUT = "sent without the recording"
"""Has a voicemail mail that says where to listen: the message must stay in the mailbox."""
UNKNOWN_TWICE = "unknown twice"
"""May have two copies already, and gets no third."""
SENDING, SENDING_AGAIN = "sending", "sending again"
"""Written before the final dot, the second one for a recipient whose outcome was unknown before."""

KINDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "queued": (int, float),
    "recipients": dict,
    "decided": bool,
    "attempts": int,
    "due": (int, float),
    "settings": str,
    "reason": str,
}
"""What the fields of an item are in its file."""


class Item(NamedTuple):
    """What one run of a script has to tell, and how far that has come."""

    id: str
    event: Event
    queued: float
    """When it was queued, in seconds since the epoch."""
    recipients: Mapping[str, str] = {}
    """What is known of each address; not named if still to be told."""
    decided: bool = False
    """Readable settings have said that somebody is to be told: later it is not skipped any more."""
    attempts: int = 0
    due: float = 0.0
    """Not to be tried before, in seconds since the epoch."""
    settings: str = ""
    """The fingerprint of the ini file when it was last tried: with another one it is due."""
    reason: str = ""
    """Why it still waits, or why it failed."""

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
            whose = f"item {clean(str(record.get('id')))} has format {version}, of a newer pbxnotify"
            raise NewerItem(f"{whose}: it is left alone until that one runs")
        if not isinstance(record.get("event"), dict):
            raise ValueError("not an item")
        event = event_from_json(record.pop("event"))
        known = {field: record[field] for field in cls._fields if field in record}
        for field, kind in KINDS.items():
            value = known.get(field, cls._field_defaults.get(field))
            if not isinstance(value, kind) or (isinstance(value, (int, float)) and not abs(value) < 1e12):
                raise ValueError(f"{field} is {value!r}")
        return cls(event=event, **known)


def without_recording(item: Item, why: str) -> Item:
    """Return the item of a voicemail whose recording cannot be kept."""
    event = item.event
    return (
        item._replace(event=event._replace(recording="", trouble=why), reason=why)
        if isinstance(event, Voicemail)
        else item
    )


def identifier_of(epoch: float) -> str:
    """Return what the identifiers of items queued at this time start with; they sort by it."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(epoch))


def new_item(event: Event) -> Item:
    """Return the item of an event that has just happened."""
    now = time.time()
    reason = event.trouble if isinstance(event, Voicemail) else ""
    return Item(id=f"{identifier_of(now)}-{os.urandom(4).hex()}", event=event, queued=now, reason=reason)
