"""A storm of calls: hundreds at once, a relay that is down, and relays that take a little at a time."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from calls import ALL, CALL, queue
from extent import LONG, PATIENCE
from far_end import BEGAN, MARK, MARKED, MISSED, RANG_OUT, ROOT, FarEnd, processes_named, wait_for_released
from relay import Catcher, ScriptedRelay, Talk, after

from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.store import Spool

pytestmark = pytest.mark.timeout(PATIENCE)

Use = Callable[..., None]
CALLS, AT_ONCE, PROCESSES = (500, 50, 8) if LONG else (120, 30, 8)
TIMEOUT = 30 if LONG else 1
"""Seconds without progress until a delivery gives up, of a relay that is slow."""
QUEUE_RUN = [sys.executable, "-m", "pbxnotify.cli", "queue", "run"]
UNGUARDED = [
    *(sys.executable, "-c"),
    "from pbxnotify.delivery.runner import run_queue; from pbxnotify.spool.store import open_spool;"
    "run_queue(open_spool(), everything=True)",
]
"""Without the lock that makes ``queue run`` the only one: then each item's own lock must do."""


def environment() -> dict[str, str]:
    """Return the environment of the box, for processes."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **MARKED}


def call(number: int, rung: str = "101&102&103") -> str:
    """Let Asterisk run the script for a call; returns PBXNOTIFYSTATUS."""
    own = {"CALLERID(num)": f"7{number:05}", "CALLERID(name)": "", "CHANNEL(linkedid)": f"{BEGAN}.{number}"}
    far_end = FarEnd({**RANG_OUT, **own})
    assert far_end.run([rung], MISSED, environment()) == 0
    return far_end.status


def storm(first: int, count: int) -> list[str]:
    """Let so many calls come, ``AT_ONCE`` at a time; returns PBXNOTIFYSTATUS of each."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(call, range(first, first + count)))


def in_processes(command: list[str], count: int = PROCESSES) -> list[int]:
    """Run a command in so many processes at once; returns their exit statuses."""
    silent = subprocess.DEVNULL
    running = [subprocess.Popen(command, env=environment(), stdout=silent, stderr=silent) for _ in range(count)]
    return [process.wait() for process in running]


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yield a list of the peak memory (KB) of every process of this box that was seen meanwhile."""
    peaks: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            for process in processes_named("pbxnotify", MARK):
                with suppress(OSError):
                    found = re.search(r"VmHWM:\s*(\d+) kB", (process / "status").read_text())
                    if process.name != str(os.getpid()) and found:
                        peaks.append(int(found[1]))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peaks
    finally:
        over.set()
        watching.join()


ABOUT = re.compile(rb"^From: (7\d{5})\r$", re.MULTILINE)


def copies(catcher: Catcher) -> Counter[tuple[str, str]]:
    """Return how many mails about each caller each recipient has."""
    found = ((ABOUT.search(mail.content), mail.recipients[0]) for mail in catcher.mails)
    return Counter((match[1].decode(), recipient) for match, recipient in found if match)


def each_once(count: int) -> Counter[tuple[str, str]]:
    """Return what ``copies`` should be."""
    return Counter((f"7{number:05}", recipient) for number in range(count) for recipient in ALL)


def queue_calls(spool: Spool, count: int, extensions: tuple[str, ...] = ("101",)) -> None:
    """Put calls into the queue, as if the relay had been down."""
    for number in range(count):
        caller = CALL._replace(linked_id=f"{number}.1", caller_number=f"7{number:05}", caller_name="")
        queue(spool, caller.only(extensions))


def test_a_storm_while_the_relay_is_down(
    use: Use, catcher: Catcher, spool: Spool, report: Callable[[str], None]
) -> None:
    with peak_memory() as peaks:
        with ScriptedRelay(greeting="421 4.3.2 down for maintenance") as relay:
            use(relay.port)
            assert storm(0, CALLS) == ["QUEUED"] * CALLS
            wait_for_released()
            tried = relay.connections
        assert len(spool.identifiers()) == CALLS
        use(catcher.port)
        catcher.answers["b@example.com"] = "451 4.7.1 greylisted"
        in_processes(QUEUE_RUN)
        assert len(spool.identifiers()) == CALLS, "each waits for one recipient"
        catcher.answers.clear()
        in_processes(UNGUARDED)
    assert spool.identifiers() == spool.identifiers("failed") == []
    assert copies(catcher) == each_once(CALLS)
    assert max(peaks) < 100 * 1024
    report(
        f"{CALLS} calls, {AT_ONCE} at once: relay down, tried {tried} times; up: {len(catcher.mails)} mails, 0 lost,"
        f" 0 doubled, by {PROCESSES} processes at once; {max(peaks) / 1024:.0f} MB at most in a process"
    )


def test_a_storm_while_the_relay_is_up(use: Use, catcher: Catcher, spool: Spool, report: Callable[[str], None]) -> None:
    """The calls deliver themselves, take due ones along, and ``queue run`` is at work as well."""
    use(catcher.port)
    count = 2 * AT_ONCE
    queue_calls(spool, count, ("101", "102", "103"))
    with ThreadPoolExecutor(1) as running:
        statuses = running.submit(in_processes, QUEUE_RUN)
        assert storm(count, AT_ONCE) == ["QUEUED"] * AT_ONCE
        statuses.result()
    wait_for_released()
    in_processes(QUEUE_RUN, 1)
    assert spool.identifiers() == []
    assert copies(catcher) == each_once(count + AT_ONCE)
    report(f"{AT_ONCE} calls at once, {count} waiting, {PROCESSES} queue runs: {len(catcher.mails)} mails, 0 doubled")


def test_a_relay_that_takes_one_connection_at_a_time(use: Use, spool: Spool, report: Callable[[str], None]) -> None:
    """``queue run`` never opens a second one; calls that come at once do, and then back off."""
    with ScriptedRelay(most=1) as relay:
        use(relay.port)
        queue_calls(spool, 20)
        in_processes(QUEUE_RUN)
        assert (len(relay.messages), relay.turned_away) == (20, 0)
        storm(20, 20)
        wait_for_released()
        turned_away = relay.turned_away
        while spool.identifiers():
            write_backoff(spool.directory, None)
            in_processes(QUEUE_RUN, 1)
        assert (len(relay.messages), relay.turned_away) == (20 + 20 * len(ALL), turned_away)
    report(f"{PROCESSES} queue runs at once: 0 turned away; 20 calls at once: {turned_away}; all delivered once")


def test_a_relay_that_takes_three_connections_at_a_time(use: Use, spool: Spool, report: Callable[[str], None]) -> None:
    """As Microsoft 365 does for one mailbox: a fourth one would let all mail back off."""
    with ScriptedRelay(most=3, greeting=after(0.1, "220 scripted.test ESMTP")) as relay:
        use(relay.port)
        queue_calls(spool, 20)
        with ThreadPoolExecutor(1) as running:
            running.submit(in_processes, QUEUE_RUN)
            storm(20, AT_ONCE)
        wait_for_released()
        assert (relay.turned_away, spool.identifiers()) == (0, [])
        assert len(relay.messages) == 20 + AT_ONCE * len(ALL)
    report(f"{PROCESSES} queue runs and {AT_ONCE} calls at once: 0 turned away")


def test_a_relay_that_answers_421_after_ten_mails(use: Use, spool: Spool, report: Callable[[str], None]) -> None:
    """Ten a minute: after a 421 nobody tries it before the backoff is over."""
    allowed = 10

    def mail(talk: Talk) -> None:
        talk.say("250 2.1.0 Ok" if len(relay.messages) < allowed else "421 4.7.0 too many mails, come back later")

    with ScriptedRelay(MAIL=mail) as relay:
        use(relay.port)
        queue_calls(spool, 25)
        connections = []
        for _ in range(3):
            before = relay.connections
            in_processes(QUEUE_RUN)
            noted = read_backoff(spool.directory)
            noted = noted._replace(until=noted.until + 86400)  # which a slow machine does not outlast
            write_backoff(spool.directory, noted)
            in_processes(QUEUE_RUN)
            connections.append(relay.connections - before)
            write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
            allowed += 10
        assert connections == [2, 2, 1], "another one after a 421, once"
        assert len(relay.messages) == 25
    assert spool.identifiers() == []
    report("25 mails, 10 allowed a minute: 10 + 10 + 5 sent, two 421 each time, none tried before the backoff was over")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"greeting": "554 5.7.1 your address is blocked, try again in an hour"}, id="greeting"),
        pytest.param({"MAIL": "550 5.7.1 blocked for sending too much"}, id="MAIL"),
        pytest.param({"RCPT": "554 5.7.1 Policy rejection on the target address"}, id="each recipient"),
        pytest.param({"DATA": "554 5.7.1 <DATA>: Data command rejected: limit of 400 rcpts per 24 hours"}, id="DATA"),
        pytest.param({"message": "554 5.7.1 [2] Message rejected under suspicion of SPAM"}, id="the final dot"),
    ],
)
def test_a_relay_that_blocks_and_extends_the_block_when_tried(
    block: dict[str, Any], use: Use, catcher: Catcher, spool: Spool, report: Callable[[str], None]
) -> None:
    with ScriptedRelay(**block) as relay:
        use(relay.port)
        call(0)
        wait_for_released()
        storm(1, 29)
        wait_for_released()
        for _ in range(3):
            in_processes(QUEUE_RUN)
        tried = relay.connections
    use(catcher.port)
    in_processes(QUEUE_RUN, 1)
    assert tried == 1
    assert copies(catcher) == each_once(30)
    report(f"30 calls and {3 * PROCESSES} queue runs while blocked: {tried} connection; later 90 mails, 0 doubled")


@pytest.mark.parametrize("rung", [["101"], ["101", "102"]], ids=["always the same", "two"])
def test_a_block_that_shows_at_a_single_recipient(use: Use, catcher: Catcher, spool: Spool, rung: list[str]) -> None:
    """The first refusal may be meant for the recipient; the second one, of the administrator's alert, is not."""
    with ScriptedRelay(RCPT="554 5.7.1 Policy rejection on the target address") as relay:
        use(relay.port)
        for number in range(6):
            call(number, rung[number % len(rung)])
            wait_for_released()
        in_processes(QUEUE_RUN)
        assert relay.commands("RCPT") == [b"RCPT TO:<a@example.com>", b"RCPT TO:<admin@example.com>"]
    use(catcher.port)
    in_processes(QUEUE_RUN, 1)
    assert sum(copies(catcher).values()) == 6


class Load:
    """What our processes take of the machine at most: those that scripts of calls in progress are, and deliveries."""

    def __init__(self) -> None:
        self.processes = self.deliveries = 0
        self.megabytes = 0.0
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Load:
        self._watching.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            ours = [one for one in processes_named(MISSED.name, MARK) if one.name != str(os.getpid())]
            calls = [one for one in ours if self._is_of_a_call(one)]
            self.processes = max(self.processes, len(ours))
            self.deliveries = max(self.deliveries, len(ours) - len(calls))
            self.megabytes = max(self.megabytes, sum(map(proportional_memory, ours)))

    @staticmethod
    def _is_of_a_call(process: Path) -> bool:
        """Return whether a call waits for it: then Asterisk, which is this process, is its parent."""
        with suppress(OSError):
            return f"PPid:\t{os.getpid()}\n" in (process / "status").read_text()
        return True


def proportional_memory(process: Path) -> float:
    """Return a process' share of the memory (MB); 0 if it has ended."""
    with suppress(OSError):
        found = re.search(r"^Pss:\s*(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def steady_storm(first: int, count: int, a_second: int) -> list[float]:
    """Let so many calls come, so many a second; returns for how long (seconds) each waited."""
    began = time.monotonic()

    def call_in_time(number: int) -> float:
        time.sleep(max(0.0, began + number / a_second - time.monotonic()))
        called = time.monotonic()
        assert call(first + number, "101") == "QUEUED"
        return time.monotonic() - called

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(call_in_time, range(count)))


def answers_late(well: threading.Event) -> ScriptedRelay:
    """Return a relay that answers the final dot after 75 s."""

    def message(talk: Talk) -> None:
        well.wait(75)
        talk.say("250 2.0.0 Ok")

    return ScriptedRelay(message=message)


def drips(well: threading.Event) -> ScriptedRelay:
    """Return a relay that greets with a byte each 20 s, which a delivery ends after ``TIMEOUT``."""

    def greeting(talk: Talk) -> None:
        while not well.wait(TIMEOUT * 2 / 3):
            talk.sock.sendall(b"2")
        talk.say("220 scripted.test ESMTP")

    return ScriptedRelay(greeting=greeting)


@pytest.mark.parametrize(
    ("slow", "count", "a_second"),
    [
        pytest.param(answers_late, 600 if LONG else 60, 25, id="answers after 75 s"),
        pytest.param(drips, 240 if LONG else 40, 4 if LONG else 25, id="a byte each 20 s"),
    ],
)
def test_a_relay_that_is_slow_instead_of_down(
    slow: Callable[[threading.Event], ScriptedRelay],
    count: int,
    a_second: int,
    use: Use,
    catcher: Catcher,
    spool: Spool,
    report: Callable[[str], None],
) -> None:
    use(catcher.port)
    with Load():  # which costs the calls something as well
        without = steady_storm(0, count, a_second)
        wait_for_released()
    assert spool.identifiers() == []
    well = threading.Event()
    with slow(well) as relay, Load() as load:
        use(relay.port, timeout=TIMEOUT)
        within = steady_storm(count, count, a_second)
        connections = relay.connections
        well.set()
        began = time.monotonic()
        wait_for_released()
        if read_backoff(spool.directory).failures:
            use(relay.port)  # a changed ini file ends the backoff
            in_processes(QUEUE_RUN, 1)
        took = time.monotonic() - began
    assert spool.identifiers() == spool.identifiers("failed") == []
    about = Counter(match[1] for match in map(ABOUT.search, relay.messages) if match)
    assert about == Counter(f"7{number:05}".encode() for number in range(count, 2 * count))
    assert connections <= 3
    assert load.deliveries <= 4, "one more may be about to end"
    assert load.processes <= 6
    assert load.megabytes <= 80
    report(
        f"{count} calls, {a_second} a second: {load.processes} processes and {load.megabytes:.0f} MB at most,"
        f" {load.deliveries} of them deliveries, {connections} connections; let go after"
        f" {1000 * statistics.median(within):.0f} ms in the median, {1000 * max(within):.0f} at most"
        f" (relay well: {1000 * statistics.median(without):.0f} and {1000 * max(without):.0f});"
        f" all sent {took:.0f} s after the relay was well"
    )


def test_nothing_waits_for_the_next_queue_run(
    use: Use, catcher: Catcher, spool: Spool, report: Callable[[str], None]
) -> None:
    """Of calls that find no place just when others give theirs up, and of alerts that deliveries raise."""
    use(catcher.port)
    catcher.answers["b@example.com"] = "550 5.1.1 no such user"
    count = CALLS if LONG else AT_ONCE
    assert storm(0, count) == ["QUEUED"] * count
    wait_for_released()
    assert spool.identifiers() == []
    assert Counter(mail.recipients[0] for mail in catcher.mails) == {
        **dict.fromkeys(("a@example.com", "c@example.com"), count),
        "admin@example.com": 1,
    }
    report(f"{count} calls, {AT_ONCE} at once, without a queue run: all delivered")
