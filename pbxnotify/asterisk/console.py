"""The running Asterisk, asked through its command line (``asterisk -rx``): its uptime, and the state of its trunks."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

from pbxnotify.errors import AsteriskMissing, AsteriskUnavailable
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.programs import run_program
from pbxnotify.text import clean

COMMAND_TIMEOUT = 10  # seconds for one command
SBIN = "/usr/sbin:/usr/local/sbin"

REGISTRATION = re.compile(r"\s*(\S+)/(sips?:\S+)\s+\S+\s+(Registered|Unregistered|Rejected|Stopped)\b")
"""A line of ``pjsip show registrations``, Asterisk's res_pjsip_outbound_registration.c."""
AOR = re.compile(r"\s*Aor:\s+(\S+)\s+(\d+)\s*$")
CONTACT = re.compile(r"\s*Contact:\s+(\S+?)/(\S+)\s+\S+\s+(Avail|Unavail|NonQual|Unknown|Created|Removed)\b")
"""The line below it in ``pjsip show aors``, Asterisk's pjsip_configuration.c; only this one has the whole name."""
UP = {"Avail": True, "Unavail": False}
"""Nothing is known of a contact that is not qualified, or has not answered yet after a start."""


class Trunk(NamedTuple):
    """An outbound registration, or a fixed contact (``max_contacts`` 0): where phones register, they come and go."""

    kind: str  # ``registration`` or ``contact``: one name may stand for both
    name: str
    address: str
    is_up: bool | None  # None if it is not known
    said: str  # Asterisk's own word for it


class Start(NamedTuple):
    """When Asterisk was started: between two moments, in seconds since the epoch, as it may take long to answer."""

    earliest: float
    latest: float


def console_answer(line: str) -> str:
    """Return what ``asterisk -rx`` answers (or $PBXNOTIFY_ASTERISK). Raises AsteriskUnavailable, AsteriskMissing."""
    from subprocess import PIPE, STDOUT, TimeoutExpired

    command = [*_asterisk_command(), "-rx", line]
    try:
        done = run_program(command, COMMAND_TIMEOUT, stdout=PIPE, stderr=STDOUT)
    except TimeoutExpired:
        raise AsteriskUnavailable(f"Asterisk did not answer within {COMMAND_TIMEOUT} s") from None
    except OSError as error:
        raise AsteriskMissing(f"the command {command[0]} cannot be run: {error.strerror}") from None
    answer = done.stdout.decode(errors="replace")
    if done.returncode:
        said = f": {' '.join(answer.split())}" if answer.strip() else ""
        raise AsteriskUnavailable(f"asterisk -rx exited with status {done.returncode}{said}")
    return answer


def _asterisk_command() -> list[str]:
    import shlex
    import shutil

    try:
        command = shlex.split(os.environ.get("PBXNOTIFY_ASTERISK", "")) or ["asterisk"]
    except ValueError:
        raise AsteriskUnavailable("$PBXNOTIFY_ASTERISK is not a valid command line") from None
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    return [shutil.which(command[0], path=path) or command[0], *command[1:]]


def started_between() -> Start:
    """Return when Asterisk was started. Raises AsteriskUnavailable, AsteriskMissing."""
    asked = time.time()
    uptime = re.search(r"System uptime: (\d+)", console_answer("core show uptime seconds"))
    if not uptime:
        raise AsteriskUnavailable("Asterisk does not say how long it has been running")
    return Start(asked - int(uptime[1]), time.time() - int(uptime[1]))


def trunks() -> Iterator[Trunk]:
    """Yield the trunks; none where Asterisk has no PJSIP. Raises AsteriskUnavailable."""
    for line in console_answer("pjsip show registrations").splitlines():
        found = REGISTRATION.match(line)
        if found:
            name, address, said = map(clean, found.groups())
            yield Trunk("registration", name, address, said == "Registered", said)
    takes_registrations = True
    for line in console_answer("pjsip show aors").splitlines():
        aor, contact = AOR.match(line), CONTACT.match(line)
        if aor:
            takes_registrations = aor[2] != "0"
        elif contact and not takes_registrations:
            name, address, said = map(clean, contact.groups())
            yield Trunk("contact", name, address, UP.get(said), said)
