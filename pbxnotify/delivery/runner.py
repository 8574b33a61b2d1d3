"""Runs the queue: what is due is sent, oldest first."""

from __future__ import annotations

import syslog
import time
from collections.abc import Callable

from pbxnotify import log
from pbxnotify.errors import (
    LoginError,
    NewerItem,
    PbxnotifyError,
    RelayMisconfigured,
    RelayUnavailable,
    SettingsError,
    SpoolError,
)
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.item import identifier_of
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.delivery.attempt import Attempt

TAKEN_ALONG = 3
"""Due items that a successful delivery takes along."""
LOOKED_AT = 30
"""Items that are looked at for that, the oldest; what is due behind them leaves with the next ``queue run``.

Of 20 000 that are not due yet, each costs a twentieth of a ms.
"""
STATUS = {"sent": "SENT", "deferred": "QUEUED", "failed": "FAILED", "skipped": "SKIPPED"}
"""PBXNOTIFYSTATUS of a held call, by the state of its item."""


def deliver_and_take_along(spool: Spool, entry: QueueFile, report: Callable[[str], None]) -> None:
    """Deliver a new item, report its PBXNOTIFYSTATUS, and take along what is due. Raises SpoolError."""
    with spool.in_turn():
        state = deliver(entry, spool)
        report(STATUS[state])
        entry.release()
        if state == "sent":
            run_queue(spool, most=TAKEN_ALONG)


def run_queue(spool: Spool, *, everything: bool = False, most: int | None = None) -> dict[str, int]:
    """Try what is due, oldest first, ``everything`` also what is not; returns how many items ended in each state."""
    from pbxnotify.delivery.attempt import GIVEN_UP
    from pbxnotify.settings.load import ini_fingerprint, ini_path

    states: dict[str, int] = {}
    fingerprint = ini_fingerprint(ini_path())
    given_up = identifier_of(time.time() - GIVEN_UP)
    if everything:
        write_backoff(spool.directory, None)
    waiting = spool.identifiers()
    for identifier in waiting if most is None else waiting[:LOOKED_AT]:
        rests = read_backoff(spool.directory).holds(fingerprint)
        if sum(states.values()) == most or (rests and identifier > given_up):
            break
        entry = _locked(spool, identifier)
        if entry is None:
            continue
        given_up_now = time.time() - entry.item.queued > GIVEN_UP
        if everything or (entry.item.is_due(fingerprint) and (given_up_now or not rests)):
            state = _deliver_one_of_many(entry, spool)
            states[state] = states.get(state, 0) + 1
        entry.release()
    return states


def _locked(spool: Spool, identifier: str) -> QueueFile | None:
    """Return an item, locked; None if it is not for us. One that cannot be read must not stop those behind it."""
    try:
        return spool.lock(identifier)
    except (NewerItem, SpoolError) as error:
        spool.leave(identifier, str(error))
        return None


def _deliver_one_of_many(entry: QueueFile, spool: Spool) -> str:
    """Deliver an item; trouble with one must not stop those behind it."""
    try:
        return deliver(entry, spool)
    except Exception as error:
        log.write(syslog.LOG_ERR, f"error id={entry.item.id}: {type(error).__name__}: {clean(str(error), 1000)}")
        return "deferred"


def deliver(entry: QueueFile, spool: Spool | None = None) -> str:
    """Try an item once; returns its state: ``sent``, ``deferred``, ``failed`` or ``skipped``. Raises SpoolError."""
    from pbxnotify.delivery.attempt import Attempt
    from pbxnotify.settings.load import ini_fingerprint, ini_path

    path = ini_path()
    attempt = Attempt(entry, spool, ini_fingerprint(path))
    state = _try(attempt, path)
    for alert in attempt.alerts:
        if state == "failed":
            deliver(alert)
        else:  # the relay takes nothing just now, and should not be asked again so soon
            alert.say("failed")
    return state


def _try(attempt: Attempt, path: str) -> str:
    """Do what an attempt takes, in the order of the diagram; returns the state of its item. Raises SpoolError."""
    from pbxnotify.delivery.recipients import recipients_of
    from pbxnotify.settings.load import load_settings_as_of
    from pbxnotify.smtp.client import Relay

    try:
        if attempt.rest.holds(attempt.fingerprint):
            return attempt.wait_for_relay(attempt.rest.reason)
        settings = load_settings_as_of(path, attempt.fingerprint)
        attempt.language = settings.notifications.language
        told = recipients_of(attempt.entry.item.event, settings)
        if not told.recipients:
            return attempt.told_nobody(told)
        untold = attempt.untold(told)
        if untold and attempt.rest.holds(attempt.fingerprint, [recipient.address for recipient in untold]):
            return attempt.wait_for_address()
        if untold:
            attempt.attachment(settings)  # may take a minute, for which no relay would wait
            with Relay(settings.smtp) as relay:
                attempt.send(relay, untold, settings)
                return attempt.settle(settings)  # before QUIT, whose answer may take two seconds
        return attempt.settle(settings)
    except (RelayUnavailable, RelayMisconfigured, LoginError, SettingsError) as error:
        return attempt.relay_failed(error)
    except PbxnotifyError:
        raise
    except Exception as error:  # a fault of ours in one item must neither lose it nor stop those behind it
        return attempt.puzzled(error)
