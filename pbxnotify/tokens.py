"""The tokens that let us in without a password: kept in a file, and renewed by one process at a time.

The file lies in the spool, for that belongs to Asterisk's user and is closed to all others. A call with a valid token
reads it, and nothing else; only who must renew one imports what speaks OAuth 2.
"""

from __future__ import annotations

import json
import os
import syslog
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pbxnotify import log, records
from pbxnotify.errors import GrantRefused, RelayUnavailable
from pbxnotify.frozen import TYPE_CHECKING, NamedTuple
from pbxnotify.oauth2 import NO_LIBRARY, has_library
from pbxnotify.spool import Spool, location

if TYPE_CHECKING:
    from pbxnotify.relay import Smtp

PLACE = os.path.join(records.FOLDER, records.TOKENS)
MARGIN = 60.0
"""Seconds before its end from which on a token is renewed: the relay looks at it a little later than we."""
PATIENCE = 90.0
"""Seconds for which a process waits for another one to renew the token."""
LOG_IN = "log in with  pbxnotify oauth login"


class Access(NamedTuple):
    """A token to log in with."""

    token: str
    is_new: bool
    """It was issued for this very login, so another one would fare no better."""


class Tokens(NamedTuple):
    """What we have for one account; times are seconds since the epoch, 0 for unknown."""

    access: str = ""
    refresh: str = ""
    """What a new access token is asked for with."""
    obtained: float = 0.0
    expires: float = 0.0
    """When the access token ends, by the clock here."""
    ends: float = 0.0
    """When the refresh token ends."""
    refused: str = ""
    """Why the last renewal was refused for good."""
    refused_at: float = 0.0

    def is_valid(self) -> bool:
        """Return whether the access token lets us in, as far as we know: a clock that was set back knows nothing."""
        now = time.time()
        began = self.obtained - MARGIN <= now
        return bool(self.access) and began and (not self.expires or now < self.expires - MARGIN)

    def is_sound(self) -> bool:
        """Return whether this is what we write: times that are some, tokens that fit into a command."""
        moments = (self.obtained, self.expires, self.ends, self.refused_at)
        are_times = all(type(moment) in (int, float) and 0 <= moment < 1e11 for moment in moments)
        texts = (self.access, self.refresh, self.refused)
        return are_times and all(isinstance(text, str) and (text.isprintable() or not text) for text in texts)

    def renewed(self, access: str, refresh: str, lifetime: float, refresh_lifetime: float) -> Tokens:
        """Return them with what was issued just now; lifetimes are in seconds, 0 for unknown.

        A provider that gives no new refresh token lets the old one go on (RFC 6749 section 6).
        """
        now = time.time()
        ends = now + refresh_lifetime if refresh_lifetime else 0.0 if refresh else self.ends
        expires = now + lifetime if lifetime else 0.0
        return Tokens(access, refresh or self.refresh, now, expires, ends)


def path() -> str:
    """Return where the file is."""
    return os.path.join(location(), PLACE)


def account(relay: Smtp) -> str:
    """Return whose tokens these settings want: no other login, application or endpoint may ever see them."""
    oauth2 = relay.oauth2
    return f"{relay.login} by {oauth2.client_id} at {oauth2.token_url} for {oauth2.scope}"


def access(relay: Smtp, rejected: str = "") -> Access:
    """Return a token, another than the one that the relay has rejected.

    Raises RelayUnavailable when none can be had now, GrantRefused when the admin must log in.
    """
    began, kept = time.time(), read(relay)
    if not _serves(kept, rejected):
        with alone():
            kept = read(relay)  # which somebody else may have renewed meanwhile
            if not _serves(kept, rejected):
                return _renew(relay, kept._replace(access="") if kept.access == rejected else kept, began)
    return Access(kept.access, is_new=False)


def _serves(kept: Tokens, rejected: str) -> bool:
    return kept.is_valid() and kept.access != rejected


def _renew(relay: Smtp, kept: Tokens, began: float) -> Access:
    """Have a new token issued, and keep it; else note that the old one is worth nothing any more."""
    if not kept.refresh:
        why = (
            "the last token has ended, and there is none to renew it with" if kept.obtained else "there is no token yet"
        )
        raise GrantRefused(f"{relay.login}: {why}: {LOG_IN}")
    if kept.refused and began <= kept.refused_at <= time.time():  # while we waited: it would be refused again
        raise GrantRefused(kept.refused)
    from pbxnotify import authorization

    server = authorization.Server(relay)
    try:
        fresh = kept.renewed(*server.refresh(kept.refresh))
    except RelayUnavailable:
        _keep(relay, kept)
        raise
    except GrantRefused as error:
        _keep(relay, kept._replace(refused=str(error), refused_at=time.time()))
        raise
    _keep(relay, fresh)
    return Access(fresh.access, is_new=True)


def _keep(relay: Smtp, tokens: Tokens) -> None:
    """Write them; a disk that takes none must not keep the mail from leaving, which may be about that disk."""
    try:
        write(relay, tokens)
    except OSError as error:
        log.write(syslog.LOG_ERR, f"the token of {relay.login} cannot be kept in {path()}: {error.strerror}")


def read(relay: Smtp) -> Tokens:
    """Return what is kept for these settings, empty if there is nothing. Raises GrantRefused if it is damaged."""
    return _all().get(account(relay), Tokens())


def _all() -> dict[str, Tokens]:
    """Return what is kept, by account. Raises GrantRefused if it is damaged."""
    try:
        with open(path(), encoding="utf-8", opener=records.at_once) as file:
            kept = {whose: Tokens(**tokens) for whose, tokens in json.loads(file.read(records.LONGEST)).items()}
        if not all(tokens.is_sound() for tokens in kept.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = f"the token in {path()} cannot be read: {error.strerror}; mend that, or {LOG_IN}"
        raise GrantRefused(what) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise GrantRefused(f"the token in {path()} is damaged; {LOG_IN}") from None
    return kept


def trouble(relay: Smtp) -> str:
    """Return why no mail can leave, or none soon, where we log in with a token of the provider; "" for nothing."""
    if not relay.wants_token:
        return ""
    try:
        kept = read(relay)
    except GrantRefused as error:
        return str(error)
    if kept.refused:
        return kept.refused
    if not kept.is_valid() and (not kept.refresh or 0 < kept.ends < time.time()):
        return f"{relay.login}: there is no token{' any more' if kept.obtained else ''}: {LOG_IN}"
    return "" if has_library() else NO_LIBRARY


def write(relay: Smtp, tokens: Tokens) -> None:
    """Put the tokens for these settings in place, durable; those of other accounts stay. Raises OSError.

    Durable, because a provider may have ended the old ones with the new ones.
    """
    try:
        others = _all()
    except GrantRefused:  # there is nothing in it that could be kept
        others = {}
    _put({**others, account(relay): tokens})


def forget() -> bool:
    """Forget all tokens; returns whether there were any. Raises OSError."""
    try:
        os.unlink(path())
    except FileNotFoundError:
        return False
    return True


def forget_others(relay: Smtp) -> None:
    """Forget all tokens but those for these settings. Raises OSError, GrantRefused."""
    kept = _all()
    ours = {whose: tokens for whose, tokens in kept.items() if whose == account(relay)}
    if ours != kept:
        _put(ours)


def _put(kept: dict[str, Tokens]) -> None:
    text = json.dumps({whose: tokens._asdict() for whose, tokens in kept.items()})
    records.replace(location(), PLACE, text, durable=True)


@contextmanager
def alone() -> Iterator[None]:
    """Be the only process that changes the tokens. Raises RelayUnavailable.

    The lock is one on the spool itself; those on its folders are held while mails leave.
    """
    with ExitStack() as stack:
        try:
            is_alone = stack.enter_context(Spool(location()).alone("", PATIENCE))
        except OSError as error:
            raise RelayUnavailable(f"no token can be kept in {location()}: {error.strerror}", stage="AUTH") from None
        if not is_alone:
            what = f"another process has been renewing the token for {PATIENCE:g} s"
            raise RelayUnavailable(what, stage="AUTH")
        yield
