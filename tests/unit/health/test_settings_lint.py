"""Notes of ``pbxnotify check`` on the ini file."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden

from pbxnotify.health.settings_lint import settings_notes
from pbxnotify.settings.load import load_settings

NOTHING_TO_NOTE = """\
[notifications]
admin_email = admin@example.com
[missed_calls]
email = common@example.com
"""


@pytest.fixture
def notes(write_ini: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return the notes on an ini file, on a host with a complete name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "pbx.example.com")
    return lambda ini: list(settings_notes(load_settings(write_ini(ini))))


def test_nothing_to_note(notes) -> None:
    assert notes(NOTHING_TO_NOTE) == []


@pytest.mark.parametrize(
    ("ini", "place"),
    [
        pytest.param("", "[missed_calls] email, [voicemail] email, or [employees]", id="nobody"),
        pytest.param("", "[notifications] admin_email ", id="no administrator"),
        pytest.param("[voicemail]\nemail = a@x\n", "[missed_calls] email ", id="no common"),
        pytest.param("[employees]\n[[101]]\nemail = a@x\n", "[voicemail] email ", id="no common box"),
        pytest.param("[smtp]\nhost = ssl://smtp.example.com:587\n", "port 587 ", id="587"),
        pytest.param("[smtp]\nhost = tls://smtp.example.com:465\n", "port 465 ", id="465"),
        pytest.param("[notifications]\nenabled = no\n", "[notifications] enabled", id="switched off"),
        pytest.param("[smtp]\nhost = ssl://mx\nverify_certificate = no\n", "verify_certificate", id="unverified"),
        pytest.param(
            "[smtp]\nhost = ssl://smtp.yandex.ru\nlogin = a@yandex.ru\npassword = x\nsender = pbx@example.com\n",
            "sender is pbx@example.com",
            id="a sender that Yandex refuses",
        ),
        pytest.param("", "sender is empty", id="a sender without a domain"),
        pytest.param("[smtp]\nlogin = office\npassword = x\n", "sender is empty", id="a login that is no address"),
        pytest.param(
            "[smtp]\nhost = ssl://smtр.yandex.ru\n", "Cyrillic small letter er ", id="a Cyrillic letter in a host"
        ),
        pytest.param(
            "[employees]\n[[101]]\nemail = ivan@exаmple.com\n",
            "Cyrillic small letter a ",
            id="a Cyrillic letter in a domain",
        ),
        pytest.param(
            "[missed_calls]\nemail = оffice@example.com\n", "Cyrillic small letter o ", id="a Cyrillic letter in a name"
        ),
        pytest.param("[smtp]\nlogin = a\npassword = “secret”\n", "(U+201C ", id="typographic quotes"),
        pytest.param('[smtp]\nlogin = a\npassword = "s\u00a0t"\n', "(U+00A0 ", id="a no-break space"),
        pytest.param('[smtp]\nlogin = "a\u200b"\npassword = x\n', "login contains ", id="a blank without width"),
        pytest.param('[smtp]\nlogin = a\npassword = "secret "\n', "password begins or ends ", id="a blank at the end"),
        pytest.param("[smtp]\nhost = smtp.gmail.com\n", "host = ssl://smtp.gmail.com", id="Gmail unencrypted"),
        pytest.param(
            "[voicemail]\nsubject = NOTIFICATION_CALLERID\n",
            "[voicemail] subject: NOTIFICATION_CALLERID ",
            id="a variable of the other kind",
        ),
        pytest.param(
            "[missed_calls]\nbody = '''NOTIFICATION_CALERID'''\n",
            "(did you mean NOTIFICATION_CALLERID?)",
            id="a mistyped variable",
        ),
        pytest.param("[missed_calls]\nbody = ' '\n", "[missed_calls] body: ", id="an empty text"),
        pytest.param("[voicemail]\nfooter = 'a\x07'\n", "[voicemail] footer: ", id="a control character"),
        pytest.param(f"[missed_calls]\nbody = '{'ы' * 60_000}'\n", "[missed_calls] body: ", id="a long text"),
        pytest.param(
            "[missed_calls]\nbody = '''<p>\n<b>NOTIFICATION_FROM'''\n",
            "[missed_calls] body: <b> in line 2 ",
            id="broken HTML",
        ),
        pytest.param(
            "[voicemail]\nbody = '<p>\\n<b>VM_FROM'\n",
            "[voicemail] body: <b> in line 2 ",
            id="broken HTML as in voicemail.conf",
        ),
        pytest.param(
            "[missed_calls]\nfooter = '<p HISTORY_URL>'\n",
            "[missed_calls] footer: HISTORY_URL in <p> in line 1 ",
            id="a variable of all texts in a tag",
        ),
        pytest.param(
            "[voicemail]\nbody = '''Hello\nVM_NAME: VM_NAME'''\n",
            "[voicemail] body: VM_NAME in line 2 ",
            id="a label that is a variable",
        ),
        pytest.param(
            "[voicemail]\nbody = '''<p>\n<b>VM_DUR</b> ${VM_DUR}</p>'''\n",
            "[voicemail] body: VM_DUR in line 2 ",
            id="a label in HTML",
        ),
        pytest.param(
            "[employees]\n[[101]]\nname = Ivan\nemail = i@x\n[[102]]\nname = IVAN\nemail = I@x\n",
            "[[101]] and [[102]] ",
            id="an employee twice",
        ),
        pytest.param("[employees]\n[[Ivan]]\nemail = i@x\n", "[[Ivan]] ", id="an employee named, not numbered"),
    ],
)
def test_notes(notes, golden: Golden, monkeypatch: pytest.MonkeyPatch, ini: str, place: str) -> None:
    if place.startswith("sender is empty"):
        monkeypatch.setattr(socket, "gethostname", lambda: "pbx")
    (said,) = (note for note in notes(ini) if place in note)
    golden(said)


def test_a_mailbox_in_several_contexts(notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    (tmp_path / "voicemail.conf").write_text("[a]\n101 => 1\n102 => 1\n103 => 1\n[b]\n101 => 1\n103 => 1\n")
    cards = "".join(f"[[{card}]]\nemail = i@x\n" for card in ("101", "102", "103@a", "103@b"))
    (said,) = (note for note in notes(f"[employees]\n{cards}") if "voicemail.conf" in note)
    golden(said)


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
        pytest.param(
            '[smtp]\nlogin = a@gmail.com\npassword = "abcd\u00a0efgh\u00a0ijkl\u00a0mnop"\n', id="an app password"
        ),
        pytest.param('[smtp]\nlogin = "Пост 1"\npassword = "пароль с пробелами"\n', id="a Russian password"),
        pytest.param("[employees]\n[[101]]\nemail = иван.petrov@почта.рф, müller@müller.de\n", id="two alphabets"),
        pytest.param("[voicemail]\nbody = '''${VM_NAME}: VM_DUR'''\n", id="variables"),
        pytest.param("[voicemail]\nbody = '''VM_DUR~~${VM_DUR} VM_NAME'''\n", id="a label before its variable"),
        pytest.param("[voicemail]\nbody = '''VM_NAME\nwrote, VM_NAME did'''\n", id="a variable twice"),
        pytest.param("[voicemail]\nbody = '''<p>\n\t<b>VM_FROM</b>'''\n", id="HTML without mistakes"),
        pytest.param("[voicemail]\nbody = '''from <VM_FROM> < \"'''\n", id="brackets in plain text"),
        pytest.param("[voicemail]\nsubject = '<b>VM_FROM'\n", id="a subject is not HTML"),
    ],
)
def test_nothing_to_note_either(notes, ini: str) -> None:
    assert notes(NOTHING_TO_NOTE + ini) == []
