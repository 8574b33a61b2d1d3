"""Problems that the monitor observes are raised, reminded of and resolved; the spool keeps them between its runs."""

from __future__ import annotations

import json
import syslog
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from pbxnotify import log
from pbxnotify.files import Directory
from pbxnotify.languages.language import Language
from pbxnotify.settings.sections import Settings
from pbxnotify.spool import state

OK_TWICE = 2  # runs that must observe ok before a problem is resolved: one that comes and goes is one problem
LATEST = 1e11  # no time that we keep is later, in seconds since the epoch
FILE_KEYS = {"notified": "told", "problem_runs": "ill", "ok_runs": "well"}
"""Keys of the file that differ from the names of the fields."""


class State(IntEnum):
    """The state of something that is watched; the higher, the worse."""

    OK = 0
    UNKNOWN = 1
    PROBLEM = 2


class Observation(NamedTuple):
    """One thing that is watched, and its state."""

    key: str
    state: State
    subject: str = ""
    text: str = ""
    is_critical: bool = False
    patience: int = 1
    """Runs in a row that must observe the problem before it is raised: some things need a moment after a start."""
    happened: bool = False  # it is something that has happened, not a state: it is reported once, and never resolved
    by_mail: bool = True  # mail about it could leave now; otherwise it goes to syslog only


@dataclass(frozen=True)
class Problem:
    """Something that is wrong; times are seconds since the epoch."""

    subject: str
    since: float
    notified: float | None = None  # when the administrator was last notified; None if not yet
    is_critical: bool = False
    problem_runs: int = 0  # runs that have observed it before it was raised
    ok_runs: int = 0  # runs in a row that have observed ok
    mailed: bool = False  # the administrator has had a mail about it, so gets one when it is resolved


@dataclass(frozen=True)
class Known:
    """What else a run leaves to the next one; times are seconds since the epoch, None for unknown."""

    started: float | None = None  # the latest moment at which Asterisk may have been started
    certificate_of: str = ""  # host and port of the relay
    certificate_looked_at: float | None = None
    certificate_ends: float | None = None


Kept = TypeVar("Kept", Problem, Known)


@dataclass(frozen=True)
class MonitorState:
    """What one run of the monitor leaves to the next, in a file of the spool."""

    known: Known = Known()
    problems: Mapping[str, Problem] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Directory, *, complains: bool = False) -> MonitorState:
        """Return what the last run has left; an empty state if that is damaged, which is logged if ``complains``."""
        text = state.read(directory, state.MONITOR).text
        if not text.strip():
            return cls()
        try:
            record = json.loads(text)
            problems = {key: _from_record(Problem, value) for key, value in record["problems"].items()}
            return cls(_from_record(Known, record["known"]), problems)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            if complains:
                log.write(syslog.LOG_ERR, "monitor: the record of its problems is damaged; it starts with a new one")
            return cls()

    def write(self, directory: Directory) -> bool:
        """Write the state; returns whether that was possible."""
        record = {"known": _to_record(self.known), "problems": {key: _to_record(p) for key, p in self.problems.items()}}
        text = json.dumps(record, ensure_ascii=False)
        return state.write(directory, state.MONITOR, text.ljust(state.ROOM))


def _to_record(one: Problem | Known) -> dict[str, Any]:
    """Return the fields by their keys in the file, where 0 stands for unknown."""
    return {FILE_KEYS.get(name, name): 0.0 if value is None else value for name, value in asdict(one).items()}


def _from_record(kind: type[Kept], record: dict[str, Any]) -> Kept:
    """Return what a record holds; raises KeyError, TypeError or ValueError for what we would not write."""
    by_key = {FILE_KEYS.get(one.name, one.name): one for one in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in record.items():
        wanted = str(by_key[key].type).partition(" ")[0]
        if type(value).__name__ != wanted and (wanted, type(value)) != ("float", int):
            raise TypeError(f"{key} is {value!r}")
        if not isinstance(value, str) and not 0 <= value < LATEST:
            raise ValueError(f"{key} is {value!r}")
        values[by_key[key].name] = None if by_key[key].default is None and not value else value
    return kind(**values)


class Change(NamedTuple):
    """What the administrator is to be notified of."""

    key: str
    identity: str
    """The same each time the same notification is repeated because it is not known whether the first one left."""
    subject: str
    text: str
    level: str
    by_mail: bool


class Step(NamedTuple):
    """What one run of the monitor changes about one problem."""

    before: Problem | None = None
    """What is kept until the notification is done: if the process dies before that, the next run repeats it."""
    after: Problem | None = None  # what is kept from then on
    change: Change | None = None


class ProblemTracker:
    """Decides at each observation whether a problem is raised, reminded of or resolved."""

    def __init__(self, settings: Settings, words: Language) -> None:
        self._settings = settings
        self._words = words
        self._now = time.time()

    def step(self, seen: Observation, problem: Problem | None) -> Step:
        """Return what an observation means for the problem that was there before, if any."""
        if seen.happened:
            return Step(change=_change(seen, seen.subject, seen.text, seen.text))
        if problem is None:
            new = Problem(seen.subject, self._now, is_critical=seen.is_critical, problem_runs=1)
            return self._raise(seen, new) if seen.state == State.PROBLEM else Step()
        # A clock that was set back must neither cause a reminder at once nor prevent it for good.
        problem = replace(problem, since=min(problem.since, self._now))
        if problem.notified:
            return self._follow(seen, replace(problem, notified=min(problem.notified, self._now)))
        if seen.state == State.PROBLEM:
            return self._raise(seen, replace(problem, subject=seen.subject, problem_runs=problem.problem_runs + 1))
        return Step() if seen.state == State.OK else Step(problem, problem)

    def _raise(self, seen: Observation, problem: Problem) -> Step:
        """Raise a problem, unless it needs more runs to be sure of it."""
        if problem.problem_runs < seen.patience:
            return Step(problem, problem)
        raised = replace(problem, notified=self._now, mailed=seen.by_mail)
        return Step(problem, raised, _change(seen, seen.subject, seen.text, f"raised {problem.since}"))

    def _follow(self, seen: Observation, problem: Problem) -> Step:
        if seen.state == State.OK:
            return self._resolve(seen, replace(problem, ok_runs=problem.ok_runs + 1))
        problem = replace(problem, ok_runs=0)
        if seen.state != State.PROBLEM:
            return Step(problem, problem)
        is_worse = seen.is_critical and not problem.is_critical
        if is_worse or self._now - (problem.notified or 0) >= 3600 * self._settings.system.remind_hours:
            return self._remind(seen, problem, is_worse)
        problem = replace(problem, subject=seen.subject)
        return Step(problem, problem)

    def _remind(self, seen: Observation, problem: Problem, is_worse: bool) -> Step:
        since = self._words.since.format(moment=self._words.moment(self._settings.moment(problem.since)))
        subject = seen.subject if is_worse else self._words.still.format(subject=seen.subject)
        is_critical, mailed = problem.is_critical or seen.is_critical, problem.mailed or seen.by_mail
        reminded = replace(problem, subject=seen.subject, notified=self._now, is_critical=is_critical, mailed=mailed)
        return Step(problem, reminded, _change(seen, subject, f"{seen.text}\n{since}", f"still {problem.notified}"))

    def _resolve(self, seen: Observation, problem: Problem) -> Step:
        """Resolve a problem, unless it needs more runs to be sure of that."""
        if problem.ok_runs < OK_TWICE:
            return Step(problem, problem)
        seconds = int(self._now - problem.since)
        length = self._words.duration(seconds if seconds < 60 else seconds - seconds % 60)
        subject, text = self._words.over.format(subject=problem.subject), self._words.lasted.format(length=length)
        change = Change(seen.key, f"over {problem.since}", subject, text, "info", problem.mailed)
        return Step(replace(problem, ok_runs=problem.ok_runs - 1), None, change)


def _change(seen: Observation, subject: str, text: str, identity: str) -> Change:
    return Change(seen.key, identity, subject, text, "critical" if seen.is_critical else "warning", seen.by_mail)
