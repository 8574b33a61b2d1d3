"""What the monitor remembers from one look to the next: the problems there are, and what it has found out."""

from __future__ import annotations

import json
import syslog
from dataclasses import asdict, dataclass, fields
from typing import Any

from pbxnotify import log, records

LATEST = 1e11
"""No time that we remember is later, in seconds since the epoch."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong; times are seconds since the epoch."""

    subject: str
    since: float
    told: float = 0.0
    """When it was told last; 0 if it has not been told yet."""
    is_critical: bool = False
    ill: int = 0
    """Looks that have found it ill before it was told."""
    well: int = 0
    """Looks in a row that have found it well."""
    mailed: bool = False
    """The administrator has had a mail about it, so is told when it is over."""


@dataclass(frozen=True)
class Known:
    """What was found before."""

    started: float = 0.0
    """When Asterisk was started, at the latest; times are seconds since the epoch, 0 for unknown."""
    certificate_of: str = ""
    """Host and port of the relay."""
    certificate_looked_at: float = 0.0
    certificate_ends: float = 0.0


class Memory:
    """What the last look found, kept in the spool."""

    def __init__(self, known: Known | None = None, problems: dict[str, Problem] | None = None) -> None:
        """Begin with nothing known."""
        self.known = known or Known()
        self.problems = problems or {}

    @classmethod
    def read(cls, directory: str, *, complains: bool = False) -> Memory:
        """Return what is remembered; nothing is known where that is damaged, which is said in the log if wanted."""
        text = records.read(directory, records.MONITOR)[1]
        if not text.strip():
            return cls()
        try:
            record = json.loads(text)
            problems = {key: Problem(**_sound(Problem, value)) for key, value in record["problems"].items()}
            return cls(Known(**_sound(Known, record["known"])), problems)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if complains:
                log.write(syslog.LOG_ERR, "monitor: what it remembered is damaged; it starts afresh")
            return cls()

    def write(self, directory: str) -> bool:
        """Remember it; returns whether it could be."""
        record = {"known": asdict(self.known), "problems": {key: asdict(one) for key, one in self.problems.items()}}
        text = json.dumps(record, ensure_ascii=False)
        return records.write(directory, records.MONITOR, text.ljust(records.ROOM))


def _sound(kind: type, record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record; raises TypeError or ValueError for a value that is none of ours."""
    usual = {field.name: field.type for field in fields(kind)}
    for name, value in record.items():
        if type(value).__name__ != usual[name] and (usual[name], type(value)) != ("float", int):
            raise TypeError(f"{name} is {value!r}")
        if not isinstance(value, str) and not 0 <= value < LATEST:
            raise ValueError(f"{name} is {value!r}")
    return record
