"""What ``pbxnotify check`` notes of the ini file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify.health.settings_lint import settings_notes
from pbxnotify.settings.load import load_settings

ALL_IS_WELL = """\
[notifications]
admin_email = admin@example.com
[missed_calls]
email = common@example.com
"""


@pytest.fixture
def notes(write_ini: Callable[[str], Path]) -> Callable[[str], list[str]]:
    """Return the notes on an ini file."""
    return lambda ini: list(settings_notes(load_settings(write_ini(ini))))


def test_nothing_to_note(notes) -> None:
    assert notes(ALL_IS_WELL) == []


@pytest.mark.parametrize(
    ("ini", "note"),
    [
        pytest.param("", "nobody will be told", id="nobody"),
        pytest.param("", "admin_email is empty: nobody is told when mail is held up", id="no administrator"),
        pytest.param(
            "[voicemail]\nemail = a@x\n", "[missed_calls] email is empty: nobody is told of a", id="no common"
        ),
        pytest.param(
            "[employees]\n[[101]]\nemail = a@x\n",
            "[voicemail] email is empty: nobody gets a message",
            id="no common box",
        ),
        pytest.param("[smtp]\nhost = ssl://smtp.example.com:587\n", "port 587 mostly begins with STARTTLS", id="587"),
        pytest.param("[smtp]\nhost = tls://smtp.example.com:465\n", "port 465 mostly speaks TLS", id="465"),
        pytest.param("[notifications]\nenabled = no\n", "notifications are switched off", id="switched off"),
        pytest.param(
            "[smtp]\nhost = ssl://mx\nverify_certificate = no\n", "anybody on the way could pose", id="unverified"
        ),
        pytest.param(
            "[smtp]\nhost = ssl://smtp.yandex.ru\nlogin = a@yandex.ru\npassword = x\nsender = pbx@example.com\n",
            "sender is pbx@example.com, login a@yandex.ru: Yandex refuses it (553 5.7.1)",
            id="a sender that Yandex refuses",
        ),
        pytest.param(
            "[smtp]\nhost = smtp.gmail.com\n",
            "Gmail wants an encrypted connection: write host = ssl://smtp.gmail.com",
            id="Gmail in the clear",
        ),
        pytest.param(
            "[voicemail]\nsubject = NOTIFICATION_CALLERID\n",
            "[voicemail] subject: NOTIFICATION_CALLERID is no parameter here",
            id="a parameter of the other kind",
        ),
        pytest.param(
            "[missed_calls]\nbody = '''NOTIFICATION_CALERID'''\n",
            "NOTIFICATION_CALERID is no parameter here (did you mean NOTIFICATION_CALLERID?)",
            id="a mistyped parameter",
        ),
        pytest.param(
            "[missed_calls]\nbody = ' '\n",
            "[missed_calls] body: holds nothing but blanks: the built-in text is used",
            id="an empty text",
        ),
        pytest.param(
            "[voicemail]\nfooter = 'a\x07'\n",
            "[voicemail] footer: holds a control character, which is left out",
            id="a control character",
        ),
        pytest.param(
            f"[missed_calls]\nbody = '{'ы' * 60_000}'\n",
            "[missed_calls] body: is 120 KB long: many mail programs cut a mail at 100 KB",
            id="a long text",
        ),
        pytest.param(
            "[missed_calls]\nbody = '''<p>\n<b>NOTIFICATION_FROM'''\n",
            "[missed_calls] body: <b> in line 2 is not closed",
            id="broken HTML",
        ),
        pytest.param(
            "[voicemail]\nbody = '<p>\\n<b>VM_FROM'\n",
            "[voicemail] body: <b> in line 2 is not closed",
            id="broken HTML as in voicemail.conf",
        ),
        pytest.param(
            "[missed_calls]\nfooter = '<p HISTORY_URL>'\n",
            "[missed_calls] footer: HISTORY_URL in <p> in line 1 is no attribute's value",
            id="a parameter of all texts in a tag",
        ),
        pytest.param(
            "[employees]\n[[101]]\nname = Ivan\nemail = i@x\n[[102]]\nname = IVAN\nemail = I@x\n",
            "[[101]] and [[102]] are the same employee, IVAN",
            id="an employee twice",
        ),
    ],
)
def test_of_the_ini_file(notes, ini: str, note: str) -> None:
    assert any(note in said for said in notes(ini)), notes(ini)


@pytest.mark.parametrize(
    "ini",
    [
        pytest.param(
            "[smtp]\nhost = ssl://smtp.yandex.ru\nlogin = a@yandex.ru\npassword = x\nsender = A@yandex.ru\n",
            id="the sender is the login",
        ),
        pytest.param("[smtp]\nhost = tls://smtp.office365.com\n", id="Microsoft 365 with STARTTLS"),
        pytest.param(
            "[voicemail]\nemail = a@x\n[employees]\n[[103]]\nname = A\nemail = s@x\n[[104]]\nname = B\nemail = s@x\n",
            id="one address for two",
        ),
        pytest.param("[voicemail]\nbody = '''${VM_NAME}: VM_DUR'''\n", id="parameters that are some"),
        pytest.param("[voicemail]\nbody = '''<p>\n\t<b>VM_FROM</b>'''\n", id="HTML without faults"),
        pytest.param("[voicemail]\nbody = '''from <VM_FROM> < \"'''\n", id="brackets in plain text"),
        pytest.param("[voicemail]\nsubject = '<b>VM_FROM'\n", id="a subject is no HTML"),
    ],
)
def test_as_it_should_be(notes, ini: str) -> None:
    assert notes(ALL_IS_WELL + ini) == []
