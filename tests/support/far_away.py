"""A server far away: passes connections on with a delay, and counts the round trips."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress


class FarAway:
    """Passes connections on to a server, which is so far away; counts the round trips."""

    def __init__(self, port: int, distance: float) -> None:
        """``distance``: seconds of a round trip."""
        self.connections = self.round_trips = 0
        self._server = port
        self._distance = distance
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                time.sleep(self._distance)  # the handshake of TCP
                self.connections += 1
                self.round_trips += 1
                server = socket.create_connection(("127.0.0.1", self._server))
                turn = ["server"]  # who has spoken last
                for name, here, there in (("client", client, server), ("server", server, client)):
                    for end in (here, there):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    under_way: queue.Queue[tuple[float, bytes]] = queue.Queue()
                    threading.Thread(target=self._read, args=(here, under_way, name, turn), daemon=True).start()
                    threading.Thread(target=_deliver, args=(there, under_way), daemon=True).start()

    def _read(
        self, sock: socket.socket, under_way: queue.Queue[tuple[float, bytes]], name: str, turn: list[str]
    ) -> None:
        piece = b"-"
        while piece:
            piece = b""
            with suppress(OSError):
                piece = sock.recv(65536)
            if piece and turn[0] != name:
                turn[0] = name
                self.round_trips += name == "client"
            under_way.put((time.perf_counter() + self._distance / 2, piece))


def _deliver(sock: socket.socket, under_way: queue.Queue[tuple[float, bytes]]) -> None:
    """Send each piece when it has arrived; the empty one ends the connection."""
    with suppress(OSError):
        while True:
            when, piece = under_way.get()
            time.sleep(max(when - time.perf_counter(), 0))
            if not piece:
                sock.shutdown(socket.SHUT_WR)
                return
            sock.sendall(piece)
