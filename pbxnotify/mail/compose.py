"""What one mail for one recipient consists of: its headers, its text, its page, the recording."""

from __future__ import annotations

import hashlib
import re
import time
import zlib
from email.utils import format_datetime

from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.content import content_of, plain_text, recording_note
from pbxnotify.mail.context import Context, Recipient, context_of
from pbxnotify.mail.mime import attached_part, header_address, header_text, mail_of, multipart, text_part
from pbxnotify.mail.page import page_of_content, page_of_own_text
from pbxnotify.mail.templates.placeholders import Filled, OwnTexts
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.phone_number import national
from pbxnotify.text import clean, html_of_text

if TYPE_CHECKING:
    from pbxnotify.mail.attachment import Attachment
    from pbxnotify.settings.sections import Settings

LONGEST_SUBJECT = 200  # characters
MOST_THREADS = 20  # conversations that an alert belongs to: a header has its limits


def compose(
    event: Event, identifier: str, recipient: Recipient, settings: Settings, attachment: Attachment | None = None
) -> bytes:
    """Return the mail about an event; its Message-ID, of identifier and address, is the same in a second copy."""
    if isinstance(event, MissedCall):
        event = event.for_phones(recipient.extensions)
    context = context_of(event, recipient, settings)
    subject, texts = _subject_and_texts(event, recipient, settings, context, attachment)
    body = multipart("alternative", identifier, text_part("plain", texts.text), text_part("html", texts.html))
    if attachment and attachment.content and isinstance(event, Voicemail):
        body = multipart("mixed", identifier, body, _recording_part(attachment, context))
    sender = settings.smtp.sender_address
    domain = sender.rpartition("@")[2]
    headers = {
        "From": header_address(settings.smtp.sender_name or context.pbx_name, sender),
        "To": f"<{recipient.address}>",
        "Subject": header_text(subject, "Subject"),
        "Date": format_datetime(settings.moment(time.time())),
        "Message-ID": f"<{identifier}.{zlib.crc32(recipient.address.encode()):08x}@{domain}>",
        "References": _threads(event, context, domain),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high" if isinstance(event, Alert) and event.level == "critical" else "",
    }
    return mail_of(headers, body)


def _subject_and_texts(
    event: Event, recipient: Recipient, settings: Settings, context: Context, attachment: Attachment | None
) -> tuple[str, Filled]:
    """Return the administrator's texts, and the built-in ones where there are none."""
    content, own = content_of(event, context, attachment), _own_texts(event, context, settings)
    subject = clean(own.subject, LONGEST_SUBJECT) or clean(content.subject, LONGEST_SUBJECT)
    content = content._replace(subject=subject)
    if own.body:
        note = recording_note(event, attachment, context.language) if isinstance(event, Voicemail) else ""
        text = f"{own.body.text.rstrip()}\n\n{note}" if note else own.body.text
        html = page_of_own_text(own.body, content, recipient.language, note, own.footer.html)
    else:
        text = plain_text(content, context.language)
        html = page_of_content(content, recipient.language, own.footer.html)
    return subject, Filled(f"{text}\n\n-- \n{own.footer.text}", html)


def _own_texts(event: Event, context: Context, settings: Settings) -> OwnTexts:
    """Return the administrator's texts; what fills them in is imported only where there are some."""
    section = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    if isinstance(event, Alert) or not (section.subject or section.body or section.footer):
        return OwnTexts("", None, Filled(context.pbx_name, html_of_text(context.pbx_name)))
    from pbxnotify.mail.variables import own_texts

    return own_texts(event, context, settings)


def _threads(event: Event, context: Context, domain: str) -> str:
    """Return what groups the mails about one caller, or one problem, in mail programs (RFC 5322 section 3.6.4)."""
    caller = context.caller
    if isinstance(event, Alert):
        about = event.about or ((event.key,) if event.key else ())
        # Other hosts have the same problems, perhaps with the same sender.
        topics = tuple(f"{context.pbx_name} {topic}" for topic in about[:MOST_THREADS])
    elif caller.is_shown:
        topics = (national(caller.number) or caller.number,)
    else:
        topics = (caller.name,)
    digests = (hashlib.sha256(topic.encode()).hexdigest()[:20] for topic in topics if topic)
    return "\r\n ".join(f"<thread-{digest}@{domain}>" for digest in digests)


def _recording_part(attachment: Attachment, context: Context) -> bytes:
    """Return the recording, named after date and caller: letters, digits, + - and _ are a file's name on any system."""
    from pbxnotify.asterisk.audio import FORMATS

    format_ = FORMATS[attachment.format]
    caller = context.caller.number if context.caller.is_shown else context.caller.name
    name = f"{context.when:%Y-%m-%d_%H-%M-%S}_{re.sub('[^0-9A-Za-z+]+', '-', caller)[:40]}".rstrip("_-")
    return attached_part(attachment.content, format_.mime_type, f"{name}.{format_.extension}")
