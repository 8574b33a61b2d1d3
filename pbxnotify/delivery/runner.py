"""Delivers items: a new one, and those in the queue that are due, oldest first."""

from __future__ import annotations

import syslog
import time
from collections.abc import Callable

from pbxnotify import errors, log
from pbxnotify.delivery.attempt import Attempt
from pbxnotify.delivery.outcome import GIVEN_UP, Outcome
from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.item import identifier_of
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.spool.item import ItemState

TAKEN_ALONG = 3  # due items that a successful delivery takes along
LOOKED_AT = 30
"""The number of oldest items looked at for that, at 0.05 ms each; what is due behind them leaves with ``queue run``."""
STATUS: dict[ItemState, str] = {"sent": "SENT", "deferred": "QUEUED", "failed": "FAILED", "skipped": "SKIPPED"}
"""PBXNOTIFYSTATUS of a held call, by the state of its item."""


def deliver_and_take_along(spool: Spool, queue_file: QueueFile, report: Callable[[str], None]) -> None:
    """Deliver a new item, report its PBXNOTIFYSTATUS, and take along what is due. Raises SpoolError."""
    with spool.in_turn():
        state = deliver(queue_file, spool)
        report(STATUS[state])
        queue_file.release()
        if state == "sent":
            run_queue(spool, most=TAKEN_ALONG)


def run_queue(spool: Spool, *, everything: bool = False, most: int | None = None) -> dict[ItemState, int]:
    """Try what is due, oldest first, with ``everything`` also what is not; returns the number of items by new state."""
    states: dict[ItemState, int] = {}
    fingerprint = ini_fingerprint(ini_path())
    given_up = identifier_of(time.time() - GIVEN_UP)
    if everything:
        write_backoff(spool.directory, None)
    waiting = spool.identifiers()
    for identifier in waiting if most is None else waiting[:LOOKED_AT]:
        backs_off = read_backoff(spool.directory).holds(fingerprint)
        if sum(states.values()) == most or (backs_off and identifier > given_up):
            break
        queue_file = _locked(spool, identifier)
        if queue_file is None:
            continue
        given_up_now = time.time() - queue_file.item.queued > GIVEN_UP
        if everything or (queue_file.item.is_due(fingerprint) and (given_up_now or not backs_off)):
            state = _deliver_one_of_many(queue_file, spool)
            states[state] = states.get(state, 0) + 1
        queue_file.release()
    return states


def _locked(spool: Spool, identifier: str) -> QueueFile | None:
    """Return an item, locked; None if it is not for us. One that cannot be read must not stop those behind it."""
    try:
        return spool.lock(identifier)
    except (errors.NewerItem, errors.SpoolError) as error:
        spool.log_untouched(identifier, str(error))
        return None


def _deliver_one_of_many(queue_file: QueueFile, spool: Spool) -> ItemState:
    """Deliver an item; an error with one must not stop those behind it."""
    try:
        return deliver(queue_file, spool)
    except Exception as error:
        identifier, why = queue_file.item.id, clean(str(error), 1000)
        log.write(syslog.LOG_ERR, f"error id={identifier}: {type(error).__name__}: {why}")
        return "deferred"


def deliver(queue_file: QueueFile, spool: Spool | None = None) -> ItemState:
    """Try an item once; returns its state then. Raises SpoolError."""
    path = ini_path()
    fingerprint, attempt = ini_fingerprint(path), Attempt(queue_file)
    outcome = Outcome(attempt, spool, fingerprint)
    state = _try(attempt, outcome, path, fingerprint)
    for alert in outcome.alerts:
        if state == "failed":
            deliver(alert)
        else:  # the relay takes nothing just now, and should not be asked again so soon
            alert.log_state("failed")
    return state


def _try(attempt: Attempt, outcome: Outcome, path: str, fingerprint: str) -> ItemState:
    """Take the steps of a delivery in order; returns the state of the item. Raises SpoolError."""
    from pbxnotify.smtp.client import Relay  # smtplib and ssl, of which a run with nothing due has no need

    try:
        if outcome.backoff.holds(fingerprint):
            return outcome.wait_for_relay(outcome.backoff.reason)
        settings = load_settings_as_of(path, fingerprint)
        outcome.language = settings.notifications.language
        recipients = recipients_of(attempt.queue_file.item.event, settings)
        if not recipients.recipients:
            return outcome.nobody_to_notify(recipients)
        missing = attempt.missing(recipients)
        if missing and outcome.backoff.holds(fingerprint, [recipient.address for recipient in missing]):
            return outcome.wait_for_relay(outcome.backoff.reason, outcome.backoff.until)
        if missing:
            attempt.attachment(settings)  # may take a minute, for which no relay would wait
            with Relay(settings.smtp) as relay:
                attempt.send(relay, missing, settings)
                return outcome.settle(settings)  # before QUIT, whose answer may take two seconds
        return outcome.settle(settings)
    except (errors.RelayUnavailable, errors.RelayMisconfigured, errors.LoginError, errors.SettingsError) as error:
        return outcome.relay_failed(error)
    except errors.PbxnotifyError:
        raise
    except Exception as error:  # a bug that one item meets must neither lose it nor stop those behind it
        return outcome.internal_error(error)
