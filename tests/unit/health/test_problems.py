"""A problem is raised, reminded of and resolved: what the administrator is notified of, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden import Golden

from pbxnotify.health.problems import Change, Observation, Problem, ProblemTracker, State
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.sections import Settings

OK, UNKNOWN, PROBLEM = State


@pytest.fixture
def settings(write_ini: Callable[[str], Path]) -> Settings:
    """Return settings with a reminder every 10 hours."""
    return load_settings(write_ini("[system]\nremind_hours = 10\n[notifications]\ntimezone = Europe/Moscow\n"))


class Runs:
    """Runs of the monitor that observe one thing, at times of our choice."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problem: Problem | None = None
        self.changes: list[Change] = []
        self._settings, self._monkeypatch = settings, monkeypatch

    def at(self, hours: float, state: State, critical: bool = False, *, dies: bool = False, **more: Any) -> list[str]:
        """Return what is to be mailed so many hours after the beginning; a process that ``dies`` does not keep it."""
        self._monkeypatch.setattr(time, "time", lambda: 1795478867.0 + 3600 * hours)
        seen = Observation("x", state, f"state: {state.name}", "why", critical, **more)
        step = ProblemTracker(self._settings, load_language("en")).step(seen, self.problem)
        self.problem = step.before if dies else step.after
        if not step.change:
            return []
        self.changes.append(step.change)
        return [f"{step.change.level}: {step.change.subject}"] if step.change.by_mail else []


@pytest.fixture
def runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Return runs from now on."""
    return Runs(settings, monkeypatch)


EN = load_language("en")
SUBJECT = "state: PROBLEM"
RAISED = [f"warning: {SUBJECT}"]
REMINDED = [f"warning: {EN.still.format(subject=SUBJECT)}"]
RESOLVED = [f"info: {EN.over.format(subject=SUBJECT)}"]


def test_a_reminder_each_time_the_hours_have_passed(runs: Runs) -> None:
    notified = [runs.at(hours, PROBLEM) for hours in (0, 1, 9.9, 10, 11, 20)]
    assert notified == [RAISED, [], [], REMINDED, [], REMINDED]


def test_a_reminder_says_since_when(runs: Runs, golden: Golden) -> None:
    runs.at(0, PROBLEM)
    runs.at(10, PROBLEM)
    assert runs.changes[-1].text.startswith("why\n")
    golden(runs.changes[-1].text)


@pytest.mark.parametrize(("hours", "length"), [(0.01, "36 seconds"), (1.26, "1 hour 15 minutes")], ids=str)
def test_a_resolved_problem_says_how_long_it_lasted(runs: Runs, hours: float, length: str, golden: Golden) -> None:
    runs.at(0, PROBLEM)
    runs.at(hours / 2, OK)
    assert runs.at(hours, OK) == RESOLVED
    assert length in runs.changes[-1].text
    golden(runs.changes[-1].text)


def test_what_comes_and_goes_is_one_problem(runs: Runs) -> None:
    states = [PROBLEM, OK, PROBLEM, OK, PROBLEM, UNKNOWN, OK, UNKNOWN, OK, OK, OK]
    notified = [runs.at(0.1 * number, state) for number, state in enumerate(states)]
    assert [one for one in notified if one] == [RAISED, RESOLVED]
    assert notified[9] == RESOLVED


def test_worse_is_reported_at_once_and_better_is_not(runs: Runs) -> None:
    notified = [runs.at(0, PROBLEM), runs.at(1, PROBLEM, True), runs.at(2, PROBLEM, False), runs.at(3, PROBLEM, True)]
    assert notified == [RAISED, [f"critical: {SUBJECT}"], [], []]


def test_unknown_from_the_beginning_is_nothing(runs: Runs) -> None:
    assert runs.at(0, UNKNOWN) == runs.at(1, OK) == []


def test_what_is_unknown_is_not_reminded_of(runs: Runs) -> None:
    assert [runs.at(hours, state) for hours, state in ((0, PROBLEM), (30, UNKNOWN), (60, UNKNOWN))] == [RAISED, [], []]


def test_a_clock_set_back_reminds_later_and_set_ahead_once(runs: Runs) -> None:
    notified = [runs.at(hours, PROBLEM) for hours in (1000, 0, 9, 10, 90000, 90001)]
    assert notified == [RAISED, [], [], REMINDED, REMINDED, []]


def test_what_has_happened_is_never_resolved(runs: Runs) -> None:
    assert runs.at(0, PROBLEM, happened=True) == RAISED
    assert runs.problem is None


def test_what_only_syslog_heard_of_is_resolved_there_too(runs: Runs) -> None:
    assert runs.at(0, PROBLEM, by_mail=False) == runs.at(1, OK) == runs.at(2, OK) == []
    assert [change.subject for change in runs.changes] == [SUBJECT, EN.over.format(subject=SUBJECT)]


def test_what_mail_can_say_later_is_mailed_with_the_reminder(runs: Runs) -> None:
    notified = [runs.at(0, PROBLEM, by_mail=False), runs.at(25, PROBLEM), runs.at(26, OK), runs.at(27, OK)]
    assert notified == [[], REMINDED, [], RESOLVED]


def test_what_needs_a_moment_is_raised_at_the_second_run(runs: Runs) -> None:
    assert [runs.at(hours, PROBLEM, patience=2) for hours in (0, 0.1, 0.2)] == [[], RAISED, []]


def test_what_needed_only_a_moment_is_never_raised(runs: Runs) -> None:
    states = (PROBLEM, OK, OK, PROBLEM, UNKNOWN, OK)
    assert [runs.at(0.1 * number, state, patience=2) for number, state in enumerate(states)] == [[]] * 6


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param([(0, PROBLEM)], id="raised"),
        pytest.param([(0, PROBLEM), (10, PROBLEM)], id="reminded of"),
        pytest.param([(0, PROBLEM), (1, OK), (2, OK)], id="resolved"),
    ],
)
def test_a_process_that_dies_before_it_is_kept_is_followed_by_the_same_again(
    runs: Runs, seen: list[tuple[float, State]]
) -> None:
    for hours, state in seen[:-1]:
        runs.at(hours, state)
    hours, state = seen[-1]
    assert runs.at(hours, state, dies=True) == runs.at(hours + 0.1, state) != []
    first, second = runs.changes[-2:]
    assert first.identity == second.identity


def test_a_second_outage_is_another_one(runs: Runs) -> None:
    for hours, state in enumerate((PROBLEM, OK, OK, PROBLEM)):
        runs.at(hours, state)
    first, _, second = runs.changes
    assert first.identity != second.identity
