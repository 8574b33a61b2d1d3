"""The running Asterisk: since when it runs, and which of its trunks are up (``asterisk -rx``)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pbxnotify.errors import AsteriskUnavailable
from pbxnotify.events import clean
from pbxnotify.installation import answer

REGISTRATION = re.compile(r"\s*(\S+)/(sips?:\S+)\s+\S+\s+(Registered|Unregistered|Rejected|Stopped)\b")
"""A line of ``pjsip show registrations``, Asterisk's res_pjsip_outbound_registration.c."""
AOR = re.compile(r"\s*Aor:\s+(\S+)\s+(\d+)\s*$")
CONTACT = re.compile(r"\s*Contact:\s+(\S+?)/(\S+)\s+\S+\s+(Avail|Unavail|NonQual|Unknown|Created|Removed)\b")
"""A line below it of ``pjsip show aors``, Asterisk's pjsip_configuration.c. It has the whole name, the other not."""
UP = {"Avail": True, "Unavail": False}
"""What is not asked whether it is there is neither; nor is what has not answered yet, after a start."""


@dataclass(frozen=True)
class Trunk:
    """A registration of ours elsewhere, or a fixed contact that is asked whether it is there."""

    kind: str
    """``registration`` or ``contact``: both may have one name."""
    name: str
    address: str
    is_up: bool | None
    """None if it is not known."""
    said: str
    """Asterisk's own word for it."""


def began() -> tuple[float, float]:
    """Return between which moments Asterisk was started, in seconds since the epoch; it may take long to answer.

    Raises AsteriskUnavailable, AsteriskMissing.
    """
    asked = time.time()
    uptime = re.search(r"System uptime: (\d+)", answer("core show uptime seconds"))
    if not uptime:
        raise AsteriskUnavailable("Asterisk does not say how long it has been running")
    return asked - int(uptime[1]), time.time() - int(uptime[1])


def trunks() -> Iterator[Trunk]:
    """Yield the trunks; none where Asterisk has no PJSIP. Raises AsteriskUnavailable.

    A phone registers here and comes and goes as people do; what has a fixed contact and takes no registration
    (``max_contacts`` 0) is a trunk.
    """
    for line in answer("pjsip show registrations").splitlines():
        found = REGISTRATION.match(line)
        if found:
            name, address, said = map(clean, found.groups())
            yield Trunk("registration", name, address, said == "Registered", said)
    takes_registrations = True
    for line in answer("pjsip show aors").splitlines():
        aor, contact = AOR.match(line), CONTACT.match(line)
        if aor:
            takes_registrations = aor[2] != "0"
        elif contact and not takes_registrations:
            name, address, said = map(clean, contact.groups())
            yield Trunk("contact", name, address, UP.get(said), said)
