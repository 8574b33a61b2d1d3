"""Parameters put into subject, body and footer; the texts used where the ini file has none.

A template is plain text with bare names (``NOTIFICATION_CALLERID``), as on the settings screen; ``${VM_CALLERID}``
works too. It is filled in one pass, so a caller named ``NOTIFICATION_TO`` stays that.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

HTML_TAG = re.compile(r"<(?:!doctype|html|body|p|div|table|br|b|i|a|h[1-6]|ul|span)\b[^>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Texts:
    """The subject, body and footer of one kind of mail."""

    subject: str
    body: str
    footer: str


MISSED_CALL = {
    "en": Texts(
        subject="Missed call: NOTIFICATION_FROM",
        body="""\
Nobody answered a call.

From: NOTIFICATION_FROM
To: NOTIFICATION_WHOM
When: NOTIFICATION_DATE
It rang for: NOTIFICATION_DURATION s
What the phone said: NOTIFICATION_DIALSTATUS""",
        footer="PBX_NAME",
    ),
    "ru": Texts(
        subject="Пропущенный вызов: NOTIFICATION_FROM",
        body="""\
На звонок никто не ответил.

Кто звонил: NOTIFICATION_FROM
Кому: NOTIFICATION_WHOM
Когда: NOTIFICATION_DATE
Вызов длился: NOTIFICATION_DURATION с
Ответ телефона: NOTIFICATION_DIALSTATUS""",
        footer="PBX_NAME",
    ),
}

VOICEMAIL = {
    "en": Texts(
        subject="Voicemail: VM_FROM, VM_DUR",
        body="""\
Somebody left a message.

From: VM_FROM
For: VM_WHOM
When: VM_DATE
Length: VM_DUR
Mailbox: VM_MAILBOX""",
        footer="PBX_NAME",
    ),
    "ru": Texts(
        subject="Голосовое сообщение: VM_FROM, VM_DUR",
        body="""\
Вам оставили голосовое сообщение.

От кого: VM_FROM
Кому: VM_WHOM
Когда: VM_DATE
Длительность: VM_DUR
Ящик: VM_MAILBOX""",
        footer="PBX_NAME",
    ),
}

ALERT = {
    "en": Texts(subject="PBX_NAME: ALERT_SUBJECT", body="ALERT_BODY", footer="PBX_NAME, ALERT_DATE"),
    "ru": Texts(subject="PBX_NAME: ALERT_SUBJECT", body="ALERT_BODY", footer="PBX_NAME, ALERT_DATE"),
}

TEST = {
    "en": Texts(
        subject="test mail",
        body="This is a test mail. Missed calls and voicemail will arrive the same way.",
        footer="",
    ),
    "ru": Texts(
        subject="проверка",
        body="Это проверочное письмо. Так же придут сообщения о пропущенных и голосовая почта.",
        footer="",
    ),
}

WORDS = {
    "en": {
        "private": "number withheld",
        "unknown": "number unknown",
        "nobody": "number unknown",
        "no length": "length unknown",
        "no mailbox": "mailbox unknown",
    },
    "ru": {
        "private": "номер скрыт",
        "unknown": "номер не определён",
        "nobody": "номер неизвестен",
        "no length": "длительность неизвестна",
        "no mailbox": "ящик неизвестен",
    },
}
"""What a parameter says that would else be empty: the caller's number withheld or not given, no extension known."""

NOTES = {
    "en": {
        "silent": "There is no sound in the message: none came from the caller.",
        "too large": "The recording (RECORDING_MB MB) is too large to be attached. You can listen to it in the mailbox"
        " (VM_MAILBOX).",
        "missing": "The recording could not be attached. If it is still in the mailbox (VM_MAILBOX), you can listen"
        " to it there.",
        "not attached": "You can listen to it in the mailbox (VM_MAILBOX).",
        "history": "Listen in the call history",
    },
    "ru": {
        "silent": "В сообщении нет звука: от звонившего он не пришёл.",
        "too large": "Запись (RECORDING_MB МБ) слишком велика для вложения. Её можно прослушать в голосовом ящике"
        " (VM_MAILBOX).",
        "missing": "Запись не удалось вложить. Если она ещё в голосовом ящике (VM_MAILBOX), её можно прослушать там.",
        "not attached": "Прослушать можно в голосовом ящике (VM_MAILBOX).",
        "history": "Прослушать в истории звонков",
    },
}
"""What a voicemail mail says of its recording below the text: why it is not attached, and where to listen."""


def fill(template: str, parameters: Mapping[str, str], *, escape: bool = False) -> str:
    """Return the template with the values of its parameters; ``escape`` makes them safe inside HTML."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))

    def value(match: re.Match[str]) -> str:
        text = parameters[match["braced"] or match["bare"]]
        return html.escape(text) if escape else text

    return re.sub(rf"\$\{{(?P<braced>{names})\}}|(?P<bare>{names})", value, template)


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def as_text_and_html(template: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a body as plain text and as HTML; an HTML template is used as it is, with every value escaped."""
    if HTML_TAG.search(template):
        return fill(_without_tags(template), parameters), fill(template, parameters, escape=True)
    text = fill(template, parameters)
    page = html.escape(text).replace("\n", "<br>\n")
    url = html.escape(parameters.get("HISTORY_URL", ""))
    return text, page.replace(url, link(url, url)) if url else page


def link(url: str, words: str) -> str:
    """Return a link; both are escaped already."""
    return f'<a href="{url}">{words}</a>'


def _without_tags(text: str) -> str:
    """Return readable text of an HTML body, for programs that show no HTML."""
    lines = re.sub(r"(?i)\s*<(?:br|/p|/div|/tr|/h[1-6]|/li)\b[^>]*>\s*", "\n", text)
    return html.unescape(re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]*>", "", lines)).strip()
