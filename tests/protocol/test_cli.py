"""The administrator's commands: what they print, and their exit statuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calls import ONE_EMPLOYEE as INI
from golden import Golden
from relay import Catcher, Certificates, ScriptedRelay, silence
from shell import ROOT, Shell

from pbxnotify.spool.store import Spool

MISSED = ["missed", "--from", "5551212", "--name", "Алиса", "--to", "101"]


def test_another_ini_file(run, box: Path, golden: Golden) -> None:
    status, _, said = run("--config", str(box / "other.ini"), "check")
    assert (status, str(box / "other.ini") in said) == (os.EX_CONFIG, True)
    golden(said)


def test_the_test_mail_shows_the_relays_own_words(run, relay: Catcher) -> None:
    status, said, _ = run("test", "me@example.com")
    assert (status, "250 2.0.0 Ok: queued as" in said) == (os.EX_OK, True)
    assert relay.wait(1)[0].recipients == ("me@example.com",)


def test_status_knows_of_the_test_mail(run, relay: Catcher, spool: Spool) -> None:
    run("test", "me@example.com")
    assert re.search(r"^last mail sent .*test -> me@example.com$", run("status")[1], re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "listed"), [((), "setup"), (("queue",), "retry"), (("oauth",), "logout")], ids=repr
)
def test_without_a_command_all_are_listed(run, arguments: tuple[str, ...], listed: str) -> None:
    status, _, said = run(*arguments)
    assert (status, f"    {listed} " in said) == (os.EX_USAGE, True)


def test_the_test_mail_goes_to_the_administrator(run, relay: Catcher) -> None:
    run("test")
    assert relay.wait(1)[0].recipients == ("admin@example.com",)


def test_a_test_mail_to_nobody(run, write_ini, golden: Golden) -> None:
    write_ini("")
    status, _, said = run("test")
    assert status == os.EX_USAGE
    golden(said)


def test_the_conversation_without_secrets(run, write_ini, certificates: Certificates) -> None:
    with Catcher(login=("me", "s3cret-word")) as catcher:
        write_ini(INI.format(port=catcher.port).replace("sender", "login = me\npassword = s3cret-word\nsender"))
        status, said, _ = run("test", "-v")
    assert status == os.EX_OK
    assert "> AUTH" in said
    assert "> MAIL FROM:<pbx@example.com>" in said
    assert "s3cret" not in said


def test_a_wrong_password(run, write_ini, golden: Golden) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(INI.format(port=catcher.port).replace("sender", "login = me\npassword = wr0ng\nsender"))
        status, said, error = run("test", "-v")
    assert status == os.EX_CONFIG
    assert "535" in error
    assert "wr0ng" not in said + error
    golden(error)


def test_a_spool_that_cannot_be_used(run, box: Path, golden: Golden) -> None:
    (box / "spool").touch()
    status, _, said = run("queue", "list")
    assert status == os.EX_IOERR
    golden(said, pid=os.getpid())


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing"),
        pytest.param(["misssed"], id="typo"),
        pytest.param(["missed", "--to", "101"], id="no caller"),
        pytest.param([*MISSED, "--duration", "long"], id="no number"),
        pytest.param(["queue"], id="no action"),
    ],
)
def test_usage(run, arguments: list[str]) -> None:
    status, _, said = run(*arguments)
    assert (status, "usage: pbxnotify" in said) == (os.EX_USAGE, True)


def test_version(run) -> None:
    assert run("--version")[:2] == (0, "pbxnotify 0.1.0\n")


def test_ctrl_c_leaves_the_item_in_the_queue(write_ini, spool: Spool, golden: Golden) -> None:
    with ScriptedRelay(greeting=silence) as relay:
        write_ini(INI.format(port=relay.port))
        with subprocess.Popen(
            [sys.executable, "-m", "pbxnotify.cli", *MISSED],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  ignored in the background
        ) as process:
            relay.connected.wait(10)
            process.send_signal(signal.SIGINT)
            assert process.stderr
            said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    golden(said.splitlines()[-1])
    assert len(spool.identifiers()) == 1


def test_the_ini_file_is_named_behind_the_command(run, box: Path) -> None:
    assert str(box / "other.ini") in run("check", "--config", str(box / "other.ini"))[2]


# Each command: help, pipes, colours

GROUPS = ("oauth", "queue")
COMMANDS = {
    "setup": ("--no-test", "--host", "mx.example.com"),
    "edit": (),
    "check": ("--connect",),
    "status": (),
    "test": ("-v",),
    "preview": ("missed",),
    "missed": ("--from", "5551212", "--to", "101"),
    "voicemail": ("--from", "5551212", "--to", "101", "--recording", "/nowhere/msg0000.wav"),
    "alert": ("backup failed",),
    "monitor": (),
    "oauth login": ("--no-test",),
    "oauth status": (),
    "oauth logout": (),
    "queue list": (),
    "queue run": ("--all",),
    "queue show": ("20260101-000000-00000000",),
    "queue retry": ("20260101-000000-00000000",),
    "queue remove": ("20260101-000000-00000000",),
}


def test_these_are_all_commands(run) -> None:
    listed = [run(*place, "--help")[1] for place in ((), *((group,) for group in GROUPS))]
    commands, *actions = (re.findall("(?m)^    ([a-z]+) ", text) for text in listed)
    grouped = {f"{group} {action}" for group, words in zip(GROUPS, actions) for action in words}
    assert {*commands} - {*GROUPS} | grouped == set(COMMANDS)


@pytest.mark.parametrize("command", [*GROUPS, *COMMANDS])
def test_help_has_an_example_and_the_exit_statuses(run, command: str) -> None:
    status, said, _ = run(*command.split(), "--help")
    assert status == 0
    assert f"example:\n  pbxnotify {command} " in said.replace("\n\nexit", " \n\nexit")
    assert "exit status:\n  0 " in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("reader", ["cat", "true"], ids=["a pipe", "a reader that has gone"])
def test_a_pipe(relay: Catcher, command: str, reader: str) -> None:
    """No colours, no progress messages, no traceback."""
    words = " ".join([f"'{sys.executable}' -m pbxnotify.cli", command, *COMMANDS[command]])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "EDITOR": "true"}
    done = subprocess.run(
        ["sh", "-c", f"{words} | {reader}"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert b"\033" not in done.stdout + done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


@pytest.mark.parametrize("command", ["check", "status"])
def test_colours_on_a_terminal(relay: Catcher, command: str) -> None:
    with Shell(command) as shell:
        assert "\033[3" in shell.end()[1]


@pytest.mark.parametrize(
    "command", ["status", "check", "queue list", "queue run", "preview test", "setup --host localhost:1"]
)
def test_a_stdout_that_was_closed_before(box: Path, command: str) -> None:
    """A status of 1 would be a warning for monitoring."""
    run = [sys.executable, "-m", "pbxnotify.cli", *command.split()]
    statuses = {}
    for where in ("/dev/null", "&-"):
        done = subprocess.run(
            ["sh", "-c", f'"$@" >{where}', "sh", *run], cwd=ROOT, capture_output=True, text=True, check=False
        )
        statuses[where] = done.returncode
        assert "Traceback" not in done.stderr
    assert len(set(statuses.values())) == 1
