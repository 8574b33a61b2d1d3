"""Run a check command as a monitoring plugin (https://www.monitoring-plugins.org/doc/guidelines.html)."""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import time
from contextlib import suppress
from enum import IntEnum
from subprocess import DEVNULL, PIPE, STDOUT, Popen, TimeoutExpired
from typing import NamedTuple

from pbxnotify.text import clean

LONGEST_OUTPUT = 65536  # bytes that are kept of a command's output
PATIENCE = 1.0  # seconds to wait for the end of a process that was killed
LONGEST_LINE = 500  # characters of a message


class PluginStatus(IntEnum):
    """The exit statuses of monitoring plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class Result(NamedTuple):
    """The outcome of a check."""

    status: PluginStatus
    message: str


def run(command: str, timeout: float) -> Result:
    """Run a command line, without a shell and for at most ``timeout`` seconds. Never raises OSError."""
    try:
        # In a process group of its own, which is killed as a whole.
        process = Popen(shlex.split(command), stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True)
    except OSError as error:
        return Result(PluginStatus.UNKNOWN, f"cannot be started: {error.strerror}")
    assert process.stdout
    try:
        with process.stdout:
            output, is_finished = _output(process, time.monotonic() + timeout)
    finally:  # after Ctrl-C too; what a command runs through sudo may not be killed by us
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(TimeoutExpired):
        process.wait(PATIENCE)
    message = clean(output.decode(errors="replace").strip().partition("\n")[0].partition("|")[0], LONGEST_LINE)
    if is_finished and process.returncode in tuple(PluginStatus):
        return Result(PluginStatus(process.returncode), message or "no output")
    ended = f"ended with exit status {process.returncode}"
    if not is_finished:
        ended = f"did not finish within {timeout:g} s and was killed"
    elif process.returncode < 0:
        ended = f"was killed by signal {-process.returncode}"
    return Result(PluginStatus.UNKNOWN, f"{ended}: {message}" if message else ended)


def _output(process: Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """Return the beginning of a process's output, and whether the process ended in time."""
    assert process.stdout
    output = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(deadline - time.monotonic(), 0)):
            piece = os.read(process.stdout.fileno(), LONGEST_OUTPUT)
            if not piece:
                with suppress(TimeoutExpired):
                    process.wait(max(deadline - time.monotonic(), 0))
                return output, process.returncode is not None
            output = (output + piece)[:LONGEST_OUTPUT]
    return output, False
