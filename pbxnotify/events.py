"""What happened: a missed call or an alert, to and from JSON, and as a line of the log.

These are NamedTuples and not dataclasses because a call waits while this module is imported: ``dataclasses`` is 8 ms of
that, ``typing.NamedTuple`` 2 ms (Python 3.11).
"""

from __future__ import annotations

import os
import re
import syslog
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Union

ANSWERED_ELSEWHERE = "26"  # HANGUPCAUSE of the losing legs of a group, Asterisk's include/asterisk/causes.h
LONGEST_TEXT = 256  # characters; Asterisk cuts caller ID names at 79 bytes, a number may be longer


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return text from outside as one printable line of at most ``longest`` characters.

    A SIP caller can put newlines, terminal escapes and bytes that are no UTF-8 into the caller ID. Line breaks and
    controls become spaces, bad bytes U+FFFD; a character that Asterisk cut in half at the end is dropped.
    """
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").rstrip("\ufffd")
    printable = "".join(character if character.isprintable() else " " for character in readable)
    return " ".join(printable.split())[:longest]


def extensions_in(argument: str) -> tuple[str, ...]:
    """Return the extensions in ``101&102`` or ``101,102``, each once; ``PJSIP/101``, ``Local/101@phones`` mean 101."""
    parts = (clean(part).partition("@")[0].rpartition("/")[2] for part in re.split(r"[&,\s]+", argument))
    return tuple(dict.fromkeys(part for part in parts if part))


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

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log, where a withheld number has no place either."""
        caller = "private" if self.private else self.caller_number or "unknown"
        return caller, "&".join(self.extensions)


class Alert(NamedTuple):
    """Something the administrator should know."""

    time: float = 0.0
    subject: str = ""
    body: str = ""
    key: str = ""
    """What it is about: an alert with the same key within a day is told already."""

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

    def parties(self) -> tuple[str, str]:
        """Return from and to for the log."""
        return "pbxnotify", "admin"


Event = Union[MissedCall, Alert]
Deliver = Callable[[Callable[[str], None]], object]
"""Delivers an event, and reports the outcome for PBXNOTIFYSTATUS as soon as it is known."""
Way = tuple[str, str, "Deliver | None"]
"""How far an event has come: PBXNOTIFYSTATUS, a line for the console, and what is left once the call is let go."""
KINDS: dict[str, type[MissedCall] | type[Alert]] = {"missed": MissedCall, "alert": Alert}


def missed_call(channel: Mapping[str, str], argument: str = "", now: float | None = None) -> MissedCall | None:
    """Return the missed call that a channel tells of, None if there is nothing to tell.

    ``argument`` names the extensions that were rung, else PBXNOTIFY_TO, else the dialled number. A variable that is
    unset is empty in the channel; one that could not be read is missing, and a call that says too little is told.
    """
    dial_status = _missed_because(channel)
    if dial_status is None:
        return None
    ended = time.time() if now is None else now
    began = _began(channel, ended)
    rung = argument or channel.get("PBXNOTIFY_TO") or channel.get("CALLERID(dnid)") or channel.get("EXTEN", "")
    return MissedCall(
        time=began,
        duration=int(ended) - int(began),
        extensions=extensions_in(rung),
        caller_number=clean(channel.get("CALLERID(num)", "")),
        caller_name=clean(re.sub(r'\\(["\\])', r"\1", channel.get("CALLERID(name)", ""))),
        private=channel.get("CALLERID(num-pres)", "").startswith("prohib"),
        dial_status=clean(dial_status),
        linked_id=clean(channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")),
    )


def _missed_because(channel: Mapping[str, str]) -> str | None:
    """Return why the call counts as missed, None if it does not, an empty text if the channel could not say."""
    dial_status, queue_status = channel.get("DIALSTATUS", ""), channel.get("QUEUESTATUS", "")
    if dial_status == "ANSWER" or queue_status == "CONTINUE" or channel.get("HANGUPCAUSE") == ANSWERED_ELSEWHERE:
        return None
    if queue_status or channel.get("ABANDONED"):
        return queue_status or "ABANDONED"
    if dial_status:
        return dial_status
    if channel.get("VMSTATUS") == "FAILED":
        return "NOANSWER"
    if channel.get("CDR(lastapp)") == "Queue":
        return None  # a queue that was answered sets neither QUEUESTATUS nor ABANDONED
    cause_before = channel.get("PBXNOTIFY_CAUSE")
    return "" if cause_before is None else cause_before or None


def _began(channel: Mapping[str, str], ended: float) -> float:
    """Return when ringing began: noted by ``watch``, else the channel's creation (``epoch.n``, ``name-epoch.n``)."""
    for text in (channel.get("PBXNOTIFY_SINCE", ""), channel.get("UNIQUEID", "")):
        epoch = re.search(r"(?:^|-)(\d{9,11})(?:\.\d+)?$", text)
        if epoch and ended - 86400 < int(epoch[1]) <= ended:
            return float(epoch[1])
    return ended


def to_json(event: Event) -> dict[str, Any]:
    """Return an event as what ``json`` can write."""
    return {"event": event.kind, **event._asdict()}


def from_json(record: Mapping[str, Any]) -> Event:
    """Return the event that ``to_json`` made into a record; raises ValueError on anything else."""
    kind = KINDS.get(record.get("event", ""))
    if kind is None:
        raise ValueError(f"an event of the kind {record.get('event')!r}")
    values: dict[str, Any] = {}
    for field, default in kind._field_defaults.items():
        value = record.get(field, default)
        if isinstance(default, tuple) and isinstance(value, list):
            value = tuple(str(part) for part in value)
        elif isinstance(default, float) and isinstance(value, int):
            value = float(value)
        if type(value) is not type(default):
            raise ValueError(f"{field} is {value!r}")
        values[field] = value
    return kind(**values)


def open_log(*, to_stderr: bool = False) -> None:
    """Name ourselves in syslog; a command run by hand shows its lines on stderr as well."""
    syslog.openlog("pbxnotify", syslog.LOG_PERROR if to_stderr else 0, syslog.LOG_MAIL)


open_log()

PRIORITIES = {"deferred": syslog.LOG_WARNING, "failed": syslog.LOG_ERR}


def log(state: str, identifier: str, event: Event, reason: str = "") -> str:
    """Say a change of state in syslog, one line; returns the line.

    ``$PBXNOTIFY_LOG`` names a file that gets the line too, for boxes without a syslog (containers).
    """
    caller, called = event.parties()
    line = f"{state} id={identifier} event={event.kind} from={_word(caller)} to={_word(called)}"
    if reason:
        line += f' reason="{clean(reason, 2000).replace(chr(34), chr(39))}"'
    write_log(PRIORITIES.get(state, syslog.LOG_INFO), line)
    return f"pbxnotify: {line}"


def write_log(priority: int, line: str) -> None:
    """Write a line to syslog and to the file that ``$PBXNOTIFY_LOG`` names. Never raises: no log may stop a mail."""
    syslog.syslog(priority, line.replace("\0", " "))
    path = os.environ.get("PBXNOTIFY_LOG")
    if path:
        try:
            with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} pbxnotify: {line}\n")
        except OSError as error:
            syslog.syslog(syslog.LOG_WARNING, f"cannot write {path}: {error.strerror}")


def _word(text: str) -> str:
    """Return text as one word of a log line."""
    return re.sub(r'[\s"=]+', "_", clean(text)) or "-"
