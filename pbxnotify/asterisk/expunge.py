"""Removes a message from its mailbox, safely beside a running Asterisk, and updates the message waiting lamp.

Asterisk's own command does it where there is one (``voicemail remove``: Asterisk 22 has it, 16 has not). Else the files
are removed under the lock that app_voicemail takes (main/app.c, ast_lock_path), and no other message is renumbered:
somebody may be listening to the mailbox, and app_voicemail remembers by number what to delete. It closes the gap itself
when the mailbox is next opened (open_mailbox, resequence_mailbox), and then updates the lamp as well.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxnotify.asterisk.config import config_setting
from pbxnotify.asterisk.console import console_answer
from pbxnotify.asterisk.mailbox import FOLDERS, read_message
from pbxnotify.errors import AsteriskUnavailable, ExpungeError
from pbxnotify.events import Voicemail
from pbxnotify.text import clean

LOCK_TIMEOUT = 5.0  # seconds to wait for the lock, as app_voicemail does
LAMP = "lamp@pbxnotify"
"""The extension in extensions_pbxnotify.conf that holds the line while VoiceMailMain opens and closes a mailbox."""


def expunge_message(message: Voicemail) -> str:
    """Remove a message that has been mailed to all from its mailbox; returns the outcome as part of a sentence."""
    try:
        return _remove(message)
    except (ExpungeError, AsteriskUnavailable, OSError) as error:
        return f"kept in the mailbox: {error}"


def expunge_method() -> str:
    """Return how messages are removed on this host. Raises ExpungeError, AsteriskUnavailable."""
    if _has_own_command():
        return "by Asterisk's own command (voicemail remove)"
    _require_lock_and_lamp()
    return "under the mailbox's lock (this Asterisk has no command to remove a message)"


def _remove(message: Voicemail) -> str:
    safe = r"[\w.+*#-]{1,80}"
    if not all(re.fullmatch(safe, word, re.ASCII) for word in (message.mailbox, message.context, message.message_id)):
        raise ExpungeError("it cannot be identified for certain (no msg_id)")
    folder = os.path.dirname(_find(message))
    if not folder:
        return "already gone from the mailbox"
    if _has_own_command():
        where = f"{message.mailbox} {message.context} {os.path.basename(folder)}"
        said = console_answer(f"voicemail remove {where} {message.message_id}")
        if _find(message):
            raise ExpungeError(f"Asterisk said: {clean(said)}")
    else:
        _require_lock_and_lamp()
        _remove_under_lock(message, folder)
        opened = f"lamp={message.mailbox}={message.context}@pbxnotify"
        console_answer(f"channel originate Local/{LAMP} extension {opened}")
    return "removed from the mailbox"


def _find(message: Voicemail) -> str:
    """Return the path without extension of a message wherever it is now; empty if it is gone. Raises ExpungeError."""
    mailbox = os.path.dirname(message.folder)
    if os.path.exists(mailbox) and not os.access(mailbox, os.R_OK | os.X_OK):
        raise ExpungeError(f"no permission to read {mailbox}")
    for folder in dict.fromkeys((os.path.basename(message.folder), *FOLDERS)):
        for file in sorted(Path(mailbox, folder).glob("msg*.txt")):
            if read_message(str(file.with_suffix(""))).message_id == message.message_id:
                return str(file.with_suffix(""))
    return ""


def _has_own_command() -> bool:
    return "Usage:" in console_answer("core show help voicemail remove")


def _require_lock_and_lamp() -> None:
    """Raise ExpungeError unless the lock is the usual one and the dialplan can update the lamp."""
    if config_setting("options", "lockmode") == "flock":
        raise ExpungeError("asterisk.conf has lockmode = flock, and this Asterisk has no command to remove a message")
    if "'lamp'" not in console_answer(f"dialplan show {LAMP}"):
        raise ExpungeError(
            "this Asterisk has no command to remove a message, and its dialplan does not"
            ' #tryinclude "extensions_pbxnotify.conf", which updates the message waiting lamp'
        )


def _remove_under_lock(message: Voicemail, folder: str) -> None:
    """Remove the files of a message, the information file first: app_voicemail ignores a message without it."""
    with _locked(folder):
        path = _find(message)
        if os.path.dirname(path) != folder:
            raise ExpungeError("it was just being moved")
        os.unlink(f"{path}.txt")
        for file in Path(folder).glob(f"{os.path.basename(path)}.*"):
            file.unlink()


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Hold app_voicemail's lock of a folder: a hard link named .lock. Raises ExpungeError."""
    lock, own = os.path.join(folder, ".lock"), os.path.join(folder, f".lock-{os.urandom(4).hex()}")
    os.close(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660))
    # A stale lock would cost Asterisk every later message of this mailbox.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    try:
        _link_in_time(own, lock)
        try:
            yield
        finally:
            os.unlink(lock)
    finally:
        os.unlink(own)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _link_in_time(own: str, lock: str) -> None:
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            return os.link(own, lock)
        except FileExistsError:
            if time.monotonic() > deadline:
                raise ExpungeError(f"{lock} has been locked for {LOCK_TIMEOUT:g} s") from None
        time.sleep(0.01)
