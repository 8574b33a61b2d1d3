"""Who is told: the employees who missed a call, and the common addresses; the administrator for an alert."""

from __future__ import annotations

from collections.abc import Iterable

from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.context import Recipient
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Employee, Settings
from pbxnotify.settings.validators import DIAL_STATUSES


class Recipients(NamedTuple):
    """Who is to be told, or why nobody is."""

    recipients: tuple[Recipient, ...] = ()
    reason: str = ""
    switched_off: bool = False
    """Nobody is told because of a switch: what was deferred before is kept until it is switched on again."""


def recipients_of(event: Event, settings: Settings) -> Recipients:
    """Return who is told of an event, each address once."""
    if not settings.notifications.enabled:
        return Recipients(reason="notifications are switched off", switched_off=True)
    if isinstance(event, Alert):
        return _told_of_alert(settings)
    if isinstance(event, Voicemail):
        return _told_of_voicemail(event, settings)
    return _told_of_missed_call(event, settings)


def _told_of_alert(settings: Settings) -> Recipients:
    language = settings.notifications.language
    recipients = _each_once(Recipient(address, language) for address in settings.notifications.admin_email)
    return Recipients(recipients, "" if recipients else "admin_email is empty")


def _told_of_voicemail(voicemail: Voicemail, settings: Settings) -> Recipients:
    """Return the employees who missed the call, if they have an e-mail, and always the common address."""
    if not settings.voicemail.enabled:
        return Recipients(reason="voicemail mails are switched off", switched_off=True)
    recipients: list[Recipient] = []
    for extension in voicemail.extensions:
        employee = settings.employee(extension)
        if employee is not None and employee.voicemail:
            recipients += _at_work(employee, extension, settings)
    # A message that would reach nobody goes to the common address for missed calls: it is a call that nobody answered.
    common = settings.voicemail.email or (() if recipients else settings.missed_calls.email)
    language = settings.notifications.language
    recipients += (Recipient(address, language, voicemail.extensions) for address in common)
    if not recipients:
        who = ", ".join(voicemail.extensions) or "it"
        return Recipients(
            reason=f"{who} is no employee with an e-mail who wants voicemail, and no common address is set"
        )
    return Recipients(_each_once(recipients))


def _at_work(employee: Employee, extension: str, settings: Settings) -> Iterable[Recipient]:
    """Return an employee's addresses, each told about this extension."""
    language = employee.language or settings.notifications.language
    return (Recipient(address, language, (extension,)) for address in employee.emails)


def _told_of_missed_call(call: MissedCall, settings: Settings) -> Recipients:
    missed_calls = settings.missed_calls
    if not missed_calls.enabled:
        return Recipients(reason="missed calls are switched off", switched_off=True)
    if call.voicemail and not missed_calls.after_voicemail and _is_told_by_voicemail(call, settings):
        return Recipients(reason="the caller left a voicemail, and after_voicemail is off")
    if call.dial_status in DIAL_STATUSES and call.dial_status not in missed_calls.causes:
        return Recipients(reason=f"{call.dial_status} is not among the causes")
    if not missed_calls.internal_calls and _is_internal(call, settings):
        return Recipients(reason="internal calls are switched off")
    recipients: list[Recipient] = []
    fits_nobody: list[str] = []
    opted_out: list[str] = []
    for extension in call.extensions or ("",):
        employee = settings.employee(extension)
        if employee is not None and not employee.missed_calls:
            opted_out.append(extension)
        elif employee is None or not employee.emails:
            fits_nobody.append(extension)
        else:
            recipients += _at_work(employee, extension, settings)
    if fits_nobody:
        language = settings.notifications.language
        recipients += (Recipient(address, language, tuple(filter(None, fits_nobody))) for address in missed_calls.email)
    if not recipients and opted_out:
        return Recipients(reason=f"{', '.join(opted_out)} does not want missed-call mails")
    reason = "" if recipients else f"{', '.join(fits_nobody) or 'the call'} fits no employee with an e-mail"
    return Recipients(_each_once(recipients), reason and f"{reason}, and [missed_calls] email is empty")


def _is_told_by_voicemail(call: MissedCall, settings: Settings) -> bool:
    """Return whether the mail about the voicemail says it all: one that reaches nobody would lose the call."""
    return bool(_told_of_voicemail(Voicemail(extensions=call.extensions), settings).recipients)


def _is_internal(call: MissedCall, settings: Settings) -> bool:
    """Return whether the caller and everyone who was called are employees."""
    return all(settings.employee(number) for number in (call.caller_number, *call.extensions))


def _each_once(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return one recipient an address, told about all the extensions its namesakes were to be told about."""
    merged: dict[str, Recipient] = {}
    for recipient in recipients:
        key = recipient.address.lower()
        first = merged.setdefault(key, recipient)
        extensions = dict.fromkeys(first.extensions + recipient.extensions)
        merged[key] = first._replace(extensions=tuple(extensions))
    return tuple(merged.values())
