"""A renewal whose process ends, where a refresh token is good once and a second use ends the login.

Killed at each system call: the next process has a token that is accepted, but for a process that was killed between
its request and the moment at which it had written the answer. Signals that can wait do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import login_office
import pytest
from extent import KILL_AT, PATIENCE, moments
from far_end import ROOT
from login_office import ACCOUNT, LoginOffice
from relay import Certificates

from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.directory import FOLDERS

RENEW = (
    "from pbxnotify.settings.load import ini_path, load_settings; from pbxnotify.smtp.oauth import refresh;"
    "print(refresh.access(load_settings(ini_path()).smtp).token)"
)

OURS = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

pytestmark = pytest.mark.timeout(PATIENCE)


class Outcome(NamedTuple):
    """What became of one box."""

    at: int
    begun: int
    """System calls."""
    mode: int
    was_issued: bool
    """Whether the provider has answered the process that was killed."""
    is_written: bool
    """Whether that process has written the whole answer."""
    is_lost: bool
    """Whether the next process was refused."""


@pytest.fixture
def office(tmp_path: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return an office whose provider ends a login when a refresh token is used twice."""
    with login_office.running(tmp_path, certificates, rotates=True) as office:
        yield office


def prepare(box: Path, office: LoginOffice, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a box of its own, with a token that has ended; returns its refresh token."""
    for folder in FOLDERS:
        (box / "spool" / folder).mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(box / "spool"))
    return office.keep(obtained=1.0, expires=2.0).refresh


def written_in(box: Path) -> set[str]:
    """Return the refresh tokens in the whole files of a box."""
    found = set()
    for path in (box / "spool" / "state").iterdir():
        with suppress(ValueError):
            found |= {tokens.refresh for tokens in token_store._tokens_in(path.read_bytes()).values()}
    return found


def test_a_renewal_killed_at_every_system_call(
    office: LoginOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Callable[[str], None]
) -> None:
    def strike(at: int) -> Outcome:
        """Kill it at its n-th system call, and let another one do the same."""
        box, first = tmp_path / str(at), refreshed[at]
        environment = {**os.environ, **OURS, "PBXNOTIFY_SPOOL": str(box / "spool")}
        under = [sys.executable, str(KILL_AT), str(box / "report"), "0", str(at)]
        command = [sys.executable, "-c", RENEW]
        subprocess.run([*under, *command], env=environment, stdout=subprocess.DEVNULL, check=True)
        is_written = written_in(box) != {first}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return Outcome(
            at,
            int((box / "report").read_text()),
            (box / "spool" / "state" / "oauth2.json").stat().st_mode & 0o777,
            office.server.newest(first) != first,
            is_written,
            not office.server.is_valid(ACCOUNT, done.stdout.strip()),
        )

    refreshed = {0: prepare(tmp_path / "0", office, monkeypatch)}
    begun = strike(0).begun
    for at in moments(begun):
        refreshed[at] = prepare(tmp_path / str(at), office, monkeypatch)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = list(threads.map(strike, moments(begun)))
    assert {one.mode for one in outcomes} == {0o600}
    lost = [one for one in outcomes if one.is_lost]
    assert [one for one in lost if one.is_written or not one.was_issued] == []
    killed = [one for one in outcomes if one.at <= one.begun]
    assert len(killed) > 0.8 * len(outcomes)
    where = f"at {len(lost)} of them between {lost[0].at} and {lost[-1].at}" if lost else "at none"
    report(
        f"killed at {len(killed)} of {begun} system calls; the file whole each time; {where} the provider's answer was"
        " not written yet and the login is lost, at all others the next process has a token"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("command", ["test", "queue run", "oauth logout"])
def test_a_signal_while_the_provider_thinks(
    office: LoginOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, command: str
) -> None:
    """It acts when the answer is stored."""
    first = prepare(tmp_path / "box", office, monkeypatch)
    with office.server.thinking() as came:
        arguments = [sys.executable, "-m", "pbxnotify.cli", *command.split()]
        as_usual = ["env", f"--default-signal={number.name}"]  # a test of scripts may have left it ignored here
        process = subprocess.Popen([*as_usual, *arguments], env={**os.environ, **OURS}, stderr=subprocess.DEVNULL)
        assert came.wait(60)
        process.send_signal(number)
    status = process.wait()
    assert status == (130 if number == signal.SIGINT else -number)
    if command == "oauth logout":
        assert not Path(token_store.path()).exists()
    else:
        assert written_in(tmp_path / "box") == {office.server.newest(first)} != {first}
