"""What events that wait cost: the calls that come in meanwhile, and the admin who looks at them or sends them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from call import Cost
from contender import OURS, PYTHON, Box
from figures import Figure, Rounds, interleave
from race import MISSED, Lost, Race
from stamping_relay import FarEnd

THOUSAND = 1_000
LOOKS = 3
"""Times that the queue is listed."""
FILL = Path(__file__).resolve().parent / "fill_spool.py"


@dataclass(frozen=True)
class Commands:
    """Seconds that the admin's commands take."""

    listing: Figure
    """Of `pbxnotify queue list`."""
    running: float
    """Of `pbxnotify queue run`, in which all that waits is sent."""
    first: float
    """Of the first thousand mails of it, if there are so many."""
    last: float
    memory: float
    """MiB, of that process at most."""


FAILED = ("queue list", "queue run", "status", "monitor", "check", "queue remove --failed --older-than 0")
"""Commands at a spool in which very much has failed; the last one empties it."""


def failed(box: Box, environment: Mapping[str, str], size: int) -> dict[str, float]:
    """Let so many items fail; returns the seconds that each command takes then."""
    spool = box.directory / "failed" / "pbxnotify"
    spool.mkdir(parents=True)
    given = {**environment, "AST_SPOOL_DIR": str(spool.parent)}
    subprocess.run([PYTHON, "-ES", str(FILL), str(box.library), str(size), "failed"], env=given, check=True)
    seconds = {}
    for command in FAILED:
        began = time.perf_counter()
        subprocess.run([box.command, *command.split()], env=given, check=False, capture_output=True)
        seconds[command] = time.perf_counter() - began
    left = len(os.listdir(spool / "failed"))
    if left:
        raise Lost(f"of {size} items that have failed {left} cannot be removed")
    return seconds


class Spool:
    """A spool of its own, in which events wait for a relay that is left alone."""

    def __init__(self, box: Box, environment: Mapping[str, str], size: int) -> None:
        self.size = size
        self._box = box
        self._directory = box.directory / f"waiting-{size}" / "pbxnotify"
        self._directory.mkdir(parents=True)
        self._environment = {**environment, "AST_SPOOL_DIR": str(self._directory.parent)}
        fill = [PYTHON, "-ES", str(FILL), str(box.library), str(size)]
        subprocess.run(fill, env=self._environment, check=True)
        self._waiting = set(os.listdir(self._directory / "queue"))

    def call(self, race: Race) -> Cost:
        """Play a call, which will wait as well; then forget it."""
        script = self._box.script(OURS, MISSED.kind, MISSED.extensions, self._environment)
        cost = race.play([script], MISSED, 0)
        for name in set(os.listdir(self._directory / "queue")) - self._waiting:
            (self._directory / "queue" / name).unlink()
        return cost

    def look(self) -> float:
        """List the queue; returns the seconds it took."""
        began = time.perf_counter()
        subprocess.run([self._box.command, "queue", "list"], env=self._environment, check=True, capture_output=True)
        return time.perf_counter() - began

    def send(self, far_end: FarEnd, listing: Figure) -> Commands:
        """Run the queue when the relay may be used again; returns what it took. Raises Lost."""
        (self._directory / "state" / "relay.json").unlink()
        began = time.perf_counter()
        with self._running() as run:
            stamps: list[float] = []
            while not (ended := os.wait4(run.pid, os.WNOHANG))[0]:
                stamps += far_end.unexpected()  # or the relay would have to wait for us
                time.sleep(0.002)
            run.returncode = os.waitstatus_to_exitcode(ended[1])
        seconds = time.perf_counter() - began
        stamps += far_end.unexpected()
        if len(stamps) != self.size:
            raise Lost(f"of {self.size} events {len(stamps)} were sent\n{self._box.explain(self._environment)}")
        first, last = (part[-1] - part[0] for part in (stamps[:THOUSAND], stamps[-THOUSAND:]))
        return Commands(listing, seconds, first, last, ended[2].ru_maxrss / 1024)

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the queue; it ends with the context at the latest."""
        with open(self._box.stderr, "wb") as said:  # a line for each mail
            run = subprocess.Popen([self._box.command, "queue", "run"], env=self._environment, stdout=said, stderr=said)
        try:
            yield run
        finally:
            run.kill()
            run.wait()


def measure(
    race: Race, environment: Mapping[str, str], sizes: Iterable[int], rounds: int
) -> tuple[Rounds, dict[int, Commands]]:
    """Play calls with so many events waiting, or none; then run the commands."""
    spools = [Spool(race.box, environment, size) for size in (0, *sizes)]
    calls = interleave({f"{spool.size:,}": partial(spool.call, race) for spool in spools}, rounds)
    commands = {}
    for spool in spools[1:]:
        listing = Figure.of([spool.look() for _ in range(LOOKS)])
        commands[spool.size] = spool.send(race.far_end, listing)
    return calls, commands
