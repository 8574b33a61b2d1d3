"""What a call takes of memory, and how much it asks of the kernel; in passes of their own, for to look costs time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from call import Cost
from contender import CONTENDERS
from race import Race, Situation

TIME = ("/usr/bin/time", "-f", "%M", "-o")
"""GNU time. A script that we start ourselves begins with our memory, and its peak would be at least that."""
STRACE = ("/usr/bin/strace", "-f", "-c", "-U", "calls,name", "-o")
STRACE_OPENED = ("/usr/bin/strace", "-f", "-z", "-e", "trace=open,openat", "-o")
"""It tells of those only that have found something."""
SYNCS = ("fsync", "fdatasync")
"""System calls that wait for the disk."""


@dataclass(frozen=True)
class Usage:
    """What a call takes; each the median of a few runs."""

    first: float
    """The peak of the memory of the process that Asterisk waits for, in MiB."""
    largest: float
    """The peak of the largest of all its processes, in MiB."""
    system_calls: float
    """Of all its processes."""
    syncs: float
    questions: float
    """What it asks Asterisk."""


class Look:
    """A look at one contender in one situation."""

    def __init__(self, race: Race, contender: str, situation: Situation, environment: Mapping[str, str]) -> None:
        self._race = race
        self._situation = situation
        self._script = race.box.script(contender, situation.kind, situation.extensions, environment)

    def memory(self) -> tuple[float, float]:
        """Return the peaks of the first process and of the largest one, in MiB."""
        cost, told = self._play(TIME)
        first = int(told.split()[-1])
        return first / 1024, max(first, cost.left_memory) / 1024

    def system_calls(self) -> tuple[int, int, float]:
        """Return how many there are, how many of them wait for the disk, and how many questions to Asterisk."""
        cost, told = self._play(STRACE)
        rows = [line.split() for line in told.splitlines()[2:] if not line.startswith("-")]
        counts = {name: int(count) for count, name in rows}
        return counts["total"], sum(counts.get(name, 0) for name in SYNCS), cost.questions

    def opened(self) -> list[str]:
        """Return the paths of the files that are opened, as often as they are."""
        _, told = self._play(STRACE_OPENED)
        return re.findall(r'^\d+ +open(?:at)?\([^"]*"(.*?)"', told, re.MULTILINE)

    def _play(self, watcher: tuple[str, ...]) -> tuple[Cost, str]:
        """Play a call to the script while it is watched; returns what the watcher has written, too."""
        output = self._race.box.directory / "watched"
        watched = replace(self._script, command=(*watcher, str(output), *self._script.command))
        return self._race.play([watched], self._situation, self._situation.recipients), output.read_text()


def measure(race: Race, situation: Situation, environment: Mapping[str, str], runs: int) -> dict[str, Usage]:
    """Look at each contender in one situation."""
    race.box.clean()
    found = {}
    for contender in CONTENDERS:
        look = Look(race, contender, situation, environment)
        looks = [(*look.memory(), *look.system_calls()) for _ in range(runs)]
        found[contender] = Usage(*map(median, zip(*looks)))
    return found
