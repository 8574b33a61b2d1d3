"""What ``pbxnotify check`` notes of the ini file: no mistakes, but hardly what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify import parameters, providers
from pbxnotify.errors import LanguageError
from pbxnotify.language import read
from pbxnotify.markup import is_html
from pbxnotify.proofreading import faults
from pbxnotify.providers import Provider
from pbxnotify.relay import Smtp
from pbxnotify.settings import Employee, MissedCalls, Settings, Voicemail
from pbxnotify.templates import CONTROL, unescaped
from pbxnotify.values import did_you_mean

EVERYWHERE = ("PBX_NAME", "HISTORY_URL")
"""Parameters of all texts."""
LARGE = 100_000
"""Bytes of a template: Gmail shows 102 KB of a mail."""


def of_settings(configured: Settings) -> Iterator[str]:
    """Yield the notes, the most important ones first."""
    if not configured.notifications.enabled:
        yield "notifications are switched off, those about this machine too: [notifications] enabled = no"
    yield from _of_addresses(configured)
    yield from _of_relay(configured.smtp)
    yield from _of_texts("missed_calls", configured.missed_calls)
    yield from _of_texts("voicemail", configured.voicemail)
    yield from _of_employees(configured.employees)
    yield from _of_languages(configured)


def _of_addresses(configured: Settings) -> Iterator[str]:
    missed, voicemail = configured.missed_calls, configured.voicemail
    if not missed.email and not voicemail.email and not any(one.emails for one in configured.employees):
        yield "nobody will be told: write [missed_calls] email, [voicemail] email, or [employees] with an email"
    elif missed.enabled and not missed.email:
        yield "[missed_calls] email is empty: nobody is told of a call that fits no employee with an e-mail"
    if voicemail.enabled and not voicemail.email and not missed.email and configured.employees:
        yield "[voicemail] email is empty: nobody gets a message left for somebody without an e-mail"
    if not configured.notifications.admin_email:
        yield "[notifications] admin_email is empty: nobody is told when mail is held up, or of this machine"


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
    if provider:
        yield from _of_login(relay, provider)
    if relay.auth == "oauth2" and relay.password:
        yield "password is not used, as auth = oauth2: empty it"
    if relay.oauth2.provider and not relay.wants_token:
        unused = "password_command gives the token" if relay.auth == "oauth2" else "auth = password"
        yield f"[oauth2] is not used, as {unused} in [smtp]"
    if provider and relay.security == "none":
        yield f"{provider.name} wants an encrypted connection: write host = {provider.host}"


def _of_login(relay: Smtp, provider: Provider) -> Iterator[str]:
    """Note a login that this provider does not take, or not for long."""
    if relay.auth == "password" and relay.login and (provider.prefers_tokens or not provider.takes_passwords):
        yield f"{provider.name}: {provider.password}; see  pbxnotify setup"
    if relay.wants_token and relay.oauth2.provider not in (provider.oauth2, "custom"):
        yield f"the token is of {relay.oauth2.provider}, but {relay.host} is {provider.name}"


def _of_texts(section: str, texts: MissedCalls | Voicemail) -> Iterator[str]:
    known = parameters.NAMES[section]
    for name in ("subject", "body", "footer"):
        written = getattr(texts, name)
        template = unescaped(written) if section == "voicemail" else written
        notes = list(_of_text(template, known))
        if name != "subject" and is_html(template):
            notes += faults(template, (*known, *EVERYWHERE))
        yield from (f"[{section}] {name}: {note}" for note in notes)


def _of_text(template: str, known: tuple[str, ...]) -> Iterator[str]:
    """Yield notes on one text, as ends of sentences."""
    for word in dict.fromkeys(re.findall(r"\b(?:NOTIFICATION|VM)_[A-Z_]+", template)):
        if word not in known:
            yield f"{word} is no parameter here{did_you_mean(word, known)}, and is sent as it is written"
    if template and not template.strip():
        yield "holds nothing but blanks: the built-in text is used"
    if CONTROL.search(template):
        yield "holds a control character, which is left out"
    size = len(template.encode("utf-8", "replace"))
    if size > LARGE:
        yield f"is {size // 1000} KB long: many mail programs cut a mail at 100 KB"


def _of_languages(configured: Settings) -> Iterator[str]:
    codes = (configured.notifications.language, *(one.language for one in configured.employees if one.language))
    for code in dict.fromkeys(codes):
        try:
            read(code)
        except LanguageError as error:
            yield f"{error}; mails are in English until that is mended"


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
