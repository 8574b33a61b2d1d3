"""The administrator at a terminal: colours, questions, progress messages."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from golden import Golden
from shell import ROOT, Shell

from pbxnotify.commands import terminal

GREEN = "\033[32m"


def python(code: str, **environment: str) -> Shell:
    """Return a Python at a terminal."""
    code = f"from pbxnotify.commands import terminal\nterminal.guard()\n{code}"
    return Shell("-c", code, command=(sys.executable,), **environment)


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


HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\r\x08\x7f\ud800"


def said_by(code: str, **environment: str) -> bytes:
    """Return what a Python says in a pipe, on both streams."""
    code = f"from pbxnotify.commands import terminal\nterminal.guard()\nimport sys\nHOSTILE = {HOSTILE!r}\n{code}"
    given = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("print(HOSTILE)", id="stdout"),
        pytest.param("print(HOSTILE, file=sys.stderr)", id="stderr"),
        pytest.param("sys.stdout.writelines([HOSTILE, HOSTILE])", id="lines"),
        pytest.param("terminal.complain(OSError(HOSTILE))", id="an error"),
        pytest.param("raise OSError(HOSTILE)", id="a bug"),
        pytest.param("terminal.note(HOSTILE)", id="a note"),
        pytest.param("terminal.ask(HOSTILE, HOSTILE)", id="a question"),
        pytest.param("print(terminal.coloured(HOSTILE, 'red'))", id="coloured"),
        pytest.param("import argparse; argparse.ArgumentParser(HOSTILE).parse_args(['x'])", id="usage"),
    ],
)
def test_nothing_but_our_colours_reaches_a_terminal(code: str) -> None:
    said = said_by(code).decode()
    assert "\\u001b]0;title\\u0007" in said
    assert all(character.isprintable() or character in "\n\t" for character in said)


def test_a_question_at_a_terminal_is_safe_as_well() -> None:
    with python(f"terminal.ask('Name', {HOSTILE!r})") as shell:
        shell.answer("\\u001b]0;title", "x")
        assert "\x1b]0;" not in shell.end()[1]


def test_what_looks_like_our_colours_is_shown() -> None:
    with python("print('\\x1b[32mOK\\x1b[0m', terminal.coloured('mine', 'green'))") as shell:
        said = shell.end()[1]
    assert "\\u001b[32mOK\\u001b[0m" in said
    assert f"{GREEN}mine" in said
    assert said.count("\x1b[32m") == 1


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "koi8-r", "latin-1"])
def test_json_stays_json_in_any_encoding(encoding: str) -> None:
    code = "import json; print(json.dumps({'a': HOSTILE + 'é Я 😀'}, ensure_ascii=False))"
    said = said_by(code, PYTHONIOENCODING=encoding)
    assert json.loads(said.decode(encoding)) == {"a": f"{HOSTILE}é Я 😀"}
