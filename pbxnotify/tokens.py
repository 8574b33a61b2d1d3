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
from contextlib import ExitStack, contextmanager, suppress

from pbxnotify import log
from pbxnotify.entry import sync
from pbxnotify.errors import RelayMisconfigured, RelayUnavailable
from pbxnotify.frozen import TYPE_CHECKING, NamedTuple
from pbxnotify.spool import TOKENS, Spool, location

if TYPE_CHECKING:
    from typing import TextIO

    from pbxnotify.relay import Smtp

MARGIN = 60.0
"""Seconds before its end from which on a token is renewed: the relay looks at it a little later than we."""
LONGEST = 65536
"""Bytes of the file."""
PATIENCE = 90.0
"""Seconds for which a process waits for another one to renew the token."""
LOG_IN = "log in with  pbxnotify oauth login"


class Access(NamedTuple):
    """A token to log in with."""

    token: str
    is_new: bool
    """It was issued for this very login, so another one would fare no better."""


class Tokens(NamedTuple):
    """What is kept; times are seconds since the epoch, 0 for unknown."""

    account: str = ""
    """Whose tokens these are: no other endpoint, application or login may ever see them."""
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

    def renewed(self, access: str, refresh: str, lifetime: float, refresh_lifetime: float) -> Tokens:
        """Return them with what was issued just now; lifetimes are in seconds, 0 for unknown.

        A provider that gives no new refresh token lets the old one go on (RFC 6749 section 6).
        """
        now = time.time()
        ends = now + refresh_lifetime if refresh_lifetime else 0.0 if refresh else self.ends
        expires = now + lifetime if lifetime else 0.0
        return Tokens(self.account, access, refresh or self.refresh, now, expires, ends)


def path() -> str:
    """Return where the file is."""
    return os.path.join(location(), TOKENS)


def account(relay: Smtp) -> str:
    """Return whose tokens these settings want."""
    return f"{relay.login} by {relay.oauth2.client_id} at {relay.oauth2.token_url}"


def access(relay: Smtp, rejected: str = "") -> Access:
    """Return a token, another than the one that the relay has rejected.

    Raises RelayUnavailable when none can be had now, RelayMisconfigured when the admin must log in.
    """
    began, kept = time.time(), read(relay)
    if not _serves(kept, rejected):
        with alone():
            kept = read(relay)  # which somebody else may have renewed meanwhile
            if not _serves(kept, rejected):
                return _renew(relay, kept, began)
    return Access(kept.access, is_new=False)


def _serves(kept: Tokens, rejected: str) -> bool:
    return kept.is_valid() and kept.access != rejected


def _renew(relay: Smtp, kept: Tokens, began: float) -> Access:
    """Have a new token issued, and keep it."""
    if not kept.refresh:
        why = "the last token has ended, and there is none to renew it with" if kept.access else "there is no token yet"
        raise RelayMisconfigured(f"{relay.login}: {why}: {LOG_IN}", stage="AUTH")
    if kept.refused and began <= kept.refused_at <= time.time():  # while we waited: it would be refused again
        raise RelayMisconfigured(kept.refused, stage="AUTH")
    from pbxnotify import authorization

    try:
        fresh = kept.renewed(*authorization.Server(relay).refresh(kept.refresh))
    except RelayMisconfigured as error:
        _keep(kept._replace(refused=str(error), refused_at=time.time()))
        raise
    _keep(fresh)
    return Access(fresh.access, is_new=True)


def _keep(tokens: Tokens) -> None:
    """Write them; a disk that takes none must not keep the mail from leaving, which may be about that disk."""
    try:
        write(tokens)
    except OSError as error:
        log.write(syslog.LOG_ERR, f"the new token for {tokens.account} cannot be kept in {path()}: {error.strerror}")


def read(relay: Smtp) -> Tokens:
    """Return what is kept for these settings, empty if there is nothing. Raises RelayMisconfigured if it is damaged."""
    ours = Tokens(account(relay))
    try:
        with open(path(), encoding="utf-8", opener=_at_once) as file:
            kept = Tokens(**json.loads(file.read(LONGEST)))
        if not _is_sound(kept):
            raise ValueError
    except FileNotFoundError:
        return ours
    except OSError as error:
        what = f"the token in {path()} cannot be read: {error.strerror}; mend that, or {LOG_IN}"
        raise RelayMisconfigured(what, stage="AUTH") from None
    except (ValueError, TypeError, RecursionError):
        raise RelayMisconfigured(f"the token in {path()} is damaged; {LOG_IN}", stage="AUTH") from None
    return kept if kept.account == ours.account else ours


def _is_sound(kept: Tokens) -> bool:
    """Return whether what was read is what we write: times that are some, texts that fit into a command."""
    texts = (kept.account, kept.access, kept.refresh, kept.refused)
    times = (kept.obtained, kept.expires, kept.ends, kept.refused_at)
    numbers = all(type(moment) in (int, float) and 0 <= moment < 1e11 for moment in times)
    return numbers and all(isinstance(text, str) and (text.isprintable() or not text) for text in texts)


def write(tokens: Tokens) -> None:
    """Put the tokens in place, durable, for nobody else to read. Raises OSError.

    On a full disk the file is written over where it is, which takes no room: a provider may have ended the old tokens
    with the new ones.
    """
    text = json.dumps(tokens._asdict())
    temporary = os.path.join(location(), "tmp", f"{TOKENS}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8", opener=_private) as file:
            _fill(file, text)
        os.rename(temporary, path())
        sync(location())
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        with open(path(), "r+", encoding="utf-8") as file:
            _fill(file, text)


def _fill(file: TextIO, text: str) -> None:
    file.write(text)
    file.truncate()
    file.flush()
    os.fsync(file.fileno())


def forget() -> None:
    """Remove the file. Raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(path())
        sync(location())


@contextmanager
def alone() -> Iterator[None]:
    """Be the only process that changes the tokens. Raises RelayUnavailable.

    The lock is one on done/, where nobody waits for anything else.
    """
    with ExitStack() as stack:
        try:
            is_alone = stack.enter_context(Spool(location()).alone("done", PATIENCE))
        except OSError as error:
            raise RelayUnavailable(f"no token can be kept in {location()}: {error.strerror}", stage="AUTH") from None
        if not is_alone:
            what = f"another process has been renewing the token for {PATIENCE:g} s: it is tried again later"
            raise RelayUnavailable(what, stage="AUTH")
        yield


def _at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
