"""Relay-wide retry backoff, shared by all processes through a file in the spool."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection
from contextlib import suppress

from pbxnotify.files import Directory
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.spool import state

DELAYS = (60, 120, 300, 900, 1800, 3600)  # seconds until the next attempt, by the number of failures
FILE = "relay.json"
MOST_FAILURES = len(DELAYS)  # the number of failures from which on the delay no longer grows


class RelayBackoff(NamedTuple):
    """Until when the relay is not tried, and why; its fields are those of the file."""

    failures: int = 0
    until: float = 0.0  # in seconds since the epoch
    settings: str = ""  # the fingerprint of the ini file: with another one the backoff is over
    reason: str = ""
    since: float = 0.0  # when the last failure was recorded
    told: bool = False  # the administrator has been notified that the settings need correcting
    address: str = ""
    """The address to which the relay has refused a mail that others may be accepted; empty: no mail may be tried."""
    answer: str = ""  # the relay's answer to that; the same one to the next mail is about us

    def holds(self, fingerprint: str, addresses: Collection[str] = ()) -> bool:
        """Return whether no mail, or none for ``addresses``, may be tried; a changed ini file or clock ends that."""
        is_on = self.since <= time.time() < self.until and self.settings == fingerprint
        return is_on and (not self.address or set(addresses) == {self.address})

    def was_noted_since(self, began: float) -> bool:
        """Return whether another process has recorded a failure since then: one that many calls share counts once."""
        return began <= self.since <= time.time()


def retry_delay(failures: int) -> float:
    """Return the seconds until the next attempt, with 10 % of jitter so that many items do not come at once."""
    jitter = 0.9 + 0.2 * int.from_bytes(os.urandom(2), "big") / 0xFFFF
    return DELAYS[min(max(failures, 1), MOST_FAILURES) - 1] * jitter


def read_backoff(directory: Directory) -> RelayBackoff:
    """Return the backoff recorded in a spool; one that has no failures if there is none, or its file is damaged."""
    try:
        noted = RelayBackoff(**json.loads(directory.read(f"{state.FOLDER}/{FILE}", state.LONGEST)))
    except (OSError, ValueError, TypeError, RecursionError):
        return RelayBackoff()
    # Each field has the type and the range that ``write_backoff`` writes.
    types_fit = all(isinstance(value, (type(default), int)) for value, default in zip(noted, RelayBackoff()))
    return noted if types_fit and 0 <= noted.until < 1e11 and 0 <= noted.since < 1e11 else RelayBackoff()


def write_backoff(directory: Directory, backoff: RelayBackoff | None) -> None:
    """Record the backoff in a spool; None ends it. A lost record costs one attempt, so it is not fsynced.

    On a full disk the file is overwritten in place, which takes no room: without a backoff every item would try the
    relay, and a wrong password would be tried until the account is locked.
    """
    with suppress(OSError):
        state.replace(directory, FILE, json.dumps((backoff or RelayBackoff())._asdict(), ensure_ascii=False))


def end_backoff(directory: Directory) -> None:
    """Let the relay be tried at once; that it has accepted nothing since stays known."""
    write_backoff(directory, read_backoff(directory)._replace(until=0.0))
