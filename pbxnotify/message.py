"""What they read: one mail for one recipient, as bytes for the relay (plain text and HTML, the recording attached).

Headers with free text are encoded here by ``email.header.Header`` and not by ``EmailMessage``: its folding loses spaces
of Russian subjects on Python 3.9 to 3.12 and writes invalid encoded words on 3.13.0, and an encoded word in a caller's
name could become a header of its own (CVE-2024-6923). Caller text never goes into an address header.
"""

from __future__ import annotations

import html
import re
import socket
import zlib
from base64 import encodebytes
from collections.abc import Iterator
from datetime import datetime, timezone, tzinfo
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from pbxnotify import templates
from pbxnotify.events import UNKNOWN_LENGTH, Alert, Event, MissedCall, Voicemail, clean
from pbxnotify.formats import FORMATS
from pbxnotify.recipients import Recipient, find_employee

if TYPE_CHECKING:
    from pbxnotify.attachment import Attachment
    from pbxnotify.settings import Settings

LONGEST_HEADER = 200
"""Characters of a subject."""
PIECE = 57 * 1000
"""Bytes encoded at a time, 1000 lines of base64."""


def compose(
    event: Event, identifier: str, recipient: Recipient, settings: Settings, attachment: Attachment | None = None
) -> bytes:
    """Return the mail about an event for one recipient.

    ``identifier`` is the item's: with the address it makes the Message-ID, so that a second copy carries the same one.
    ``attachment`` is a voicemail's recording; None if none is wanted.
    """
    texts, parameters = _texts(event, recipient, settings), _parameters(event, recipient, settings)
    subject = clean(templates.fill(texts.subject, parameters), LONGEST_HEADER)
    notes = list(_notes(event, recipient, settings, attachment, parameters)) if isinstance(event, Voicemail) else []
    text, page = _body(texts, parameters, notes)
    body = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    body.set_content(text)
    body.add_alternative(page, subtype="html")
    content = body.as_bytes()
    if attachment and attachment.content and isinstance(event, Voicemail):
        content = _with_attachment(content, attachment, _file_name(event, settings), f"=_{identifier}")
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
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + content


def _with_attachment(body: bytes, attachment: Attachment, name: str, boundary: str) -> bytes:
    """Return a body with a recording behind it, as multipart/mixed (RFC 2046 section 5.1).

    Put together by hand, because EmailMessage needs twice the memory, nine times the recording's size. No line of a
    part can be the boundary: nobody knows the identifier in it before, and base64 has no such line.
    """
    format_ = FORMATS[attachment.format]
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
    part = (
        f"\r\n--{boundary}\r\nContent-Type: {format_.mime_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}.{format_.extension}"\r\n\r\n'
    )
    pieces = [head.encode(), body, part.encode()]
    for start in range(0, len(attachment.content), PIECE):
        pieces.append(encodebytes(attachment.content[start : start + PIECE]).replace(b"\n", b"\r\n"))
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(pieces)


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


def _body(texts: templates.Texts, parameters: dict[str, str], notes: list[tuple[str, str]]) -> tuple[str, str]:
    """Return body, notes and footer as plain text and as an HTML page."""
    body_text, body_page = templates.as_text_and_html(texts.body, parameters)
    footer_text, footer_page = templates.as_text_and_html(texts.footer, parameters)
    body_text = "\n\n".join([body_text.rstrip("\n"), *(text for text, _ in notes)]) if notes else body_text
    notes_page = "".join(f"<p>{page}</p>\n" for _, page in notes)
    text = f"{body_text}\n\n-- \n{footer_text}" if footer_text else f"{body_text}\n"
    if "<html" in body_page.lower():
        before, end, after = body_page.rpartition("</body>")
        added = notes_page + footer_page
        return text, f"{before}{added}{end}{after}" if end else f"{body_page}{added}"
    page = f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n<div>{body_page}</div>\n{notes_page}'
    if footer_page:
        page += f'<div style="margin-top:1em;color:#777">{footer_page}</div>\n'
    return text, f"{page}</body></html>\n"


def _notes(
    voicemail: Voicemail,
    recipient: Recipient,
    settings: Settings,
    attachment: Attachment | None,
    parameters: dict[str, str],
) -> Iterator[tuple[str, str]]:
    """Yield what is said of the recording below the text, as plain text and as HTML.

    That it could not be attached is said whatever the admin's text is; where to listen else, only in our own text.
    """
    notes, url = templates.NOTES[recipient.language], parameters["HISTORY_URL"]
    own_text = bool(settings.voicemail.body)
    why = ""
    if attachment and not attachment.content:
        silent = not voicemail.recording and voicemail.duration == 0
        why = "too large" if attachment.too_large else "silent" if silent else "missing"
    elif not attachment and not own_text and not url:
        why = "not attached"
    if why:
        size = f"{attachment.megabytes:.1f}" if attachment else ""
        size = size.replace(".", templates.WORDS[recipient.language]["decimal mark"])
        yield templates.as_text_and_html(notes[why], {**parameters, "RECORDING_MB": size})
    if url and not own_text:
        yield f"{notes['history']}: {url}", templates.link(html.escape(url), notes["history"])


def _file_name(voicemail: Voicemail, settings: Settings) -> str:
    """Return the date and the caller as the name of a file on any system: only letters, digits, + - and _."""
    began = datetime.fromtimestamp(voicemail.time, _zone(settings)).strftime("%Y-%m-%d_%H-%M-%S")
    shown = not voicemail.private or settings.notifications.show_private_numbers
    caller = (voicemail.caller_number or voicemail.caller_name) if shown else ""
    return f"{began}_{re.sub('[^0-9A-Za-z+]+', '-', caller)[:40]}".rstrip("_-")


def _texts(event: Event, recipient: Recipient, settings: Settings) -> templates.Texts:
    """Return the admin's templates, where there are none the texts of the recipient's language."""
    language = recipient.language
    if isinstance(event, Alert):
        return templates.ALERT[language]
    if isinstance(event, Voicemail):
        own, built_in = settings.voicemail, templates.VOICEMAIL[language]
        written = templates.Texts(*map(templates.unescaped, (own.subject, own.body, own.footer)))
    else:
        built_in, missed_calls = templates.MISSED_CALL[language], settings.missed_calls
        written = templates.Texts(missed_calls.subject, missed_calls.body, missed_calls.footer)
    return templates.Texts(
        written.subject or built_in.subject, written.body or built_in.body, written.footer or built_in.footer
    )


def _parameters(event: Event, recipient: Recipient, settings: Settings) -> dict[str, str]:
    """Return the value of each parameter; none is empty but HISTORY_URL."""
    both = {"PBX_NAME": pbx_name(settings), "HISTORY_URL": _history_url(event, settings)}
    if isinstance(event, Alert):
        date = _date(event.time, settings)
        return {**both, "ALERT_SUBJECT": event.subject, "ALERT_BODY": event.body, "ALERT_DATE": date}
    if isinstance(event, Voicemail):
        return {**both, **_voicemail_parameters(event, recipient, settings)}
    return {**both, **_missed_call_parameters(event, recipient, settings)}


def _history_url(event: Event, settings: Settings) -> str:
    """Return the address of this call in the call history."""
    ids = {} if isinstance(event, Alert) else {"LINKEDID": event.linked_id, "UNIQUEID": event.unique_id}
    url = settings.notifications.history_url
    if not ids or any(name in url and not value for name, value in ids.items()):
        return ""  # an address without the call's id leads nowhere
    return templates.fill(url, {name: quote(value, safe="") for name, value in ids.items()})


def _caller(call: MissedCall | Voicemail, recipient: Recipient, settings: Settings) -> tuple[str, str]:
    """Return the caller's name, empty if it says no more than the number, and the number."""
    words = templates.WORDS[recipient.language]
    withheld = call.private and not settings.notifications.show_private_numbers
    number = words["private"] if withheld else call.caller_number or words["unknown"]
    known = "" if withheld else call.caller_name or _name_of(call.caller_number, settings)
    return known if known != number else "", number


def _called(recipient: Recipient, settings: Settings) -> tuple[str, str]:
    """Return the names of those who were called, and their extensions."""
    nobody = templates.WORDS[recipient.language]["nobody"]
    names = (_name_of(extension, settings) or extension for extension in recipient.extensions)
    return ", ".join(names) or nobody, ", ".join(recipient.extensions) or nobody


def _voicemail_parameters(voicemail: Voicemail, recipient: Recipient, settings: Settings) -> dict[str, str]:
    words = templates.WORDS[recipient.language]
    name, number = _caller(voicemail, recipient, settings)
    whom, called = _called(recipient, settings)
    seconds, mailbox = voicemail.duration, voicemail.mailbox or words["no mailbox"]
    return {
        "VM_DATE": _date(voicemail.time, settings),
        "VM_CALLERID": f'"{name}" <{number}>' if name else number,
        "VM_DUR": words["no length"] if seconds == UNKNOWN_LENGTH else f"{seconds // 60}:{seconds % 60:02}",
        "VM_CALLER_NAME": name or number,
        "VM_CALLER_NUM": number,
        "VM_CIDNAME": name or number,
        "VM_CIDNUM": number,
        "VM_NAME": whom if recipient.extensions else _name_of(voicemail.mailbox, settings) or mailbox,
        "VM_MSGNUM": str(voicemail.number or "?"),
        "VM_MAILBOX": mailbox,
        "VM_CONTEXT": voicemail.context or "default",
        "VM_FROM": f"{name}, {number}" if name else number,
        "VM_WHOM": whom if whom == called else f"{whom} ({called})",
    }


def _missed_call_parameters(call: MissedCall, recipient: Recipient, settings: Settings) -> dict[str, str]:
    name, number = _caller(call, recipient, settings)
    whom, called = _called(recipient, settings)
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
