"""A broken HTTPS server: below HTTP, or in its HTTP."""

from __future__ import annotations

import gzip
import json
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from relay import Ended, MisbehavingServer, Talk, close, reset, silence

TOKEN = {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r3fresh"}
"""What a client would be glad to get."""
BODY = json.dumps(TOKEN).encode()
DRIP = 0.2
"""Seconds between two bytes."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and when: usually in answer to a request."""

    act: Callable[[Talk], None]
    before: str = "answer"
    """Or ``handshake``, of TLS, which does not take place then, or ``request``, which is not read."""


def _reply(*headers: str, status: str = "200 OK", body: bytes = BODY) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _length(body: bytes) -> str:
    return f"Content-Length: {len(body)}"


def _send(reply: bytes) -> Callable[[Talk], None]:
    def act(talk: Talk) -> None:
        talk.sock.sendall(reply)

    return act


def _drip(beginning: bytes, piece: bytes) -> Callable[[Talk], None]:
    """Send the same byte, or a little more, for ever, slowly."""

    def act(talk: Talk) -> None:
        talk.sock.sendall(beginning)
        while not talk.stopped.wait(DRIP):
            talk.sock.sendall(piece)

    return act


def _flood(beginning: bytes, piece: bytes) -> Callable[[Talk], None]:
    """Send the same piece for ever, as fast as it is taken."""

    def act(talk: Talk) -> None:
        talk.sock.sendall(beginning)
        while not talk.stopped.is_set():
            talk.sock.sendall(piece * 1000)

    return act


def _redirect(status: str) -> Callable[[Talk], None]:
    """Send the client to /elsewhere at the same port: a client that follows comes again."""

    def act(talk: Talk) -> None:
        location = f"Location: https://localhost:{talk.sock.getsockname()[1]}/elsewhere"
        talk.sock.sendall(_reply(location, _length(b""), status=status, body=b""))

    return act


def _spell_out(body: bytes, size: int) -> bytes:
    """Return the same JSON in so many bytes."""
    return body[:1] + b" " * (size - len(body)) + body[1:]


_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_LARGE = _spell_out(BODY, 1_000_000)
_COMPRESSED = gzip.compress(BODY)

FAULTS: Mapping[str, Fault] = {
    "silent before the handshake": Fault(silence, before="handshake"),
    "silent after the handshake": Fault(silence, before="request"),
    "closed before the handshake": Fault(close, before="handshake"),
    "closed after the handshake": Fault(close, before="request"),
    "closed instead of an answer": Fault(close),
    "reset before the handshake": Fault(reset, before="handshake"),
    "reset instead of an answer": Fault(reset),
    "no TLS": Fault(_send(_reply(_length(BODY))), before="handshake"),
    "no HTTP": Fault(_send(bytes(range(256)) * 4)),
    "a header drips": Fault(_drip(_HEADERS + b"X-Slow: ", b"x")),
    "a body drips": Fault(_drip(_HEADERS + b"Content-Length: 1000000\r\n\r\n{", b" ")),
    "endless headers": Fault(_flood(_HEADERS, b"X-More: more\r\n")),
    "an endless line": Fault(_flood(_HEADERS + b"X-Long: ", b"x" * 10)),
    "an endless body": Fault(_flood(_HEADERS + b"\r\n{", b" " * 10)),
    "not yet, for ever": Fault(_drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "trailers drip": Fault(_drip(_HEADERS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: more\r\n")),
    "a body of 1 MB": Fault(_send(_reply(_length(_LARGE), body=_LARGE))),
    "a body cut off": Fault(_send(_reply("Content-Length: 1000"))),
    "302 to elsewhere": Fault(_redirect("302 Found")),
    "307 to elsewhere": Fault(_redirect("307 Temporary Redirect")),
    "a compressed body": Fault(_send(_reply("Content-Encoding: gzip", _length(_COMPRESSED), body=_COMPRESSED))),
}


class BrokenEndpoint(MisbehavingServer):
    """A TLS server on 127.0.0.1 that has the same fault for everybody."""

    def __init__(self, tls: ssl.SSLContext, fault: Fault) -> None:
        super().__init__()
        self.url = f"https://localhost:{self.port}/token"
        self.requests: list[bytes] = []
        """Each that was read, with its body."""
        self._tls = tls
        self._fault = fault

    def _converse(self, talk: Talk) -> None:
        with suppress(Ended, OSError):
            if self._fault.before != "handshake":
                self._encrypt(talk, self._tls)
            if self._fault.before == "answer":
                self._take_request(talk)
            self._fault.act(talk)

    def _take_request(self, talk: Talk) -> None:
        head = talk.until(b"\r\n\r\n")
        length = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
        while length and len(talk.received) < int(length[1]):
            piece = talk.sock.recv(65536)
            if not piece:
                raise Ended
            talk.received += piece
        self.requests.append(head + b"\r\n\r\n" + talk.received)
        talk.received = b""
