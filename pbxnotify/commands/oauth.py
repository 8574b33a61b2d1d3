"""``pbxnotify oauth``: log in at the provider and send a test mail, show how long that lasts, log out."""

from __future__ import annotations

import argparse
import os
import time

from pbxnotify.commands import terminal, testmail
from pbxnotify.commands.oauth_login import FLOWS, PORT, log_in
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import GrantRefused, LoginRefused, LoginUnavailable, RelayMisconfigured, UsageError
from pbxnotify.health.status import local_time
from pbxnotify.settings import validators
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.backoff import write_backoff
from pbxnotify.spool.store import open_spool

WITHDRAW = "withdraw the permission in the account's settings"
ENDED = ("invalid_token", "invalid_grant", "unsupported_token_type", "deleted_client")
"""Errors of a revocation that no change of the ini file can mend (RFC 7009 section 2.2.1, Google)."""


def login(options: argparse.Namespace) -> int:
    """Get a token, and send a test mail with it."""
    spool = open_spool()
    settings = load_settings(ini_path())
    relay = settings.smtp
    _require_tokens(relay)
    with terminal.hangup_interrupts():
        log_in(relay, options.flow or "", options.port)
    options.interrupted = "the token is stored already"
    write_backoff(spool.directory, None)  # mail that waits for this leaves with the next queue run
    if not options.no_test:
        testmail.send(settings, settings.notifications.admin_email)
        settings_watch.note(settings)  # else the queue run would send a test mail too
        token_store.forget_others(relay)  # only now: a login that fails must not cost one that works
    waiting = len(spool.identifiers())
    if waiting:
        print(f"{waiting} waiting: they leave with the next queue run, or now with  pbxnotify queue run")
    return os.EX_OK


def status(options: argparse.Namespace) -> int:
    """Print what token there is; returns 0 if we can log in with it, as far as we know."""
    open_spool()
    relay = load_settings(ini_path()).smtp
    _require_tokens(relay)
    kept, trouble = token_store.read(relay), token_store.trouble(relay)
    until = local_time(kept.expires) if kept.expires else "the relay rejects it"
    for name, text in (
        ("provider", f"{relay.oauth2.provider}, application {relay.oauth2.client_id}"),
        ("login", relay.login),
        ("state", trouble or "ok"),
        ("renewed", _renewal(kept)),
        ("access token", f"valid until {until}" if kept.is_valid() else "expired" if kept.access else "none"),
        ("stored in", token_store.path()),
    ):
        terminal.row(name, text)
    return os.EX_CONFIG if trouble else os.EX_OK


def _renewal(kept: token_store.Tokens) -> str:
    """Return how the access token is renewed, for a row."""
    if not kept.refresh:
        return "not at all, there is no refresh token"
    if kept.refused:
        when = f" at {local_time(kept.refused_at)}" if kept.refused_at else ""
        return f"refused{when}; requested again when a mail needs it"
    if kept.ends and kept.ends < time.time():
        return f"no longer: the provider ended the login at {local_time(kept.ends)}"
    return f"automatically{f', until {local_time(kept.ends)}' if kept.ends else ''}"


def logout(options: argparse.Namespace) -> int:
    """Revoke the token at the provider, and remove it here with all others.

    Raises SettingsError, LoginUnavailable where the provider cannot be reached, GrantRefused where another ini file
    may revoke it; then it stays for another try.
    """
    open_spool()
    relay = load_settings(ini_path()).smtp
    with token_store.alone():  # so that no other process renews what is revoked here
        try:
            outcome = _revoke(relay)
        except (LoginUnavailable, GrantRefused) as error:
            first = "correct that and " if isinstance(error, GrantRefused) else ""
            otherwise = f"or remove {token_store.path()} and {WITHDRAW}"
            raise type(error)(f"{error}; the token is still stored: {first}try again, {otherwise}") from None
        was_there = token_store.forget()
    print(f"logged out; {outcome}" if was_there else "there was no token")
    if was_there and relay.wants_token:
        print("mail waits from now on, until  pbxnotify oauth login  or another auth in the ini file")
    return os.EX_OK


def withdraw(relay: Smtp) -> None:
    """Give back what was issued for settings that are not written, and say so. Raises OSError, LoginError.

    Nothing is revoked while there are other logins: some providers end all that an account has allowed an application.
    """
    open_spool()
    with token_store.alone():
        try:
            outcome = WITHDRAW if token_store.others(relay) else _revoke(relay)
        except (LoginUnavailable, GrantRefused) as error:
            outcome = f"the provider has not revoked it ({error}): {WITHDRAW}"
        token_store.write(relay, token_store.Tokens())
    print(f"the token for {relay.login} is removed; {outcome}")


def send_test(settings: Settings) -> None:
    """Send a test mail; log in if there is no token, or the relay rejects it. Raises as both do."""
    relay, admins = settings.smtp, settings.notifications.admin_email
    try:
        if relay.wants_token:
            open_spool()
        if not relay.wants_token or token_store.read(relay) != token_store.Tokens():
            testmail.send(settings, admins)
            return
    except (LoginRefused, RelayMisconfigured) as error:
        if not relay.wants_token or (isinstance(error, RelayMisconfigured) and error.code != 535):
            raise
        terminal.complain(error)
    log_in(relay)
    testmail.send(settings, admins)


def _require_tokens(relay: Smtp) -> None:
    if relay.auth != "oauth2":
        raise UsageError("[smtp] auth = password: no token is used; for OAuth 2 run  pbxnotify setup")
    if relay.password_command:
        raise UsageError("[smtp] password_command provides the token: pbxnotify has none of its own")


def _revoke(relay: Smtp) -> str:
    """Revoke the token at the provider; returns the outcome, for a sentence.

    Raises LoginUnavailable, SettingsError, GrantRefused.
    """
    try:
        kept = token_store.read(relay)
    except LoginRefused:
        return f"what was stored cannot be used, and is not revoked: {WITHDRAW}"
    if kept == token_store.Tokens():
        return f"the token was not for these settings, and is not revoked: {WITHDRAW}"
    if not relay.oauth2.revocation_url:
        return f"{relay.oauth2.provider} has no way to revoke it: {WITHDRAW}"
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    try:
        AuthorizationServer(relay).revoke(kept.refresh or kept.access)
    except GrantRefused as error:
        if error.error not in ENDED:
            raise
        return f"the provider does not revoke the token ({error}): {WITHDRAW}"
    return "the provider has revoked the token"


def add_login_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify oauth login``."""
    text = "device: a code to enter anywhere; code: an address to paste here (default: device if the provider has it)"
    parser.add_argument("--flow", choices=FLOWS, metavar="|".join(FLOWS), help=text)
    text = f"the port in the address that the browser is sent to (default: {PORT}); nothing listens there"
    parser.add_argument("--port", type=validators.port, help=text)
    parser.add_argument("--no-test", action="store_true", help="send no test mail")
