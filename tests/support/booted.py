"""This host's own root filesystem, or another one, started by its own systemd in namespaces, so that units really run.

What is written there lands in memory and is gone in the end; the network is the host's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from checkout import ROOT

SYSTEMD = Path("/lib/systemd/systemd")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETUP = rf"""
set -e
top=$1 root=$1/root lower=$2
shift 2
mount --make-rprivate /
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" "$root"
for directory in "$@"; do  # which may be mounts of their own
    mkdir -p "$root$directory"
    mount --rbind "$directory" "$root$directory"
done
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys  # shared with the host in part
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
# Of the host's own units, none is to start by itself.
rm -rf etc/systemd/system usr/lib/systemd/system/sysinit.target.wants usr/lib/systemd/system-generators
mkdir etc/systemd/system
ln -s /dev/null etc/systemd/system/tmp.mount  # which would hide a checkout in /tmp
: >etc/fstab
pivot_root . .
umount -l .
cd /
exec env -i container=test PATH={PATH} {SYSTEMD} --unit=basic.target --log-target=journal --show-status=no
"""


def _control_groups() -> Path | None:
    found = re.search(r"(?m)^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 ", Path("/proc/self/mountinfo").read_text())
    return Path(found[1]) if found else None


class BootedHost:
    """A booted copy of the host, for a with statement; skips the running test where that is not possible."""

    def __init__(self, directory: Path, *visible: Path, image: Path = Path("/")) -> None:
        """``visible`` are directories that are not on the root filesystem, perhaps; the checkout and the venv are.

        An ``image`` is the root filesystem of another system, which is booted instead.
        """
        self._image = image
        self._visible = dict.fromkeys(map(str, (ROOT, Path(sys.prefix), Path(sys.base_prefix), *visible)))
        self._visible.pop("/usr", None)
        self._output = directory / "output"
        self._top = directory / "top"
        self._top.mkdir()
        groups = _control_groups()
        there = SYSTEMD.exists() and all(map(shutil.which, ("unshare", "nsenter", "setpriv")))
        if os.geteuid() != 0 or not there or not groups:
            pytest.skip("to start systemd takes root, systemd, util-linux and control groups version 2")
        self._group = groups / f"pbxnotify-{os.getpid()}"

    def __enter__(self) -> BootedHost:
        namespaces = ["--mount", "--pid", "--cgroup", "--uts", "--ipc", "--fork", "--kill-child"]
        command = ["unshare", *namespaces, "sh", "-c", SETUP, "sh", str(self._top), str(self._image), *self._visible]
        enter = f'echo $$ >"{self._group}/cgroup.procs" && exec "$@"'
        try:
            self._group.mkdir()
        except OSError as error:
            pytest.skip(f"no control group can be made: {error}")
        with open(self._output, "wb") as output:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "sh", "-c", enter, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait(lambda: self._process.poll() is not None or self._is_booted())
            if self._process.poll() is not None:
                pytest.skip(f"systemd cannot be started here: {self._output.read_text().strip()[-300:]}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()
        groups = sorted(self._group.rglob("*"), reverse=True) if self._group.is_dir() else []
        for group in [*(path for path in groups if path.is_dir()), self._group]:
            self._remove(group)

    def _remove(self, group: Path) -> None:
        deadline = time.monotonic() + 10
        while group.exists() and time.monotonic() < deadline:
            with suppress(OSError):  # the kernel is still ending its processes
                group.rmdir()
                return
            time.sleep(0.02)

    def _is_booted(self) -> bool:
        """Return whether process 1 is systemd, and so its root the copy, and answers; until then it is the host's."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with suppress(OSError, IndexError):
            self.pid = int(children.read_text().split()[0])
            is_systemd = Path(f"/proc/{self.pid}/comm").read_text() == "systemd\n"
            return is_systemd and self.path("/run/systemd/private").exists()
        return False

    def wait(self, condition: Callable[[], object], patience: float = 60) -> None:
        """Wait for something that happens there."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, (self._output.read_text(), self.journal())
            time.sleep(0.02)

    def path(self, name: str | Path) -> Path:
        """Return where a path in there is from here."""
        return Path(f"/proc/{self.pid}/root{name}")

    def write(self, name: str | Path, text: str, mode: int = 0o644) -> None:
        """Write a file in there."""
        self.run("mkdir", "-p", str(Path(name).parent))
        self.path(name).write_text(text, encoding="utf-8")
        self.path(name).chmod(mode)

    @property
    def enter(self) -> list[str]:
        """The command under which another command runs in there."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", "--ipc", "--root", "--wd"]

    def run(
        self, *command: str, check: bool = True, environment: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in there as root."""
        done = subprocess.run(
            [*self.enter, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": PATH, "HOME": "/root", **environment},
        )
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr, self.journal())
        return done

    def journal(self, *options: str) -> str:
        """Return the journal of units, as far as there is one."""
        command = [*self.enter, "journalctl", "--no-pager", "--lines=80", "--output=short-iso", *options]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
