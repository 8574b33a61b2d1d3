"""What is installed here: Asterisk's directories and its command line, and the files that come with pbxnotify."""

from __future__ import annotations

import os
import re

from pbxnotify.errors import AsteriskMissing, AsteriskUnavailable
from pbxnotify.frozen import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMMAND_TIMEOUT = 10
"""Seconds for one command."""
AGI_DIRECTORIES = ("/usr/share/asterisk/agi-bin", "/var/lib/asterisk/agi-bin")
"""Debian's, and Asterisk's own."""
SBIN = "/usr/sbin:/usr/local/sbin"


def configuration_directory() -> str:
    """Return where asterisk.conf is: $AST_CONFIG_DIR, which Asterisk gives its scripts, else /etc/asterisk."""
    return os.environ.get("AST_CONFIG_DIR") or "/etc/asterisk"


def spool_directory() -> str:
    """Return Asterisk's own spool: $AST_SPOOL_DIR, else what asterisk.conf says, else /var/spool/asterisk."""
    return os.environ.get("AST_SPOOL_DIR") or setting("directories", "astspooldir") or "/var/spool/asterisk"


def log_directory() -> str:
    """Return Asterisk's logs: what asterisk.conf says, else /var/log/asterisk."""
    return setting("directories", "astlogdir") or "/var/log/asterisk"


def agi_directory() -> str:
    """Return where Asterisk's AGI scripts are: $AST_AGI_DIR, else what asterisk.conf says, else the usual places."""
    told = os.environ.get("AST_AGI_DIR") or setting("directories", "astagidir")
    return told or next(filter(os.path.isdir, AGI_DIRECTORIES), AGI_DIRECTORIES[-1])


def setting(section: str, name: str, file: str = "asterisk.conf") -> str:
    """Return a setting in one of Asterisk's files; empty if it is not set. A section marked (!) is a template."""
    here = ""
    for text in lines(file):
        if text.startswith("["):
            here = text
        found = re.match(rf"{name}\s*=>?\s*(\S.*)", text)
        if found and here == f"[{section}]":
            return found[1]
    return ""


def lines(file: str) -> list[str]:
    """Return the lines of one of Asterisk's files, without comments and blanks around; none if it cannot be read."""
    try:
        with open(os.path.join(configuration_directory(), file), encoding="utf-8", errors="replace") as opened:
            return [line.partition(";")[0].strip() for line in opened]
    except OSError:
        return []


def shipped(name: str) -> Path:
    """Return where a file of ours is as it was installed: in the package, in a checkout beside it."""
    from pathlib import Path

    package = Path(__file__).parent
    return next(path for path in (package / "etc" / name, package.parent / "etc" / name) if path.exists())


def answer(line: str) -> str:
    """Return what Asterisk's command line answers (``asterisk -rx``). Raises AsteriskUnavailable, AsteriskMissing.

    ``$PBXNOTIFY_ASTERISK`` names the command where it is not ``asterisk`` on the PATH or in /usr/sbin.
    """
    import shlex
    import shutil
    import subprocess

    try:
        command = shlex.split(os.environ.get("PBXNOTIFY_ASTERISK", "")) or ["asterisk"]
    except ValueError:
        raise AsteriskUnavailable("$PBXNOTIFY_ASTERISK is no command line") from None
    command[0] = shutil.which(command[0], path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}") or command[0]
    try:
        done = subprocess.run(
            [*command, "-rx", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AsteriskUnavailable(f"Asterisk did not answer within {COMMAND_TIMEOUT} s") from None
    except OSError as error:
        raise AsteriskMissing(f"the command {command[0]} cannot be run: {error.strerror}") from None
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        raise AsteriskUnavailable(f"asterisk -rx ended with {done.returncode}: {' '.join(said.split())}")
    return said
