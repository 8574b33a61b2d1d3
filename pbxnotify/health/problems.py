"""What the monitor remembers from one look to the next: the problems there are, and what it has found out."""

from __future__ import annotations

import json
import syslog
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

from pbxnotify import log
from pbxnotify.languages.language import Language
from pbxnotify.settings.sections import Settings
from pbxnotify.spool import state

WELL_TWICE = 2
"""Looks that must find something well before its problem is over: what comes and goes is one problem."""


LATEST = 1e11
"""No time that we remember is later, in seconds since the epoch."""


WELL, UNSURE, ILL = range(3)


@dataclass(frozen=True)
class Finding:
    """One thing that is watched, and how it is."""

    key: str
    state: int
    subject: str = ""
    text: str = ""
    is_critical: bool = False
    patience: int = 1
    """Looks in a row that must find it ill before it is told: what needs a moment after a start has one."""
    passes: bool = False
    """It is no state but something that has happened: told once, and never over."""
    by_mail: bool = True
    """Mail about it could leave now; else only syslog hears of it."""


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


class MonitorState:
    """What the last look found, kept in the spool."""

    def __init__(self, known: Known | None = None, problems: dict[str, Problem] | None = None) -> None:
        """Begin with nothing known."""
        self.known = known or Known()
        self.problems = problems or {}

    @classmethod
    def read(cls, directory: str, *, complains: bool = False) -> MonitorState:
        """Return what is remembered; nothing is known where that is damaged, which is said in the log if wanted."""
        text = state.read(directory, state.MONITOR).text
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
        return state.write(directory, state.MONITOR, text.ljust(state.ROOM))


def _sound(kind: type, record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record; raises TypeError or ValueError for a value that is none of ours."""
    usual = {field.name: field.type for field in fields(kind)}
    for name, value in record.items():
        if type(value).__name__ != usual[name] and (usual[name], type(value)) != ("float", int):
            raise TypeError(f"{name} is {value!r}")
        if not isinstance(value, str) and not 0 <= value < LATEST:
            raise ValueError(f"{name} is {value!r}")
    return record


@dataclass(frozen=True)
class Change:
    """What is to be told of a problem."""

    key: str
    identity: str
    """The same when the same is told again, because it was not known whether it had been."""
    subject: str
    text: str
    level: str
    by_mail: bool


class Step(NamedTuple):
    """What a look changes."""

    before: Problem | None = None
    """What is remembered until it is told: who dies in between tells it again."""
    after: Problem | None = None
    """What is remembered once it is told."""
    change: Change | None = None


class ProblemTracker:
    """The courses of all problems, in the administrator's words."""

    def __init__(self, settings: Settings, words: Language) -> None:
        self._settings = settings
        self._words = words
        self._now = time.time()

    def step(self, finding: Finding, problem: Problem | None) -> Step:
        """Return what a finding means for a problem that was there before, or was not."""
        if finding.passes:
            return Step(change=self._change(finding, finding.subject, finding.text, finding.text))
        if problem is None:
            new = Problem(finding.subject, self._now, is_critical=finding.is_critical, ill=1)
            return self._raised(finding, new) if finding.state == ILL else Step()
        # A clock that was set back must neither remind at once nor never.
        problem = replace(problem, since=min(problem.since, self._now), told=min(problem.told, self._now))
        if problem.told:
            return self._told_before(finding, problem)
        if finding.state == ILL:
            return self._raised(finding, replace(problem, subject=finding.subject, ill=problem.ill + 1))
        return Step() if finding.state == WELL else Step(problem, problem)

    def _raised(self, finding: Finding, problem: Problem) -> Step:
        if problem.ill < finding.patience:
            return Step(problem, problem)
        told = replace(problem, told=self._now, mailed=finding.by_mail)
        return Step(problem, told, self._change(finding, finding.subject, finding.text, f"raised {problem.since}"))

    def _told_before(self, finding: Finding, problem: Problem) -> Step:
        if finding.state == WELL:
            return self._well(finding, replace(problem, well=problem.well + 1))
        problem = replace(problem, well=0)
        if finding.state != ILL:
            return Step(problem, problem)
        is_worse = finding.is_critical and not problem.is_critical
        if not is_worse and self._now - problem.told < 3600 * self._settings.system.remind_hours:
            problem = replace(problem, subject=finding.subject)
            return Step(problem, problem)
        since = self._words.since.format(moment=self._words.moment(self._settings.moment(problem.since)))
        subject = finding.subject if is_worse else self._words.still.format(subject=finding.subject)
        change = self._change(finding, subject, f"{finding.text}\n{since}", f"still {problem.told}")
        told = replace(
            problem,
            subject=finding.subject,
            told=self._now,
            is_critical=problem.is_critical or finding.is_critical,
            mailed=problem.mailed or finding.by_mail,
        )
        return Step(problem, told, change)

    def _well(self, finding: Finding, problem: Problem) -> Step:
        if problem.well < WELL_TWICE:
            return Step(problem, problem)
        seconds = int(self._now - problem.since)
        length = self._words.duration(seconds if seconds < 60 else seconds - seconds % 60)
        subject, text = self._words.over.format(subject=problem.subject), self._words.lasted.format(length=length)
        over = Change(finding.key, f"over {problem.since}", subject, text, "info", problem.mailed)
        return Step(replace(problem, well=problem.well - 1), None, over)

    def _change(self, finding: Finding, subject: str, text: str, identity: str) -> Change:
        level = "critical" if finding.is_critical else "warning"
        return Change(finding.key, identity, subject, text, level, finding.by_mail)
