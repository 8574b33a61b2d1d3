"""Mails of each kind, to people of each language, with the worst that callers and admins put into them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pbxnotify.delivery.settings_watch import test_event
from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.languages.language import LANGUAGE_CODES
from pbxnotify.mail.attachment import Attachment
from pbxnotify.mail.compose import compose
from pbxnotify.mail.content import REASONS
from pbxnotify.mail.context import Recipient
from pbxnotify.settings.load import load_settings
from pbxnotify.text import clean


def ini_with(smtp: str = "", notifications: str = "", texts: str = "") -> str:
    """Return an ini file with what is added to these sections."""
    return f"""\
[smtp]
sender = pbx@example.com
{smtp or "sender_name = 'Офис на Тверской, 1-й этаж'"}
[notifications]
pbx_name = office
timezone = Europe/Moscow
{notifications}
{texts}
[employees]
[[101]]
name = Иван Петров
"""


def texts(section: str, **options: str) -> str:
    """Return an ini file with texts of the administrator."""
    lines = (f"{name} = '''{value}'''" for name, value in options.items())
    return ini_with(texts="\n".join([f"[{section}]", *lines]))


class Mail(NamedTuple):
    """What a mail is made of."""

    event: Event
    ini: str = ini_with()
    language: str = "en"
    attachment: Attachment | None = None


CALL = MissedCall(
    1795478867.0, 23, ("101",), "+74951234567", "Alice", False, "NOANSWER", "1795478867.0", "1795478867.0"
)
MESSAGE = Voicemail(
    time=1795478867.0,
    duration=65,
    extensions=("101",),
    caller_number="+74951234567",
    caller_name="Alice",
    linked_id="1795478850.0",
    unique_id="1795478850.0",
    mailbox="101",
    context="default",
    number=4,
    recording="wav",
)
ALERT = Alert(1795478867.0, "disk", "1 % free\n\n/var/spool is nearly full.", "disk")
RUSSIAN_ALERT = ALERT._replace(subject="диск почти полон", body="Свободно 1 %.\n\nМесто на диске кончается.")
SOUND = Attachment(bytes(range(256)) * 40, "wav")
TOO_LARGE = Attachment(too_large=23 << 20)
HISTORY = ini_with(notifications="history_url = 'https://pbx.example.com/cdr?id=UNIQUEID&l=LINKEDID'")
LONG = "Константинопольский " * 20
HOSTILE = {
    "encoded word": "=?utf-8?q?a=0D=0ABcc:evil=40example.com?=",
    "broken encoded word": "=?utf-8?q?a b?= ?= =?",
    "header": "Bcc: evil@example.com",
    "address": "a, <evil@example.com>;",
    "HTML": "</td></table><script>alert(1)</script><!-- &amp; & \"'",
    "emoji": "👩‍👩‍👧‍👦" * 12,
    "right to left": "שלום " * 20,
    "one long word": "x" * 200,
    "dots": ".\r\n.\r\n..",
}
PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Call</title></head>'
    "<body><p>From {0}</p></body></html>"
)

MAILS = {
    "missed call": Mail(CALL),
    "missed call in Russian": Mail(CALL._replace(caller_name="Алиса Смирнова"), language="ru"),
    "missed call, number withheld": Mail(CALL._replace(private=True)),
    "missed call, nothing known": Mail(MissedCall(1795478867.0), language="ru"),
    "missed call in the call history": Mail(CALL, HISTORY),
    "voicemail": Mail(MESSAGE),
    "voicemail in Russian": Mail(MESSAGE, language="ru"),
    "voicemail, attached": Mail(MESSAGE, attachment=SOUND),
    "voicemail, attached, in Russian": Mail(MESSAGE._replace(caller_name="Алиса"), language="ru", attachment=SOUND),
    "voicemail, attached, in the call history": Mail(MESSAGE, HISTORY, attachment=SOUND),
    "voicemail, too large": Mail(MESSAGE, language="ru", attachment=TOO_LARGE),
    "voicemail, silent": Mail(MESSAGE._replace(duration=0, recording=""), attachment=Attachment()),
    "voicemail, missing": Mail(MESSAGE, attachment=Attachment()),
    "voicemail, nothing known": Mail(Voicemail(1795478867.0, None), language="ru", attachment=SOUND),
    **{f"missed call, {status}": Mail(CALL._replace(dial_status=status), HISTORY, "ru") for status in REASONS},
    **{f"test mail in {code}": Mail(test_event(code), language=code) for code in LANGUAGE_CODES},
    "alert": Mail(ALERT),
    "alert in Russian": Mail(RUSSIAN_ALERT, language="ru"),
    "own long Russian subject": Mail(CALL, texts("missed_calls", subject=LONG), "ru"),
    "own text": Mail(CALL, texts("missed_calls", body="Call\n\tNOTIFICATION_CALLERID\n.\n", footer="PBX_NAME")),
    "own text of long lines": Mail(CALL, texts("missed_calls", body="long " * 400 + "\n" + LONG)),
    "own text of spaces at the ends of long lines": Mail(
        CALL, texts("missed_calls", body="".join("y" * length + " \n" for length in range(70, 80)) + "Перезвоните.")
    ),
    "own HTML": Mail(CALL, texts("missed_calls", body="<p>From <b>NOTIFICATION_FROM</b></p>"), "ru"),
    "own page": Mail(CALL, texts("missed_calls", body=PAGE.format("NOTIFICATION_FROM"), footer="PBX_NAME")),
    "own page of a voicemail": Mail(MESSAGE, texts("voicemail", body=PAGE.format("VM_FROM")), attachment=TOO_LARGE),
    "long sender in Russian": Mail(CALL, ini_with(f"sender_name = '{LONG[:100]}'")),
    "very long sender": Mail(CALL, ini_with(f"sender_name = '{'long ' * 20}'")),
    "long sender": Mail(CALL, ini_with(f"sender_name = '{'long ' * 11}'")),
    "sender as long as a line": Mail(CALL, ini_with("sender_name = 'Офис на Тверской, дом 1'")),
    "sender of specials": Mail(CALL, ini_with("sender_name = 'A \\ \"B\", (C) <d@example.com>'")),
    **{f"missed call of {kind}": Mail(CALL._replace(caller_name=clean(name))) for kind, name in HOSTILE.items()},
    **{
        f"voicemail of {kind}": Mail(
            MESSAGE._replace(caller_name=clean(name), caller_number=clean(name)), HISTORY, "ru", SOUND
        )
        for kind, name in HOSTILE.items()
    },
}
"""By what each is about."""


def composed(directory: Path) -> dict[str, bytes]:
    """Return all mails as they go to the relay; the directory takes their settings."""
    path = directory / "pbxnotify.ini"
    written = {}
    for name, mail in MAILS.items():
        path.write_text(mail.ini, encoding="utf-8")
        recipient = Recipient("ivan@example.com", mail.language, getattr(mail.event, "extensions", ()))
        written[name] = compose(mail.event, "20261124-000000-aa", recipient, load_settings(path), mail.attachment)
    return written
