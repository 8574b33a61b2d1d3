"""Servers of Debian's packages that are unpacked, not installed: each runs in a mount namespace that has them.

Nothing of the host is changed: there the server finds its package in /usr and /etc, its settings in /etc, and a /var
and a /run of its own. Its processes are in a PID namespace, too, and end with the test, however that ends.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from checkout import ROOT
from skipping import unavailable

CACHE = ROOT / "build/servers"
"""Where packages are kept, with those that they need and that this host has not."""
IN_NAMESPACE = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc", "--kill-child"]
SCRIPT = """\
mount -t overlay overlay -o lowerdir={directory}/etc:{unpacked}/etc:/etc /etc
mount -t overlay overlay -o lowerdir={unpacked}/usr:/usr /usr
mount --bind {directory}/run /run
mount --bind {directory}/var /var
{prepare}
({command} || echo "it ended with status $?"; touch {directory}/ended) </dev/null 3<&- &
exec 0<&3
read -r _ || exit 0
"""


class ServerError(Exception):
    """A server did not start; tells its log."""


class UnpackedServer:
    """A server on 127.0.0.1, of a package that need not be installed."""

    START_TIMEOUT = 30.0
    """Seconds until it must answer."""
    package = ""
    users: tuple[str, ...] = ()
    """Those it runs as, each with a group of its own."""
    files: dict[str, str] = {}  # noqa: RUF012
    """Its settings by path, with places in {braces}."""
    prepare = ""
    """Commands of a shell, run as root before it starts."""
    command = ""
    """What starts it in the foreground."""
    defaults: dict[str, str] = {}  # noqa: RUF012
    """What stands in the places of its files, unless the test says otherwise."""

    def __init__(self, next_port: int = 1, name_server: str = "127.0.0.1", **settings: str) -> None:
        """Mails go on to ``next_port``; ``settings`` stand in the places of its files."""
        unknown = set(settings) - set(self.defaults)
        assert not unknown, f"{type(self).__name__} has no place for {unknown}"
        self._settings = {**self.defaults, **settings, "next_port": str(next_port)}
        self._name_server = name_server

    def __enter__(self) -> UnpackedServer:
        unpacked = unpack(self.package)
        with ExitStack() as undo:
            # Not below pytest's directory, where its processes, other users, would be locked out.
            self.directory = Path(tempfile.mkdtemp(prefix=f"{self.package}-"))
            undo.callback(shutil.rmtree, self.directory)
            self.directory.chmod(0o755)
            with socket.socket() as reserved:
                # It may listen where we are bound (SO_REUSEADDR), and nobody else gets the port.
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                reserved.bind(("127.0.0.1", 0))
                self.port = reserved.getsockname()[1]
                self._configure()
                self._start(unpacked)
                undo.callback(self._end)
                self._wait_until_it_answers()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def log(self) -> str:
        """Return what it has said so far."""
        logs = [path for path in self.directory.glob("var/log/**/*") if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in [self.directory / "log", *logs] if path.exists())

    def _configure(self) -> None:
        for name in ("etc", "run", "var/log", "var/lib", "var/spool", "var/tmp", "var/mail"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "var/run").symlink_to("/run")
        passwd, group = (Path(f"/etc/{name}").read_text() for name in ("passwd", "group"))
        for number, user in enumerate(self.users, 64000):
            if f"\n{user}:" not in passwd:
                passwd += f"{user}:x:{number}:{number}::/:/bin/false\n"
                group += f"{user}:x:{number}:\n"
        files = {"passwd": passwd, "group": group, "resolv.conf": f"nameserver {self._name_server}\n"}
        files["hosts"] = "127.0.0.1 pbx.test localhost\n"
        settings = {**self._settings, "port": str(self.port)}
        files.update({path: text.format(**settings) for path, text in self.files.items()})
        for name, text in files.items():
            path = self.directory / "etc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, (0, 0))  # Postfix waits for two seconds before it reads a file that was just written
        for path in self.directory.rglob("*"):  # whatever our umask says
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)

    def _start(self, unpacked: Path) -> None:
        settings = {**self._settings, "port": str(self.port)}
        parts = {"prepare": self.prepare.format(**settings), "command": self.command.format(**settings)}
        script = "exec 3<&0 </dev/null\n" + SCRIPT.format(directory=self.directory, unpacked=unpacked, **parts)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*IN_NAMESPACE, "sh", "-ec", script], stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def _end(self) -> None:
        """End its first process, which waits for that; the namespace, and all processes in it, end with it."""
        self._process.communicate()

    def _wait_until_it_answers(self) -> None:
        """Raises ServerError."""
        until = time.monotonic() + self.START_TIMEOUT
        while not self._greets():
            ended = self._process.poll() is not None or (self.directory / "ended").exists()
            if ended or time.monotonic() > until:
                raise ServerError(f"{self.package} does not start: {self.log()}")
            time.sleep(0.01)

    def _greets(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 10) as sock:
            return sock.recv(1024).startswith(b"220")
        return False


def unpack(package: str) -> Path:
    """Return a directory with a package and those that it needs; skips or fails the running test without them."""
    why = _missing()
    if why:
        unavailable(f"{package} cannot be run, not installed: {why}")
    directory = CACHE / package
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _unpack(package, directory)
    return directory


@functools.cache
def _missing() -> str:
    """Why nothing can be run in a namespace of its own; empty if it can."""
    if os.geteuid():
        return "only root can do that"
    for command in ("apt-get", "dpkg-deb", "unshare"):
        if not shutil.which(command):
            return f"there is no {command}"
    return _run(*IN_NAMESPACE, "mount", "-t", "overlay", "overlay", "-o", "lowerdir=/etc:/usr", "/mnt")


def _unpack(package: str, directory: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="fetched-", dir=CACHE) as fetched:
        archives, tree = Path(fetched) / "archives", Path(fetched) / "tree"
        for needed in (archives / "partial", tree / "usr", tree / "etc"):
            needed.mkdir(parents=True)
        if _fetch(package, archives):
            _run("apt-get", "-qq", "update")
            why = _fetch(package, archives)
            if why:
                unavailable(f"{package} cannot be fetched: {why}")
        for archive in archives.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
        if (tree / "lib").exists():
            shutil.copytree(tree / "lib", tree / "usr/lib", symlinks=True, dirs_exist_ok=True)
        tree.rename(directory)


def _fetch(package: str, archives: Path) -> str:
    """Fetch a package, and those that installing it would bring; returns why that does not work."""
    settings = {
        "Dir::Cache": CACHE / "apt",  # a container's configuration may keep none, and each call takes 3 s then
        "Dir::Cache::pkgcache": "packages.bin",
        "Dir::Cache::srcpkgcache": "sources.bin",
        "Dir::Cache::archives": archives,
        "APT::Sandbox::User": "root",  # which alone can write there
        "Debug::NoLocking": "1",
    }
    (CACHE / "apt").mkdir(exist_ok=True)
    where = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    return _run("apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", *where, "install", package)


def _run(*command: str) -> str:
    """Run a command; returns what it complained about if it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return "" if done.returncode == 0 else done.stderr.strip() or f"{command[0]} ended with status {done.returncode}"
