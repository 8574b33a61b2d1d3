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
Телефон звонил: NOTIFICATION_DURATION с
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
        body="Это проверочное письмо. Так будут приходить письма о пропущенных вызовах и голосовых сообщениях.",
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
        "decimal mark": ".",
    },
    "ru": {
        "private": "номер скрыт",
        "unknown": "номер не определён",
        "nobody": "номер неизвестен",
        "no length": "длительность неизвестна",
        "no mailbox": "ящик неизвестен",
        "decimal mark": ",",
    },
}
"""What a parameter says that would else be empty: the caller's number withheld or not given, no extension known."""

PARAMETERS = {
    "missed_calls": (
        *("NOTIFICATION_MISSEDCAUSE", "NOTIFICATION_CALLERID", "NOTIFICATION_TO", "NOTIFICATION_DURATION"),
        *("NOTIFICATION_DATE", "NOTIFICATION_NAME_FROM", "NOTIFICATION_NAME_TO", "NOTIFICATION_DIALSTATUS"),
        *("NOTIFICATION_FROM", "NOTIFICATION_WHOM"),
    ),
    "voicemail": (
        *("VM_DATE", "VM_CALLERID", "VM_DUR", "VM_CALLER_NAME", "VM_CALLER_NUM", "VM_CIDNAME", "VM_CIDNUM", "VM_NAME"),
        *("VM_MSGNUM", "VM_MAILBOX", "VM_CONTEXT", "VM_FROM", "VM_WHOM"),
    ),
}
"""What the texts of a section may contain, besides PBX_NAME and HISTORY_URL."""

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
        "silent": "Сообщение без звука: от звонившего ничего не было слышно.",
        "too large": "Запись (RECORDING_MB МБ) слишком велика, чтобы её прикрепить. Её можно прослушать"
        " в голосовом ящике (VM_MAILBOX).",
        "missing": "Запись не удалось прикрепить. Если она ещё в голосовом ящике (VM_MAILBOX), её можно"
        " прослушать там.",
        "not attached": "Прослушать можно в голосовом ящике (VM_MAILBOX).",
        "history": "Прослушать в истории звонков",
    },
}
"""What a voicemail mail says of its recording below the text: why it is not attached, and where to listen."""


def fill(template: str, parameters: Mapping[str, str], *, escape: bool = False) -> str:
    """Return the template with the values of its parameters; ``escape`` makes them safe inside HTML."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))

    def value(match: re.Match[str]) -> str:
        if match["other"]:
            return match["other"]
        text = parameters[match["braced"] or match["bare"]]
        return html.escape(text) if escape else text

    # A name within a longer one, or within ${...} of another name, is none of ours.
    bare = rf"(?<![A-Z_])(?P<bare>{names})(?![A-Z_])"
    return re.sub(rf"\$\{{(?P<braced>{names})\}}|(?P<other>\$\{{\w+\}})|{bare}", value, template)


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def as_text_and_html(template: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a body as plain text and as HTML; an HTML template is used as it is, with every value escaped."""
    if HTML_TAG.search(template):
        return fill(_without_tags(template), parameters), fill(template, parameters, escape=True)
    text = fill(template, parameters)
    page = html.escape(text).replace("\n", "<br>\n").replace("\t", "&nbsp;" * 4)
    url = html.escape(parameters.get("HISTORY_URL", ""))
    return text, page.replace(url, link(url, url)) if url else page


def link(url: str, words: str) -> str:
    """Return a link; both are escaped already."""
    return f'<a href="{url}">{words}</a>'


def _without_tags(text: str) -> str:
    """Return readable text of an HTML body, for programs that show no HTML."""
    lines = re.sub(r"(?i)\s*<(?:br|/p|/div|/tr|/h[1-6]|/li)\b[^>]*>\s*", "\n", text)
    return html.unescape(re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]*>", "", lines)).strip()
