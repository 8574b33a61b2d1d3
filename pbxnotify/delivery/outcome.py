"""Decides what follows from an attempt: the item is sent, deferred, failed or skipped, and the admin may be alerted."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pbxnotify import errors
from pbxnotify.delivery.attempt import Attempt
from pbxnotify.events import Alert, Voicemail
from pbxnotify.languages.language import DEFAULT_LANGUAGE, load_language
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.smtp.replies import TRANSACTION, Concern, answer_of, concern_of
from pbxnotify.spool import state
from pbxnotify.spool.backoff import DELAYS, MOST_FAILURES, RelayBackoff, read_backoff, retry_delay, write_backoff
from pbxnotify.spool.item import SWITCHED_OFF, RecipientState
from pbxnotify.spool.store import Spool
from pbxnotify.spool.unkept import UnkeptItem

if TYPE_CHECKING:
    from typing import Any

    from pbxnotify.delivery.recipients import Recipients
    from pbxnotify.settings.sections import Settings
    from pbxnotify.spool.item import Item, ItemState

GIVEN_UP, ATTEMPTS = 5 * 86400.0, 20
"""Seconds (RFC 5321 section 4.5.4.1) and attempts, both, after which an item that still waits goes to failed/: a clock
that was wrong and is set right makes an item years old in a minute."""
MAY_HAVE_IT = "twice the connection ended between the final dot and the relay's answer: the relay may have it"


def is_given_up(item: Item, attempts: int) -> bool:
    """Return whether an item has waited long enough after so many attempts, its own or of the relay."""
    return time.time() - item.queued > GIVEN_UP and attempts >= ATTEMPTS


class Outcome:
    """What follows from one attempt; each public method but ``backoff`` returns the state the item is in then."""

    def __init__(self, attempt: Attempt, spool: Spool | None, fingerprint: str) -> None:
        self.backoff = read_backoff(spool.directory) if spool else RelayBackoff()
        """The relay backoff when the attempt began."""
        self.language = DEFAULT_LANGUAGE  # the administrator's, once the settings are known
        self.alerts: list[UnkeptItem] = []  # alerts for the administrator that no disk would take
        self._attempt = attempt
        self._queue_file = attempt.queue_file
        self._spool = spool
        self._fingerprint = fingerprint

    def settle(self, settings: Settings) -> ItemState:
        """Handle an item about which the relay has answered for every recipient. Raises RelayMisconfigured."""
        attempt, refused = self._attempt, self._attempt.refused
        if attempt.doubt:
            return self._doubt(*attempt.doubt)
        if self._spool:
            self._end_backoff(self._spool)
        for address in refused:
            attempt.mark(address, RecipientState.REFUSED)
        if attempt.deferred:
            reason = "; ".join(map(str, attempt.deferred.values()))
            return self._defer(reason, attempts=self._queue_file.item.attempts + 1)
        lasting = "; ".join(self._lasting())
        if lasting:
            return self._fail(lasting, doubted=any(_is_doubted(one) for one in refused.values()))
        self._queue_file.end("sent", "; ".join(self._remarks(settings)))
        return "sent"

    def nobody_to_notify(self, recipients: Recipients) -> ItemState:
        """Handle an item that has no recipients: one that once had some is kept, or that has waited for a relay."""
        item = self._queue_file.item
        if not item.decided and not (recipients.switched_off and item.reason):
            self._queue_file.end("skipped", recipients.reason)
            self._forget_alert()
            return "skipped"
        if recipients.switched_off:
            return self._defer_longest(f"{recipients.reason}; {SWITCHED_OFF}")
        return self._fail(f"nobody is left to notify: {recipients.reason}")

    def relay_failed(self, error: errors.PbxnotifyError) -> ItemState:
        """Handle an item that could not leave because no mail can: all items wait for the relay backoff."""
        if self._spool:
            if self._attempt.accepted:
                self._end_backoff(self._spool)
            is_temporary = isinstance(error, (errors.RelayUnavailable, errors.LoginUnavailable))
            self._extend_backoff(self._spool, error, is_temporary=is_temporary)
        self._mark_refused()
        if self._spool and isinstance(error, errors.RelayError) and _may_be_about_the_item(error):
            # Once the backoff is over, those behind it go first.
            attempts, doubted = self._queue_file.item.attempts + 1, isinstance(error, errors.RelayMisconfigured)
            due = max(read_backoff(self._spool.directory).until, time.time() + retry_delay(attempts))
            return self._defer(str(error), attempts=attempts, due=due + DELAYS[0], doubted=doubted)
        return self.wait_for_relay(str(error))

    def wait_for_relay(self, reason: str, due: float = 0.0) -> ItemState:
        """Defer an item that waits for the relay only: as long as the relay backoff, or until a time of its own."""
        return self._defer(reason, due=due)

    def internal_error(self, error: Exception) -> ItemState:
        """Defer an item that pbxnotify cannot handle: it waits for a version that can."""
        reason = f"a bug in pbxnotify, please report it: {type(error).__name__}: {error}"
        return self._defer(reason, attempts=self._queue_file.item.attempts + 1)

    def _extend_backoff(self, spool: Spool, error: errors.PbxnotifyError, *, is_temporary: bool) -> None:
        """Record that the relay has failed; an error in the settings alerts the administrator once."""
        noted = read_backoff(spool.directory)
        known = noted.failures if noted.settings == self._fingerprint else 0
        if known and noted.was_noted_since(self._attempt.began):
            return
        now = time.time()
        until = now + retry_delay(known + 1 if is_temporary else MOST_FAILURES)
        already_notified = bool(known and noted.told)
        notified = already_notified or not is_temporary
        write_backoff(spool.directory, RelayBackoff(known + 1, until, self._fingerprint, str(error), now, notified))
        if notified and not already_notified:
            self._alert_of_settings(error)

    def _end_backoff(self, spool: Spool) -> None:
        """End the relay backoff once the relay accepts a mail; if only it could not be reached, once it answers."""
        attempt, before = self._attempt, self.backoff
        answers = attempt.refused or attempt.deferred
        if before != RelayBackoff() and (attempt.accepted or (answers and not (before.told or before.address))):
            write_backoff(spool.directory, None)
        if attempt.accepted:
            event = self._queue_file.item.event
            state.write(spool.directory, state.SENT, f"{event.kind} {' -> '.join(event.parties())}")

    def _doubt(self, address: str, refusal: errors.MailRefused) -> ItemState:
        """Handle an item whose refusal may be about us, or about its recipient, for whom alone no mail is tried then.

        When the next one meets the same it is a block: trying on would extend it. Raises RelayMisconfigured then.
        """
        answer, now = answer_of(refusal), time.time()
        if self._spool:
            noted = read_backoff(self._spool.directory)
            if noted.told or (noted.address and noted.answer == answer):  # nothing was accepted since
                raise refusal.become(errors.RelayMisconfigured)
            until = now + retry_delay(MOST_FAILURES)
            backoff = RelayBackoff(0, until, self._fingerprint, str(refusal), now, address=address, answer=answer)
            write_backoff(self._spool.directory, backoff)
        self._alert_of_settings(refusal)
        self._mark_refused()
        return self._defer_longest(str(refusal), doubted=True)

    def _mark_refused(self) -> None:
        """Record who was refused for their own sake."""
        for address, refused in self._attempt.refused.items():
            if not _is_doubted(refused):
                self._attempt.mark(address, RecipientState.REFUSED)

    def _remarks(self, settings: Settings) -> Iterator[str]:
        """Yield what to log about a voicemail that everybody has; it is deleted from the mailbox if that is wanted."""
        event, attachment = self._queue_file.item.event, self._attempt.prepared
        if not isinstance(event, Voicemail):
            return
        if attachment and attachment.remark:
            yield attachment.remark
        if self._attempt.too_large:
            yield self._attempt.too_large
        if settings.voicemail.after_mailing == "delete":
            if set(self._queue_file.item.recipients.values()) == {RecipientState.SENT}:
                from pbxnotify.asterisk.expunge import expunge_message

                yield expunge_message(event)
            else:
                yield "kept in the mailbox, because not every recipient has the recording"

    def _lasting(self) -> Iterator[str]:
        """Yield why some recipients will not be tried again."""
        yield from map(str, self._attempt.refused.values())
        for address, known in self._queue_file.item.recipients.items():
            if known == RecipientState.UNKNOWN_TWICE:
                yield f"{address}: {MAY_HAVE_IT}"
            elif known == RecipientState.REFUSED and address not in self._attempt.refused:
                yield f"{address} was refused before"

    def _defer(self, reason: str, **fields: Any) -> ItemState:
        """Keep the item for a later attempt."""
        item = self._queue_file.item
        if self._spool is None:
            return self._fail(f"it could be neither queued ({item.reason}) nor sent: {reason}")
        now, backoff = time.time(), read_backoff(self._spool.directory)
        if is_given_up(item, max(fields.get("attempts", item.attempts), backoff.failures)):
            return self._fail(f"not delivered in five days: {reason}", doubted=True)
        fields.setdefault("due", now + retry_delay(fields.get("attempts", 1)))
        fields["queued"] = min(item.queued, now)  # by a clock that was ahead: it would never grow old
        next_try = fields["due"] or backoff.until
        when = time.strftime("%H:%M:%S", time.localtime(next_try)) if next_try > time.time() else "the next queue run"
        try:
            self._queue_file.change(settings=self._fingerprint, reason=f"{reason}; next try at {when}", **fields)
        except errors.SpoolError:
            before, refused = self._attempt.states_before, RecipientState.REFUSED
            new = [name for name, known in item.recipients.items() if known not in (refused, before.get(name))]
            if new:  # they would get it again with each attempt
                return self._fail(f"the disk takes no record, and {', '.join(new)} may have it by now: {reason}")
        self._queue_file.log_state("deferred")
        return "deferred"

    def _defer_longest(self, reason: str, *, doubted: bool = False) -> ItemState:
        """Keep the item for an attempt in an hour."""
        attempts, due = self._queue_file.item.attempts + 1, time.time() + retry_delay(MOST_FAILURES)
        return self._defer(reason, attempts=attempts, due=due, doubted=doubted)

    def _fail(self, reason: str, *, doubted: bool = False) -> ItemState:
        """Move the item to failed/, and alert the administrator."""
        self._queue_file.fail(reason, doubted=doubted)
        self._forget_alert()
        item, words = self._queue_file.item, load_language(self.language)
        subject = words.failed_voicemail if isinstance(item.event, Voicemail) else words.failed_missed_call
        text = words.failed_text.format(reason=reason, item=item.id)
        self._alert(subject, text, f"failed-{'-'.join(sorted(self._attempt.refused)) or 'unsent'}")
        return "failed"

    def _forget_alert(self) -> None:
        """Let an alert that reached nobody be raised again."""
        if self._spool and isinstance(self._queue_file.item.event, Alert):
            self._spool.forget(self._queue_file.item.event)

    def _alert_of_settings(self, error: errors.PbxnotifyError) -> None:
        words = load_language(self.language)
        self._alert(words.held, words.held_text.format(reason=error), f"held-{self._fingerprint}")

    def _alert(self, subject: str, body: str, key: str) -> None:
        """Queue an alert for the administrator, once a day for one key. An alert that fails raises none."""
        if self._spool and not isinstance(self._queue_file.item.event, Alert):
            alert = Alert(time.time(), subject, body, key)
            try:
                queued = self._spool.add(alert)
                if queued:
                    queued.release()
            except errors.SpoolError as error:
                self.alerts.append(UnkeptItem(alert, str(error)))


def _may_be_about_the_item(error: errors.RelayError) -> bool:
    """Return whether it is perhaps this item that the relay cannot take; at MAIL it has an answer to that then."""
    return error.stage in TRANSACTION and not (error.stage == "MAIL" and error.code in (0, 421))


def _is_doubted(refusal: errors.RelayError) -> bool:
    """Return whether a refusal is, or may be, about us."""
    return concern_of(refusal).is_us or concern_of(refusal) == Concern.UNKNOWN
