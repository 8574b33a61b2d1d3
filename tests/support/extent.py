"""How far the tests go: a shorter form in every run, the whole one with ``make faults``."""

from __future__ import annotations

import os

from checkout import ROOT
from hypothesis import HealthCheck, settings

LONG = os.environ.get("PBXNOTIFY_FAULTS") == "long"
EXAMPLES = 10_000 if LONG else 100
"""Of each property, made up by hypothesis."""
PATIENCE = 0 if LONG else 900
"""Seconds for one test; 0: no end."""
KILL_AT = ROOT / "tests" / "support" / "kill_at.py"
"""What kills a process at one of its system calls."""


def moments(count: int) -> list[int]:
    """Return the system calls to kill at: all, or some of them, closer together where something is written and sent.

    Their number differs a little from run to run.
    """
    last = count + 20
    return list(range(1, last)) if LONG else sorted({*range(1, last, 113), *range(max(count - 200, 1), last, 17)})


def load_profile() -> None:
    """Let hypothesis make up the same examples in every run, which must tell of a change and not of luck.

    The long form looks for new ones. None is held to a time.
    """
    settings.register_profile(
        "pbxnotify",
        max_examples=EXAMPLES,
        derandomize=not LONG,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    settings.load_profile("pbxnotify")
