"""``make demo``: what a stranger sees first."""

from __future__ import annotations

import subprocess
import sys

import pytest
from checkout import ROOT
from extent import PATIENCE
from lab import require_sipp


@pytest.mark.timeout(PATIENCE)
def test_the_demonstration() -> None:
    require_sipp()
    command = [sys.executable, str(ROOT / "tests" / "demo.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A real Asterisk 22 runs." in done.stdout
    assert done.stdout.count("The mail that arrived:") == 2
    assert "Attached: build/demo/" in done.stdout
