"""A token that is being renewed when its process is killed: the file is whole, and the next one renews it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import login_office
import pytest
from extent import KILL_AT, PATIENCE, moments
from far_end import ROOT
from login_office import ACCOUNT, LoginOffice
from relay import Certificates

from pbxnotify.spool.directory import FOLDERS

RENEW = (
    "from pbxnotify.settings.load import ini_path, load_settings; from pbxnotify.smtp.oauth import refresh;"
    "print(refresh.access(load_settings(ini_path()).smtp).token)"
)

OURS = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.fixture
def office(tmp_path: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return an office whose provider lets a refresh token be used again."""
    with login_office.running(tmp_path, certificates) as office:
        yield office


def prepare(box: Path, office: LoginOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a box of its own, with a token that has ended."""
    for folder in FOLDERS:
        (box / "spool" / folder).mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(box / "spool"))
    office.keep(obtained=1.0, expires=2.0)


def test_a_renewal_killed_at_every_system_call(
    office: LoginOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, report: Callable[[str], None]
) -> None:
    def strike(at: int) -> tuple[int, int]:
        """Kill it at its n-th system call, and let another one do the same; returns how many it began, and its mode."""
        box = tmp_path / str(at)
        environment = {**os.environ, **OURS, "PBXNOTIFY_SPOOL": str(box / "spool")}
        under = [sys.executable, str(KILL_AT), str(box / "report"), "0", str(at)]
        command = [sys.executable, "-c", RENEW]
        subprocess.run([*under, *command], env=environment, stdout=subprocess.DEVNULL, check=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert office.server.is_valid(ACCOUNT, done.stdout.strip()), f"killed at {at}: {done.stderr}"
        return int((box / "report").read_text()), (box / "spool" / "state" / "oauth2.json").stat().st_mode & 0o777

    prepare(tmp_path / "0", office, monkeypatch)
    begun, _ = strike(0)
    for at in moments(begun):
        prepare(tmp_path / str(at), office, monkeypatch)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = list(threads.map(strike, moments(begun)))
    assert {mode for _, mode in outcomes} == {0o600}
    killed = sum(one < begun for one, _ in outcomes)
    assert killed > 0.8 * len(outcomes)
    report(
        f"killed at {killed} of {begun} system calls; the file whole each time, and the token renewed by the next one"
    )
