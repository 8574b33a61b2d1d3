"""The mailbox on disk: its messages and their information files, as Asterisk's app_voicemail.c writes them.

Whatever a variable says, only regular files below Asterisk's voicemail spool are read, and no symbolic link leads out
of it.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache

from pbxnotify.asterisk.config import config_lines, spool_directory
from pbxnotify.errors import MailboxError
from pbxnotify.files import SAFELY
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.text import clean

LONGEST_INFORMATION = 65536  # bytes of a message information file; Asterisk writes a few hundred
FOLDERS = ("INBOX", "Urgent", "Old")
"""Where a message may be a moment after it was left: as it came, marked urgent, or listened to."""
JUST_NOW = 900.0  # seconds for which a message that has moved is looked for


class Message(NamedTuple):
    """One message of a mailbox."""

    path: str = ""
    """Without extension, as VM_MESSAGEFILE: .../CONTEXT/MAILBOX/FOLDER/msgNNNN; empty if there are no files."""
    information: Mapping[str, str] = {}  # what the message information file says; nothing if it is missing or damaged
    trouble: str = ""
    written: float = 0.0  # when its information file was, in seconds since the epoch; 0 if there is none

    def may_be_of(self, channel_name: str) -> bool:
        """Return whether this channel may have left it: a message without a channel may be anybody's."""
        return channel_name in self.information.get("callerchan", channel_name).split("\n")

    @property
    def duration(self) -> int | None:
        """Return the seconds that app_voicemail counted: 8000 samples each, also where the first format has more."""
        text = self.information.get("duration", "")
        return int(text) if re.fullmatch("[0-9]{1,6}", text) else None

    @property
    def began(self) -> float | None:
        """Return when it began, in seconds since the epoch."""
        text = self.information.get("origtime", "")
        return float(text) if re.fullmatch("[0-9]{9,11}", text) else None

    @property
    def message_id(self) -> str:
        """Return ``msg_id`` if it is a valid one, else an empty text."""
        text = self.information.get("msg_id", "")
        return text if re.fullmatch("[A-Za-z0-9.-]{1,64}", text) else ""

    @property
    def mailbox(self) -> str:
        """Return the number of its mailbox."""
        return clean(self.path.split("/")[-3]) if self.path.count("/") >= 3 else ""

    @property
    def context(self) -> str:
        """Return the context of its mailbox."""
        return clean(self.path.split("/")[-4]) if self.path.count("/") >= 3 else ""

    @property
    def owner(self) -> str:
        """Return MAILBOX@CONTEXT."""
        return f"{self.mailbox}@{self.context}" if self.mailbox else ""

    def is_copy_of(self, other: Message) -> bool:
        """Return whether another mailbox has the same message: it keeps who left it, where and when."""
        said = ("callerchan", "origmailbox", "origtime", "duration")
        return self.owner != other.owner and all(
            self.information.get(name) == other.information.get(name, "") for name in said
        )

    @property
    def number(self) -> int | None:
        """Return its number in the folder, counted from 1 as Asterisk does."""
        found = re.search(r"/msg([0-9]{4,6})$", self.path)
        return int(found[1]) + 1 if found else None


def voicemail_spool() -> str:
    """Return Asterisk's voicemail spool."""
    return os.path.join(spool_directory(), "voicemail")


def mailbox_contexts() -> dict[str, set[str]]:
    """Return the contexts of voicemail.conf in which there is a mailbox of each number."""
    contexts: dict[str, set[str]] = {}
    current = ""
    for line in config_lines("voicemail.conf"):
        header, mailbox = re.match(r"\[([^]]+)\]", line), re.match(r"([\w.+*#-]+)\s*=>?", line)
        current = header[1] if header else current
        if mailbox and current not in ("general", "zonemessages"):
            contexts.setdefault(mailbox[1], set()).add(current)
    return contexts


def copies_of(message: Message) -> tuple[str, ...]:
    """Return the other mailboxes in which ``VoiceMail(101&102)`` has just put this message, as MAILBOX@CONTEXT."""
    if not message.information:
        return ()
    own = os.path.dirname(message.path)
    name = "Urgent" if own.endswith("/Urgent") else "INBOX"  # apps/app_voicemail.c, copy_message
    mailboxes = (mailbox for context in _folders_in(voicemail_spool()) for mailbox in _folders_in(context))
    folders = (folder for folder in (f"{mailbox}/{name}" for mailbox in mailboxes) if folder != own)
    found = (copy for folder in folders if _age(folder) < JUST_NOW for copy in messages_in(folder))
    return tuple(dict.fromkeys(copy.owner for copy in found if copy.is_copy_of(message)))


def messages_in(folder: str) -> Iterator[Message]:
    """Yield the messages in a folder of a mailbox that came about just now."""
    with suppress(OSError), os.scandir(folder) as entries:
        for path in sorted(entry.path for entry in entries if entry.name.endswith(".txt")):
            if _age(path) < JUST_NOW:
                yield read_message(path[: -len(".txt")])


def _folders_in(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def newest_message(channel_name: str, mailbox: str) -> Message | None:
    """Return the newest message that a channel has left just now, in one mailbox (its directory) or in any."""
    # One that names several channels is not taken: a caller may have planted one of them.
    found = [message for message in _recent(mailbox) if message.information.get("callerchan") == channel_name]
    return max(found, key=lambda message: message.began or 0, default=None) if channel_name else None


def _recent(mailbox: str) -> Iterator[Message]:
    """Yield the messages of the last minutes, in one mailbox or in any."""
    mailboxes = [mailbox] if mailbox else [box for one in _folders_in(voicemail_spool()) for box in _folders_in(one)]
    with suppress(ValueError):  # a path that no file can have
        for path in mailboxes:
            for folder in FOLDERS:
                yield from messages_in(f"{path}/{folder}")


def _age(path: str) -> float:
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:  # renumbered meanwhile
        return JUST_NOW


def read_message(path: str, *, only_in_spool: bool = True) -> Message:
    """Return the message at a path without extension; what is wrong with its information file is its ``trouble``."""
    try:
        descriptor = open_safely(f"{path}.txt", only_in_spool=only_in_spool)
    except MailboxError as error:
        return Message(path, trouble=f"message information file: {error}")
    with open(descriptor, "rb") as file:
        content, written = file.read(LONGEST_INFORMATION + 1), os.fstat(descriptor).st_mtime
    information = _information(content.decode("utf-8", "surrogateescape"))
    message = Message(path, information if len(content) <= LONGEST_INFORMATION else {}, written=written)
    if message.began is not None and message.duration is not None:
        return message
    return message._replace(trouble=f"{clean(path)}.txt is not a complete message information file")


def _information(text: str) -> dict[str, str]:
    # A caller ID may hold newlines, and so plant lines. What we use stands behind it, so the last line of a name is the
    # true one; only ``callerchan`` stands between two texts of the caller's: all its lines are kept.
    lines = re.findall(r"^([a-z_]+)=(.*)$", text.partition("[message]")[2], re.MULTILINE)
    channels = "\n".join(value for name, value in lines if name == "callerchan")
    return {**dict(lines), "callerchan": channels} if channels else dict(lines)


def is_in_spool(path: str) -> bool:
    """Return whether a path, its links resolved, is below Asterisk's voicemail spool."""
    return path.startswith(_resolved(voicemail_spool()) + "/")


@cache  # a call waits, and asks several times
def _resolved(path: str) -> str:
    return os.path.realpath(path)


def open_safely(path: str, *, only_in_spool: bool = True) -> int:
    """Return the descriptor of a regular file, usually below Asterisk's voicemail spool. Raises MailboxError."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):  # opening a device may have effects
            raise MailboxError(f"{clean(path)} is not a regular file")
        descriptor = os.open(path, os.O_RDONLY | SAFELY)
        # The file that is open now counts: the path may lead elsewhere a moment later.
        allowed = not only_in_spool or is_in_spool(os.readlink(f"/proc/self/fd/{descriptor}"))
    except (OSError, ValueError) as error:
        raise MailboxError(f"{clean(path)}: {getattr(error, 'strerror', None) or error}") from None
    if allowed and stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise MailboxError(f"{clean(path)} is not in Asterisk's voicemail spool, {voicemail_spool()}")
