"""Sends an item: each recipient gets a mail of their own, and what became of it is recorded in the queue file."""

from __future__ import annotations

import errno
import time
from contextlib import suppress

from pbxnotify.errors import (
    MailDeferred,
    MailRefused,
    OutcomeUnknown,
    RelayError,
    RelayMisconfigured,
    RelayUnavailable,
    SpoolError,
)
from pbxnotify.events import Voicemail
from pbxnotify.mail.compose import compose
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.smtp.replies import TRANSACTION, Concern, answer_of, concern_of
from pbxnotify.spool.item import RecipientState
from pbxnotify.spool.queue_file import QueueFile

if TYPE_CHECKING:
    from pbxnotify.delivery.recipients import Recipients
    from pbxnotify.mail.attachment import Attachment
    from pbxnotify.mail.context import Recipient
    from pbxnotify.settings.sections import Settings
    from pbxnotify.smtp.client import Relay

AFTER_DEATH: dict[str, RecipientState] = {
    RecipientState.SENDING: RecipientState.UNKNOWN,
    RecipientState.SENDING_AGAIN: RecipientState.UNKNOWN_TWICE,
}
"""What the record of a process that died before the relay's answer means; after the second time nobody tries again."""


class Doubt(NamedTuple):
    """A refusal that may be about us, after which no mail was accepted."""

    address: str
    refusal: MailRefused


class Attempt:
    """One attempt to send an item, and its results."""

    def __init__(self, queue_file: QueueFile) -> None:
        self.queue_file = queue_file
        self.others_were_accepted = False  # since the relay refused this item: another refusal is about it alone
        self.began = time.time()
        self.states_before = queue_file.item.recipients
        self.accepted = 0
        self.refused: dict[str, RelayError] = {}
        self.deferred: dict[str, MailDeferred] = {}
        self.doubt: Doubt | None = None
        self.too_large = ""  # why somebody was sent the mail without the recording
        self.prepared: Attachment | None = None  # the recording as all recipients get it, once it is prepared
        self._addresses: set[str] = set()  # the addresses of all recipients, those who have the mail included

    def missing(self, recipients: Recipients) -> list[Recipient]:
        """Return those who do not have the mail yet; for those to whom a dead process was sending, that is unknown."""
        item = self.queue_file.item
        states = {address: AFTER_DEATH.get(state, state) for address, state in item.recipients.items()}
        self.queue_file.item = item._replace(recipients=states, decided=True)
        self.states_before = states
        self._addresses = {recipient.address for recipient in recipients.recipients}
        unknown = RecipientState.UNKNOWN
        return [one for one in recipients.recipients if states.get(one.address, unknown) == unknown]

    def send(self, relay: Relay, recipients: list[Recipient], settings: Settings) -> None:
        """Send each recipient a mail over one connection. Raises RelayUnavailable, RelayMisconfigured."""
        for recipient in recipients:
            attachment = self.attachment(settings)
            try:
                self._send(relay, recipient, settings, attachment)
            except (MailRefused, RelayMisconfigured) as error:
                if attachment and attachment.content and _may_be_for_the_attachment(error):
                    self._send_without(relay, recipient, settings, attachment, error)
                else:
                    self._note_refusal(recipient.address, error)

    def _send_without(
        self, relay: Relay, recipient: Recipient, settings: Settings, attachment: Attachment, refusal: RelayError
    ) -> None:
        """Send a mail without its recording, for which it may have been refused."""
        try:
            self._send(relay, recipient, settings, attachment._replace(content=b"", too_large=len(attachment.content)))
        except (MailRefused, RelayMisconfigured) as error:
            self._note_refusal(recipient.address, error)
        else:
            self.too_large = f"sent without the recording, because {refusal}"

    def _note_refusal(self, address: str, error: MailRefused | RelayMisconfigured) -> None:
        """Note a refusal of this recipient's mail. Raises RelayMisconfigured if it is about us.

        It is so, too, if two recipients in a row meet the same answer, of which nothing says what it is about.
        """
        if self.others_were_accepted and error.stage in TRANSACTION:
            self.refused[address] = error
        elif isinstance(error, RelayMisconfigured):
            raise error
        elif self.doubt and answer_of(self.doubt.refusal) == answer_of(error):
            raise error.become(RelayMisconfigured)
        else:
            self.refused[address] = error
            if concern_of(error) == Concern.UNKNOWN and not self.accepted:
                self.doubt = Doubt(address, error)

    def attachment(self, settings: Settings) -> Attachment | None:
        """Return the recording as all recipients get it, prepared once; None if none is wanted."""
        event = self.queue_file.item.event
        if isinstance(event, Voicemail) and self.prepared is None:
            from pbxnotify.mail.attachment import prepare_attachment

            recording, scratch = self.queue_file.open_recording, self.queue_file.scratch
            self.prepared = prepare_attachment(recording, event, settings.voicemail, scratch)
        return self.prepared

    def mark(self, address: str, state: str | None) -> None:
        """Record the state of a recipient; a disk that takes no record must not keep the mail from leaving."""
        if self.queue_file.item.recipients.get(address) != state:
            with suppress(SpoolError):
                self.queue_file.mark(address, state)

    def _send(self, relay: Relay, recipient: Recipient, settings: Settings, attachment: Attachment | None) -> None:
        address, item = recipient.address, self.queue_file.item
        mail = compose(item.event, item.id, recipient, settings, attachment)
        before = item.recipients.get(address)
        sending, unknown = RecipientState.SENDING, RecipientState.UNKNOWN
        if before == RecipientState.UNKNOWN:
            sending, unknown = RecipientState.SENDING_AGAIN, RecipientState.UNKNOWN_TWICE
        try:
            relay.send(address, mail, lambda: self._mark_before_final_dot(address, sending))
        except OutcomeUnknown as error:
            self.mark(address, unknown)
            raise RelayUnavailable(str(error), stage=error.stage) from error
        except RelayError as error:
            self.mark(address, before)
            if not isinstance(error, MailDeferred):
                raise
            self.deferred[address] = error
        else:
            self.accepted, self.doubt = self.accepted + 1, None
            is_whole = not isinstance(item.event, Voicemail) or bool(attachment and attachment.content)
            self._record_accepted(address, RecipientState.SENT if is_whole else RecipientState.SENT_WITHOUT)

    def _record_accepted(self, address: str, state: RecipientState) -> None:
        """Record that a recipient has the mail; not if it was the last one missing, as the item is removed at once.

        To remove it is one step on the disk, and needs one fsync of the two that a record does.
        """
        item = self.queue_file.item
        states = {**item.recipients, address: state}
        is_last = self._addresses <= set(states) and set(states.values()) == {RecipientState.SENT}
        if is_last and not isinstance(item.event, Voicemail):
            self.queue_file.item = item._replace(recipients=states)
        else:
            self.mark(address, state)

    def _mark_before_final_dot(self, address: str, state: RecipientState) -> None:
        """Record that a mail leaves now. Raises SpoolError if the item could be neither recorded nor removed then.

        That is a disk which has failed or is read-only; a full one lets the item be removed.
        """
        try:
            self.queue_file.mark(address, state)
        except SpoolError as error:
            if getattr(error.__cause__, "errno", 0) not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise


def _may_be_for_the_attachment(error: RelayError) -> bool:
    """Return whether a mail was perhaps refused for its recording: at MAIL, its size is all that is known of it."""
    is_unclear = concern_of(error) == Concern.UNKNOWN and error.stage in ("MAIL", "DATA", "message")
    return concern_of(error) == Concern.SIZE or is_unclear
