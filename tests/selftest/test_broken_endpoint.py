"""What a broken endpoint sends, seen by a client that only reads."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
from collections.abc import Callable

import pytest
from broken_endpoint import DRIP, FAULTS, TOKEN, BrokenEndpoint
from relay import Certificates

REQUEST = b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na=b"
ENOUGH = 3_000_000
"""Bytes after which an answer has no end."""
PATIENCE = 10 * DRIP
"""Seconds without a byte after which nothing comes."""
DRIPS = 5
"""Small pieces after which a drip has been seen."""

Read = Callable[[str], bytes]


@pytest.fixture
def read(certificates: Certificates) -> Read:
    """Return what comes in answer to a request, from an endpoint that has a fault."""
    context = ssl.create_default_context(cafile=certificates.ca_file)

    def read(fault: str) -> bytes:
        with BrokenEndpoint(certificates.server, FAULTS[fault]) as endpoint:
            address = ("127.0.0.1", endpoint.port)
            with context.wrap_socket(
                socket.create_connection(address, PATIENCE), server_hostname="localhost"
            ) as encrypted:
                encrypted.sendall(REQUEST)
                came = read_all(encrypted)
            assert endpoint.requests in ([REQUEST], [])
            return came

    return read


def read_all(sock: ssl.SSLSocket) -> bytes:
    """Return all that comes, or as much as shows that there is no end to it."""
    came, drips = b"", 0
    while len(came) < ENOUGH and drips < DRIPS:
        piece = sock.recv(65536)
        if not piece:
            break
        came += piece
        drips += len(piece) < 100
    return came


def body(answer: bytes) -> bytes:
    """Return what comes after the headers."""
    return answer.partition(b"\r\n\r\n")[2]


def announced(answer: bytes) -> int:
    """Return the length in the headers."""
    length = re.search(rb"Content-Length: (\d+)", answer)
    assert length
    return int(length[1])


CONTENTS: dict[str, Callable[[bytes], bool]] = {
    "no HTTP": lambda answer: not answer.startswith(b"HTTP/"),
    "a header drips": lambda answer: re.search(rb"\r\nX-Slow: x{3,}$", answer) is not None,
    "a body drips": lambda answer: re.fullmatch(rb"\{ {3,}", body(answer)) is not None,
    "not yet, for ever": lambda answer: re.fullmatch(rb"(HTTP/1.1 100 Continue\r\n\r\n){3,}", answer) is not None,
    "trailers drip": lambda answer: re.search(rb"\r\n0\r\n(X-More: more\r\n){3,}$", answer) is not None,
    "endless headers": lambda answer: b"\r\n\r\n" not in answer and len(answer) >= ENOUGH,
    "an endless line": lambda answer: answer.count(b"\r\n") == 2 and len(answer) >= ENOUGH,
    "an endless body": lambda answer: len(body(answer)) > ENOUGH / 2,
    "a body of 1 MB": lambda answer: len(body(answer)) == 1_000_000 and json.loads(body(answer)) == TOKEN,
    "a body cut off": lambda answer: 0 < len(body(answer)) < announced(answer),
    "302 to elsewhere": lambda answer: answer.startswith(b"HTTP/1.1 302 ") and b"/elsewhere\r\n" in answer,
    "307 to elsewhere": lambda answer: answer.startswith(b"HTTP/1.1 307 ") and b"/elsewhere\r\n" in answer,
    "a compressed body": lambda answer: json.loads(gzip.decompress(body(answer))) == TOKEN,
}
SILENT = {"silent before the handshake", "silent after the handshake"}
BROKEN_OFF = {
    "closed before the handshake",
    "closed after the handshake",
    "closed instead of an answer",
    "reset before the handshake",
    "reset instead of an answer",
}


def test_every_fault_is_looked_at() -> None:
    assert {*CONTENTS, *SILENT, *BROKEN_OFF, "no TLS"} == set(FAULTS)


@pytest.mark.parametrize("fault", CONTENTS)
def test_an_answer_that_is_wrong(read: Read, fault: str) -> None:
    answer = read(fault)
    assert CONTENTS[fault](answer), answer[:200]


@pytest.mark.parametrize("fault", sorted(SILENT))
def test_no_answer(read: Read, fault: str) -> None:
    with pytest.raises(socket.timeout):
        read(fault)


@pytest.mark.parametrize("fault", sorted(BROKEN_OFF))
def test_an_answer_broken_off(read: Read, fault: str) -> None:
    try:
        assert read(fault) == b""
    except OSError as error:
        assert not isinstance(error, socket.timeout)


def test_an_answer_in_the_clear(read: Read) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number"):
        read("no TLS")
