"""Probe the relay stage by stage, up to the login: what each stage found, and where the way ends."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from pbxnotify.errors import LoginError, PbxnotifyError, SettingsError
from pbxnotify.mail.attachment import MEGABYTE
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.advice import network_error
from pbxnotify.smtp.client import Relay
from pbxnotify.smtp.connection import Connection, look_up
from pbxnotify.text import clean

FAR = 4102444800.0
"""The year 2100: some certificates end in the year 9999 (RFC 5280 section 4.1.2.5), too late for some time zones."""
SOON = 14  # days before a certificate expires from which on that is a warning
BASE64 = 4 / 3 * 78 / 76
"""How much an attachment grows in a mail: three bytes become four, and each 76 of them get a line end."""
TEXT = 20000  # bytes of a mail besides its attachment


class Stage(NamedTuple):
    """A stage that was passed, and what was found there."""

    name: str
    found: str
    is_warning: bool = False


def probe(settings: Settings, report: Callable[[Stage], None]) -> PbxnotifyError | None:
    """Connect to the relay and log in, reporting each stage passed; returns the error that stopped it, if any."""
    relay, reported, found = settings.smtp, set[Stage](), []

    def passed(name: str, connection: Connection) -> None:
        for stage in _stages(name, connection, settings):
            if stage not in reported:  # a rejected token makes it connect twice
                reported.add(stage)
                report(stage)

    with suppress(OSError, UnicodeError):  # then the connection fails as well, and says so
        found = look_up(relay.host, relay.port)
    if found:
        report(Stage("DNS", f"{relay.host} has {', '.join(dict.fromkeys(str(one[4][0]) for one in found))}"))
    error = _connect(relay, passed)
    if isinstance(error, (LoginError, SettingsError)):  # the other stages can be probed without a secret
        error = _connect(relay._replace(login=""), passed) or error
    return error


def _connect(relay: Smtp, passed: Callable[[str, Connection], None]) -> PbxnotifyError | None:
    """Connect, and log in if there is a login; returns the error that stopped it, if any."""
    try:
        with Relay(relay, passed=passed):
            return None
    except PbxnotifyError as error:  # a password_command that fails among them
        return error


def _stages(name: str, connection: Connection, settings: Settings) -> Iterator[Stage]:
    if name == "addresses":
        for address, error in connection.unreached if connection.peer or len(connection.unreached) > 1 else ():
            yield Stage("connect", f"{address} {network_error(error)}", is_warning=True)
    elif name == "connect":
        yield Stage("connect", f"to {connection.peer}")
    elif name in ("TLS", "STARTTLS"):
        yield _encryption(name, connection.sock)
    elif name == "EHLO":
        offered = clean(str(connection.esmtp_features.get("auth", "")), None)
        yield Stage("EHLO", f"authentication offered: {offered or 'none'}")
        yield _size(connection.esmtp_features, settings.voicemail.max_attachment)
        if not settings.smtp.login:
            yield Stage("AUTH", "no login in the settings, so none was tried")
    elif name == "AUTH":
        token = " with a token" if settings.smtp.auth == "oauth2" else ""
        yield Stage("AUTH", f"{settings.smtp.login}: accepted{token}")


def _certificate(sock: Any) -> dict[str, Any]:
    """Return the relay's certificate; empty if it was not verified."""
    return (sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None) or {}


def _encryption(name: str, sock: Any) -> Stage:
    certificate = _certificate(sock)
    if not certificate:
        return Stage(name, f"{sock.version()}, the certificate is not verified: anybody could impersonate the relay")
    names = ", ".join(str(name) for _, name in certificate.get("subjectAltName", ())[:4])
    last = ssl.cert_time_to_seconds(certificate["notAfter"])
    days = int((last - time.time()) / 86400)
    until = f"valid until {time.strftime('%Y-%m-%d', time.gmtime(last))}"
    if days < SOON:
        until = f"{until}, in {days} days"
    issuer = _organization(certificate.get("issuer", ()))
    found = f"{sock.version()}, certificate for {names}, issued by {issuer}, {until}"
    return Stage(name, clean(found, None), is_warning=days < SOON)


def _organization(name: Iterable[Any]) -> str:
    parts = {key: value for relative in name for key, value in relative}
    return ", ".join(str(parts[key]) for key in ("organizationName", "commonName") if key in parts)


def _size(features: Mapping[str, str], max_attachment: int) -> Stage:
    """Return whether the relay's limit leaves room for the largest recording that is attached."""
    largest, needed = features.get("size", ""), int(max_attachment * MEGABYTE * BASE64) + TEXT
    if not re.fullmatch("[0-9]{1,20}", largest) or not int(largest):
        return Stage("SIZE", "no limit announced")
    taken = f"accepts mails up to {int(largest) / MEGABYTE:.1f} MB"
    if int(largest) >= needed:
        return Stage("SIZE", f"{taken}: a recording of max_attachment = {max_attachment} MB fits")
    fits = int((int(largest) - TEXT) / BASE64 / MEGABYTE)
    what = f"a recording of max_attachment = {max_attachment} MB needs {needed / MEGABYTE:.1f} MB"
    cure = f"write max_attachment = {fits}" if fits > 0 else "write attach = no"
    return Stage("SIZE", f"{taken}; {what}: {cure}", is_warning=True)


def certificate_end(settings: Settings) -> float | None:
    """Return when the relay's certificate expires, in seconds since the epoch; None if unknown. Does not log in."""
    ends: list[float] = []

    def passed(stage: str, connection: Connection) -> None:
        if stage in ("TLS", "STARTTLS") and (certificate := _certificate(connection.sock)):
            ends.append(min(ssl.cert_time_to_seconds(str(certificate.get("notAfter"))), FAR))

    _connect(settings.smtp._replace(login="", password="", password_command=""), passed)
    return ends[-1] if ends else None
