"""Where a browser comes back to after somebody has allowed us to send mail: this machine's loopback (RFC 8252)."""

from __future__ import annotations

import os
import re
import select
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from urllib.parse import parse_qs, urlsplit

from pbxnotify.errors import RelayUnavailable, UsageError

PATIENCE = 900.0
"""Seconds for somebody to sign in, find the telephone for the second factor, and allow it."""
SILENCE = 10.0
"""Seconds for a request: browsers open connections ahead, and say nothing on them."""
PAUSE = 0.3
"""Seconds between the lines of one paste, at most: a long address may have been copied as several."""
LONGEST = 65536
"""Bytes of an address."""
MOST_VISITORS = 32
PAGE = """\
<!doctype html><meta charset="utf-8"><title>pbxnotify</title>
<p>You can close this page: the terminal says how it went.
<p lang="ru">Эту страницу можно закрыть: результат виден в терминале.
"""


class _Visit(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: Redirect
    timeout = SILENCE

    def do_GET(self) -> None:
        """Take what the provider has sent along; whatever else is asked for is not here."""
        came = not {"code", "error"}.isdisjoint(parse_qs(urlsplit(self.path).query))
        content = PAGE.encode() if came else b""
        self.send_response(200 if came else 404)
        for name, value in (("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        if came:
            self.server.take(self.path)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: the address holds a code that is worth a token."""


class Redirect(ThreadingMixIn, TCPServer):
    """Listens for the browser; each request has a thread, as one that says nothing must not keep others waiting."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, host: str, port: int = 0) -> None:
        """Listen on a port, any if it is 0; ``host`` is the name of loopback. Raises UsageError."""
        self._here, self._there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            super().__init__(("127.0.0.1", port), _Visit)
        except OSError as error:
            raise UsageError(f"port {port} cannot be used: {error.strerror}; name another one with --port") from None
        self.port: int = self.server_address[1]
        self.address = f"http://{host}:{self.port}"
        self._until = time.monotonic() + PATIENCE
        self._typed = _descriptor_of_stdin()

    def server_close(self) -> None:
        """Listen no more."""
        super().server_close()
        self._here.close()
        self._there.close()

    def verify_request(self, request: object, client_address: object) -> bool:
        """Turn visitors away while there are very many: each has a thread."""
        return threading.active_count() < MOST_VISITORS

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a visitor that has gone: the terminal is the admin's."""

    def take(self, path: str) -> None:
        """Take what a browser has asked for."""
        self._there.send(path.encode()[:LONGEST])

    def next_address(self) -> str:
        """Return where a browser was sent, or what somebody has pasted. Raises RelayUnavailable when nothing comes."""
        while True:
            sources = [self.fileno(), self._here.fileno(), *([self._typed] if self._typed >= 0 else [])]
            ready, _, _ = select.select(sources, [], [], max(self._until - time.monotonic(), 0))
            if not ready:
                what = f"no browser has come back within {PATIENCE / 60:.0f} minutes: nothing is changed"
                raise RelayUnavailable(what, stage="AUTH")
            if self._here.fileno() in ready:
                return self.address + self._here.recv(LONGEST).decode(errors="replace")
            if self.fileno() in ready:
                self.handle_request()
            if self._typed in ready:
                pasted = self._pasted()
                if pasted:
                    return pasted

    def _pasted(self) -> str:
        """Return what is pasted, whatever line ends, quotes and marks of a terminal have come along with it."""
        pasted = b""
        while len(pasted) < LONGEST and (not pasted or select.select([self._typed], [], [], PAUSE)[0]):
            piece = os.read(self._typed, LONGEST)
            pasted += piece
            if not piece:
                self._typed = -1
                break
        text = re.sub(r"\x1b\[20[01]~|\s", "", pasted.decode(errors="replace"))
        return text.strip("'\"<>").replace("&amp;", "&")


def _descriptor_of_stdin() -> int:
    """Return where something may be pasted; -1 for nowhere."""
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # closed before we began, or no file
        return -1
