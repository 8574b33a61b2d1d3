"""Notes of ``pbxnotify check`` on this machine: the login, the queue, the ini file, the phone book, voicemail."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence

from pbxnotify.asterisk import config
from pbxnotify.asterisk.audio import PLAYS_EVERYWHERE
from pbxnotify.asterisk.expunge import expunge_method
from pbxnotify.errors import PbxnotifyError, PhoneBookError
from pbxnotify.health.dialplan import dialplan_notes
from pbxnotify.health.status import local_time, mail_status, rough_duration
from pbxnotify.mail.attachment import NEEDS
from pbxnotify.mail.phone_book import phone_book_rows
from pbxnotify.settings.sections import Settings, Voicemail
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.store import Spool

DEFAULT_FORMAT = "wav49|gsm|wav"  # the formats in which Asterisk records voicemail unless voicemail.conf says otherwise
MAILBOX = re.compile(r"(?!(?:email|pager)[a-z]+\s*=)([\w-]+)\s*=>?[^,]*,[^,]*,\s*[^\s,@]+@[^\s,@]+")
"""A line of voicemail.conf with an e-mail address: ``101 => 1234,Ivan,ivan@example.com``."""
SOON = 14 * 86400.0  # seconds before the end of a login from which on it is noted
MOST_NAMED = 5  # mailboxes or lines named in one note


def host_notes(settings: Settings, spool: Spool) -> Iterator[str | PbxnotifyError]:
    """Yield the notes and errors, the most important ones first. To be called as Asterisk's user."""
    yield from _token_notes(settings.smtp)
    yield from dialplan_notes(settings)
    yield from _queue_notes(spool)
    if not settings.notifications.timezone and time.tzname[0] == "UTC":
        names = "timedatectl list-timezones  shows the names"
        yield f"mails show times in UTC, like this machine: write [notifications] timezone ({names}), or = UTC"
    yield from ini_file_notes(settings)
    if settings.notifications.phone_book:
        yield from _phone_book_notes(settings.notifications.phone_book)
    if settings.voicemail.enabled:
        yield from _recording_notes(settings.voicemail)
        yield from _voicemail_conf_notes()
    if settings.voicemail.after_mailing == "delete":
        yield _removal_note(settings.voicemail)


def _queue_notes(spool: Spool) -> Iterator[str]:
    status = mail_status(spool)
    if status.lacks_runner():
        when = f"for {rough_duration(time.time() - status.queue_run)}" if status.queue_run else "so far"
        yield f"nothing has run the queue {when}: systemctl enable --now pbxnotify.timer, or cron every minute"
    if status.lacks_monitor():
        yield "nothing monitors this machine: systemctl enable --now pbxnotify-monitor.timer, or cron"
    if status.waiting:
        yield f"mail waits: {status.waiting}, the oldest since {local_time(status.oldest)}; see  pbxnotify queue list"
    if status.failed or status.damaged:
        yield f"mail has failed: {status.failed + status.damaged}; see  pbxnotify queue list"
    if status.relay_reason:
        yield f"relay backoff until {local_time(status.relay_rests_until)}: {status.relay_reason}"


def ini_file_notes(settings: Settings) -> Iterator[str]:
    """Note an ini file that others than its group may read or write."""
    mode = os.stat(settings.path).st_mode
    secret = "password" if settings.smtp.password else "client_secret" if settings.smtp.oauth2.client_secret else ""
    if mode & 0o004 and secret:
        yield f"everybody on this machine may read the {secret} in {settings.path}: chmod o= {settings.path}"
    if mode & 0o002:
        yield f"everybody on this machine may write {settings.path}: chmod o-w {settings.path}"


def _token_notes(relay: Smtp) -> Iterator[str]:
    if not relay.wants_token:
        if os.path.exists(token_store.path()):
            yield f"the token in {token_store.path()} is not used: end it with  pbxnotify oauth logout"
        return
    trouble = token_store.trouble(relay)
    if trouble:
        yield f"no mail can leave, or none soon: {trouble}"
        return
    kept = token_store.read(relay)
    if not kept.refresh:
        yield f"{relay.login}: the token cannot be renewed: {token_store.LOG_IN} when it has ended"
    elif kept.ends and kept.ends < time.time() + SOON:
        yield f"the provider ends the login at {local_time(kept.ends)}: {token_store.LOG_IN} before that"


def _phone_book_notes(path: str) -> Iterator[str]:
    entries, odd = 0, []
    try:
        for row in phone_book_rows(path):
            if row.is_entry:
                entries += 1
            elif entries or not row.number[:1].isalpha():  # otherwise it is a heading
                odd.append(str(row.line))
    except PhoneBookError as error:
        yield f"callers get no name: {error}"
        return
    if not entries:
        yield f"the phone book {path} names nobody: write number,name in each line"
    elif odd:
        yield f"the phone book {path} lacks a number or a name in line {_first_of(odd)}: write number,name there"


def _first_of(names: Sequence[str]) -> str:
    others = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{others}"


def _recording_notes(voicemail: Voicemail) -> Iterator[str]:
    if not voicemail.attach or voicemail.audio == "as-is":
        return
    formats = re.findall(r"\w+", config.config_setting("general", "format", "voicemail.conf") or DEFAULT_FORMAT)
    if voicemail.audio == "wav" and not set(formats).isdisjoint(PLAYS_EVERYWHERE):
        return
    tools = NEEDS[voicemail.audio]
    if not any(map(shutil.which, tools.split(" or "))):
        yield f"recordings ({', '.join(formats)}) are sent unconverted: audio = {voicemail.audio} needs {tools}"


def _voicemail_conf_notes() -> Iterator[str]:
    """Note mailboxes whose mails Asterisk sends itself, or whose recordings it deletes."""
    lines = config.config_lines("voicemail.conf")
    boxes = [match[1] for match in map(MAILBOX.match, lines) if match]
    if boxes:
        named = _first_of(boxes)
        yield f"voicemail.conf has an e-mail address for {named}: remove it, or Asterisk sends a mail of its own too"
    if any(re.search(r"\bdelete\s*=>?\s*(yes|true|on|1)\b", line, re.IGNORECASE) for line in lines):
        yield "voicemail.conf says delete = yes: such recordings are deleted before they can be attached"


def _removal_note(voicemail: Voicemail) -> str:
    kept = "messages stay in the mailbox although after_mailing = delete"
    if not voicemail.attach:
        return f"{kept}: attach = no, and only messages mailed with their recording are removed"
    try:
        return f"after_mailing = delete: messages leave the mailbox {expunge_method()}"
    except PbxnotifyError as error:
        return f"{kept}: {error}"
