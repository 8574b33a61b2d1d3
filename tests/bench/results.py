"""Everything that was measured; what was not is empty."""

from __future__ import annotations

from dataclasses import dataclass, field

from backlog import Commands
from far_relay import Journey
from figures import Rounds
from logins import Asked
from race import Situation
from usage import Usage


@dataclass
class Results:
    """What each section has found."""

    race: dict[Situation, Rounds] = field(default_factory=dict)
    usage: dict[Situation, dict[str, Usage]] = field(default_factory=dict)
    provider: dict[Situation, Rounds] = field(default_factory=dict)
    dialplan: dict[str, Rounds] = field(default_factory=dict)
    """By mode."""
    asterisk: str = ""
    """The version that has run."""
    at_once: dict[int, Rounds] = field(default_factory=dict)
    """By the number of calls."""
    far: dict[str, Journey] = field(default_factory=dict)
    """What it took for a queue to leave for a relay that is far away."""
    logins: Rounds | None = None
    """Of calls, by how they log in."""
    asked: dict[str, Asked] = field(default_factory=dict)
    backlog: Rounds | None = None
    """Of calls, by the number of events that wait."""
    commands: dict[int, Commands] = field(default_factory=dict)
    failed: dict[int, dict[str, float]] = field(default_factory=dict)
    """Seconds that the admin's commands take, by the number of items that have failed."""
    employees: Rounds | None = None
    """Of calls, by the number of employees."""
    unavailable: dict[str, str] = field(default_factory=dict)
    """Why a section could not be measured here."""
