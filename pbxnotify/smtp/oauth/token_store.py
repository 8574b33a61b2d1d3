"""The tokens that let us in without a password: kept in a file, and renewed by one process at a time.

The file lies in the spool, for that belongs to Asterisk's user and is closed to all others. A call with a valid token
reads it, and nothing else; only who must renew one imports what speaks OAuth 2.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from pbxnotify.errors import GrantRefused, RelayUnavailable, TokenFileDamaged
from pbxnotify.files import open_no_follow
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.settings.oauth2 import NO_LIBRARY, has_library
from pbxnotify.spool import state
from pbxnotify.spool.owner import spool_path
from pbxnotify.spool.store import Spool

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.oauth.authorization_server import Grant

FILE = "oauth2.json"
MARGIN = 60.0
"""Seconds before its end from which on a token is renewed: the relay looks at it a little later than we."""
PATIENCE = 90.0
"""Seconds for which a process waits for another one to renew the token."""
STALE, AGAIN = 30 * 86400.0, 86400.0
"""Seconds after which a login is renewed though no mail needs it, and until that is tried once more: Google
ends one that is not used for six months, Microsoft for 90 days, Yandex a year after it was renewed."""
LOG_IN = "log in with  pbxnotify oauth login"


class Access(NamedTuple):
    """A token to log in with."""

    token: str
    is_new: bool
    """It was issued for this very login, so another one would fare no better."""
    was_rejected: bool = False
    """The relay has rejected one before, and taken none since."""


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
    rejected: str = ""
    """Why the relay has rejected a token that was new, and has taken none since."""
    tended: float = 0.0
    """When it was last tried to keep the login from ending unused."""

    def is_valid(self) -> bool:
        """Return whether the access token lets us in, as far as we know: a clock that was set back knows nothing."""
        now = time.time()
        began = self.obtained - MARGIN <= now
        return bool(self.access) and began and (not self.expires or now < self.expires - MARGIN)

    def is_stale(self) -> bool:
        """Return whether the provider may end the login before a mail needs it."""
        now = time.time()
        is_tended = 0 <= now - self.tended < AGAIN
        return bool(self.refresh) and not self.refused and now - self.obtained > STALE and not is_tended

    def is_sound(self) -> bool:
        """Return whether this is what we write: times that are some, tokens that fit into a command."""
        moments = (self.obtained, self.expires, self.ends, self.refused_at, self.tended)
        are_times = all(type(moment) in (int, float) and 0 <= moment < 1e11 for moment in moments)
        texts = (self.access, self.refresh, self.refused, self.rejected)
        return are_times and all(isinstance(text, str) and (text.isprintable() or not text) for text in texts)

    def renewed(self, grant: Grant) -> Tokens:
        """Return them with what was issued just now.

        A provider that gives no new refresh token lets the old one go on (RFC 6749 section 6).
        """
        now = time.time()
        ends = now + grant.refresh_lifetime if grant.refresh_lifetime else 0.0 if grant.refresh else self.ends
        expires = now + grant.lifetime if grant.lifetime else 0.0
        return Tokens(grant.access, grant.refresh or self.refresh, now, expires, ends, rejected=self.rejected)


def path() -> str:
    """Return where the file is."""
    return state.path(spool_path(), FILE)


def account(relay: Smtp) -> str:
    """Return whose tokens these settings want: no other login, application or endpoint may ever see them."""
    oauth2 = relay.oauth2
    return f"{relay.login} by {oauth2.client_id} at {oauth2.token_url} for {oauth2.scope}"


def at_hand(relay: Smtp, rejected: str = "") -> Access | None:
    """Return the token that is kept, if it is valid and another than the one that the relay has rejected.

    Raises GrantRefused if the file cannot be read.
    """
    with suppress(TokenFileDamaged):  # on a full disk it may be half written at this very moment
        kept = read(relay)
        if kept.is_valid() and kept.access != rejected:
            return Access(kept.access, is_new=False, was_rejected=bool(kept.rejected))
    return None


def read(relay: Smtp) -> Tokens:
    """Return what is kept for these settings, empty if there is nothing. Raises GrantRefused if it is damaged."""
    return _all().get(account(relay), Tokens())


def may_end_soon(relay: Smtp) -> bool:
    """Return whether the provider may end the login before a mail needs it."""
    with suppress(GrantRefused):
        return relay.wants_token and read(relay).is_stale()
    return False


def is_kept(relay: Smtp) -> bool:
    """Return whether there is a token for these settings, of use or not."""
    with suppress(GrantRefused):
        return read(relay) != Tokens()
    return False


def _all() -> dict[str, Tokens]:
    """Return what is kept, by account. Raises GrantRefused if it is damaged."""
    try:
        with open(path(), encoding="utf-8", opener=open_no_follow) as file:
            kept = {whose: Tokens(**tokens) for whose, tokens in json.loads(file.read(state.LONGEST)).items()}
        if not all(tokens.is_sound() for tokens in kept.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = f"the token in {path()} cannot be read: {error.strerror}; mend that, or {LOG_IN}"
        raise GrantRefused(what) from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise TokenFileDamaged(f"the token in {path()} is damaged; {LOG_IN}") from None
    return kept


def trouble(relay: Smtp) -> str:
    """Return why no mail can leave, or none soon, where we log in with a token of the provider; "" for nothing."""
    if not relay.wants_token:
        return ""
    try:
        kept = read(relay)
    except GrantRefused as error:
        return str(error)
    if kept.refused or kept.rejected:
        return kept.refused or kept.rejected
    is_there = kept.is_valid() or (bool(kept.refresh) and not 0 < kept.ends < time.time())
    if not has_library():
        return f"{NO_LIBRARY}, then  pbxnotify {'queue run --all' if is_there else 'oauth login'}"
    return "" if is_there else f"{relay.login}: there is no token{' any more' if kept.obtained else ''}: {LOG_IN}"


def write(relay: Smtp, tokens: Tokens) -> None:
    """Put the tokens for these settings in place, durable, if not empty; those of other accounts stay. Raises OSError.

    Durable, because a provider may have ended the old ones with the new ones.
    """
    try:
        others = _all()
    except GrantRefused:  # there is nothing in it that could be kept
        others = {}
    _put({**others, account(relay): tokens})


def forget() -> bool:
    """Forget all tokens, and what a process has left that was killed while it wrote them; returns whether there were
    any. The caller is ``alone``. Raises OSError."""
    folder = os.path.join(spool_path(), "tmp")
    left = [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(f"{FILE}.")]
    places = [place for place in (path(), *left) if os.path.lexists(place)]
    for place in places:
        os.unlink(place)
    return bool(places)


def others(relay: Smtp) -> list[str]:
    """Return whose tokens are kept beside those for these settings. Raises GrantRefused if they are damaged."""
    return [whose for whose in _all() if whose != account(relay)]


def forget_others(relay: Smtp) -> list[str]:
    """Forget all tokens but those for these settings; returns whose. Raises OSError, GrantRefused, RelayUnavailable."""
    with alone():
        forgotten = others(relay)
        if forgotten:
            _put({whose: kept for whose, kept in _all().items() if whose not in forgotten})
    return forgotten


def _put(kept: dict[str, Tokens]) -> None:
    record = {whose: tokens._asdict() for whose, tokens in kept.items() if tokens != Tokens()}
    if record:
        state.replace(spool_path(), FILE, json.dumps(record).ljust(state.ROOM), durable=True)
    else:
        forget()


@contextmanager
def alone(patience: float | None = None) -> Iterator[None]:
    """Be the only process that changes the tokens, within ``PATIENCE`` or so many seconds. Raises RelayUnavailable.

    The lock is one on the spool itself; those on its folders are held while mails leave.
    """
    seconds = PATIENCE if patience is None else patience
    with ExitStack() as stack:
        try:
            is_alone = stack.enter_context(Spool(spool_path()).alone("", seconds))
        except OSError as error:
            raise RelayUnavailable(f"no token can be kept in {spool_path()}: {error.strerror}", stage="AUTH") from None
        if not is_alone:
            what = f"another process has been renewing the token for {seconds:g} s"
            raise RelayUnavailable(what, stage="AUTH")
        yield
