"""What recipients read: the bytes of a mail, parsed by Python's own strict parser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.errors import MessageDefect
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from golden import Golden
from hypothesis import given
from hypothesis import strategies as st
from mails import MAILS

from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.languages.language import load_language
from pbxnotify.mail.attachment import Attachment
from pbxnotify.mail.caller import UNKNOWN, WITHHELD
from pbxnotify.mail.compose import compose
from pbxnotify.mail.context import Recipient
from pbxnotify.mail.variables import VARIABLES
from pbxnotify.settings.load import load_settings
from pbxnotify.text import clean

INI = """\
[smtp]
sender = pbx@example.com
sender_name = "Офис на Тверской, 1-й этаж"
[notifications]
pbx_name = office
timezone = Europe/Moscow
[employees]
[[101]]
name = Иван Петров
[[102]]
name = Anna
"""
ENGLISH = load_language("en")
CALL = MissedCall(1795478867.0, 23, ("101",), "+74951234567", "Алиса Смирнова", False, "NOANSWER", "1795478867.0")


BUILT_IN_MAILS = [name for name in MAILS if not re.search(r"\b(own|sender|call of|voicemail of)\b", name)]


def own(section: str = "missed_calls", **texts: str) -> str:
    """Return an ini file with texts of the administrator."""
    return f"{INI}[{section}]\n" + "".join(f"{name} = '''{text}'''\n" for name, text in texts.items())


@pytest.fixture
def mail(write_ini: Callable[[str], Path]) -> Callable[..., EmailMessage]:
    """Compose a mail about a call to 101 and parse it."""

    def mail(
        event: Event = CALL,
        ini: str = INI,
        language: str = "en",
        extensions: tuple[str, ...] = ("101",),
        attachment: Attachment | None = None,
    ):
        recipient = Recipient("ivan@example.com", language, extensions)
        content = compose(event, "20261124-000000-aa", recipient, load_settings(write_ini(ini)), attachment)
        assert re.search(rb"(?<!\r)\n|\r(?!\n)", content) is None
        assert max(map(len, content.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
        assert content.isascii()
        return message_from_bytes(content, policy=policy.strict)

    return mail


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return one of the bodies."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def test_headers_of_an_automatic_mail(mail) -> None:
    message = mail()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["From"].addresses[0].addr_spec == "pbx@example.com"
    assert message["To"].addresses[0].addr_spec == "ivan@example.com"
    assert re.fullmatch(r"<20261124-000000-aa\.[0-9a-f]{8}@example\.com>", message["Message-ID"])
    assert message["Date"].datetime.utcoffset().total_seconds() == 3 * 3600


def test_a_second_copy_carries_the_same_message_id(mail) -> None:
    assert mail()["Message-ID"] == mail()["Message-ID"]


def test_the_admins_templates(mail) -> None:
    names = ["MISSEDCAUSE", "CALLERID", "TO", "DURATION", "DATE", "NAME_FROM", "NAME_TO", "DIALSTATUS"]
    body = "\n".join(f"{name}=NOTIFICATION_{name}" for name in names)
    ini = f"{INI}[missed_calls]\nsubject = 'NOTIFICATION_TO and ${{NOTIFICATION_CALLERID}}'\nbody = '''{body}'''\n"
    message = mail(ini=ini + "footer = 'from PBX_NAME'\n")
    assert message["Subject"] == "101 and +74951234567"
    assert text_of(message).splitlines() == [
        "MISSEDCAUSE=NOANSWER",
        "CALLERID=+74951234567",
        "TO=101",
        "DURATION=23",
        "DATE=2026-11-24 03:07:47",
        "NAME_FROM=Алиса Смирнова",
        "NAME_TO=Иван Петров",
        "DIALSTATUS=NOANSWER",
        "",
        "-- ",
        "from office",
    ]


@pytest.mark.parametrize(
    ("language", "label"),
    [pytest.param("en", "For: ", id="English"), pytest.param("ru", "Кому: ", id="Russian")],
)
def test_default_texts(mail, golden: Golden, language: str, label: str) -> None:
    message = mail(language=language)
    golden(message["Subject"], "subject")
    golden(text_of(message), "text")
    golden(text_of(message, "html"), "page")
    (line,) = (line for line in text_of(message).splitlines() if line.startswith(label))
    assert line.replace(": ", "") in re.sub("<[^>]*>", "", text_of(message, "html")).splitlines()


@pytest.mark.parametrize("name", BUILT_IN_MAILS)
def test_what_the_built_in_mails_say(mail, golden: Golden, name: str) -> None:
    event, ini, language, attachment = MAILS[name]
    message = mail(event._replace(time=1795478867.0), ini, language, getattr(event, "extensions", ()), attachment)
    golden(f"{message['Subject']}\n\n{text_of(message)}")


@pytest.mark.parametrize(
    ("call", "caller"),
    [
        pytest.param(CALL._replace(caller_name=""), "+7 495 123-45-67", id="no name"),
        pytest.param(CALL._replace(caller_name="", caller_number="102"), "Anna, 102", id="a colleague"),
        pytest.param(CALL._replace(caller_number=""), f"Алиса Смирнова, {ENGLISH.unknown}", id="no number"),
        pytest.param(CALL._replace(caller_name="", caller_number=""), ENGLISH.unknown, id="nothing"),
        pytest.param(CALL._replace(private=True), ENGLISH.private, id="withheld"),
    ],
)
def test_callers(mail, call: MissedCall, caller: str) -> None:
    assert mail(call)["Subject"] == ENGLISH.missed_call_subject.format(caller=caller)


@pytest.mark.parametrize("kind", [MissedCall, Voicemail])
@pytest.mark.parametrize("more", [{"private": True}, {"caller_number": "anonymous"}], ids=str)
def test_a_withheld_caller_is_nowhere(mail, kind: type[MissedCall | Voicemail], more: dict[str, Any]) -> None:
    caller = {"caller_number": "+74951234567", "caller_name": "Bob", "linked_id": "1.1", **more}
    attachment = WAV if kind is Voicemail else None
    message = mail(kind(time=1795478867.0, extensions=("101",), **caller), attachment=attachment)
    everything = message.as_string() + text_of(message) + text_of(message, "html")
    assert "4951234567" not in everything
    assert "Bob" not in everything
    assert message["References"] is None


def test_a_withheld_number_is_shown_if_the_admin_says_so(mail) -> None:
    ini = INI.replace("[notifications]", "[notifications]\nshow_private_numbers = yes")
    assert mail(CALL._replace(private=True), ini)["Subject"].endswith("+7 495 123-45-67")


HOSTILE = [
    pytest.param("=?utf-8?q?a=0D=0ABcc:evil=40example.com?=", id="encoded word"),
    pytest.param("Bcc: evil@example.com", id="header"),
    pytest.param("a, <evil@example.com>;", id="address"),
    pytest.param("<script>alert(1)</script>", id="HTML"),
    pytest.param("NOTIFICATION_TO ${NOTIFICATION_DATE}", id="variables"),
    pytest.param('"quoted\\" \u200b\u202e', id="quotes and invisible characters"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_caller_text_is_nothing_but_text(mail, name: str) -> None:
    message = mail(CALL._replace(caller_name=clean(name)))
    assert set(message.keys()) == set(mail().keys())
    assert message["Bcc"] is None
    assert message["Subject"] == ENGLISH.missed_call_subject.format(caller=f"{clean(name)}, +7 495 123-45-67")
    assert clean(name) in text_of(message)
    assert "<script>" not in text_of(message, "html")


def says_who(name: str) -> bool:
    """Return whether a name is one: no number, and none of the words for a caller who has none."""
    return not re.search(r"\d", name) and name.casefold() not in (*WITHHELD, *UNKNOWN)


@given(
    name=st.text(st.characters(codec="utf-8"), max_size=120).map(clean).filter(says_who),
    number=st.text(st.sampled_from("23456789+ абв=?<>,")).map(clean),  # no 1: 101 has a card
)
def test_any_caller_arrives_intact(mail, name: str, number: str) -> None:
    text = "'NOTIFICATION_NAME_FROM, NOTIFICATION_CALLERID'"
    message = mail(
        CALL._replace(caller_name=name, caller_number=number),
        f"{INI}[missed_calls]\nsubject = {text}\nbody = {text}\n",
    )
    shown = number or ENGLISH.unknown
    caller = f"{name or shown}, {shown}"
    brief = name if len(name) <= 60 else f"{name[:59].rstrip()}…"
    assert str(message["Subject"]) == clean(f"{brief or shown}, {shown}", 200)
    assert text_of(message).splitlines()[0] == caller


INVISIBLE = {
    "filler": "\u3164",
    "jamo": "\u115f\u1160",
    "half width": "\uffa0",
    "braille": "\u2800",
    "tags": "\U000e0041",
}


@pytest.mark.parametrize("kind", INVISIBLE)
def test_an_invisible_name_is_none(mail, kind: str) -> None:
    name = clean(INVISIBLE[kind] * 40)
    assert mail(CALL._replace(caller_name=name))["Subject"] == mail(CALL._replace(caller_name=""))["Subject"]


@pytest.mark.parametrize("subject", ["", "NOTIFICATION_NAME_FROM! NOTIFICATION_NAME_FROM! NOTIFICATION_CALLERID"])
@pytest.mark.parametrize(
    "name", ["W" * 250, "Ж" * 250, "﷽" * 90, "Z͑ͫ̓" * 200], ids=["Latin", "Cyrillic", "wide", "stacked"]
)
def test_the_number_stays_in_the_subject(mail, name: str, subject: str) -> None:
    own = f'{INI}[missed_calls]\nsubject = "{subject}"\n'
    said = str(mail(CALL._replace(caller_name=clean(name)), own)["Subject"])
    assert re.sub(r"\D", "", said).endswith("4951234567")


def test_an_html_body(mail) -> None:
    ini = f"{INI}[missed_calls]\nbody = '<p>from <b>NOTIFICATION_NAME_FROM</b></p>'\n"
    message = mail(CALL._replace(caller_name="A & <B>"), ini)
    assert "<p>from <b>A &amp; &lt;B&gt;</b></p>" in text_of(message, "html")
    assert text_of(message).startswith("from A & <B>")


def test_a_whole_html_page_gets_the_footer(mail) -> None:
    ini = f"{INI}[missed_calls]\nbody = '<html><body>call</body></html>'\nfooter = PBX_NAME\n"
    assert text_of(mail(ini=ini), "html").strip() == "<html><body>call<div>office</div>\n</body></html>"


def test_an_alert(mail) -> None:
    message = mail(Alert(1795478867.0, "диск", "свободно 1 %", "disk"))
    assert message["Subject"] == "office: диск"
    assert text_of(message).startswith("свободно 1 %")


def test_no_defects(mail) -> None:
    defects: list[MessageDefect] = [defect for part in mail().walk() for defect in part.defects]
    assert defects == []


# ---- voicemail

MESSAGE = Voicemail(
    time=1795478867.0,
    duration=65,
    extensions=("101",),
    caller_number="+74951234567",
    caller_name='Алиса "Ли" \\ Смирнова',
    linked_id="pbx-1795478850.0",
    unique_id="1795478850.0&x",
    mailbox="101",
    context="default",
    number=4,
    recording="wav",
)
SOUND = bytes(range(256)) * 40
WAV = Attachment(SOUND, "wav")
HISTORY = INI.replace(
    "[notifications]", "[notifications]\nhistory_url = 'https://pbx.example.com/cdr?id=UNIQUEID&l=LINKEDID'"
)


def voicemail_ini(**options: str) -> str:
    """Return an ini file with a [voicemail] section."""
    return INI + "[voicemail]\n" + "".join(f"{name} = '''{value}'''\n" for name, value in options.items())


def recording_in(mail: EmailMessage) -> tuple[str | None, str, bytes]:
    """Return name, type and content of what is attached."""
    (part,) = mail.iter_attachments()
    return part.get_filename(), part.get_content_type(), part.get_content()


VARIABLES_BEYOND_THE_SCREEN = {
    "NOTIFICATION_FROM": "Алиса Смирнова, +7 495 123-45-67",
    "NOTIFICATION_WHOM": "Иван Петров (101)",
    "NOTIFICATION_WHY": ENGLISH.why["no answer"],
    "PBX_NAME": "office",
}


@pytest.mark.parametrize("name", VARIABLES_BEYOND_THE_SCREEN)
def test_the_variables_beyond_the_screen(mail, name: str) -> None:
    assert text_of(mail(ini=own(body=name))).splitlines()[0] == VARIABLES_BEYOND_THE_SCREEN[name]


def test_a_call_whose_end_nobody_knows(mail) -> None:
    body = "NOTIFICATION_DIALSTATUS NOTIFICATION_WHY"
    assert text_of(mail(CALL._replace(dial_status=""), own(body=body))).startswith(
        f"NOANSWER {ENGLISH.why['no answer']}"
    )


VOICEMAIL_VARIABLES = {
    "VM_FROM": 'Алиса "Ли" \\ Смирнова, +7 495 123-45-67',
    "VM_WHOM": "Иван Петров (101)",
    "VM_DATE": "2026-11-24 03:07:47",
    "VM_CALLERID": '"Алиса "Ли" \\ Смирнова" <+74951234567>',
    "VM_DUR": "1:05",
    "VM_CALLER_NAME": 'Алиса "Ли" \\ Смирнова',
    "VM_CALLER_NUM": "+74951234567",
    "VM_CIDNAME": 'Алиса "Ли" \\ Смирнова',
    "VM_CIDNUM": "+74951234567",
    "VM_NAME": "Иван Петров",
    "VM_MSGNUM": "4",
    "VM_MAILBOX": "101",
    "VM_CONTEXT": "default",
    "PBX_NAME": "office",
}


@pytest.mark.parametrize("written", ["{}", "${{{}}}"], ids=["bare", "as in voicemail.conf"])
def test_the_variables_of_a_voicemail(mail, written: str) -> None:
    body = "".join(f"{name.lower()}: {written.format(name)}\n" for name in VOICEMAIL_VARIABLES)
    lines = text_of(mail(MESSAGE, voicemail_ini(body=body), attachment=WAV)).splitlines()
    assert lines[: len(VOICEMAIL_VARIABLES)] == [
        f"{name.lower()}: {value}" for name, value in VOICEMAIL_VARIABLES.items()
    ]


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        pytest.param({"duration": 0}, "VM_DUR", "0:00", id="no sound"),
        pytest.param({"duration": 3600}, "VM_DUR", "60:00", id="an hour"),
        pytest.param({"duration": None}, "VM_DUR", ENGLISH.no_length, id="no length"),
        pytest.param({"caller_name": ""}, "VM_CALLERID", "+74951234567", id="no name"),
        pytest.param({"caller_name": "", "caller_number": ""}, "VM_CALLERID", ENGLISH.unknown, id="nothing"),
        pytest.param({"caller_name": "", "caller_number": "102"}, "VM_CALLERID", '"Anna" <102>', id="a colleague"),
        pytest.param({"private": True}, "VM_CALLERID", ENGLISH.private, id="withheld"),
        pytest.param({"mailbox": "", "number": 0}, "VM_MAILBOX", ENGLISH.no_mailbox, id="no mailbox"),
        pytest.param({"number": 0}, "VM_MSGNUM", "?", id="no number"),
        pytest.param({"context": ""}, "VM_CONTEXT", "default", id="no context"),
    ],
)
def test_no_variable_is_empty(mail, changed: dict[str, Any], name: str, value: str) -> None:
    message = mail(MESSAGE._replace(**changed), voicemail_ini(body=f"={name}="), attachment=WAV)
    assert text_of(message).splitlines()[0] == f"={value}="


def test_the_name_of_the_mailbox_where_no_employee_missed_it(mail) -> None:
    assert text_of(mail(MESSAGE, voicemail_ini(body="VM_NAME"), extensions=(), attachment=WAV)).startswith(
        "Иван Петров"
    )


FROM_VOICEMAIL_CONF = (
    r"Dear ${VM_NAME}:\n\n\tjust wanted to let you know you were just left a ${VM_DUR} long message (number"
    r" ${VM_MSGNUM})\nin mailbox ${VM_MAILBOX} from ${VM_CALLERID}, on ${VM_DATE}, so you might\nwant to check it when"
    r" you get a chance.  Thanks!\n\n\t\t\t\t--Asterisk\n"
)


def test_texts_of_a_voicemail_conf(mail) -> None:
    ini = voicemail_ini(subject="[PBX]: New message ${VM_MSGNUM} in mailbox ${VM_MAILBOX}", body=FROM_VOICEMAIL_CONF)
    message = mail(MESSAGE._replace(caller_name=r"no \n break"), ini, attachment=WAV)
    assert message["Subject"] == "[PBX]: New message 4 in mailbox 101"
    assert text_of(message).splitlines()[:5] == [
        "Dear Иван Петров:",
        "",
        "\tjust wanted to let you know you were just left a 1:05 long message (number 4)",
        r'in mailbox 101 from "no \n break" <+74951234567>, on 2026-11-24 03:07:47, so you might',
        "want to check it when you get a chance.  Thanks!",
    ]


def test_what_is_not_supported_stays_as_it_is_written(mail) -> None:
    body = "${IF($[1]?a:b)} ${CALLERID(num)} ${VM_MESSAGEFILE}"
    assert text_of(mail(MESSAGE, voicemail_ini(body=body), attachment=WAV)).splitlines()[0] == body


@pytest.mark.parametrize("language", [pytest.param("en", id="English"), pytest.param("ru", id="Russian")])
def test_default_texts_of_a_voicemail(mail, golden: Golden, language: str) -> None:
    message = mail(MESSAGE._replace(mailbox="105"), language=language, attachment=WAV)
    golden(message["Subject"], "subject")
    golden(text_of(message), "text")
    golden(text_of(message, "html"), "page")


@pytest.mark.parametrize(
    ("format_", "extension", "mime_type"),
    [
        pytest.param("wav", "wav", "audio/wav", id="wav"),
        pytest.param("WAV", "wav", "audio/wav", id="wav49"),
        pytest.param("mp3", "mp3", "audio/mpeg", id="mp3"),
        pytest.param("ulaw", "ulaw", "audio/basic", id="ulaw"),
        pytest.param("gsm", "gsm", "audio/x-gsm", id="gsm"),
        pytest.param("sln", "sln", "application/octet-stream", id="raw"),
    ],
)
def test_the_recording_is_attached(mail, format_: str, extension: str, mime_type: str) -> None:
    message = mail(MESSAGE, attachment=Attachment(SOUND, format_))
    assert message.get_content_type() == "multipart/mixed"
    assert recording_in(message) == (f"2026-11-24_03-07-47_+74951234567.{extension}", mime_type, SOUND)
    assert [defect for part in message.walk() for defect in part.defects] == []


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        pytest.param({"caller_number": ""}, "2026-11-24_03-07-47.wav", id="Cyrillic alone is left out"),
        pytest.param({"private": True, "caller_name": "Bob"}, "2026-11-24_03-07-47.wav", id="withheld"),
        pytest.param({"caller_number": "Anonymous", "caller_name": "Bob"}, "2026-11-24_03-07-47.wav", id="anonymous"),
        pytest.param({"caller_number": '../../etc/x"\r\n'}, "2026-11-24_03-07-47_-etc-x.wav", id="hostile"),
        pytest.param({"caller_number": "", "caller_name": "Bob"}, "2026-11-24_03-07-47_Bob.wav", id="a name alone"),
    ],
)
def test_the_name_of_the_file(mail, changed: dict[str, Any], name: str) -> None:
    assert recording_in(mail(MESSAGE._replace(**changed), attachment=WAV))[0] == name


@pytest.mark.parametrize(
    ("changed", "attachment", "note"),
    [
        pytest.param({}, WAV, "", id="attached"),
        pytest.param({}, Attachment(too_large=23 << 20), "too_large", id="too large"),
        pytest.param({"recording": ""}, Attachment(), "missing", id="missing"),
        pytest.param({"recording": "", "duration": 0}, Attachment(), "silent", id="silent"),
        pytest.param({}, None, "not_attached", id="not wanted"),
    ],
)
def test_what_is_said_about_the_recording(
    mail, changed: dict[str, Any], attachment: Attachment | None, note: str
) -> None:
    names = ("too_large", "missing", "silent", "not_attached")
    notes = {name: str(getattr(ENGLISH, name)).format(megabytes="23.0", mailbox=" (101)") for name in names}
    message = mail(MESSAGE._replace(**changed), attachment=attachment)
    for text in (text_of(message), text_of(message, "html")):
        assert notes.get(note, "") in text
        assert any(sentence in text for sentence in notes.values()) == bool(note)


@pytest.mark.parametrize("body", ["my own text", "<html><body>my own page</body></html>"], ids=["text", "HTML page"])
def test_an_own_text_says_too_that_it_could_not_be_attached(mail, body: str) -> None:
    message = mail(MESSAGE, voicemail_ini(body=body, footer="foot"), attachment=Attachment(too_large=23 << 20))
    for text in (text_of(message), text_of(message, "html")):
        note = ENGLISH.too_large.format(megabytes="23.0", mailbox=" (101)")
        assert re.search(f"my own.*{re.escape(note)}.*foot", text, re.DOTALL)


def test_an_own_text_is_left_alone_where_none_is_wanted(mail) -> None:
    assert text_of(mail(MESSAGE, voicemail_ini(body="mine", footer="foot"))).split() == ["mine", "--", "foot"]


URL = "https://pbx.example.com/cdr?id=1795478850.0%26x&l=pbx-1795478850.0"


@pytest.mark.parametrize("attachment", [WAV, None], ids=["attached", "not wanted"])
def test_the_call_history(mail, attachment: Attachment | None) -> None:
    message = mail(MESSAGE, HISTORY, attachment=attachment)
    assert f"{ENGLISH.listen_in_history}: {URL}" in text_of(message)
    link = rf'<a href="{re.escape(URL.replace("&", "&amp;"))}"[^>]*>{ENGLISH.listen_in_history}</a>'
    assert re.search(link, text_of(message, "html"))
    assert ENGLISH.not_attached.format(mailbox=" (101)") not in text_of(message)


@pytest.mark.parametrize("event", [CALL._replace(linked_id="pbx-1795478850.0", unique_id="1795478850.0&x"), MESSAGE])
def test_the_call_history_in_an_own_text(mail, event: Event) -> None:
    own = "[missed_calls]\nbody = 'see HISTORY_URL'\n[voicemail]\nbody = 'see HISTORY_URL'\n"
    message = mail(event, HISTORY + own, attachment=WAV)
    assert text_of(message).splitlines()[0] == f"see {URL}"
    escaped = URL.replace("&", "&amp;")
    assert f'see <a href="{escaped}">{escaped}</a>' in text_of(message, "html")


@pytest.mark.parametrize("name", HOSTILE)
def test_the_text_of_who_leaves_a_message_is_nothing_but_text(mail, name: str) -> None:
    message = mail(MESSAGE._replace(caller_name=clean(name)), HISTORY, attachment=WAV)
    assert set(message.keys()) == set(mail(MESSAGE, HISTORY, attachment=WAV).keys())
    caller = f"{clean(name)}, +7 495 123-45-67"
    assert message["Subject"] == f"{ENGLISH.voicemail_subject.format(caller=caller)} (1:05)"
    assert "<script>" not in text_of(message, "html")


@pytest.mark.parametrize(("section", "event"), [("missed_calls", CALL), ("voicemail", MESSAGE)])
def test_the_variables_are_those_that_check_knows(mail, section: str, event: Event) -> None:
    names = VARIABLES[section]
    body = "\n".join(f"={name}=" for name in names)
    text = text_of(mail(event, INI + f"[{section}]\nbody = '''{body}'''\n", attachment=WAV))
    assert not any(name in text for name in names)
    assert "==" not in text


def test_no_dead_link_where_the_call_has_no_id(mail) -> None:
    message = mail(MESSAGE._replace(unique_id=""), HISTORY, attachment=WAV)
    assert "call history" not in text_of(message)
    assert "pbx.example.com" not in message.as_string()


def test_the_size_in_russian(mail) -> None:
    assert "Запись (23,5 МБ)" in text_of(mail(MESSAGE, language="ru", attachment=Attachment(too_large=24641536)))


def test_tabs_are_seen_in_html(mail) -> None:
    ini = voicemail_ini(body=FROM_VOICEMAIL_CONF)
    assert "&nbsp;&nbsp;&nbsp;&nbsp;just" in text_of(mail(MESSAGE, ini, attachment=WAV), "html")


# ---- threads


def thread_of(mail: EmailMessage) -> str:
    """Return what a mail refers to."""
    return str(mail["References"] or "")


@pytest.mark.parametrize(
    ("event", "other"),
    [
        pytest.param(CALL, CALL._replace(time=1795565267.0, dial_status="BUSY"), id="the next day"),
        pytest.param(CALL, CALL._replace(caller_number="8 (495) 123-45-67"), id="another form of the number"),
        pytest.param(CALL, CALL._replace(caller_name="Alice"), id="another name"),
        pytest.param(CALL, MESSAGE, id="a voicemail"),
        pytest.param(
            CALL._replace(caller_number="", caller_name="Alice"),
            MESSAGE._replace(caller_number="", caller_name="Alice"),
            id="a name alone",
        ),
        pytest.param(Alert(1.0, "raised", "", "disk"), Alert(2.0, "cleared", "", "disk"), id="one problem"),
    ],
)
def test_mails_of_one_conversation(mail, event: Event, other: Event) -> None:
    thread = thread_of(mail(event))
    assert re.fullmatch(r"<thread-[0-9a-f]{20}@example\.com>", thread)
    assert thread_of(mail(other)) == thread


@pytest.mark.parametrize(
    ("event", "other"),
    [
        pytest.param(CALL, CALL._replace(caller_number="+74951234568"), id="another caller"),
        pytest.param(Alert(1.0, "s", "", "disk"), Alert(1.0, "s", "", "trunk"), id="another problem"),
    ],
)
def test_mails_of_two_conversations(mail, event: Event, other: Event) -> None:
    assert thread_of(mail(event)) != thread_of(mail(other))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(CALL._replace(private=True), id="withheld"),
        pytest.param(CALL._replace(caller_number="", caller_name=""), id="unknown"),
        pytest.param(Alert(1.0, "s", "b"), id="an alert about nothing in particular"),
    ],
)
def test_mails_about_nobody_known_are_no_conversation(mail, event: Event) -> None:
    assert thread_of(mail(event)) == ""


# ---- the administrator's texts, whatever they contain


@pytest.mark.parametrize(("section", "event"), [("missed_calls", CALL), ("voicemail", MESSAGE)])
def test_spaces_alone_are_not_a_text(mail, section: str, event: Event) -> None:
    empty = mail(event, own(section, subject="  ", body=" \n\t ", footer="\n"), attachment=WAV)
    built_in = mail(event, attachment=WAV)
    assert empty["Subject"] == built_in["Subject"]
    assert [text_of(empty, kind) for kind in ("plain", "html")] == [
        text_of(built_in, kind) for kind in ("plain", "html")
    ]


@pytest.mark.parametrize("subject", ["HISTORY_URL", "\u200b", "\u202e \u2066"], ids=ascii)
def test_a_subject_that_becomes_blank(mail, subject: str) -> None:
    assert mail(ini=own(subject=subject))["Subject"] == mail()["Subject"]


@pytest.mark.parametrize("control", ["\0", "\x07", "\x1b", "\x0b", "\x7f", "\x9b"], ids=ascii)
def test_control_characters_are_left_out(mail, control: str) -> None:
    message = mail(ini=own(body=f"one{control}two\nthree"))
    assert text_of(message).splitlines()[:2] == ["onetwo", "three"]
    assert "onetwo<br>" in text_of(message, "html")


def test_control_characters_in_html(mail) -> None:
    message = mail(ini=own(body="<p\0>from <b\x07>NOTIFICATION_TO</b></p>"))
    assert "<p>from <b>101</b></p>" in text_of(message, "html")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("слово NOTIFICATION_TO\n" * 40_000, id="many lines"),
        pytest.param("x" * 1_000_000, id="one line"),
        pytest.param("<p>" * 300_000, id="HTML"),
    ],
)
def test_a_megabyte_of_text(mail, body: str) -> None:
    message = mail(ini=own(body=body))
    assert "Subject" in message
    assert len(text_of(message, "html")) > 500_000


def test_a_megabyte_of_subject(mail) -> None:
    assert len(mail(ini=own(subject="слово " * 200_000))["Subject"]) <= 200


@pytest.mark.parametrize("text", ["subject", "body", "footer"])
def test_one_own_text_leaves_the_others_built_in(mail, text: str) -> None:
    message, built_in = mail(ini=own(**{text: "mine"})), mail()
    said = {
        "subject": message["Subject"],
        "body": text_of(message).partition("-- ")[0],
        "footer": text_of(message).rpartition("-- ")[2],
    }
    usual = {
        "subject": built_in["Subject"],
        "body": text_of(built_in).partition("-- ")[0],
        "footer": text_of(built_in).rpartition("-- ")[2],
    }
    assert "mine" in said.pop(text)
    usual.pop(text)
    assert said == usual


def test_several_who_were_called(mail) -> None:
    message = mail(CALL._replace(extensions=("101", "102", "103")), extensions=("101", "102", "103"))
    assert f"{ENGLISH.whom}: Иван Петров (101), Anna (102), 103" in text_of(message)


def test_a_message_left_as_well_is_mentioned(mail) -> None:
    assert ENGLISH.left_message in text_of(mail(CALL._replace(voicemail=True)))


@pytest.mark.parametrize(("status", "shown"), [("NOANSWER", True), ("CANCEL", False), ("ABANDONED", False)])
def test_how_long_it_rang_is_said_once(mail, status: str, shown: bool) -> None:
    text = text_of(mail(CALL._replace(dial_status=status)))
    assert (f"{ENGLISH.rang}: 23 seconds" in text, "23 s." in text) == (shown, not shown)


def test_it_did_not_ring(mail) -> None:
    assert ENGLISH.rang not in text_of(mail(CALL._replace(dial_status="BUSY", duration=0)))


def test_the_label_of_the_link_of_a_missed_call(mail) -> None:
    message = mail(CALL._replace(linked_id="1.1", unique_id="1.1"), HISTORY)
    assert f"{ENGLISH.see_history}: https://" in text_of(message)
    assert f">{ENGLISH.see_history}</a>" in text_of(message, "html")


def test_each_recipient_has_a_message_id_of_their_own(write_ini) -> None:
    settings = load_settings(write_ini(INI))
    mails = [compose(CALL, "1", Recipient(f"{name}@example.com", "en", ("101",)), settings) for name in "ab"]
    first, second = (message_from_bytes(content, policy=policy.strict)["Message-ID"] for content in mails)
    assert first != second


def test_the_date_is_that_of_sending(mail) -> None:
    assert abs(mail()["Date"].datetime.timestamp() - time.time()) < 60


def test_without_a_sender_name_it_is_the_name_of_the_pbx(mail) -> None:
    ini = re.sub("sender_name = .*\n", "", INI)
    assert mail(ini=ini)["From"].addresses[0].display_name == "office"


def test_an_alert_says_when_and_where(mail) -> None:
    message = mail(Alert(1795478867.0, "mails are held up", "why\n\n\n\nwhat to do"))
    assert text_of(message).splitlines()[:5] == [
        "why",
        "",
        "what to do",
        "",
        f"{ENGLISH.when}: Tuesday, 24 November 2026, 03:07",
    ]
    assert ">office</p>" in text_of(message, "html")
    assert ">Mails are held up</h1>" in text_of(message, "html")


def test_the_title_of_the_page_is_the_subject(mail) -> None:
    assert "<title>mine</title>" in text_of(mail(ini=own(subject="mine")), "html")


@pytest.mark.parametrize(("mailbox", "shown"), [("101", False), ("105", True), ("", False)])
def test_the_mailbox_is_said_where_it_is_another(mail, mailbox: str, shown: bool) -> None:
    assert (f"{ENGLISH.mailbox}:" in text_of(mail(MESSAGE._replace(mailbox=mailbox), attachment=WAV))) == shown


def test_nobody_knows_who_was_called(mail) -> None:
    text = text_of(mail(MissedCall(1795478867.0, caller_number="5551212"), extensions=()))
    assert f"{ENGLISH.whom}:" not in text


def test_an_unknown_mailbox_is_not_named(mail) -> None:
    text = text_of(mail(Voicemail(1795478867.0, 5, recording="wav"), extensions=()))
    assert ENGLISH.not_attached.format(mailbox="") in text


@pytest.mark.parametrize(("body", "is_dark"), [("plain", True), ("<p>HTML</p>", False)])
def test_the_admins_html_keeps_its_colours(mail, body: str, is_dark: bool) -> None:
    assert ("prefers-color-scheme" in text_of(mail(ini=own(body=body)), "html")) == is_dark


def test_a_mobile_number_that_was_called_is_grouped(mail) -> None:
    assert f"{ENGLISH.whom}: 8 916 123-45-67" in text_of(mail(extensions=("89161234567",)))
