"""What they read: one mail for one recipient, as bytes for the relay (plain text and HTML, the recording attached).

It is put together here, with the library's encodings, and not by ``EmailMessage``: that loses spaces of Russian
subjects on Python 3.9 to 3.12, writes invalid encoded words on 3.13.0, lets an encoded word in a caller's name become a
header of its own (CVE-2024-6923), needs nine times the size of a recording, and a tenth of the time that a whole mail
takes (Python 3.11). Caller text never goes into an address header.
"""

from __future__ import annotations

import hashlib
import quopri
import re
import time
import zlib
from base64 import encodebytes
from email.header import Header
from email.utils import format_datetime

from pbxnotify.events import Alert, Event, Voicemail
from pbxnotify.mail.content import content_of, plain_text, recording_note
from pbxnotify.mail.context import Context, Recipient, context_of
from pbxnotify.mail.page import page_of_content, page_of_own_text
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.phone_number import national
from pbxnotify.text import clean, html_of_text

if TYPE_CHECKING:
    from pbxnotify.mail.attachment import Attachment
    from pbxnotify.settings.sections import Settings

LONGEST_HEADER = 200
"""Characters of a subject."""
LONGEST_ENCODED_LINE = 76
"""Characters of an encoded line, in a body (RFC 2045 section 6.7) or header (RFC 2047)."""
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
    told = context_of(event, recipient, settings)
    subject, text, html = _texts(event, recipient, settings, told, attachment)
    content = _multipart("alternative", identifier, _part("plain", text), _part("html", html))
    if attachment and attachment.content and isinstance(event, Voicemail):
        content = _multipart("mixed", identifier, content, _recording(attachment, _file_name(told)))
    sender = settings.smtp.sender_address
    domain = sender.rpartition("@")[2]
    headers = {
        "From": _address(settings.smtp.sender_name or told.pbx_name, sender),
        "To": f"<{recipient.address}>",
        "Subject": _text(subject, "Subject"),
        "Date": format_datetime(settings.moment(time.time())),
        "Message-ID": f"<{identifier}.{zlib.crc32(recipient.address.encode()):08x}@{domain}>",
        "References": _threads(event, told, domain),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high" if isinstance(event, Alert) and event.level == "critical" else "",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{head}MIME-Version: 1.0\r\n".encode() + content


def _texts(
    event: Event, recipient: Recipient, settings: Settings, told: Context, attachment: Attachment | None
) -> tuple[str, str, str]:
    """Return subject, plain text and page: the admin's, where there are none those of the letter."""
    designed = content_of(event, told, attachment)
    own_subject, own_body, (footer_text, footer) = _own_texts(event, settings, told)
    subject = clean(own_subject, LONGEST_HEADER) or clean(designed.subject, LONGEST_HEADER)
    if own_body:
        text, content, is_html = own_body
        note = recording_note(event, attachment, told.language) if isinstance(event, Voicemail) else ""
        text = f"{text.rstrip()}\n\n{note}" if note else text
        is_dark = not is_html  # the admin's HTML has colours of its own
        whole = page_of_own_text(content, subject, designed.accent, recipient.language, note, footer, is_dark=is_dark)
    else:
        text = plain_text(designed, told.language)
        whole = page_of_content(designed._replace(subject=subject), recipient.language, footer)
    return subject, f"{text}\n\n-- \n{footer_text}", whole


def _own_texts(
    event: Event, settings: Settings, told: Context
) -> tuple[str, tuple[str, str, bool] | None, tuple[str, str]]:
    """Return the admin's subject and body, if there are any, and the footer.

    Body and footer are text and HTML; a body also says whether it was written in HTML.
    """
    section = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    if isinstance(event, Alert) or not (section.subject or section.body or section.footer):
        return "", None, (told.pbx_name, html_of_text(told.pbx_name))
    from pbxnotify.mail.templates.html_template import as_text_and_html, is_html
    from pbxnotify.mail.templates.placeholders import fill_text
    from pbxnotify.mail.variables import own_texts, variables_of

    own = own_texts(event, settings)
    values = variables_of(event, told, settings.notifications.date_format)
    body = (*as_text_and_html(own.body, values), is_html(own.body)) if own.body else None
    return fill_text(own.subject, values), body, as_text_and_html(own.footer or "PBX_NAME", values)


def _threads(event: Event, told: Context, domain: str) -> str:
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


def _multipart(subtype: str, identifier: str, *parts: bytes) -> bytes:
    """Return parts as one (RFC 2046 section 5.1).

    No line of a part can be the boundary: nobody knows the identifier in it before, and no encoding has such a line.
    """
    boundary = f"=_{subtype}_{identifier}"
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    delimiter = f"\r\n--{boundary}".encode()
    return b"".join([head, *(b"%b\r\n%b" % (delimiter, part) for part in parts), delimiter, b"--\r\n"])


def _part(subtype: str, text: str) -> bytes:
    """Return a text, encoded in whatever way is the shortest; its lines are those of RFC 2045 section 6.7."""
    raw = text.encode().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encodings = {
        "quoted-printable": quopri.encodestring(raw),
        "base64": encodebytes(raw.replace(b"\n", b"\r\n")),  # RFC 2045 section 6.8
    }
    if max(map(len, encodings["quoted-printable"].split(b"\n"))) > LONGEST_ENCODED_LINE:
        del encodings["quoted-printable"]  # binascii.b2a_qp does not count a blank that it encodes at a line's end
    if text.isascii() and max(map(len, raw.split(b"\n"))) <= LONGEST_ENCODED_LINE:
        encodings["7bit"] = raw
    encoding = min(encodings, key=lambda name: len(encodings[name]))
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + encodings[encoding].rstrip(b"\n").replace(b"\n", b"\r\n")


def _recording(attachment: Attachment, name: str) -> bytes:
    """Return a recording, encoded piece by piece: at once it would need nine times its size."""
    from pbxnotify.asterisk.audio import FORMATS

    format_ = FORMATS[attachment.format]
    head = (
        f"Content-Type: {format_.mime_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment;\r\n filename="{name}.{format_.extension}"\r\n\r\n'
    )
    content = attachment.content
    pieces = (encodebytes(content[start : start + PIECE]) for start in range(0, len(content), PIECE))
    return b"".join([head.encode(), *(piece.replace(b"\n", b"\r\n") for piece in pieces)])


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


def _file_name(told: Context) -> str:
    """Return the date and the caller as the name of a file on any system: only letters, digits, + - and _."""
    caller = told.caller.number if told.caller.is_shown else told.caller.name
    return f"{told.when:%Y-%m-%d_%H-%M-%S}_{re.sub('[^0-9A-Za-z+]+', '-', caller)[:40]}".rstrip("_-")
