"""The way to the relay, stage by stage: what each one found, and at which it stops (``pbxnotify check --connect``)."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pbxnotify.errors import LoginError, PbxnotifyError, RelayError, SettingsError
from pbxnotify.mail.attachment import MEGABYTE
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.client import Relay
from pbxnotify.smtp.connection import Connection, look_up
from pbxnotify.text import clean

FAR = 4102444800.0
"""The year 2100: some certificates end in the year 9999 (RFC 5280 section 4.1.2.5), which no time zone may pass."""


SOON = 14
"""Days before a certificate expires from which on it is worth a word."""
BASE64 = 4 / 3 * 78 / 76
"""What an attachment grows by in a mail: three bytes become four, and each 76 of them get a line end."""
TEXT = 20000
"""Bytes of a mail besides its attachment."""


class Stage(NamedTuple):
    """A stage on the way to the relay that was passed, and what was found there."""

    name: str
    found: str
    is_warning: bool = False


def probe(settings: Settings, report: Callable[[Stage], None]) -> PbxnotifyError | None:
    """Go to the relay and log in, and report each stage passed; returns why it stopped, None if it did not."""
    relay, reported = settings.smtp, set[str]()

    def passed(name: str, connection: Connection) -> None:
        for stage in _stages(name, connection, settings):
            if stage.name not in reported:  # it goes a second time where the relay rejects a token
                reported.add(stage.name)
                report(stage)

    for stage in _addresses(relay.host, relay.port):
        report(stage)
    error = _stop(relay, passed)
    if isinstance(error, (LoginError, SettingsError)):  # how far would we come with a secret?
        error = _stop(relay._replace(login=""), passed) or error
    return error


def _stop(relay: Smtp, passed: Callable[[str, Connection], None]) -> PbxnotifyError | None:
    """Go as far as it goes; returns why it stopped."""
    try:
        with Relay(relay, passed=passed):
            return None
    except PbxnotifyError as error:  # or a password_command that gives none
        return error


def _addresses(host: str, port: int) -> Iterator[Stage]:
    """Yield the addresses; that a name has none the connection itself will find."""
    try:
        found = look_up(host, port)
    except (OSError, UnicodeError):
        return
    yield Stage("DNS", f"{host} is {', '.join(dict.fromkeys(str(address[4][0]) for address in found))}")


def _stages(name: str, connection: Connection, settings: Settings) -> Iterator[Stage]:
    """Yield what was found at a stage."""
    if name == "connect":
        yield Stage("connect", f"to {connection.peer}")
    elif name in ("TLS", "STARTTLS"):
        yield _of_encryption(name, connection.sock)
    elif name == "EHLO":
        yield Stage("EHLO", f"login offered: {_offered(connection)}")
        yield _of_size(connection.esmtp_features, settings.voicemail.max_attachment)
        if not settings.smtp.login:
            yield Stage("AUTH", "no login in the settings, none tried")
    elif name == "AUTH":
        token = " with a token" if settings.smtp.auth == "oauth2" else ""
        yield Stage("AUTH", f"{settings.smtp.login}: accepted{token}")


def _of_encryption(name: str, sock: Any) -> Stage:
    """Return what a TLS connection rests on: version, and the certificate's names, issuer and last day."""
    certificate: dict[str, Any] | None = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    if not certificate:
        return Stage(name, f"{sock.version()}, the certificate is not verified: anybody could pose as the relay")
    names = ", ".join(str(name) for _, name in certificate.get("subjectAltName", ())[:4])
    last = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = int((last - time.time()) / 86400)
    until = f"valid until {time.strftime('%Y-%m-%d', time.gmtime(last))}"
    if days < SOON:
        until = f"{until}, {days} days from now"
    issuer = _common_name(certificate.get("issuer", ()))
    found = f"{sock.version()}, certificate for {names}, issued by {issuer}, {until}"
    return Stage(name, clean(found, None), is_warning=days < SOON)


def _common_name(name: Iterable[Any]) -> str:
    """Return who is meant by a name in a certificate."""
    parts = {key: value for relative in name for key, value in relative}
    return ", ".join(str(parts[key]) for key in ("organizationName", "commonName") if key in parts)


def _offered(connection: Connection) -> str:
    return clean(str(connection.esmtp_features.get("auth", "")), None) or "none"


def _of_size(features: Mapping[str, str], max_attachment: int) -> Stage:
    """Return whether the largest recording that is attached fits into what the relay takes."""
    largest, needed = features.get("size", ""), int(max_attachment * MEGABYTE * BASE64) + TEXT
    if not re.fullmatch("[0-9]{1,20}", largest) or not int(largest):
        return Stage("SIZE", "no limit announced")
    taken = f"takes mails up to {int(largest) / MEGABYTE:.1f} MB"
    if int(largest) >= needed:
        return Stage("SIZE", f"{taken}: a recording of max_attachment = {max_attachment} MB fits in")
    fits = int((int(largest) - TEXT) / BASE64 / MEGABYTE)
    what = f"a recording of max_attachment = {max_attachment} MB needs {needed / MEGABYTE:.1f}"
    cure = f"write max_attachment = {fits}" if fits > 0 else "write attach = no"
    return Stage("SIZE", f"{taken}; {what}: {cure}", is_warning=True)


def certificate_end(settings: Settings) -> float:
    """Return when the relay's certificate ends, in seconds since the epoch; 0 if that cannot be found out. No login."""
    ends = [0.0]

    def passed(stage: str, connection: Connection) -> None:
        if stage in ("TLS", "STARTTLS") and isinstance(connection.sock, ssl.SSLSocket):
            certificate = connection.sock.getpeercert() or {}
            ends[0] = min(ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), FAR)

    stranger = settings.smtp._replace(login="", password="", password_command="")
    try:
        with Relay(stranger, passed=passed):
            pass
    except (RelayError, SettingsError):
        pass
    return ends[0]
