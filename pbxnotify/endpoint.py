"""One question to an endpoint over HTTPS: http.client with an end to every wait and to every answer."""

from __future__ import annotations

import http.client
import ssl
import time
from urllib.parse import urlsplit

from pbxnotify.conversation import hurry_look_ups

LONGEST = 65536
"""Bytes of an answer."""


class _Timely(ssl.SSLSocket):
    """A socket whose waits for bytes end at the same moment, all together."""

    deadline: float

    def recv_into(self, *arguments: object) -> int:
        """Receive, as long as there is time left; whatever trickles in wins none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(*arguments)  # type: ignore[arg-type]  # what it takes is nothing to us


def post(url: str, form: str, trusting: ssl.SSLContext, seconds: float) -> tuple[int, bytes]:
    """Send a form, and return the status and the body of the answer, which may be an error of HTTP.

    Redirections are not followed: secrets go to the address that the admin knows. Raises OSError after so many seconds
    at most, look-up and connect apart, which have as many of their own; and for what is no HTTP, or has no end.
    """
    parts = urlsplit(url)
    trusting.sslsocket_class = _Timely
    hurry_look_ups()
    connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=seconds, context=trusting)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    try:
        connection.connect()
        assert isinstance(connection.sock, _Timely)
        connection.sock.deadline = time.monotonic() + seconds
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), form, headers)
        answer = connection.getresponse()
        body = answer.read(LONGEST + 1)
    except http.client.HTTPException as error:
        raise ConnectionError(f"gave an answer that is not HTTP ({type(error).__name__})") from None
    finally:
        connection.close()
    if len(body) > LONGEST:
        raise ConnectionError(f"gave an answer of more than {LONGEST} bytes")
    if answer.length:
        raise ConnectionError("closed the connection in the middle of its answer")
    return answer.status, body
