"""The name that we greet a relay with (RFC 5321 section 4.1.4)."""

from __future__ import annotations

import re
import socket
from contextlib import suppress

HOSTS = "/etc/hosts"
LOCAL = (
    "local",
    "localdomain",
    "localhost",
    "lan",
    "home",
    "internal",
    "intranet",
    "corp",
    "invalid",
    "test",
    "example",
)
"""Top-level domains of names that nobody else knows (RFC 2606, 6761, 6762, and what routers hand out)."""
LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"


def is_full_name(name: str) -> bool:
    """Return whether a name may be one that others know: with a domain, of letters and digits."""
    is_domain = len(name) <= 253 and re.fullmatch(rf"({LABEL}\.)+(?=[0-9-]*[A-Za-z]){LABEL}", name)
    return bool(is_domain) and name.rpartition(".")[2].lower() not in LOCAL


def name_to_greet_with(literal: str) -> str:
    """Return this host's full name, as itself or /etc/hosts has it, else the address ``literal``. Asks no DNS.

    The sender's domain would be another way, but it is often the relay's own, and many turn away who greets with that.
    """
    own = socket.gethostname()
    return next((name for name in (own, *_names_in_hosts(own)) if is_full_name(name)), literal)


def _names_in_hosts(own: str) -> list[str]:
    """Return the names that /etc/hosts has in one line with this host's own, as Debian's installer writes it."""
    with suppress(OSError), open(HOSTS, encoding="utf-8", errors="replace") as file:
        for line in file.read(65536).splitlines():
            names = line.partition("#")[0].split()[1:]
            if own in names:
                return names
    return []
