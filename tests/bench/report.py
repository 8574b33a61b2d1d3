"""The results in words and tables, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap

import goals
from contender import FLOOR, STRAIGHTFORWARD
from far_relay import Journey
from figures import Figure, Rounds
from logins import EXPIRED, PASSWORD, TOKEN_LENGTH, VALID, Asked
from race import Situation
from results import Results
from usage import Usage

ABOUT = """\
All talk to the same servers on loopback, and are started as Asterisk starts its scripts. The **floor** is a mail in
bare Python, without settings, queue or any check. **straightforward** is what most people would write (pyst2,
configobj, email, smtplib): the call waits, and a relay that is down loses the mail. **sh + msmtp** is what many boxes
run. **pbxnotify** lets the call go as soon as the event is durable, and delivers behind its back; with **hold** the
call waits for the outcome.

Figures are medians of rounds in which all have their turn, each round in another order; ± is half the distance between
the quartiles. ÷ is worked out round by round, of what ran one after the other.

*let go*: until Asterisk may go on. *whole*: until the relay has said 250 to the last mail. *CPU*: user and system time
of all processes of the call. msmtp sends a mail line by line, and so waits 40 ms for TCP at each (Nagle's algorithm and
the delayed acknowledgement); its CPU time says what it does itself.
"""
SECTIONS = {
    "race": "A call and its mail",
    "provider": "The same with a provider: a real Postfix, TLS, a login",
    "dialplan": "On a real Asterisk: how long the dialplan stands still",
    "usage": "Memory and system calls",
    "at-once": "Calls at once",
    "far": "A queue that leaves for a provider 50 ms away",
    "backlog": "Events that wait",
    "employees": "Employees",
    "failed": "Items that have failed",
    "token": "A login by token",
}
ENDED = """\
*whole* is here until the last process of the call has ended, for all of them: Postfix does not tell when it said 250.
"""
LOG = "Between the lines in Asterisk's log before AGI() and after it, which tell milliseconds.\n"
ALL = "The time until all of them are let go, and the CPU time of each.\n"
LARGEST = "*first* is the peak of the process that Asterisk waits for, *largest* that of the largest of all.\n"
QUEUE = """\
With a relay that is left alone after a failure, so that what comes in joins those that wait. The commands of the admin,
*run* when the relay is back and takes them all:
"""
LOGINS = f"""\
pbxnotify only: a missed call, one recipient, TLS. One relay takes the account's password (PLAIN) and its tokens
(XOAUTH2, {TOKEN_LENGTH} characters). In each round the *{EXPIRED}* is renewed over HTTPS by an authorization server,
and kept. *files opened* counts directories and libraries, too.
"""
FAR = """\
STARTTLS and a login at a real Postfix behind a delay of 25 ms each way. *round trips* are those of a mail, its share of
the connection's own included.
"""
GROWTH = {"let_go": "let go", "ended": "last process ends", "cpu": "CPU"}
COSTS = {"let_go": "let go", "whole": "whole", "cpu": "CPU"}
"""Quantities, and what they are called."""


def render(results: Results, about: Sequence[str]) -> str:
    """Return the report; ``about`` says what it holds for."""
    parts = {
        "race": _compared(results.race, "whole"),
        "provider": [ENDED, *_compared(results.provider, "ended")] if results.provider else [],
        "dialplan": [LOG, _dialplan(results.dialplan)] if results.dialplan else [],
        "usage": [LARGEST, *starmap(_usage, results.usage.items())] if results.usage else [],
        "at-once": [ALL, _at_once(results.at_once)] if results.at_once else [],
        "far": [FAR, _far(results.far)] if results.far else [],
        "backlog": _backlog(results),
        "employees": [_grown(results.employees, "employees")] if results.employees else [],
        "failed": [_failed(size, seconds) for size, seconds in results.failed.items()],
        "token": _logins(results),
    }
    parts |= {section: [f"Not measured here: {why}\n"] for section, why in results.unavailable.items()}
    lines = [ABOUT, "\n".join(f"- {line}" for line in about) + "\n", "## Goals\n", _goals(results)]
    for section, title in SECTIONS.items():
        if parts[section]:
            lines += [f"## {title}\n", *parts[section]]
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table that can be read as it is, too; numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows)]
    numbers = [bool(rows) and all(not row[at] or row[at][0].isdigit() for row in rows) for at in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(cells, widths, numbers)
        )
        return f"| {' | '.join(padded)} |\n"

    rule = (f"{'-' * (width - 1)}{':' if number else '-'}" for width, number in zip(widths, numbers))
    return line(header) + f"| {' | '.join(rule)} |\n" + "".join(map(line, rows))


def _goals(results: Results) -> str:
    return table(("goal", "at most", "measured", ""), list(goals.judged(results)))


def _compared(compared: Mapping[Situation, Rounds], whole: str) -> list[str]:
    """Return a table for each situation; ``whole`` is the quantity that stands for it."""
    quantities = {"let_go": "let go", whole: "whole", "cpu": "CPU"}
    columns = [cell for title in quantities.values() for cell in (f"{title}, ms", "÷ floor", "÷ straightforward")]
    return [
        table(
            (str(situation), *columns),
            [
                (name, *(cell for quantity in quantities for cell in _cells(rounds, name, quantity)))
                for name in rounds.names
            ],
        )
        for situation, rounds in compared.items()
    ]


def _cells(rounds: Rounds, name: str, quantity: str) -> Iterator[str]:
    yield _milliseconds(rounds.of(name, quantity))
    for other in (FLOOR, STRAIGHTFORWARD):
        yield "" if name == other else _ratio(rounds.ratio(name, quantity, other))


def _dialplan(held: Mapping[str, Rounds]) -> str:
    columns = [cell for mode in held for cell in (f"{mode}, ms", "÷ floor", "÷ straightforward")]
    names = next(iter(held.values())).names
    rows = [(name, *(cell for rounds in held.values() for cell in _cells(rounds, name, "let_go"))) for name in names]
    return table(("missed call", *columns), rows)


def _usage(situation: Situation, usage: Mapping[str, Usage]) -> str:
    rows = [
        (
            name,
            *(f"{size:.1f}" for size in (one.first, one.largest)),
            *(f"{count:,.0f}" for count in (one.system_calls, one.syncs, one.questions)),
        )
        for name, one in usage.items()
    ]
    return table((str(situation), "first, MiB", "largest, MiB", "system calls", "fsync", "asks Asterisk"), rows)


def _at_once(calls: Mapping[int, Rounds]) -> str:
    names = next(iter(calls.values())).names
    header = ["calls", *(f"{name}, ms" for name in names), "÷ straightforward", "CPU ÷ straightforward"]
    rows = []
    for count, rounds in calls.items():
        first, ours = names
        times = (_milliseconds(rounds.of(name, "let_go")) for name in names)
        ratios = (_ratio(rounds.ratio(ours, quantity, first)) for quantity in ("let_go", "cpu"))
        rows.append((str(count), *times, *ratios))
    return table(header, rows)


def _far(journeys: Mapping[str, Journey]) -> str:
    rows = [
        (
            name,
            str(one.mails),
            str(one.connections),
            f"{one.mails / one.seconds:.1f}",
            f"{one.round_trips / one.mails:.2f}",
            "" if one.processor is None else f"{1000 * one.processor / one.mails:.1f}",
        )
        for name, one in journeys.items()
    ]
    return table(("", "mails", "connections", "mails a second", "round trips", "CPU, ms"), rows)


def _backlog(results: Results) -> list[str]:
    if not results.backlog:
        return []
    rows = [
        (
            f"{size:,}",
            f"{one.listing.median:.2f} ±{one.listing.spread:.2f}",
            f"{one.running:.1f}",
            f"{size / one.running:.0f}",
            f"{one.first:.2f}",
            f"{one.last:.2f}",
            f"{one.memory:.1f}",
        )
        for size, one in results.commands.items()
    ]
    header = (
        "events",
        "queue list, s",
        "queue run, s",
        "mails a second",
        "first thousand, s",
        "last, s",
        "memory, MiB",
    )
    commands = table(header, rows)
    return [_grown(results.backlog, "events wait"), QUEUE, commands]


def _failed(size: int, seconds: Mapping[str, float]) -> str:
    return table((f"with {size:,} items", "s"), [(command, f"{each:.2f}") for command, each in seconds.items()])


def _logins(results: Results) -> list[str]:
    if not results.logins:
        return []
    return [LOGINS, _against_first(results.logins, "login", COSTS, f"÷ {PASSWORD}"), *_asked(results.asked)]


def _asked(asked: Mapping[str, Asked]) -> Iterator[str]:
    """Yield a table of what each login asks of the kernel, and what a valid token opens beyond a password."""
    rows = [
        (name, f"{one.system_calls:,.0f}", f"{one.syncs:,.0f}", str(len(one.opened))) for name, one in asked.items()
    ]
    yield table(("login", "system calls", "fsync", "files opened"), rows)
    more = ", ".join(f"`{path}`" for path in asked[VALID].more_than(asked[PASSWORD]))
    yield f"What is opened for a {VALID}, and not for a {PASSWORD}: {more or 'nothing'}.\n"


def _grown(rounds: Rounds, what: str) -> str:
    """Return a table of calls of ours, by a size; ratios to the smallest."""
    return _against_first(rounds, what, GROWTH, f"÷ with {rounds.names[0]}")


def _against_first(rounds: Rounds, what: str, quantities: Mapping[str, str], against: str) -> str:
    """Return a table of calls of ours, with ratios to the first of them."""
    first = rounds.names[0]
    header = [what, *(cell for title in quantities.values() for cell in (f"{title}, ms", against))]
    rows = []
    for name in rounds.names:
        cells: list[str] = []
        for quantity in quantities:
            ratio = "" if name == first else _ratio(rounds.ratio(name, quantity, first))
            cells += [_milliseconds(rounds.of(name, quantity)), ratio]
        rows.append((name, *cells))
    return table(header, rows)


def _milliseconds(figure: Figure) -> str:
    return f"{figure.median * 1000:,.1f} ±{figure.spread * 1000:.1f}"


def _ratio(figure: Figure) -> str:
    return f"{figure.median:.2f} ±{figure.spread:.2f}"
