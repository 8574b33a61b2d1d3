"""What happened: a missed call, a voicemail or an alert, to and from JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import Any, Union

UNKNOWN_LENGTH = -1
LEVELS = ("info", "warning", "critical")
LONGEST_LINE = 2000
"""Characters of a line in an alert."""


class MissedCall(NamedTuple):
    """A call that nobody answered, for the extensions that were rung."""

    time: float = 0.0
    """When it began to ring, in seconds since the epoch."""
    duration: int = 0
    """How long it rang, in whole seconds."""
    extensions: tuple[str, ...] = ()
    caller_number: str = ""
    caller_name: str = ""
    private: bool = False
    """The caller withheld the number: it is not mailed unless the admin says so."""
    dial_status: str = ""
    """DIALSTATUS, or how the queue was left; empty if the channel could not say."""
    linked_id: str = ""
    """What all channels of one call have in common, CHANNEL(linkedid)."""
    unique_id: str = ""
    """The caller's channel, UNIQUEID."""
    phone: str = ""
    """What is known of a phone that was not available: ``declined``, ``not registered`` or nothing."""
    voicemail: bool = False
    """The caller left a voicemail afterwards: it is mailed only if the admin says so."""

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "missed"

    def keys(self) -> dict[str, str]:
        """Return the key of each extension; a key names what has been told, whichever script told it."""
        parts = (self.extensions or ("",)) if self.linked_id else ()
        return {extension: f"missed-{self.linked_id}-{extension}" for extension in parts}

    def only(self, extensions: Sequence[str]) -> MissedCall:
        """Return the same call for fewer extensions."""
        return self._replace(extensions=tuple(extension for extension in extensions if extension))

    def aliases(self) -> tuple[str, ...]:
        """Return none: the keys say it all."""
        return ()

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return _caller_in_log(self), "&".join(self.extensions)


class Voicemail(NamedTuple):
    """A message that a caller left in a mailbox, for the employees who missed the call."""

    time: float = 0.0
    """When the message began, in seconds since the epoch."""
    duration: int = UNKNOWN_LENGTH
    """How long the message is, in whole seconds; ``UNKNOWN_LENGTH`` if nothing says so."""
    extensions: tuple[str, ...] = ()
    caller_number: str = ""
    caller_name: str = ""
    private: bool = False
    linked_id: str = ""
    unique_id: str = ""
    mailbox: str = ""
    context: str = ""
    """The mailbox's context in voicemail.conf."""
    number: int = 0
    """The message's number in its folder, counted from 1 as Asterisk does; 0 if unknown."""
    folder: str = ""
    """The directory in which it was left."""
    message_id: str = ""
    """What Asterisk calls the message wherever it is moved, ``msg_id``."""
    place: str = ""
    """What names the message while its file lies there no more."""
    recording: str = ""
    """The format of the recording that is kept with the event (``wav``, ``WAV`` ...); empty if there is none."""
    trouble: str = ""
    """Why there is no recording, or what is odd about the message."""

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "voicemail"

    def keys(self) -> dict[str, str]:
        """Return the one key: a message is told once, to all who missed the call."""
        named = self.message_id or self.place
        return {named: f"voicemail-{named}"} if named else {}

    def aliases(self) -> tuple[str, ...]:
        """Return a key that is claimed as well: a later script may find the file gone, and not know the ``msg_id``."""
        return (f"voicemail-{self.place}",) if self.place else ()

    def only(self, keys: Sequence[str]) -> Voicemail:
        """Return itself: a message has one part."""
        return self

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return _caller_in_log(self), "&".join(self.extensions) or self.mailbox


class Alert(NamedTuple):
    """Something the administrator should know."""

    time: float = 0.0
    subject: str = ""
    body: str = ""
    key: str = ""
    """What it tells: an alert with the same key within a day is told already."""
    level: str = "warning"
    """One of ``LEVELS``."""
    about: tuple[str, ...] = ()
    """The problems it is about, each a conversation in mail programs; none: the key names it."""

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "alert"

    def keys(self) -> dict[str, str]:
        """Return the one key, as for a call."""
        return {self.key: f"alert-{self.key}"} if self.key else {}

    def only(self, keys: Sequence[str]) -> Alert:
        """Return itself: an alert has one part."""
        return self

    def aliases(self) -> tuple[str, ...]:
        """Return none: the key says it all."""
        return ()

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return "pbxnotify", "admin"


def _caller_in_log(call: MissedCall | Voicemail) -> str:
    """Return the caller for the log, where a withheld number has no place either."""
    return "private" if call.private else call.caller_number or "unknown"


class Submission(NamedTuple):
    """What became of an event by the time its call is let go, and what is left to do."""

    status: str
    """PBXNOTIFYSTATUS."""
    line: str
    """For the Asterisk console."""
    deliver: Callable[[Callable[[str], None]], object] | None = None
    """Delivers the event, and reports the outcome for PBXNOTIFYSTATUS as soon as it is known."""


def new_alert(subject: str, body: str, key: str = "", level: str = "warning") -> Alert:
    """Return an alert of an admin's words, cleaned; the lines of the body stay."""
    lines = "\n".join(clean(line, LONGEST_LINE) for line in body.splitlines())
    return Alert(time.time(), clean(subject), lines, clean(key), level)


if TYPE_CHECKING:
    Event = Union[MissedCall, Voicemail, Alert]
else:
    Event = (MissedCall, Voicemail, Alert)
KINDS: dict[str, type[MissedCall] | type[Voicemail] | type[Alert]] = {
    "missed": MissedCall,
    "voicemail": Voicemail,
    "alert": Alert,
}


def event_to_json(event: Event) -> dict[str, Any]:
    """Return an event as what ``json`` can write."""
    return {"event": event.kind, **event._asdict()}


def event_from_json(record: Mapping[str, Any]) -> Event:
    """Return the event that ``to_json`` made into a record; raises ValueError on anything else."""
    kind = KINDS.get(str(record.get("event")))
    if kind is None:
        raise ValueError(f"an event of the kind {record.get('event')!r}")
    values: dict[str, Any] = {}
    for field, default in kind._field_defaults.items():
        value = record.get(field, default)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(str(part) for part in value)
        elif isinstance(default, float) and isinstance(value, int) and abs(value) < 1e12:
            value = float(value)
        if type(value) is not type(default) or re.search("[\ud800-\udfff]", str(value)):
            raise ValueError(f"{field} is {value!r}")
        values[field] = value
    return kind(**values)
