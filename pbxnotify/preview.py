"""``pbxnotify preview``: a mail as it would be, of sample or given values; nothing is sent."""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import wave
from email import message_from_bytes, policy
from email.message import EmailMessage

from pbxnotify import events, language, message, reason, settings, trial
from pbxnotify.attachment import Attachment
from pbxnotify.errors import UsageError
from pbxnotify.language import DEFAULT
from pbxnotify.recipients import Recipient, find_employee, told_of
from pbxnotify.settings import Settings

CALL = ("caller", "name", "to", "private", "duration")
TAKES = {"missed": (*CALL, "cause"), "voicemail": CALL, "alert": ("subject", "body"), "test": ()}
"""The kinds of mails, and the options that say what is in each."""
KINDS = tuple(TAKES)
CAUSES = {status.lower(): (status, "") for status in reason.STATUSES} | {
    phone: ("CHANUNAVAIL", phone) for phone in reason.PHONE
}
"""Why a call is missed: DIALSTATUS or QUEUESTATUS, and what is known of the phone."""
NUMBER, EXTENSION = "+74951234567", "101"
SOMEBODY = "somebody@example.com"
RANG, LENGTH, AGO = 23, 65, 300
"""Seconds that the sample rang, that its message lasts, and since it came."""


def preview(options: argparse.Namespace) -> int:
    """Show a mail, or write its page or all of it to a file."""
    for name in {name for names in TAKES.values() for name in names} - set(TAKES[options.kind]):
        if getattr(options, name) is not None:
            raise UsageError(
                f"--{'from' if name == 'caller' else name} says nothing in a mail of the kind {options.kind}"
            )
    configured = settings.load(settings.location())
    recipient = _recipient(_event(options, configured, DEFAULT), configured, options.language)
    event = _event(options, configured, recipient.language)
    attachment = _sample(event) if configured.voicemail.attach and isinstance(event, events.Voicemail) else None
    content = message.compose(event, "preview", recipient, configured, attachment)
    mail: EmailMessage = message_from_bytes(content, policy=policy.default)
    if options.eml is not None:
        _write(options.eml, content)
    elif options.html is not None:
        page = mail.get_body(("html",))
        _write(options.html, str(page.get_content()).encode() if page else b"")
    else:
        print(readable(mail))
    return os.EX_OK


def readable(mail: EmailMessage) -> str:
    """Return a mail decoded for reading: its headers, its plain text, and what is attached."""
    body = mail.get_body(("plain",))
    parts = ["".join(f"{name}: {value}\n" for name, value in mail.items())]
    parts.append(str(body.get_content()).replace("\r\n", "\n") if body else "")
    for part in mail.iter_attachments():
        size = len(part.get_payload(decode=True))
        parts.append(f"[{part.get_filename()}, {part.get_content_type()}, {size} bytes]\n")
    return "\n".join(parts)


def _event(options: argparse.Namespace, configured: Settings, code: str) -> events.Event:
    """Return what the mail is about: what was given, the rest as samples."""
    words = language.load(code)
    if options.kind == "test":
        return trial.event(code)
    if options.kind == "alert":
        return events.alert(
            words.sample_alert if options.subject is None else options.subject,
            words.sample_alert_text if options.body is None else options.body,
        )
    given = options.caller is not None or options.name is not None
    caller, name = (options.caller or "", options.name or "") if given else (NUMBER, words.sample_caller)
    first = configured.employees[0].extension if configured.employees else EXTENSION
    began = time.time() - AGO
    dial_status, phone = CAUSES[options.cause or "noanswer"]
    call = events.MissedCall(
        time=began,
        duration=RANG if options.duration is None else options.duration,
        extensions=events.extensions_in(options.to or first),
        caller_number=events.clean(caller),
        caller_name=events.clean(name),
        private=bool(options.private),
        dial_status=dial_status,
        phone=phone,
        linked_id=f"{began:.0f}.1",
        unique_id=f"{began:.0f}.1",
    )
    return call if options.kind == "missed" else _voicemail(call, options.duration)


def _voicemail(call: events.MissedCall, duration: int | None) -> events.Voicemail:
    """Return a message that the caller left."""
    common = {name: value for name, value in call._asdict().items() if name in events.Voicemail._fields}
    left = events.Voicemail(**common)
    seconds = LENGTH if duration is None else duration
    return left._replace(duration=seconds, mailbox=call.extensions[0], number=1, recording="wav")


def _recipient(event: events.Event, configured: Settings, code: str | None) -> Recipient:
    """Return the first who would be told; where nobody would be, that is said, and it is whose card it is."""
    told = told_of(event, configured)
    if told.recipients:
        return told.recipients[0]._replace(language=code or told.recipients[0].language)
    print(f"NOTE: nobody would be told: {told.reason}", file=sys.stderr)
    extensions = () if isinstance(event, events.Alert) else event.extensions
    card = find_employee(extensions[0], configured.employees) if extensions else None
    usual = (card.language if card else "") or configured.notifications.language
    return Recipient(SOMEBODY, code or usual, extensions)


def _sample(voicemail: events.Voicemail) -> Attachment:
    """Return a second of silence as a recording."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    return Attachment(sound.getvalue(), voicemail.recording)


def _write(path: str, content: bytes) -> None:
    """Write to a file, - for standard output."""
    if path == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    print(f"written: {path}")
