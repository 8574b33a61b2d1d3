"""The way to the relay and past its door: connect, encrypt, greet, log in; each failure says at which stage.

What the relay answers means the same for the mails that follow: see ``Session.ask``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pbxnotify.errors import (
    MailDeferred,
    MailRefused,
    OutcomeUnknown,
    RelayError,
    RelayMisconfigured,
    RelayUnavailable,
)
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.advice import advice_for, network_error
from pbxnotify.smtp.connection import Connection, tls_context
from pbxnotify.smtp.credentials import Credentials
from pbxnotify.smtp.replies import TRANSACTION, Concern, judge
from pbxnotify.text import clean


class Session:
    """One connection to the relay, on which the relay knows us."""

    def __init__(self, settings: Smtp, transcript: Callable[[str], None] | None) -> None:
        self._settings = settings
        self.connection = Connection(settings.timeout, transcript, settings.greeting_name)

    def open(self, credentials: Credentials, secret: str, passed: Callable[[str, Connection], None]) -> None:
        """Connect, encrypt, greet and log in. Raises RelayUnavailable, RelayMisconfigured."""
        try:
            self._connect(passed)
            if self._settings.login:
                self._log_in(credentials, secret)
                passed("AUTH", self.connection)
        except BaseException:
            self.connection.close()
            raise

    def _connect(self, passed: Callable[[str, Connection], None]) -> None:
        settings, connection = self._settings, self.connection
        try:
            context = None if settings.security == "none" else tls_context(settings)
        except OSError as error:
            what = f"cannot be verified: ca_file {settings.ca_file}: {error.strerror or error}"
            raise self.error(RelayMisconfigured, "TLS", what) from None
        try:
            with self.stage("connect"):
                connection.open(settings.host, settings.port)
        finally:
            passed("addresses", connection)
        passed("connect", connection)
        if context and settings.security == "tls":
            with self.stage("TLS"):
                connection.encrypt(context, settings.host)
            passed("TLS", connection)
        with self.stage("greeting"):
            code, reply = connection.getreply()
        self.accepted("greeting", "the connection", code, reply)
        self._greet()
        if context and settings.security == "starttls":
            if not connection.has_extn("starttls"):  # there is no way back to plain text
                raise self.error(RelayUnavailable, "STARTTLS", "does not offer STARTTLS")
            self.ask("STARTTLS", "STARTTLS")
            with self.stage("STARTTLS"):
                connection.encrypt(context, settings.host)
            passed("STARTTLS", connection)
            self._greet()
        passed("EHLO", connection)

    def _greet(self) -> None:
        with self.stage("EHLO"):
            code, reply = self.connection.ehlo()
            if code in (500, 502):  # a relay that does not know it, RFC 5321 section 3.2
                code, reply = self.connection.helo()
        self.accepted("EHLO", "EHLO", code, reply)

    def _log_in(self, credentials: Credentials, secret: str) -> None:
        from pbxnotify.smtp import sasl

        settings, connection = self._settings, self.connection
        encrypted = settings.security != "none"
        if not (encrypted or connection.is_local or settings.allow_plaintext_login):
            what = "was not sent login and password: they would cross the network in the clear"
            raise self.error(RelayMisconfigured, "AUTH", what)
        offered = connection.esmtp_features.get("auth", "").upper().split()
        mechanisms = sasl.choose(settings, offered)
        if not mechanisms:
            wanted = "with a token" if settings.auth == "oauth2" else "that can be used"
            what = f"offers no login {wanted}, but {clean(' '.join(offered), None) or 'none at all'}"
            raise self.error(RelayMisconfigured, "AUTH", what)
        with self.stage("AUTH"):
            code, reply, asked = sasl.log_in(connection, mechanisms, settings, secret)
        try:
            self.accepted("AUTH", asked, code, reply)
        except RelayMisconfigured as error:
            credentials.rejected(str(error))
            raise
        credentials.accepted()

    def ask(self, stage: str, command: str, wanted: int = 2) -> str:
        """Send a command; returns the relay's words, see ``accepted``. Raises the error that any other reply means."""
        with self.stage(stage):
            self.connection.putcmd(command)
        return self.answer(stage, command, wanted)

    def answer(self, stage: str, command: str, wanted: int = 2) -> str:
        """Wait for the answer to a command that was sent; as ``ask``."""
        with self.stage(stage):
            code, reply = self.connection.getreply()
        return self.accepted(stage, command, code, reply, wanted)

    def accepted(self, stage: str, asked: str, code: int, reply: bytes, wanted: int = 2) -> str:
        """Return the relay's words if its reply code begins with ``wanted``. Raises the error that it means."""
        words = self.connection.words(reply)
        if code // 100 == wanted:
            return f"{code} {words}".rstrip()
        what = f"answered {asked} with {code} {words}".rstrip()
        raise self.error(_meaning(stage, code, words), stage, what, code, words)

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """Close a connection that fails at a stage. Raises RelayUnavailable."""
        try:
            yield
        except OSError as error:
            self.connection.close()
            what = network_error(error) if stage in ("connect", "TLS") else f"{network_error(error)} at {stage}"
            raise self.error(RelayUnavailable, stage, what) from None

    def error(self, kind: type[RelayError], stage: str, what: str, code: int = 0, reply: str = "") -> RelayError:
        """Return an error whose sentence says where, what, and what to do about it."""
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        case = f"{stage} {settings.security} {settings.port} {what}"
        advice = advice_for(case, judge(stage, reply), has_login=bool(settings.login))
        advice = advice.format(host=host, port=settings.port)
        return kind(f"{host}:{settings.port} {what}{advice}", stage=stage, code=code, reply=reply)


def _meaning(stage: str, code: int, words: str) -> type[RelayError]:
    """Return the error that a reply code other than the one wanted means."""
    if code // 100 not in (4, 5):
        return OutcomeUnknown if stage == "message" else RelayUnavailable
    if code == 421 or stage == "STARTTLS":
        return RelayUnavailable
    concern = judge(stage, words)
    # At MAIL, only the size of a mail can be about anything but us.
    if stage not in TRANSACTION or concern.is_us or (stage == "MAIL" and concern != Concern.SIZE):
        return RelayUnavailable if code < 500 else RelayMisconfigured
    return MailDeferred if code < 500 else MailRefused
