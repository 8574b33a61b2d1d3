"""The relay that all contenders talk to, in a process of its own: it tells when it has said 250."""

from __future__ import annotations

import multiprocessing
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from relay import Catcher, Caught, Certificates

MODES = ("plain", "starttls", "tls")
STAMP = struct.Struct("d")


class Stamping(Catcher):
    """A Catcher that keeps no mail: it writes the time of each into a pipe, just before its 250 goes out."""

    def __init__(self, stamps: int, **options: Any) -> None:
        super().__init__(**options)
        self._stamps = stamps

    def accept(self, mail: Caught) -> None:
        """Note when; the clock is the same for all processes."""
        os.write(self._stamps, STAMP.pack(time.perf_counter()))


@dataclass(frozen=True)
class Way:
    """A way to a relay: what each contender has to be told of it."""

    mode: str
    port: int
    ca_file: str
    login: str = ""
    password: str = ""
    oauth2: str = ""
    """The section of pbxnotify's ini file that says where tokens come from: it logs in with one, not by password."""
    access: str = ""
    refresh: str = ""
    """What it has been given there."""


@dataclass(frozen=True)
class FarEnd:
    """Servers in another process, and what they tell."""

    ways: dict[str, Way]
    """By mode, or what else the servers are told apart by."""
    certificate: str
    """A file with the key and the certificate of the servers."""
    _stamps: int

    def stamps(self, count: int, timeout: float) -> list[float]:
        """Wait for that many mails; returns when each was accepted. Raises TimeoutError."""
        received = b""
        deadline = time.monotonic() + timeout
        while len(received) < count * STAMP.size:
            if not select.select([self._stamps], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError(f"{len(received) // STAMP.size} mails came within {timeout:g} s, not {count}")
            received += os.read(self._stamps, count * STAMP.size - len(received))
        return [moment for (moment,) in STAMP.iter_unpack(received)]

    def unexpected(self) -> list[float]:
        """Return when mails came that nobody has waited for."""
        received = b""
        while select.select([self._stamps], [], [], 0)[0]:
            received += os.read(self._stamps, 1 << 16)
        return [moment for (moment,) in STAMP.iter_unpack(received)]


Servers = Callable[[Certificates, int], AbstractContextManager[dict[str, Way]]]
"""Who runs as long as the context lasts, and writes its stamps there; gives the ways to it."""


@contextmanager
def one_for_each_mode(certificates: Certificates, stamps: int) -> Iterator[dict[str, Way]]:
    """Run a server in each mode, which wants no login; their threads end with this process."""
    servers = {
        "plain": Stamping(stamps),
        "starttls": Stamping(stamps, tls=certificates.server),
        "tls": Stamping(stamps, tls=certificates.server, implicit=True),
    }
    for server in servers.values():
        server.start()
    yield {mode: Way(mode, server.port, certificates.ca_file) for mode, server in servers.items()}


def _serve(servers: Servers, directory: Path, stamps: int, ready: Connection, other_end: Connection) -> None:
    other_end.close()  # or there would be no end of it that this process can see
    with suppress(EOFError, KeyboardInterrupt):
        certificates = Certificates(directory)
        with servers(certificates, stamps) as ways:
            ready.send((ways, certificates.server_file))
            ready.recv()  # until the other process closes it, or has ended


@contextmanager
def running(directory: Path, servers: Servers = one_for_each_mode) -> Iterator[FarEnd]:
    """Run the servers as long as the context lasts; what they need is written into the directory."""
    reading, writing = os.pipe()
    here, there = multiprocessing.Pipe()
    # A fork, for it inherits the pipe.
    arguments = (servers, directory, writing, there, here)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=arguments)
    process.start()
    os.close(writing)
    there.close()
    try:
        ways, certificate = here.recv()
        yield FarEnd(ways, certificate, reading)
    finally:
        here.close()
        process.join()
        os.close(reading)
