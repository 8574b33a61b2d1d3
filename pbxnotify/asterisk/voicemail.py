"""A voicemail, from the channel of its caller and the mailbox, or from a recording that the administrator names."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from pbxnotify.asterisk import mailbox
from pbxnotify.asterisk.audio import FORMATS, is_silent, is_wave, length_of
from pbxnotify.asterisk.call import caller_of, extensions_in, has_talked, watched_on
from pbxnotify.asterisk.mailbox import Message, copies_of
from pbxnotify.asterisk.recordings import Recording, open_recording, recorded_length, recording_exists
from pbxnotify.errors import MailboxError
from pbxnotify.events import Voicemail
from pbxnotify.files import open_path, require_regular
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.text import clean

TRIES = 5
PAUSE = 0.01  # seconds until the next try, when the mailbox was being renumbered at this moment


class LeftMessage(NamedTuple):
    """A voicemail and its recording."""

    event: Voicemail
    recording: int  # the descriptor, open for reading; -1 if there is none


def voicemail_on(channel: Mapping[str, str], argument: str = "") -> LeftMessage | None:
    """Return the message that a caller has left, None without one; ``argument`` names who missed the call.

    Else PBXNOTIFY_TO does, else who was watched since somebody last talked. It is for the mailbox's owner as well.
    """
    named = channel.get("VM_MESSAGEFILE")
    files = None if named == "" else _files_of(channel, named or "")
    if files is None:
        return None
    message, recording = files
    duration = recorded_length(message, recording)
    place = message if message.path else Message(named or "")
    watched = [] if has_talked(channel) else watched_on(channel)
    extensions = extensions_in(argument or channel.get("PBXNOTIFY_TO") or "&".join(watched))
    mailboxes = filter(None, (place.owner, *copies_of(message)))
    event = Voicemail(
        time=message.began or time.time() - (duration or 0),
        duration=duration,
        extensions=extensions,
        mailbox=place.mailbox,
        context=place.context,
        owners=tuple(one for one in mailboxes if one.removesuffix("@default") not in extensions),
        number=message.number,
        folder=os.path.dirname(message.path),
        message_id=message.message_id,
        place=_place_of(channel, named or message.path),
        recording=recording.format,
        trouble=clean("; ".join(filter(None, (message.trouble, recording.trouble))), 1000),
        **caller_of(channel),
    )
    return LeftMessage(event, recording.descriptor)


def _files_of(channel: Mapping[str, str], named: str) -> tuple[Message, Recording] | None:
    """Return a message and its recording: both of the same message."""
    # Between reading the one and opening the other the mailbox may be renumbered: first the sound is moved, then the
    # information. So the information is read again once the recording is open.
    files = None
    for tries_left in reversed(range(TRIES)):
        message = _message_of(channel, named)
        if message is None:
            return None
        if not message.path:
            return message, Recording()
        recording = open_recording(message.path)
        is_same = mailbox.read_message(message.path).information == message.information
        half_moved = bool(message.information) and not recording_exists(message.path)
        if is_same and not (half_moved and tries_left):
            return message, recording
        if recording.descriptor >= 0:
            os.close(recording.descriptor)
        files = message, Recording(trouble="recording: the mailbox was being renumbered all the time")
        time.sleep(PAUSE)
    return files


def _message_of(channel: Mapping[str, str], named: str) -> Message | None:
    """Return the message that this channel left: the one that VM_MESSAGEFILE names, unless it has moved since."""
    # Mailboxes are renumbered when a message is deleted, and the file of that name may be another caller's now.
    if named and not named.startswith("/"):
        return Message(trouble=f"the mailbox is not a folder on this disk (VM_MESSAGEFILE is {clean(named)})")
    own = channel.get("CHANNEL(name)", "")
    message = mailbox.read_message(named) if named else Message()
    if named and message.may_be_of(own) and (message.information or recording_exists(named)):
        return message
    moved = mailbox.newest_message(own, os.path.dirname(os.path.dirname(named)) if named else "")
    if moved or not named:
        return moved
    return Message(trouble=f"the message is no longer at {clean(named)} (delete=yes in voicemail.conf removes it)")


def _place_of(channel: Mapping[str, str], path: str) -> str:
    """Return what identifies a message by its call, its first path, and when the first of the watched was."""
    call = channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")
    where = "/".join(path.split("/")[-4:])
    since = next((channel.get(f"PBXNOTIFY_RANG_{one}", "").partition("-")[0] for one in watched_on(channel)), "")
    return clean(f"{call}-{where}-{since}") if call else ""


def open_recording_file(path: str) -> int:
    """Return the descriptor of a recording that somebody names in a shell. Raises MailboxError."""
    if not _format_of(path.rpartition(".")[2]):
        raise MailboxError(f"{path} is not a recording: its name must end in one of .{', .'.join(FORMATS)}")
    try:
        descriptor = open_path(path, os.O_RDONLY)
        require_regular(descriptor, path)
    except (OSError, ValueError) as error:
        raise MailboxError(f"{clean(path)}: {getattr(error, 'strerror', None) or error}") from None
    return descriptor


def voicemail_from_file(path: str, descriptor: int, given: Voicemail) -> LeftMessage:
    """Return an open recording as if left on a channel; an information file beside it completes what is ``given``.

    Raises MailboxError. The message stays in its mailbox: the event has no ``message_id``, which
    ``after_mailing = delete`` needs.
    """
    name, _, extension = path.rpartition(".")
    format_ = _format_of(extension)
    head = os.pread(descriptor, 32, 0)
    if FORMATS[format_].extension == "wav" and not is_wave(head):
        os.close(descriptor)
        raise MailboxError(f"{path} is not a WAV file, whatever its name says")
    size = os.fstat(descriptor).st_size
    message = mailbox.read_message(name, only_in_spool=False)
    lengths = (given.duration, recorded_length(message), length_of(format_, size, head))
    duration = next((known for known in lengths if known is not None), None)
    silent = is_silent(format_, size)
    place = message if mailbox.is_in_spool(os.path.realpath(name)) else Message()
    event = given._replace(
        time=message.began or os.fstat(descriptor).st_mtime - (duration or 0),
        duration=duration,
        mailbox=given.mailbox or place.mailbox or given.extensions[0],
        context=place.context,
        number=place.number,
        recording="" if silent else format_,
        trouble=f"recording: {path} is empty" if silent else "",
    )
    return LeftMessage(event, descriptor)


def _format_of(extension: str) -> str:
    """Return Asterisk's name of the format with this extension, in any spelling; empty if it is not known."""
    spellings = {"wav49": "WAV", **{known.lower(): known for known in reversed(FORMATS) if known != "WAV"}}
    return extension if extension in FORMATS else spellings.get(extension.lower(), "")
