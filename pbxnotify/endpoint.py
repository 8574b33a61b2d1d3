"""One question to an endpoint over HTTPS: http.client with an end to every wait and to every answer."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from pbxnotify.conversation import hurry_look_ups

LONGEST = 65536
"""Bytes of an answer."""
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class _Timely(ssl.SSLSocket):
    """A socket whose waits for bytes end at the same moment, all together."""

    deadline: float

    def recv_into(self, *arguments: object) -> int:
        """Receive, as long as there is time left; whatever trickles in wins none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")  # which is TimeoutError from Python 3.10 on, and wants words before
        self.settimeout(left)
        return super().recv_into(*arguments)  # type: ignore[arg-type]  # what it takes is nothing to us


def post(url: str, form: str, trusting: ssl.SSLContext, seconds: float) -> tuple[int, bytes]:
    """Send a form, and return the status and the body of the answer, which may be an error of HTTP.

    Redirections are not followed: secrets go to the address that the admin knows. Raises OSError after so many seconds
    at most, look-up and connect apart, which have as many of their own; and for what is no HTTP, or has no end.
    """
    try:
        return _post(urlsplit(url), form, trusting, seconds)
    except OSError:  # some of which, of certificates, are ValueErrors too
        raise
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"gave an answer that is not HTTP ({type(error).__name__})") from None


def _post(url: SplitResult, form: str, trusting: ssl.SSLContext, seconds: float) -> tuple[int, bytes]:
    trusting.sslsocket_class = _Timely
    hurry_look_ups()
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, timeout=seconds, context=trusting)
    try:
        connection.connect()
        assert isinstance(connection.sock, _Timely)
        connection.sock.deadline = time.monotonic() + seconds
        connection.request("POST", url.path + (f"?{url.query}" if url.query else ""), form, HEADERS)
        answer = connection.getresponse()
        body = answer.read(LONGEST + 1)
    finally:
        connection.close()
    if len(body) > LONGEST:
        raise ConnectionError(f"gave an answer of more than {LONGEST} bytes")
    if answer.length:
        raise ConnectionError("closed the connection in the middle of its answer")
    return answer.status, body
