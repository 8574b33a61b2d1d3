"""Telling of something by hand: ``pbxnotify missed``, ``pbxnotify voicemail`` and ``pbxnotify alert``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from email import message_from_bytes, policy

from pbxnotify import events, message, notify, preview, settings, terminal
from pbxnotify.attachment import prepare
from pbxnotify.errors import UsageError
from pbxnotify.message_left import by_hand
from pbxnotify.recipients import told_of
from pbxnotify.voicemail import Unreadable

LONGEST_BODY = 100_000
"""Bytes of the end of what standard input says; some mail programs show no more."""
EXIT_STATUS = {"SENT": os.EX_OK, "SKIPPED": os.EX_OK, "QUEUED": os.EX_TEMPFAIL, "FAILED": os.EX_UNAVAILABLE}


def missed(options: argparse.Namespace) -> int:
    """Tell of a missed call by hand, the same way as from the dialplan."""
    call = events.MissedCall(
        time=time.time() - options.duration,
        duration=options.duration,
        extensions=events.extensions_in(options.to),
        caller_number=events.clean(options.caller),
        caller_name=events.clean(options.name),
        dial_status=options.cause,
    )
    return _show_mails(call) if options.dry_run else _tell(call)


def voicemail(options: argparse.Namespace) -> int:
    """Tell of a recording by hand, the same way as from the dialplan."""
    told = events.Voicemail(
        duration=options.duration,
        extensions=events.extensions_in(options.to),
        caller_number=events.clean(options.caller),
        caller_name=events.clean(options.name),
        mailbox=events.clean(options.mailbox),
    )
    try:
        event, descriptor = by_hand(options.recording, told)
    except Unreadable as error:
        raise UsageError(str(error)) from None
    return _show_mails(event, options.recording) if options.dry_run else _tell(event, descriptor)


def alert(options: argparse.Namespace) -> int:
    """Tell the administrator of anything, the same way as of a call."""
    body = _end_of_input() if options.body == "-" else options.body
    return _tell(events.alert(options.subject, body, options.key, options.level))


def _end_of_input() -> str:
    """Return the end of what standard input says, where errors stand in a log; nothing if it is closed."""
    if sys.stdin is None:
        return ""
    text, is_cut = b"", False
    while piece := sys.stdin.buffer.read(LONGEST_BODY):
        text += piece
        is_cut = is_cut or len(text) > LONGEST_BODY
        text = text[-LONGEST_BODY:]
    return ("[...]\n" if is_cut else "") + text.decode(errors="replace")


def _tell(event: events.Event, recording: int = -1) -> int:
    """Make an event durable and deliver it; returns the exit status."""
    status, _, deliver = notify.tell(event, recording)
    outcome = [status]
    if deliver:
        with terminal.waiting("the relay (the mail is safe in the queue)"):
            deliver(outcome.append)
    print(f"pbxnotify: {outcome[-1]}")
    return EXIT_STATUS[outcome[-1]]


def _show_mails(event: events.Event, recording: str = "") -> int:
    """Print the mails of an event, decoded for reading."""
    configured = settings.load(settings.location())
    told = told_of(event, configured)
    attachment = prepare(recording, event, configured.voicemail) if isinstance(event, events.Voicemail) else None
    for recipient in told.recipients:
        content = message.compose(event, "dry-run", recipient, configured, attachment)
        print(preview.readable(message_from_bytes(content, policy=policy.default)))
    if attachment and attachment.remark:
        print(f"NOTE: {attachment.remark}")
    if not told.recipients:
        print(f"nobody would be told: {told.reason}")
    return os.EX_OK
