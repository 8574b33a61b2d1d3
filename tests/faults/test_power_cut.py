"""A power cut: the order of write, fsync, rename and fsync of the directory, as the kernel saw it (strace)."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import calls
import pytest
from far_end import MISSED, RANG_OUT, VOICEMAIL, FarEnd
from mailboxes import CHANNEL, message, require
from relay import ScriptedRelay

CALLS = (
    "openat,write,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,sendfile,sendto"
)
PROMISE = "tell Asterisk QUEUED"
FINAL_DOT = "send the final dot"
ADD = ["write tmp/ID.PID", "fsync tmp/ID.PID", "rename tmp/ID.PID queue/ID.json", "fsync queue"]
CHANGE = ADD
LINK = ["link queue/ID.wav", "fsync RECORDING"]

Trace = Callable[..., list[str]]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Return a directory on another filesystem than the temporary one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def trace(tmp_path: Path, write_ini: Callable[[str], Path]) -> Trace:
    """Run a script under strace; returns what it and the process that it released did to the spool."""

    def trace(relay: ScriptedRelay, script: Path, spool: Path, recording: bool = False) -> list[str]:
        write_ini(calls.ONE_EMPLOYEE.format(port=relay.port))
        shutil.rmtree(tmp_path / "trace", ignore_errors=True)
        (tmp_path / "trace").mkdir()
        under = [require("strace"), "-ff", "-y", "-s", "200", "-e", f"trace={CALLS}", "-o", f"{tmp_path}/trace/of"]
        variables = dict(RANG_OUT)
        if recording:
            left = message(tmp_path / "asterisk", duration=1)
            variables.update({"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": left, "CHANNEL(name)": CHANNEL})
        environment = {"PBXNOTIFY_SPOOL": str(spool), "AST_SPOOL_DIR": str(tmp_path / "asterisk")}
        FarEnd(variables).run(["101"], script, environment, under)
        by_process = [list(_steps(path.read_text(), spool)) for path in (tmp_path / "trace").iterdir()]
        return [step for steps in sorted(by_process, key=lambda steps: PROMISE not in steps) for step in steps]

    return trace


def _steps(text: str, spool: Path) -> Iterator[str]:
    """Yield what a process did to the spool, each write once, and what it said to Asterisk and to the relay."""
    last = ""
    for line in text.splitlines():
        whole = line
        if re.match(r"\w+at2?\(", line):  # a name below an open directory
            whole = re.sub(r'\d+<([^>]*)>, "([^/"][^"]*)"', r'"\1/\2"', line)
        named = re.sub(r"/\S*/msg0000\.wav", "RECORDING", whole)
        step = _step(named.replace(f"{spool}/", "").replace(str(spool), "SPOOL").replace(str(spool.parent), "PARENT"))
        if step and step != last:
            yield step
            last = step


def _step(line: str) -> str:
    """Return one step, its names the same in every run; nothing if it does not matter or did not succeed."""
    if re.search(r"= -1 E", line):
        return ""
    if 'SET VARIABLE \\"PBXNOTIFYSTATUS\\" \\"QUEUED' in line:
        return PROMISE
    if re.match(r'sendto\(.*, "\.\\r\\n", 3', line):
        return FINAL_DOT
    line = re.sub(r"\d{8}-\d{6}-[0-9a-f]{8}", "ID", re.sub(r"(tmp/[^\"]*)\.\d+", r"\1.PID", line))
    inside = r"((?:tmp|queue|failed|done|state)\b[^\">]*|SPOOL|PARENT|RECORDING)"
    for pattern, step in (
        (rf"write\(\d+<{inside}>", "write {}"),
        (rf"sendfile\(\d+<{inside}>", "copy to {}"),
        (rf"f(?:data)?sync\(\d+<{inside}>", "fsync {}"),
        (rf'rename\w*\(.*?"{inside}".*?"{inside}"', "rename {} {}"),
        (rf'link(?:at)?\(.*"{inside}"', "link {}"),
        (rf'unlink(?:at)?\(.*?"{inside}"', "unlink {}"),
        (rf'mkdir(?:at)?\("{inside}', "mkdir {}"),
    ):
        match = re.match(pattern, line)
        if match and not match[1].startswith(("done", "state/relay", "tmp/relay")):
            return step.format(*match.groups())
    return ""


def _are_there(wanted: list[str], steps: list[str]) -> bool:
    """Return whether these steps follow each other directly."""
    return any(steps[start : start + len(wanted)] == wanted for start in range(len(steps)))


def test_a_missed_call_is_durable_before_asterisk_is_told(trace: Trace, box: Path) -> None:
    with ScriptedRelay() as relay:
        steps = trace(relay, MISSED, box / "spool")
    assert _are_there([*ADD, PROMISE], steps)


def test_a_recording_is_durable_with_its_item(trace: Trace, box: Path) -> None:
    with ScriptedRelay() as relay:
        steps = trace(relay, VOICEMAIL, box / "spool", recording=True)
    assert _are_there([*LINK, *ADD, PROMISE], steps)


def test_a_recording_on_another_filesystem_is_copied_and_durable(trace: Trace, elsewhere: Path) -> None:
    assert os.stat(elsewhere).st_dev != os.stat(tempfile.gettempdir()).st_dev
    with ScriptedRelay() as relay:
        steps = trace(relay, VOICEMAIL, elsewhere / "spool", recording=True)
    assert _are_there(["copy to queue/ID.wav", "fsync queue/ID.wav", *ADD, PROMISE], steps)


def test_the_folders_of_a_fresh_spool_are_durable_before_what_is_in_them(trace: Trace, box: Path) -> None:
    with ScriptedRelay() as relay:
        steps = trace(relay, MISSED, box / "spool")
    made = [step for step in steps[: steps.index(ADD[0])] if not step.startswith("mkdir PARENT")]
    assert made[-2:] == ["fsync SPOOL", "fsync PARENT"]
    assert {step for step in made if step.startswith("mkdir")} >= {"mkdir tmp", "mkdir queue"}


def test_what_is_known_of_a_recipient_is_durable_before_the_final_dot_and_after_the_answer(
    trace: Trace, box: Path
) -> None:
    with ScriptedRelay() as relay:
        steps = trace(relay, VOICEMAIL, box / "spool", recording=True)
    assert _are_there([*CHANGE, FINAL_DOT, *CHANGE], steps)


def test_what_was_sent_goes_for_good_before_its_recording_goes(trace: Trace, box: Path) -> None:
    with ScriptedRelay() as relay:
        steps = trace(relay, VOICEMAIL, box / "spool", recording=True)
    assert _are_there(["unlink queue/ID.json", "fsync queue", "unlink queue/ID.wav"], steps)


def test_what_failed_is_in_failed_before_it_leaves_the_queue(trace: Trace, box: Path) -> None:
    moved = ["link failed/ID.wav", "fsync queue/ID.wav", "rename queue/ID.json failed/ID.json", "fsync failed"]
    with ScriptedRelay(message="550 5.1.1 no such user") as relay:
        steps = trace(relay, VOICEMAIL, box / "spool", recording=True)
    assert _are_there([*CHANGE, *moved, "fsync queue", "unlink queue/ID.wav"], steps)
