"""What they read: the bytes of a mail, parsed by Python's own strict parser."""

from __future__ import annotations

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.errors import MessageDefect
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pbxnotify import settings
from pbxnotify.events import Alert, Event, MissedCall, clean
from pbxnotify.message import compose
from pbxnotify.recipients import Recipient

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
CALL = MissedCall(1795478867.0, 23, ("101",), "+74951234567", "Алиса Смирнова", False, "NOANSWER", "1795478867.0")


@pytest.fixture
def mail(write_ini: Callable[[str], Path]) -> Callable[..., EmailMessage]:
    """Compose a mail about a call to 101 and parse it."""

    def mail(event: Event = CALL, ini: str = INI, language: str = "en", extensions: tuple[str, ...] = ("101",)):  # type: ignore[no-untyped-def]
        recipient = Recipient("ivan@example.com", language, extensions)
        content = compose(event, "20261124-000000-aa", recipient, settings.load(write_ini(ini)))
        assert re.search(rb"(?<!\r)\n|\r(?!\n)", content) is None
        assert max(map(len, content.split(b"\r\n"))) <= 998  # RFC 5322 section 2.1.1
        assert content.isascii()
        return message_from_bytes(content, policy=policy.strict)

    return mail


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    """Return one of the bodies."""
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_headers_of_an_automatic_mail(mail) -> None:  # type: ignore[no-untyped-def]
    message = mail()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["From"].addresses[0].addr_spec == "pbx@example.com"
    assert message["To"].addresses[0].addr_spec == "ivan@example.com"
    assert re.fullmatch(r"<20261124-000000-aa\.[0-9a-f]{8}@example\.com>", message["Message-ID"])
    assert message["Date"].datetime.utcoffset().total_seconds() == 3 * 3600


def test_a_second_copy_carries_the_same_message_id(mail) -> None:  # type: ignore[no-untyped-def]
    assert mail()["Message-ID"] == mail()["Message-ID"]


def test_the_admins_templates(mail) -> None:  # type: ignore[no-untyped-def]
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
    ("language", "subject", "line"),
    [
        pytest.param("en", "Missed call: Алиса Смирнова, +74951234567", "To: Иван Петров (101)", id="English"),
        pytest.param("ru", "Пропущенный вызов: Алиса Смирнова, +74951234567", "Кому: Иван Петров (101)", id="Russian"),
    ],
)
def test_default_texts(mail, language: str, subject: str, line: str) -> None:  # type: ignore[no-untyped-def]
    message = mail(language=language)
    assert message["Subject"] == subject
    assert line in text_of(message).splitlines()
    assert line in re.sub("<[^>]*>", "", text_of(message, "html")).splitlines()


@pytest.mark.parametrize(
    ("call", "subject"),
    [
        pytest.param(CALL._replace(caller_name=""), "Missed call: +74951234567", id="no name"),
        pytest.param(CALL._replace(caller_name="", caller_number="102"), "Missed call: Anna, 102", id="a colleague"),
        pytest.param(CALL._replace(caller_number=""), "Missed call: Алиса Смирнова, number unknown", id="no number"),
        pytest.param(CALL._replace(caller_name="", caller_number=""), "Missed call: number unknown", id="nothing"),
        pytest.param(CALL._replace(private=True), "Missed call: number withheld", id="withheld"),
    ],
)
def test_callers(mail, call: MissedCall, subject: str) -> None:  # type: ignore[no-untyped-def]
    message = mail(call)
    assert message["Subject"] == subject


def test_a_withheld_number_is_nowhere(mail) -> None:  # type: ignore[no-untyped-def]
    message = mail(CALL._replace(private=True))
    assert "4951234567" not in message.as_string() + text_of(message) + text_of(message, "html")


def test_a_withheld_number_is_shown_if_the_admin_says_so(mail) -> None:  # type: ignore[no-untyped-def]
    ini = INI.replace("[notifications]", "[notifications]\nshow_private_numbers = yes")
    assert mail(CALL._replace(private=True), ini)["Subject"].endswith("+74951234567")


HOSTILE = [
    pytest.param("=?utf-8?q?a=0D=0ABcc:evil=40example.com?=", id="encoded word"),
    pytest.param("Bcc: evil@example.com", id="header"),
    pytest.param("a, <evil@example.com>;", id="address"),
    pytest.param("<script>alert(1)</script>", id="HTML"),
    pytest.param("NOTIFICATION_TO ${NOTIFICATION_DATE}", id="parameters"),
    pytest.param('"quoted\\" \u200b\u202e', id="quotes and invisible characters"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_caller_text_is_nothing_but_text(mail, name: str) -> None:  # type: ignore[no-untyped-def]
    message = mail(CALL._replace(caller_name=clean(name)))
    assert set(message.keys()) == set(mail().keys())
    assert message["Bcc"] is None
    assert message["Subject"] == f"Missed call: {clean(name)}, +74951234567"
    assert clean(name) in text_of(message)
    assert "<script>" not in text_of(message, "html")


@given(
    name=st.text(st.characters(codec="utf-8"), max_size=120).map(clean),
    number=st.text(st.sampled_from("0123456789+ абв=?<>,")).map(clean),
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_caller_arrives_intact(mail, name: str, number: str) -> None:  # type: ignore[no-untyped-def]
    ini = f"{INI}[missed_calls]\nsubject = 'NOTIFICATION_FROM'\nbody = 'NOTIFICATION_FROM'\n"
    message = mail(CALL._replace(caller_name=name, caller_number=number), ini)
    known, shown = (name if name != number else ""), number or "number unknown"
    caller = f"{known}, {shown}" if known else shown
    assert str(message["Subject"]) == clean(caller, 200)
    assert text_of(message).splitlines()[0] == caller


def test_an_html_body(mail) -> None:  # type: ignore[no-untyped-def]
    ini = f"{INI}[missed_calls]\nbody = '<p>from <b>NOTIFICATION_NAME_FROM</b></p>'\n"
    message = mail(CALL._replace(caller_name="A & <B>"), ini)
    assert "<p>from <b>A &amp; &lt;B&gt;</b></p>" in text_of(message, "html")
    assert text_of(message).startswith("from A & <B>")


def test_a_whole_html_page_gets_the_footer(mail) -> None:  # type: ignore[no-untyped-def]
    ini = f"{INI}[missed_calls]\nbody = '<html><body>call</body></html>'\nfooter = PBX_NAME\n"
    assert text_of(mail(ini=ini), "html").strip() == "<html><body>calloffice</body></html>"


def test_an_alert(mail) -> None:  # type: ignore[no-untyped-def]
    message = mail(Alert(1795478867.0, "диск", "свободно 1 %", "disk"))
    assert message["Subject"] == "office: диск"
    assert text_of(message).startswith("свободно 1 %")


def test_no_defects(mail) -> None:  # type: ignore[no-untyped-def]
    defects: list[MessageDefect] = [defect for part in mail().walk() for defect in part.defects]
    assert defects == []
