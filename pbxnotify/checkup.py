"""What ``pbxnotify check`` notes: no mistakes, but hardly what was meant, or what this host lacks for it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

from pbxnotify import installation, mailbox
from pbxnotify.attachment import NEEDS
from pbxnotify.errors import PbxnotifyError
from pbxnotify.formats import PLAYS_EVERYWHERE
from pbxnotify.settings import MissedCalls, Settings, Smtp, Voicemail
from pbxnotify.templates import PARAMETERS

DEFAULT_FORMAT = "wav49|gsm|wav"
"""What Asterisk records voicemail in unless voicemail.conf says otherwise."""


def notes(configured: Settings) -> Iterator[str]:
    """Yield the notes, the most important ones first."""
    if not configured.notifications.enabled:
        yield "notifications are switched off: [notifications] enabled = no"
    common = configured.missed_calls.email or configured.voicemail.email
    if not common and not any(employee.emails for employee in configured.employees):
        yield "nobody will be told: write [missed_calls] email, [voicemail] email, or [employees] with an email"
    if configured.smtp.password and os.stat(configured.path).st_mode & 0o004:
        yield f"everybody on this machine may read the password in {configured.path}: chmod o= {configured.path}"
    yield from _of_relay(configured.smtp)
    yield from _of_texts("missed_calls", configured.missed_calls)
    yield from _of_texts("voicemail", configured.voicemail)
    if configured.voicemail.enabled:
        yield from _of_recordings(configured.voicemail)
        yield from _of_voicemail_conf()
    if configured.voicemail.after_mailing == "delete":
        yield _of_mailbox(configured.voicemail)


def _of_relay(relay: Smtp) -> Iterator[str]:
    if relay.security == "tls" and relay.port in (25, 587):
        yield f"port {relay.port} mostly begins with STARTTLS: write tls:// if the test hangs or fails"
    if relay.security != "tls" and relay.port == 465:
        yield "port 465 mostly speaks TLS from the first byte: write ssl:// if the test hangs or fails"


def _of_texts(section: str, texts: MissedCalls | Voicemail) -> Iterator[str]:
    for name in ("subject", "body", "footer"):
        for word in re.findall(r"\b(?:NOTIFICATION|VM)_[A-Z_]+", getattr(texts, name)):
            if word not in PARAMETERS[section]:
                yield f"[{section}] {name}: {word} is no parameter here, and is sent as it is written"


def _of_recordings(voicemail: Voicemail) -> Iterator[str]:
    if not voicemail.attach or voicemail.audio == "as-is":
        return
    formats = re.findall(r"\w+", installation.setting("general", "format", "voicemail.conf") or DEFAULT_FORMAT)
    if voicemail.audio == "wav" and not set(formats).isdisjoint(PLAYS_EVERYWHERE):
        return
    tools = NEEDS[voicemail.audio]
    if not any(map(shutil.which, tools.split(" or "))):
        yield f"recordings ({', '.join(formats)}) go as they are: audio = {voicemail.audio} needs {tools}"


def _of_voicemail_conf() -> Iterator[str]:
    lines = installation.lines("voicemail.conf")
    boxes = [line for line in lines if re.match(r"[\w-]+\s*=>?[^,]*,[^,]*,[^,]*@", line)]
    if boxes:
        box = boxes[0].partition("=")[0].strip()
        yield f"voicemail.conf has an e-mail for mailbox {box} and perhaps others: Asterisk sends a mail of its own too"
    if any(re.search(r"\bdelete\s*=>?\s*(yes|true|on|1)\b", line, re.IGNORECASE) for line in lines):
        yield "voicemail.conf says delete = yes: such recordings are gone before they can be attached"


def _of_mailbox(voicemail: Voicemail) -> str:
    kept = "messages are kept in the mailbox, although after_mailing = delete"
    if not voicemail.attach:
        return f"{kept}: attach = no, and only what was mailed with its recording is removed"
    try:
        return f"after_mailing = delete: messages leave the mailbox {mailbox.way()}"
    except PbxnotifyError as error:
        return f"{kept}: {error}"
