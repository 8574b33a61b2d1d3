"""One connection to a relay: smtplib with an end to every wait and to every reply, and what TLS trusts on it.

Every wait ends by the socket's own timeout and not by a signal: a signal could strike while the caller writes to disk,
or between the relay's answer and our record of it.
"""

from __future__ import annotations

import _thread  # threading would wait for its threads when the process exits
import errno
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
from pbxnotify.smtp.redaction import Redactor
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import Any

    from _typeshed import ReadableBuffer

    from pbxnotify.settings.smtp import Smtp

LONGEST_LINE = 8192  # bytes of one line of a reply; RFC 5321 section 4.5.3.1.5 allows 512
MOST_LINES = 100  # lines of one reply
LONGEST_REPLY = 500  # characters of a reply that are quoted
SHORTEST = 0.001  # seconds; 0 would mean not waiting at all
LAST_WORDS = 0.5  # seconds for what a relay has said before it hung up
PIECE = 16384  # bytes sent at a time: each is progress, and starts the timeout anew
LONGEST_WAIT = 300.0  # seconds for all lines of a reply, as RFC 5321 section 4.5.3.2 has it; a longer timeout counts
LOOKUP = 30.0  # seconds for DNS at least: three resolvers may be asked twice, for 5 s each (resolv.conf(5))
SAYS_LITTLE = {errno.EHOSTUNREACH: 1, errno.ENETUNREACH: 2, errno.EADDRNOTAVAIL: 2, errno.EAFNOSUPPORT: 2}
"""How little the reason says for which an address is not reached, as many hosts have no IPv6; any other says most."""
LEGACY_SERVER = 0x4  # ``ssl.OP_LEGACY_SERVER_CONNECT``, since Python 3.12: a relay without RFC 5746
PARTIAL_CHAIN = 0x80000  # ``ssl.VERIFY_X509_PARTIAL_CHAIN``, since Python 3.10


class Connection(smtplib.SMTP):
    """smtplib with an end to every wait and to every reply, on one socket opened and encrypted from here.

    ``timeout`` is how long the relay may make no progress, in seconds. Progress is a connection, a TLS handshake, a
    line of a reply, and 16 KB taken; a byte now and then is none. Relays that wait before each reply are common, so a
    conversation as a whole has no limit, only each reply has one: 5 minutes for all its lines.
    """

    ehlo_msg = "EHLO"

    def __init__(self, timeout: float, transcript: Callable[[str], None] | None, greeting_name: str = "") -> None:
        # Without local_hostname smtplib would look up this host's name: 10 to 20 s with a dead DNS.
        super().__init__(local_hostname="", timeout=timeout)
        self.command_encoding = "utf-8"
        self.is_local = False
        self.peer = ""  # the far end, for the admin: ``192.0.2.1 port 587``
        self.unreached: list[tuple[str, OSError]] = []  # the addresses that failed, and why
        self._greeting_name = greeting_name
        self._transcript = transcript
        self._received = b""
        self._secrets = Redactor()

    def open(self, host: str, port: int) -> None:
        """Connect to the first address that answers. Raises OSError."""
        addresses = look_up(host, port, max(self.timeout, LOOKUP))
        self.sock = sock = connect(addresses, self.timeout, self.unreached)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        here, there = sock.getsockname()[0].partition("%")[0], ""
        with suppress(OSError):  # it is reset already: reading the greeting will fail
            there, port, *_ = sock.getpeername()
            self.peer, there = f"{there} port {port}", there.partition("%")[0]
        self.is_local = there == here or there.startswith("127.")
        # Without a name, an address literal (RFC 5321 section 4.1.3), as Thunderbird sends: always true, needs no DNS.
        # The sender's domain is often the relay's own, and many relays turn away strangers who greet with it.
        self.local_hostname = self._greeting_name or (f"[IPv6:{here}]" if ":" in here else f"[{here}]")

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
        while left:
            if not self.sock:
                raise ConnectionError("has closed the connection")
            self.sock.settimeout(self.timeout)
            self.sock.sendall(left[:PIECE])
            left = left[PIECE:]

    def final_reply(self, seconds: float) -> tuple[int, bytes]:
        """Return the answer to the final dot, which has a timeout of its own."""
        before, self.timeout = self.timeout, seconds
        answer = self.getreply()
        self.timeout = before
        return answer

    def last_words(self) -> tuple[int, bytes]:
        """Return what a relay said before it hung up; code 0 if that is not a reply."""
        self.timeout = LAST_WORDS
        try:
            return self.getreply()
        except OSError:
            return 0, b""

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of a reply. Raises OSError for anything else, or a reply without end."""
        lines: list[bytes] = []
        end = time.monotonic() + max(self.timeout, LONGEST_WAIT)
        while len(lines) < MOST_LINES:
            line = self._line(min(time.monotonic() + self.timeout, end))
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

    def _line(self, end: float) -> bytes:
        """Return a line of a reply that is complete at a moment of ``time.monotonic()``."""
        while b"\n" not in self._received:
            if len(self._received) > LONGEST_LINE:
                raise ConnectionError("sent a line without end")
            if self.sock:
                self.sock.settimeout(max(end - time.monotonic(), SHORTEST))
            received = self.sock.recv(4096) if self.sock else b""
            if not received:
                raise ConnectionError("closed the connection")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        return line.rstrip()


def look_up(host: str, port: int, seconds: float = LOOKUP) -> list[tuple[Any, ...]]:
    """Return the addresses of a host, as ``getaddrinfo`` does. Raises OSError, after ``seconds`` at the latest.

    How often and how long the resolver is asked is what resolv.conf says. Nothing can interrupt that, so it happens in
    a thread that is left to itself after ``seconds``.
    """
    outcome: list[Any] = []
    is_done = _thread.allocate_lock()

    def ask() -> None:
        try:
            # Settings hold the name as DNS knows it; Python would encode a str once more, with 2 ms of tables.
            outcome.append(socket.getaddrinfo(host.encode(), port, 0, socket.SOCK_STREAM))
        except Exception as error:  # whatever it is, it is raised below
            outcome.append(error)
        finally:
            is_done.release()

    is_done.acquire()
    try:
        _thread.start_new_thread(ask, ())
    except RuntimeError:  # this host has no process left for it
        ask()
    if not is_done.acquire(timeout=seconds):
        raise socket.gaierror(socket.EAI_AGAIN, f"DNS gave no answer in {seconds:.0f} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return list(outcome[0])


def connect(
    addresses: Sequence[tuple[Any, ...]], seconds: float, unreached: list[tuple[str, OSError]] | None = None
) -> socket.socket:
    """Return a connection to the first address that answers; each gets its share of ``seconds``.

    Notes in ``unreached`` which ones did not, and why. Raises OSError: the one that says most.
    """
    until, failures = time.monotonic() + seconds, [] if unreached is None else unreached
    for tried, (family, kind, protocol, _, address) in enumerate(addresses, 1):
        reached = None
        try:
            reached = socket.socket(family, kind, protocol)
            share = (until - time.monotonic()) / (len(addresses) - tried + 1)
            reached.settimeout(max(share, SHORTEST))
            reached.connect(address)
            return reached
        except OSError as error:
            failures.append((str(address[0]), error))
            if reached:
                reached.close()
    raise min((error for _, error in failures), key=lambda error: SAYS_LITTLE.get(error.errno or 0, 0))


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
        # Keys and TLS as weak as old relays have them: who could break them could as well impersonate the relay.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.options |= LEGACY_SERVER
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
        # It may hold the intermediate authority that the relay does not send, or the relay's own certificate.
        context.verify_flags |= PARTIAL_CHAIN
    return context
