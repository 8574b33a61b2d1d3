"""Notifying from the command line: ``pbxnotify missed``, ``voicemail``, ``externnotify`` and ``alert``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from email import message_from_bytes, policy

from pbxnotify.asterisk.call import extensions_in
from pbxnotify.asterisk.externnotify import new_messages
from pbxnotify.asterisk.voicemail import open_recording_file, voicemail_from_file
from pbxnotify.commands import terminal
from pbxnotify.commands.preview import extensions, readable, seconds
from pbxnotify.delivery.recipients import recipients_of
from pbxnotify.delivery.submit import submit
from pbxnotify.errors import MailboxError, UsageError
from pbxnotify.events import LEVELS, Event, MissedCall, Voicemail, new_alert
from pbxnotify.mail.attachment import prepare_attachment
from pbxnotify.mail.compose import compose
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.validators import DIAL_STATUSES
from pbxnotify.text import clean

LONGEST_BODY = 100_000  # bytes of standard input, of which the end is kept; some mail programs show no more
EXIT_STATUS = {"SENT": os.EX_OK, "SKIPPED": os.EX_OK, "QUEUED": os.EX_TEMPFAIL, "FAILED": os.EX_UNAVAILABLE}


def missed(options: argparse.Namespace) -> int:
    """Notify of a missed call, as from the dialplan."""
    call = MissedCall(
        time=time.time() - options.duration,
        duration=options.duration,
        extensions=extensions_in(options.to),
        caller_number=clean(options.caller),
        caller_name=clean(options.name),
        dial_status=options.cause,
    )
    return _show_mails(call) if options.dry_run else _submit(call)


def open_file(options: argparse.Namespace) -> None:
    """Open the recording, as who named it: root's files are not for Asterisk's user. Raises UsageError."""
    try:
        options.file = open_recording_file(options.recording)
    except MailboxError as error:
        raise UsageError(str(error)) from None


def voicemail(options: argparse.Namespace) -> int:
    """Notify of a recorded message, as from the dialplan."""
    message = Voicemail(
        duration=options.duration,
        extensions=extensions_in(options.to),
        caller_number=clean(options.caller),
        caller_name=clean(options.name),
        mailbox=clean(options.mailbox),
    )
    try:
        event, descriptor = voicemail_from_file(options.recording, options.file, message)
    except MailboxError as error:
        raise UsageError(str(error)) from None
    return _show_mails(event, descriptor) if options.dry_run else _submit(event, descriptor)


def externnotify(options: argparse.Namespace) -> int:
    """Notify of the new messages of a mailbox that nobody has been notified of; for voicemail.conf."""
    statuses = [_submit(*left) for left in new_messages(options.context, options.mailbox)]
    return max(statuses, default=os.EX_OK)


def alert(options: argparse.Namespace) -> int:
    """Notify the administrator of anything, the same way as of a call."""
    body = _end_of_input() if options.body == "-" else options.body
    return _submit(new_alert(options.subject, body, options.key, options.level))


def _end_of_input() -> str:
    """Return the end of standard input, where a log has its errors; "" if it is closed."""
    if sys.stdin is None:
        return ""
    text, is_cut = b"", False
    while piece := sys.stdin.buffer.read(LONGEST_BODY):
        text += piece
        is_cut = is_cut or len(text) > LONGEST_BODY
        text = text[-LONGEST_BODY:]
    return ("[...]\n" if is_cut else "") + text.decode(errors="replace")


def _submit(event: Event, recording: int = -1) -> int:
    status, _, deliver = submit(event, recording)
    outcome = [status]
    if deliver:
        with terminal.waiting("the relay (the mail is safe in the queue)"):
            deliver(outcome.append)
    print(f"pbxnotify: {outcome[-1]}")
    return EXIT_STATUS[outcome[-1]]


def _show_mails(event: Event, recording: int = -1) -> int:
    settings = load_settings(ini_path())
    notified = recipients_of(event, settings)
    attachment = None
    if isinstance(event, Voicemail):
        attachment = prepare_attachment(lambda: recording, event, settings.voicemail)
    for recipient in notified.recipients:
        content = compose(event, "dry-run", recipient, settings, attachment)
        print(readable(message_from_bytes(content, policy=policy.default)))
    if attachment and attachment.remark:
        print(f"NOTE: {attachment.remark}")
    if not notified.recipients:
        print(f"nobody would be notified: {notified.reason}")
    return os.EX_OK


def add_missed_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify missed``."""
    _add_call_options(parser)
    parser.add_argument("--cause", type=str.upper, default="NOANSWER", choices=DIAL_STATUSES, metavar="DIALSTATUS")
    parser.add_argument("--duration", type=seconds, default=0, metavar="SECONDS", help="how long it rang")


def add_voicemail_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify voicemail``."""
    _add_call_options(parser)
    add = parser.add_argument
    add("--recording", required=True, metavar="FILE", help="the recording, such as msg0000.wav")
    add("--mailbox", default="", help="the mailbox of the message (default: the first extension)")
    add("--duration", type=seconds, metavar="SECONDS", help="the length of the message (default: measured)")


def _add_call_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="caller", required=True, metavar="NUMBER", help="the caller's number")
    parser.add_argument("--name", default="", help="the caller's name")
    text = "the extensions that missed the call"
    parser.add_argument("--to", type=extensions, required=True, metavar="EXT[&EXT]", help=text)
    parser.add_argument("--dry-run", action="store_true", help="print the mails instead of sending them")


def add_externnotify_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``pbxnotify externnotify``, as app_voicemail gives them."""
    parser.add_argument("context", metavar="CONTEXT", help="the mailbox's context in voicemail.conf")
    parser.add_argument("mailbox", metavar="MAILBOX", help="the mailbox")
    parser.add_argument("counts", nargs="*", metavar="COUNT", help="new, old and urgent messages; not used")


def add_alert_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify alert``."""
    parser.add_argument("subject", type=_subject, metavar="SUBJECT")
    parser.add_argument("--body", default="", metavar="TEXT", help="the text, - for standard input")
    parser.add_argument("--key", default="", help="what the alert is about: one alert a day with the same key")
    parser.add_argument("--level", choices=LEVELS, default="warning")


def _subject(text: str) -> str:
    if not clean(text):
        raise argparse.ArgumentTypeError("the subject is blank")
    return text
