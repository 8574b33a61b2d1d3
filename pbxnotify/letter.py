"""What a mail says where the admin has written nothing: the same parts for its plain text and for its page."""

from __future__ import annotations

from dataclasses import dataclass

from pbxnotify import reason
from pbxnotify.attachment import Attachment
from pbxnotify.events import UNKNOWN_LENGTH, Alert, Event, MissedCall, Voicemail
from pbxnotify.facts import Facts, length
from pbxnotify.language import Language


@dataclass(frozen=True)
class Letter:
    """The parts of a mail, in the order in which they are read."""

    subject: str
    kind: str
    """What it is about, in a word or two."""
    lead: str
    """What happened, in a sentence; what phones show below the subject begins with it."""
    title: str
    caller: str = ""
    """Name and number in one line; empty where nobody called."""
    number: str = ""
    telephone: str = ""
    """What a phone dials for the number."""
    paragraphs: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    """Labels and values."""
    link: str = ""
    link_words: str = ""


def of(event: Event, facts: Facts, attachment: Attachment | None = None) -> Letter:
    """Return the letter about an event."""
    if isinstance(event, Alert):
        return _of_alert(event, facts)
    if isinstance(event, Voicemail):
        return _of_voicemail(event, facts, attachment)
    return _of_missed_call(event, facts)


def _of_missed_call(call: MissedCall, facts: Facts) -> Letter:
    words, caller = facts.language, facts.caller
    rows = [(words.whom, facts.whom), (words.when, words.moment(facts.when))]
    if call.duration and not reason.says_how_long(call):
        rows.append((words.rang, words.duration(call.duration)))
    return Letter(
        subject=words.missed_call_subject.format(caller=caller.in_one_line),
        kind=words.missed_call,
        lead=reason.of(call, words),
        title=caller.name or caller.readable,
        caller=caller.in_one_line,
        number=caller.readable,
        telephone=caller.telephone,
        paragraphs=(words.left_message,) if call.voicemail else (),
        rows=tuple(rows),
        link=facts.history_url,
        link_words=words.see_history,
    )


def _of_voicemail(voicemail: Voicemail, facts: Facts, attachment: Attachment | None) -> Letter:
    words, caller = facts.language, facts.caller
    known = voicemail.duration != UNKNOWN_LENGTH
    in_words = words.duration(voicemail.duration) if known else words.no_length
    rows = [(words.whom, facts.whom), (words.when, words.moment(facts.when))]
    if voicemail.mailbox and voicemail.mailbox != facts.extensions:
        rows.append((words.mailbox, voicemail.mailbox))
    note = recording_note(voicemail, attachment, words)
    if not attachment and not facts.history_url:
        note = words.not_attached.format(mailbox=voicemail.mailbox or words.no_mailbox)
    return Letter(
        subject=words.voicemail_subject.format(caller=caller.in_one_line)
        + (f" ({length(voicemail.duration)})" if known else ""),
        kind=words.voicemail,
        lead=words.new_message.format(length=in_words),
        title=caller.name or caller.readable,
        caller=caller.in_one_line,
        number=caller.readable,
        telephone=caller.telephone,
        paragraphs=(note,) if note else (),
        rows=tuple(rows),
        link=facts.history_url,
        link_words=words.listen_in_history,
    )


def _of_alert(alert: Alert, facts: Facts) -> Letter:
    words = facts.language
    first, _, rest = alert.body.partition("\n\n")
    return Letter(
        subject=f"{facts.pbx_name}: {alert.subject}",
        kind=facts.pbx_name,
        lead=first,
        title=alert.subject,
        paragraphs=tuple(paragraph for paragraph in rest.split("\n\n") if paragraph.strip()),
        rows=((words.when, words.moment(facts.when)),),
    )


def recording_note(voicemail: Voicemail, attachment: Attachment | None, words: Language) -> str:
    """Return why a recording that should be attached is not, as a sentence; empty if it is, or should not be."""
    if not attachment or attachment.content:
        return ""
    mailbox = voicemail.mailbox or words.no_mailbox
    if attachment.too_large:
        megabytes = f"{attachment.megabytes:.1f}".replace(".", words.decimal_mark)
        return words.too_large.format(megabytes=megabytes, mailbox=mailbox)
    if not voicemail.recording and voicemail.duration == 0:
        return words.silent
    return words.missing.format(mailbox=mailbox)


def text(letter: Letter, words: Language) -> str:
    """Return a letter as plain text."""
    rows = ([(words.whose, letter.caller)] if letter.caller else []) + list(letter.rows)
    table = "\n".join(f"{label}: {value}" for label, value in rows)
    link = f"{letter.link_words}: {letter.link}" if letter.link else ""
    return "\n\n".join(part for part in (letter.lead, *letter.paragraphs, table, link) if part)
