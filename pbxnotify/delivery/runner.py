"""Delivers items: a new one, and those in the queue that are due, alerts first, then oldest first.

At most three processes do so at once on a host, each in a place (``Spool.take_place``). Nothing that is due is left
behind: who finds no place releases its item and asks once more; who has given up a place looks at the queue once more.
"""

from __future__ import annotations

import gc
import syslog
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from pbxnotify import errors, log
from pbxnotify.delivery.attempt import Attempt
from pbxnotify.delivery.connection import KeptConnection
from pbxnotify.delivery.outcome import GIVEN_UP, Outcome, is_given_up
from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.files import unlock
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.spool.backoff import RelayBackoff, end_backoff, read_backoff
from pbxnotify.spool.item import identifier_of, is_older
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import CALL_PLACES, QUEUE_PLACES, Spool
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.spool.item import ItemState

TAKEN_ALONG = 3  # due items that a command takes along, for which somebody waits; a call's process takes all
LISTED_AGAIN = 1.0
"""Seconds after which the queue is listed anew, between two items: an alert that has come meanwhile leaves next."""
MINUTE = 60.0  # seconds after which what belongs to each run of the queue is done again by one that is still at work
STATUS: dict[ItemState, str] = {"sent": "SENT", "deferred": "QUEUED", "failed": "FAILED", "skipped": "SKIPPED"}
"""PBXNOTIFYSTATUS of a held call, by the state of its item."""


def deliver_and_take_along(
    spool: Spool, queue_file: QueueFile | None, place: int, places: tuple[str, ...], report: Callable[[str], None]
) -> None:
    """Deliver a new item, report its PBXNOTIFYSTATUS, and take along what is due. Raises SpoolError.

    ``place`` is one of ``places``, and is given up; without an item, it is among what is due.
    """
    run = QueueRun(spool, places, None if places == CALL_PLACES else TAKEN_ALONG)
    try:
        report(run.begin_with(queue_file) if queue_file else "QUEUED")
        run.deliver_due()
    finally:
        unlock(place)
    run.take_along()


def run_queue(spool: Spool, *, everything: bool = False) -> dict[ItemState, int]:
    """Try what is due, with ``everything`` also what is not; returns the number of items by new state."""
    run = QueueRun(spool)
    run.deliver_due(everything=everything)
    return run.states


class QueueRun:
    """One process on its way through the queue; it tries each item once."""

    def __init__(
        self,
        spool: Spool,
        places: tuple[str, ...] = QUEUE_PLACES,
        most: int | None = None,
        each_minute: Callable[[], None] = lambda: None,
    ) -> None:
        """It takes its place among ``places``, and with ``most`` delivers so many items at most.

        ``each_minute`` is called in its place, at first and between two items: a slow relay makes it hours. So it is
        when the ini file has changed meanwhile: systemd starts no second run for what is saved during the first.
        """
        self.states: dict[ItemState, int] = {}
        """The number of items that were tried, by their new state."""
        self._spool = spool
        self._places = places
        self._most = most
        self._each_minute = each_minute
        self._next_minute = 0.0
        self._fingerprint = ""  # of the ini file, as of then
        self._seen: set[str] = set()  # tried, or not due yet
        self._connection = KeptConnection()

    def begin_with(self, queue_file: QueueFile) -> str:
        """Deliver a new item, and release it; returns its PBXNOTIFYSTATUS. Raises SpoolError."""
        self._seen.add(queue_file.item.id)
        state = deliver(queue_file, self._spool, self._connection)
        queue_file.release()
        return STATUS[state]

    def deliver_due(self, *, everything: bool = False) -> None:
        """Try what is due and what becomes due meanwhile, with ``everything`` also what is not. In a place.

        The connection ends with it: a relay counts those of a host, as places do.
        """
        gc.freeze()  # what is there by now stays: to look at it again and again costs 9 % of the CPU time of a mail
        gc.enable()  # which is off in scripts, for they end soon: this one may have hundreds of mails to send
        if everything:
            end_backoff(self._spool.directory)
        with closing(self._connection):
            for identifier, fingerprint in self._waiting():
                self._try_one(identifier, fingerprint, everything)

    def _try_one(self, identifier: str, fingerprint: str, everything: bool) -> None:
        """Try an item, if it is due and nobody has it."""
        queue_file = _locked(self._spool, identifier)
        if queue_file is None:
            return
        self._seen.add(identifier)
        if everything or self._is_due(queue_file, fingerprint):
            state = self._deliver_one_of_many(queue_file)
            self.states[state] = self.states.get(state, 0) + 1
        queue_file.release()

    def take_along(self) -> None:
        """Go on, after a place was given up, until nothing is due or others have all places; they go on then."""
        while not self._is_over() and self._is_anything_due():
            place = self._spool.take_place(self._places)
            if place is None:
                return
            try:
                self.deliver_due()
            finally:
                unlock(place)

    def _is_over(self) -> bool:
        return self._most is not None and sum(self.states.values()) >= self._most

    def _waiting(self) -> Iterator[tuple[str, str]]:
        """Yield what this process has not seen yet, and the fingerprint of the ini file; also what comes meanwhile.

        While the relay backs off, that is only what may be given up.
        """
        passed: set[str] = set()  # others may have them: they are not seen, but not waited for either
        while True:
            listed, fingerprint = time.monotonic(), ini_fingerprint(ini_path())
            if listed >= self._next_minute or fingerprint != self._fingerprint:
                self._each_minute()
                self._next_minute, self._fingerprint = listed + MINUTE, fingerprint
            backs_off = read_backoff(self._spool.directory).holds(fingerprint)
            given_up = identifier_of(time.time() - GIVEN_UP)
            waiting = [one for one in self._spool.identifiers() if one not in self._seen and one not in passed]
            waiting = [one for one in waiting if not backs_off or is_older(one, given_up)]
            for identifier in waiting:
                if read_backoff(self._spool.directory).holds(fingerprint) != backs_off or self._is_over():
                    break
                passed.add(identifier)
                yield identifier, fingerprint
                if time.monotonic() - listed > LISTED_AGAIN:
                    break
            if not waiting or self._is_over():
                return

    def _is_due(self, queue_file: QueueFile, fingerprint: str) -> bool:
        backoff, item = read_backoff(self._spool.directory), queue_file.item
        is_given_up_now = is_given_up(item, max(item.attempts, backoff.failures))
        return item.is_due(fingerprint) and (is_given_up_now or not backoff.holds(fingerprint))

    def _is_anything_due(self) -> bool:
        """Return whether an item is due that nobody has."""
        fingerprint = ini_fingerprint(ini_path())
        if read_backoff(self._spool.directory).holds(fingerprint):
            return False
        for identifier in self._spool.identifiers():
            queue_file = None if identifier in self._seen else _locked(self._spool, identifier)
            if queue_file:
                is_due = queue_file.item.is_due(fingerprint)
                queue_file.release()
                if is_due:
                    return True
                self._seen.add(identifier)
        return False

    def _deliver_one_of_many(self, queue_file: QueueFile) -> ItemState:
        """Deliver an item; an error with one must not stop those behind it."""
        try:
            return deliver(queue_file, self._spool, self._connection)
        except Exception as error:
            identifier, why = queue_file.item.id, clean(str(error), 1000)
            log.write(syslog.LOG_ERR, f"error id={identifier}: {type(error).__name__}: {why}")
            return "deferred"


def _locked(spool: Spool, identifier: str) -> QueueFile | None:
    """Return an item, locked; None if it is not for us. One that cannot be read must not stop those behind it."""
    try:
        return spool.lock(identifier)
    except (errors.NewerItem, errors.SpoolError) as error:
        spool.log_untouched(identifier, str(error))
        return None


def deliver(queue_file: QueueFile, spool: Spool | None = None, connection: KeptConnection | None = None) -> ItemState:
    """Try an item once, over a connection that is kept or its own; returns its state then. Raises SpoolError."""
    if connection is None:
        with closing(KeptConnection()) as own:
            return deliver(queue_file, spool, own)
    path = ini_path()
    fingerprint, attempt = ini_fingerprint(path), Attempt(queue_file)
    outcome = Outcome(attempt, spool, fingerprint)
    attempt.others_were_accepted = queue_file.item.doubted and outcome.backoff == RelayBackoff()
    state = _try(attempt, outcome, connection, path, fingerprint)
    for alert in outcome.alerts:
        if state == "failed":
            deliver(alert, None, connection)
        else:  # the relay takes nothing just now, and should not be asked again so soon
            alert.log_state("failed")
    return state


def _try(attempt: Attempt, outcome: Outcome, connection: KeptConnection, path: str, fingerprint: str) -> ItemState:
    """Take the steps of a delivery in order; returns the state of the item. Raises SpoolError."""
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
            attempt.send(connection.relay(settings.smtp), missing, settings)
        return outcome.settle(settings)
    except (errors.RelayUnavailable, errors.RelayMisconfigured, errors.LoginError, errors.SettingsError) as error:
        return outcome.relay_failed(error)
    except errors.PbxnotifyError:
        raise
    except Exception as error:  # a bug that one item meets must neither lose it nor stop those behind it
        return outcome.internal_error(error)
