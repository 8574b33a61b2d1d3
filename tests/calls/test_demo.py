"""``make demo``: what a stranger sees first."""

from __future__ import annotations

import subprocess
import sys

from lab import require_sipp
from office import ROOT


def test_the_demonstration() -> None:
    require_sipp()
    command = [sys.executable, str(ROOT / "tests" / "demo.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A real Asterisk 22 runs." in done.stdout
    assert done.stdout.count("The mail that arrived:") == 2
    assert "Attached: build/demo/" in done.stdout
