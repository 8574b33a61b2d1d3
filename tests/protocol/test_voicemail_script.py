"""The whole voicemail script, a real process that talks to a far end, up to the mail."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import calls
import pytest
from far_end import ENVIRONMENT, RANG_OUT, VOICEMAIL, FarEnd, environment_text
from golden import Golden
from mailboxes import CHANNEL, message, sound
from relay import Catcher

THREE = f"{calls.INI}[voicemail]\nemail = voicemail@example.com\n"


@pytest.fixture
def asterisk(tmp_path: Path) -> Path:
    """Return Asterisk's spool directory."""
    (tmp_path / "asterisk").mkdir()
    return tmp_path / "asterisk"


@pytest.fixture
def run(asterisk: Path, tmp_path: Path) -> Callable[..., FarEnd]:
    """Run the script after a message was left at a path; returns the far end."""

    def run(named: str, *arguments: str, hook: Callable[[str], None] | None = None, spool: str = "spool") -> FarEnd:
        variables = {**RANG_OUT, "VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": named, "CHANNEL(name)": CHANNEL}
        far_end = FarEnd(variables, environment_text({**ENVIRONMENT, "agi_channel": CHANNEL}))
        usual = far_end.answer

        def answer(command: str) -> bytes | None:
            if hook:
                hook(command)
            return usual(command)

        far_end.answer = answer
        environment = {"AST_SPOOL_DIR": str(asterisk), "PBXNOTIFY_SPOOL": str(tmp_path / spool)}
        assert far_end.run(arguments or ("101",), VOICEMAIL, environment) == 0
        return far_end

    return run


def attached(catcher: Catcher, count: int) -> list[bytes]:
    """Return what is attached to so many mails."""
    return [part.get_content() for mail in catcher.wait(count) for part in mail.message.iter_attachments()]


def until_logged(logged: Callable[[], str], word: str) -> None:
    """Wait for the process that delivers."""
    deadline = time.monotonic() + 10
    while word not in logged():
        assert time.monotonic() < deadline, logged()
        time.sleep(0.02)


def test_it_is_durable_before_the_call_is_let_go(run, asterisk: Path, tmp_path: Path) -> None:
    path = message(asterisk)
    kept: list[dict[str, Any]] = []

    def when_let_go(command: str) -> None:
        if command.startswith("SET VARIABLE"):
            kept.extend(json.loads(item.read_text())["event"] for item in (tmp_path / "spool" / "queue").glob("*.json"))
            (recording,) = (tmp_path / "spool" / "queue").glob("*.wav")
            assert recording.samefile(f"{path}.wav")

    far_end = run(path, hook=when_let_go)
    assert far_end.status == "QUEUED"
    assert [(event["event"], event["duration"], event["mailbox"]) for event in kept] == [("voicemail", 3, "101")]


def test_the_mailbox_is_emptied_once_the_call_is_let_go(run, use, asterisk: Path, catcher: Catcher) -> None:
    use(catcher.port)
    path = message(asterisk)
    content = Path(f"{path}.wav").read_bytes()

    def empty(command: str) -> None:
        if command.startswith("SET VARIABLE"):
            shutil.rmtree(asterisk / "voicemail")

    run(path, "101&102", hook=empty)
    assert attached(catcher, 2) == [content, content]


def test_a_recording_that_vanishes_before_it_is_opened(
    run, use, asterisk: Path, catcher: Catcher, logged, golden: Golden
) -> None:
    use(catcher.port)
    path = message(asterisk)
    run(path, hook=lambda command: Path(f"{path}.wav").unlink(missing_ok=True))
    assert attached(catcher, 1) == []
    golden(re.findall(r' queued .* reason="(.*)"', logged()))


def test_no_message_was_left(run, golden: Golden) -> None:
    far_end = run("")
    assert (far_end.status, len(far_end.verbose)) == ("SKIPPED", 1)
    golden(far_end.verbose[0])


def test_a_spool_that_takes_nothing(run, use, asterisk: Path, catcher: Catcher, tmp_path: Path) -> None:
    use(catcher.port)
    path = message(asterisk)
    (tmp_path / "no-spool").touch()
    assert run(path, spool="no-spool").status == "FAILED"
    assert attached(catcher, 1) == [Path(f"{path}.wav").read_bytes()]


def test_a_recording_of_500_mb(run, write_ini, asterisk: Path, catcher: Catcher, logged, golden: Golden) -> None:
    write_ini(THREE.format(port=catcher.port, enabled="yes"))
    path = message(asterisk)
    with open(f"{path}.wav", "ab") as file:
        file.truncate(500 << 20)
    run(path, "101")
    for mail in catcher.wait(2):
        body = mail.message.get_body(("plain",))
        assert body is not None
        (note,) = (line for line in body.get_content().splitlines() if "500.0 MB" in line)
        golden(note)
    until_logged(logged, "sent ")
    assert re.search(r' sent .* reason=".*\b524288000\b.*\bmax_attachment = 14 MB"', logged())


class Gauge(threading.Event):
    """Measures the script when the relay has a whole mail of it and is asked for the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.peaks: list[int] = []
        """In KB."""

    def wait(self, timeout: float | None = None) -> bool:
        """Measure, and let the relay answer."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if VOICEMAIL.name.encode() in (process / "cmdline").read_bytes():
                    found = re.search(r"VmHWM:\s*(\d+) kB", (process / "status").read_text())
                    self.peaks += [int(found[1])] if found else []
            except OSError:
                continue
        return True


@pytest.mark.parametrize("audio", ["wav", "mp3"])
def test_the_memory_of_a_message_of_three_minutes(
    run, write_ini, asterisk: Path, catcher: Catcher, report: Callable[[str], None], audio: str
) -> None:
    write_ini(THREE.format(port=catcher.port, enabled="yes") + f"audio = {audio}\n")
    path = message(asterisk, duration=1)
    sound(Path(f"{path}.wav"), 180)
    gauge = Gauge()
    catcher.hold_answers(gauge)
    run(path, "101&102")
    catcher.wait(3, timeout=30)
    peak = max(gauge.peaks) / 1024
    report(f"{peak:.1f} MB at most in the script, 3 minutes of PCM to 3 recipients")
    assert peak < 60
