"""Locks that are waited for."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbxnotify.files import lock_within, try_lock

CONTEXT = multiprocessing.get_context("fork")


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[int]:
    """Return a descriptor of a folder that has the lock."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    assert try_lock(descriptor)
    yield descriptor
    os.close(descriptor)


def wait_until_it_sleeps(process: int) -> None:
    """Wait until the kernel has a process among those that wait for a lock."""
    while not re.search(rf"-> FLOCK .* {process} ", Path("/proc/locks").read_text()):
        time.sleep(0.01)


def test_who_waits_sleeps_and_is_woken(tmp_path: Path, locked: int) -> None:
    outcome = CONTEXT.SimpleQueue()

    def wait() -> None:
        os.close(locked)
        outcome.put(lock_within(os.open(tmp_path, os.O_RDONLY), 600.0))

    process = CONTEXT.Process(target=wait)
    process.start()
    wait_until_it_sleeps(process.pid or 0)
    fcntl.flock(locked, fcntl.LOCK_UN)
    assert outcome.get() is True
    process.join()


@pytest.mark.parametrize("seconds", [0.0, 0.1], ids=["not at all", "a little"])
def test_who_has_waited_long_enough_goes_on_without(tmp_path: Path, locked: int, seconds: float) -> None:
    def alarmed(*_: object) -> None:
        raise AssertionError

    before, timer = signal.signal(signal.SIGALRM, alarmed), signal.setitimer(signal.ITIMER_REAL, 500.0)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert not lock_within(descriptor, seconds)
        assert signal.getsignal(signal.SIGALRM) is alarmed
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 400, "an alarm of somebody else is still set"
    finally:
        os.close(descriptor)
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)


def test_what_one_has_is_not_waited_for(locked: int) -> None:
    assert lock_within(locked, 600.0)
    assert lock_within(locked, 0.0)
