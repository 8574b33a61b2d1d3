"""Reaches a host by its name: an end to every look-up, each address in turn, and the failure that says most."""

from __future__ import annotations

import _thread
import errno
import socket
import time
from collections.abc import Sequence

from pbxnotify.namedtuple import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SHORTEST = 0.001  # seconds; 0 would mean not waiting at all
SAY_LITTLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What a host without IPv6 says of each IPv6 address, the least at the end: another address shows what is wrong."""


class Unreachable(OSError):
    """No address of a host could be reached; ``tried`` has each with its error, of which the first says most."""

    def __init__(self, tried: Sequence[tuple[str, OSError]]) -> None:
        self.tried = sorted(tried, key=lambda one: SAY_LITTLE.index(one[1].errno) if one[1].errno in SAY_LITTLE else -1)
        super().__init__(*self.tried[0][1].args)


def look_up(host: str, port: int, seconds: float) -> list[tuple[Any, ...]]:
    """Return the addresses of a host, as ``getaddrinfo`` does, which has no timeout of its own. Raises OSError."""
    found: list[list[tuple[Any, ...]] | OSError | UnicodeError] = []
    answered = _thread.allocate_lock()
    answered.acquire()

    def ask() -> None:
        try:
            # Settings hold the name as DNS knows it; Python would encode a str once more, with 2 ms of tables.
            found.append(list(socket.getaddrinfo(host.encode(), port, 0, socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            found.append(error)
        answered.release()

    # A thread that no exit waits for: resolv.conf may give a dead resolver minutes, and a slow one must have its time.
    _thread.start_new_thread(ask, ())
    if not answered.acquire(timeout=seconds):
        raise socket.gaierror(socket.EAI_AGAIN, f"DNS gave no answer in {seconds:g} s")
    if isinstance(found[0], list):
        return found[0]
    raise found[0]


def connect(addresses: Sequence[tuple[Any, ...]], seconds: float) -> socket.socket:
    """Return a connection to the first address that answers; each gets its share of ``seconds``. Raises OSError."""
    until, failures = time.monotonic() + seconds, list[tuple[str, OSError]]()
    for tried, (family, kind, protocol, _, address) in enumerate(addresses, 1):
        reached = None
        try:
            reached = socket.socket(family, kind, protocol)
            share = (until - time.monotonic()) / (len(addresses) - tried + 1)
            reached.settimeout(max(share, SHORTEST))
            reached.connect(address)
            return reached
        except OSError as error:
            failures.append((str(address[0]), error))
            if reached:
                reached.close()
    raise Unreachable(failures) if len(failures) > 1 else failures[0][1]
