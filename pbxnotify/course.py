"""The course of a problem: raised, reminded of, over; what is to be told of it after a look."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import NamedTuple

from pbxnotify import facts
from pbxnotify.finding import ILL, WELL, Finding
from pbxnotify.language import Language
from pbxnotify.memory import Problem
from pbxnotify.settings import Settings

WELL_TWICE = 2
"""Looks that must find something well before its problem is over: what comes and goes is one problem."""


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


class Course:
    """The courses of all problems, in the administrator's words."""

    def __init__(self, configured: Settings, words: Language) -> None:
        self._configured = configured
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
        if not is_worse and self._now - problem.told < 3600 * self._configured.system.remind_hours:
            problem = replace(problem, subject=finding.subject)
            return Step(problem, problem)
        since = self._words.since.format(moment=self._words.moment(facts.moment(problem.since, self._configured)))
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
