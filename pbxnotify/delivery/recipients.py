"""Works out who is notified: employees and common addresses of a call or voicemail, the administrator of an alert."""

from __future__ import annotations

from collections.abc import Iterable

from pbxnotify.asterisk.mailbox import mailbox_contexts
from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.context import Recipient
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Employee, Settings
from pbxnotify.settings.validators import DIAL_STATUSES


class Recipients(NamedTuple):
    """The recipients, or why there are none."""

    recipients: tuple[Recipient, ...] = ()
    reason: str = ""
    switched_off: bool = False
    """There are none because of a switch, or as nothing is set up: what was deferred is kept until that is changed."""


def recipients_of(event: Event, settings: Settings) -> Recipients:
    """Return the recipients of an event, each address once."""
    if not settings.notifications.enabled:
        return Recipients(reason="notifications are switched off", switched_off=True)
    found = _found(event, settings)
    # With the ini file as it is installed: an installation anew, whose queue has waited for it.
    return found if found.recipients or not settings.names_nobody else found._replace(switched_off=True)


def _found(event: Event, settings: Settings) -> Recipients:
    if isinstance(event, Alert):
        language = settings.notifications.language
        recipients = _each_once(Recipient(address, language) for address in settings.notifications.admin_email)
        return Recipients(recipients, "" if recipients else "admin_email is empty")
    if isinstance(event, Voicemail):
        return _recipients_of_voicemail(event, settings)
    return _recipients_of_missed_call(event, settings)


def _recipients_of_voicemail(voicemail: Voicemail, settings: Settings) -> Recipients:
    """Return who missed the call and who owns the mailboxes, if they have an address; and always the common address."""
    if not settings.voicemail.enabled:
        return Recipients(reason="voicemail mails are switched off", switched_off=True)
    recipients: list[Recipient] = []
    for extension in (*voicemail.extensions, *_owners(voicemail, settings)):
        for card in _cards_of(extension, settings):
            if card.voicemail:
                recipients += _addresses_of(card, extension, settings)
    # A message without recipients goes to the common address for missed calls: it is a call that nobody answered.
    common = settings.voicemail.email or (() if recipients else settings.missed_calls.email)
    language = settings.notifications.language
    if voicemail.common:
        recipients += (Recipient(address, language, voicemail.extensions) for address in common)
    if not recipients:
        extensions = ", ".join(voicemail.extensions or voicemail.owners) or "the call"
        return Recipients(reason=f"no employee is sent voicemail for {extensions}, and no common address is set")
    return Recipients(_each_once(recipients))


def _addresses_of(card: Employee, extension: str, settings: Settings) -> Iterable[Recipient]:
    """Return the addresses on a card, for a mail about this extension."""
    language = card.language or settings.notifications.language
    return (Recipient(address, language, (extension,)) for address in card.emails)


def _owners(voicemail: Voicemail, settings: Settings) -> Iterable[str]:
    """Return the cards of the mailboxes that have the message.

    A card without a context is that of the default one, and of another if no other has a mailbox of that number: the
    recording is not for another company's employee.
    """
    for owner in voicemail.owners:
        number, _, context = owner.partition("@")
        if settings.card(owner) or context in ("", "default"):
            yield owner if settings.card(owner) else number
        elif mailbox_contexts().get(number, set()) <= {context}:
            yield number


def _cards_of(extension: str, settings: Settings) -> list[Employee]:
    """Return the card of an employee; for a group, its own and those of its members."""
    group = settings.group(extension)
    if group is None:
        employee = settings.employee(extension)
        return [employee] if employee else []
    members = (settings.employee(member) for member in group.members)
    return [Employee(extension, group.name, group.emails), *filter(None, members)]


def _recipients_of_missed_call(call: MissedCall, settings: Settings) -> Recipients:
    missed_calls = settings.missed_calls
    if not missed_calls.enabled:
        return Recipients(reason="missed calls are switched off", switched_off=True)
    reason = _why_not_mailed(call, settings)
    if reason:
        return Recipients(reason=reason)
    recipients: list[Recipient] = []
    unknown: list[str] = []
    opted_out: list[str] = []
    for extension in filter(lambda one: not _unwanted_cause(call, one, settings), call.extensions or ("",)):
        cards = _cards_of(extension, settings)
        wanting = [card for card in cards if card.missed_calls and card.emails]
        for card in wanting:
            recipients += _addresses_of(card, extension, settings)
        if not wanting:
            (unknown if all(card.missed_calls for card in cards) else opted_out).append(extension)
    if unknown:
        language = settings.notifications.language
        recipients += (Recipient(address, language, tuple(filter(None, unknown))) for address in missed_calls.email)
    if recipients:
        return Recipients(_each_once(recipients))
    if opted_out:
        return Recipients(reason=f"{', '.join(opted_out)} does not want missed-call mails")
    extensions = ", ".join(filter(None, unknown)) or "the call"
    return Recipients(reason=f"no address is known for {extensions}, and [missed_calls] email is empty")


def _unwanted_cause(call: MissedCall, extension: str, settings: Settings) -> str:
    """Return why the phone of an extension did not answer, if nobody is to be notified of that; else an empty text."""
    cause = call.for_phones((extension,)).dial_status
    return cause if cause in DIAL_STATUSES and cause not in settings.missed_calls.causes else ""


def _why_not_mailed(call: MissedCall, settings: Settings) -> str:
    """Return why nobody is notified of a call of this kind; empty if somebody may be."""
    missed_calls = settings.missed_calls
    # The voicemail's mail says it all; if nobody is sent one, the call would be lost.
    left = Voicemail(extensions=call.extensions) if call.voicemail and not missed_calls.after_voicemail else None
    if left and _recipients_of_voicemail(left, settings).recipients:
        return "the caller left a voicemail, and after_voicemail is off"
    causes = [_unwanted_cause(call, extension, settings) for extension in call.extensions or ("",)]
    if all(causes):
        return f"{', '.join(dict.fromkeys(causes))} is not among the causes"
    is_internal = all(settings.card(number) for number in (call.caller_number, *call.extensions))
    return "internal calls are switched off" if is_internal and not missed_calls.internal_calls else ""


def _each_once(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return one recipient per address, for all the extensions of the recipients with that address."""
    merged: dict[str, Recipient] = {}
    for recipient in recipients:
        key = recipient.address.lower()
        first = merged.setdefault(key, recipient)
        extensions = dict.fromkeys(first.extensions + recipient.extensions)
        merged[key] = first._replace(extensions=tuple(extensions))
    return tuple(merged.values())
