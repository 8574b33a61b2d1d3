"""How the costs grow: with calls at once, and with employees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from contender import OURS, STRAIGHTFORWARD
from figures import Rounds, interleave
from race import MISSED, Race
from stamping_relay import Way


def at_once(race: Race, environment: Mapping[str, str], calls: int, rounds: int) -> Rounds:
    """Play so many calls at once, ours against the straightforward script."""
    race.box.clean()
    runs = {name: partial(race.call, name, MISSED, environment, calls) for name in (STRAIGHTFORWARD, OURS)}
    return interleave(runs, rounds, warm_up=0)


def employees(race: Race, way: Way, sizes: Iterable[int], rounds: int) -> Rounds:
    """Play calls of ours with so many employees in the ini file."""
    race.box.clean()
    environments = {size: race.box.configure(way, size) for size in sizes}
    runs = {f"{size:,}": partial(race.call, OURS, MISSED, told) for size, told in environments.items()}
    return interleave(runs, rounds, warm_up=1)
