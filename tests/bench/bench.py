"""Compare what a mail about a call costs: pbxnotify, the floor, and what people write or use today.

python tests/bench/bench.py [--quick] [--rounds N] [--only SECTION] [--output FILE] [--picture FILE]
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "support"))
import backlog
import dialplan
import far_relay
import growth
import logins
import machine
import provider
import report
import stamping_relay
import usage
from contender import ROOT, Box
from lab import LabError, LabUnavailable
from postfix import PostfixError
from race import SITUATIONS, Lost, Race
from results import Results

BUILD = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    rounds: int
    """Of each situation; the sections that take longer have fewer."""
    looks: int
    """Runs in which memory and system calls are looked at."""
    calls: tuple[int, ...]
    events: tuple[int, ...]
    employees: tuple[int, ...]
    failed: int
    far: int
    """Mails for a relay that is far away."""


WHOLE = Extent(30, 5, (1, 10, 50, 200), (10, 1_000, 20_000), (10, 1_000, 10_000), failed=200_000, far=500)
QUICK = Extent(4, 1, (1, 10, 50), (10, 1_000), (10, 10_000), failed=20_000, far=50)


class Bench:
    """The sections, which measure one after the other."""

    def __init__(self, race: Race, extent: Extent, directory: Path) -> None:
        self.results = Results()
        self._race = race
        self._extent = extent
        self._directory = directory
        self._environments = {mode: race.box.configure(way) for mode, way in race.far_end.ways.items()}

    @property
    def sections(self) -> dict[str, Callable[[], None]]:
        """Return what can be measured, in the order of what matters most."""
        return {
            "race": self._run_race,
            "usage": self._look_at_usage,
            "at-once": self._play_at_once,
            "employees": self._hire,
            "dialplan": self._call_asterisk,
            "provider": self._use_provider,
            "far": self._send_far_away,
            "backlog": self._let_events_wait,
            "failed": self._let_items_fail,
            "token": self._log_in,
        }

    def _run_race(self) -> None:
        for situation in SITUATIONS:
            _progress(str(situation))
            rounds = self._race.measure(situation, self._environments[situation.mode], self._extent.rounds)
            self.results.race[situation] = rounds

    def _look_at_usage(self) -> None:
        for situation in SITUATIONS:
            if situation.recipients == 1:
                environment = self._environments[situation.mode]
                self.results.usage[situation] = usage.measure(self._race, situation, environment, self._extent.looks)

    def _play_at_once(self) -> None:
        rounds = max(self._extent.rounds // 6, 2)
        for calls in self._extent.calls:
            self.results.at_once[calls] = growth.at_once(self._race, self._environments["plain"], calls, rounds)

    def _hire(self) -> None:
        way, rounds = self._race.far_end.ways["plain"], self._extent.rounds // 2
        self.results.employees = growth.employees(self._race, way, self._extent.employees, rounds)

    def _call_asterisk(self) -> None:
        for mode in ("plain", "starttls"):
            environment, directory = self._environments[mode], self._directory / f"asterisk-{mode}"
            held, version = dialplan.measure(self._race, environment, directory, self._extent.rounds // 2)
            self.results.dialplan[mode], self.results.asterisk = held, version

    def _use_provider(self) -> None:
        with provider.running(self._race.far_end) as ways:
            environments = {way.mode: self._race.box.configure(way) for way in ways}
            for situation in SITUATIONS:
                if situation.mode in environments:
                    environment, rounds = environments[situation.mode], self._extent.rounds // 2
                    self.results.provider[situation] = self._race.measure(situation, environment, rounds)

    def _send_far_away(self) -> None:
        self.results.far = far_relay.measure(self._race.box, self._race.far_end, self._extent.far)

    def _let_events_wait(self) -> None:
        environment, rounds = self._environments["plain"], self._extent.rounds
        self.results.backlog, self.results.commands = backlog.measure(
            self._race, environment, self._extent.events, rounds
        )

    def _let_items_fail(self) -> None:
        size = self._extent.failed
        self.results.failed[size] = backlog.failed(self._race.box, self._environments["plain"], size)

    def _log_in(self) -> None:
        directory, extent = self._directory / "logins", self._extent
        directory.mkdir()
        with stamping_relay.running(directory, logins.servers) as far_end:
            each = logins.prepare(Race(self._race.box, far_end))
            self.results.logins, self.results.asked = logins.measure(each, extent.rounds, extent.looks)


def measure(extent: Extent, only: str, directory: Path) -> tuple[Results, str]:
    """Measure everything, or one section; returns the results and the machine. Raises Lost."""
    _progress("installing the contenders")
    with stamping_relay.running(directory) as far_end:
        race = Race(Box(directory), far_end)
        bench = Bench(race, extent, directory)
        for section, run in bench.sections.items():
            if only not in ("", section):
                continue
            _progress(section)
            try:
                run()
            except (LabUnavailable, PostfixError) as error:
                bench.results.unavailable[section] = str(error)
        return bench.results, machine.description(race.box.spool)


def _progress(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description="Compare what a mail about a call costs.")
    parser.add_argument("--rounds", type=int, help="of each situation; a figure is their median")
    parser.add_argument("--quick", action="store_true", help="a few minutes, to see that it works")
    parser.add_argument("--only", default="", choices=list(report.SECTIONS), metavar="SECTION", help="%(choices)s")
    parser.add_argument("--output", type=Path, default=BUILD / "results.md", help="where the tables go as well")
    parser.add_argument("--picture", type=Path, default=BUILD / "bench.svg", help="where the picture goes")
    options = parser.parse_args()
    extent = QUICK if options.quick else WHOLE
    extent = replace(extent, rounds=options.rounds or extent.rounds)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who ends it otherwise than with Ctrl-C is left nothing
    try:
        with tempfile.TemporaryDirectory(prefix="pbxnotify-bench-") as directory:
            results, where = measure(extent, options.only, Path(directory))
    except (Lost, LabError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    about = (machine.today(), f"{extent.rounds} rounds", where, machine.versions(results.asterisk))
    text = report.render(results, about)
    print(text)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    if results.race and results.at_once:
        import picture  # what draws is not needed to measure

        options.picture.parent.mkdir(parents=True, exist_ok=True)
        picture.draw(results, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
