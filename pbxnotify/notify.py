"""The whole way of an event: durable first, then the call is let go, then composed and sent.

What is heavy (configobj, email, smtplib, ssl) is imported in ``deliver``, on the far side of ``spool.add``.
"""

from __future__ import annotations

import syslog
import time
from collections.abc import Callable

from pbxnotify import events, log, rest
from pbxnotify.entry import Entry, Unkept
from pbxnotify.errors import (
    NewerItem,
    PbxnotifyError,
    RelayMisconfigured,
    RelayUnavailable,
    SettingsError,
    SpoolError,
)
from pbxnotify.frozen import TYPE_CHECKING
from pbxnotify.item import identifier_of
from pbxnotify.spool import Spool, open_spool

if TYPE_CHECKING:
    from pbxnotify.attempt import Attempt

TAKEN_ALONG = 3
"""Due items that a successful delivery takes along."""
LOOKED_AT = 30
"""Items that are looked at for that, the oldest; what is due behind them leaves with the next ``queue run``.

Of 20 000 that are not due yet, each costs a twentieth of a ms.
"""
STATUS = {"sent": "SENT", "deferred": "QUEUED", "failed": "FAILED", "skipped": "SKIPPED"}
"""PBXNOTIFYSTATUS of a held call, by the state of its item."""


def missed_call(call: events.MissedCall | None) -> events.Way:
    """Tell of a call, if it was missed."""
    if call is None:
        return "SKIPPED", "pbxnotify: skipped: nobody missed a call", None
    return tell(call)


def voicemail(left: tuple[events.Voicemail, int] | None) -> events.Way:
    """Tell of a message and its recording, if one was left."""
    if left is None:
        return "SKIPPED", "pbxnotify: skipped: nobody left a message", None
    return tell(*left)


def tell(event: events.Event, recording: int = -1) -> events.Way:
    """Make an event durable, with its recording; what the disk does not take is delivered once from memory."""
    try:
        spool = open_spool()
        entry = spool.add(event, recording)
    except SpoolError as error:
        unkept = Unkept(event, recording)
        unkept.change(reason=str(error))
        unkept.say("deferred")
        return "FAILED", f"pbxnotify: {error}: trying to send at once", lambda report: _report(report, deliver(unkept))
    if entry is None:
        return "SKIPPED", "pbxnotify: skipped: told already", None
    return "QUEUED", entry.line, lambda report: _deliver_and_take_along(spool, entry, report)


def _report(report: Callable[[str], None], state: str) -> str:
    report(STATUS[state])
    return state


def _deliver_and_take_along(spool: Spool, entry: Entry, report: Callable[[str], None]) -> None:
    with spool.in_turn():
        state = _report(report, deliver(entry, spool))
        entry.release()
        if state == "sent":
            run_queue(spool, most=TAKEN_ALONG)


def run_queue(spool: Spool, *, everything: bool = False, most: int | None = None) -> dict[str, int]:
    """Try what is due, oldest first, ``everything`` also what is not; returns how many items ended in each state."""
    from pbxnotify import settings
    from pbxnotify.attempt import GIVEN_UP

    states: dict[str, int] = {}
    fingerprint = settings.fingerprint(settings.location())
    given_up = identifier_of(time.time() - GIVEN_UP)
    if everything:
        rest.note(spool.directory, None)
    waiting = spool.identifiers()
    for identifier in waiting if most is None else waiting[:LOOKED_AT]:
        rests = rest.read(spool.directory).holds(fingerprint)
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


def _locked(spool: Spool, identifier: str) -> Entry | None:
    """Return an item, locked; None if it is not for us. One that cannot be read must not stop those behind it."""
    try:
        return spool.lock(identifier)
    except (NewerItem, SpoolError) as error:
        spool.leave(identifier, str(error))
        return None


def _deliver_one_of_many(entry: Entry, spool: Spool) -> str:
    """Deliver an item; trouble with one must not stop those behind it."""
    try:
        return deliver(entry, spool)
    except Exception as error:
        log.write(syslog.LOG_ERR, f"error id={entry.item.id}: {type(error).__name__}: {events.clean(str(error), 1000)}")
        return "deferred"


def deliver(entry: Entry, spool: Spool | None = None) -> str:
    """Try an item once; returns its state: ``sent``, ``deferred``, ``failed`` or ``skipped``. Raises SpoolError."""
    from pbxnotify import settings
    from pbxnotify.attempt import Attempt

    path = settings.location()
    attempt = Attempt(entry, spool, settings.fingerprint(path))
    state = _try(attempt, path)
    for alert in attempt.alerts:
        if state == "failed":
            deliver(alert)
        else:  # the relay takes nothing just now, and should not be asked again so soon
            alert.say("failed")
    return state


def _try(attempt: Attempt, path: str) -> str:
    """Do what an attempt takes, in the order of the diagram; returns the state of its item. Raises SpoolError."""
    from pbxnotify import settings, smtp
    from pbxnotify.recipients import told_of

    try:
        if attempt.rest.holds(attempt.fingerprint):
            return attempt.wait_for_relay(attempt.rest.reason)
        configured = settings.load_as_of(path, attempt.fingerprint)
        attempt.language = configured.notifications.language
        told = told_of(attempt.entry.item.event, configured)
        if not told.recipients:
            return attempt.told_nobody(told)
        untold = attempt.untold(told)
        if untold and attempt.rest.holds(attempt.fingerprint, [recipient.address for recipient in untold]):
            return attempt.wait_for_address()
        if untold:
            attempt.attachment(configured)  # may take a minute, for which no relay would wait
            with smtp.Relay(configured.smtp) as relay:
                attempt.send(relay, untold, configured)
                return attempt.settle(configured)  # before QUIT, whose answer may take two seconds
        return attempt.settle(configured)
    except (RelayUnavailable, RelayMisconfigured, SettingsError) as error:
        return attempt.relay_failed(error)
    except PbxnotifyError:
        raise
    except Exception as error:  # a fault of ours in one item must neither lose it nor stop those behind it
        return attempt.puzzled(error)
