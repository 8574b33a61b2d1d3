"""``pbxnotify status``: the screen, the JSON, and the exit status for monitoring."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from calls import CALL
from relay import Catcher

from pbxnotify.health.problems import MonitorState, Problem
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

MISSED = ("missed", "--from", "5551212", "--to", "101")


@pytest.fixture
def healthy(run, relay: Catcher, spool: Spool) -> Catcher:
    """Return the relay of a box that is well, and whose queue is run."""
    run("queue", "run")
    return relay


def waiting_since(spool: Spool, seconds: float) -> None:
    """Put a call into the queue that has been waiting there for so long."""
    entry = spool.add(CALL)
    assert entry
    entry.change(queued=time.time() - seconds, due=time.time() + 600, reason="the relay is down")
    entry.release()


def test_all_is_well(run, healthy: Catcher) -> None:
    run(*MISSED)
    status, said, _ = run("status")
    lines = dict(line.split(None, 1) for line in said.splitlines() if not line.startswith(("last", "queue")))
    assert (status, said.splitlines()[0]) == (0, "OK: no mail is held up")
    assert (lines["waiting"], lines["oldest"], lines["failed"]) == ("0", "-", "0")
    assert "missed 5551212 -> 101" in said
    assert lines["relay"] == f"127.0.0.1:{healthy.port}: may be tried"


@pytest.mark.parametrize(
    ("seconds", "status", "words"),
    [
        pytest.param(60, 0, "OK: no mail is held up", id="a minute"),
        pytest.param(1300, 1, "WARNING: mail has been waiting for 21 min", id="20 minutes"),
        pytest.param(7300, 2, "CRITICAL: mail has been waiting for 2 h", id="two hours"),
    ],
)
def test_mail_that_waits(run, healthy: Catcher, spool: Spool, seconds: float, status: int, words: str) -> None:
    waiting_since(spool, seconds)
    found, said, _ = run("status")
    assert (found, said.splitlines()[0]) == (status, words)
    assert "waiting          1" in said


def test_a_relay_that_is_down(run, healthy: Catcher) -> None:
    healthy.stop()
    run(*MISSED)
    status, said, _ = run("status")
    assert status == 1
    assert said.startswith("WARNING: the relay takes no mail: 127.0.0.1:")
    assert ": left alone until " in said


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
    entry = spool.add(CALL)
    assert entry
    entry.fail("refused")
    entry.release()


def machine(spool: Spool, told: float, is_critical: bool) -> None:
    MonitorState(problems={"x": Problem("Asterisk does not run", 1.0, told, is_critical)}).write(spool.directory)


def the_machine_is_ill(spool: Spool, box: Path) -> None:
    machine(spool, 2.0, is_critical=True)


def the_machine_has_a_problem(spool: Spool, box: Path) -> None:
    machine(spool, 2.0, is_critical=False)


def the_machine_may_have_a_problem(spool: Spool, box: Path) -> None:
    machine(spool, 0.0, is_critical=True)


def nobody_looks_any_more(spool: Spool, box: Path) -> None:
    MonitorState().write(spool.directory)
    os.utime(Path(spool.directory, "state", state.MONITOR), (time.time() - 4000,) * 2)


def something_is_damaged(spool: Spool, box: Path) -> None:
    Path(spool.directory, "failed", "x.json.damaged").touch()


@pytest.mark.parametrize(
    ("trouble", "first_line", "status"),
    [
        pytest.param(broken_ini, "CRITICAL: the ini file has mistakes, all mail waits", 2, id="ini"),
        pytest.param(
            switched_off, "WARNING: notifications are switched off, system notifications too", 1, id="switched off"
        ),
        pytest.param(nobody_runs_the_queue, "WARNING: nothing runs the queue each minute", 1, id="no runner"),
        pytest.param(something_failed, "WARNING: failed: 1, see  pbxnotify queue list", 1, id="failed"),
        pytest.param(the_machine_is_ill, "CRITICAL: Asterisk does not run", 2, id="machine"),
        pytest.param(the_machine_has_a_problem, "WARNING: Asterisk does not run", 1, id="a little"),
        pytest.param(the_machine_may_have_a_problem, "OK: no mail is held up", 0, id="perhaps"),
        pytest.param(nobody_looks_any_more, "WARNING: nothing looks at this machine any more", 1, id="no monitor"),
        pytest.param(something_is_damaged, "WARNING: damaged items: 1, see  pbxnotify queue list", 1, id="damaged"),
    ],
)
def test_trouble(run, healthy: Catcher, spool: Spool, box: Path, trouble, first_line: str, status: int) -> None:
    trouble(spool, box)
    found, said, _ = run("status")
    assert (found, said.splitlines()[0]) == (status, first_line)


def test_json(run, healthy: Catcher, spool: Spool) -> None:
    waiting_since(spool, 1300)
    status, said, _ = run("status", "--json")
    found = json.loads(said)
    assert (status, found["state"], found["waiting"], found["last_sent"]) == (1, "WARNING", 1, 0.0)
    assert found["problems"] == ["mail has been waiting for 21 min"]
    assert 0 < found["next_retry"] - time.time() <= 600
    assert 1299 < time.time() - found["oldest"] < 1330


@pytest.mark.parametrize("option", [(), ("--json",)], ids=["screen", "json"])
def test_a_spool_that_cannot_be_used_is_unknown(run, relay: Catcher, box: Path, option: tuple[str, ...]) -> None:
    (box / "spool").touch()
    status, said, _ = run("status", *option)
    assert (status, "UNKNOWN" in said, "the spool cannot be used" in said) == (3, True, True)


def test_an_item_of_a_newer_version_counts(run, healthy: Catcher, spool: Spool) -> None:
    Path(spool.directory, "queue", "20260101-000000-00000000.json").write_text('{"version": 99}')
    assert "waiting          1" in run("status")[1]


def test_status_of_an_empty_box(run, spool: Spool) -> None:
    status, said, _ = run("status")
    assert (status, "there is no such file" in said) == (2, True)
    assert os.listdir(Path(spool.directory, "queue")) == []
