"""What they read: one mail for one recipient, as bytes for the relay (plain text and HTML, the recording attached).

Headers with free text are encoded here by ``email.header.Header`` and not by ``EmailMessage``: its folding loses spaces
of Russian subjects on Python 3.9 to 3.12 and writes invalid encoded words on 3.13.0, and an encoded word in a caller's
name could become a header of its own (CVE-2024-6923). Caller text never goes into an address header.
"""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from base64 import encodebytes
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pbxnotify import facts, letter, markup, page, parameters, templates
from pbxnotify.events import Alert, Event, Voicemail, clean
from pbxnotify.facts import Facts
from pbxnotify.formats import FORMATS
from pbxnotify.frozen import TYPE_CHECKING
from pbxnotify.recipients import Recipient
from pbxnotify.values import national

if TYPE_CHECKING:
    from pbxnotify.attachment import Attachment
    from pbxnotify.settings import Settings

LONGEST_HEADER = 200
"""Characters of a subject."""
LONGEST_ENCODED_LINE = 76
"""Characters of an encoded line, in a body (RFC 2045 section 6.7; EmailMessage makes it 78) or header (RFC 2047)."""
LONGEST_QUOTED = 60
"""Characters of a name between quotes, where no line can be folded."""
MOST_THREADS = 20
"""Conversations that an alert belongs to: a header has its limits."""
PIECE = 57 * 1000
"""Bytes encoded at a time, 1000 lines of base64."""


def compose(
    event: Event, identifier: str, recipient: Recipient, settings: Settings, attachment: Attachment | None = None
) -> bytes:
    """Return the mail about an event for one recipient.

    ``identifier`` is the item's: with the address it makes the Message-ID, so that a second copy carries the same one.
    ``attachment`` is a voicemail's recording; None if none is wanted.
    """
    told = facts.of(event, recipient, settings)
    subject, text, html = _texts(event, recipient, settings, told, attachment)
    body = EmailMessage(policy=SMTP.clone(cte_type="7bit", max_line_length=LONGEST_ENCODED_LINE))
    body.set_content(text)
    body.add_alternative(html, subtype="html")
    content = body.as_bytes()
    if attachment and attachment.content and isinstance(event, Voicemail):
        content = _with_attachment(content, attachment, _file_name(told), f"=_{identifier}")
    sender = settings.smtp.sender_address
    domain = sender.rpartition("@")[2]
    headers = {
        "From": _address(settings.smtp.sender_name or told.pbx_name, sender),
        "To": f"<{recipient.address}>",
        "Subject": _text(subject, "Subject"),
        "Date": format_datetime(facts.moment(time.time(), settings)),
        "Message-ID": f"<{identifier}.{zlib.crc32(recipient.address.encode()):08x}@{domain}>",
        "References": _threads(event, told, domain),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high" if isinstance(event, Alert) and event.level == "critical" else "",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value).encode() + content


def _texts(
    event: Event, recipient: Recipient, settings: Settings, told: Facts, attachment: Attachment | None
) -> tuple[str, str, str]:
    """Return subject, plain text and page: the admin's, where there are none those of the letter."""
    own, designed = templates.of(event, settings), letter.of(event, told, attachment)
    values = parameters.of(event, told, settings.notifications.date_format)
    subject = clean(templates.fill(own.subject, values), LONGEST_HEADER) or clean(designed.subject, LONGEST_HEADER)
    footer_text, footer = templates.as_text_and_html(own.footer or "PBX_NAME", values)
    if own.body:
        text, content = templates.as_text_and_html(own.body, values)
        note = letter.recording_note(event, attachment, told.language) if isinstance(event, Voicemail) else ""
        text = f"{text.rstrip()}\n\n{note}" if note else text
        is_dark = not markup.is_html(own.body)  # the admin's HTML has colours of its own
        whole = page.of_own(content, subject, designed.accent, recipient.language, note, footer, is_dark=is_dark)
    else:
        text = letter.text(designed, told.language)
        whole = page.of_letter(designed._replace(subject=subject), recipient.language, footer)
    return subject, f"{text}\n\n-- \n{footer_text}", whole


def _threads(event: Event, told: Facts, domain: str) -> str:
    """Return what groups the mails about one caller, or one problem, in mail programs (RFC 5322 section 3.6.4)."""
    caller = told.caller
    if isinstance(event, Alert):
        about = event.about or ((event.key,) if event.key else ())
        # Other boxes have the same problems, perhaps with the same sender.
        topics = tuple(f"{told.pbx_name} {topic}" for topic in about[:MOST_THREADS])
    elif caller.is_shown:
        topics = (national(caller.number) or caller.number,)
    else:
        topics = (caller.name,)
    digests = (hashlib.sha256(topic.encode()).hexdigest()[:20] for topic in topics if topic)
    return "\r\n ".join(f"<thread-{digest}@{domain}>" for digest in digests)


def _with_attachment(body: bytes, attachment: Attachment, name: str, boundary: str) -> bytes:
    """Return a body with a recording behind it, as multipart/mixed (RFC 2046 section 5.1).

    Put together by hand, because EmailMessage needs twice the memory, nine times the recording's size. No line of a
    part can be the boundary: nobody knows the identifier in it before, and base64 has no such line.
    """
    format_ = FORMATS[attachment.format]
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n--{boundary}\r\n'
    part = (
        f"\r\n--{boundary}\r\nContent-Type: {format_.mime_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment;\r\n filename="{name}.{format_.extension}"\r\n\r\n'
    )
    pieces = [head.encode(), body, part.encode()]
    for start in range(0, len(attachment.content), PIECE):
        pieces.append(encodebytes(attachment.content[start : start + PIECE]).replace(b"\n", b"\r\n"))
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(pieces)


def _text(text: str, header: str) -> str:
    """Return free text as a header's value, folded."""
    return _folded(text, "us-ascii" if _is_plain(text) else "utf-8", header)


def _address(name: str, address: str) -> str:
    """Return an address with a name of the admin's in front; on a line of its own where both are long."""
    name = clean(name)
    if _is_plain(name) and len(name) < LONGEST_QUOTED:
        shown = '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
    else:
        shown = _folded(name, "utf-8", "From")
    longest = max(map(len, f"From: {shown} <{address}>".split("\r\n")))
    return f"{shown} <{address}>" if longest <= LONGEST_ENCODED_LINE else f"{shown}\r\n <{address}>"


def _is_plain(text: str) -> bool:
    """Return whether a text needs no encoding: ASCII in which nothing looks encoded already."""
    return text.isascii() and "=?" not in text


def _folded(text: str, charset: str, header: str) -> str:
    return Header(text, charset, maxlinelen=LONGEST_ENCODED_LINE, header_name=header).encode(linesep="\r\n")


def _file_name(told: Facts) -> str:
    """Return the date and the caller as the name of a file on any system: only letters, digits, + - and _."""
    caller = told.caller.number if told.caller.is_shown else told.caller.name
    return f"{told.when:%Y-%m-%d_%H-%M-%S}_{re.sub('[^0-9A-Za-z+]+', '-', caller)[:40]}".rstrip("_-")
