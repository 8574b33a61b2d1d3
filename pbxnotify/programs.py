"""Runs other programs: to their end, in a time, and without our terminal."""

from __future__ import annotations

import os

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import CompletedProcess
    from typing import Any


def run_program(command: Sequence[str], timeout: float, **options: Any) -> CompletedProcess[bytes]:
    """Run a program, its standard input empty; ``options`` are those of ``subprocess.run``.

    It gets a session of its own where we have a terminal: a program of Asterisk's user that is run for root could type
    into it (ioctl_tty(2), TIOCSTI). Not elsewhere: Linux would give the session as much of the CPU as all that Asterisk
    does (sched_autogroup). Raises OSError, and TimeoutExpired.
    """
    from subprocess import DEVNULL, run

    return run(command, stdin=DEVNULL, timeout=timeout, check=False, start_new_session=_has_terminal(), **options)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
