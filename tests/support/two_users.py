"""A host of two users: pbxnotify installed by root, and an Asterisk that runs as somebody else."""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import pytest
from calls import INI
from checkout import ROOT
from far_end import MISSED, RANG_OUT, FarEnd, wait_for_released
from relay import Catcher

ASTERISK, STRANGER = 1234, 4321
PYTHON = "/usr/bin/python3"
"""Which another user may run too."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


def become(user: int) -> list[str]:
    """Return the command under which another command runs as this user."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []


@lru_cache
def installation() -> Path:
    """Return a copy of the package, what it needs and the scripts, where all users may read them, compiled."""
    directory = Path(tempfile.mkdtemp(prefix="pbxnotify-two-users-"))
    atexit.register(shutil.rmtree, directory)
    directory.chmod(0o755)
    for name in ("pbxnotify", "asterisk", "configobj", "validate"):
        place = ROOT if name == "pbxnotify" else _place_of(name)
        shutil.copytree(place / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("agi-bin", "etc"):
        shutil.copytree(ROOT / name, directory / name)
    (directory / "asterisk-user").write_text(f"{ASTERISK}:{ASTERISK}\n")
    subprocess.run([PYTHON, "-m", "compileall", "-q", str(directory)], check=True)
    return directory


def _place_of(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin, package
    return Path(spec.origin).parent.parent


class Host:
    """A host with Asterisk's directories, as two users see it."""

    def __init__(self, directory: Path, catcher: Catcher) -> None:
        self.directory = directory
        self.etc = directory / "etc"
        self.spool = directory / "spool" / "pbxnotify"
        self.ini = self.etc / "pbxnotify.ini"
        self.log = directory / "log"
        self.lib = installation()
        directory.chmod(0o755)
        for path in (self.etc, directory / "spool"):
            path.mkdir()
        os.chown(directory / "spool", ASTERISK, ASTERISK)
        self.log.touch()
        self.log.chmod(0o666)
        self.ini.write_text(INI.format(port=catcher.port, enabled="yes"))
        self.ini.chmod(0o640)
        os.chown(self.ini, 0, ASTERISK)
        self._calls = 0

    def note(self, user: bytes) -> None:
        """Let an installation of its own have noted this as Asterisk's user."""
        self.lib = shutil.copytree(self.lib, self.directory / "lib")
        (self.lib / "asterisk-user").write_bytes(user)

    @property
    def environment(self) -> dict[str, str]:
        """What both users have in their environment."""
        ours = {"PBXNOTIFY_SPOOL": self.spool, "PBXNOTIFY_CONFIG": self.ini, "PBXNOTIFY_LOG": self.log}
        path = str(self.lib)
        return {**os.environ, **{name: str(path) for name, path in ours.items()}, "PYTHONPATH": path}

    def call(self, user: int = ASTERISK) -> FarEnd:
        """Let the script tell of a call that three people missed, to its end."""
        self._calls += 1
        far_end = FarEnd({**RANG_OUT, "CHANNEL(linkedid)": f"{self._calls}.1"})
        far_end.python = PYTHON
        script = self.lib / "agi-bin" / MISSED.name
        assert far_end.run(["101&102&103"], script, self.environment, become(user)) == 0
        wait_for_released()
        return far_end

    def command(self, *arguments: str, user: int = 0) -> tuple[int, str]:
        """Run a command of ours; returns its exit status and what it said."""
        command = [*become(user), PYTHON, "-m", "pbxnotify.cli", *arguments]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def owners(self) -> set[int]:
        """Return who owns what is in the spool."""
        return {path.lstat().st_uid for path in [self.spool, *self.spool.rglob("*")]}

    def logged(self) -> str:
        """Return what has been logged."""
        return self.log.read_text()
