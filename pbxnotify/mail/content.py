"""What a mail says where the admin has written nothing: the same parts for its plain text and for its page."""

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
    "CONGESTION": "congestion",
    "DONTCALL": "congestion",
    "TORTURE": "congestion",
    "INVALIDARGS": "congestion",
    "ABANDONED": "left the queue",
    "TIMEOUT": "queue timeout",
    "FULL": "queue full",
    "JOINEMPTY": "queue empty",
    "LEAVEEMPTY": "queue empty",
    "JOINUNAVAIL": "queue empty",
    "LEAVEUNAVAIL": "queue empty",
}
"""DIALSTATUS (Asterisk's app_dial.c), ABANDONED and QUEUESTATUS (app_queue.c): the sentence of each."""

PHONE = ("declined", "not registered")
"""What may be known of a phone that is out of reach."""
OF_ONE_PHONE = ("busy", "out of reach", "congestion")
"""What the last phone said: where several were called one after the other, it says nothing of the others."""
RANG = ("no answer", "busy", "declined", "queue timeout")
"""Where the duration is that of ringing, or of waiting in a queue, and the sentence does not say it."""


class Content(NamedTuple):
    """The parts of a mail, in the order in which they are read."""

    subject: str
    kind: str
    """What it is about, in a word or two."""
    accent: str
    """The name of its colour."""
    lead: str
    """What happened, in a sentence; what phones show below the subject begins with it."""
    title: str = ""
    """Where nobody called."""
    caller: Caller | None = None
    paragraphs: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    """Labels and values."""
    link: str = ""
    link_words: str = ""


def content_of(event: Event, facts: Context, attachment: Attachment | None = None) -> Content:
    """Return the letter about an event."""
    if isinstance(event, Alert):
        return _of_alert(event, facts)
    if isinstance(event, Voicemail):
        return _of_voicemail(event, facts, attachment)
    return _of_missed_call(event, facts)


def _of_missed_call(call: MissedCall, facts: Context) -> Content:
    words = facts.language
    rang = ((words.rang, words.duration(call.duration)),) if has_rung(call) else ()
    return Content(
        subject=words.missed_call_subject.format(caller=facts.caller.in_one_line),
        kind=words.missed_call,
        accent=call.kind,
        lead=reason_for(call, words),
        caller=facts.caller,
        paragraphs=(words.left_message,) if call.voicemail else (),
        rows=(*_for_whom(facts), (words.when, words.moment(facts.when)), *rang),
        link=facts.history_url,
        link_words=words.see_history,
    )


def _of_voicemail(voicemail: Voicemail, facts: Context, attachment: Attachment | None) -> Content:
    words, seconds = facts.language, voicemail.duration
    subject = words.voicemail_subject.format(caller=facts.caller.in_one_line)
    lead = words.new_message.format(length=words.no_length if seconds is None else words.duration(seconds))
    note = recording_note(voicemail, attachment, words)
    if note == words.silent:
        lead, note = note, ""
    if not attachment and not facts.history_url:
        note = words.not_attached.format(mailbox=_in_brackets(voicemail.mailbox))
    is_other = voicemail.mailbox and voicemail.mailbox != facts.extensions
    return Content(
        subject=f"{subject} ({message_length(seconds)})" if seconds else subject,
        kind=words.voicemail,
        accent=voicemail.kind,
        lead=lead,
        caller=facts.caller,
        paragraphs=(note,) if note else (),
        rows=(
            *_for_whom(facts),
            (words.when, words.moment(facts.when)),
            *(((words.mailbox, voicemail.mailbox),) if is_other else ()),
        ),
        link=facts.history_url,
        link_words=words.listen_in_history,
    )


def _for_whom(facts: Context) -> tuple[tuple[str, str], ...]:
    """Return the row of those who were called, if anything is known of them."""
    return ((facts.language.whom, facts.whom),) if facts.called else ()


def _of_alert(alert: Alert, facts: Context) -> Content:
    words, level = facts.language, alert.level if alert.level in LEVELS else "warning"
    first, _, rest = alert.body.partition("\n\n")
    return Content(
        subject=f"{facts.pbx_name}: {alert.subject}",
        kind=words.levels[level],
        accent=level,
        lead=first,
        title=_capitalised(alert.subject),
        paragraphs=tuple(paragraph for paragraph in rest.split("\n\n") if paragraph.strip()),
        rows=((words.when, words.moment(facts.when)),),
    )


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _in_brackets(mailbox: str) -> str:
    return f" ({mailbox})" if mailbox else ""


def recording_note(voicemail: Voicemail, attachment: Attachment | None, words: Language) -> str:
    """Return why a recording that should be attached is not, as a sentence; empty if it is, or should not be."""
    if not attachment or attachment.content:
        return ""
    mailbox = _in_brackets(voicemail.mailbox)
    if attachment.too_large:
        megabytes = f"{attachment.megabytes:.1f}".replace(".", words.decimal_mark)
        return words.too_large.format(megabytes=megabytes, mailbox=mailbox)
    if not voicemail.recording and voicemail.duration == 0:
        return words.silent
    return words.missing.format(mailbox=mailbox)


def plain_text(letter: Content, words: Language) -> str:
    """Return a letter as plain text."""
    whose = [(words.whose, letter.caller.in_one_line)] if letter.caller else []
    table = "\n".join(f"{label}: {value}" for label, value in (*whose, *letter.rows))
    link = f"{letter.link_words}: {letter.link}" if letter.link else ""
    return "\n\n".join(part for part in (letter.lead, *letter.paragraphs, table, link) if part)


def reason_for(call: MissedCall, language: Language) -> str:
    """Return a sentence."""
    return language.why[_why(call)].format(length=language.short_duration(call.duration))


def has_rung(call: MissedCall) -> bool:
    """Return whether the call rang for its duration, and the sentence does not say so already."""
    return call.duration > 0 and _why(call) in RANG


def _why(call: MissedCall) -> str:
    """Return the name of the sentence."""
    why = REASONS.get(call.dial_status, "no answer")
    if why in OF_ONE_PHONE and len(call.extensions) > 1:
        return "no answer"
    if why == "out of reach" and call.phone in PHONE:
        return call.phone
    return f"{why} at once" if why in ("hung up", "left the queue") and call.duration <= 0 else why
