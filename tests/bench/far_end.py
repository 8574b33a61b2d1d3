"""The relay that all contenders talk to, in a process of its own: it tells when it has said 250."""

from __future__ import annotations

import multiprocessing
import os
import select
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from relay import Catcher, Caught, Certificates

MODES = ("plain", "starttls", "tls")
STAMP = struct.Struct("d")


class Stamping(Catcher):
    """A Catcher that keeps no mail: it writes the time of each into a pipe, just before its 250 goes out."""

    def __init__(self, stamps: int, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._stamps = stamps

    def accept(self, mail: Caught) -> None:
        """Note when; the clock is the same for all processes."""
        os.write(self._stamps, STAMP.pack(time.perf_counter()))


@dataclass(frozen=True)
class FarEnd:
    """Three servers in another process, one for each mode, and what they tell."""

    ports: dict[str, int]
    ca_file: str
    process: BaseProcess
    _connection: Connection
    """The servers end when it does."""
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

    def forget(self) -> int:
        """Drop what nobody has waited for; returns how many mails that were."""
        dropped = 0
        while select.select([self._stamps], [], [], 0)[0]:
            dropped += len(os.read(self._stamps, 1 << 16)) // STAMP.size
        return dropped


def _serve(directory: Path, stamps: int, ready: Connection) -> None:
    certificates = Certificates(directory)
    servers = {
        "plain": Stamping(stamps),
        "starttls": Stamping(stamps, tls=certificates.server),
        "tls": Stamping(stamps, tls=certificates.server, implicit=True),
    }
    for server in servers.values():
        server.start()
    ready.send(({mode: server.port for mode, server in servers.items()}, certificates.ca_file))
    with suppress(EOFError, KeyboardInterrupt):
        ready.recv()  # until the other process ends


def start(directory: Path) -> FarEnd:
    """Start the servers; they end with this process."""
    reading, writing = os.pipe()
    here, there = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_serve, args=(directory, writing, there), daemon=True)
    process.start()
    os.close(writing)
    there.close()
    ports, ca_file = here.recv()
    return FarEnd(ports, ca_file, process, here, reading)
