"""What a mail says unless the administrator has written a text: the same parts for its plain text and for its page."""

from __future__ import annotations

from pbxnotify.events import LEVELS, Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.context import Context, message_length
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pbxnotify.languages.language import Language
    from pbxnotify.mail.attachment import Attachment
    from pbxnotify.mail.caller import Caller

REASONS = {
    "NOANSWER": "no answer",
    "CANCEL": "hung up",
    "BUSY": "busy",
    "CHANUNAVAIL": "out of reach",
    **dict.fromkeys(("CONGESTION", "DONTCALL", "TORTURE", "INVALIDARGS"), "congestion"),
    "ABANDONED": "left the queue",
    "TIMEOUT": "queue timeout",
    "FULL": "queue full",
    **dict.fromkeys(("JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL"), "queue empty"),
}
"""DIALSTATUS (Asterisk's app_dial.c), ABANDONED and QUEUESTATUS (app_queue.c), each with the name of its sentence."""

PHONE = ("declined", "not registered")  # what may be known about a phone that is out of reach
OF_ONE_PHONE = ("busy", "out of reach", "congestion")
"""The outcome of the last phone alone, where several were called one after the other."""
RANG = ("no answer", "busy", "declined", "queue timeout")
"""Sentences without the duration of ringing, or of waiting in a queue."""


class Content(NamedTuple):
    """What a mail says, in the order in which it is read."""

    subject: str
    kind: str  # what the mail is about, in a word or two
    accent: str  # the name of its colour
    lead: str  # what happened, in a sentence; the preview on a phone begins with it
    title: str = ""  # the heading where there is no caller
    caller: Caller | None = None
    paragraphs: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()  # labels and values
    link: str = ""
    link_text: str = ""


def content_of(event: Event, context: Context, attachment: Attachment | None = None) -> Content:
    """Return what the mail about an event says."""
    if isinstance(event, Alert):
        return _of_alert(event, context)
    if isinstance(event, Voicemail):
        return _of_voicemail(event, context, attachment)
    return _of_missed_call(event, context)


def _of_missed_call(call: MissedCall, context: Context) -> Content:
    words = context.language
    rang = ((words.rang, words.duration(call.duration)),) if has_rung(call) else ()
    return Content(
        subject=words.missed_call_subject.format(caller=context.caller.in_subject.in_one_line),
        kind=words.missed_call,
        accent=call.kind,
        lead=reason_for(call, words),
        caller=context.caller,
        paragraphs=(words.left_message,) if call.voicemail else (),
        rows=_rows(context, *rang),
        link=context.history_url,
        link_text=words.see_history,
    )


def _of_voicemail(voicemail: Voicemail, context: Context, attachment: Attachment | None) -> Content:
    words, seconds = context.language, voicemail.duration
    subject = words.voicemail_subject.format(caller=context.caller.in_subject.in_one_line)
    lead = words.new_message.format(length=words.no_length if seconds is None else words.duration(seconds))
    note = recording_note(voicemail, attachment, words)
    if note == words.silent:
        lead, note = note, ""
    if not attachment and not context.history_url:
        note = words.not_attached.format(mailbox=_in_brackets(voicemail.mailbox))
    is_other = voicemail.mailbox and voicemail.mailbox != context.extensions
    mailbox = ((words.mailbox, voicemail.mailbox),) if is_other else ()
    return Content(
        subject=f"{subject} ({message_length(seconds)})" if seconds else subject,
        kind=words.voicemail,
        accent=voicemail.kind,
        lead=lead,
        caller=context.caller,
        paragraphs=(note,) if note else (),
        rows=_rows(context, *mailbox),
        link=context.history_url,
        link_text=words.listen_in_history,
    )


def _rows(context: Context, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return for whom the call was, if that is known, when it came, and more."""
    words = context.language
    called = ((words.whom, context.whom),) if context.called else ()
    return (*called, (words.when, words.moment(context.when)), *more)


def _of_alert(alert: Alert, context: Context) -> Content:
    words, level = context.language, alert.level if alert.level in LEVELS else "warning"
    first, _, rest = alert.body.partition("\n\n")
    return Content(
        subject=f"{context.pbx_name}: {alert.subject}",
        kind=words.levels[level],
        accent=level,
        lead=first,
        title=alert.subject[:1].upper() + alert.subject[1:],
        paragraphs=tuple(paragraph for paragraph in rest.split("\n\n") if paragraph.strip()),
        rows=((words.when, words.moment(context.when)),),
    )


def _in_brackets(mailbox: str) -> str:
    return f" ({mailbox})" if mailbox else ""


def recording_note(voicemail: Voicemail, attachment: Attachment | None, words: Language) -> str:
    """Return why a recording that should be attached is not, as a sentence; "" if it is, or should not be."""
    if not attachment or attachment.content:
        return ""
    mailbox = _in_brackets(voicemail.mailbox)
    if attachment.too_large:
        megabytes = f"{attachment.megabytes:.1f}".replace(".", words.decimal_mark)
        return words.too_large.format(megabytes=megabytes, mailbox=mailbox)
    if not voicemail.recording and voicemail.duration == 0:
        return words.silent
    return words.missing.format(mailbox=mailbox)


def plain_text(content: Content, words: Language) -> str:
    """Return the content of a mail as plain text."""
    caller = [(words.whose, content.caller.in_one_line)] if content.caller else []
    table = "\n".join(f"{label}: {value}" for label, value in (*caller, *content.rows))
    link = f"{content.link_text}: {content.link}" if content.link else ""
    return "\n\n".join(part for part in (content.lead, *content.paragraphs, table, link) if part)


def reason_for(call: MissedCall, language: Language) -> str:
    """Return why a call was missed, as a sentence."""
    return language.why[_why(call)].format(length=language.short_duration(call.duration))


def has_rung(call: MissedCall) -> bool:
    """Return whether the call rang for its duration, and ``reason_for`` does not already say how long."""
    return call.duration > 0 and _why(call) in RANG


def _why(call: MissedCall) -> str:
    why = REASONS.get(call.dial_status, "no answer")
    if why in OF_ONE_PHONE and len(call.extensions) > 1:
        return "no answer"
    if why == "out of reach" and call.phone in PHONE:
        return call.phone
    return f"{why} at once" if why in ("hung up", "left the queue") and call.duration <= 0 else why
