"""``pbxnotify oauth``: log in at the provider from a shell without a browser, see how long it lasts, log out."""

from __future__ import annotations

import argparse
import os
import re
import socket
import time
from collections.abc import Iterable

from pbxnotify.commands import terminal, testmail
from pbxnotify.commands.redirect import PATIENCE, Redirect
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import GrantRefused, RelayMisconfigured, RelayUnavailable, SpoolError, UsageError
from pbxnotify.health.status import local_time
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.backoff import write_backoff
from pbxnotify.spool.store import open_spool
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer, Grant

FLOWS = ("device", "code")
SLOWER, SLOWEST = 5.0, 60.0
"""Seconds by which we ask less often when told to (RFC 8628 section 3.5); at most, where nothing answers."""
BY_HAND = "withdraw the permission in the account's settings"
BY_BROWSER = """\
Open this address in a browser, sign in as {login}, and allow it:

{address}

The browser then goes to {back}. If it is on another machine, either let ssh bring it here, with this in a
terminal on that machine:   {way}
or, when it cannot open that page, copy the whole address of the page, and paste it here.
Waiting until {until}; Ctrl-C gives up."""


def login(options: argparse.Namespace) -> int:
    """Get a token, and send a test mail with it."""
    spool = open_spool()
    settings = load_settings(ini_path())
    relay = settings.smtp
    _require_tokens(relay)
    with terminal.hangup_interrupts():
        log_in(relay, options.flow or "", options.port)
    options.interrupted = "the token is kept already"
    write_backoff(spool.directory, None)  # what waits for this leaves with the next run of the queue
    if not options.no_test:
        testmail.send(settings, settings.notifications.admin_email)
        settings_watch.note(settings)  # else the run of the queue would send a test mail too
        forget_others(relay)  # only now: a login that fails must not cost one that works
    waiting = len(spool.identifiers())
    if waiting:
        print(f"{waiting} wait: they leave with the next run of the queue, or now with  pbxnotify queue run")
    return os.EX_OK


def status(options: argparse.Namespace) -> int:
    """Print what we have; returns 0 if we can log in with it, as far as we know."""
    open_spool()
    relay = load_settings(ini_path()).smtp
    _require_tokens(relay)
    kept, trouble = token_store.read(relay), token_store.trouble(relay)
    until = local_time(kept.expires) if kept.expires else "the relay rejects it"
    renewed = f"by itself{f', until {local_time(kept.ends)}' if kept.ends else ''}"
    if kept.refused or not kept.refresh:
        renewed = "no more" if kept.refused else "not at all, there is no refresh token"
    for name, text in (
        ("provider", f"{relay.oauth2.provider}, application {relay.oauth2.client_id}"),
        ("login", relay.login),
        ("state", trouble or "well"),
        ("renewed", renewed),
        ("access token", f"valid until {until}" if kept.is_valid() else "ended" if kept.access else "none"),
        ("kept in", token_store.path()),
    ):
        print(f"{name:16} {text}")
    return os.EX_CONFIG if trouble else os.EX_OK


def logout(options: argparse.Namespace) -> int:
    """End the token at the provider, and forget it here with all others.

    Raises SettingsError, and RelayUnavailable where the provider cannot be told now; then it is kept for another try.
    """
    open_spool()
    relay = load_settings(ini_path()).smtp
    with token_store.alone():  # so that no other process renews what is ended here
        try:
            told = _revoke(relay)
        except RelayUnavailable as error:
            what = f"{error}; the token is kept: try again, or remove {token_store.path()}, and {BY_HAND}"
            raise RelayUnavailable(what, stage="AUTH") from None
        others = _others(relay)
        was_there = token_store.forget()
    print(f"logged out; {told}" if was_there else "there was no token")
    _say_forgotten(others)
    if was_there and relay.wants_token:
        print("mail waits from now on, until  pbxnotify oauth login  or another auth in the ini file")
    return os.EX_OK


def log_in(relay: Smtp, flow: str = "", port: int = 0) -> None:
    """Let somebody allow us to send mail, in a browser that may be on another machine, and keep the token.

    Raises RelayMisconfigured, RelayUnavailable, UsageError; OSError where it cannot be kept.
    """
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    if port and not flow and relay.oauth2.authorization_url:
        flow = "code"
    server = AuthorizationServer(relay)
    grant = _by_device(server, relay) if _flow(relay, flow) == "device" else _by_browser(server, relay, port)
    kept = token_store.Tokens().renewed(grant)
    _keep(relay, kept)
    print(f"{terminal.coloured('allowed', 'green')}: the token for {relay.login} is kept in {token_store.path()}")
    if not kept.refresh:
        until = local_time(kept.expires) if kept.expires else "it is rejected"
        terminal.note(f"the provider gave no refresh token: this one is good until {until}, then you must log in again")
    if kept.ends:
        terminal.note(f"the provider lets this login end at {local_time(kept.ends)}{_of_google(relay)}")
    if grant.lacks(relay.oauth2.scope):
        terminal.note(f"the provider allows only {server.shown(grant.scope)}, not {relay.oauth2.scope}")


def forget_others(relay: Smtp) -> None:
    """Forget all tokens but those for these settings, and say whose that were. Raises OSError, RelayError."""
    _say_forgotten(token_store.forget_others(relay))


def withdraw(relay: Smtp) -> None:
    """Give back what was given for settings that are not to be, and say so. Raises OSError, RelayError.

    The provider is not told while there are other logins: some end all that an account has allowed an application.
    """
    open_spool()
    with token_store.alone():
        try:
            told = BY_HAND if token_store.others(relay) else _revoke(relay)
        except RelayUnavailable as error:
            told = f"the provider was not told ({error}): {BY_HAND}"
        token_store.write(relay, token_store.Tokens())
    print(f"the token for {relay.login} is forgotten; {told}")


def send_test(settings: Settings) -> None:
    """Send a test mail; log in where there is no token, or the relay rejects the one there is. Raises as both do."""
    relay, admins = settings.smtp, settings.notifications.admin_email
    try:
        if not relay.wants_token or _has_token(relay):
            testmail.send(settings, admins)
            return
    except RelayMisconfigured as error:
        if not relay.wants_token or not (isinstance(error, GrantRefused) or error.code == 535):
            raise
        terminal.complain(error)
    log_in(relay)
    testmail.send(settings, admins)


def _keep(relay: Smtp, kept: token_store.Tokens) -> None:
    """Keep what was given just now. Raises OSError, RelayUnavailable, which say that it is lost."""
    lost = "so this login is lost: mend that, and log in again"
    try:
        with token_store.alone():
            token_store.write(relay, kept)
    except RelayUnavailable as error:
        raise RelayUnavailable(f"{error}, {lost}", stage="AUTH") from None
    except OSError as error:
        raise SpoolError(f"{token_store.path()} cannot be written: {error.strerror}, {lost}") from None


def _has_token(relay: Smtp) -> bool:
    open_spool()
    return token_store.read(relay) != token_store.Tokens()


def _require_tokens(relay: Smtp) -> None:
    if relay.auth != "oauth2":
        raise UsageError("[smtp] auth = password: no token is used; for OAuth 2 run  pbxnotify setup")
    if relay.password_command:
        raise UsageError("[smtp] password_command gives the token: there is none of ours")


def _flow(relay: Smtp, wanted: str) -> str:
    """Return the flow to take: a code for another device where the provider has that, as it needs nothing else."""
    addresses = {"device": relay.oauth2.device_url, "code": relay.oauth2.authorization_url}
    if wanted and not addresses[wanted]:
        raise UsageError(f"--flow {wanted}: {relay.oauth2.provider} has no address for that; leave it out")
    return wanted or next(flow for flow in FLOWS if addresses[flow])


def _by_device(server: AuthorizationServer, relay: Smtp) -> Grant:
    """Show a code to be entered anywhere, and ask until that is done (RFC 8628 section 3.5)."""
    code = server.ask_for_code()
    print(f"Open  {code.page}  in a browser on any device, sign in as {relay.login}, and enter this code:\n")
    print(f"    {terminal.coloured(code.shown, 'green')}\n")
    print(f"waiting until {local_time(time.time() + code.lifetime)}; Ctrl-C gives up", flush=True)
    until, interval = time.monotonic() + code.lifetime, code.interval
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(interval, left))
        try:
            return server.redeem(code)
        except GrantRefused as error:
            if error.error == "slow_down":
                interval += SLOWER
            elif error.error != "authorization_pending":
                raise
        except RelayUnavailable as error:
            interval = max(interval, min(2 * interval, SLOWEST))
            print(f"{error}; asking again in {interval:.0f} s", flush=True)
    raise RelayUnavailable("nobody has entered the code in time: log in again", stage="AUTH")


def _by_browser(server: AuthorizationServer, relay: Smtp, port: int) -> Grant:
    """Let a browser come back to loopback, by way of ssh if need be, or its address be pasted."""
    server.require_reachable()
    with Redirect(relay.oauth2.defaults.redirect_host, port) as redirect:
        question, way = server.question(redirect.address), _forwarding(redirect.port)
        words = BY_BROWSER.format(
            login=relay.login,
            address=question.address,
            back=redirect.address,
            way=way,
            until=local_time(time.time() + PATIENCE),
        )
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
    return clean(f"ssh {other}-L {port}:127.0.0.1:{port} {user}@{host}", None)


def _revoke(relay: Smtp) -> str:
    """End the token at the provider; returns how that went, for a sentence. Raises RelayUnavailable, SettingsError."""
    try:
        kept = token_store.read(relay)
    except GrantRefused:
        return f"what there was cannot be used, and the provider was not told: {BY_HAND}"
    if kept == token_store.Tokens():
        return f"it was not for these settings, and the provider was not told: {BY_HAND}"
    if not relay.oauth2.revocation_url:
        return f"{relay.oauth2.provider} cannot be told: {BY_HAND}"
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    try:
        AuthorizationServer(relay).revoke(kept.refresh or kept.access)
    except GrantRefused as error:
        return f"the provider does not end the token ({error}): {BY_HAND}"
    return "the provider has ended the token"


def _others(relay: Smtp) -> list[str]:
    """Return whose tokens there are beside those for these settings; nothing of a file that cannot be read."""
    try:
        return token_store.others(relay)
    except GrantRefused:
        return []


def _say_forgotten(whose: Iterable[str]) -> None:
    for account in whose:
        terminal.note(f"forgotten too: the login as {account}; {BY_HAND}")


def _of_google(relay: Smtp) -> str:
    if relay.oauth2.provider != "google":
        return ""
    return ": publish the application (Audience, Publish app), one that is being tested lasts seven days only"


def add_login_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify oauth login``."""
    text = "device: a code to enter anywhere; code: the browser comes back here (default: device where there is that)"
    parser.add_argument("--flow", choices=FLOWS, metavar="|".join(FLOWS), help=text)
    parser.add_argument("--port", type=_port, default=0, help="where the browser comes back to (default: any)")
    parser.add_argument("--no-test", action="store_true", help="send no test mail")


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)
