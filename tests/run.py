"""Run all tests: those of real calls, which mostly wait for a telephone to ring, beside the others.

What the tests of real calls print comes last. With arguments, those are pytest's, and it runs alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile

PYTEST = [sys.executable, "-m", "pytest"]
CALLS = "tests/calls"


def main(arguments: list[str]) -> int:
    """Return the exit status of pytest; of two, the first that is not 0. Ctrl-C reaches both."""
    if arguments:
        return subprocess.call([*PYTEST, *arguments])
    with tempfile.TemporaryFile("w+") as output:
        calls = subprocess.Popen([*PYTEST, "-p", "no:cacheprovider", CALLS], stdout=output, stderr=subprocess.STDOUT)
        try:
            others = subprocess.call([*PYTEST, "--ignore", CALLS])
        finally:
            status = calls.wait()
        output.seek(0)
        print(f"\nThe tests of real calls:\n\n{output.read()}", flush=True)
    return others or status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
