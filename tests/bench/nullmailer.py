"""nullmailer, the well-known queue for hosts that only send: Debian's package, unpacked and run in a mount namespace.

It is not installed, for it would take the place of this host's mail server; root is needed for that.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stamping_relay import Way

RUN = """\
mount -t overlay overlay -o lowerdir=$1/usr/lib:/usr/lib /usr/lib
mount -t overlay overlay -o lowerdir=$1/etc:/etc /etc
mount --bind $1/var/spool /var/spool
exec $1/usr/sbin/nullmailer-send
"""
REMOTE = """\
localhost smtp --port={0.port} --starttls --x509cafile={0.ca_file} --auth-login --user={0.login} --pass={0.password}
"""


class NullmailerUnavailable(Exception):
    """It cannot be run here, and why."""


@contextmanager
def running(directory: Path, way: Way, mail: str, count: int) -> Iterator[None]:
    """Run it with so many mails in its queue. Raises NullmailerUnavailable."""
    _unpack(directory)
    spool, etc = directory / "var" / "spool" / "nullmailer", directory / "etc" / "nullmailer"
    for folder in (etc, spool / "queue", spool / "tmp", spool / "failed"):
        folder.mkdir(parents=True, exist_ok=True)
    os.mkfifo(spool / "trigger")
    (etc / "me").write_text("pbx.example.com\n")
    (etc / "remotes").write_text(REMOTE.format(way))
    for number in range(count):
        (spool / "queue" / f"1000{number:04}.1").write_text(f"pbx@example.com\n101@example.com\n\n{mail}")
    command = ["unshare", "--mount", "sh", "-ec", RUN, "sh", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def _unpack(directory: Path) -> None:
    directory.mkdir()
    commands = (["apt-get", "-qq", "download", "nullmailer"], ["sh", "-c", "dpkg-deb -x nullmailer_*.deb ."])
    if os.geteuid():
        raise NullmailerUnavailable("only root can run nullmailer where it is not installed")
    for command in commands:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NullmailerUnavailable(f"nullmailer cannot be had: {done.stderr.strip()}")
