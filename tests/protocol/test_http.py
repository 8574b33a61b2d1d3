"""One form over HTTPS, to endpoints that are broken below HTTP, and in their HTTP: each comes to an end."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from broken_endpoint import BODY, FAULTS, BrokenEndpoint
from relay import Certificates

from pbxnotify.smtp.connection import connect
from pbxnotify.smtp.oauth.http import Answer, post

FORM = "grant_type=refresh_token&refresh_token=r3fresh"
pytestmark = pytest.mark.timeout(60)  # else what drips would go on for hours

PATIENCE = 1.0
"""Seconds for an answer."""
AN_ANSWER = {
    "302 to elsewhere": (302, b""),
    "307 to elsewhere": (307, b""),
}
"""What is an answer of HTTP all the same, and for others to judge."""
BROKEN_OFF = "EOF|reset|Broken pipe|closed connection without"
"""As the kernel has it that day."""
NOT_HTTP = "gave an answer that is not HTTP"
TOO_LARGE = "gave an answer of more than 65536 bytes"
SAID = {
    "silent before the handshake": "timed out",
    "silent after the handshake": "timed out",
    "closed before the handshake": BROKEN_OFF,
    "closed after the handshake": BROKEN_OFF,
    "closed instead of an answer": BROKEN_OFF,
    "reset before the handshake": BROKEN_OFF,
    "reset instead of an answer": BROKEN_OFF,
    "no TLS": "WRONG_VERSION_NUMBER",
    "no HTTP": NOT_HTTP,
    "a header drips": "timed out",
    "a body drips": "timed out",
    "not yet, for ever": "timed out",
    "trailers drip": "timed out",
    "endless headers": NOT_HTTP,
    "an endless line": NOT_HTTP,
    "an endless body": TOO_LARGE,
    "a body of 1 MB": TOO_LARGE,
    "a body cut off": "closed the connection in the middle of its answer",
}


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    """Return what trusts the endpoints."""
    return ssl.create_default_context(cafile=certificates.ca_file)


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in (*AN_ANSWER, "a compressed body")])
def test_a_broken_endpoint(certificates: Certificates, trusting: ssl.SSLContext, name: str) -> None:
    with BrokenEndpoint(certificates.server, FAULTS[name]) as broken:
        with pytest.raises(OSError, match=SAID[name]):
            post(broken.url, FORM, trusting, PATIENCE, {})
        assert broken.connections == 1


Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def address_of(listener: socket.socket) -> Address:
    """Return where somebody listens, as a look-up does."""
    return (socket.AF_INET, socket.SOCK_STREAM, 0, "", listener.getsockname())


@pytest.fixture
def nobody() -> Iterator[Address]:
    """Return an address that says nothing."""
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting.connect(full.getsockname())  # the one that fits in: the kernel answers no other
        yield address_of(full)


def test_addresses_that_say_nothing_share_the_time(nobody: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    settimeout = socket.socket.settimeout

    def note(self: socket.socket, seconds: float | None) -> None:
        waits.append(seconds or 0.0)
        settimeout(self, seconds)

    monkeypatch.setattr(socket.socket, "settimeout", note)
    with pytest.raises(OSError, match="timed out"):
        connect([nobody] * 4, PATIENCE)
    assert (len(waits), sum(waits) <= PATIENCE + 0.01) == (4, True)


def test_an_address_that_says_nothing_costs_its_share_only(nobody: Address) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, connect([nobody, address_of(other)], PATIENCE) as reached:
        assert reached.getpeername() == other.getsockname()


@pytest.mark.parametrize("name", AN_ANSWER)
def test_no_redirection_is_followed(certificates: Certificates, trusting: ssl.SSLContext, name: str) -> None:
    with BrokenEndpoint(certificates.server, FAULTS[name]) as broken:
        assert post(broken.url, FORM, trusting, PATIENCE, {}) == AN_ANSWER[name]
        assert (broken.connections, len(broken.requests)) == (1, 1)


def test_what_nobody_asked_to_be_compressed_is_taken_as_it_is(
    certificates: Certificates, trusting: ssl.SSLContext
) -> None:
    with BrokenEndpoint(certificates.server, FAULTS["a compressed body"]) as broken:
        status, body = post(broken.url, FORM, trusting, PATIENCE, {})
        assert b"accept-encoding: identity" in broken.requests[0].lower()
    assert (status, body[:2], body != BODY) == (200, b"\x1f\x8b", True)


class _Echo(http.server.BaseHTTPRequestHandler):
    """Says what it was sent."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        content = f"{self.path} {self.headers['Content-Type']} {self.rfile.read(length).decode()}".encode()
        self.send_response(418)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def echo(certificates: Certificates) -> Iterator[str]:
    """Return the address of a server that says what it was sent, with another status than 200."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.socket = certificates.server.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"https://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path", ["/token", "/a/b?tenant=c&d"])
def test_a_form_and_the_answer_to_it(echo: str, trusting: ssl.SSLContext, path: str) -> None:
    content = f"{path} application/x-www-form-urlencoded {FORM}".encode()
    assert post(f"{echo}{path}", FORM, trusting, PATIENCE, {}) == Answer(418, content)


@pytest.mark.parametrize("url", ["https://localhost:99999/", "https://../t", f"https://{'a' * 64}.test/t"])
def test_an_address_that_is_not_valid(trusting: ssl.SSLContext, url: str) -> None:
    with pytest.raises(OSError):
        post(url, FORM, trusting, PATIENCE, {})


def test_nobody_there(trusting: ssl.SSLContext) -> None:
    with pytest.raises(ConnectionRefusedError):
        post("https://localhost:1/token", FORM, trusting, PATIENCE, {})


def test_a_name_that_does_not_exist(trusting: ssl.SSLContext) -> None:
    with pytest.raises(OSError):
        post("https://nowhere.invalid/token", FORM, trusting, PATIENCE, {})


def test_another_name_in_the_certificate(certificates: Certificates, trusting: ssl.SSLContext) -> None:
    with BrokenEndpoint(certificates.elsewhere, FAULTS["302 to elsewhere"]) as broken:
        with pytest.raises(ssl.SSLCertVerificationError):
            post(broken.url, FORM, trusting, PATIENCE, {})
        assert broken.requests == []
