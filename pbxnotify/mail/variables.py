"""What each parameter of the admin's texts stands for; none is empty but HISTORY_URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.content import reason_for
from pbxnotify.mail.context import Context, message_length
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Settings

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What no template should hold; mail programs show it in any way, or not at all."""


class Texts(NamedTuple):
    """The admin's subject, body and footer for one kind of mail; what is empty is designed by us."""

    subject: str = ""
    body: str = ""
    footer: str = ""


VARIABLES = {
    "missed_calls": (
        *("NOTIFICATION_MISSEDCAUSE", "NOTIFICATION_CALLERID", "NOTIFICATION_TO", "NOTIFICATION_DURATION"),
        *("NOTIFICATION_DATE", "NOTIFICATION_NAME_FROM", "NOTIFICATION_NAME_TO", "NOTIFICATION_DIALSTATUS"),
        *("NOTIFICATION_FROM", "NOTIFICATION_WHOM", "NOTIFICATION_WHY"),
    ),
    "voicemail": (
        *("VM_DATE", "VM_CALLERID", "VM_DUR", "VM_CALLER_NAME", "VM_CALLER_NUM", "VM_CIDNAME", "VM_CIDNUM", "VM_NAME"),
        *("VM_MSGNUM", "VM_MAILBOX", "VM_CONTEXT", "VM_FROM", "VM_WHOM"),
    ),
}
"""What the texts of a section may contain, besides PBX_NAME and HISTORY_URL."""


def variables_of(event: Event, facts: Context, date_format: str) -> Mapping[str, str]:
    """Return the value of each parameter; dates as ``strftime`` takes ``date_format``."""
    both, date = {"PBX_NAME": facts.pbx_name, "HISTORY_URL": facts.history_url}, facts.when.strftime(date_format)
    if isinstance(event, Alert):
        return both
    if isinstance(event, Voicemail):
        return {**both, "VM_DATE": date, **_of_voicemail(event, facts)}
    return {**both, "NOTIFICATION_DATE": date, **_of_missed_call(event, facts)}


def _of_missed_call(call: MissedCall, facts: Context) -> dict[str, str]:
    caller = facts.caller
    return {
        "NOTIFICATION_MISSEDCAUSE": "NOANSWER",
        "NOTIFICATION_CALLERID": caller.number,
        "NOTIFICATION_TO": facts.extensions,
        "NOTIFICATION_DURATION": str(call.duration),
        "NOTIFICATION_NAME_FROM": caller.name or caller.number,
        "NOTIFICATION_NAME_TO": facts.names,
        "NOTIFICATION_DIALSTATUS": call.dial_status or "NOANSWER",
        "NOTIFICATION_FROM": caller.in_one_line,
        "NOTIFICATION_WHOM": facts.whom,
        "NOTIFICATION_WHY": reason_for(call, facts.language),
    }


def _of_voicemail(voicemail: Voicemail, facts: Context) -> dict[str, str]:
    name, number = facts.caller.name, facts.caller.number
    mailbox = voicemail.mailbox or facts.language.no_mailbox
    return {
        "VM_CALLERID": f'"{name}" <{number}>' if name else number,
        "VM_DUR": message_length(voicemail.duration) or facts.language.no_length,
        "VM_CALLER_NAME": name or number,
        "VM_CALLER_NUM": number,
        "VM_CIDNAME": name or number,
        "VM_CIDNUM": number,
        "VM_NAME": facts.names,
        "VM_MSGNUM": str(voicemail.number or "?"),
        "VM_MAILBOX": mailbox,
        "VM_CONTEXT": voicemail.context or "default",
        "VM_FROM": facts.caller.in_one_line,
        "VM_WHOM": facts.whom,
    }


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def own_texts(event: Event, settings: Settings) -> Texts:
    """Return the admin's texts for a mail about an event; one of nothing but blanks is none."""
    if isinstance(event, Alert):
        return Texts()
    own = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    written: Iterable[str] = (CONTROL.sub("", text) for text in (own.subject, own.body, own.footer))
    if isinstance(event, Voicemail):
        written = map(unescaped, written)
    return Texts(*(text if text.strip() else "" for text in written))
