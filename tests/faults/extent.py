"""How far the tests of faults go: a shorter form in every run, the whole one with ``make faults``."""

from __future__ import annotations

import os

LONG = os.environ.get("PBXNOTIFY_FAULTS") == "long"
EXAMPLES = 10_000 if LONG else 300
"""Of each property, made up by hypothesis."""
PATIENCE = 0 if LONG else 300
"""Seconds for one test; 0: no end."""
