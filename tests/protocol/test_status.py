"""``pbxnotify status``: the screen, the JSON, and the exit status for monitoring."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import CALL
from golden import Golden
from relay import Catcher

from pbxnotify.health.problems import MonitorState, Problem
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

MISSED = ("missed", "--from", "5551212", "--to", "101")


@pytest.fixture
def healthy(run, relay: Catcher, spool: Spool) -> Catcher:
    """Return the relay of a box without problems, whose queue is run."""
    run("queue", "run")
    return relay


def waiting_since(spool: Spool, seconds: float) -> None:
    """Put a call into the queue that has been waiting there for so long."""
    queue_file = spool.add(CALL)
    assert queue_file
    queue_file.change(queued=time.time() - seconds, due=time.time() + 600, reason="the relay is down")
    queue_file.release()


def first_line(said: str) -> tuple[str, str]:
    """Return the state and what is said of it."""
    state, _, reason = said.splitlines()[0].partition(": ")
    return state, reason


def test_nothing_is_wrong(run, healthy: Catcher, golden: Golden) -> None:
    run(*MISSED)
    status, said, _ = run("status")
    lines = dict(line.split(None, 1) for line in said.splitlines() if not line.startswith(("last", "queue")))
    assert (status, first_line(said)[0]) == (0, "OK")
    assert (lines["waiting"], lines["oldest"], lines["failed"]) == ("0", "-", "0")
    assert "missed 5551212 -> 101" in said
    assert lines["relay"].startswith(f"127.0.0.1:{healthy.port}: ")
    golden(re.sub(r"\b\d+ s ago", "SECONDS ago", said))


@pytest.mark.parametrize(
    ("seconds", "status", "state"),
    [
        pytest.param(60, 0, "OK", id="a minute"),
        pytest.param(1300, 1, "WARNING", id="20 minutes"),
        pytest.param(7300, 2, "CRITICAL", id="two hours"),
    ],
)
def test_mail_that_waits(
    run, healthy: Catcher, spool: Spool, golden: Golden, seconds: float, status: int, state: str
) -> None:
    waiting_since(spool, seconds)
    found, said, _ = run("status")
    assert (found, first_line(said)[0]) == (status, state)
    assert "waiting          1" in said
    golden(said.splitlines()[0])


def test_a_relay_that_is_down(run, healthy: Catcher, golden: Golden) -> None:
    healthy.stop()
    run(*MISSED)
    status, said, _ = run("status")
    assert (status, first_line(said)[0]) == (1, "WARNING")
    golden(said.splitlines()[0], "first line")
    golden(next(line for line in said.splitlines() if line.startswith("relay ")), "relay")


def test_a_login_that_is_rejected_is_serious(run, healthy: Catcher, write_ini) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(
            f"[smtp]\nhost = 127.0.0.1\nport = {catcher.port}\nlogin = me\npassword = wrong\n"
            "[missed_calls]\nemail = a@example.com\n"
        )
        run(*MISSED)
    status, said, _ = run("status")
    assert (status, "535" in said.splitlines()[0]) == (2, True)


def broken_ini(spool: Spool, box: Path) -> None:
    (box / "pbxnotify.ini").write_text("[smtp]\nhots = x\n")


def switched_off(spool: Spool, box: Path) -> None:
    (box / "pbxnotify.ini").write_text("[notifications]\nenabled = no\n")


def nobody_runs_the_queue(spool: Spool, box: Path) -> None:
    Path(spool.directory, "state", state.RUN).unlink()


def something_failed(spool: Spool, box: Path) -> None:
    queue_file = spool.add(CALL)
    assert queue_file
    queue_file.fail("refused")
    queue_file.release()


def three_failed_since_a_mail_was_accepted(spool: Spool, box: Path) -> None:
    for number in range(3):
        queue_file = spool.add(CALL._replace(linked_id=f"{number}.1"))
        assert queue_file
        queue_file.fail("refused")
        queue_file.release()


def machine(spool: Spool, notified: float | None, is_critical: bool) -> None:
    MonitorState(problems={"x": Problem("Asterisk does not run", 1.0, notified, is_critical)}).write(spool.directory)


def the_machine_has_a_critical_problem(spool: Spool, box: Path) -> None:
    machine(spool, 2.0, is_critical=True)


def the_machine_has_a_problem(spool: Spool, box: Path) -> None:
    machine(spool, 2.0, is_critical=False)


def the_machine_may_have_a_problem(spool: Spool, box: Path) -> None:
    machine(spool, None, is_critical=True)


def nobody_monitors_any_more(spool: Spool, box: Path) -> None:
    MonitorState().write(spool.directory)
    os.utime(Path(spool.directory, "state", state.MONITOR), (time.time() - 4000,) * 2)


def something_is_damaged(spool: Spool, box: Path) -> None:
    Path(spool.directory, "failed", "x.json.damaged").touch()


@pytest.mark.parametrize(
    ("trouble", "state", "status"),
    [
        pytest.param(broken_ini, "CRITICAL", 2, id="ini"),
        pytest.param(switched_off, "WARNING", 1, id="switched off"),
        pytest.param(nobody_runs_the_queue, "WARNING", 1, id="no runner"),
        pytest.param(something_failed, "WARNING", 1, id="failed"),
        pytest.param(three_failed_since_a_mail_was_accepted, "CRITICAL", 2, id="nothing is accepted"),
        pytest.param(the_machine_has_a_critical_problem, "CRITICAL", 2, id="machine"),
        pytest.param(the_machine_has_a_problem, "WARNING", 1, id="a little"),
        pytest.param(the_machine_may_have_a_problem, "OK", 0, id="perhaps"),
        pytest.param(nobody_monitors_any_more, "WARNING", 1, id="no monitor"),
        pytest.param(something_is_damaged, "WARNING", 1, id="damaged"),
    ],
)
def test_trouble(
    run,
    healthy: Catcher,
    spool: Spool,
    box: Path,
    golden: Golden,
    trouble: Callable[[Spool, Path], None],
    state: str,
    status: int,
) -> None:
    trouble(spool, box)
    found, said, _ = run("status")
    assert (found, first_line(said)[0]) == (status, state)
    golden(said.splitlines()[0])


def test_json(run, healthy: Catcher, spool: Spool, golden: Golden) -> None:
    waiting_since(spool, 1300)
    status, said, _ = run("status", "--json")
    found = json.loads(said)
    assert (status, found["state"], found["waiting"], found["last_sent"]) == (1, "WARNING", 1, 0.0)
    (problem,) = found["problems"]
    golden(problem)
    assert 0 < found["next_retry"] - time.time() <= 600
    assert 1299 < time.time() - found["oldest"] < 1330


def test_the_keys_and_kinds_of_json_stay(run, healthy: Catcher, spool: Spool) -> None:
    MonitorState(problems={"x": Problem("a disk", 1.0, 2.0, is_critical=True)}).write(spool.directory)
    found = json.loads(run("status", "--json")[1])
    times = ("last_sent", "oldest", "stuck_since", "next_retry", "relay_rests_until", "queue_run", "monitor_run")
    texts = ("state", "last_sent_event", "relay", "relay_reason", "settings", "token")
    assert {name: type(found.pop(name)) for name in times} == dict.fromkeys(times, float)
    assert {name: type(found.pop(name)) for name in texts} == dict.fromkeys(texts, str)
    assert found == {
        "problems": ["a disk"],
        "waiting": 0,
        "failed": 0,
        "failed_since_sent": 0,
        "damaged": 0,
        "needs_mending": False,
        "machine": [[2, "a disk"]],
        "enabled": True,
        "broken": False,
    }


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["screen", "json"])
def test_a_spool_that_cannot_be_used_is_unknown(
    run, relay: Catcher, box: Path, golden: Golden, option: tuple[str, ...]
) -> None:
    (box / "spool").touch()
    status, said, _ = run("status", *option)
    assert (status, "UNKNOWN" in said) == (3, True)
    golden(said, pid=os.getpid())


def test_an_item_of_a_newer_version_counts(run, healthy: Catcher, spool: Spool) -> None:
    Path(spool.directory, "queue", "20260101-000000-00000000.json").write_text('{"version": 99}')
    assert "waiting          1" in run("status")[1]


def test_status_of_an_empty_box(run, spool: Spool, golden: Golden) -> None:
    status, said, _ = run("status")
    assert status == 2
    golden(said)
    assert os.listdir(Path(spool.directory, "queue")) == []
