"""``pbxnotify edit`` at a terminal: editors are scripts here, as $EDITOR may be."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import ONE_EMPLOYEE
from relay import Catcher
from shell import ROOT, Shell

from pbxnotify.spool.store import Spool

Editor = Callable[[str], str]


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Return $EDITOR for an editor that does what a shell script does to the file "$1"."""

    def editor(script: str) -> str:
        path = tmp_path / "an editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return f"'{path}'"

    return editor


@pytest.fixture
def ini(relay: Catcher, box: Path, spool: Spool) -> Path:
    """Return the ini file of an office of one employee."""
    return box / "pbxnotify.ini"


def test_a_changed_sender_is_tested(relay: Catcher, ini: Path, editor: Editor, run) -> None:
    ini.chmod(0o604)
    with Shell("edit", EDITOR=editor('sed -i s/pbx@/new@/ "$1"')) as shell:
        status, said = shell.end()
    (mail,) = relay.wait(1)
    assert (status, mail.sender, mail.recipients) == (0, "new@example.com", ("admin@example.com",))
    assert f"{ini}: changed" in said
    assert "admin@example.com: the relay said: 250" in said
    assert (ini.read_text(), stat.S_IMODE(ini.stat().st_mode)) == (
        ONE_EMPLOYEE.format(port=relay.port).replace("pbx@", "new@"),
        0o604,
    )
    assert run("queue", "run")[0] == 0
    assert len(relay.mails) == 1


def test_another_change_is_not_tested(relay: Catcher, ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor("printf '[[102]]\\nemail = b@example.com\\n' >>\"$1\"")) as shell:
        status, said = shell.end()
    assert (status, relay.mails, f"{ini}: changed" in said, "connecting" in said) == (0, [], True, False)
    assert "[[102]]" in ini.read_text()


def test_what_was_hardly_meant_is_noted(relay: Catcher, ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor('printf "[voicemail]\\nsubject = VM_CALERID\\n" >>"$1"')) as shell:
        status, said = shell.end()
    assert (status, "VM_CALERID" in said, "(did you mean VM_CALLERID?)" in said) == (0, True, True)


def test_mistakes_lead_back_to_the_editor(relay: Catcher, ini: Path, editor: Editor, tmp_path: Path) -> None:
    twice = f'if [ -e {tmp_path}/once ]; then sed -i s/sendr/sender/ "$1"; else sed -i s/sender/sendr/ "$1"; fi'
    with Shell("edit", EDITOR=editor(f"{twice}\ntouch {tmp_path}/once")) as shell:
        shell.wait_for(f"{ini}:4: [smtp] sendr: there is no such option here (did you mean sender?)")
        shell.answer("e to edit again, q to leave the file as it was [e]: ", "x")
        shell.wait_for("answer e or q")
        shell.answer("[e]: ", "")
        status, said = shell.end()
    assert (status, f"{ini}: nothing is changed" in said) == (0, True)


def test_the_file_is_left_as_it_was(relay: Catcher, ini: Path, editor: Editor) -> None:
    before = ini.read_text()
    with Shell("edit", EDITOR=editor('sed -i s/sender/sendr/ "$1"')) as shell:
        shell.answer("e to edit again, q to leave the file as it was [e]: ", "q")
        status, said = shell.end()
    assert (status, ini.read_text()) == (os.EX_CONFIG, before)
    assert f"{ini}: nothing is changed" in said
    assert list(ini.parent.glob(".pbxnotify*")) == []


def test_nothing_changed(relay: Catcher, ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor("true")) as shell:
        status, said = shell.end()
    assert (status, said, relay.mails) == (0, f"{ini}: nothing is changed\n", [])


def test_a_wrong_password_is_said_after_the_change(ini: Path, editor: Editor) -> None:
    with Catcher(login=("me", "right")) as catcher:
        change = f"s/^port.*/port = {catcher.port}\\nlogin = me\\npassword = wr0ng/"
        with Shell("edit", EDITOR=editor(f'sed -i "{change}" "$1"')) as shell:
            status, said = shell.end()
    assert status == os.EX_CONFIG
    assert (": changed" in said, "535" in said, "app password" in said, "wr0ng" in said) == (True, True, True, False)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param(
            {"EDITOR": "/nowhere/editor"}, "the editor cannot be run: /nowhere/editor: No such file", id="none"
        ),
        pytest.param({"EDITOR": "false"}, "the editor false ended with 1: nothing is changed", id="failed"),
        pytest.param({"EDITOR": "true", "VISUAL": "false"}, "the editor false ended with 1", id="VISUAL first"),
        pytest.param({"EDITOR": "'"}, "$EDITOR is no command", id="open quote"),
    ],
)
def test_an_editor_that_fails(ini: Path, environment: dict[str, str], words: str) -> None:
    with Shell("edit", **environment) as shell:
        status, said = shell.end()
    assert (status, words in said, "Traceback" in said) == (os.EX_USAGE, True, False)
    assert list(ini.parent.glob(".pbxnotify*")) == []


def test_the_copy_is_for_nobody_else(ini: Path, editor: Editor, tmp_path: Path) -> None:
    ini.chmod(0o644)
    with Shell("edit", EDITOR=editor(f'stat -c %a "$1" >{tmp_path}/mode')) as shell:
        shell.end()
    assert (tmp_path / "mode").read_text() == "600\n"


def test_ctrl_c_belongs_to_the_editor(ini: Path, editor: Editor) -> None:
    with Shell(
        "edit", EDITOR=editor("trap 'echo caught; exit 0' INT; echo editing; while :; do sleep 0.1; done")
    ) as shell:
        shell.wait_for("editing")
        shell.interrupt()
        status, said = shell.end()
    assert (status, "caught" in said, "nothing is changed" in said) == (0, True, True)


def test_two_admins(ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor("echo editing; read line")) as first:
        first.wait_for("editing")
        with Shell("edit", EDITOR="true") as second:
            status, said = second.end()
        first.answer("", "")
        assert first.end()[0] == 0
    assert (status, "it is being edited by somebody else" in said) == (os.EX_CONFIG, True)


def test_somebody_changes_it_meanwhile(ini: Path, editor: Editor) -> None:
    meanwhile = f'echo "# theirs" >>{ini}; sed -i s/pbx@/new@/ "$1"'
    with Shell("edit", EDITOR=editor(meanwhile)) as shell:
        status, said = shell.end()
    assert (status, "somebody else has changed it meanwhile" in said) == (os.EX_CONFIG, True)
    assert ini.read_text().endswith("# theirs\n")
    assert "new@" not in ini.read_text()


def test_without_a_terminal(ini: Path, editor: Editor) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "edit"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "EDITOR": editor('sed -i s/sender/sendr/ "$1"')}
    before = ini.read_text()
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, ini.read_text()) == (os.EX_CONFIG, before)
    assert "did you mean sender?" in done.stdout
    assert "\033" not in done.stdout + done.stderr


def test_no_ini_file_yet(run, box: Path) -> None:
    status, _, said = run("edit")
    assert (status, "pbxnotify setup  makes one" in said) == (os.EX_CONFIG, True)


def test_an_administrator_who_has_no_address(relay: Catcher, ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor('sed -i "s/^admin_email.*/admin_email =/" "$1"')) as shell:
        status, said = shell.end()
    assert (status, relay.mails) == (0, [])
    assert "no test mail: [notifications] admin_email is empty" in said


@pytest.mark.parametrize("script", [': >"$1"', "printf '\\n\\n' >\"$1\"", 'rm "$1"'], ids=["empty", "blank", "removed"])
def test_an_editor_that_leaves_nothing(relay: Catcher, ini: Path, editor: Editor, script: str) -> None:
    before = ini.read_text()
    with Shell("edit", EDITOR=editor(script)) as shell:
        shell.wait_for("the editor has left no ")
        shell.answer("[e]: ", "q")
        assert shell.end()[0] == os.EX_CONFIG
    assert ini.read_text() == before


def test_a_change_of_another_editor_is_tested_too(relay: Catcher, ini: Path, editor: Editor, run) -> None:
    run("queue", "run")
    ini.write_text(ini.read_text().replace("pbx@", "new@"))
    with Shell("edit", EDITOR=editor("printf '# mine\\n' >>\"$1\"")) as shell:
        assert shell.end()[0] == 0
    assert [mail.sender for mail in relay.mails] == ["new@example.com"]


def test_a_relay_that_is_down_gets_the_test_mail_later(relay: Catcher, ini: Path, editor: Editor, run) -> None:
    run("queue", "run")
    relay.stop()
    with Shell("edit", EDITOR=editor('sed -i s/pbx@/new@/ "$1"')) as shell:
        assert shell.end()[0] == os.EX_TEMPFAIL
    relay.start()
    for _ in range(2):
        run("queue", "run", "--all")
    assert [mail.sender for mail in relay.mails] == ["new@example.com"]


def test_the_queue_run_leaves_the_test_to_the_editor(relay: Catcher, ini: Path, editor: Editor, run) -> None:
    run("queue", "run")
    answer = threading.Event()
    relay.hold_answers(answer)
    with Shell("edit", EDITOR=editor('sed -i s/pbx@/new@/ "$1"')) as shell:
        shell.wait_for("connecting to")
        status, said, _ = run("queue", "run")
        answer.set()
        assert shell.end()[0] == 0
    assert (status, "is at work" in said) == (os.EX_TEMPFAIL, True)
    run("queue", "run")
    assert len(relay.mails) == 1


def test_switched_off_is_not_tested(relay: Catcher, ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor("sed -i 's/^.notifications./&\\nenabled = no/' \"$1\"")) as shell:
        status, said = shell.end()
    assert (status, relay.mails, "no test mail: notifications are switched off" in said) == (0, [], True)


def test_what_was_written_is_kept_where_it_cannot_be_put_in_place(ini: Path, editor: Editor) -> None:
    with Shell("edit", EDITOR=editor(f'echo "# theirs" >>{ini}; echo "# mine" >>"$1"')) as shell:
        said = shell.end()[1]
    kept = Path(re.findall(r"what you wrote is kept in (/\S+/pbxnotify\.ini)", said)[0])
    assert "# mine" in kept.read_text()
    shutil.rmtree(kept.parent)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_terminal_that_is_closed_leaves_no_copy(ini: Path, editor: Editor, tmp_path: Path, number: int) -> None:
    before = ini.read_text()
    with Shell("edit", TMPDIR=str(tmp_path), EDITOR=editor("echo editing; exec sleep 60")) as shell:
        shell.wait_for("editing")
        assert list(tmp_path.glob("pbxnotify-*/pbxnotify.ini"))
        shell.kill(number)
        status, _ = shell.end()
    assert (status, ini.read_text(), list(tmp_path.glob("pbxnotify-*"))) == (130, before, [])


def test_a_readable_password_is_said(relay: Catcher, ini: Path, editor: Editor) -> None:
    ini.chmod(0o644)
    with Shell("edit", EDITOR=editor("sed -i 's/^host.*/&\\nlogin = me\\npassword = s3cret/' \"$1\"")) as shell:
        said = shell.end()[1]
    assert ("may read the password" in said, "s3cret" in said) == (True, False)
