"""``make demo``: what a stranger sees first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checkout import ROOT
from extent import PATIENCE
from lab import require


@pytest.mark.timeout(PATIENCE)
def test_the_demonstration() -> None:
    require(22)
    command = [sys.executable, str(ROOT / "tests" / "demo.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "starting Asterisk ..." in done.stdout
    assert done.stdout.count("The mail that arrived:") == 4
    assert done.stdout.count("Attached: build/demo/") == 2
    assert ("Nobody answered." in done.stdout, "Никто не ответил." in done.stdout) == (True, True)
