"""What ``pbxnotify check`` notes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pbxnotify import checkup, settings

ALL_IS_WELL = "[missed_calls]\nemail = common@example.com\n"


@pytest.fixture
def notes(
    write_ini: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Return the notes on an ini file beside a voicemail.conf, on a host without tools and Asterisk."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    monkeypatch.setenv("PATH", "/nowhere")

    def notes(ini: str, voicemail_conf: str = "") -> list[str]:
        (tmp_path / "voicemail.conf").write_text(voicemail_conf)
        return list(checkup.notes(settings.load(write_ini(ini))))

    return notes


def test_nothing_to_note(notes) -> None:  # type: ignore[no-untyped-def]
    assert notes(ALL_IS_WELL) == []


@pytest.mark.parametrize(
    ("ini", "note"),
    [
        pytest.param("", "nobody will be told", id="nobody"),
        pytest.param("[smtp]\nhost = ssl://smtp.example.com:587\n", "port 587 mostly begins with STARTTLS", id="587"),
        pytest.param("[smtp]\nhost = tls://smtp.example.com:465\n", "port 465 mostly speaks TLS", id="465"),
        pytest.param("[notifications]\nenabled = no\n", "notifications are switched off", id="switched off"),
        pytest.param("[voicemail]\naudio = mp3\n", "(wav49, gsm, wav) go as they are: audio = mp3 needs", id="mp3"),
        pytest.param(
            "[voicemail]\nsubject = NOTIFICATION_CALLERID\n",
            "[voicemail] subject: NOTIFICATION_CALLERID is no parameter here",
            id="a parameter of the other kind",
        ),
        pytest.param(
            "[missed_calls]\nbody = '''NOTIFICATION_CALERID'''\n",
            "[missed_calls] body: NOTIFICATION_CALERID is no parameter here",
            id="a mistyped parameter",
        ),
        pytest.param(
            "[voicemail]\nafter_mailing = delete\n",
            "messages are kept in the mailbox, although after_mailing = delete: the command /nowhere/asterisk",
            id="no Asterisk to ask",
        ),
        pytest.param(
            "[voicemail]\nafter_mailing = delete\nattach = no\n",
            "messages are kept in the mailbox, although after_mailing = delete: attach = no",
            id="nothing is attached",
        ),
    ],
)
def test_of_the_ini_file(notes, ini: str, note: str) -> None:  # type: ignore[no-untyped-def]
    assert any(note in said for said in notes(ini)), notes(ini)


@pytest.mark.parametrize(
    ("conf", "note"),
    [
        pytest.param(
            "[general]\nformat = wav49|gsm\n", "recordings (wav49, gsm) go as they are: audio = wav", id="gsm"
        ),
        pytest.param("[default]\n101 => 1234,Ivan,ivan@example.com\n", "an e-mail for mailbox 101", id="e-mail"),
        pytest.param("[default]\n101 => 1234,Ivan,,,delete=yes\n", "delete = yes", id="delete"),
    ],
)
def test_of_voicemail_conf(notes, conf: str, note: str) -> None:  # type: ignore[no-untyped-def]
    (said,) = notes(ALL_IS_WELL, conf)
    assert note in said


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param("[general]\nformat = gsm|wav\n", id="plain WAV among them"),
        pytest.param("; 101 => 1234,Ivan,ivan@example.com,,delete=yes\n", id="a comment"),
        pytest.param("[default]\n101 => 1234,Ivan\n", id="no e-mail"),
    ],
)
def test_a_voicemail_conf_as_it_should_be(notes, conf: str) -> None:  # type: ignore[no-untyped-def]
    assert notes(ALL_IS_WELL, conf) == []


def test_as_is_needs_no_tool(notes) -> None:  # type: ignore[no-untyped-def]
    assert notes(f"{ALL_IS_WELL}[voicemail]\naudio = as-is\n", "[general]\nformat = gsm\n") == []


def test_the_voicemail_address_is_somebody(notes) -> None:  # type: ignore[no-untyped-def]
    assert notes("[voicemail]\nemail = voicemail@example.com\n") == []
