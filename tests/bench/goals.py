"""What pbxnotify sets itself, and whether that is met."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import far_relay
from contender import FLOOR, OURS, STRAIGHTFORWARD
from figures import Figure, Rounds
from logins import PASSWORD, VALID
from race import MISSED, MISSED_TLS, VOICEMAIL, Situation
from results import Results

MANY_CALLS, MANY_EMPLOYEES, MANY_EVENTS = 50, "10,000", "20,000"


@dataclass(frozen=True)
class Goal:
    """A figure that should be at most so large."""

    what: str
    most: float
    measured: Callable[[Results], Figure]
    """Raises LookupError if it was not measured."""
    unit: str = ""

    def judge(self, results: Results) -> tuple[str, str, str]:
        """Return what is allowed, what was measured, and what that comes to."""
        allowed = f"{self.most:g}{self.unit}"
        try:
            figure = self.measured(results)
        except LookupError:
            return allowed, "", "not measured"
        verdict = "met" if figure.median <= self.most else "not met"
        spread = f" ±{figure.spread:.2f}" if figure.spread else ""
        return allowed, f"{figure.median:.2f}{spread}{self.unit}", verdict


def _memory(situation: Situation) -> Callable[[Results], Figure]:
    def ratio(results: Results) -> Figure:
        usage = results.usage[situation]
        return Figure(usage[OURS].largest / usage[STRAIGHTFORWARD].largest, 0.0)

    return ratio


def _grows(rounds: Rounds | None, size: str) -> Figure:
    """Return how the time until the call is let go grows from the smallest size to this one."""
    if rounds is None or size not in rounds.names:
        raise LookupError(size)
    return rounds.ratio(size, "let_go", rounds.names[0])


def _token(quantity: str) -> Callable[[Results], Figure]:
    """Return how to compare a login by a token that is valid with one by password."""

    def ratio(results: Results) -> Figure:
        if results.logins is None:
            raise LookupError(VALID)
        return results.logins.ratio(VALID, quantity, PASSWORD)

    return ratio


def _round_trips(results: Results) -> Figure:
    ours = results.far[far_relay.OURS]
    return Figure(ours.round_trips / ours.mails, 0.0)


def _far_away(other: str) -> Callable[[Results], Figure]:
    """Return how to compare what a mail takes when the relay is far away."""
    return lambda results: Figure(results.far[far_relay.OURS].seconds_each / results.far[other].seconds_each, 0.0)


def _slows_down(results: Results) -> Figure:
    run = results.commands[20_000]
    return Figure(run.last / run.first, 0.0)


def _memory_of_a_run(results: Results) -> Figure:
    return Figure(results.commands[20_000].memory / results.commands[1_000].memory, 0.0)


GOALS = (
    Goal(
        "missed call, plain: let go ÷ the floor's time until the relay has its mail",
        1.6,
        lambda results: results.race[MISSED].ratio(OURS, "let_go", FLOOR, "whole"),
    ),
    Goal(
        "missed call, plain: let go ÷ the straightforward script from beginning to end",
        0.45,
        lambda results: results.race[MISSED].ratio(OURS, "let_go", STRAIGHTFORWARD),
    ),
    Goal("missed call, plain: largest process ÷ straightforward", 1.0, _memory(MISSED)),
    Goal("missed call, TLS: largest process ÷ straightforward", 1.0, _memory(MISSED_TLS)),
    Goal("voicemail, plain: largest process ÷ straightforward", 1.0, _memory(VOICEMAIL)),
    Goal(
        "missed call, plain: memory of the process that Asterisk waits for",
        12.0,
        lambda results: Figure(results.usage[MISSED][OURS].first, 0.0),
        " MiB",
    ),
    Goal(
        f"{MANY_CALLS} calls at once: all let go ÷ straightforward",
        0.4,
        lambda results: results.at_once[MANY_CALLS].ratio(OURS, "let_go", STRAIGHTFORWARD),
    ),
    Goal(
        f"{MANY_EMPLOYEES} employees: let go ÷ with 10",
        1.05,
        lambda results: _grows(results.employees, MANY_EMPLOYEES),
    ),
    Goal(
        f"{MANY_EVENTS} events wait: let go ÷ with none",
        1.05,
        lambda results: _grows(results.backlog, MANY_EVENTS),
    ),
    Goal("a relay 50 ms away: round trips of a mail, its share of the connection's included", 2.2, _round_trips),
    Goal("a relay 50 ms away: seconds for a mail ÷ with a connection for each", 0.2, _far_away(far_relay.BEFORE)),
    Goal("a relay 50 ms away: seconds for a mail ÷ msmtp in a loop", 1.0, _far_away(far_relay.MSMTP)),
    Goal("a relay 50 ms away: seconds for a mail ÷ nullmailer", 1.0, _far_away(far_relay.NULLMAILER)),
    Goal(f"{MANY_EVENTS} events leave: seconds for the last thousand ÷ for the first", 1.1, _slows_down),
    Goal(f"{MANY_EVENTS} events leave: memory ÷ of a thousand events", 1.1, _memory_of_a_run),
    Goal("login by a valid token: until the relay has the mail ÷ by password", 1.05, _token("whole")),
    Goal("login by a valid token: CPU ÷ by password", 1.05, _token("cpu")),
)


def judged(results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Yield each goal: what it is about, what is allowed, what was measured, and what that comes to."""
    for goal in GOALS:
        yield goal.what, *goal.judge(results)
