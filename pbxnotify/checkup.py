"""What ``pbxnotify check`` notes of the ini file: no mistakes, but hardly what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify import parameters, providers
from pbxnotify.settings import Employee, MissedCalls, Settings, Smtp, Voicemail
from pbxnotify.values import did_you_mean


def of_settings(configured: Settings) -> Iterator[str]:
    """Yield the notes, the most important ones first."""
    if not configured.notifications.enabled:
        yield "notifications are switched off: [notifications] enabled = no"
    yield from _of_addresses(configured)
    yield from _of_relay(configured.smtp)
    yield from _of_texts("missed_calls", configured.missed_calls)
    yield from _of_texts("voicemail", configured.voicemail)
    yield from _of_employees(configured.employees)


def _of_addresses(configured: Settings) -> Iterator[str]:
    missed, voicemail = configured.missed_calls, configured.voicemail
    if not missed.email and not voicemail.email and not any(one.emails for one in configured.employees):
        yield "nobody will be told: write [missed_calls] email, [voicemail] email, or [employees] with an email"
    elif missed.enabled and not missed.email:
        yield "[missed_calls] email is empty: nobody is told of a call that fits no employee with an e-mail"
    if voicemail.enabled and not voicemail.email and not missed.email and configured.employees:
        yield "[voicemail] email is empty: nobody gets a message left for somebody without an e-mail"
    if not configured.notifications.admin_email:
        yield "[notifications] admin_email is empty: nobody is told when mail is held up"


def _of_relay(relay: Smtp) -> Iterator[str]:
    if relay.security == "tls" and relay.port in (25, 587):
        yield f"port {relay.port} mostly begins with STARTTLS: write tls:// if the test hangs or fails"
    if relay.security != "tls" and relay.port == 465:
        yield "port 465 mostly speaks TLS from the first byte: write ssl:// if the test hangs or fails"
    if relay.security != "none" and not relay.verify_certificate:
        yield "verify_certificate = no: anybody on the way could pose as the relay and read the password"
    provider = providers.at(relay.host)
    if provider and relay.sender and relay.sender.lower() != relay.login.lower():
        yield f"sender is {relay.sender}, login {relay.login or 'empty'}: {provider.name} {provider.sender}"
    if provider and relay.security == "none":
        yield f"{provider.name} wants an encrypted connection: write host = {provider.host}"


def _of_texts(section: str, texts: MissedCalls | Voicemail) -> Iterator[str]:
    known = parameters.NAMES[section]
    for name in ("subject", "body", "footer"):
        for word in dict.fromkeys(re.findall(r"\b(?:NOTIFICATION|VM)_[A-Z_]+", getattr(texts, name))):
            if word not in known:
                guess = did_you_mean(word, known)
                yield f"[{section}] {name}: {word} is no parameter here{guess}, and is sent as it is written"


def _of_employees(employees: tuple[Employee, ...]) -> Iterator[str]:
    """Note who has two cards: perhaps one was copied, and its name forgotten."""
    first: dict[tuple[str, tuple[str, ...]], Employee] = {}
    for employee in employees:
        key = employee.name.casefold(), tuple(address.lower() for address in employee.emails)
        other = first.setdefault(key, employee)
        if other is not employee and all(key):
            yield (
                f"[[{other.extension}]] and [[{employee.extension}]] are the same employee, {employee.name}: right for"
                " two telephones of one person, else remove one"
            )
