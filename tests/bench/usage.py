"""What a call takes of memory, and how much it asks of the kernel; in passes of their own, for to look costs time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from call import Cost
from contender import CONTENDERS
from race import Race, Situation

TIME = ("/usr/bin/time", "-f", "%M", "-o")
"""GNU time. A script that we start ourselves begins with our memory, and its peak would be at least that."""
STRACE = ("/usr/bin/strace", "-f", "-c", "-U", "calls,name", "-o")
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


def measure(race: Race, situation: Situation, environment: Mapping[str, str], runs: int) -> dict[str, Usage]:
    """Look at each contender in one situation."""
    race.box.clean()
    return {contender: _usage(race, contender, situation, environment, runs) for contender in CONTENDERS}


def _usage(race: Race, contender: str, situation: Situation, environment: Mapping[str, str], runs: int) -> Usage:
    first, largest, system_calls, syncs = [], [], [], []
    for _ in range(runs):
        cost, told = _watched(race, contender, situation, environment, TIME)
        first.append(int(told.split()[-1]) / 1024)
        largest.append(max(first[-1], cost.left_memory / 1024))
        cost, told = _watched(race, contender, situation, environment, STRACE)
        counts = {
            name: int(count) for count, name in (line.split() for line in told.splitlines()[2:] if line[:1] != "-")
        }
        system_calls.append(counts.pop("total"))
        syncs.append(sum(counts.get(name, 0) for name in SYNCS))
    return Usage(median(first), median(largest), median(system_calls), median(syncs), cost.questions)


def _watched(
    race: Race, contender: str, situation: Situation, environment: Mapping[str, str], watcher: tuple[str, ...]
) -> tuple[Cost, str]:
    """Play a call to a script that is watched; returns what the watcher has written as well."""
    output: Path = race.box.directory / "watched"
    script = race.box.script(contender, situation.kind, situation.extensions, environment)
    watched = replace(script, command=(*watcher, str(output), *script.command))
    return race.play([watched], situation, situation.recipients), output.read_text()
