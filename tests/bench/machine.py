"""What the figures hold for: the machine, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from contender import PYTHON, ROOT


def description(spool: Path) -> str:
    """Return the machine; nothing that names it or its directories."""
    cpu = re.search(r"^model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    disk = _said(["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(spool)]) or "an unknown filesystem"
    kernel = ".".join(platform.release().split(".")[:2])
    log = "" if os.path.exists("/dev/log") else "; nobody listens to syslog"
    return f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores, Linux {kernel}, the spool on {disk}{log}"


def versions(asterisk: str) -> str:
    """Return the versions; that of Asterisk is known to who has run it, empty if nobody has."""
    return ", ".join(filter(None, _versions(asterisk)))


def today() -> str:
    """Return the date."""
    return datetime.now(timezone.utc).date().isoformat()


def _versions(asterisk: str) -> Iterator[str]:
    yield _said([PYTHON, "--version"])
    yield asterisk
    yield _said(["msmtp", "--version"]).partition("\n")[0].replace(" version", "")
    postfix = _said(["postconf", "-d", "-h", "mail_version"])
    yield postfix and f"Postfix {postfix}"
    version = re.search(r'__version__ = "(.+)"', (ROOT / "pbxnotify" / "__init__.py").read_text())
    commit = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    yield f"pbxnotify {version[1] if version else ''} ({commit or 'no checkout'})"


def _said(command: Sequence[str]) -> str:
    """Return what a command says; empty if it is missing or fails."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
