"""The administrator at a terminal: colours, questions, progress messages."""

from __future__ import annotations

import subprocess
import sys

import pytest
from golden import Golden
from shell import ROOT, Shell

from pbxnotify.commands import terminal

GREEN = "\033[32m"


def python(code: str, **environment: str) -> Shell:
    """Return a Python at a terminal."""
    return Shell("-c", f"from pbxnotify.commands import terminal\n{code}", command=(sys.executable,), **environment)


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        pytest.param({}, True, id="a terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb terminal"),
    ],
)
def test_colours_on_a_terminal(environment: dict[str, str], is_coloured: bool) -> None:
    with python("print(terminal.coloured('text', 'green'))", **environment) as shell:
        status, said = shell.end()
    assert (status, "text" in said, GREEN in said) == (0, True, is_coloured)


def test_no_colours_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print(terminal.coloured("text", "green"))
    assert capsys.readouterr().out == "text\n"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        pytest.param("", "'old'", id="Enter keeps the default"),
        pytest.param(" new ", "'new'", id="an answer"),
        pytest.param("-", "''", id="a dash empties"),
        pytest.param("Анна", "'Анна'", id="Russian"),
    ],
)
def test_ask(typed: str, answer: str) -> None:
    with python("print(repr(terminal.ask('Name', 'old')))") as shell:
        shell.answer("Name [old]: ", typed)
        assert answer in shell.end()[1]


def test_ask_until_the_answer_is_right() -> None:
    with python("print('got', terminal.ask('Port', check=int))") as shell:
        shell.answer("Port: ", "many")
        shell.wait_for("invalid literal")
        shell.answer("Port: ", "25")
        assert "got 25" in shell.end()[1]


def test_a_secret_is_not_shown() -> None:
    with python("print(len(terminal.ask_secretly('Password')))") as shell:
        shell.answer("Password: ", "s3cret")
        status, said = shell.end()
    assert (status, "6" in said, "s3cret" in said) == (0, True, False)


def test_choose() -> None:
    with python("print('got', terminal.choose('Number', ['a', 'b'], None))") as shell:
        for wrong in ("", "3", "0", "x"):
            shell.answer("Number: ", wrong)
            shell.wait_for(f"{wrong!r} is ")
        shell.answer("Number: ", "2")
        assert "got 1" in shell.end()[1]


def test_no_more_answers(golden: Golden) -> None:
    code = "from pbxnotify.commands import terminal; terminal.ask('Name')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    golden(done.stderr.splitlines()[-1])


def test_a_message_where_it_takes_longer_than_a_second() -> None:
    code = "import sys\nwith terminal.waiting('the relay'):\n  sys.stdin.readline()\nprint('done')"
    with python(code) as shell:
        shell.wait_for("waiting for the relay ...")
        shell.answer("", "")
        shell.wait_for("done")


def test_no_message_in_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "PATIENCE", 0.0)
    with terminal.waiting("the relay"):
        pass
    assert capsys.readouterr().err == ""
