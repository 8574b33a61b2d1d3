"""How a mail leaves: accepted, refused for now or refused for good, for each recipient.

smtplib speaks, but MAIL, RCPT and DATA are driven here: only who knows the stage knows whether a lost connection may
have left a mail behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pbxnotify.errors import MailDeferred, MailRefused, OutcomeUnknown, RelayError, RelayMisconfigured, RelayUnavailable
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.smtp import tls
from pbxnotify.smtp.advice import advice_for, network_error
from pbxnotify.smtp.connection import Connection
from pbxnotify.text import clean

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.oauth.token_store import Access

SLOWEST_LINE = 32768
"""Bytes per second that a mail may take."""


class Relay:
    """One connection to the relay, for all the recipients of one delivery.

    While it waits for the relay, ``timeout`` seconds may pass without progress, and in all as many, plus 1 s for each
    mail and for each 32 KB of it; the answer to the final dot is not counted.
    """

    ANSWER_TIMEOUT = 600.0
    """Seconds for the answer to the final dot, RFC 5321 section 4.5.3.2.6."""
    QUIT_TIMEOUT = 2.0
    """Seconds for the answer to QUIT, which changes nothing any more."""

    def __init__(
        self,
        settings: Smtp,
        transcript: Callable[[str], None] | None = None,
        passed: Callable[[str, Connection], None] = lambda stage, conversation: None,
    ) -> None:
        """``transcript`` is told each line, ``> MAIL FROM:<…>`` or ``< 250 Ok``, without secrets.

        ``passed`` is told each stage on the way in that is behind us: connect, TLS or STARTTLS, EHLO, AUTH.
        """
        self._settings = settings
        self._transcript = transcript
        self._passed = passed
        self._access: Access | None = None
        """The token that we have shown."""

    def __enter__(self) -> Relay:
        """Connect, encrypt and log in. Raises RelayUnavailable, RelayMisconfigured."""
        self._begin()
        return self

    def _begin(self) -> None:
        """Connect, encrypt and log in; with another token, once, where the relay rejects one that we had kept."""
        self._get_token()
        try:
            self._reach()
        except RelayMisconfigured as error:
            if (error.stage, error.code) != ("AUTH", 535) or self._access is None or self._access.is_new:
                raise
            self._get_token(rejected=self._access.token)
            self._reach()

    def _get_token(self, rejected: str = "") -> None:
        """Get a token where that is what lets us in: before we connect, as no relay would wait for the provider."""
        if self._settings.wants_token and self._settings.login:
            from pbxnotify.smtp.oauth import token_store

            self._access = token_store.at_hand(self._settings, rejected)
            if self._access is None:
                from pbxnotify.smtp.oauth import refresh

                self._access = refresh.access(self._settings, rejected)

    def _reach(self) -> None:
        self._conversation = Connection(self._settings.timeout, self._transcript)
        self._transaction_open = False
        try:
            self._connect()
            self._log_in()
        except BaseException:
            self._conversation.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Say QUIT, unless the connection was given up. What was accepted stays so, whatever the relay answers."""
        if kind is None:
            self._conversation.seconds_left = self.QUIT_TIMEOUT
            with suppress(OSError):
                self._conversation.docmd("QUIT")
        self._conversation.close()

    def send(self, recipient: str, mail: bytes, before_final_dot: Callable[[], None] = lambda: None) -> str:
        """Send a mail in a transaction of its own; returns the relay's own words: ``250 2.0.0 Ok: queued as 1234``.

        ``before_final_dot`` is called when everything but the final dot is sent: from then on the outcome may become
        unknown. Raises MailDeferred, MailRefused (this recipient only), OutcomeUnknown, RelayUnavailable,
        RelayMisconfigured.
        """
        text = _with_dots_doubled(mail)
        if self._transaction_open:
            try:
                self._conversation.docmd("RSET")
            except OSError:
                self._conversation.close()
        if not self._conversation.sock:  # it has hung up after its last refusal
            self._begin()
        self._conversation.seconds_left += 1 + len(text) / SLOWEST_LINE
        envelope = self._envelope(recipient, len(text))
        self._transaction_open = True
        for stage, command in envelope:
            self._ask(stage, command)
        self._ask("DATA", "DATA", wanted=3)
        answer = self._send_message(recipient, text, before_final_dot)
        self._transaction_open = False
        return answer

    def _connect(self) -> None:
        settings, conversation = self._settings, self._conversation
        context = None if settings.security == "none" else self._tls_context()
        with self._stage("connect"):
            conversation.open(settings.host, settings.port)
        self._passed("connect", conversation)
        if context and settings.security == "tls":
            with self._stage("TLS"):
                conversation.encrypt(context, settings.host)
            self._passed("TLS", conversation)
        with self._stage("greeting"):
            code, reply = conversation.getreply()
        self._accepted("greeting", "the connection", code, reply)
        self._greet()
        if context and settings.security == "starttls":
            self._start_tls(context)
        self._passed("EHLO", conversation)

    def _greet(self) -> None:
        with self._stage("EHLO"):
            code, reply = self._conversation.ehlo()
            if code in (500, 502):  # a relay that does not know it, RFC 5321 section 3.2
                code, reply = self._conversation.helo()
        self._accepted("EHLO", "EHLO", code, reply)

    def _start_tls(self, context: ssl.SSLContext) -> None:
        """Encrypt the conversation, or end it: there is no way back to plain text."""
        if not self._conversation.has_extn("starttls"):
            raise self._error(RelayUnavailable, "STARTTLS", "does not offer STARTTLS")
        self._ask("STARTTLS", "STARTTLS")
        with self._stage("STARTTLS"):
            self._conversation.encrypt(context, self._settings.host)
        self._passed("STARTTLS", self._conversation)
        self._greet()

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return tls.relay_context(self._settings)
        except OSError as error:
            what = f"cannot be verified: ca_file {self._settings.ca_file}: {error.strerror or error}"
            raise self._error(RelayMisconfigured, "TLS", what) from None

    def _log_in(self) -> None:
        """Log in where the settings have a login. Raises RelayUnavailable, RelayMisconfigured, SettingsError."""
        settings, conversation = self._settings, self._conversation
        if not settings.login:
            return
        from pbxnotify.smtp import sasl

        encrypted = settings.security != "none"
        if not (encrypted or conversation.is_local or settings.allow_plaintext_login):
            raise self._error(RelayMisconfigured, "AUTH", "was not told login and password: they would go in the clear")
        offered = conversation.esmtp_features.get("auth", "").upper().split()
        mechanism = sasl.choose(settings, offered)
        if not mechanism:
            wanted = "with a token" if settings.auth == "oauth2" else "that can be used"
            what = f"offers no login {wanted}, but {clean(' '.join(offered), None) or 'none at all'}"
            raise self._error(RelayMisconfigured, "AUTH", what)
        secret = self._access.token if self._access else settings.secret()
        with self._stage("AUTH"):
            answer = sasl.log_in(conversation, mechanism, settings, secret)
        self._take_answer(*answer)
        self._passed("AUTH", conversation)

    def _take_answer(self, code: int, reply: bytes, asked: str) -> None:
        """Take the answer to a login. Raises RelayUnavailable, RelayMisconfigured."""
        try:
            self._accepted("AUTH", asked, code, reply)
        except RelayMisconfigured as error:
            self._note_answer(str(error))
            raise
        self._note_answer("")

    def _note_answer(self, rejected: str) -> None:
        """Note that the relay rejects a new token, or takes one after it rejected one: an admin has allowed it."""
        if self._access and (self._access.is_new if rejected else self._access.was_rejected):
            from pbxnotify.smtp.oauth import refresh

            refresh.note_answer(self._settings, self._access.token, rejected)

    def _envelope(self, recipient: str, size: int) -> list[tuple[str, str]]:
        """Return the commands for MAIL and RCPT. Raises MailRefused, RelayMisconfigured."""
        conversation = self._conversation
        sender = self._address(RelayMisconfigured, "MAIL", self._settings.sender_address)
        receiver = self._address(MailRefused, "RCPT", recipient)
        parameters = "" if (sender + receiver).isascii() else " SMTPUTF8"
        largest = conversation.esmtp_features.get("size", "")
        if re.fullmatch("[0-9]{1,20}", largest) and 0 < int(largest) < size:
            what = f"takes {int(largest)} bytes at most, the mail has {size}"
            raise self._error(MailRefused, "MAIL", what, 552, "5.3.4 Message size exceeds what the relay announced")
        if conversation.has_extn("size"):
            parameters += f" SIZE={size}"
        return [("MAIL", f"MAIL FROM:<{sender}>{parameters}"), ("RCPT", f"RCPT TO:<{receiver}>")]

    def _address(self, kind: type[RelayError], stage: str, address: str) -> str:
        """Return an address as this relay takes it. Raises ``kind``."""
        encoded = _encoded(address)
        if not encoded:
            raise self._error(kind, stage, f"was not asked: {address!r} is no address")
        if not encoded.isascii() and not self._conversation.has_extn("smtputf8"):
            raise self._error(kind, stage, f"takes ASCII addresses only (it lacks SMTPUTF8), not {encoded}")
        return encoded

    def _send_message(self, recipient: str, text: bytes, before_final_dot: Callable[[], None]) -> str:
        """Send what follows 354. Until the final dot leaves, the relay cannot have accepted anything."""
        conversation = self._conversation
        with self._stage("message"), self._last_words(recipient):
            conversation.send_text(text)
        before_final_dot()
        try:
            with self._last_words(recipient):
                conversation.send(b".\r\n")
            code, reply = conversation.final_reply(self.ANSWER_TIMEOUT)
        except OSError as error:
            conversation.close()
            what = f"{network_error(error)} after the final dot: it may have the mail for {recipient}"
            raise self._error(OutcomeUnknown, "message", what) from None
        return self._accepted("message", f"the mail for {recipient}", code, reply)

    @contextmanager
    def _last_words(self, recipient: str) -> Iterator[None]:
        """Take what a relay has said before it hung up in the middle of a mail as its answer."""
        try:
            yield
        except OSError:
            code, reply = self._conversation.last_words()
            if code < 400:
                raise
            self._conversation.close()
            self._accepted("message", f"the mail for {recipient}", code, reply)

    def _ask(self, stage: str, command: str, wanted: int = 2) -> str:
        with self._stage(stage):
            code, reply = self._conversation.docmd(command)
        return self._accepted(stage, command, code, reply, wanted)

    @contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        """Close a connection that fails. Raises RelayUnavailable."""
        try:
            yield
        except OSError as error:
            self._conversation.close()
            what = network_error(error) if stage in ("connect", "TLS") else f"{network_error(error)} at {stage}"
            raise self._error(RelayUnavailable, stage, what) from None

    def _accepted(self, stage: str, asked: str, code: int, reply: bytes, wanted: int = 2) -> str:
        """Return the relay's words if its reply code begins with ``wanted``. Raises the error that it means."""
        words = self._conversation.words(reply)
        if code // 100 == wanted:
            return f"{code} {words}".rstrip()
        raise self._error(_meaning(stage, code), stage, f"answered {asked} with {code} {words}".rstrip(), code, words)

    def _error(self, kind: type[RelayError], stage: str, what: str, code: int = 0, reply: str = "") -> RelayError:
        """Return an error whose sentence says where, what, and what to do about it."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        case = f"{stage} {settings.security} {settings.port} {what}"
        told = advice_for(case).format(host=host, port=settings.port)
        return kind(f"{host}:{settings.port} {what}{told}", stage=stage, code=code, reply=reply)


def _with_dots_doubled(mail: bytes) -> bytes:
    """Return a mail as DATA carries it (RFC 5321 section 4.5.2): every line ends in CRLF, so none but ours ends it."""
    # Three counts take 3 ms for a recording of 1 MB, a regular expression 27 (Python 3.11).
    all_paired = mail.count(b"\r\n") == mail.count(b"\n") == mail.count(b"\r")
    if all_paired and mail.endswith(b"\r\n") and not mail.startswith(b"."):
        return mail.replace(b"\r\n.", b"\r\n..")  # as a rule, and without a copy of each line
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in mail.splitlines())


def _encoded(address: str) -> str:
    """Return an address as the envelope carries it, its domain as DNS knows it; "" for what is no address."""
    local_part, _, domain = address.rpartition("@")
    try:
        # Encoding makes plain ASCII of look-alikes such as a full-width ">", so what is checked is the outcome.
        encoded = f"{local_part}@{domain if domain.isascii() else domain.encode('idna').decode()}"
        encoded.encode()
    except UnicodeError:
        return ""
    return encoded if re.fullmatch(r"[^\s<>@\x00-\x1f\x7f-\x9f]+@[^\s<>@\x00-\x1f\x7f-\x9f]+", encoded) else ""


def _meaning(stage: str, code: int) -> type[RelayError]:
    """Return the error that a reply code other than the one wanted means."""
    if code // 100 not in (4, 5):
        return OutcomeUnknown if stage == "message" else RelayUnavailable
    if code == 421 or stage == "STARTTLS":
        return RelayUnavailable
    if stage in ("RCPT", "DATA", "message") or (stage, code) == ("MAIL", 552):
        return MailDeferred if code < 500 else MailRefused
    return RelayUnavailable if code < 500 else RelayMisconfigured
