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

ALERT = {
    "en": Texts(subject="PBX_NAME: ALERT_SUBJECT", body="ALERT_BODY", footer="PBX_NAME, ALERT_DATE"),
    "ru": Texts(subject="PBX_NAME: ALERT_SUBJECT", body="ALERT_BODY", footer="PBX_NAME, ALERT_DATE"),
}

TEST = {
    "en": Texts(subject="test mail", body="This is a test mail. Missed calls will arrive the same way.", footer=""),
    "ru": Texts(subject="проверка", body="Это проверочное письмо. Так же придут сообщения о пропущенных.", footer=""),
}

WORDS = {
    "en": {"private": "number withheld", "unknown": "number unknown", "nobody": "number unknown"},
    "ru": {"private": "номер скрыт", "unknown": "номер не определён", "nobody": "номер неизвестен"},
}
"""What a parameter says that would else be empty: the caller's number withheld or not given, no extension known."""


def fill(template: str, parameters: Mapping[str, str], *, escape: bool = False) -> str:
    """Return the template with the values of its parameters; ``escape`` makes them safe inside HTML."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))

    def value(match: re.Match[str]) -> str:
        text = parameters[match["braced"] or match["bare"]]
        return html.escape(text) if escape else text

    return re.sub(rf"\$\{{(?P<braced>{names})\}}|(?P<bare>{names})", value, template)


def as_text_and_html(template: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a body as plain text and as HTML; an HTML template is used as it is, with every value escaped."""
    if HTML_TAG.search(template):
        return fill(_without_tags(template), parameters), fill(template, parameters, escape=True)
    text = fill(template, parameters)
    return text, html.escape(text).replace("\n", "<br>\n")


def _without_tags(text: str) -> str:
    """Return readable text of an HTML body, for programs that show no HTML."""
    lines = re.sub(r"(?i)\s*<(?:br|/p|/div|/tr|/h[1-6]|/li)\b[^>]*>\s*", "\n", text)
    return html.unescape(re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]*>", "", lines)).strip()
