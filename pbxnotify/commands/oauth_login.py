"""Logs in at the provider from a shell without a browser: by a code for another device, or by an address to paste."""

from __future__ import annotations

import time
from contextlib import suppress

from pbxnotify.commands import terminal
from pbxnotify.errors import GrantRefused, LoginError, LoginRefused, LoginUnavailable, SpoolError, UsageError
from pbxnotify.health.status import local_time
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store

if TYPE_CHECKING:
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer
    from pbxnotify.smtp.oauth.responses import Grant

FLOWS = ("device", "code")
PORT = 8899  # where the browser is sent on the machine it runs on: nothing needs to listen there (RFC 8252 section 7.3)
PATIENCE = 900.0  # seconds to sign in, find the telephone for the second factor, and allow it
BY_DEVICE = """\
Open  {page}  in a browser on any device, sign in as {login}, and enter this code:

    {code}

waiting until {until}; Ctrl-C gives up"""
BY_BROWSER = """\
Open this address in a browser on any machine, sign in as {login}, and allow it:

{address}

The browser is then sent to {back}, a page that it cannot open. Copy the whole address of that page,
and paste it here. Waiting until {until}; Ctrl-C gives up."""


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
    former = _keep(relay, kept)
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
    _end_former(server, relay, former, kept)


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


def _keep(relay: Smtp, kept: token_store.Tokens) -> token_store.Tokens:
    """Store what was issued just now; returns what it replaces. Raises LoginUnavailable, SpoolError: it is lost."""
    lost, former = "so this login is lost; log in again", token_store.Tokens()
    try:
        with token_store.alone():
            with suppress(LoginRefused):
                former = token_store.read(relay)
            token_store.write(relay, kept)
    except LoginUnavailable as error:
        raise LoginUnavailable(f"{error}, {lost}") from None
    except OSError as error:
        raise SpoolError(f"{token_store.path()} cannot be written: {error.strerror}, {lost}") from None
    return former


def _end_former(server: AuthorizationServer, relay: Smtp, former: token_store.Tokens, kept: token_store.Tokens) -> None:
    """Revoke the login that a new one replaces. Raises LoginRefused where that has ended both.

    Auth0, IdentityServer and others revoke all logins of the account with one. A renewal shows it while the
    administrator is still here; the mails would show it in an hour.
    """
    is_there = bool(former.refresh) and not former.refused and former.refresh != kept.refresh
    if not is_there or not relay.oauth2.revocation_url or relay.oauth2.defaults.revokes_all:
        return
    from pbxnotify.smtp.oauth import refresh

    try:
        server.revoke(former.refresh)
    except LoginError as error:
        terminal.note(f"the earlier login may not have ended at the provider: {error}")
        return
    if not kept.refresh:
        return
    with suppress(LoginUnavailable):  # which shows soon enough, then
        try:
            refresh.renew(relay)
        except GrantRefused:
            what = "the provider has ended the new login together with the earlier one: log in once more"
            raise LoginRefused(f"{what}, with  pbxnotify oauth login") from None
