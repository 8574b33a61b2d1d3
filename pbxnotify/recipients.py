"""Who is told: the employees who missed a call, else the common address; the administrator for an alert."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pbxnotify.events import Alert, Event, MissedCall
from pbxnotify.settings import Employee, Settings
from pbxnotify.values import DIAL_STATUSES, SHORTEST_MOBILE, national


@dataclass(frozen=True)
class Recipient:
    """One address, which gets one mail of its own."""

    address: str
    language: str
    extensions: tuple[str, ...] = ()
    """The extensions this recipient is told about."""


@dataclass(frozen=True)
class Told:
    """Who is to be told, or why nobody is."""

    recipients: tuple[Recipient, ...] = ()
    reason: str = ""
    switched_off: bool = False
    """Nobody is told because of a switch: what was deferred before is kept until it is switched on again."""


def told_of(event: Event, settings: Settings) -> Told:
    """Return who is told of an event, each address once."""
    if not settings.notifications.enabled:
        return Told(reason="notifications are switched off", switched_off=True)
    if isinstance(event, Alert):
        return _told_of_alert(settings)
    return _told_of_missed_call(event, settings)


def _told_of_alert(settings: Settings) -> Told:
    language = settings.notifications.language
    recipients = _each_once(Recipient(address, language) for address in settings.notifications.admin_email)
    return Told(recipients, "" if recipients else "admin_email is empty")


def _told_of_missed_call(call: MissedCall, settings: Settings) -> Told:
    missed_calls = settings.missed_calls
    if not missed_calls.enabled:
        return Told(reason="missed calls are switched off", switched_off=True)
    if call.dial_status in DIAL_STATUSES and call.dial_status not in missed_calls.causes:
        return Told(reason=f"{call.dial_status} is not among the causes")
    if not missed_calls.internal_calls and _is_internal(call, settings):
        return Told(reason="internal calls are switched off")
    recipients: list[Recipient] = []
    fits_nobody: list[str] = []
    opted_out: list[str] = []
    for extension in call.extensions or ("",):
        employee = find_employee(extension, settings.employees)
        if employee is not None and not employee.missed_calls:
            opted_out.append(extension)
        elif employee is None or not employee.emails:
            fits_nobody.append(extension)
        else:
            language = employee.language or settings.notifications.language
            recipients += (Recipient(address, language, (extension,)) for address in employee.emails)
    if fits_nobody:
        language = settings.notifications.language
        recipients += (Recipient(address, language, tuple(filter(None, fits_nobody))) for address in missed_calls.email)
    if not recipients and opted_out:
        return Told(reason=f"{', '.join(opted_out)} does not want missed-call mails")
    reason = "" if recipients else f"{', '.join(fits_nobody) or 'the call'} fits no employee with an e-mail"
    return Told(_each_once(recipients), reason and f"{reason}, and [missed_calls] email is empty")


def _is_internal(call: MissedCall, settings: Settings) -> bool:
    """Return whether the caller and everyone who was called are employees."""
    return all(find_employee(number, settings.employees) for number in (call.caller_number, *call.extensions))


def find_employee(number: str, employees: Iterable[Employee]) -> Employee | None:
    """Return the employee with this extension, else with this mobile number however it is written."""
    digits = national(number)
    by_mobile = None
    for employee in employees:
        if employee.extension == number:
            return employee
        if by_mobile is None and len(digits) >= SHORTEST_MOBILE and digits in map(national, employee.mobiles):
            by_mobile = employee
    return by_mobile


def _each_once(recipients: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return one recipient an address, told about all the extensions its namesakes were to be told about."""
    merged: dict[str, Recipient] = {}
    for recipient in recipients:
        key = recipient.address.lower()
        first = merged.setdefault(key, recipient)
        extensions = dict.fromkeys(first.extensions + recipient.extensions)
        merged[key] = replace(first, extensions=tuple(extensions))
    return tuple(merged.values())
