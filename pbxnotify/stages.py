"""The way to the relay, stage by stage: what each one found, and at which it stops (``pbxnotify check --connect``)."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pbxnotify import smtp, terminal
from pbxnotify.attachment import MEGABYTE
from pbxnotify.conversation import Conversation, look_up, printable
from pbxnotify.errors import PbxnotifyError, RelayError
from pbxnotify.relay import Smtp
from pbxnotify.settings import Settings

SOON = 14
"""Days before a certificate expires from which on it is worth a word."""
BASE64 = 4 / 3 * 78 / 76
"""What an attachment grows by in a mail: three bytes become four, and each 76 of them get a line end."""
TEXT = 20000
"""Bytes of a mail besides its attachment."""


def walk(configured: Settings, say: Callable[[str, str], None]) -> PbxnotifyError | None:
    """Go to the relay and log in, and say what each stage found; returns why it stopped, None if it did not."""
    relay, told = configured.smtp, set[str]()

    def say_once(stage: str, what: str) -> None:
        if stage not in told:  # it goes a second time where the relay rejects a token
            told.add(stage)
            say(stage, what)

    with terminal.waiting(f"{relay.host}:{relay.port}"):
        _say_addresses(relay.host, relay.port, say)
        error = _stop(relay, _teller(configured, say_once))
        if isinstance(error, RelayError) and error.stage == "AUTH" and not told:  # how far would we come with a token?
            without_login = _stop(relay._replace(login=""), _teller(configured, say_once))
            error = without_login or error
    if error:
        stage = error.stage if isinstance(error, RelayError) else "AUTH"
        say(stage, f"{terminal.coloured('stops here', 'red')}: {error}")
    return error


def _stop(relay: Smtp, passed: Callable[[str, Conversation], None]) -> PbxnotifyError | None:
    """Go as far as it goes; returns why it stopped."""
    try:
        with smtp.Relay(relay, passed=passed):
            return None
    except PbxnotifyError as error:  # or a password_command that gives none
        return error


def _say_addresses(host: str, port: int, say: Callable[[str, str], None]) -> None:
    """Say the addresses; a name that has none is told of by the relay itself."""
    try:
        found = look_up(host, port)
    except (OSError, UnicodeError):
        return
    say("DNS", f"{host} is {', '.join(dict.fromkeys(str(address[4][0]) for address in found))}")


def _teller(configured: Settings, say: Callable[[str, str], None]) -> Callable[[str, Conversation], None]:
    """Return what says in words which stage has been passed."""

    def passed(stage: str, conversation: Conversation) -> None:
        if stage == "connect":
            say("connect", f"to {conversation.peer}")
        elif stage in ("TLS", "STARTTLS"):
            say(stage, _of_encryption(conversation.sock))
        elif stage == "EHLO":
            say("EHLO", f"login offered: {_offered(conversation)}")
            say("SIZE", _of_size(conversation.esmtp_features, configured.voicemail.max_attachment))
            if not configured.smtp.login:
                say("AUTH", "no login in the settings, none tried")
        elif stage == "AUTH":
            token = " with a token" if configured.smtp.auth == "oauth2" else ""
            say("AUTH", f"{configured.smtp.login}: accepted{token}")

    return passed


def _of_encryption(sock: Any) -> str:
    """Return what a TLS connection rests on: version, and the certificate's names, issuer and last day."""
    certificate: dict[str, Any] | None = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not certificate:
        return f"{sock.version()}, the certificate is not verified: anybody could pose as the relay"
    names = ", ".join(str(name) for _, name in certificate.get("subjectAltName", ())[:4])
    last = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = int((last - time.time()) / 86400)
    until = f"valid until {time.strftime('%Y-%m-%d', time.gmtime(last))}"
    if days < SOON:
        until = terminal.coloured(f"{until}, {days} days from now", "yellow")
    issuer = _common_name(certificate.get("issuer", ()))
    return printable(f"{sock.version()}, certificate for {names}, issued by {issuer}") + f", {until}"


def _common_name(name: Iterable[Any]) -> str:
    """Return who is meant by a name in a certificate."""
    parts = {key: value for relative in name for key, value in relative}
    return ", ".join(str(parts[key]) for key in ("organizationName", "commonName") if key in parts)


def _offered(conversation: Conversation) -> str:
    return printable(str(conversation.esmtp_features.get("auth", ""))) or "none"


def _of_size(features: Mapping[str, str], max_attachment: int) -> str:
    """Return whether the largest recording that is attached fits into what the relay takes."""
    largest, needed = features.get("size", ""), int(max_attachment * MEGABYTE * BASE64) + TEXT
    if not re.fullmatch("[0-9]{1,20}", largest) or not int(largest):
        return "no limit announced"
    taken = f"takes mails up to {int(largest) / MEGABYTE:.1f} MB"
    if int(largest) >= needed:
        return f"{taken}: a recording of max_attachment = {max_attachment} MB fits in"
    fits = int((int(largest) - TEXT) / BASE64 / MEGABYTE)
    what = f"a recording of max_attachment = {max_attachment} MB needs {needed / MEGABYTE:.1f}"
    cure = f"write max_attachment = {fits}" if fits > 0 else "write attach = no"
    return terminal.coloured(f"{taken}; {what}: {cure}", "yellow")
