"""What ``pbxnotify check`` notes of the ini file: no mistakes, but hardly what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from pbxnotify.errors import LanguageError
from pbxnotify.languages.language import read_language
from pbxnotify.mail.templates.html_template import is_code, is_html
from pbxnotify.mail.templates.html_tokenizer import Token, html_tokens
from pbxnotify.mail.templates.placeholders import Placeholders
from pbxnotify.mail.variables import CONTROL, VARIABLES, unescaped
from pbxnotify.settings.providers import Provider, provider_at
from pbxnotify.settings.sections import Employee, MissedCalls, Settings, Voicemail
from pbxnotify.settings.smtp import Smtp
from pbxnotify.text import did_you_mean

EMPTY = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
"""Elements that have no end."""
END_OPTIONAL = re.compile("body|colgroup|d[dt]|head|html|li|opt(?:group|ion)|p|r[pt]|tbody|td|tfoot|th|thead|tr")
TAKEN_OUT = re.compile("embed|iframe|object|script")
MOST = 5
"""Notes on one template: what comes behind these is often their consequence."""


EVERYWHERE = ("PBX_NAME", "HISTORY_URL")
"""Parameters of all texts."""
LARGE = 100_000
"""Bytes of a template: Gmail shows 102 KB of a mail."""


def settings_notes(settings: Settings) -> Iterator[str]:
    """Yield the notes, the most important ones first."""
    if not settings.notifications.enabled:
        yield "notifications are switched off, those about this machine too: [notifications] enabled = no"
    yield from _of_addresses(settings)
    yield from _of_relay(settings.smtp)
    yield from _of_texts("missed_calls", settings.missed_calls)
    yield from _of_texts("voicemail", settings.voicemail)
    yield from _of_employees(settings.employees)
    yield from _of_languages(settings)


def _of_addresses(settings: Settings) -> Iterator[str]:
    missed, voicemail = settings.missed_calls, settings.voicemail
    if not missed.email and not voicemail.email and not any(one.emails for one in settings.employees):
        yield "nobody will be told: write [missed_calls] email, [voicemail] email, or [employees] with an email"
    elif missed.enabled and not missed.email:
        yield "[missed_calls] email is empty: nobody is told of a call that fits no employee with an e-mail"
    if voicemail.enabled and not voicemail.email and not missed.email and settings.employees:
        yield "[voicemail] email is empty: nobody gets a message left for somebody without an e-mail"
    if not settings.notifications.admin_email:
        yield "[notifications] admin_email is empty: nobody is told when mail is held up, or of this machine"


def _of_relay(relay: Smtp) -> Iterator[str]:
    if relay.security == "tls" and relay.port in (25, 587):
        yield f"port {relay.port} mostly begins with STARTTLS: write tls:// if the test hangs or fails"
    if relay.security != "tls" and relay.port == 465:
        yield "port 465 mostly speaks TLS from the first byte: write ssl:// if the test hangs or fails"
    if relay.security != "none" and not relay.verify_certificate:
        yield "verify_certificate = no: anybody on the way could pose as the relay and read the password"
    provider = provider_at(relay.host)
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
    known = VARIABLES[section]
    for name in ("subject", "body", "footer"):
        written = getattr(texts, name)
        template = unescaped(written) if section == "voicemail" else written
        notes = list(_of_text(template, known))
        if name != "subject" and is_html(template):
            notes += html_faults(template, (*known, *EVERYWHERE))
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


def _of_languages(settings: Settings) -> Iterator[str]:
    codes = (settings.notifications.language, *(one.language for one in settings.employees if one.language))
    for code in dict.fromkeys(codes):
        try:
            read_language(code)
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


def html_faults(template: str, parameters: Iterable[str]) -> Iterator[str]:
    """Yield the first notes on an HTML template with these parameters, as ends of sentences."""
    return islice(_faults(template, Placeholders(dict.fromkeys(parameters, ""))), MOST)


def _faults(template: str, filling: Placeholders) -> Iterator[str]:
    opened: list[Token] = []
    remote = False
    for token in html_tokens(template):
        if token.kind == "stray":
            yield f"{_shown(token, template)} never ends, and is sent as text"
        elif token.kind == "end":
            yield from _ended(token, opened, template)
        elif token.kind == "code" and token.name == "style":
            yield from (_maimed(name, "<style>") for name in filling.names_in(token.source))
        elif token.kind == "tag":
            yield from _in_tag(token, filling, template)
            if _is_remote_image(token) and not remote:
                remote = True
                yield "mail programs show no image from the network unless asked"
            if not EMPTY.fullmatch(token.name) and not token.source.endswith("/>"):
                opened.append(token)
    yield from _not_closed(opened, template)


def _ended(end: Token, opened: list[Token], template: str) -> Iterator[str]:
    """Take what ends here from the open elements; note those inside of it that should have ended before."""
    name = end.name[1:]
    depth = next((depth for depth, token in enumerate(reversed(opened), 1) if token.name == name), 0)
    if not depth:
        yield f"{_shown(end, template)} closes nothing"
        return
    yield from _not_closed(opened[len(opened) - depth + 1 :], template)
    del opened[-depth:]


def _not_closed(opened: list[Token], template: str) -> Iterator[str]:
    for token in opened:
        if not END_OPTIONAL.fullmatch(token.name):
            yield f"{_shown(token, template)} is not closed"


def _in_tag(tag: Token, filling: Placeholders, template: str) -> Iterator[str]:
    if TAKEN_OUT.fullmatch(tag.name):
        yield f"{_shown(tag, template)} is taken out by mail programs"
    if tag.quote or any(0 <= value.text.find(">") < value.text.rfind("<") for value in tag.values):
        yield f"{_shown(tag, template)} lacks a quote"
    for outside in (*(value.before for value in tag.values), tag.tail):
        for name in filling.names_in(outside):
            yield f"{name} in {_shown(tag, template)} is no attribute's value, and is sent as it is written"
    for value in tag.values:
        if is_code(value.name):
            yield from (_maimed(name, f"{value.name}=") for name in filling.names_in(value.text))


def _maimed(name: str, where: str) -> str:
    return f"{name} in {where} keeps only letters, digits, blanks and + . -"


def _is_remote_image(tag: Token) -> bool:
    sources = (value.text.strip().lower() for value in tag.values if value.name == "src")
    return tag.name == "img" and any(source.startswith(("http:", "https:", "//")) for source in sources)


def _shown(token: Token, template: str) -> str:
    """Return how a note names a token."""
    line = template.count("\n", 0, token.begin) + 1
    return f"{token.source if token.kind == 'stray' else f'<{token.name}>'} in line {line}"
