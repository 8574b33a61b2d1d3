"""A test mail, sent at once and past the queue: the admin wants to see what the relay says now."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from pbxnotify.commands import terminal
from pbxnotify.delivery.settings_watch import test_event
from pbxnotify.errors import PbxnotifyError, SpoolError, UsageError
from pbxnotify.mail.compose import compose
from pbxnotify.mail.context import Recipient
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.client import Relay
from pbxnotify.spool import state
from pbxnotify.spool.backoff import write_backoff
from pbxnotify.spool.store import open_spool

SECURITY = {"none": "not encrypted", "starttls": "STARTTLS", "tls": "implicit TLS"}


def test(options: argparse.Namespace) -> int:
    """Send a test mail at once, and show the relay's answer."""
    settings = load_settings(ini_path())
    addresses = [options.address] if options.address else list(settings.notifications.admin_email)
    if not addresses:
        raise UsageError("admin_email is empty; give an address, as in  pbxnotify test you@example.com")
    send(settings, addresses, print if options.verbose else None)
    return os.EX_OK


def way_to(relay: Smtp) -> str:
    """Return host, port, encryption and login of the relay, for the admin."""
    encryption = SECURITY[relay.security]
    if relay.security != "none" and not relay.verify_certificate:
        encryption += ", the certificate is not verified"
    token = f" with a token of {relay.oauth2.provider}" if relay.wants_token else ""
    return f"{relay.host}:{relay.port}, {encryption}, login {relay.login or 'none'}{token}"


def send(settings: Settings, addresses: Sequence[str], transcript: Callable[[str], None] | None = None) -> None:
    """Send a test mail to each address, or only log in if there is none, and print the relay's own words.

    Called as Asterisk's user: the outcome must hold for that user. Raises RelayError, LoginError, SettingsError.
    """
    spool = None
    with suppress(SpoolError):
        spool = open_spool()
    relay, code = settings.smtp, settings.notifications.language
    print(f"connecting to {relay.host}:{relay.port} ({SECURITY[relay.security]})", flush=True)
    with terminal.waiting(f"{relay.host}:{relay.port}"), Relay(relay, transcript) as connection:
        for address in addresses:
            identifier = f"test-{time.time_ns():x}"
            mail = compose(test_event(code), identifier, Recipient(address, code), settings)
            print(f"{address}: the relay said: {connection.send(address, mail)}", flush=True)
    if not addresses:
        print("login accepted; no test mail was sent, as admin_email is empty")
    if spool and addresses:
        write_backoff(spool.directory, None)  # it takes mail again: ends the relay backoff
        state.write(spool.directory, state.SENT, f"test -> {', '.join(addresses)}")
    if not settings.notifications.enabled:
        print("NOTE: notifications are switched off ([notifications] enabled = no): only this test mail was sent")


def status_of(send: Callable[[], None]) -> int:
    """Return the exit status of a test mail, 0 if the relay accepted it; its words, or the error, are printed."""
    try:
        send()
    except PbxnotifyError as error:
        terminal.complain(error)
        return error.exit_status
    except OSError as error:
        terminal.complain(OSError(f"{error.filename}: {error.strerror}"))
        return os.EX_IOERR
    return os.EX_OK


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("address", nargs="?", metavar="ADDRESS")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the conversation with the relay")
