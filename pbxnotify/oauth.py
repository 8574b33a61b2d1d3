"""``pbxnotify oauth``: log in at the provider from a shell without a browser, see how long it lasts, log out."""

from __future__ import annotations

import argparse
import os
import socket
import time

from pbxnotify import changes, rest, settings, terminal, tokens, trial
from pbxnotify.conversation import printable
from pbxnotify.errors import GrantRefused, PbxnotifyError, RelayMisconfigured, RelayUnavailable, UsageError
from pbxnotify.frozen import TYPE_CHECKING
from pbxnotify.redirect import Redirect
from pbxnotify.relay import Smtp
from pbxnotify.settings import Settings
from pbxnotify.spool import open_spool
from pbxnotify.status import moment

if TYPE_CHECKING:
    from pbxnotify.authorization import Grant, Server

FLOWS = ("device", "code")
SLOWER = 5.0
"""Seconds by which we ask less often when told to (RFC 8628 section 3.5)."""
BY_BROWSER = """\
Open this address in a browser, sign in as {login}, and allow it:

{address}

The browser then goes to {back}. If it is on another machine, either let ssh bring it here, with this in a
terminal on that machine:   {way}
or, when it cannot open that page, copy the whole address of the page, and paste it here (Ctrl-C gives up)."""


def login(options: argparse.Namespace) -> int:
    """Get a token, and send a test mail with it."""
    configured = settings.load(settings.location())
    relay = configured.smtp
    _require_tokens(relay)
    spool = open_spool()  # from here on as Asterisk's user, who will need the token
    log_in(relay, options.flow or "", options.port)
    options.interrupted = "the token is kept already"
    rest.note(spool.directory, None)  # what waits for this leaves with the next run of the queue
    if not options.no_test:
        trial.send(configured, configured.notifications.admin_email)
        changes.note(configured)  # else the run of the queue would send a test mail too
        tokens.forget_others(relay)  # only now: a login that fails must not cost one that works
    waiting = len(spool.identifiers())
    if waiting:
        print(f"{waiting} wait: they leave within a minute, or now with  pbxnotify queue run")
    return os.EX_OK


def status(options: argparse.Namespace) -> int:
    """Print what we have; returns 0 if we can log in with it, as far as we know."""
    relay = settings.load(settings.location()).smtp
    _require_tokens(relay)
    open_spool()
    kept = tokens.read(relay)
    until = moment(kept.expires) if kept.expires else "the relay rejects it"
    renewal = f"possible until {moment(kept.ends)}" if kept.ends else "possible"
    for name, text in (
        ("provider", f"{relay.oauth2.provider}, application {relay.oauth2.client_id}"),
        ("login", relay.login),
        ("access token", f"valid until {until}" if kept.is_valid() else "ended" if kept.access else "none"),
        ("renewal", kept.refused or (renewal if kept.refresh else "not possible, there is no refresh token")),
        ("kept in", tokens.path()),
    ):
        print(f"{name:16} {text}")
    trouble = tokens.trouble(relay)
    if trouble:
        raise GrantRefused(trouble)
    return os.EX_OK


def logout(options: argparse.Namespace) -> int:
    """End the token at the provider, and forget it here, whatever the provider says and the settings are by now."""
    relay = settings.load(settings.location()).smtp
    open_spool()
    with tokens.alone():  # so that no other process renews what is ended here
        told = _revoke(relay)
        was_there = tokens.forget()
    print(f"logged out; {told}" if was_there else "there was no token")
    return os.EX_OK


def log_in(relay: Smtp, flow: str = "", port: int = 0) -> None:
    """Let somebody allow us to send mail, in a browser that may be on another machine, and keep the token.

    Raises RelayMisconfigured, RelayUnavailable, UsageError; OSError where it cannot be kept.
    """
    from pbxnotify import authorization

    server = authorization.Server(relay)
    grant = _by_device(server, relay) if _flow(relay, flow) == "device" else _by_browser(server, relay, port)
    kept = tokens.Tokens().renewed(*grant)
    with tokens.alone():
        tokens.write(relay, kept)
    print(f"{terminal.coloured('logged in', 'green')}: {relay.login}, the token is kept in {tokens.path()}")
    if not kept.refresh:
        until = moment(kept.expires) if kept.expires else "it is rejected"
        terminal.note(f"the provider gave no refresh token: this one is good until {until}, then you must log in again")
    if kept.ends:
        terminal.note(f"the provider lets this login end at {moment(kept.ends)}{_of_google(relay)}")


def send_test(configured: Settings) -> None:
    """Send a test mail; log in where there is no token, or the relay rejects the one there is. Raises as both do."""
    relay, admins = configured.smtp, configured.notifications.admin_email
    try:
        if not relay.wants_token or _has_token(relay):
            trial.send(configured, admins)
            return
    except RelayMisconfigured as error:
        if not relay.wants_token or not (isinstance(error, GrantRefused) or error.code == 535):
            raise
        terminal.complain(error)
    log_in(relay)
    trial.send(configured, admins)


def _has_token(relay: Smtp) -> bool:
    open_spool()
    return tokens.read(relay) != tokens.Tokens()


def _require_tokens(relay: Smtp) -> None:
    if relay.auth != "oauth2":
        raise UsageError("[smtp] auth = password: there is no token; for OAuth 2 run  pbxnotify setup")
    if relay.password_command:
        raise UsageError("[smtp] password_command gives the token: there is none of ours")


def _flow(relay: Smtp, wanted: str) -> str:
    """Return the flow to take: a code for another device where the provider has that, as it needs nothing else."""
    addresses = {"device": relay.oauth2.device_url, "code": relay.oauth2.authorization_url}
    if wanted and not addresses[wanted]:
        raise UsageError(f"--flow {wanted}: {relay.oauth2.provider} has no address for that; leave it out")
    return wanted or next(flow for flow in FLOWS if addresses[flow])


def _by_device(server: Server, relay: Smtp) -> Grant:
    """Show a code to be entered anywhere, and ask until that is done (RFC 8628 section 3.5)."""
    from pbxnotify.authorization import LONGEST_INTERVAL

    code = server.ask_for_code()
    print(f"Open  {code.page}  in a browser on any device, sign in as {relay.login}, and enter this code:\n")
    print(f"    {terminal.coloured(code.shown, 'green')}\n")
    print(f"waiting until {moment(time.time() + code.lifetime)}; Ctrl-C gives up", flush=True)
    until, interval = time.monotonic() + code.lifetime, code.interval
    while time.monotonic() < until:
        time.sleep(interval)
        try:
            return server.redeem(code)
        except GrantRefused as error:
            if error.error == "slow_down":
                interval += SLOWER
            elif error.error != "authorization_pending":
                raise
        except RelayUnavailable as error:
            interval = max(interval, min(2 * interval, LONGEST_INTERVAL))
            print(f"{error}; asking again in {interval:.0f} s", flush=True)
    raise GrantRefused("nobody has entered the code in time: log in again", error="expired_token")


def _by_browser(server: Server, relay: Smtp, port: int) -> Grant:
    """Let a browser come back to loopback, by way of ssh if need be, or its address be pasted."""
    with Redirect(relay.oauth2.known.redirect_host, port) as redirect:
        question, way = server.question(redirect.address), _forwarding(redirect.port)
        words = BY_BROWSER.format(login=relay.login, address=question.address, back=redirect.address, way=way)
        print(words, flush=True)
        while True:
            address = redirect.next_address()
            try:
                return server.answer(question, address)
            except UsageError as error:
                terminal.complain(error)


def _forwarding(port: int) -> str:
    """Return the command that forwards a port of the admin's own machine to this one."""
    words = os.environ.get("SSH_CONNECTION", "").split()
    host, ssh_port = words[2:4] if len(words) == 4 else (socket.gethostname(), "22")
    user = os.environ.get("SUDO_USER") or os.environ.get("USER") or "root"
    other = "" if ssh_port == "22" else f"-p {ssh_port} "
    return printable(f"ssh {other}-L {port}:127.0.0.1:{port} {user}@{host}")


def _revoke(relay: Smtp) -> str:
    """End the token at the provider; returns how that went, for a sentence."""
    by_hand = "withdraw the permission in the account's settings too"
    try:
        kept = tokens.read(relay)
    except GrantRefused:
        return f"what there was is damaged, and the provider was not told: {by_hand}"
    if kept == tokens.Tokens():
        return f"it was not for these settings, and the provider was not told: {by_hand}"
    if not relay.oauth2.revocation_url:
        return f"{relay.oauth2.provider} cannot be told: {by_hand}"
    try:
        from pbxnotify import authorization

        authorization.Server(relay).revoke(kept.refresh or kept.access)
    except PbxnotifyError as error:
        return f"the provider was not told ({error}): {by_hand}"
    return "the provider has ended the token"


def _of_google(relay: Smtp) -> str:
    if relay.oauth2.provider != "google":
        return ""
    return ": publish the application (Audience, Publish app), one that is being tested lasts seven days only"
