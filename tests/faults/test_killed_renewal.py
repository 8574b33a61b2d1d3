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
from extent import PATIENCE
from far_end import ROOT
from login_office import ACCOUNT, LoginOffice
from relay import Certificates
from test_killed import KILL_AT, moments

from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.store import FOLDERS

RENEW = (
    "from pbxnotify.settings.load import ini_path, load_settings; from pbxnotify.smtp.oauth import refresh;"
    "print(refresh.access(load_settings(ini_path()).smtp).token)"
)

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.fixture
def office(tmp_path: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return an office whose provider lets a refresh token be used again."""
    with login_office.running(tmp_path, certificates) as office:
        yield office


def environment_of(directory: Path, office: LoginOffice) -> dict[str, str]:
    """Return the environment of a box of its own, with a token that has ended."""
    for folder in FOLDERS:
        (directory / "spool" / folder).mkdir(parents=True, mode=0o700)
    issued = office.server.issue()
    spool = str(directory / "spool")
    script = (
        "import sys; from pbxnotify.settings.load import ini_path, load_settings;"
        "from pbxnotify.smtp.oauth import token_store; relay = load_settings(ini_path()).smtp;"
        "token_store.write(relay, token_store.Tokens(sys.argv[1], sys.argv[2], 1.0, 2.0))"
    )
    environment = {**os.environ, "PBXNOTIFY_SPOOL": spool, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script, issued["access_token"], issued["refresh_token"]]
    subprocess.run(command, env=environment, check=True)
    return environment


def test_a_renewal_killed_at_every_system_call(
    office: LoginOffice, tmp_path: Path, report: Callable[[str], None]
) -> None:
    def strike(at: int) -> tuple[int, int]:
        """Kill it at its n-th system call, and let another one do the same; returns how many it began, and its mode."""
        box = tmp_path / str(at)
        environment = environment_of(box, office)
        under = [sys.executable, str(KILL_AT), str(box / "report"), "0", str(at)]
        command = [sys.executable, "-c", RENEW]
        subprocess.run([*under, *command], env=environment, stdout=subprocess.DEVNULL, check=True)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert office.server.is_valid(ACCOUNT, done.stdout.strip()), f"killed at {at}: {done.stderr}"
        stored = box / "spool" / state.FOLDER / token_store.FILE
        return int((box / "report").read_text()), stored.stat().st_mode & 0o777

    begun, _ = strike(0)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = list(threads.map(strike, moments(begun)))
    assert {mode for _, mode in outcomes} == {0o600}
    killed = sum(one < begun for one, _ in outcomes)
    assert killed > 0.8 * len(outcomes)
    report(
        f"killed at {killed} of {begun} system calls; the file whole each time, and the token renewed by the next one"
    )
