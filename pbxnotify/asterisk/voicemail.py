"""What a channel tells of a message that its caller left, or an admin of a recording: whose, for whom, how long."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from pbxnotify.asterisk.audio import FORMATS, is_silent, is_wave, length_of, length_of_wave
from pbxnotify.asterisk.call import caller_of, extensions_in
from pbxnotify.asterisk.mailbox import (
    Message,
    is_in_spool,
    newest_message,
    open_recording,
    open_safely,
    read_message,
    recording_exists,
)
from pbxnotify.errors import MailboxError
from pbxnotify.events import UNKNOWN_LENGTH, Voicemail
from pbxnotify.text import clean

TRIES = 5
PAUSE = 0.01
"""Seconds until the next try, when the mailbox was being renumbered at this moment."""

Left = tuple[Voicemail, int]
"""A message, and the descriptor of its recording, open for reading; -1 if there is none."""


def voicemail_on(channel: Mapping[str, str], argument: str = "") -> Left | None:
    """Return the message that the caller on a channel has left, None if there is none.

    ``argument`` names the employees who missed the call, else PBXNOTIFY_TO, else it is the mailbox's owner.
    """
    named = channel.get("VM_MESSAGEFILE")
    if named == "":
        return None
    found = _message_and_recording(channel, named or "")
    if found is None:
        return None
    message, descriptor, format_, trouble = found
    size = os.fstat(descriptor).st_size if descriptor >= 0 else 0
    duration = message.duration if message.duration != UNKNOWN_LENGTH or not format_ else length_of(format_, size)
    mailbox, context = message.mailbox if message.path else Message(named or "", {}).mailbox
    missed = extensions_in(argument or channel.get("PBXNOTIFY_TO", ""))
    event = Voicemail(
        time=message.began or time.time() - max(duration, 0),
        duration=duration,
        extensions=missed or ((mailbox,) if mailbox else ()),
        mailbox=mailbox,
        context=context,
        number=message.number,
        folder=os.path.dirname(message.path),
        message_id=message.message_id,
        place=_place_of(channel, named or message.path),
        recording=format_,
        trouble=clean("; ".join(filter(None, (message.trouble, trouble))), 1000),
        **caller_of(channel),
    )
    return event, descriptor


def _message_and_recording(channel: Mapping[str, str], named: str) -> tuple[Message, int, str, str] | None:
    """Return a message, and its recording as ``recording_of`` does: both of the same message.

    Between the reading of one and the opening of the other the mailbox may be renumbered: first the sound is moved,
    then the information. So the information is read again once the recording is open.
    """
    found = None
    for tries_left in reversed(range(TRIES)):
        message = _message_of(channel, named)
        if message is None:
            return None
        if not message.path:
            return message, -1, "", ""
        descriptor, format_, trouble = open_recording(message.path)
        is_same = read_message(message.path).information == message.information
        half_moved = bool(message.information) and not recording_exists(message.path)
        if is_same and not (half_moved and tries_left):
            return message, descriptor, format_, trouble
        if descriptor >= 0:
            os.close(descriptor)
        found = message, -1, "", "recording: the mailbox was being renumbered all the time"
        time.sleep(PAUSE)
    return found


def _message_of(channel: Mapping[str, str], named: str) -> Message | None:
    """Return the message that this channel left: the one that VM_MESSAGEFILE names, unless it has moved since.

    Mailboxes are renumbered when a message is deleted, and the file of that name may be another caller's now.
    """
    if named and not named.startswith("/"):
        return Message("", {}, f"the mailbox is no folder on this disk (VM_MESSAGEFILE is {clean(named)})")
    own = channel.get("CHANNEL(name)", "")
    message = read_message(named) if named else Message("", {})
    if named and message.is_of(own) and (message.information or recording_exists(named)):
        return message
    moved = newest_message(own, os.path.dirname(os.path.dirname(named)) if named else "")
    if moved or not named:
        return moved
    return Message("", {}, f"the message is not at {clean(named)} any more (delete=yes in voicemail.conf removes it)")


def _place_of(channel: Mapping[str, str], path: str) -> str:
    """Return what names a message by the call and by where it lay, since ``watch`` last began anew."""
    call = channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")
    where = "/".join(path.split("/")[-4:])
    return clean(f"{call}-{where}-{channel.get('PBXNOTIFY_SINCE', '')}") if call else ""


def voicemail_from_file(path: str, told: Voicemail) -> Left:
    """Return what was told of a recording, completed as if it had been left on a channel. Raises Unreadable.

    A message information file beside it says when it was left, and how long it is if that was not told.
    The message stays in its mailbox: nothing names it for ``after_mailing = delete``.
    """
    name, format_, descriptor = _opened(path)
    size, head = os.fstat(descriptor).st_size, os.pread(descriptor, 32, 0)
    message = read_message(name, only_in_spool=False)
    measured = length_of_wave(head, size) if is_wave(head) else length_of(format_, size)
    lengths = (told.duration, message.duration, measured)
    duration = next((known for known in lengths if known != UNKNOWN_LENGTH), UNKNOWN_LENGTH)
    silent = is_silent(format_, size)
    place = message if is_in_spool(os.path.realpath(name)) else Message("", {})
    event = told._replace(
        time=message.began or os.fstat(descriptor).st_mtime - max(duration, 0),
        duration=duration,
        mailbox=told.mailbox or place.mailbox[0] or told.extensions[0],
        context=place.mailbox[1],
        number=place.number,
        recording="" if silent else format_,
        trouble=f"recording: {path} is empty" if silent else "",
    )
    return event, descriptor


def _opened(path: str) -> tuple[str, str, int]:
    """Return a recording's path without extension, its format, and its descriptor. Raises Unreadable."""
    name, _, extension = path.rpartition(".")
    spellings = {"wav49": "WAV", **{known.lower(): known for known in reversed(FORMATS) if known != "WAV"}}
    format_ = extension if extension in FORMATS else spellings.get(extension.lower(), "")
    if not format_:
        raise MailboxError(f"{path} is no recording: its name must end in one of .{', .'.join(FORMATS)}")
    descriptor = open_safely(os.path.realpath(path), only_in_spool=False)
    if FORMATS[format_].extension == "wav" and not is_wave(os.pread(descriptor, 16, 0)):
        os.close(descriptor)
        raise MailboxError(f"{path} is no WAV file, whatever its name says")
    return name, format_, descriptor
