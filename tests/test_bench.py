"""The benchmark works: each contender's mails arrive, no more and no fewer, and the table names all."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from skipping import unavailable

sys.path.append(str(Path(__file__).resolve().parent / "bench"))

import stamping_relay
from contender import CONTENDERS, Box
from figures import Rounds
from race import Race, Situation
from report import render
from results import Results


def test_each_contender_tells_of_a_call(tmp_path: Path) -> None:
    if not shutil.which("msmtp"):
        unavailable("msmtp is not installed (Debian's package msmtp)")
    situation = Situation("missed", 3, "starttls")
    with stamping_relay.running(tmp_path) as far_end:
        race = Race(Box(tmp_path), far_end)
        environment = race.box.configure(far_end.ways[situation.mode])
        rounds = Rounds([{name: race.call(name, situation, environment) for name in CONTENDERS}])
    table = render(Results(race={situation: rounds}), [])
    assert [name for name in CONTENDERS if f"| {name} " not in table] == []
