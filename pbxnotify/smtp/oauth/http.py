"""Sends one form to an endpoint over HTTPS: http.client with an end to every wait and to every answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.smtp.connection import SHORTEST, connect, look_up

LONGEST = 65536  # bytes of an answer
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class Answer(NamedTuple):
    """The answer to a form, which may be an error of HTTP."""

    status: int
    body: bytes


class _Timely(ssl.SSLSocket):
    """A socket with one deadline for everything: http.client would wait for each byte of a header anew."""

    deadline: float

    def recv_into(self, *arguments: object) -> int:
        """Receive, as long as there is time left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")  # TimeoutError from Python 3.10 on
        self.settimeout(left)
        return super().recv_into(*arguments)  # type: ignore[arg-type]  # they are passed on as they came


def post(url: str, form: str, context: ssl.SSLContext, seconds: float, headers: Mapping[str, str]) -> Answer:
    """Send a form, and return the answer.

    Redirections are not followed: secrets go to the address that the admin knows. Raises OSError after ``seconds`` at
    most, the DNS lookup apart; and for an answer that is not HTTP, or has no end.
    """
    address = urlsplit(url)
    try:
        reached = reach(address, context, seconds)
        with closing(http.client.HTTPSConnection(str(address.hostname), address.port, context=context)) as connection:
            connection.sock = reached
            path = address.path + (f"?{address.query}" if address.query else "")
            connection.request("POST", path, form, {**HEADERS, **headers})
            answer = connection.getresponse()
            body = answer.read(LONGEST + 1)
    except OSError:  # some of which, of certificates, are ValueErrors too
        raise
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"gave an answer that is not HTTP ({type(error).__name__})") from None
    if len(body) > LONGEST:
        raise ConnectionError(f"gave an answer of more than {LONGEST} bytes")
    if answer.length:
        raise ConnectionError("closed the connection in the middle of its answer")
    return Answer(answer.status, body)


def reach(address: SplitResult, context: ssl.SSLContext, seconds: float) -> _Timely:
    """Return a connection with the endpoint, whose deadline is ``seconds`` from now. Raises OSError."""
    addresses = look_up(str(address.hostname), address.port or http.client.HTTPS_PORT)
    deadline = time.monotonic() + seconds
    with closing(connect(addresses, seconds)) as plain:  # a no-op once its descriptor belongs to TLS
        plain.settimeout(max(deadline - time.monotonic(), SHORTEST))
        context.sslsocket_class = _Timely
        encrypted = context.wrap_socket(plain, server_hostname=address.hostname)
    assert isinstance(encrypted, _Timely)
    encrypted.deadline = deadline
    return encrypted
