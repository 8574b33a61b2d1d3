"""``pbxnotify preview``: shows a mail of sample or given values; nothing is sent."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
import time
import wave
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from pbxnotify.asterisk.call import extensions_in
from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.delivery.settings_watch import test_event
from pbxnotify.errors import UsageError
from pbxnotify.events import Alert, Event, MissedCall, Voicemail, new_alert
from pbxnotify.files import open_path, require_regular
from pbxnotify.languages.language import DEFAULT_LANGUAGE, LANGUAGE_CODES, load_language
from pbxnotify.mail.attachment import Attachment
from pbxnotify.mail.compose import compose
from pbxnotify.mail.content import PHONE, REASONS
from pbxnotify.mail.context import Recipient
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.text import clean

CALL = ("caller", "name", "to", "private", "duration")
TAKES = {"missed": (*CALL, "cause"), "voicemail": CALL, "alert": ("subject", "body"), "test": ()}
"""The kinds of mails, and the options whose values stand in each."""
KINDS = tuple(TAKES)
VALUES = sorted({name for names in TAKES.values() for name in names})
CAUSES = {status.lower(): (status, "") for status in REASONS} | {phone: ("CHANUNAVAIL", phone) for phone in PHONE}
"""Why a call is missed: DIALSTATUS or QUEUESTATUS, and what is known about the phone."""
NUMBER, EXTENSION, SOMEBODY = "+74951234567", "101", "somebody@example.com"
RANG, LENGTH, AGO = 23, 65, 300  # seconds that the sample rang, that its message lasts, and since it began


def open_file(options: argparse.Namespace) -> None:
    """Open the file to write to, as who named it: root's directories are not for Asterisk's user. Raises UsageError."""
    path = options.eml if options.eml is not None else options.html
    options.file = -1
    if path in (None, "-"):
        return
    try:
        options.file = open_path(path, os.O_WRONLY | os.O_CREAT, 0o666)
        require_regular(options.file, path)
        if os.fstat(options.file).st_nlink > 1:
            raise UsageError(f"{path}: has another name as well; name a file that has one only")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def preview(options: argparse.Namespace) -> int:
    """Print a mail, or write its page or the whole of it to a file."""
    for name in VALUES:
        if getattr(options, name) is not None and name not in TAKES[options.kind]:
            raise UsageError(f"preview {options.kind} does not take --{'from' if name == 'caller' else name}")
    settings = load_settings(ini_path())
    recipient = _recipient(_event(options, settings, DEFAULT_LANGUAGE), settings, options.language)
    event = _event(options, settings, recipient.language)
    attachment = _sample(event) if settings.voicemail.attach and isinstance(event, Voicemail) else None
    content = compose(event, "preview", recipient, settings, attachment)
    mail: EmailMessage = message_from_bytes(content, policy=policy.default)
    if options.eml is not None:
        _write(options.file, options.eml, content)
    elif options.html is not None:
        page = mail.get_body(("html",))
        _write(options.file, options.html, str(page.get_content()).encode() if page else b"")
    else:
        print(readable(mail))
    return os.EX_OK


def readable(mail: EmailMessage) -> str:
    """Return a mail decoded for reading: its headers, its plain text, and what is attached."""
    headers, body = "".join(f"{name}: {value}\n" for name, value in mail.items()), mail.get_body(("plain",))
    parts = [headers, str(body.get_content()).replace("\r\n", "\n") if body else ""]
    for part in mail.iter_attachments():
        size = len(part.get_payload(decode=True))
        parts.append(f"[{part.get_filename()}, {part.get_content_type()}, {size} bytes]\n")
    return "\n".join(parts)


def _event(options: argparse.Namespace, settings: Settings, code: str) -> Event:
    """Return what the mail is about: the values given, samples for the others."""
    words = load_language(code)
    if options.kind == "test":
        return test_event(code)
    if options.kind == "alert":
        subject = words.sample_alert if options.subject is None else options.subject
        return new_alert(subject, words.sample_alert_text if options.body is None else options.body)
    if options.caller is None and options.name is None:
        return _call(options, settings, NUMBER, words.sample_caller)
    return _call(options, settings, options.caller or "", options.name or "")


def _call(options: argparse.Namespace, settings: Settings, number: str, name: str) -> MissedCall | Voicemail:
    first = settings.employees[0].extension if settings.employees else EXTENSION
    began = time.time() - AGO
    common: dict[str, Any] = {
        "time": began,
        "extensions": extensions_in(options.to or first),
        "caller_number": clean(number),
        "caller_name": clean(name),
        "private": bool(options.private),
        **dict.fromkeys(("linked_id", "unique_id"), f"{began:.0f}.1"),
    }
    if options.kind == "voicemail":
        length = LENGTH if options.duration is None else options.duration
        return Voicemail(**common, duration=length, mailbox=common["extensions"][0], number=1, recording="wav")
    dial_status, phone = CAUSES[options.cause or "noanswer"]
    rang = RANG if options.duration is None else options.duration
    return MissedCall(**common, duration=rang, dial_status=dial_status, phone=phone)


def _recipient(event: Event, settings: Settings, code: str | None) -> Recipient:
    """Return the first recipient; where there would be none, say so and take a sample."""
    notified = recipients_of(event, settings)
    for recipient in notified.recipients:
        return recipient._replace(language=code or recipient.language)
    print(f"NOTE: nobody would be notified: {notified.reason}", file=sys.stderr)
    extensions = () if isinstance(event, Alert) else event.extensions
    card = settings.employee(extensions[0]) if extensions else None
    usual = (card.language if card else "") or settings.notifications.language
    return Recipient(SOMEBODY, code or usual, extensions)


def _sample(voicemail: Voicemail) -> Attachment:
    """Return a second of silence as a recording."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    return Attachment(sound.getvalue(), voicemail.recording)


def _write(descriptor: int, path: str, content: bytes) -> None:
    """Write to the open file, or to standard output if there is none."""
    if descriptor < 0:
        if sys.stdout.isatty():
            print(content.decode(errors="replace").replace("\r\n", "\n"), end="")
        else:
            sys.stdout.buffer.write(content)
        return
    try:
        with open(descriptor, "wb") as file:
            file.truncate()
            file.write(content)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    print(f"written: {path}")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add = parser.add_argument
    add("kind", choices=KINDS, metavar="|".join(KINDS))
    add("--language", choices=LANGUAGE_CODES, help="the language of the mail (default: the recipient's)")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--html", metavar="FILE", help="write the mail's page to a file, - for standard output")
    files.add_argument("--eml", metavar="FILE", help="write the whole mail to a file, as mail programs open it")
    add("--from", dest="caller", metavar="NUMBER", help="the caller's number")
    add("--name", help="the caller's name")
    add("--to", type=extensions, metavar="EXT[&EXT]", help="the extensions that were called")
    add("--private", action="store_true", default=None, help="the caller withholds the number")
    add("--duration", type=seconds, metavar="SECONDS", help="how long it rang, or the message lasts")
    text = f"why the call was missed: {', '.join(CAUSES)}"
    add("--cause", type=str.lower, choices=CAUSES, metavar="CAUSE", help=text)
    add("--subject", help="the subject of an alert")
    add("--body", help="the text of an alert")


def seconds(text: str) -> int:
    """Return a number of seconds from the command line."""
    if not re.fullmatch("[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 99999")
    return int(text)


def extensions(text: str) -> str:
    """Return extensions from the command line, checked."""
    if not extensions_in(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of extensions; expected 101 or 101&102")
    return text
