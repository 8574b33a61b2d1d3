"""What they read: one mail for one recipient, as bytes for the relay (plain text and HTML).

Headers with free text are encoded here by ``email.header.Header`` and not by ``EmailMessage``: its folding loses spaces
of Russian subjects on Python 3.9 to 3.12 and writes invalid encoded words on 3.13.0, and an encoded word in a caller's
name could become a header of its own (CVE-2024-6923). Caller text never goes into an address header.
"""

from __future__ import annotations

import socket
import zlib
from datetime import datetime, timezone, tzinfo
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from pbxnotify import templates
from pbxnotify.events import Alert, Event, MissedCall, clean
from pbxnotify.recipients import Recipient, find_employee

if TYPE_CHECKING:
    from pbxnotify.settings import Settings

LONGEST_HEADER = 200
"""Characters of a subject."""


def compose(event: Event, identifier: str, recipient: Recipient, settings: Settings) -> bytes:
    """Return the mail about an event for one recipient.

    ``identifier`` is the item's: with the address it makes the Message-ID, so that a second copy carries the same one.
    """
    texts, parameters = _texts(event, recipient, settings), _parameters(event, recipient, settings)
    subject = clean(templates.fill(texts.subject, parameters), LONGEST_HEADER)
    text, page = _body(texts, parameters)
    body = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    body.set_content(text)
    body.add_alternative(page, subtype="html")
    sender = settings.smtp.sender_address
    headers = {
        "From": _address(settings.smtp.sender_name or parameters["PBX_NAME"], sender),
        "To": f"<{recipient.address}>",
        "Subject": _encoded(subject, "Subject"),
        "Date": format_datetime(datetime.now(timezone.utc).astimezone(_zone(settings))),
        "Message-ID": f"<{identifier}.{zlib.crc32(recipient.address.encode()):08x}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + body.as_bytes()


def _encoded(text: str, header: str) -> str:
    """Return free text as a header's value, folded."""
    plain = text.isascii() and "=?" not in text
    return Header(text, "us-ascii" if plain else "utf-8", maxlinelen=76, header_name=header).encode(linesep="\r\n")


def _address(name: str, address: str) -> str:
    """Return an address with a name of the admin's in front."""
    name = clean(name)
    if name.isascii() and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>' if len(name) < 60 else f"<{address}>"
    return f"{_encoded(name, 'From')} <{address}>"


def _body(texts: templates.Texts, parameters: dict[str, str]) -> tuple[str, str]:
    """Return body and footer as plain text and as an HTML page."""
    body_text, body_page = templates.as_text_and_html(texts.body, parameters)
    footer_text, footer_page = templates.as_text_and_html(texts.footer, parameters)
    text = f"{body_text}\n\n-- \n{footer_text}" if footer_text else f"{body_text}\n"
    if "<html" in body_page.lower():
        before, end, after = body_page.rpartition("</body>")
        return text, f"{before}{footer_page}{end}{after}" if end else f"{body_page}{footer_page}"
    page = f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n<div>{body_page}</div>\n'
    if footer_page:
        page += f'<div style="margin-top:1em;color:#777">{footer_page}</div>\n'
    return text, f"{page}</body></html>\n"


def _texts(event: Event, recipient: Recipient, settings: Settings) -> templates.Texts:
    """Return the admin's templates, where there are none the texts of the recipient's language."""
    if isinstance(event, Alert):
        return templates.ALERT[recipient.language]
    own, built_in = settings.missed_calls, templates.MISSED_CALL[recipient.language]
    return templates.Texts(own.subject or built_in.subject, own.body or built_in.body, own.footer or built_in.footer)


def _parameters(event: Event, recipient: Recipient, settings: Settings) -> dict[str, str]:
    """Return the value of each parameter; none is empty but HISTORY_URL."""
    both = {"PBX_NAME": pbx_name(settings), "HISTORY_URL": settings.notifications.history_url}
    if isinstance(event, Alert):
        date = _date(event.time, settings)
        return {**both, "ALERT_SUBJECT": event.subject, "ALERT_BODY": event.body, "ALERT_DATE": date}
    return {**both, **_missed_call_parameters(event, recipient, settings)}


def _missed_call_parameters(call: MissedCall, recipient: Recipient, settings: Settings) -> dict[str, str]:
    words = templates.WORDS[recipient.language]
    withheld = call.private and not settings.notifications.show_private_numbers
    number = words["private"] if withheld else call.caller_number or words["unknown"]
    known = "" if withheld else call.caller_name or _name_of(call.caller_number, settings)
    name = known if known != number else ""
    called = ", ".join(recipient.extensions) or words["nobody"]
    names = (_name_of(extension, settings) or extension for extension in recipient.extensions)
    whom = ", ".join(names) or words["nobody"]
    return {
        "NOTIFICATION_MISSEDCAUSE": "NOANSWER",
        "NOTIFICATION_CALLERID": number,
        "NOTIFICATION_TO": called,
        "NOTIFICATION_DURATION": str(call.duration),
        "NOTIFICATION_DATE": _date(call.time, settings),
        "NOTIFICATION_NAME_FROM": name or number,
        "NOTIFICATION_NAME_TO": whom,
        "NOTIFICATION_DIALSTATUS": call.dial_status or "NOANSWER",
        "NOTIFICATION_FROM": f"{name}, {number}" if name else number,
        "NOTIFICATION_WHOM": whom if whom == called else f"{whom} ({called})",
    }


def _name_of(number: str, settings: Settings) -> str:
    """Return the name on the card of the employee with this extension or mobile number."""
    employee = find_employee(number, settings.employees)
    return employee.name if employee else ""


def pbx_name(settings: Settings) -> str:
    """Return the name of this PBX: the admin's, else the host's (without asking DNS)."""
    return settings.notifications.pbx_name or socket.gethostname()


def _date(epoch: float, settings: Settings) -> str:
    return datetime.fromtimestamp(epoch, _zone(settings)).strftime(settings.notifications.date_format)


def _zone(settings: Settings) -> tzinfo | None:
    """Return the admin's time zone; None is the system's."""
    if not settings.notifications.timezone:
        return None
    from zoneinfo import ZoneInfo

    return ZoneInfo(settings.notifications.timezone)
