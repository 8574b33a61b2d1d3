"""How long the relay is left alone: one backoff for all items, and every process of this spool knows of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.spool import state

DELAYS = (60, 120, 300, 900, 1800, 3600)
"""Seconds until the next attempt, by the number of failures."""
FILE = "relay.json"
MOST_FAILURES = len(DELAYS)
"""The number of failures from which on the pause grows no more."""


class RelayBackoff(NamedTuple):
    """How long the relay is left alone."""

    failures: int = 0
    until: float = 0.0
    """In seconds since the epoch."""
    settings: str = ""
    """The fingerprint of the ini file: with another one the rest is over."""
    reason: str = ""
    since: float = 0.0
    """When the last failure was noted."""
    told: bool = False
    """The administrator has been told that the settings need mending."""
    address: str = ""
    """The relay has refused a mail to this address for what we are. Others may leave; empty: no mail may."""

    def holds(self, fingerprint: str, addresses: Collection[str] = ()) -> bool:
        """Return whether the relay is to be left alone, with any mail or with one to ``addresses``.

        A changed ini file ends the rest, a clock set back too.
        """
        rests = self.since <= time.time() < self.until and self.settings == fingerprint
        return rests and (not self.address or set(addresses) == {self.address})

    def suspects(self, fingerprint: str, address: str) -> bool:
        """Return whether the relay has refused another address for what we are, and has taken nothing since."""
        return bool(self.address) and self.address != address and self.holds(fingerprint, [self.address])

    def was_noted_since(self, began: float) -> bool:
        """Return whether another process has noted a failure since then: many calls share one, and it counts once."""
        return began <= self.since <= time.time()


def retry_delay(failures: int) -> float:
    """Return the seconds until the next attempt, with 10 % of jitter so that many items do not come at once."""
    jitter = 0.9 + 0.2 * int.from_bytes(os.urandom(2), "big") / 0xFFFF
    return DELAYS[min(failures, MOST_FAILURES) - 1] * jitter


def read_backoff(directory: str) -> RelayBackoff:
    """Return the rest noted in a spool; none if there is none, or its file says nothing."""
    try:
        with open(state.path(directory, FILE), encoding="utf-8") as file:
            noted = RelayBackoff(**json.load(file))
    except (OSError, ValueError, TypeError, RecursionError):
        return RelayBackoff()
    return noted if _is_sound(noted) else RelayBackoff()


def _is_sound(noted: RelayBackoff) -> bool:
    """Return whether what was read is what we write."""
    usual = RelayBackoff()
    kinds_fit = all(isinstance(value, (type(usual_value), int)) for value, usual_value in zip(noted, usual))
    return kinds_fit and 0 <= noted.until < 1e11 and 0 <= noted.since < 1e11


def write_backoff(directory: str, rest: RelayBackoff | None) -> None:
    """Note the rest in a spool; None ends it. A lost note costs one attempt, so it is not fsynced.

    On a full disk the file is written over where it is, which takes no room: without a rest every item would try the
    relay, and a wrong password be tried until the account is locked.
    """
    with suppress(OSError):
        state.replace(directory, FILE, json.dumps((rest or RelayBackoff())._asdict(), ensure_ascii=False))
