"""A test mail, sent at once and past the queue: who asks for one wants to see what the relay says now."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pbxnotify import events, message, smtp, templates, terminal
from pbxnotify.recipients import Recipient
from pbxnotify.settings import Settings, Smtp

SECURITY = {"none": "not encrypted", "starttls": "STARTTLS", "tls": "TLS from the first byte"}


def way_to(relay: Smtp) -> str:
    """Return where the relay is and how it is spoken to, for the admin."""
    encryption = SECURITY[relay.security]
    if relay.security != "none" and not relay.verify_certificate:
        encryption += ", the certificate is not verified"
    return f"{relay.host}:{relay.port}, {encryption}, login {relay.login or 'none'}"


def event(language: str) -> events.Alert:
    """Return what a test mail tells."""
    words = templates.TEST[language]
    return events.Alert(time=time.time(), subject=words.subject, body=words.body)


def send(configured: Settings, addresses: Sequence[str], transcript: Callable[[str], None] | None = None) -> None:
    """Send a test mail to addresses, and print the relay's own words. Raises RelayError."""
    relay = configured.smtp
    language = configured.notifications.language
    print(f"connecting to {relay.host}:{relay.port} ({SECURITY[relay.security]})", flush=True)
    with terminal.waiting(f"{relay.host}:{relay.port}"), smtp.Relay(relay, transcript) as connection:
        for address in addresses:
            identifier = f"test-{time.time_ns():x}"
            mail = message.compose(event(language), identifier, Recipient(address, language), configured)
            print(f"{address}: the relay said: {connection.send(address, mail)}", flush=True)
    if not configured.notifications.enabled:
        print("NOTE: notifications are switched off ([notifications] enabled = no): only this test was sent")
