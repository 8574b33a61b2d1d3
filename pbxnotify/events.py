"""The events: a missed call, a voicemail or an alert, to and from JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence

from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import Any, Union

LEVELS = ("info", "warning", "critical")
LONGEST_LINE = 2000  # characters of a line in an alert
UNKNOWN_IN_JSON = {"duration": -1, "number": 0}  # what stands for None in a queue file


class Ring(NamedTuple):
    """What the phone of one extension did in a missed call."""

    extension: str
    time: float  # when it was first rung
    duration: int  # how long it rang, in whole seconds
    dial_status: str
    phone: str = ""


class MissedCall(NamedTuple):
    """A call with which nobody talked, for the extensions that were rung."""

    time: float = 0.0  # when it started ringing, in seconds since the epoch
    duration: int = 0  # how long it rang, in whole seconds
    extensions: tuple[str, ...] = ()
    caller_number: str = ""
    caller_name: str = ""
    private: bool = False  # the number is withheld: mails do not show it unless the settings say so
    dial_status: str = ""  # DIALSTATUS, QUEUESTATUS or ABANDONED; empty if the channel could not be asked
    linked_id: str = ""  # CHANNEL(linkedid), which all channels of one call share
    unique_id: str = ""  # UNIQUEID of the caller's channel
    phone: str = ""  # why the phone was not available, if that is known: ``declined`` or ``not registered``
    voicemail: bool = False
    """The caller left a voicemail afterwards: then the missed call is mailed only if the settings say so."""
    rings: tuple[Ring, ...] = ()  # what each phone did, where there were several

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "missed"

    def keys(self) -> dict[str, str]:
        """Return a key for each extension and caller: whoever claims it first notifies, whichever script that is."""
        parts = (self.extensions or ("",)) if self.linked_id else ()
        return {extension: f"missed-{self.linked_id}-{extension}-{self.caller_number}" for extension in parts}

    def only(self, extensions: Sequence[str]) -> MissedCall:
        """Return the same call for fewer extensions."""
        return self._replace(extensions=tuple(extension for extension in extensions if extension))

    def for_phones(self, extensions: Sequence[str]) -> MissedCall:
        """Return the call as the phones of some of its extensions saw it; the last one's outcome stands for theirs."""
        rings = [ring for ring in self.rings if ring.extension in extensions]
        if not rings:
            return self
        began = min(ring.time for ring in rings)
        return self._replace(
            time=began,
            duration=int(max(ring.time + ring.duration for ring in rings) - began),
            dial_status=rings[-1].dial_status,
            phone=rings[-1].phone,
        )

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return _caller_in_log(self), "&".join(self.extensions)


class Voicemail(NamedTuple):
    """A message that a caller left in a mailbox, for the employees who missed the call."""

    time: float = 0.0  # when the message began, in seconds since the epoch
    duration: int | None = None  # the length of the message in whole seconds
    extensions: tuple[str, ...] = ()
    caller_number: str = ""
    caller_name: str = ""
    private: bool = False
    linked_id: str = ""
    unique_id: str = ""
    mailbox: str = ""
    context: str = ""  # the mailbox's context in voicemail.conf
    number: int | None = None  # the message's number in its folder, counted from 1 as Asterisk does
    folder: str = ""  # the directory in which the message was left
    message_id: str = ""  # Asterisk's ``msg_id``, which the message keeps wherever it is moved
    place: str = ""  # what identifies the message once its file is gone
    recording: str = ""
    """The format of the recording that is kept with the event (``wav``, ``WAV`` ...); empty if there is none."""
    trouble: str = ""  # why there is no recording, or what is wrong with the message's files
    owners: tuple[str, ...] = ()
    """The mailboxes that have the message, as MAILBOX@CONTEXT, unless their owners are among the extensions."""
    common: bool = True  # whether it is for the common address, which may have it already

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "voicemail"

    def keys(self) -> dict[str, str]:
        """Return a key for each who is notified, "" being the common address.

        ``externnotify`` speaks of a message in each mailbox by itself, and may have notified some of them.
        """
        named = self.message_id or self.place
        parts = (*self.extensions, *self.owners, "") if named else ()
        return {part: f"voicemail-{named}-{part.removesuffix('@default')}" for part in parts}

    def aliases(self) -> tuple[str, ...]:
        """Return the keys that the scripts of a call claim: one of them notifies everybody.

        A later one may find the file gone, and then has no ``msg_id``.
        """
        names = (self.message_id, self.place) if self.linked_id else ()
        return tuple(f"voicemail-{name}" for name in names if name)

    def only(self, parts: Sequence[str]) -> Voicemail:
        """Return the same message for fewer people."""
        return self._replace(
            extensions=tuple(extension for extension in self.extensions if extension in parts),
            owners=tuple(owner for owner in self.owners if owner in parts),
            common="" in parts,
        )

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return _caller_in_log(self), "&".join(self.extensions or self.owners) or self.mailbox


class Alert(NamedTuple):
    """Something the administrator should know."""

    time: float = 0.0
    subject: str = ""
    body: str = ""
    key: str = ""  # what it is about: within a day the administrator is notified once for each key
    level: str = "warning"  # one of ``LEVELS``
    about: tuple[str, ...] = ()
    """The keys of its problems, each a thread in mail programs; without any, its own key makes the thread."""

    @property
    def kind(self) -> str:
        """Return its name in logs and files."""
        return "alert"

    def keys(self) -> dict[str, str]:
        """Return the one key, if the alert has one."""
        return {self.key: f"alert-{self.key}"} if self.key else {}

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return "pbxnotify", "admin"


def _caller_in_log(call: MissedCall | Voicemail) -> str:
    """Return the caller for the log, without a withheld number."""
    return "private" if call.private else call.caller_number or "unknown"


def without_withheld(event: Event) -> Event:
    """Return an event for the log: without a withheld number, also where the name repeats it."""
    if isinstance(event, Alert) or not event.private:
        return event
    from pbxnotify.phone_number import national  # for few events only

    number, name = event.caller_number, event.caller_name
    digits = national(number)
    repeats_it = number and (number in name or (digits and digits in re.sub(r"\D", "", name)))
    return event._replace(caller_number="", caller_name="" if repeats_it else name)


class Submission(NamedTuple):
    """The state of an event when its call is let go, and what is left to do."""

    status: str  # PBXNOTIFYSTATUS
    line: str  # the line for the Asterisk console
    deliver: Callable[[Callable[[str], None]], object] | None = None
    """Delivers the event, and reports the outcome for PBXNOTIFYSTATUS as soon as it is known."""


def new_alert(subject: str, body: str, key: str = "", level: str = "warning") -> Alert:
    """Return an alert made now, its texts cleaned; the body keeps its lines."""
    lines = "\n".join(clean(line, LONGEST_LINE) for line in body.splitlines())
    return Alert(time.time(), clean(subject), lines, clean(key), level)


if TYPE_CHECKING:
    Event = Union[MissedCall, Voicemail, Alert]
else:
    Event = (MissedCall, Voicemail, Alert)


def event_to_json(event: Event) -> dict[str, Any]:
    """Return an event as ``json`` can write it."""
    fields: dict[str, Any] = event._asdict()
    values: dict[str, Any] = {
        field: UNKNOWN_IN_JSON[field] if value is None else value for field, value in fields.items()
    }
    rings = [ring._asdict() for ring in values.pop("rings", ())]
    if rings:
        values["rings"] = rings
    return {"event": event.kind, **values}


def event_from_json(record: Mapping[str, Any]) -> Event:
    """Return the event of such a record. Raises ValueError on anything else."""
    kinds: dict[str, type[Event]] = {"missed": MissedCall, "voicemail": Voicemail, "alert": Alert}
    kind = kinds.get(str(record.get("event")))
    if kind is None:
        raise ValueError(f"an event of the kind {record.get('event')!r}")
    values = _checked(kind._field_defaults, record)
    if kind is MissedCall:
        examples = Ring("", 0.0, 0, "")._asdict()
        rings = record.get("rings", [])
        if not isinstance(rings, list) or not all(isinstance(ring, dict) for ring in rings):
            raise ValueError(f"rings is {rings!r}")
        values["rings"] = tuple(Ring(**_checked(examples, ring)) for ring in rings)
    return kind(**values)


def _checked(defaults: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a record, each of the same type as its default, which stands for a missing one."""
    values: dict[str, Any] = {}
    for field, default in defaults.items():
        usual = UNKNOWN_IN_JSON[field] if default is None else default
        value = record.get(field, usual)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(str(part) for part in value)
        elif isinstance(default, float) and isinstance(value, int) and abs(value) < 1e12:
            value = float(value)
        if type(value) is not type(usual) or re.search("[\ud800-\udfff]", str(value)):
            raise ValueError(f"{field} is {value!r}")
        values[field] = None if default is None and value == usual else value
    return values
