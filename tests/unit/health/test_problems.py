"""The course of a problem: what is to be told of it, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify.health.problems import ILL, UNSURE, WELL, Change, Finding, Problem, ProblemTracker
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.sections import Settings


@pytest.fixture
def configured(write_ini: Callable[[str], Path]) -> Settings:
    """Return settings that remind each 10 hours."""
    return load_settings(write_ini("[system]\nremind_hours = 10\n[notifications]\ntimezone = Europe/Moscow\n"))


class Looks:
    """Looks at one thing, at times of our choice."""

    def __init__(self, configured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.problem: Problem | None = None
        self.changes: list[Change] = []
        self._configured, self._monkeypatch = configured, monkeypatch

    def at(self, hours: float, state: int, critical: bool = False, *, dies: bool = False, **more: object) -> list[str]:
        """Return what is to be told by mail so many hours after the beginning; who dies does not remember it."""
        self._monkeypatch.setattr(time, "time", lambda: 1795478867.0 + 3600 * hours)
        finding = Finding("x", state, f"it is {('well', 'unsure', 'ill')[state]}", "why", critical, **more)
        step = ProblemTracker(self._configured, load_language("en")).step(finding, self.problem)
        self.problem = step.before if dies else step.after
        if not step.change:
            return []
        self.changes.append(step.change)
        return [f"{step.change.level}: {step.change.subject}"] if step.change.by_mail else []


@pytest.fixture
def looks(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Return looks from now on."""
    return Looks(configured, monkeypatch)


RAISED, STILL, SOLVED = ["warning: it is ill"], ["warning: still: it is ill"], ["info: resolved: it is ill"]


def test_a_reminder_each_time_the_hours_have_passed(looks: Looks) -> None:
    told = [looks.at(hours, ILL) for hours in (0, 1, 9.9, 10, 11, 20)]
    assert told == [RAISED, [], [], STILL, [], STILL]


def test_a_reminder_says_since_when(looks: Looks) -> None:
    looks.at(0, ILL)
    looks.at(10, ILL)
    assert looks.changes[-1].text == "why\nSince: Tuesday, 24 November 2026, 03:07"


@pytest.mark.parametrize(
    ("hours", "length"), [(0.01, "Duration: 36 seconds"), (1.26, "Duration: 1 hour 15 minutes")], ids=str
)
def test_when_it_is_over_it_says_how_long_it_lasted(looks: Looks, hours: float, length: str) -> None:
    looks.at(0, ILL)
    looks.at(hours / 2, WELL)
    assert looks.at(hours, WELL) == SOLVED
    assert looks.changes[-1].text == length


def test_what_comes_and_goes_is_one_problem(looks: Looks) -> None:
    states = [ILL, WELL, ILL, WELL, ILL, UNSURE, WELL, UNSURE, WELL, WELL, WELL]
    told = [looks.at(0.1 * number, state) for number, state in enumerate(states)]
    assert [one for one in told if one] == [RAISED, SOLVED]
    assert told[9] == SOLVED


def test_worse_is_told_at_once_and_better_is_not(looks: Looks) -> None:
    told = [looks.at(0, ILL), looks.at(1, ILL, True), looks.at(2, ILL, False), looks.at(3, ILL, True)]
    assert told == [RAISED, ["critical: it is ill"], [], []]


def test_unsure_from_the_beginning_is_nothing(looks: Looks) -> None:
    assert looks.at(0, UNSURE) == looks.at(1, WELL) == []


def test_what_is_unsure_is_not_reminded_of(looks: Looks) -> None:
    assert [looks.at(hours, state) for hours, state in ((0, ILL), (30, UNSURE), (60, UNSURE))] == [RAISED, [], []]


def test_a_clock_set_back_reminds_later_and_set_ahead_once(looks: Looks) -> None:
    told = [looks.at(hours, ILL) for hours in (1000, 0, 9, 10, 90000, 90001)]
    assert told == [RAISED, [], [], STILL, STILL, []]


def test_what_has_happened_is_never_over(looks: Looks) -> None:
    assert looks.at(0, ILL, passes=True) == RAISED
    assert looks.problem is None


def test_what_only_syslog_heard_of_is_over_there_too(looks: Looks) -> None:
    assert looks.at(0, ILL, by_mail=False) == looks.at(1, WELL) == looks.at(2, WELL) == []
    assert [change.subject for change in looks.changes] == ["it is ill", "resolved: it is ill"]


def test_what_mail_can_tell_of_later_is_told_with_the_reminder(looks: Looks) -> None:
    told = [looks.at(0, ILL, by_mail=False), looks.at(25, ILL), looks.at(26, WELL), looks.at(27, WELL)]
    assert told == [[], STILL, [], SOLVED]


def test_what_needs_a_moment_is_told_at_the_second_look(looks: Looks) -> None:
    assert [looks.at(hours, ILL, patience=2) for hours in (0, 0.1, 0.2)] == [[], RAISED, []]


def test_what_needed_a_moment_only_is_never_told(looks: Looks) -> None:
    states = (ILL, WELL, WELL, ILL, UNSURE, WELL)
    assert [looks.at(0.1 * number, state, patience=2) for number, state in enumerate(states)] == [[]] * 6


@pytest.mark.parametrize(
    "looked",
    [
        pytest.param([(0, ILL)], id="raised"),
        pytest.param([(0, ILL), (10, ILL)], id="reminded of"),
        pytest.param([(0, ILL), (1, WELL), (2, WELL)], id="over"),
    ],
)
def test_who_dies_before_it_is_remembered_tells_the_same_again(looks: Looks, looked: list[tuple[float, int]]) -> None:
    for hours, state in looked[:-1]:
        looks.at(hours, state)
    hours, state = looked[-1]
    assert looks.at(hours, state, dies=True) == looks.at(hours + 0.1, state) != []
    first, second = looks.changes[-2:]
    assert first.identity == second.identity


def test_a_second_outage_is_another_one(looks: Looks) -> None:
    for hours, state in enumerate((ILL, WELL, WELL, ILL)):
        looks.at(hours, state)
    first, _, second = looks.changes
    assert first.identity != second.identity
