"""A token to log in with: the one that is kept, else a new one, which one process at a time asks for."""

from __future__ import annotations

import syslog
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.errors import GrantRefused, RelayError, RelayUnavailable
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.smtp.oauth import token_store
from pbxnotify.smtp.oauth.token_store import LOG_IN, Access, Tokens

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp


def access(relay: Smtp, rejected: str = "") -> Access:
    """Return a token, another than the one that the relay has rejected.

    Raises RelayUnavailable when none can be had now, GrantRefused when the admin must log in.
    """
    began, ours = time.time(), token_store.at_hand(relay, rejected)
    if ours is None:
        with token_store.alone():  # somebody else may have renewed it meanwhile
            ours = token_store.at_hand(relay, rejected) or _renew(relay, token_store.read(relay), began, rejected)
    return ours


def _renew(relay: Smtp, kept: Tokens, began: float, rejected: str = "") -> Access:
    """Have a new token issued, and keep it; else note why not, and forget the one that the relay has rejected."""
    _require_refresh(relay, kept, rejected)
    if kept.refused and began <= kept.refused_at <= time.time():  # while we waited: it would be refused again
        raise GrantRefused(kept.refused)
    from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer

    server = AuthorizationServer(relay)
    spent = kept._replace(access="") if kept.access == rejected else kept
    try:
        fresh = spent.renewed(server.refresh(kept.refresh))
        if fresh.access == rejected:
            spent = fresh._replace(access="")
            raise GrantRefused(f"{relay.login}: the relay rejects the token, and a new one is the same: {LOG_IN}")
    except RelayUnavailable:
        _keep(relay, spent)
        raise
    except GrantRefused as error:
        _keep(relay, spent._replace(refused=str(error), refused_at=time.time()))
        raise
    _keep(relay, fresh)
    return Access(fresh.access, is_new=True, was_rejected=bool(fresh.rejected))


def _require_refresh(relay: Smtp, kept: Tokens, rejected: str) -> None:
    """Raise GrantRefused if there is nothing to renew a token with; one that is rejected may be taken another time."""
    if kept.refresh:
        return
    why = "the last token has ended, and there is none to renew it with" if kept.obtained else "there is no token yet"
    if rejected:
        why = "the relay rejects the token, and there is none to renew it with"
        _keep(relay, kept._replace(rejected=f"{relay.login}: {why}: {LOG_IN}"))
    raise GrantRefused(f"{relay.login}: {why}: {LOG_IN}")


def note_answer(relay: Smtp, token: str, rejected: str) -> None:
    """Note why the relay has rejected a token, or with "" that it takes it; what cannot be noted is known next time."""
    with suppress(RelayError, OSError), token_store.alone(patience=0.0):
        kept = token_store.read(relay)
        if kept.access == token:
            token_store.write(relay, kept._replace(rejected=rejected))


def keep_login(relay: Smtp) -> None:
    """Renew a login that was not renewed for so long that the provider may end it, once a day; what fails is logged."""
    with suppress(RelayUnavailable), token_store.alone(patience=0.0):  # who else has the lock renews it
        try:
            kept = token_store.read(relay)
            if kept.is_stale():
                kept = kept._replace(tended=time.time())
                token_store.write(relay, kept)  # else it would be tried again each minute
                _renew(relay, kept, time.time())
        except (RelayError, OSError) as error:
            log.write(syslog.LOG_ERR, f"the login of {relay.login} cannot be renewed: {error}")


def _keep(relay: Smtp, kept: Tokens) -> None:
    """Keep them; a disk that takes none must not keep the mail from leaving, which may be about that disk."""
    try:
        token_store.write(relay, kept)
    except OSError as error:
        log.write(
            syslog.LOG_ERR, f"the token of {relay.login} cannot be kept in {token_store.path()}: {error.strerror}"
        )
