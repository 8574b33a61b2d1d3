"""One attempt to deliver an item, and what follows from it: sent, deferred, failed or skipped."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import suppress

from pbxnotify.errors import (
    LoginUnavailable,
    MailDeferred,
    MailRefused,
    OutcomeUnknown,
    PbxnotifyError,
    RelayError,
    RelayMisconfigured,
    RelayUnavailable,
    SpoolError,
)
from pbxnotify.events import Alert, Voicemail
from pbxnotify.languages.language import DEFAULT_LANGUAGE, load_language
from pbxnotify.mail.compose import compose
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.spool import state
from pbxnotify.spool.backoff import DELAYS, MOST_FAILURES, RelayBackoff, read_backoff, retry_delay, write_backoff
from pbxnotify.spool.item import (
    REFUSED,
    SENDING,
    SENDING_AGAIN,
    SENT,
    SENT_WITHOUT,
    SWITCHED_OFF,
    UNKNOWN,
    UNKNOWN_TWICE,
)
from pbxnotify.spool.queue_file import QueueFile, UnkeptItem
from pbxnotify.spool.store import Spool

if TYPE_CHECKING:
    from typing import Any

    from pbxnotify.delivery.recipients import Recipients
    from pbxnotify.mail.attachment import Attachment
    from pbxnotify.mail.context import Recipient
    from pbxnotify.settings.sections import Settings
    from pbxnotify.smtp.client import Relay

GIVEN_UP = 5 * 86400.0
"""Seconds after which an item that still waits goes to failed/, RFC 5321 section 4.5.4.1."""
AFTER_DEATH = {SENDING: UNKNOWN, SENDING_AGAIN: UNKNOWN_TWICE}
"""What the record of a process that died before the relay's answer means; after the second time nobody tries again."""
MAY_HAVE_IT = "twice the connection ended between the final dot and the relay's answer: the relay may have it"


class Attempt:
    """One attempt to deliver an item, and what follows from it."""

    def __init__(self, entry: QueueFile, spool: Spool | None, fingerprint: str) -> None:
        self.entry = entry
        self.fingerprint = fingerprint
        self.rest = read_backoff(spool.directory) if spool else RelayBackoff()
        self._known = entry.item.recipients
        """What was known of the recipients before."""
        self.language = DEFAULT_LANGUAGE
        """The administrator's, once the settings are known."""
        self.alerts: list[UnkeptItem] = []
        """What the administrator should know, and no disk would take."""
        self._spool = spool
        self._began = time.time()
        self._refused: dict[str, MailRefused] = {}
        self._deferred: dict[str, MailDeferred] = {}
        self._accepted = 0
        self._told: set[str] = set()
        """The addresses of all who are to be told now."""
        self._attachment: Attachment | None = None
        self._remark = ""
        """Why somebody got no recording."""

    def untold(self, told: Recipients) -> list[Recipient]:
        """Return those who do not have the mail. Who was being told when a process died has an unknown outcome."""
        states = {address: AFTER_DEATH.get(state, state) for address, state in self.entry.item.recipients.items()}
        self.entry.item = self.entry.item._replace(recipients=states, decided=True)
        self._known = states
        self._told = {recipient.address for recipient in told.recipients}
        return [recipient for recipient in told.recipients if states.get(recipient.address, UNKNOWN) == UNKNOWN]

    def send(self, relay: Relay, recipients: list[Recipient], settings: Settings) -> None:
        """Send each recipient a mail of their own over one connection, and note what became of it."""
        for recipient in recipients:
            attachment = self.attachment(settings)
            self._send(relay, recipient, settings, attachment)
            refused = self._refused.get(recipient.address)
            if attachment and attachment.content and refused and refused.is_for_size:
                del self._refused[recipient.address]
                self._remark = f"sent without the recording, because {refused}"
                too_large = attachment._replace(content=b"", too_large=len(attachment.content))
                self._send(relay, recipient, settings, too_large)

    def attachment(self, settings: Settings) -> Attachment | None:
        """Return the recording as all recipients get it; None if none is wanted. Worked out once."""
        event = self.entry.item.event
        if isinstance(event, Voicemail) and self._attachment is None:
            from pbxnotify.mail.attachment import prepare_attachment

            self._attachment = prepare_attachment(self.entry.recording, event, settings.voicemail, self.entry.scratch)
        return self._attachment

    def _send(self, relay: Relay, recipient: Recipient, settings: Settings, attachment: Attachment | None) -> None:
        address, item = recipient.address, self.entry.item
        mail = compose(item.event, item.id, recipient, settings, attachment)
        is_whole = not isinstance(item.event, Voicemail) or bool(attachment and attachment.content)
        before = item.recipients.get(address)
        sending, unknown = (SENDING_AGAIN, UNKNOWN_TWICE) if before == UNKNOWN else (SENDING, UNKNOWN)
        try:
            relay.send(address, mail, lambda: self._mark_before_final_dot(address, sending))
        except OutcomeUnknown as error:
            self._mark(address, unknown)
            raise RelayUnavailable(str(error), stage=error.stage) from error
        except (MailDeferred, MailRefused, RelayUnavailable, RelayMisconfigured) as error:
            self._mark(address, before)
            if isinstance(error, MailDeferred):
                self._deferred[address] = error
            elif isinstance(error, MailRefused):
                self._refused[address] = error
            else:
                raise
        else:
            self._accepted += 1
            self._note_accepted(address, SENT if is_whole else SENT_WITHOUT)

    def _note_accepted(self, address: str, state: str) -> None:
        """Record that a recipient has the mail; not where it was the last one missing, as the item is removed at once.

        To remove it is one step on the disk, and needs one fsync of the two that a record does.
        """
        item = self.entry.item
        states = {**item.recipients, address: state}
        is_last = self._told <= set(states) and set(states.values()) == {SENT}
        if is_last and not isinstance(item.event, Voicemail):
            self.entry.item = item._replace(recipients=states)
        else:
            self._mark(address, state)

    def _mark_before_final_dot(self, address: str, state: str) -> None:
        """Record that a mail leaves now. Raises SpoolError where an item could be neither recorded nor removed then.

        That is a disk which has failed or may not be written; a full one lets the item be removed.
        """
        try:
            self.entry.mark(address, state)
        except SpoolError as error:
            if getattr(error.__cause__, "errno", 0) not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise

    def _mark(self, address: str, state: str | None) -> None:
        """Record what is known of a recipient; a disk that takes no record must not keep the mail from leaving."""
        if self.entry.item.recipients.get(address) != state:
            with suppress(SpoolError):
                self.entry.mark(address, state)

    def settle(self, settings: Settings) -> str:
        """Return the state of the item once the relay has answered for everybody."""
        refused = self._refused.values()
        if refused and not (self._accepted or self._deferred) and all(error.is_policy for error in refused):
            return self._refused_for_what_we_are()
        if self._spool and self.rest != RelayBackoff() and (self._accepted or self._refused or self._deferred):
            write_backoff(self._spool.directory, None)  # it has answered
        for address in self._refused:
            self._mark(address, REFUSED)
        if self._deferred:
            return self._defer("; ".join(map(str, self._deferred.values())), attempts=self.entry.item.attempts + 1)
        lasting = "; ".join(self._lasting())
        if lasting:
            return self._fail(lasting)
        self.entry.end("sent", "; ".join(self._remarks(settings)))
        if self._spool:
            event = self.entry.item.event
            state.write(self._spool.directory, state.SENT, f"{event.kind} {' -> '.join(event.parties())}")
        return "sent"

    def _remarks(self, settings: Settings) -> Iterator[str]:
        """Yield what the log should say of a voicemail that everybody has, and empty the mailbox of it if wanted."""
        event, attachment = self.entry.item.event, self._attachment
        if not isinstance(event, Voicemail):
            return
        if attachment and attachment.remark:
            yield attachment.remark
        if self._remark:
            yield self._remark
        if settings.voicemail.after_mailing == "delete":
            if set(self.entry.item.recipients.values()) == {SENT}:
                from pbxnotify.asterisk.expunge import expunge_message

                yield expunge_message(event)
            else:
                yield "kept in the mailbox, because not everybody has the recording"

    def _lasting(self) -> Iterator[str]:
        """Yield why some recipients will not be tried again."""
        yield from map(str, self._refused.values())
        for address, known in self.entry.item.recipients.items():
            if known == UNKNOWN_TWICE:
                yield f"{address}: {MAY_HAVE_IT}"
            elif known == REFUSED and address not in self._refused:
                yield f"{address} was refused before"

    def _refused_for_what_we_are(self) -> str:
        """Return the state of an item that policy refuses for every recipient, which says more of us than of them.

        With one recipient it may be theirs alone, and must not hold up the mails for others. When the next one meets
        the same it is a block, as Yandex has them: trying on would extend it.
        """
        (address, error), *others = self._refused.items()
        noted = read_backoff(self._spool.directory) if self._spool else RelayBackoff()
        # Who is refused again while others have been accepted since is refused for themselves.
        nothing_accepted_since = noted.failures > 0
        is_first = not self.entry.item.attempts
        if nothing_accepted_since or (is_first and (others or noted.suspects(self.fingerprint, address))):
            raise RelayMisconfigured(str(error), stage=error.stage, code=error.code, reply=error.reply)
        if self._spool and not others:
            now = time.time()
            until = now + retry_delay(MOST_FAILURES)
            write_backoff(
                self._spool.directory, RelayBackoff(0, until, self.fingerprint, str(error), now, address=address)
            )
        self._tell_of_settings(error)
        return self._defer(str(error), attempts=MOST_FAILURES)

    def told_nobody(self, told: Recipients) -> str:
        """Return the state of an item nobody is to be told of: what was once to be told is kept."""
        if not self.entry.item.decided:
            self.entry.end("skipped", told.reason)
            self._forget_alert()
            return "skipped"
        if told.switched_off:
            return self._defer(f"{told.reason}; {SWITCHED_OFF}", attempts=MOST_FAILURES)
        return self._fail(f"nobody is left to be told: {told.reason}")

    def relay_failed(self, error: PbxnotifyError) -> str:
        """Return the state of an item that could not leave because none can: all wait, the relay is left alone."""
        temporary = isinstance(error, (RelayUnavailable, LoginUnavailable))
        if self._spool:
            noted = read_backoff(self._spool.directory)
            known = noted.failures if noted.settings == self.fingerprint else 0
            if not (known and noted.was_noted_since(self._began)):
                until = time.time() + retry_delay(known + 1 if temporary else MOST_FAILURES)
                told = bool(known and noted.told)
                now, told_now = time.time(), told or not temporary
                failed = RelayBackoff(known + 1, until, self.fingerprint, str(error), now, told_now)
                write_backoff(self._spool.directory, failed)
                if told_now and not told:
                    self._tell_of_settings(error)
        for address, refused in self._refused.items():
            if not refused.is_policy:
                self._mark(address, REFUSED)
        if self._spool and isinstance(error, RelayError) and error.stage in ("RCPT", "DATA", "message"):
            # Perhaps it is this item that the relay cannot take: once the rest is over, those behind it go first.
            attempts = self.entry.item.attempts + 1
            rested = max(read_backoff(self._spool.directory).until, time.time() + retry_delay(attempts))
            return self._defer(str(error), attempts=attempts, due=rested + DELAYS[0])
        return self.wait_for_relay(str(error))

    def _tell_of_settings(self, error: PbxnotifyError) -> None:
        words = load_language(self.language)
        self._tell_admin(words.held, words.held_text.format(reason=error), f"held-{self.fingerprint}")

    def puzzled(self, error: Exception) -> str:
        """Return the state of an item that we cannot handle: it waits for a better version of us."""
        reason = f"a fault of pbxnotify, please report it: {type(error).__name__}: {error}"
        return self._defer(reason, attempts=self.entry.item.attempts + 1)

    def wait_for_relay(self, reason: str) -> str:
        """Return the state of an item that waits for nothing but the relay."""
        return self._defer(reason, due=0.0)

    def wait_for_address(self) -> str:
        """Return the state of an item whose only recipient the relay has just refused for what we are."""
        return self._defer(self.rest.reason, due=self.rest.until)

    def _defer(self, reason: str, **fields: Any) -> str:
        if self._spool is None:
            return self._fail(f"it could not be kept ({self.entry.item.reason}), nor sent: {reason}")
        if time.time() - self.entry.item.queued > GIVEN_UP:
            return self._fail(f"not delivered in five days: {reason}")
        fields.setdefault("due", time.time() + retry_delay(fields.get("attempts", 1)))
        next_try = fields["due"] or read_backoff(self._spool.directory).until
        when = time.strftime("%H:%M:%S", time.localtime(next_try)) if next_try > time.time() else "the next queue run"
        told = f"{reason}; next try at {when}"
        states = self.entry.item.recipients.items()
        may_have_it = [name for name, state in states if state not in (REFUSED, self._known.get(name))]
        if not self.entry.defer(settings=self.fingerprint, reason=told, **fields) and may_have_it:
            # They would get it again with each attempt.
            return self._fail(f"the disk takes no record, and {', '.join(may_have_it)} may have it by now: {reason}")
        self.entry.say("deferred")
        return "deferred"

    def _fail(self, reason: str) -> str:
        self.entry.fail(reason)
        self._forget_alert()
        item, words = self.entry.item, load_language(self.language)
        what = words.failed_voicemail if isinstance(item.event, Voicemail) else words.failed_missed_call
        text = words.failed_text.format(reason=reason, item=item.id)
        self._tell_admin(what, text, f"failed-{'-'.join(sorted(self._refused)) or 'unsent'}")
        return "failed"

    def _forget_alert(self) -> None:
        """Let an alert that nobody was told of be raised again."""
        if self._spool and isinstance(self.entry.item.event, Alert):
            self._spool.forget(self.entry.item.event)

    def _tell_admin(self, subject: str, body: str, key: str) -> None:
        """Queue an alert, once a day for one key. An alert that fails raises none."""
        if self._spool and not isinstance(self.entry.item.event, Alert):
            alert = Alert(time.time(), subject, body, key)
            try:
                kept = self._spool.add(alert)
                if kept:
                    kept.release()
            except SpoolError as error:
                unkept = UnkeptItem(alert)
                unkept.change(reason=str(error))
                self.alerts.append(unkept)
