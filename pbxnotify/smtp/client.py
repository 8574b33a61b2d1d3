"""Sends mails over one connection: accepted, refused for now or refused for good, for each recipient.

smtplib speaks, but MAIL, RCPT and DATA are driven here: whether a lost connection may have left a mail behind depends
on the stage.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pbxnotify.errors import (
    MailRefused,
    OutcomeUnknown,
    RelayError,
    RelayMisconfigured,
    RelayUnavailable,
)
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.advice import network_error
from pbxnotify.smtp.connection import Connection
from pbxnotify.smtp.credentials import credentials_of
from pbxnotify.smtp.replies import concern_of
from pbxnotify.smtp.session import Session

IDLE = 5.0  # seconds after which a connection is asked whether it is still there


class Command(NamedTuple):
    """A command of a mail's envelope."""

    stage: str
    command: str
    wanted: int = 2  # the first digit of the reply that accepts it


class Relay:
    """One connection to the relay for many mails, and another one where the relay ends it."""

    MOST_MAILS = 50  # accepted over one connection: some relays end it after so many, some close it without a word
    ANSWER_TIMEOUT = 600.0  # seconds for the answer to the final dot, RFC 5321 section 4.5.3.2.6
    QUIT_TIMEOUT = 2.0  # seconds for the answer to QUIT, which changes nothing any more

    def __init__(
        self,
        settings: Smtp,
        transcript: Callable[[str], None] | None = None,
        passed: Callable[[str, Connection], None] = lambda stage, connection: None,
    ) -> None:
        """``transcript`` is given each line, ``> MAIL FROM:<…>`` or ``< 250 Ok``, without secrets.

        ``passed`` is given each stage on the way in that is behind us: connect, TLS or STARTTLS, EHLO, AUTH.
        """
        self._settings = settings
        self._credentials = credentials_of(settings)
        self._transcript = transcript
        self._passed = passed

    def __enter__(self) -> Relay:
        """As ``open``."""
        self.open()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """As ``close``, without a word where something went wrong."""
        if kind is not None:
            self._connection.close()
        self.close()

    def close(self) -> None:
        """Say QUIT, unless the connection was given up. What was accepted stays so, whatever the relay answers."""
        if self._connection.sock:
            self._connection.timeout = self.QUIT_TIMEOUT
            with suppress(OSError):
                self._connection.docmd("QUIT")
            self._connection.close()

    def open(self) -> None:
        """Connect, encrypt and log in; once more where the relay rejects the secret and there is another one.

        Raises RelayUnavailable, RelayMisconfigured, LoginError, SettingsError.
        """
        # Before we connect, as no relay would wait for a provider or a command.
        secret = self._credentials.secret() if self._settings.login else ""
        try:
            self._connect(secret)
        except RelayMisconfigured as error:
            is_rejected = (error.stage, error.code) == ("AUTH", 535)
            other = self._credentials.secret(rejected=secret) if is_rejected else ""
            if not other:
                raise
            self._connect(other)

    def _connect(self, secret: str) -> None:
        self._session = Session(self._settings, self._transcript)
        self._connection = self._session.connection
        self._accepted = 0  # mails, over this connection
        self._transaction_open = False
        self._session.open(self._credentials, secret, self._passed)
        self._used = time.monotonic()

    def send(self, recipient: str, mail: bytes, before_final_dot: Callable[[], None] = lambda: None) -> str:
        """Send a mail in a transaction of its own; returns the relay's own words: ``250 2.0.0 Ok: queued as 1234``.

        ``before_final_dot`` is called when everything but the final dot is sent: from then on the outcome may become
        unknown. Raises MailDeferred, MailRefused (this recipient only), OutcomeUnknown, and what ``open`` raises.
        """
        text = _with_dots_doubled(mail)
        self._make_ready()
        try:
            return self._send(recipient, text, before_final_dot)
        except RelayUnavailable as error:
            has_ended = error.code in (0, 421) or error.stage == "MAIL"  # where OpenSMTPD says 452 after so many
            if not self._accepted or not has_ended:
                raise
            self.close()
            self.open()
            return self._send(recipient, text, before_final_dot)

    def _make_ready(self) -> None:
        """Have a connection with no transaction open. Raises as ``open``."""
        if self._accepted >= self.MOST_MAILS:
            self.close()
        elif self._transaction_open or time.monotonic() - self._used > IDLE:
            code = 0
            with suppress(OSError):
                code, _ = self._connection.docmd("RSET")
            if code != 250:
                self._connection.close()
        if not self._connection.sock:  # it has hung up after its last refusal, or for want of anything to do
            self.open()

    def _send(self, recipient: str, text: bytes, before_final_dot: Callable[[], None]) -> str:
        commands = [*self._envelope(recipient, len(text)), Command("DATA", "DATA", 3)]
        self._transaction_open = True
        try:
            self._ask(commands)
        except RelayMisconfigured as error:
            # SMTPUTF8, which this recipient needs, may be what it does not take.
            if not concern_of(error).is_us and not _encoded(recipient).isascii():
                raise error.become(MailRefused, "5.6.7") from None
            raise
        answer = self._send_message(recipient, text, before_final_dot)
        self._transaction_open = False
        self._accepted += 1
        self._used = time.monotonic()
        return answer

    def _ask(self, commands: Sequence[Command]) -> None:
        """Send the commands of an envelope. Raises what the first refusal means."""
        if self._connection.has_extn("pipelining"):
            self._ask_at_once(commands)
        else:
            for stage, command, wanted in commands:
                self._session.ask(stage, command, wanted)

    def _ask_at_once(self, commands: Sequence[Command]) -> None:
        """Send them in one round trip (RFC 2920). Raises what the first refusal means."""
        refused: RelayError | None = None
        with self._session.stage(commands[0].stage):
            self._connection.send_commands([one.command for one in commands])
        for stage, command, wanted in commands:
            try:
                self._session.answer(stage, command, wanted)
            except RelayError as error:
                refused = refused or error
                if not self._connection.sock:
                    break
            else:
                if refused and wanted == 3:  # it would take a mail for nobody: nothing but the end keeps it from that
                    self._connection.close()
        if refused:
            raise refused

    def _envelope(self, recipient: str, size: int) -> list[Command]:
        """Return the commands for MAIL and RCPT. Raises MailRefused, RelayMisconfigured."""
        sender = self._address(RelayMisconfigured, "MAIL", self._settings.sender_address)
        receiver = self._address(MailRefused, "RCPT", recipient)
        parameters = "" if (sender + receiver).isascii() else " SMTPUTF8"
        largest = self._connection.esmtp_features.get("size", "")
        if re.fullmatch("[0-9]{1,20}", largest) and 0 < int(largest) < size:
            what = f"takes {int(largest)} bytes at most, the mail has {size}"
            reply = "5.3.4 Message size exceeds what the relay announced"
            raise self._session.error(MailRefused, "MAIL", what, 552, reply)
        if self._connection.has_extn("size"):
            parameters += f" SIZE={size}"
        return [
            Command("MAIL", f"MAIL FROM:<{sender}>{parameters}"),
            Command("RCPT", f"RCPT TO:<{receiver}>"),
        ]

    def _address(self, kind: type[RelayError], stage: str, address: str) -> str:
        """Return an address as this relay takes it. Raises ``kind``."""
        encoded = _encoded(address)
        if not encoded:
            what = f"was not asked: {address!r} is not a valid e-mail address"
            raise self._session.error(kind, stage, what, reply="5.1.3")
        if not encoded.isascii() and not self._connection.has_extn("smtputf8"):
            what = f"accepts ASCII addresses only (it does not offer SMTPUTF8), not {encoded}"
            raise self._session.error(kind, stage, what, reply="5.6.7")
        return encoded

    def _send_message(self, recipient: str, text: bytes, before_final_dot: Callable[[], None]) -> str:
        """Send what follows 354. Until the final dot leaves, the relay cannot have accepted anything."""
        connection = self._connection
        with self._session.stage("message"), self._last_words(recipient):
            connection.send_text(text)
        before_final_dot()
        try:
            with self._last_words(recipient):
                connection.send(b".\r\n")
            code, reply = connection.final_reply(self.ANSWER_TIMEOUT)
        except OSError as error:
            connection.close()
            what = f"{network_error(error)} after the final dot: it may have the mail for {recipient}"
            raise self._session.error(OutcomeUnknown, "message", what) from None
        return self._session.accepted("message", f"the mail for {recipient}", code, reply)

    @contextmanager
    def _last_words(self, recipient: str) -> Iterator[None]:
        """Take what a relay has said before it hung up in the middle of a mail as its answer."""
        try:
            yield
        except OSError:
            code, reply = self._connection.last_words()
            if code < 400:
                raise
            self._connection.close()
            self._session.accepted("message", f"the mail for {recipient}", code, reply)


def _with_dots_doubled(mail: bytes) -> bytes:
    """Return a mail as DATA carries it (RFC 5321 section 4.5.2): every line ends in CRLF, so only our dot ends it."""
    # Three counts take 3 ms for a recording of 1 MB, a regular expression 27 (Python 3.11).
    all_paired = mail.count(b"\r\n") == mail.count(b"\n") == mail.count(b"\r")
    if all_paired and mail.endswith(b"\r\n") and not mail.startswith(b"."):
        return mail.replace(b"\r\n.", b"\r\n..")  # as a rule, and without a copy of each line
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in mail.splitlines())


def _encoded(address: str) -> str:
    """Return an address as the envelope carries it, its domain as DNS knows it; "" if it is not a valid one."""
    local_part, _, domain = address.rpartition("@")
    try:
        # Encoding makes plain ASCII of look-alikes such as a full-width ">", so what is checked is the outcome.
        encoded = f"{local_part}@{domain if domain.isascii() else domain.encode('idna').decode()}"
        encoded.encode()
    except UnicodeError:
        return ""
    return encoded if re.fullmatch(r"[^\s<>@\x00-\x1f\x7f-\x9f]+@[^\s<>@\x00-\x1f\x7f-\x9f]+", encoded) else ""
