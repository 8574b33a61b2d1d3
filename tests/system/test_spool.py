"""The spool as other users and full disks find it: each test opens it in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden

from pbxnotify.spool.store import Spool

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
OPEN = "from pbxnotify.spool.store import open_spool; from pbxnotify.events import MissedCall; open_spool()"


def opened_by(user: int, directory: Path, then: str = "print(os.geteuid())") -> subprocess.CompletedProcess[str]:
    """Open the spool in a process of that user."""
    become = f"import os; os.getuid() or (os.setgid({user}), os.setuid({user}))"
    return subprocess.run(
        ["/usr/bin/python3", "-c", f"{become}; {OPEN}; {then}"],
        env={**os.environ, "PBXNOTIFY_SPOOL": str(directory), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the SpoolError that ended a process."""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("pbxnotify.errors.SpoolError: ")
    return last


@pytest.fixture
def asterisk_spool() -> Iterator[Path]:
    """Return the spool directory of an Asterisk, which runs as user 1234 where we are root, else as we do."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if os.geteuid() == 0:
            os.chown(directory, 1234, 1234)
        yield directory


@ROOT_ONLY
def test_another_users_is_refused(asterisk_spool: Path, golden: Golden) -> None:
    opened_by(1234, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool, 0o755)  # noqa: S103  so that the other user gets as far as the spool
    golden(error_of(opened_by(4321, asterisk_spool / "pbxnotify")), spool=asterisk_spool)


def test_no_right_to_write(asterisk_spool: Path) -> None:
    user = asterisk_spool.stat().st_uid
    opened_by(user, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool / "pbxnotify" / "tmp", 0o500)
    done = opened_by(user, asterisk_spool / "pbxnotify", then="open_spool().add(MissedCall())")
    assert "Permission denied" in error_of(done)


def test_no_room(spool: Spool, golden: Golden) -> None:
    """A file size limit of nothing is what a full disk looks like to a process: the write fails half way."""
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from pbxnotify.spool.store import open_spool; from pbxnotify.events import MissedCall;"
        "open_spool().add(MissedCall())"
    )
    environment = {**os.environ, "PBXNOTIFY_SPOOL": str(spool.directory), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "File too large" in error_of(done)
    golden(error_of(done))
    assert os.listdir(Path(spool.directory) / "tmp") == os.listdir(Path(spool.directory) / "queue") == []


def test_a_queue_that_cannot_be_written_is_not_sent_from(asterisk_spool: Path, golden: Golden) -> None:
    user = asterisk_spool.stat().st_uid
    opened_by(user, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool / "pbxnotify" / "queue", 0o500)
    golden(error_of(opened_by(user, asterisk_spool / "pbxnotify")), spool=asterisk_spool)


def test_no_room_for_the_item_leaves_no_recording(spool: Spool, tmp_path: Path) -> None:
    script = (
        "import os, resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from pbxnotify.spool.store import open_spool; from pbxnotify.events import Voicemail;"
        "open_spool().add(Voicemail(recording='wav'), os.open('msg0000.wav', os.O_RDONLY))"
    )
    (tmp_path / "msg0000.wav").write_bytes(b"RIFF sound")
    environment = {**os.environ, "PBXNOTIFY_SPOOL": str(spool.directory), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "File too large" in error_of(done)
    assert list(Path(spool.directory).rglob("*.wav")) == []
