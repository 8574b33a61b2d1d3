"""Notes of ``pbxnotify check`` on the ini file: what is valid, but probably not meant."""

from __future__ import annotations

import re
import socket
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice

from pbxnotify.asterisk.mailbox import mailbox_contexts
from pbxnotify.errors import LanguageError
from pbxnotify.languages.language import read_language
from pbxnotify.mail.templates.html_template import is_code, is_html
from pbxnotify.mail.templates.html_tokenizer import Token, html_tokens
from pbxnotify.mail.templates.placeholders import Placeholders
from pbxnotify.mail.variables import CONTROL, VARIABLES, unescaped
from pbxnotify.settings.providers import Provider, provider_at
from pbxnotify.settings.sections import Employee, MissedCalls, Settings, Voicemail
from pbxnotify.settings.smtp import Smtp
from pbxnotify.settings.validators import complete_name
from pbxnotify.smtp.credentials import as_issued
from pbxnotify.text import did_you_mean

EVERYWHERE = ("PBX_NAME", "HISTORY_URL")  # variables of all templates
LARGE = 100_000  # bytes of a template: Gmail shows 102 KB of a mail
VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")  # elements without an end tag
END_OPTIONAL = re.compile("body|colgroup|d[dt]|head|html|li|opt(?:group|ion)|p|r[pt]|tbody|td|tfoot|th|thead|tr")
REMOVED = re.compile("embed|iframe|object|script")  # elements that mail programs remove
QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb"  # as word processors and chats write them
MOST = 5  # notes on the HTML of one template: later ones often follow from these


def settings_notes(settings: Settings) -> Iterator[str]:
    """Yield the notes, the most important ones first."""
    if not settings.notifications.enabled:
        yield "notifications are switched off, alerts included: [notifications] enabled = no"
    yield from _address_notes(settings)
    yield from _relay_notes(settings.smtp)
    yield from pasting_notes(settings.smtp)
    yield from _script_notes(settings)
    yield from _template_notes("missed_calls", settings.missed_calls)
    yield from _template_notes("voicemail", settings.voicemail)
    yield from _employee_notes(settings.employees)
    yield from _mailbox_notes(settings.employees)
    yield from _language_notes(settings)


def _address_notes(settings: Settings) -> Iterator[str]:
    missed, voicemail = settings.missed_calls, settings.voicemail
    if not missed.email and not voicemail.email and not any(one.emails for one in settings.employees):
        yield "nobody is notified: write [missed_calls] email, [voicemail] email, or [employees] with an email"
    elif missed.enabled and not missed.email:
        yield "[missed_calls] email is empty: a call is mailed only if an employee with an e-mail address missed it"
    if voicemail.enabled and not voicemail.email and not missed.email and settings.employees:
        yield "[voicemail] email is empty: a message left for somebody without an e-mail address is not mailed"
    if not settings.notifications.admin_email:
        yield "[notifications] admin_email is empty: nobody is notified of held-up mail or problems of this machine"


def _relay_notes(relay: Smtp) -> Iterator[str]:
    provider = provider_at(relay.host)
    if relay.security == "tls" and relay.port in (25, 587):
        yield f"port {relay.port} usually begins with STARTTLS: write tls:// if the test hangs or fails"
    if relay.security != "tls" and relay.port == 465:
        yield "port 465 usually speaks TLS from the first byte: write ssl:// if the test hangs or fails"
    if relay.security != "none" and not relay.verify_certificate:
        yield "verify_certificate = no: anybody on the way could impersonate the relay and read the password"
    if provider and relay.sender and relay.sender.lower() != relay.login.lower():
        yield f"sender is {relay.sender}, login {relay.login or 'empty'}: {provider.name} {provider.sender}"
    if provider:
        yield from _login_notes(relay, provider)
    if relay.auth == "oauth2" and relay.password:
        yield "password is not used, as auth = oauth2: remove it"
    if relay.oauth2.provider and not relay.wants_token:
        unused = "password_command gives the token" if relay.auth == "oauth2" else "auth = password"
        yield f"[oauth2] is not used, as {unused} in [smtp]"
    if relay.sender_address not in (relay.sender, relay.login) and not complete_name(socket.gethostname()):
        yield f"sender is empty, so mail comes from {relay.sender_address}, which many relays refuse: write sender"
    if provider and relay.security == "none":
        yield f"{provider.name} wants an encrypted connection: write host = {provider.host}"


def _login_notes(relay: Smtp, provider: Provider) -> Iterator[str]:
    if relay.auth == "password" and relay.login and (provider.prefers_tokens or not provider.takes_passwords):
        yield f"{provider.name}: {provider.password}; see  pbxnotify setup"
    if relay.wants_token and relay.oauth2.provider not in (provider.oauth2, "custom"):
        yield f"the token is for {relay.oauth2.provider}, but {relay.host} is {provider.name}"


def pasting_notes(relay: Smtp) -> Iterator[str]:
    """Yield a note on a login and on a password with what was probably pasted along with it."""
    for name, value in (("login", relay.login), ("password", as_issued(relay.password))):
        odd = dict.fromkeys(one for one in value if one in QUOTES or (one != " " and not one.isprintable()))
        if odd:
            shown = ", ".join(f"U+{ord(one):04X} {unicodedata.name(one, '')}".rstrip() for one in odd)
            yield f"{name} contains an odd blank or quote ({shown}), probably pasted along with it: type it again"
        elif value != value.strip():
            yield f"{name} begins or ends with a blank, probably pasted along with it"


def _script_notes(settings: Settings) -> Iterator[str]:
    """Yield a note on each host name and address in which a letter only looks like a Latin one."""
    relay, notifications = settings.smtp, settings.notifications
    common = (*notifications.admin_email, *settings.missed_calls.email, *settings.voicemail.email)
    names = (relay.host, relay.helo, relay.login, relay.sender, *common)
    for name in dict.fromkeys((*names, *(email for one in settings.employees for email in one.emails))):
        for word in re.split(r"[\W\d_]+", _as_typed(name)):
            scripts = {one: unicodedata.name(one, "").split(" ")[0] for one in word}
            foreign = [one for one, script in scripts.items() if script in ("CYRILLIC", "GREEK")]
            if foreign and "LATIN" in scripts.values():
                what = unicodedata.name(foreign[0]).capitalize()
                yield f"{name}: {foreign[0]!r} in {word!r} is a {what} among Latin letters: type it again"


def _as_typed(name: str) -> str:
    """Return a host name or address with its domain as people read it."""
    local_part, at, domain = name.rpartition("@")
    try:
        return f"{local_part}{at}{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return name


def _template_notes(section: str, texts: MissedCalls | Voicemail) -> Iterator[str]:
    known = VARIABLES[section]
    for name in ("subject", "body", "footer"):
        written = getattr(texts, name)
        template = unescaped(written) if section == "voicemail" else written
        notes = list(_text_notes(template, known))
        if name != "subject" and is_html(template):
            notes += html_notes(template, (*known, *EVERYWHERE))
        yield from (f"[{section}] {name}: {note}" for note in notes)


def _text_notes(template: str, known: tuple[str, ...]) -> Iterator[str]:
    for word in dict.fromkeys(re.findall(r"\b(?:NOTIFICATION|VM)_[A-Z_]+", template)):
        if word not in known:
            yield f"{word} is not a variable here{did_you_mean(word, known)}, and is sent as written"
    yield from _label_notes(template, known)
    if template and not template.strip():
        yield "is blank: the built-in text is used"
    if CONTROL.search(template):
        yield "contains a control character, which is removed"
    size = len(template.encode("utf-8", "replace"))
    if size > LARGE:
        yield f"is {size // 1000} KB long: many mail programs cut a mail at 100 KB"


def _label_notes(template: str, known: tuple[str, ...]) -> Iterator[str]:
    """Yield a note on each bare name that may be a label, as in ``VM_NAME: VM_NAME`` or ``<b>VM_DUR</b> ${VM_DUR}``."""
    for name in known:
        bare = rf"(?<![A-Z_{{]){name}(?![A-Z_}}])"
        found = re.search(rf"{bare}[^\w\n${{}}]*(?={bare})", template)
        if not found and f"${{{name}}}" in template:
            found = re.search(rf"{bare}(?![^\w\n${{}}]*\$\{{{name}\}})", template)
        if found:
            line = template.count("\n", 0, found.start()) + 1
            yield f"{name} in line {line} is replaced by its value: write another word if it is meant as a label"


def _language_notes(settings: Settings) -> Iterator[str]:
    codes = (settings.notifications.language, *(one.language for one in settings.employees if one.language))
    for code in dict.fromkeys(codes):
        try:
            read_language(code)
        except LanguageError as error:
            yield f"{error}; until that is corrected, mails are in English"


def _employee_notes(employees: tuple[Employee, ...]) -> Iterator[str]:
    """Yield a note on each card that is not named by a number, and on two cards that may be copies of one."""
    for employee in employees:
        if not re.search(r"\d", employee.extension):
            name = f"[[{employee.extension}]]"
            yield f"{name} in [employees] is not an extension: write [[101]], if that is theirs, and the name below it"
    first: dict[tuple[str, tuple[str, ...]], Employee] = {}
    for employee in employees:
        key = employee.name.casefold(), tuple(address.lower() for address in employee.emails)
        other = first.setdefault(key, employee)
        if other is not employee and all(key):
            cards = f"[[{other.extension}]] and [[{employee.extension}]]"
            yield f"{cards} are the same employee, {employee.name}: correct for two telephones, otherwise remove one"


def _mailbox_notes(employees: tuple[Employee, ...]) -> Iterator[str]:
    """Yield a note on each card that does not say of which context its mailbox is."""
    contexts = mailbox_contexts()
    for employee in employees:
        found = sorted(contexts.get(employee.extension, ()))
        if len(found) > 1:
            cards = " or ".join(f"[[{employee.extension}@{context}]]" for context in found)
            yield f"mailbox {employee.extension} is in several contexts of voicemail.conf: write {cards}"


def html_notes(template: str, variables: Iterable[str]) -> Iterator[str]:
    """Yield the first notes on an HTML template with these variables, as ends of sentences."""
    return islice(_html_notes(template, Placeholders(dict.fromkeys(variables, ""))), MOST)


def _html_notes(template: str, placeholders: Placeholders) -> Iterator[str]:
    opened: list[Token] = []
    has_remote_image = False
    for token in html_tokens(template):
        if token.kind == "stray":
            yield f"{_shown(token, template)} never ends, and is sent as text"
        elif token.kind == "end":
            yield from _end_notes(token, opened, template)
        elif token.kind == "code" and token.name == "style":
            yield from (_restricted(name, "<style>") for name in placeholders.names_in(token.source))
        elif token.kind == "tag":
            yield from _tag_notes(token, placeholders, template)
            if _is_remote_image(token) and not has_remote_image:
                has_remote_image = True
                yield "mail programs do not show images from the network unless asked to"
            if not VOID.fullmatch(token.name) and not token.source.endswith("/>"):
                opened.append(token)
    yield from _not_closed(opened, template)


def _end_notes(end: Token, opened: list[Token], template: str) -> Iterator[str]:
    """Close an element, removing it from ``opened``; yield notes on those within it that should have been closed."""
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


def _tag_notes(tag: Token, placeholders: Placeholders, template: str) -> Iterator[str]:
    if REMOVED.fullmatch(tag.name):
        yield f"{_shown(tag, template)} is removed by mail programs"
    if tag.quote or any(0 <= value.text.find(">") < value.text.rfind("<") for value in tag.values):
        yield f"{_shown(tag, template)} lacks a quote"
    for outside in (*(value.before for value in tag.values), tag.tail):
        for name in placeholders.names_in(outside):
            yield f"{name} in {_shown(tag, template)} is not in an attribute's value, and is sent as written"
    for value in tag.values:
        if is_code(value.name):
            yield from (_restricted(name, f"{value.name}=") for name in placeholders.names_in(value.text))


def _restricted(name: str, where: str) -> str:
    return f"{name} in {where} keeps only letters, digits, spaces and + . -"


def _is_remote_image(tag: Token) -> bool:
    sources = (value.text.strip().lower() for value in tag.values if value.name == "src")
    return tag.name == "img" and any(source.startswith(("http:", "https:", "//")) for source in sources)


def _shown(token: Token, template: str) -> str:
    line = template.count("\n", 0, token.begin) + 1
    return f"{token.source if token.kind == 'stray' else f'<{token.name}>'} in line {line}"
