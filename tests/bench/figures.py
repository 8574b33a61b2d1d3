"""Figures of interleaved rounds: medians, how sure they are, and ratios worked out round by round."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

WARM_UP = 2
"""Rounds that only warm the machine."""


@dataclass(frozen=True)
class Figure:
    """A median, and how sure it is."""

    median: float
    spread: float
    """Half the distance between the quartiles."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """Return that of some values."""
        if len(values) == 1:
            return cls(values[0], 0.0)
        low, median, high = quantiles(values, n=4, method="inclusive")
        return cls(median, (high - low) / 2)


class Rounds:
    """What each contender has cost, round for round."""

    def __init__(self, rounds: Sequence[Mapping[str, Any]]) -> None:
        self._rounds = rounds
        self.names = tuple(rounds[0])

    def __len__(self) -> int:
        return len(self._rounds)

    def of(self, name: str, quantity: str) -> Figure:
        """Return a quantity of one of them."""
        return Figure.of([getattr(costs[name], quantity) for costs in self._rounds])

    def ratio(self, name: str, quantity: str, other: str, other_quantity: str = "") -> Figure:
        """Return the ratio to another one's: of two that ran one after the other, whatever the machine did later."""
        theirs = other_quantity or quantity
        return Figure.of([getattr(costs[name], quantity) / getattr(costs[other], theirs) for costs in self._rounds])


def interleave(runs: Mapping[str, Callable[[], Any]], count: int, warm_up: int = WARM_UP) -> Rounds:
    """Let all run in turn, each round in another order."""
    rounds = []
    for number in range(-warm_up, count):
        costs = {name: runs[name]() for name in random.sample(list(runs), len(runs))}
        if number >= 0:
            rounds.append({name: costs[name] for name in runs})
    return Rounds(rounds)
