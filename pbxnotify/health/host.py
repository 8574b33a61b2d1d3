"""What ``pbxnotify check`` notes of this machine: what it lacks, or does otherwise, for mails to be sent."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence

from pbxnotify.asterisk.audio import PLAYS_EVERYWHERE
from pbxnotify.asterisk.config import (
    agi_directory,
    config_lines,
    config_setting,
    configuration_directory,
    spool_directory,
)
from pbxnotify.asterisk.console import console_answer
from pbxnotify.asterisk.expunge import expunge_method
from pbxnotify.errors import AsteriskUnavailable, PbxnotifyError, PhoneBookError
from pbxnotify.health.status import local_time, mail_status, rough_duration
from pbxnotify.mail.attachment import NEEDS
from pbxnotify.mail.phone_book import phone_book_rows
from pbxnotify.settings.sections import Settings, Voicemail
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.store import Spool

DEFAULT_FORMAT = "wav49|gsm|wav"
"""What Asterisk records voicemail in unless voicemail.conf says otherwise."""
SCRIPTS = ("pbxnotify-missed.agi", "pbxnotify-voicemail.agi")
MAILBOX = re.compile(r"(?!(?:email|pager)[a-z]+\s*=)([\w-]+)\s*=>?[^,]*,[^,]*,\s*[^\s,@]+@[^\s,@]+")
"""A line of voicemail.conf with an e-mail: ``101 => 1234,Ivan,ivan@example.com``."""
CALLS_US = re.compile(r"pbxnotify(,watch|-(missed|voicemail)\.agi)")
SOON = 14 * 86400.0
"""Seconds before the end of a login from which on it is worth a word."""
MOST_NAMED = 5
"""Mailboxes or lines named in one note."""


def host_notes(settings: Settings, spool: Spool) -> Iterator[str]:
    """Yield the notes, the most important ones first. As the owner of the spool, who is Asterisk's user."""
    yield from _of_token(settings.smtp)
    running = ""
    try:
        running = console_answer("core show settings")
        yield from _of_directories(running)
        yield from _of_dialplan()
    except AsteriskUnavailable as error:
        yield f"the running Asterisk was not asked{' everything' if running else ''}: {error}"
    yield from _of_scripts(_directory("AGI Scripts", running) or agi_directory())
    yield from _of_queue(spool)
    if not settings.notifications.timezone and time.tzname[0] == "UTC":
        yield "mails show times in UTC, as this machine does: write [notifications] timezone = Europe/Moscow, or = UTC"
    yield from ini_file_notes(settings)
    if settings.notifications.phone_book:
        yield from _of_phone_book(settings.notifications.phone_book)
    if settings.voicemail.enabled:
        yield from _of_recordings(settings.voicemail)
        yield from _of_voicemail_conf()
    if settings.voicemail.after_mailing == "delete":
        yield _of_mailbox(settings.voicemail)


def _of_dialplan() -> Iterator[str]:
    """Note whether calls come to us. Raises AsteriskUnavailable."""
    if "'watch'" not in console_answer("dialplan show pbxnotify"):
        yield 'the dialplan does not include ours: write #include "extensions_pbxnotify.conf" into extensions.conf'
    elif not CALLS_US.search(_calls(console_answer("dialplan show"))):
        yield "no extension of the dialplan calls us: write Gosub(pbxnotify,watch,1(101)) before Dial(PJSIP/101)"


def _calls(dialplan: str) -> str:
    """Return a dialplan without our own context."""
    return re.sub(r"(?ms)^\[ Context 'pbxnotify'.*?(?=^\[ Context|\Z)", "", dialplan)


def _of_directories(running: str) -> Iterator[str]:
    for name, ours, variable in (
        ("Configuration", configuration_directory(), "AST_CONFIG_DIR"),
        ("Spool", spool_directory(), "AST_SPOOL_DIR"),
    ):
        theirs = _directory(name, running)
        if theirs and os.path.realpath(theirs) != os.path.realpath(ours):
            where = f"{name.lower()} directory in {theirs}, not {ours}"
            yield f"the running Asterisk has its {where}: set {variable}={theirs}"


def _directory(name: str, running: str) -> str:
    """Return a directory of the running Asterisk; empty if it does not say."""
    found = re.search(rf"^\s*{name} directory:\s*(\S.*?)\s*$", running, re.MULTILINE)
    return found[1] if found else ""


def _of_scripts(directory: str) -> Iterator[str]:
    for name in SCRIPTS:
        path = os.path.join(directory, name)
        if not os.path.exists(path):
            yield f"{path} is not there, or not for Asterisk's user: run  make install"
        elif not os.access(path, os.R_OK | os.X_OK):
            yield f"Asterisk's user may not execute {path}: chmod 755 {os.path.realpath(path)}"
        else:
            yield from _of_interpreter(path)


def _of_interpreter(script: str) -> Iterator[str]:
    with open(script, "rb") as file:
        words = os.fsdecode(file.readline()).split()
    if not words or not words[0].startswith("#!/"):
        yield f"{script} does not begin with #! and an interpreter: run  make install"
    elif not os.access(words[0][2:], os.X_OK):
        yield f"Asterisk's user may not execute {words[0][2:]}, which {script} needs: install with another PYTHON"


def _of_queue(spool: Spool) -> Iterator[str]:
    found = mail_status(spool)
    if found.lacks_runner():
        when = f"for {rough_duration(time.time() - found.queue_run)}" if found.queue_run else "so far"
        yield f"nothing has run the queue {when}: systemctl enable --now pbxnotify.timer, or cron each minute"
    if found.lacks_monitor():
        yield "nothing looks at this machine: systemctl enable --now pbxnotify-monitor.timer, or cron"
    if found.waiting:
        yield f"mail waits: {found.waiting}, the oldest since {local_time(found.oldest)}: see  pbxnotify queue list"
    if found.failed or found.damaged:
        yield f"mail has failed: {found.failed + found.damaged}: see  pbxnotify queue list"
    if found.relay_reason:
        yield f"the relay is left alone until {local_time(found.relay_rests_until)}: {found.relay_reason}"


def ini_file_notes(settings: Settings) -> Iterator[str]:
    """Yield what is to be noted of the ini file's mode."""
    mode = os.stat(settings.path).st_mode
    secret = "password" if settings.smtp.password else "client_secret" if settings.smtp.oauth2.client_secret else ""
    if mode & 0o004 and secret:
        yield f"everybody on this machine may read the {secret} in {settings.path}: chmod o= {settings.path}"
    if mode & 0o002:
        yield f"everybody on this machine may write {settings.path}: chmod o-w {settings.path}"


def _of_token(relay: Smtp) -> Iterator[str]:
    """Note what is missing for a login with a token, or will be soon, and a token that nobody needs."""
    if not relay.wants_token:
        if os.path.exists(token_store.path()):
            yield f"a token lies in {token_store.path()}, and is not used: end it with  pbxnotify oauth logout"
        return
    trouble = token_store.trouble(relay)
    if trouble:
        yield f"no mail can leave, or none soon: {trouble}"
        return
    kept = token_store.read(relay)
    if not kept.refresh:
        yield f"{relay.login}: the token cannot be renewed: {token_store.LOG_IN} when it has ended"
    elif kept.ends and kept.ends < time.time() + SOON:
        yield f"the provider lets the login end at {local_time(kept.ends)}: {token_store.LOG_IN} before"


def _of_phone_book(path: str) -> Iterator[str]:
    entries, odd = 0, []
    try:
        for row in phone_book_rows(path):
            if row.is_entry:
                entries += 1
            elif entries or not row.number[:1].isalpha():  # else it is a heading
                odd.append(str(row.line))
    except PhoneBookError as error:
        yield f"callers get no name: {error}"
        return
    if not entries:
        yield f"the phone book {path} names nobody: write number,name in each line"
    elif odd:
        yield f"the phone book {path} has no number or no name in line {_some_of(odd)}: write number,name there"


def _some_of(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    others = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{others}"


def _of_recordings(voicemail: Voicemail) -> Iterator[str]:
    if not voicemail.attach or voicemail.audio == "as-is":
        return
    formats = re.findall(r"\w+", config_setting("general", "format", "voicemail.conf") or DEFAULT_FORMAT)
    if voicemail.audio == "wav" and not set(formats).isdisjoint(PLAYS_EVERYWHERE):
        return
    tools = NEEDS[voicemail.audio]
    if not any(map(shutil.which, tools.split(" or "))):
        yield f"recordings ({', '.join(formats)}) go as they are: audio = {voicemail.audio} needs {tools}"


def _of_voicemail_conf() -> Iterator[str]:
    lines = config_lines("voicemail.conf")
    boxes = [match[1] for match in map(MAILBOX.match, lines) if match]
    if boxes:
        named = _some_of(boxes)
        yield f"voicemail.conf has an e-mail for {named}: Asterisk sends a mail of its own too, unless you take it out"
    if any(re.search(r"\bdelete\s*=>?\s*(yes|true|on|1)\b", line, re.IGNORECASE) for line in lines):
        yield "voicemail.conf says delete = yes: such recordings are gone before they can be attached"


def _of_mailbox(voicemail: Voicemail) -> str:
    kept = "messages are kept in the mailbox, although after_mailing = delete"
    if not voicemail.attach:
        return f"{kept}: attach = no, and only what was mailed with its recording is removed"
    try:
        return f"after_mailing = delete: messages leave the mailbox {expunge_method()}"
    except PbxnotifyError as error:
        return f"{kept}: {error}"
