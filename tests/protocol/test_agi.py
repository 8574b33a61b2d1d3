"""The missed-call script, a real process that talks to a far end: the channel, and letting the call go."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from far_end import BEGAN, ENVIRONMENT, MISSED, RANG_OUT, ROOT, UNIQUE_ID, FarEnd, environment_text, processes_named
from golden import Golden
from relay import Catcher, ScriptedRelay, silence


@pytest.fixture
def run(tmp_path: Path):
    """Run the missed-call script against a far end; returns the event that it put into the spool, None if none."""

    def run(far_end: FarEnd, *arguments: str) -> dict[str, Any] | None:
        assert far_end.run(arguments or ("101",), environment=box(tmp_path)) == 0
        queued = [json.loads(path.read_text())["event"] for path in (tmp_path / "spool" / "queue").glob("*.json")]
        calls = [event for event in queued if event["event"] == "missed"]  # else the alert about the missing ini file
        assert len(calls) <= 1
        return calls[0] if calls else None

    return run


def box(directory: Path) -> dict[str, str]:
    """Return the environment of a box without settings, so that events stay in the queue."""
    return {
        "PBXNOTIFY_SPOOL": str(directory / "spool"),
        "PBXNOTIFY_LOG": str(directory / "log"),
        "PBXNOTIFY_CONFIG": str(directory / "missing.ini"),
    }


def test_a_missed_call(run) -> None:
    far_end = FarEnd()
    event = run(far_end)
    assert (event["caller_number"], event["caller_name"], event["extensions"]) == ("5551212", "Alice Smith", ["101"])
    assert far_end.status == "QUEUED"
    assert far_end.verbose[0].startswith("pbxnotify: queued id=")


def test_what_most_scripts_need_is_read_in_one_exchange(run) -> None:
    far_end = FarEnd()
    run(far_end)
    assert [command.split()[0] for command in far_end.commands] == ["GET", "GET", "SET", "VERBOSE"]


def test_nothing_on_stderr(run) -> None:
    far_end = FarEnd()
    run(far_end)
    assert far_end.stderr == ""


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("555\n200 result=1 (ANSWER)", id="forges an answer"),
        pytest.param("555\nagi_uniqueid: 1.1\nagi_arg_1: 666", id="plants variables"),
        pytest.param("555\n\n200 result=1 ()\n200 result=1 ()\n", id="ends the environment early"),
        pytest.param("555\n511 Command Not Permitted on a dead channel", id="says the channel is dead"),
        pytest.param("555\nHANGUP\n520-Invalid\n", id="hangs up, half a 520"),
        pytest.param("555${SHELL(touch x)}", id="an expression"),
        pytest.param('555"\\', id="quote and backslash"),
        pytest.param(")\n555", id="begins as an answer ends"),
        pytest.param("555)\n", id="ends as an answer does"),
    ],
)
def test_a_hostile_number_changes_nothing_else(run, number: str) -> None:
    greeting = environment_text({**ENVIRONMENT, "agi_callerid": number})
    far_end = FarEnd({**RANG_OUT, "CALLERID(num)": number}, greeting)
    event = run(far_end)
    assert event.pop("caller_number") == " ".join(number.split())
    assert event.pop("duration") > 0
    assert event == {
        "event": "missed",
        "time": float(BEGAN),
        "extensions": ["101"],
        "caller_name": "Alice Smith",
        "private": False,
        "dial_status": "NOANSWER",
        "phone": "",
        "linked_id": UNIQUE_ID,
        "unique_id": UNIQUE_ID,
        "voicemail": False,
    }
    assert far_end.status == "QUEUED"


def answers(question: str, answer: bytes | None) -> FarEnd:
    """Return a far end that gives this answer to commands with the question in them."""
    far_end = FarEnd()
    usual = far_end.answer

    def unusual(command: str) -> bytes | None:
        return answer if question in command else usual(command)

    far_end.answer = unusual
    return far_end


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="end of input"),
        pytest.param(b"510 Invalid or unknown command\n", id="510"),
        pytest.param(b"511 Command Not Permitted on a dead channel or intercept routine\n", id="511"),
        pytest.param(b"520 Invalid command syntax.\n", id="520, one line"),
        pytest.param(b"520-Invalid command syntax.\nUsage: x\n520 End of proper usage.\n", id="520"),
    ],
)
def test_what_was_read_before_a_failure_is_used(run, answer: bytes | None) -> None:
    event = run(answers("CALLERID(name)", answer))
    assert (event["caller_number"], event["caller_name"], event["extensions"]) == ("5551212", "Alice Smith", ["101"])


@pytest.mark.parametrize("noise", [b"HANGUP\n", b"\n", b"\n\nHANGUP\n"], ids=["HANGUP", "blank line", "both"])
def test_lines_that_are_not_answers_are_skipped(run, noise: bytes) -> None:
    far_end = FarEnd()
    usual = far_end.answer
    far_end.answer = lambda command: noise + (usual(command) or b"")
    assert run(far_end)["linked_id"] == UNIQUE_ID


@pytest.mark.parametrize(
    ("greeting", "caller"),
    [
        pytest.param(environment_text(), "5551212", id="only the environment"),
        pytest.param(environment_text()[:120], "", id="half an environment"),
        pytest.param(environment_text() + b"200 result=1 (NOANSWER)\n" * 3, "5551212", id="recorded answers"),
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"\xff\xfe\x00garbage" * 9, "", id="garbage"),
    ],
)
def test_a_dialogue_piped_to_stdin(tmp_path: Path, greeting: bytes, caller: str) -> None:
    subprocess.run(
        [sys.executable, MISSED, "101"],
        input=greeting,
        env={**os.environ, "PYTHONPATH": str(ROOT), **box(tmp_path)},
        check=True,
        capture_output=True,
    )
    (item,) = (tmp_path / "spool" / "queue").glob("*.json")
    event = json.loads(item.read_text())["event"]
    assert (event["caller_number"], event["extensions"]) == (caller, ["101"])


def test_an_answered_call_leaves_nothing(run) -> None:
    far_end = FarEnd({**RANG_OUT, "DIALSTATUS": "ANSWER"})
    assert run(far_end) is None
    assert far_end.status == "SKIPPED"


def test_a_second_script_of_one_call_notifies_nobody_twice(run, tmp_path: Path) -> None:
    run(FarEnd(), "101")
    far_end = FarEnd()
    event = run(far_end, "101")
    assert far_end.status == "SKIPPED"
    assert event["extensions"] == ["101"]


def test_a_value_cannot_inject_a_command(run) -> None:
    far_end = FarEnd({**RANG_OUT, "CALLERID(num)": '5\nSET VARIABLE "PWNED" "1"'})
    run(far_end)
    assert "PWNED" not in far_end.variables
    assert all(command.startswith(("GET FULL VARIABLE", "SET VARIABLE", "VERBOSE")) for command in far_end.commands)


def test_hang_up_while_it_runs(tmp_path: Path) -> None:
    far_end = FarEnd()
    usual = far_end.answer

    def hang_up(command: str) -> bytes | None:
        os.kill(far_end.pid, signal.SIGHUP)
        return usual(command)

    far_end.answer = hang_up
    assert far_end.run(environment=box(tmp_path)) == 0
    assert far_end.status == "QUEUED"


def test_a_held_call_learns_the_outcome(run) -> None:
    far_end = FarEnd()
    run(far_end, "101", "hold")
    assert far_end.status == "QUEUED"
    assert far_end.commands[-1].startswith("VERBOSE")


def test_a_held_call_is_released_and_sending_goes_on(tmp_path: Path) -> None:
    answer = threading.Event()
    with Catcher() as catcher:
        catcher.hold_answers(answer)
        (tmp_path / "pbxnotify.ini").write_text(
            f"[smtp]\nport = {catcher.port}\nsender = pbx@example.com\n[missed_calls]\nemail = common@example.com\n"
        )
        environment = {**box(tmp_path), "PBXNOTIFY_CONFIG": str(tmp_path / "pbxnotify.ini")}
        far_end = FarEnd()
        assert far_end.run(["101", "hold"], environment=environment) == 0
        assert (far_end.status, catcher.mails) == ("QUEUED", [])
        answer.set()
        assert catcher.wait(1)[0].recipients == ("common@example.com",)


def _is_of(process: Path, box: Path) -> bool:
    return str(box).encode() in (process / "environ").read_bytes()


@pytest.mark.parametrize(("arguments", "nice"), [(["101"], 10), (["101", "hold"], 0)], ids=["let go", "held"])
def test_a_delivery_steps_back_behind_calls_unless_one_waits_for_it(
    tmp_path: Path, arguments: list[str], nice: int
) -> None:
    with ScriptedRelay(greeting=silence) as relay:
        (tmp_path / "pbxnotify.ini").write_text(
            f"[smtp]\nport = {relay.port}\nsender = pbx@example.com\n[missed_calls]\nemail = common@example.com\n"
        )
        environment = {**box(tmp_path), "PBXNOTIFY_CONFIG": str(tmp_path / "pbxnotify.ini")}
        far_end = FarEnd()
        calling = threading.Thread(target=far_end.run, args=(arguments,), kwargs={"environment": environment})
        calling.start()
        assert relay.connected.wait(60)
        ours = (int(process.name) for process in processes_named(str(MISSED)) if _is_of(process, tmp_path))
        (delivering,) = (process for process in ours if process != far_end.pid)
        assert os.getpriority(os.PRIO_PROCESS, delivering) == nice + os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpgid(delivering) == delivering
    calling.join()


def test_an_asterisk_that_does_not_answer_does_not_hold_the_script(run) -> None:
    far_end = FarEnd()
    far_end.answer = lambda command: b""
    assert run(far_end)["extensions"] == ["101"]


def test_on_a_terminal_it_prints_its_usage(tmp_path: Path, golden: Golden) -> None:
    terminal, side = pty.openpty()
    done = subprocess.run(
        [sys.executable, MISSED],
        stdin=side,
        env={**os.environ, "PYTHONPATH": str(ROOT), **box(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(terminal)
    os.close(side)
    assert done.returncode == os.EX_USAGE
    golden(done.stderr)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="pyst2's own imports need it there")
def test_events_are_imported_without_typing() -> None:
    code = "import sys; from pbxnotify import events; sys.exit('typing' in sys.modules or 'dataclasses' in sys.modules)"
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, check=False).returncode == 0


def test_closed_standard_streams(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" "{MISSED}" 101 <&- >&- 2>&-'],
        env={**os.environ, "PYTHONPATH": str(ROOT), **box(tmp_path)},
        check=False,
    )
    assert done.returncode == 0
    assert len(list((tmp_path / "spool" / "queue").glob("*.json"))) == 1


def test_hold_without_an_extension(tmp_path: Path) -> None:
    far_end = FarEnd({**RANG_OUT, "PBXNOTIFY_TO": "102"})
    assert far_end.run(("hold",), environment=box(tmp_path)) == 0
    queued = [json.loads(path.read_text())["event"] for path in (tmp_path / "spool" / "queue").glob("*.json")]
    assert [event["extensions"] for event in queued if event["event"] == "missed"] == [["102"]]
