"""``pbxnotify oauth``: log in at the provider from a shell without a browser, show how long that lasts, log out."""

from __future__ import annotations

import argparse
import os
import time

from pbxnotify.commands import terminal, testmail
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import GrantRefused, LoginRefused, LoginUnavailable, RelayMisconfigured, SpoolError, UsageError
from pbxnotify.health.status import local_time
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings import validators
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.backoff import write_backoff
from pbxnotify.spool.store import open_spool

if TYPE_CHECKING:
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer
    from pbxnotify.smtp.oauth.responses import Grant

FLOWS = ("device", "code")
PORT = 8899  # where the browser is sent on the machine it runs on: nothing needs to listen there (RFC 8252 section 7.3)
PATIENCE = 900.0  # seconds to sign in, find the telephone for the second factor, and allow it
WITHDRAW = "withdraw the permission in the account's settings"
BY_DEVICE = """\
Open  {page}  in a browser on any device, sign in as {login}, and enter this code:

    {code}

waiting until {until}; Ctrl-C gives up"""
BY_BROWSER = """\
Open this address in a browser on any machine, sign in as {login}, and allow it:

{address}

The browser is then sent to {back}, a page that it cannot open. Copy the whole address of that page,
and paste it here. Waiting until {until}; Ctrl-C gives up."""


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
    renewed = f"automatically{f', until {local_time(kept.ends)}' if kept.ends else ''}"
    if kept.refused or not kept.refresh:
        renewed = "no longer" if kept.refused else "not at all, there is no refresh token"
    for name, text in (
        ("provider", f"{relay.oauth2.provider}, application {relay.oauth2.client_id}"),
        ("login", relay.login),
        ("state", trouble or "ok"),
        ("renewed", renewed),
        ("access token", f"valid until {until}" if kept.is_valid() else "expired" if kept.access else "none"),
        ("stored in", token_store.path()),
    ):
        terminal.row(name, text)
    return os.EX_CONFIG if trouble else os.EX_OK


def logout(options: argparse.Namespace) -> int:
    """Revoke the token at the provider, and remove it here with all others.

    Raises SettingsError, and LoginUnavailable where the provider cannot be reached; then it stays for another try.
    """
    open_spool()
    relay = load_settings(ini_path()).smtp
    with token_store.alone():  # so that no other process renews what is revoked here
        try:
            outcome = _revoke(relay)
        except LoginUnavailable as error:
            what = f"{error}; the token is still stored: try again, or remove {token_store.path()} and {WITHDRAW}"
            raise LoginUnavailable(what) from None
        was_there = token_store.forget()
    print(f"logged out; {outcome}" if was_there else "there was no token")
    if was_there and relay.wants_token:
        print("mail waits from now on, until  pbxnotify oauth login  or another auth in the ini file")
    return os.EX_OK


def log_in(relay: Smtp, flow: str = "", port: int | None = None) -> None:
    """Let somebody allow us to send mail, in a browser that may be on another machine, and store the token.

    Raises LoginUnavailable, LoginRefused, UsageError; SpoolError where the token cannot be stored.
    """
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    if port and not flow and relay.oauth2.authorization_url:
        flow = "code"
    server = AuthorizationServer(relay)
    grant = _by_device(server, relay) if _flow(relay, flow) == "device" else _by_browser(server, relay, port or PORT)
    kept = token_store.Tokens().renewed(grant)
    _keep(relay, kept)
    print(f"{terminal.coloured('allowed', 'green')}: the token for {relay.login} is stored in {token_store.path()}")
    if not kept.refresh:
        until = local_time(kept.expires) if kept.expires else "it is rejected"
        terminal.note(f"the provider gave no refresh token: this one is good until {until}, then log in again")
    if kept.ends:
        publish = ": publish the application (Audience, Publish app); while it is Testing, a login lasts seven days"
        google = publish if relay.oauth2.provider == "google" else ""
        terminal.note(f"the provider ends this login at {local_time(kept.ends)}{google}")
    if grant.lacks(relay.oauth2.scope):
        terminal.note(f"the provider allows only {server.responses.shown(grant.scope)}, not {relay.oauth2.scope}")


def withdraw(relay: Smtp) -> None:
    """Give back what was issued for settings that are not written, and say so. Raises OSError, LoginError.

    Nothing is revoked while there are other logins: some providers end all that an account has allowed an application.
    """
    open_spool()
    with token_store.alone():
        try:
            outcome = WITHDRAW if token_store.others(relay) else _revoke(relay)
        except LoginUnavailable as error:
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


def _flow(relay: Smtp, wanted: str) -> str:
    """Return the flow to use: the device flow if the provider has one, as it needs nothing else."""
    addresses = {"device": relay.oauth2.device_url, "code": relay.oauth2.authorization_url}
    if wanted and not addresses[wanted]:
        raise UsageError(f"--flow {wanted}: {relay.oauth2.provider} does not support it; leave it out")
    return wanted or next(flow for flow in FLOWS if addresses[flow])


def _by_device(server: AuthorizationServer, relay: Smtp) -> Grant:
    code = server.ask_for_code()
    shown, until = terminal.coloured(code.shown, "green"), local_time(time.time() + code.lifetime)
    print(BY_DEVICE.format(page=code.page, login=relay.login, code=shown, until=until), flush=True)
    return server.wait_for_entry(code, lambda what: print(what, flush=True))


def _by_browser(server: AuthorizationServer, relay: Smtp, port: int) -> Grant:
    """Show an address to open in a browser anywhere, and take the one that it is sent back to (RFC 8252)."""
    server.require_reachable()
    question = server.question(f"http://{relay.oauth2.defaults.redirect_host}:{port}")
    until, deadline = local_time(time.time() + PATIENCE), time.monotonic() + PATIENCE
    address, back = question.address, question.redirect
    print(BY_BROWSER.format(login=relay.login, until=until, address=address, back=back), flush=True)
    while True:
        try:
            return server.answer(question, terminal.pasted_address(deadline - time.monotonic()))
        except UsageError as error:
            terminal.complain(error)


def _keep(relay: Smtp, kept: token_store.Tokens) -> None:
    """Store what was issued just now. Raises LoginUnavailable, SpoolError, which say that it is lost."""
    lost = "so this login is lost; log in again"
    try:
        with token_store.alone():
            token_store.write(relay, kept)
    except LoginUnavailable as error:
        raise LoginUnavailable(f"{error}, {lost}") from None
    except OSError as error:
        raise SpoolError(f"{token_store.path()} cannot be written: {error.strerror}, {lost}") from None


def _revoke(relay: Smtp) -> str:
    """Revoke the token at the provider; returns the outcome, for a sentence. Raises LoginUnavailable, SettingsError."""
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
        return f"the provider does not revoke the token ({error}): {WITHDRAW}"
    return "the provider has revoked the token"


def add_login_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify oauth login``."""
    text = "device: a code to enter anywhere; code: an address to paste here (default: device if the provider has it)"
    parser.add_argument("--flow", choices=FLOWS, metavar="|".join(FLOWS), help=text)
    text = f"the port in the address that the browser is sent to (default: {PORT}); nothing listens there"
    parser.add_argument("--port", type=validators.port, help=text)
    parser.add_argument("--no-test", action="store_true", help="send no test mail")
