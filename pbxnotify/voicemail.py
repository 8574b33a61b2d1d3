"""The mailbox on disk: message information file and recording, as Asterisk's app_voicemail.c writes them.

Whatever a variable says, only regular files below Asterisk's voicemail spool are read, and no symbolic link leads out
of it.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pbxnotify.events import UNKNOWN, Voicemail, caller_of, clean, extensions_in
from pbxnotify.formats import FORMATS, length_of
from pbxnotify.installation import spool_directory

LONGEST_INFORMATION = 65536
"""Bytes of a message information file; Asterisk writes a few hundred."""
FOLDERS = ("INBOX", "Urgent", "Old")
"""Where a message may be a moment after it was left: as it came, marked urgent, or listened to."""
JUST_NOW = 900.0
"""Seconds for which a message that has moved is looked for."""


Left = tuple[Voicemail, int]
"""A message, and the descriptor of its recording, open for reading; -1 if there is none."""


class Unreadable(Exception):
    """A file of the mailbox cannot be used; says why."""


class Message(NamedTuple):
    """One message of a mailbox."""

    path: str
    """Without extension, as VM_MESSAGEFILE."""
    information: Mapping[str, str]
    """What the message information file says; nothing if it is missing or odd."""
    trouble: str = ""

    def is_of(self, channel_name: str) -> bool:
        """Return whether this channel may have left it: one that does not say so may be anybody's."""
        return channel_name in self.information.get("callerchan", channel_name).split("\n")

    @property
    def duration(self) -> int:
        """Return the whole seconds that app_voicemail counted, else ``UNKNOWN``."""
        text = self.information.get("duration", "")
        return int(text) if re.fullmatch("[0-9]{1,6}", text) else UNKNOWN

    @property
    def began(self) -> float:
        """Return when it began in seconds since the epoch, 0 if unknown."""
        text = self.information.get("origtime", "")
        return float(text) if re.fullmatch("[0-9]{9,11}", text) else 0.0

    @property
    def message_id(self) -> str:
        """Return ``msg_id`` if it is one, else nothing."""
        text = self.information.get("msg_id", "")
        return text if re.fullmatch("[A-Za-z0-9.-]{1,64}", text) else ""


def root() -> str:
    """Return Asterisk's voicemail spool."""
    return os.path.join(spool_directory(), "voicemail")


def left(channel: Mapping[str, str], argument: str = "") -> Left | None:
    """Return the message that the caller on a channel has left, None if there is none.

    ``argument`` names the employees who missed the call, else PBXNOTIFY_TO, else it is the mailbox's owner.
    """
    named = channel.get("VM_MESSAGEFILE")
    if named == "":
        return None
    message = _message_of(channel, named or "")
    if message is None:
        return None
    descriptor, format_, trouble = recording_of(message.path) if message.path else (-1, "", message.trouble)
    mailbox, context = _mailbox_of(message.path or named or "")
    size = os.fstat(descriptor).st_size if descriptor >= 0 else 0
    missed = extensions_in(argument or channel.get("PBXNOTIFY_TO", ""))
    duration = _duration(message, format_, size)
    event = Voicemail(
        time=message.began or time.time() - max(duration, 0),
        duration=duration,
        extensions=missed or ((mailbox,) if mailbox else ()),
        mailbox=mailbox,
        context=context,
        number=_number_of(message.path),
        folder=os.path.dirname(message.path),
        message_id=message.message_id,
        place=_place_of(channel, named or message.path),
        recording=format_,
        trouble=clean("; ".join(filter(None, (message.trouble if message.path else "", trouble))), 1000),
        **caller_of(channel),
    )
    return event, descriptor


def _message_of(channel: Mapping[str, str], named: str) -> Message | None:
    """Return the message that this channel left: the one that VM_MESSAGEFILE names, unless it has moved since.

    Mailboxes are renumbered when a message is deleted, and the file of that name may be another caller's now.
    """
    if named and not named.startswith("/"):
        return Message("", {}, f"the mailbox is no folder on this disk (VM_MESSAGEFILE is {clean(named)})")
    own = channel.get("CHANNEL(name)", "")
    message = read(named) if named else Message("", {})
    if named and message.is_of(own) and (message.information or _exists(named)):
        return message
    moved = _newest(own, os.path.dirname(os.path.dirname(named)) if named else "")
    if moved or not named:
        return moved
    return Message("", {}, f"the message is not at {clean(named)} any more (delete=yes in voicemail.conf removes it)")


def _exists(path: str) -> bool:
    return any(os.path.lexists(f"{path}.{format_}") for format_ in FORMATS)


def _newest(channel_name: str, mailbox: str) -> Message | None:
    """Return the newest message that a channel has left just now, in one mailbox or in any."""
    found = [message for message in _recent(mailbox) if message.information and message.is_of(channel_name)]
    return max(found, key=lambda message: message.began, default=None) if channel_name else None


def _recent(mailbox: str) -> Iterator[Message]:
    """Yield the messages of the last minutes."""
    for directory in [mailbox] if mailbox else _mailboxes():
        for folder in FOLDERS:
            for name in _names(os.path.join(directory, folder)):
                path = os.path.join(directory, folder, name)
                if name.endswith(".txt") and _age(path) < JUST_NOW:
                    yield read(path[: -len(".txt")])


def _mailboxes() -> Iterator[str]:
    for context in _names(root()):
        for mailbox in _names(os.path.join(root(), context)):
            yield os.path.join(root(), context, mailbox)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return JUST_NOW


def read(path: str) -> Message:
    """Return the message at a path without extension; what is odd about its information file is its ``trouble``."""
    try:
        descriptor = open_safely(f"{path}.txt")
    except Unreadable as error:
        return Message(path, {}, f"message information file: {error}")
    with open(descriptor, "rb") as file:
        text = file.read(LONGEST_INFORMATION).decode("utf-8", "surrogateescape")
    message = Message(path, _information(text))
    if message.began and message.duration != UNKNOWN:
        return message
    return message._replace(trouble=f"{clean(path)}.txt is no whole message information file")


def _information(text: str) -> dict[str, str]:
    """Return what a message information file says.

    A caller ID may hold newlines, and so plant lines. What we use stands behind it, so the last line of a name is the
    true one; only ``callerchan`` stands between two texts of the caller's: all its lines are kept.
    """
    lines = re.findall(r"^([a-z_]+)=(.*)$", text.partition("[message]")[2], re.MULTILINE)
    channels = "\n".join(value for name, value in lines if name == "callerchan")
    return {**dict(lines), "callerchan": channels} if channels else dict(lines)


def recording_of(path: str) -> tuple[int, str, str]:
    """Return the best recording of a message: its descriptor (-1 if there is none), its format, and what is wrong."""
    troubles = []
    for format_ in FORMATS:
        if os.path.lexists(f"{path}.{format_}"):
            try:
                descriptor = open_safely(f"{path}.{format_}")
            except Unreadable as error:
                troubles.append(f"recording: {error}")
                continue
            if os.fstat(descriptor).st_size > FORMATS[format_].header:
                return descriptor, format_, "; ".join(troubles)
            os.close(descriptor)
            troubles.append(f"recording: {clean(path)}.{format_} is empty")
    return -1, "", "; ".join(troubles) or f"recording: there is none at {clean(path)}"


def open_safely(path: str) -> int:
    """Return the descriptor of a regular file below Asterisk's voicemail spool. Raises Unreadable."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # to open a device may do something
            raise Unreadable(f"{clean(path)} is no regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Unreadable(f"{clean(path)}: {getattr(error, 'strerror', None) or error}") from None
    # Asked of what is open now: the path itself may lead elsewhere in the next moment.
    really = os.readlink(f"/proc/self/fd/{descriptor}")
    if stat.S_ISREG(os.fstat(descriptor).st_mode) and really.startswith(os.path.realpath(root()) + "/"):
        return descriptor
    os.close(descriptor)
    raise Unreadable(f"{clean(path)} is not in Asterisk's voicemail spool, {root()}")


def _duration(message: Message, format_: str, size: int) -> int:
    """Return the length as app_voicemail counted it, else as the recording's size says."""
    return message.duration if message.duration != UNKNOWN or not format_ else length_of(format_, size)


def _mailbox_of(path: str) -> tuple[str, str]:
    """Return mailbox and context of .../CONTEXT/MAILBOX/FOLDER/msgNNNN."""
    parts = path.split("/")[-4:-2]
    return (clean(parts[1]), clean(parts[0])) if len(parts) == 2 else ("", "")


def _number_of(path: str) -> int:
    match = re.search(r"/msg([0-9]{4,6})$", path)
    return int(match[1]) + 1 if match else 0


def _place_of(channel: Mapping[str, str], path: str) -> str:
    """Return what names a message by the call and by where it lay, since ``watch`` last began anew."""
    call = channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")
    where = "/".join(path.split("/")[-4:])
    return clean(f"{call}-{where}-{channel.get('PBXNOTIFY_SINCE', '')}") if call else ""
