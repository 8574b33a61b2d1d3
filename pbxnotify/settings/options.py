"""How an option of the ini file is declared: as the default of the field that holds its value."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any

NOT_SHOWN = r"[=\n]|:.*@|.{60}"
"""A value that has swallowed other options (a lost quote or line end), or ``user:password@host``: it is not shown."""

LABELS = {
    ("Smtp", "host"): "SMTP host / SMTP хост",
    ("Smtp", "port"): "SMTP port / SMTP порт",
    ("Smtp", "login"): "SMTP login / SMTP логин",
    ("Smtp", "password"): "SMTP password / SMTP пароль",
    ("Smtp", "sender"): "Sender address / Адрес отправителя",
    ("Smtp", "use_tls"): "Use TLS / Использовать TLS",
    ("Smtp", "verify_certificate"): "Verify server certificate / Проверять сертификат сервера",
    ("Notifications", "enabled"): "Use notifications / Использовать оповещения",
    ("Notifications", "admin_email"): "System administrator e-mail / Email системного администратора",
    ("MissedCalls", "email"): "E-mail for missed calls / Email для уведомлений о пропущенных",
    ("Voicemail", "email"): "Single e-mail for voicemail / Единый Email для отправки сообщений голосовой почты",
    **{
        (kind, field): label
        for kind in ("MissedCalls", "Voicemail")
        for field, label in (("subject", "Subject / Тема"), ("body", "Text / Текст"), ("footer", "Footer / Подвал"))
    },
}
"""What the settings screen of MikoPBX calls an option, in English and Russian."""


TYPOGRAPHIC_QUOTES = re.compile("^[“”„«»‘’]|[“”„«»‘’]$")
"""What a word processor makes of plain quotes."""


class Option(NamedTuple):
    """One option of the ini file."""

    check: Callable[[str], object]  # takes the text and returns the value; see ``validators``
    default: object  # a tuple where several values are allowed
    expected: str
    """The allowed values: the comment in the ini file, the help of ``setup``, and the advice after a mistake."""
    secret: bool
    name: str  # the option's name if it differs from the field's
    field: str = ""
    label: str = ""  # of ``LABELS``

    def value(self, text: str) -> object:
        """Return the value of a text; raises ValueError with a whole sentence, which shows the text unless secret."""
        try:
            return self.check(text)
        except ValueError as error:
            what = "the value" if self.secret or re.search(NOT_SHOWN, text) else repr(text)
            cure = "; a comment starts with #" if " ;" in text else ""
            cure += "; leave the quotes out" if TYPOGRAPHIC_QUOTES.search(text) else ""
            sentence = f"{what} {error}; expected {self.expected}{cure}"
        raise ValueError(sentence)  # out here, so that no traceback shows the exception that quotes the text


def option(
    check: Callable[[str], object], default: object, expected: str, *, secret: bool = False, name: str = ""
) -> Any:
    """Declare a field as an option of the ini file; a tuple as default makes it a list."""
    return Option(check, default, expected, secret, name)


@cache  # each employee is a section
def options(kind: type) -> dict[str, Option]:
    """Return the options declared by the fields of a section, by their names in the ini file."""
    return {
        option.name or field: option._replace(field=field, label=LABELS.get((kind.__name__, field), ""))
        for field, option in getattr(kind, "declared", {}).items()
        if isinstance(option, Option)
    }


class Conflict(NamedTuple):
    """Options that contradict each other, or one that is missing; the first of them is blamed."""

    names: tuple[str, ...]
    problem: str
