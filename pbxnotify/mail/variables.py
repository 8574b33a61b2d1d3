"""The variables of the administrator's templates, and what each stands for; none is empty but HISTORY_URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.mail.caller import Caller
from pbxnotify.mail.content import reason_for
from pbxnotify.mail.context import Context, message_length
from pbxnotify.mail.templates.html_template import fill_template
from pbxnotify.mail.templates.placeholders import OwnTexts, Placeholders
from pbxnotify.settings.sections import Settings

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What no template should contain: mail programs differ in what they show of it."""


MISSED_CALL: dict[str, Callable[[MissedCall, Context], str]] = {
    "NOTIFICATION_MISSEDCAUSE": lambda call, context: "NOANSWER",
    "NOTIFICATION_CALLERID": lambda call, context: context.caller.number,
    "NOTIFICATION_TO": lambda call, context: context.extensions,
    "NOTIFICATION_DURATION": lambda call, context: str(call.duration),
    "NOTIFICATION_NAME_FROM": lambda call, context: context.caller.name or context.caller.number,
    "NOTIFICATION_NAME_TO": lambda call, context: context.names,
    "NOTIFICATION_DIALSTATUS": lambda call, context: call.dial_status or "NOANSWER",
    "NOTIFICATION_FROM": lambda call, context: context.caller.in_one_line,
    "NOTIFICATION_WHOM": lambda call, context: context.whom,
    "NOTIFICATION_WHY": lambda call, context: reason_for(call, context.language),
}
VOICEMAIL: dict[str, Callable[[Voicemail, Context], str]] = {
    "VM_CALLERID": lambda message, context: _name_and_number(context.caller),
    "VM_DUR": lambda message, context: message_length(message.duration) or context.language.no_length,
    "VM_CALLER_NAME": lambda message, context: context.caller.name or context.caller.number,
    "VM_CALLER_NUM": lambda message, context: context.caller.number,
    "VM_CIDNAME": lambda message, context: context.caller.name or context.caller.number,
    "VM_CIDNUM": lambda message, context: context.caller.number,
    "VM_NAME": lambda message, context: context.names,
    "VM_MSGNUM": lambda message, context: str(message.number or "?"),
    "VM_MAILBOX": lambda message, context: message.mailbox or context.language.no_mailbox,
    "VM_CONTEXT": lambda message, context: message.context or "default",
    "VM_FROM": lambda message, context: context.caller.in_one_line,
    "VM_WHOM": lambda message, context: context.whom,
}
VARIABLES = {"missed_calls": (*MISSED_CALL, "NOTIFICATION_DATE"), "voicemail": (*VOICEMAIL, "VM_DATE")}
"""The variables of the texts of a section, besides PBX_NAME and HISTORY_URL."""


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with what is written there as \\n, \\t, and \\; (a bare one begins a comment)."""
    return re.sub(r"\\([nrt;])", lambda escape: {"n": "\n", "r": "", "t": "\t", ";": ";"}[escape[1]], template)


def own_texts(event: MissedCall | Voicemail, context: Context, settings: Settings) -> OwnTexts:
    """Return the administrator's texts for a mail about an event; one of nothing but spaces counts as empty."""
    section = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    written: Iterable[str] = (CONTROL.sub("", text) for text in (section.subject, section.body, section.footer))
    if isinstance(event, Voicemail):
        written = map(unescaped, written)
    subject, body, footer = (text if text.strip() else "" for text in written)
    date = context.language.formatted(context.when, settings.notifications.date_format)
    variables = _variables_of(event, context, date)
    in_subject = _variables_of(event, context._replace(caller=context.caller.in_subject), date)
    return OwnTexts(
        Placeholders(in_subject).fill(subject),
        fill_template(body, variables) if body else None,
        fill_template(footer or "PBX_NAME", variables),
    )


def _variables_of(event: MissedCall | Voicemail, context: Context, date: str) -> dict[str, str]:
    both = {"PBX_NAME": context.pbx_name, "HISTORY_URL": context.history_url}
    if isinstance(event, Voicemail):
        return {**both, "VM_DATE": date, **{name: value(event, context) for name, value in VOICEMAIL.items()}}
    return {**both, "NOTIFICATION_DATE": date, **{name: value(event, context) for name, value in MISSED_CALL.items()}}


def _name_and_number(caller: Caller) -> str:
    return f'"{caller.name}" <{caller.number}>' if caller.name else caller.number
