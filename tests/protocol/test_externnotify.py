"""voicemail.conf's ``externnotify``: the messages of one mailbox of which nobody has been notified."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mailboxes import CHANNEL, message
from relay import Catcher

Run = Callable[..., tuple[int, str, str]]

INI = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = pbx@example.com
[voicemail]
email = voicemail@example.com
[employees]
[[101]]
email = ivan@example.com
[[102]]
email = anna@example.com
"""
ASTERISK = """\
#!/bin/sh
echo "$2" >> {directory}/asked
{answer}
"""


@pytest.fixture
def spool_of_asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Asterisk's spool directory; nothing runs."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path / "asterisk"))
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    (tmp_path / "asterisk").mkdir()
    return tmp_path / "asterisk"


@pytest.fixture
def office(catcher: Catcher, write_ini: Callable[[str], Path]) -> Catcher:
    """Return the relay of an office of two employees."""
    write_ini(INI.format(port=catcher.port))
    return catcher


def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let an Asterisk run that answers so, in shell."""
    command = tmp_path / "asterisk-command"
    command.write_text(ASTERISK.format(directory=tmp_path, answer=answer))
    command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))


def recipients(catcher: Catcher) -> list[str]:
    return sorted(mail.recipients[0] for mail in catcher.mails)


def test_a_message_is_mailed_once(run: Run, office: Catcher, spool_of_asterisk: Path) -> None:
    path = message(spool_of_asterisk)
    first, second = run("externnotify", "default", "101", "1", "0", "0"), run("externnotify", "default", "101")
    assert (first[0], second[0]) == (os.EX_OK, os.EX_OK)
    assert recipients(office) == ["ivan@example.com", "voicemail@example.com"]
    (part,) = office.mails[0].message.iter_attachments()
    assert part.get_content() == Path(f"{path}.wav").read_bytes()
    assert "Alice Smith" in str(office.mails[0].message["Subject"])


def test_a_forwarded_message_is_for_its_new_owner_alone(run: Run, office: Catcher, spool_of_asterisk: Path) -> None:
    path = Path(message(spool_of_asterisk))
    run("externnotify", "default", "101", "1", "0", "0")
    office.clear()
    copy = spool_of_asterisk / "voicemail" / "default" / "102" / "INBOX"
    copy.mkdir(parents=True)
    for file in path.parent.iterdir():
        shutil.copy(file, copy)
    assert run("externnotify", "default", "102", "1", "0", "0")[0] == os.EX_OK
    assert recipients(office) == ["anna@example.com"]


def test_what_lay_there_before_is_not_mailed(run: Run, office: Catcher, spool_of_asterisk: Path) -> None:
    file = f"{message(spool_of_asterisk)}.txt"
    os.utime(file, (time.time() - 3600,) * 2)
    assert run("externnotify", "default", "101") == (os.EX_OK, "", "")
    assert office.mails == []


@pytest.mark.parametrize(
    ("answer", "is_mailed"),
    [
        pytest.param(
            "echo 'Variables:'; echo 'VM_MESSAGEFILE=/1'; echo 'PBXNOTIFY_WATCHED=|101'",
            False,
            id="a watch will mail it",
        ),
        pytest.param(
            "echo 'Variables:'; echo 'VM_MESSAGEFILE='; echo 'PBXNOTIFY_WATCHED=|102'",
            True,
            id="another watch followed",
        ),
        pytest.param("echo 'Variables:'; echo 'PBXNOTIFY_WATCHED='", True, id="its handler has run"),
        pytest.param("echo '... is not a known channel'", True, id="the call is over"),
        pytest.param("exit 1", True, id="Asterisk does not answer"),
    ],
)
def test_a_call_that_is_still_there(
    run: Run,
    office: Catcher,
    spool_of_asterisk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    is_mailed: bool,
) -> None:
    running(tmp_path, monkeypatch, answer)
    message(spool_of_asterisk)
    assert run("externnotify", "default", "101")[0] == os.EX_OK
    assert bool(office.mails) == is_mailed
    assert (tmp_path / "asked").read_text() == f"core show channel {CHANNEL}\n"


def test_a_channel_that_cannot_be_is_not_asked_about(
    run: Run, office: Catcher, spool_of_asterisk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(tmp_path, monkeypatch, "true")
    message(spool_of_asterisk, channel="x; core stop now")
    assert run("externnotify", "default", "101")[0] == os.EX_OK
    assert len(office.mails) == 2
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    "arguments",
    [("..", "101"), ("default", ".."), ("default", "../101"), ("a/b", "101"), ("default", "x\ny"), ("", "101")],
    ids=repr,
)
def test_what_is_not_a_mailbox(run: Run, office: Catcher, spool_of_asterisk: Path, arguments: tuple[str, str]) -> None:
    assert run("externnotify", *arguments)[0] == os.EX_USAGE
    assert office.mails == []


def test_a_mailbox_that_is_not_there(run: Run, office: Catcher, spool_of_asterisk: Path) -> None:
    assert run("externnotify", "default", "999")[0] == os.EX_OK
