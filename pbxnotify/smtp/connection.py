"""One connection to a relay: smtplib with an end to every wait and to every reply, and what TLS trusts on it.

Every wait ends by the socket's own timeout and not by a signal: a signal could strike while the caller writes to disk,
or between the relay's answer and our record of it.
"""

from __future__ import annotations

import os
import re
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress

from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.smtp.addresses import SHORTEST, connect, look_up
from pbxnotify.smtp.greeting import name_to_greet_with
from pbxnotify.smtp.redaction import Redactor
from pbxnotify.text import clean

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from pbxnotify.settings.smtp import Smtp

LONGEST_LINE = 8192  # bytes of one line of a reply; RFC 5321 section 4.5.3.1.5 allows 512
MOST_LINES = 100  # lines of one reply
LONGEST_REPLY = 500  # characters of a reply that are quoted
LOOKUP = 15.0  # seconds for DNS at least: resolv.conf usually has a resolver asked twice for five
LAST_WORDS = 0.5  # seconds for what a relay has said before it hung up
PIECE = 16384  # bytes sent at a time: each is progress, and starts the timeout anew
SLOWEST_LINE = 32768  # bytes per second that what we send may take, besides the timeout
PARTIAL_CHAIN = 0x80000
"""X509_V_FLAG_PARTIAL_CHAIN (ssl has it from Python 3.10 on): ca_file may have the relay's own certificate, or that of
an authority in between, which some relays do not send."""


class Connection(smtplib.SMTP):
    """smtplib with an end to every wait and to every reply, on one socket opened and encrypted from here.

    ``timeout`` seconds without progress end it: a name that is looked up, a connection, TLS, a whole reply, and each
    piece that is sent; a mail as a whole may take as long, and 1 s for each 32 KB.
    """

    ehlo_msg = "EHLO"

    def __init__(self, timeout: float, transcript: Callable[[str], None] | None) -> None:
        # Without local_hostname smtplib would look up this host's name: 10 to 20 s with a dead DNS.
        super().__init__(local_hostname="", timeout=timeout)
        self.command_encoding = "utf-8"
        self.is_local = False
        self.peer = ""  # the far end, for the admin: ``192.0.2.1 port 587``
        self._transcript = transcript
        self._received = b""
        self._secrets = Redactor()

    def open(self, host: str, port: int, name: str = "") -> None:
        """Connect to the first address that answers, and greet with a name or our own. Raises OSError."""
        self.sock = sock = connect(look_up(host, port, max(self.timeout, LOOKUP)), self.timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        here, there = sock.getsockname()[0].partition("%")[0], ""
        with suppress(OSError):  # it is reset already: reading the greeting will fail
            there, port, *_ = sock.getpeername()
            self.peer, there = f"{there} port {port}", there.partition("%")[0]
        self.is_local = there == here or there.startswith("127.")
        # An address literal (RFC 5321 section 4.1.3), as Thunderbird sends: always true.
        self.local_hostname = name or name_to_greet_with(f"[IPv6:{here}]" if ":" in here else f"[{here}]")

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Start TLS. Raises OSError, also for plain text after the answer to STARTTLS: somebody injected it."""
        assert self.sock
        if self._received:
            raise ConnectionError("sent plain text where TLS should begin")
        # wrap_socket alone would skip the handshake if the relay has gone meanwhile; explicitly, that is an error.
        encrypted = context.wrap_socket(self.sock, server_hostname=host.encode(), do_handshake_on_connect=False)
        self.sock = encrypted
        encrypted.settimeout(self.timeout)
        encrypted.do_handshake()

    def hide(self, secret: str) -> None:
        """Redact a secret in all that the relay says from now on, should it repeat what it was sent."""
        self._secrets.add(secret)
        self._secrets.add(clean(secret, None))

    def words(self, reply: bytes) -> str:
        """Return a reply as one line, secrets redacted."""
        return self._secrets.redact(clean(reply.decode("utf-8", "replace"), 2 * LONGEST_REPLY))[:LONGEST_REPLY]

    def ask_secretly(self, secret: bytes, command: str = "") -> tuple[int, bytes]:
        """Send a secret in base64, behind a command or alone, and return the answer."""
        encoded = b64encode(secret).decode()
        self.hide(encoded)
        self.putcmd(command + encoded, shown=f"{command}***")
        return self.getreply()

    def putcmd(self, cmd: str, args: str = "", shown: str = "") -> None:
        """Send a command."""
        self._show(f"> {shown or f'{cmd} {args}'.rstrip()}")
        super().putcmd(cmd, args)

    def send_commands(self, commands: Sequence[str]) -> None:
        """Send commands at once (RFC 2920)."""
        for command in commands:
            self._show(f"> {command}")
        self.send("".join(f"{command}\r\n" for command in commands))

    def send_text(self, text: bytes) -> None:
        """Send what comes before the final dot."""
        self._show(f"> (message, {len(text)} bytes)")
        self.send(text)

    def send(self, s: ReadableBuffer | str) -> None:
        """Send bytes piece by piece. Raises OSError."""
        left = memoryview(s.encode() if isinstance(s, str) else s)
        until = time.monotonic() + self.timeout + len(left) / SLOWEST_LINE
        while left:
            if not self.sock:
                raise ConnectionError("has closed the connection")
            self._wait_until(min(until, time.monotonic() + self.timeout))
            left = left[self.sock.send(left[:PIECE]) :]

    def final_reply(self, seconds: float) -> tuple[int, bytes]:
        """Return the answer to the final dot, for which a relay may take its time."""
        before, self.timeout = self.timeout, seconds
        try:
            return self.getreply()
        finally:
            self.timeout = before

    def last_words(self) -> tuple[int, bytes]:
        """Return what a relay said before it hung up; code 0 if that is not a reply."""
        self.timeout = LAST_WORDS
        try:
            return self.getreply()
        except OSError:
            return 0, b""

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of a reply. Raises OSError for anything else, or a reply without end."""
        lines, until = list[bytes](), time.monotonic() + self.timeout
        while len(lines) < MOST_LINES:
            line = self._line(until)
            if self._transcript:  # redacting costs time
                self._transcript(f"< {self.words(line)}")
            if not re.fullmatch(rb"[2-5][0-9][0-9]([ -].*)?", line, re.DOTALL):
                raise ConnectionError("sent something that is not SMTP")
            lines.append(line[4:].strip())
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)
        raise ConnectionError("sent a reply without end")

    def _show(self, line: str) -> None:
        if self._transcript:
            self._transcript(line)

    def _line(self, until: float) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > LONGEST_LINE:
                raise ConnectionError("sent a line without end")
            self._wait_until(until)
            received = self.sock.recv(4096) if self.sock else b""
            if not received:
                raise ConnectionError("closed the connection")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        return line.rstrip()

    def _wait_until(self, until: float) -> None:
        """Let the next operation on the socket end then; what is there already is taken even if it is late."""
        if self.sock:
            self.sock.settimeout(max(until - time.monotonic(), SHORTEST))


def tls_context(relay: Smtp, *, for_web: bool = False) -> ssl.SSLContext:
    """Return the context for TLS 1.2 or later with the relay; raises OSError for an unusable ``ca_file``.

    With the relay, certificates are verified unless the admin says otherwise. ``for_web``, with the authorization
    server, they always are: an impostor could send mail in our name for as long as it likes. The relay's own authority
    is trusted there too, for an office that runs both.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not (relay.verify_certificate or for_web):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if for_web or not relay.ca_file:
        # The authorities of this system: the hashed directory takes 0.1 ms, the bundle 30.
        hashed = ssl.get_default_verify_paths().capath
        if hashed and "SSL_CERT_FILE" not in os.environ and any(name.endswith(".0") for name in os.listdir(hashed)):
            context.load_verify_locations(capath=hashed)
        else:
            context.load_default_certs()
    if relay.ca_file:
        context.load_verify_locations(relay.ca_file)
        context.verify_flags |= PARTIAL_CHAIN
    return context
