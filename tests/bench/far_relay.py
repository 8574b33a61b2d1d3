"""A queue that leaves for a provider 50 ms away: mails a second, round trips and CPU time of each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import nullmailer
import provider
from contender import HERE, PYTHON, Box
from far_away import FarAway
from race import Lost
from stamping_relay import FarEnd, Way

DISTANCE = 0.05
"""Seconds of a round trip."""
OURS, BEFORE = "pbxnotify", "pbxnotify, a connection for each mail"
MSMTP, NULLMAILER = "msmtp in a loop", "nullmailer"
FILL = HERE / "fill_spool.py"
AS_BEFORE = """\
import sys
sys.path.insert(0, sys.argv.pop(1))
from pbxnotify.smtp.client import Relay
from pbxnotify.cli import main
Relay.MOST_MAILS = 1
Relay._ask_at_once = lambda relay, commands: [relay._session.ask(*command) for command in commands]
sys.exit(main())
"""
"""What pbxnotify did until 2026: a connection for each mail, and one command at a time."""
MAIL = "Subject: office: missed call from 74951234567\n\n" + 40 * f"{60 * 'x'}\n"
LOOP = 'for number in $(seq "$1"); do msmtp -C "$BENCH_MSMTPRC" 101@example.com <"$2" || exit; done'


@dataclass(frozen=True)
class Journey:
    """What it took for so many mails to leave."""

    mails: int
    seconds: float
    processor: float | None
    """Seconds; None if that is not known."""
    connections: int
    round_trips: int

    @property
    def seconds_each(self) -> float:
        """Seconds for each mail."""
        return self.seconds / self.mails


def measure(box: Box, far_end: FarEnd, mails: int) -> dict[str, Journey]:
    """Let so many mails leave, a tenth of them where each has a connection of its own. Raises Lost, PostfixError."""
    with provider.running(far_end) as (starttls, _), _far_away(starttls.port) as far_away:
        way = replace(starttls, port=far_away.port)
        environment, few = box.configure(way), mails // 10
        letter = box.directory / "letter.eml"
        letter.write_text(MAIL)
        journeys = {
            OURS: _travel(far_away, far_end, mails, [box.command, "queue", "run"], _filled(box, environment, mails)),
            BEFORE: _travel(
                far_away,
                far_end,
                few,
                [PYTHON, "-ISc", AS_BEFORE, box.library, "queue", "run"],
                _filled(box, environment, few),
            ),
            MSMTP: _travel(far_away, far_end, few, ["/bin/sh", "-c", LOOP, "sh", str(few), str(letter)], environment),
        }
        with suppress(nullmailer.NullmailerUnavailable):
            journeys[NULLMAILER] = _travel_by_nullmailer(far_away, far_end, few, way, box.directory / "nullmailer")
        return journeys


@contextmanager
def _far_away(port: int) -> Iterator[FarAway]:
    far_away = FarAway(port, DISTANCE)
    try:
        yield far_away
    finally:
        far_away.close()


def _filled(box: Box, environment: Mapping[str, str], mails: int) -> dict[str, str]:
    """Return the environment with a spool of its own, in which so many mails are due."""
    spool = box.directory / f"far-{mails}" / "pbxnotify"
    spool.mkdir(parents=True)
    own = {**environment, "AST_SPOOL_DIR": str(spool.parent)}
    subprocess.run([PYTHON, "-ES", str(FILL), str(box.library), str(mails)], env=own, check=True)
    (spool / "state" / "relay.json").unlink()
    return own


def _travel(
    far_away: FarAway, far_end: FarEnd, mails: int, command: list[str | Path], environment: Mapping[str, str]
) -> Journey:
    """Run a command that sends so many mails. Raises Lost."""
    before = (far_away.connections, far_away.round_trips)
    far_end.unexpected()
    began = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode or len(far_end.stamps(mails, 60)) != mails:
        raise Lost(f"{command[0]} ended with status {process.returncode}, or mails are missing")
    connections, round_trips = far_away.connections - before[0], far_away.round_trips - before[1]
    return Journey(mails, seconds, usage.ru_utime + usage.ru_stime, connections, round_trips)


def _travel_by_nullmailer(far_away: FarAway, far_end: FarEnd, mails: int, way: Way, directory: Path) -> Journey:
    """Let nullmailer send so many mails; of its processes the CPU time is not known. Raises NullmailerUnavailable."""
    before = (far_away.connections, far_away.round_trips)
    far_end.unexpected()
    with nullmailer.running(directory, way, MAIL, mails):
        began = time.perf_counter()
        far_end.stamps(mails, 600)
        seconds = time.perf_counter() - began
    connections, round_trips = far_away.connections - before[0], far_away.round_trips - before[1]
    return Journey(mails, seconds, None, connections, round_trips)
