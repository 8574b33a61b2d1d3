"""One run of a check command, as monitoring plugins are: an exit status from 0 to 3, and a line that says why.

https://www.monitoring-plugins.org/doc/guidelines.html
"""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from pbxnotify.text import clean

OK, WARNING, CRITICAL, UNKNOWN = range(4)
LONGEST_OUTPUT = 65536
"""Bytes that are kept of what a command prints."""
PATIENCE = 1.0
"""Seconds for the end of what was killed."""
LONGEST_LINE = 500
"""Characters of its message."""


@dataclass(frozen=True)
class Result:
    """What came of a check."""

    status: int
    message: str


def run(command: str, timeout: float) -> Result:
    """Run a command line for so many seconds at most; never raises OSError. It is no shell that reads the line."""
    try:
        process = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it has started ends with it
        )
    except OSError as error:
        return Result(UNKNOWN, f"cannot be started: {error.strerror}")
    assert process.stdout
    try:
        with process.stdout:
            output, is_finished = _output(process, time.monotonic() + timeout)
    finally:  # after Ctrl-C too; but what a command runs through sudo is not ours to kill
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    status = UNKNOWN
    with suppress(subprocess.TimeoutExpired):
        status = process.wait(PATIENCE)
    message = clean(output.decode(errors="replace").strip().partition("\n")[0].partition("|")[0], LONGEST_LINE)
    if not is_finished:
        return Result(UNKNOWN, f"was not finished after {timeout:g} s and was killed{message and f': {message}'}")
    if status not in range(4):
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        return Result(UNKNOWN, f"ended with {how}{message and f': {message}'}")
    return Result(status, message or "said nothing")


def _output(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """Return the beginning of what a process prints, and whether it came to its end in time."""
    assert process.stdout
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(deadline - time.monotonic(), 0)):
            piece = os.read(process.stdout.fileno(), LONGEST_OUTPUT)
            if not piece:
                return output, _has_ended(process, deadline)
            output = (output + piece)[:LONGEST_OUTPUT]
    return output, False


def _has_ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return False
    return True
