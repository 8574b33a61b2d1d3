"""The file of tokens: what the provider has issued for each account, changed by one process at a time.

It lies in the spool, which belongs to Asterisk's user and is closed to all others. A call with a valid token reads it,
and nothing else; what speaks OAuth 2 is imported for a renewal only. There are two accounts in it while one is tried,
which must not cost the login that works.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from pbxnotify.errors import LoginRefused, LoginUnavailable, TokenFileDamaged
from pbxnotify.files import Directory, read_all
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.settings.oauth2 import NO_LIBRARY, has_library
from pbxnotify.spool import state
from pbxnotify.spool.directory import spool_path
from pbxnotify.spool.store import Spool

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.oauth.responses import Grant

FILE = "oauth2.json"
PLACE = f"{state.FOLDER}/{FILE}"
NEW = f"{PLACE}{state.NEW}"  # the next version while it is written: there is one writer
MARGIN = 60.0  # seconds before it expires at which a token is renewed: the relay looks at it a little later than we do
PATIENCE = 90.0  # seconds for which a process waits for another one to renew the token
STALE, AGAIN = 30 * 86400.0, 86400.0
"""Seconds after which a login is renewed although no mail needs it, and until that is tried again: Google ends one that
is not used for six months, Microsoft for 90 days, Yandex a year after it was renewed."""
LOG_IN = "log in with  pbxnotify oauth login"


class Access(NamedTuple):
    """A token to log in with."""

    token: str
    is_new: bool  # it was issued for this very login, so another one would not help
    was_rejected: bool = False  # the relay has rejected one before, and accepted none since


class Tokens(NamedTuple):
    """What we have for one account; times are seconds since the epoch, None (0 in older files) for unknown."""

    access: str = ""
    refresh: str = ""  # what a new access token is requested with
    obtained: float | None = None
    expires: float | None = None  # when the access token expires, by the clock here
    ends: float | None = None  # when the refresh token expires
    refused: str = ""  # why the last renewal was refused for good
    refused_at: float | None = None
    rejected: str = ""  # why the relay has rejected a token that was new, and has accepted none since
    tended: float | None = None  # when we last tried to keep the login from expiring unused

    def is_valid(self) -> bool:
        """Return whether the access token lets us in, as far as we know: a clock that was set back knows nothing."""
        now = time.time()
        began = (self.obtained or 0.0) - MARGIN <= now
        return bool(self.access) and began and (not self.expires or now < self.expires - MARGIN)

    def is_stale(self) -> bool:
        """Return whether the provider may end the login before a mail needs it."""
        now = time.time()
        is_tended = 0 <= now - (self.tended or 0.0) < AGAIN
        return bool(self.refresh) and not self.refused and now - (self.obtained or 0.0) > STALE and not is_tended

    def is_sound(self) -> bool:
        """Return whether this is what we write: times that are times, tokens that fit into a command."""
        moments = (self.obtained, self.expires, self.ends, self.refused_at, self.tended)
        are_times = all(moment is None or (type(moment) in (int, float) and 0 <= moment < 1e11) for moment in moments)
        texts = (self.access, self.refresh, self.refused, self.rejected)
        return are_times and all(isinstance(text, str) and (text.isprintable() or not text) for text in texts)

    def renewed(self, grant: Grant) -> Tokens:
        """Return these tokens with what was issued; without a new refresh token the old one stays (RFC 6749, 6)."""
        now = time.time()
        ends = now + grant.refresh_lifetime if grant.refresh_lifetime else None if grant.refresh else self.ends
        expires = now + grant.lifetime if grant.lifetime else None
        return Tokens(grant.access, grant.refresh or self.refresh, now, expires, ends, rejected=self.rejected)


def path() -> str:
    """Return where the file is."""
    return os.path.join(spool_path(), PLACE)


def account(relay: Smtp) -> str:
    """Return whose tokens these settings need: no other login, application or endpoint may ever see them."""
    oauth2 = relay.oauth2
    return f"{relay.login} by {oauth2.client_id} at {oauth2.token_url} for {oauth2.scope}"


def at_hand(relay: Smtp, rejected: str = "") -> Access | None:
    """Return the stored token, if valid and not ``rejected``. Raises LoginRefused if the file cannot be read."""
    with suppress(TokenFileDamaged):  # on a full disk it may be half written at this very moment
        kept = read(relay)
        if kept.is_valid() and kept.access != rejected:
            return Access(kept.access, is_new=False, was_rejected=bool(kept.rejected))
    return None


def read(relay: Smtp) -> Tokens:
    """Return the tokens for these settings, empty if there are none. Raises LoginRefused if the file is damaged."""
    return _read_all().get(account(relay), Tokens())


def may_end_soon(relay: Smtp) -> bool:
    """Return whether the provider may end the login before a mail needs it."""
    with suppress(LoginRefused):
        return relay.wants_token and read(relay).is_stale()
    return False


def is_kept(relay: Smtp) -> bool:
    """Return whether there is a token for these settings, usable or not."""
    with suppress(LoginRefused):
        return read(relay) != Tokens()
    return False


def _read_all(directory: Directory | None = None) -> dict[str, Tokens]:
    """Return all tokens, by account. Raises LoginRefused if the file is damaged."""
    try:
        return _tokens_in((directory or Directory(spool_path())).read(PLACE, state.LONGEST))
    except FileNotFoundError:
        return {}
    except OSError as error:
        what = f"the token in {path()} cannot be read: {error.strerror}; correct that, or {LOG_IN}"
        raise LoginRefused(what) from None
    except ValueError:
        raise TokenFileDamaged(f"the token in {path()} is damaged; {LOG_IN}") from None


def _tokens_in(content: bytes) -> dict[str, Tokens]:
    """Return the tokens in a file, by account. Raises ValueError if we did not write it, or not all of it."""
    try:
        kept = {whose: Tokens(**tokens) for whose, tokens in json.loads(content).items()}
    except (TypeError, AttributeError, RecursionError):
        raise ValueError from None
    if not all(tokens.is_sound() for tokens in kept.values()):
        raise ValueError
    return kept


def trouble(relay: Smtp) -> str:
    """Return why no mail can leave, or none soon, where we log in with a token of the provider; "" for nothing."""
    if not relay.wants_token:
        return ""
    try:
        kept = read(relay)
    except LoginRefused as error:
        return str(error)
    if kept.refused or kept.rejected:
        return kept.refused or kept.rejected
    is_there = kept.is_valid() or (bool(kept.refresh) and not (kept.ends and kept.ends < time.time()))
    if not has_library():
        return f"{NO_LIBRARY}, then  pbxnotify {'queue run --all' if is_there else 'oauth login'}"
    return "" if is_there else f"{relay.login}: there is no token{' any more' if kept.obtained else ''}: {LOG_IN}"


def write(relay: Smtp, tokens: Tokens) -> None:
    """Store the tokens for these settings, if not empty; those of other accounts stay. Raises OSError.

    Durably, because a provider may have revoked the old ones with the new ones; and in few steps, because until then
    nobody but this process has them.
    """
    directory, kept = Directory(spool_path()), {}
    with suppress(LoginRefused):  # there is nothing in it that could be kept
        kept = _read_all(directory)
    _write_all(directory, {**kept, account(relay): tokens})


def forget() -> bool:
    """Remove all tokens; returns whether there were any. The caller is ``alone``. Raises OSError."""
    directory = Directory(spool_path())
    names = [name for name in (PLACE, NEW) if directory.has(name)]
    for name in names:
        directory.remove(name)
    return bool(names)


def others(relay: Smtp) -> list[str]:
    """Return the other accounts whose tokens are in the file. Raises LoginRefused if it is damaged."""
    return [whose for whose in _read_all() if whose != account(relay)]


def forget_others(relay: Smtp) -> None:
    """Remove the tokens of all other accounts. Raises OSError, LoginRefused, LoginUnavailable."""
    with alone():
        if others(relay):
            _write_all(Directory(spool_path()), {account(relay): read(relay)})


def _write_all(directory: Directory, kept: dict[str, Tokens]) -> None:
    record = {whose: tokens._asdict() for whose, tokens in kept.items() if tokens != Tokens()}
    if record:
        state.replace(directory, FILE, json.dumps(record).ljust(state.ROOM), durable=True)
    else:
        forget()


@contextmanager
def alone(patience: float | None = None) -> Iterator[None]:
    """Be the only process that changes the tokens, after ``patience`` or ``PATIENCE`` seconds. Raises LoginUnavailable.

    The lock is one on the spool itself; those on its folders are held while mails leave. Signals wait while it is held,
    as long as one request may take: an answer that is not stored can be the only one there is. Main thread only.
    """
    seconds = PATIENCE if patience is None else patience
    with ExitStack() as stack:
        try:
            directory = Directory(spool_path())
            is_alone = stack.enter_context(Spool(directory).alone("", seconds))
        except OSError as error:
            raise LoginUnavailable(f"no token can be stored in {spool_path()}: {error.strerror}") from None
        if not is_alone:
            raise LoginUnavailable(f"another process has been renewing the token for {seconds:g} s")
        stack.enter_context(_signals_wait())
        _put_in_place(directory)
        yield


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Let SIGTERM, SIGINT and SIGHUP act at the end.

    Handlers, and no mask: a signal that another thread receives ends or interrupts the process all the same.
    """
    import signal

    came: list[int] = []

    def act() -> None:
        for number in came:
            signal.raise_signal(number)

    with ExitStack() as stack:
        stack.callback(act)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            before = signal.signal(number, lambda number, _: came.append(number))
            stack.callback(signal.signal, number, before)
        yield


def _put_in_place(directory: Directory) -> None:
    """Use the version that a killed process has written and not renamed; one that is not whole is removed.

    Where a refresh token is good once, the one that is still in place is good for nothing.
    """
    with suppress(OSError):
        descriptor = directory.open_regular(NEW)
        try:
            _tokens_in(read_all(descriptor, state.LONGEST))
            os.fsync(descriptor)
            directory.rename(NEW, PLACE)
            directory.sync(state.FOLDER)
        except ValueError:
            directory.remove(NEW)
        finally:
            os.close(descriptor)
