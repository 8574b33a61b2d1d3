"""The variables of the administrator's templates, and what each stands for; none is empty but HISTORY_URL."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.mail.content import reason_for
from pbxnotify.mail.context import Context, message_length
from pbxnotify.mail.templates.html_template import fill_template
from pbxnotify.mail.templates.placeholders import OwnTexts, Placeholders
from pbxnotify.settings.sections import Settings

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What no template should contain: mail programs differ in what they show of it."""


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
"""The variables of the texts of a section, besides PBX_NAME and HISTORY_URL."""


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def own_texts(event: MissedCall | Voicemail, context: Context, settings: Settings) -> OwnTexts:
    """Return the administrator's texts for a mail about an event; one of nothing but spaces counts as empty."""
    section = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    written: Iterable[str] = (CONTROL.sub("", text) for text in (section.subject, section.body, section.footer))
    if isinstance(event, Voicemail):
        written = map(unescaped, written)
    subject, body, footer = (text if text.strip() else "" for text in written)
    variables = _variables_of(event, context, context.when.strftime(settings.notifications.date_format))
    return OwnTexts(
        Placeholders(variables).fill(subject),
        fill_template(body, variables) if body else None,
        fill_template(footer or "PBX_NAME", variables),
    )


def _variables_of(event: MissedCall | Voicemail, context: Context, date: str) -> dict[str, str]:
    both = {"PBX_NAME": context.pbx_name, "HISTORY_URL": context.history_url}
    if isinstance(event, Voicemail):
        return {**both, "VM_DATE": date, **_of_voicemail(event, context)}
    return {**both, "NOTIFICATION_DATE": date, **_of_missed_call(event, context)}


def _of_missed_call(call: MissedCall, context: Context) -> dict[str, str]:
    caller = context.caller
    return {
        "NOTIFICATION_MISSEDCAUSE": "NOANSWER",
        "NOTIFICATION_CALLERID": caller.number,
        "NOTIFICATION_TO": context.extensions,
        "NOTIFICATION_DURATION": str(call.duration),
        "NOTIFICATION_NAME_FROM": caller.name or caller.number,
        "NOTIFICATION_NAME_TO": context.names,
        "NOTIFICATION_DIALSTATUS": call.dial_status or "NOANSWER",
        "NOTIFICATION_FROM": caller.in_one_line,
        "NOTIFICATION_WHOM": context.whom,
        "NOTIFICATION_WHY": reason_for(call, context.language),
    }


def _of_voicemail(voicemail: Voicemail, context: Context) -> dict[str, str]:
    name, number = context.caller.name, context.caller.number
    return {
        "VM_CALLERID": f'"{name}" <{number}>' if name else number,
        "VM_DUR": message_length(voicemail.duration) or context.language.no_length,
        "VM_CALLER_NAME": name or number,
        "VM_CALLER_NUM": number,
        "VM_CIDNAME": name or number,
        "VM_CIDNUM": number,
        "VM_NAME": context.names,
        "VM_MSGNUM": str(voicemail.number or "?"),
        "VM_MAILBOX": voicemail.mailbox or context.language.no_mailbox,
        "VM_CONTEXT": voicemail.context or "default",
        "VM_FROM": context.caller.in_one_line,
        "VM_WHOM": context.whom,
    }
