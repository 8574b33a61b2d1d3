"""A server of several processes, for a test: begun in a group of its own, and ended all at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO


def begin(command: Sequence[str | Path], stderr: BinaryIO | None = None) -> subprocess.Popen[bytes]:
    """Begin a command that leaves its output to all its processes: it ends with the last of them."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End it with all its processes, at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
