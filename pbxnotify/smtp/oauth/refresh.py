"""Renews the token: a valid one is taken as it is, a new one is requested by one process at a time."""

from __future__ import annotations

import syslog
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.errors import GrantRefused, LoginError, LoginRefused, LoginUnavailable
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.smtp.oauth.token_store import LOG_IN, Access, Tokens


def access(relay: Smtp, rejected: str = "") -> Access:
    """Return a token other than the one that the relay has rejected.

    Raises LoginUnavailable when none can be had now, LoginRefused when the admin must log in.
    """
    began, ours = time.time(), token_store.at_hand(relay, rejected)
    if ours is None:
        with token_store.alone():  # another process may have renewed it meanwhile
            ours = token_store.at_hand(relay, rejected) or _renew(relay, token_store.read(relay), began, rejected)
    return ours


def renew(relay: Smtp) -> None:
    """Renew the token now, whatever it is good for. Raises LoginUnavailable, LoginRefused."""
    with token_store.alone():
        _renew(relay, token_store.read(relay), time.time())


def _renew(relay: Smtp, kept: Tokens, began: float, rejected: str = "") -> Access:
    """Request a new token, and store it; else record why not, and remove the one that the relay has rejected."""
    _require_refresh(relay, kept, rejected)
    if kept.refused and began <= (kept.refused_at or 0.0) <= time.time():  # while we waited: it would be again
        raise LoginRefused(kept.refused)
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    server = AuthorizationServer(relay)
    spent = kept._replace(access="") if kept.access == rejected else kept
    try:
        fresh = spent.renewed(server.refresh(kept.refresh))
        if fresh.access == rejected:
            spent = fresh._replace(access="")
            raise GrantRefused(f"{relay.login}: the relay rejects the token, and a new one is the same: {LOG_IN}")
    except LoginUnavailable:
        _keep(relay, spent)
        raise
    except GrantRefused as error:
        _keep(relay, spent._replace(refused=str(error), refused_at=time.time()))
        raise
    _keep(relay, fresh)
    return Access(fresh.access, is_new=True, was_rejected=bool(fresh.rejected))


def _require_refresh(relay: Smtp, kept: Tokens, rejected: str) -> None:
    """Raise LoginRefused without a refresh token; an access token that is rejected now may be accepted later."""
    if kept.refresh:
        return
    why = "the last token has expired, and cannot be renewed" if kept.obtained else "there is no token yet"
    if rejected:
        why = "the relay rejects the token, and it cannot be renewed"
        _keep(relay, kept._replace(rejected=f"{relay.login}: {why}: {LOG_IN}"))
    raise LoginRefused(f"{relay.login}: {why}: {LOG_IN}")


def note_answer(relay: Smtp, token: str, rejected: str) -> None:
    """Record why the relay has rejected a token, "" that it accepts it; what cannot be recorded shows next time."""
    with suppress(LoginError, OSError), token_store.alone(patience=0.0):
        kept = token_store.read(relay)
        if kept.access == token:
            token_store.write(relay, kept._replace(rejected=rejected))


def keep_login(relay: Smtp) -> None:
    """Renew, once a day, a login not renewed for so long that the provider may end it; a failure is logged."""
    with suppress(LoginUnavailable), token_store.alone(patience=0.0):  # another process that has the lock renews it
        try:
            kept = token_store.read(relay)
            if kept.is_stale():
                kept = kept._replace(tended=time.time())
                token_store.write(relay, kept)  # else it would be tried again each minute
                _renew(relay, kept, time.time())
        except (LoginError, OSError) as error:
            log.write(syslog.LOG_ERR, f"the login of {relay.login} cannot be renewed: {error}")


def _keep(relay: Smtp, kept: Tokens) -> None:
    """Store tokens; a full disk must not keep the mail from leaving, which may be about that disk."""
    try:
        token_store.write(relay, kept)
    except OSError as error:
        why = f"cannot be stored in {token_store.path()}: {error.strerror}"
        log.write(syslog.LOG_ERR, f"the token of {relay.login} {why}")
