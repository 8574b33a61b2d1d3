"""A message is removed from its mailbox. tests/calls has a real Asterisk; here it misbehaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from golden import Golden
from mailboxes import message

from pbxnotify.asterisk import expunge
from pbxnotify.asterisk.expunge import _locked, expunge_message, expunge_method
from pbxnotify.errors import ExpungeError
from pbxnotify.events import Voicemail

OLD = """\
case "$2" in
"dialplan show lamp@pbxnotify") echo "  'lamp' =>  1. Answer()" ;;
"channel originate"*) echo "$2" >> "$LOG" ;;
*) echo "No such command '$2'" ;;
esac
"""
"""An Asterisk without the command (as 16), the dialplan included."""
NO_DIALPLAN = 'echo "No such command or there is no such context"'
REFUSES = """\
case "$2" in
"core show help voicemail remove") echo "Usage: voicemail remove <mailbox> ..." ;;
*) echo "Error removing message from mailbox" ;;
esac
"""
MESSAGE_ID = "1795478867-00000001"


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a script Asterisk's command line; returns the file that gets what is originated."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path))
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))

    def asterisk(script: str) -> Path:
        command = tmp_path / "asterisk"
        command.write_text(f"#!/bin/sh\nLOG={tmp_path}/originated\n{script}")
        command.chmod(0o755)
        monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))
        return tmp_path / "originated"

    return asterisk


def event(path: str, **fields: Any) -> Voicemail:
    """Return the event of a message."""
    found = Voicemail(message_id=MESSAGE_ID, mailbox="101", context="default", folder=os.path.dirname(path))
    return found._replace(**fields)


def files(path: str) -> list[str]:
    """Return the names of the files in a message's folder."""
    return sorted(os.listdir(os.path.dirname(path)))


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return the path of the second of three messages."""
    for number, message_id in enumerate(["1795478866-00000000", MESSAGE_ID, "1795478868-00000002"]):
        message(tmp_path, "wav", "gsm", number=number, message_id=message_id)
    return str(tmp_path / "voicemail" / "default" / "101" / "INBOX" / "msg0001")


def test_under_the_lock(asterisk, path: str, golden: Golden) -> None:
    originated = asterisk(OLD)
    golden(expunge_message(event(path)))
    assert files(path) == [f"msg{number}.{kind}" for number in ("0000", "0002") for kind in ("gsm", "txt", "wav")]
    assert "Local/lamp@pbxnotify extension lamp=101=default@pbxnotify" in originated.read_text()


def test_wherever_it_is_now(asterisk, path: str, golden: Golden) -> None:
    asterisk(OLD)
    old = Path(path).parent.with_name("Old")
    old.mkdir()
    for kind in ("gsm", "txt", "wav"):
        Path(f"{path}.{kind}").rename(old / f"msg0007.{kind}")
    golden(expunge_message(event(path)))
    assert list(old.iterdir()) == []
    assert len(files(path)) == 6


def test_one_that_is_gone_already(asterisk, path: str, golden: Golden) -> None:
    asterisk(OLD)
    golden(expunge_message(event(path, message_id="1795478869-00000003")))
    assert len(files(path)) == 9


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(NO_DIALPLAN, id="old, dialplan not included"),
        pytest.param(REFUSES, id="its command refuses"),
        pytest.param("exit 1", id="not running"),
    ],
)
def test_where_it_is_not_safe_it_is_kept(asterisk, path: str, script: str, golden: Golden) -> None:
    asterisk(script)
    golden(expunge_message(event(path)))
    assert len(files(path)) == 9


def test_another_lock_mode(asterisk, path: str, tmp_path: Path, golden: Golden) -> None:
    asterisk(OLD)
    (tmp_path / "asterisk.conf").write_text("[options]\nlockmode = flock\n")
    golden(expunge_message(event(path)))
    assert len(files(path)) == 9
    with pytest.raises(ExpungeError) as caught:
        expunge_method()
    golden(caught.value, "method")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"message_id": ""}, id="no msg_id"),
        pytest.param({"mailbox": "101 default INBOX"}, id="blanks"),
        pytest.param({"context": "default;core stop now"}, id="more than a word"),
        pytest.param({"message_id": 'x" y'}, id="quotes"),
    ],
)
def test_one_that_cannot_be_identified_is_kept(asterisk, path: str, fields: dict[str, str], golden: Golden) -> None:
    asterisk(OLD)
    golden(expunge_message(event(path, **fields)))
    assert len(files(path)) == 9


def test_a_locked_mailbox_is_left_alone(asterisk, path: str, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    asterisk(OLD)
    monkeypatch.setattr(expunge, "LOCK_TIMEOUT", 0.05)
    (Path(path).parent / ".lock").touch()
    golden(expunge_message(event(path)))
    assert len(files(path)) == 10


def test_the_lock_is_undone_whatever_happens(path: str) -> None:
    folder = os.path.dirname(path)
    with pytest.raises(KeyboardInterrupt), _locked(folder):
        assert (Path(folder) / ".lock").exists()
        raise KeyboardInterrupt
    assert len(files(path)) == 9


def test_a_mailbox_that_may_not_be_read(asterisk, path: str, golden: Golden) -> None:
    asterisk(OLD)
    box = Path(path).parent.parent
    script = (
        "from pbxnotify.asterisk import expunge; from pbxnotify.events import Voicemail;"
        f"message = Voicemail(message_id={MESSAGE_ID!r}, mailbox='101', context='default', folder='{box}/INBOX');"
        "print(expunge.expunge_message(message))"
    )
    command = [sys.executable, "-c", script]
    if os.geteuid() == 0:  # who may read everything, unless that is taken away
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    box.chmod(0)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    finally:
        box.chmod(0o755)
    golden(done.stdout)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda sign: sign.name)
def test_a_signal_under_the_lock_leaves_no_lock(path: str, sign: signal.Signals) -> None:
    folder = Path(path).parent
    child = os.fork()
    if child == 0:
        signal.signal(sign, signal.SIG_DFL)
        with _locked(str(folder)):
            (folder / "held").touch()
            while (folder / "held").exists():
                time.sleep(0.01)
        os._exit(0)
    while not (folder / "held").exists():
        time.sleep(0.01)
    os.kill(child, sign)
    (folder / "held").unlink()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == sign, "the signal ends it, a moment later"
    assert list(folder.glob(".lock*")) == []
