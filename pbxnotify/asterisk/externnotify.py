"""The messages that Asterisk's ``externnotify`` speaks of: new in one mailbox, whoever put them there.

app_voicemail runs that command for each message that was left, forwarded, or recorded in VoiceMailMain, and whenever
somebody leaves a mailbox (apps/app_voicemail.c, run_externnotify).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pbxnotify.asterisk.call import caller_name_in
from pbxnotify.asterisk.console import console_answer
from pbxnotify.asterisk.mailbox import FOLDERS, Message, messages_in, voicemail_spool
from pbxnotify.asterisk.recordings import open_recording, recorded_length
from pbxnotify.asterisk.voicemail import LeftMessage
from pbxnotify.errors import AsteriskUnavailable, UsageError
from pbxnotify.events import Voicemail
from pbxnotify.text import clean

A_NAME = r"[\w.+*#-]{1,80}"  # of a mailbox or a context
A_CHANNEL = r"[\w./@;:=+-]{1,200}"


def new_messages(context: str, mailbox: str) -> Iterator[LeftMessage]:
    """Yield the messages that have just come into a mailbox, unless a ``watch`` will mail them. Raises UsageError."""
    if not (re.fullmatch(A_NAME, context) and re.fullmatch(A_NAME, mailbox)) or {context, mailbox} & {".", ".."}:
        raise UsageError(f"{clean(context)} {clean(mailbox)} is not a context and a mailbox of voicemail.conf")
    for folder in FOLDERS[:2]:
        for message in messages_in(os.path.join(voicemail_spool(), context, mailbox, folder)):
            if message.information and not _is_watched(message.information.get("callerchan", "")):
                yield _left(message)


def _is_watched(channel_name: str) -> bool:
    """Return whether the channel that left a message is there still, and its hangup handler will mail the message.

    A ``watch`` after the message has mailed it already, and empties VM_MESSAGEFILE; what is forwarded then is new.
    """
    if not re.fullmatch(A_CHANNEL, channel_name):
        return False
    try:
        channel = console_answer(f"core show channel {channel_name}")
    except AsteriskUnavailable:
        return False
    return "PBXNOTIFY_WATCHED=|" in channel and "VM_MESSAGEFILE=/" in channel


def _left(message: Message) -> LeftMessage:
    """Return a message as what its mailbox says of it: Asterisk does not write there whether a number is withheld."""
    said = message.information
    caller = re.fullmatch(r'(?:"(.*)"|(.*?)) *<([^<>]*)>|(.*)', said.get("callerid", ""))
    name, number = (caller[1] or caller[2] or "", caller[3] or caller[4] or "") if caller else ("", "")
    recording = open_recording(message.path)
    event = Voicemail(
        time=message.began or os.stat(f"{message.path}.txt").st_mtime,
        duration=recorded_length(message, recording),
        caller_number=clean(number),
        caller_name=caller_name_in(name),
        mailbox=message.mailbox,
        context=message.context,
        number=message.number,
        folder=os.path.dirname(message.path),
        message_id=message.message_id,
        place=clean(f"{said.get('callerchan', '')}-{said.get('origtime', '')}"),
        recording=recording.format,
        trouble=clean("; ".join(filter(None, (message.trouble, recording.trouble))), 1000),
        owners=(message.owner,),
    )
    return LeftMessage(event, recording.descriptor)
