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
from golden import Golden
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


def lines_with(said: str, word: str) -> str:
    """Return the lines of what was said that contain a word."""
    return "\n".join(line for line in said.splitlines() if word in line)


def without_notes(said: str) -> str:
    """Return what was said without the notes on the settings, which have tests of their own."""
    return "\n".join(line for line in said.splitlines() if not line.startswith("NOTE"))


@pytest.fixture
def ini(relay: Catcher, box: Path, spool: Spool) -> Path:
    """Return the ini file of an office of one employee."""
    return box / "pbxnotify.ini"


def test_a_changed_sender_is_tested(relay: Catcher, ini: Path, editor: Editor, run, golden: Golden) -> None:
    ini.chmod(0o604)
    with Shell("edit", EDITOR=editor('sed -i s/pbx@/new@/ "$1"')) as shell:
        status, said = shell.end()
    (mail,) = relay.wait(1)
    assert (status, mail.sender, mail.recipients) == (0, "new@example.com", ("admin@example.com",))
    golden(without_notes(said))
    assert (ini.read_text(), stat.S_IMODE(ini.stat().st_mode)) == (
        ONE_EMPLOYEE.format(port=relay.port).replace("pbx@", "new@"),
        0o604,
    )
    assert run("queue", "run")[0] == 0
    assert len(relay.mails) == 1


def test_another_change_is_not_tested(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor("printf '[[102]]\\nemail = b@example.com\\n' >>\"$1\"")) as shell:
        status, said = shell.end()
    assert (status, relay.mails) == (0, [])
    golden(without_notes(said))
    assert "[[102]]" in ini.read_text()


def test_what_was_hardly_meant_is_noted(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor('printf "[voicemail]\\nsubject = VM_CALERID\\n" >>"$1"')) as shell:
        status, said = shell.end()
    assert status == 0
    golden(lines_with(said, "VM_CALERID"))


def test_mistakes_lead_back_to_the_editor(
    relay: Catcher, ini: Path, editor: Editor, tmp_path: Path, golden: Golden
) -> None:
    twice = f'if [ -e {tmp_path}/once ]; then sed -i s/sendr/sender/ "$1"; else sed -i s/sender/sendr/ "$1"; fi'
    with Shell("edit", EDITOR=editor(f"{twice}\ntouch {tmp_path}/once")) as shell:
        shell.wait_for(f"{ini}:4: [smtp] sendr: ")
        shell.answer(" [e]: ", "x")
        shell.wait_for("answer e or q")
        shell.answer("[e]: ", "")
        status, said = shell.end()
    assert status == 0
    golden(without_notes(said))


def test_the_file_is_left_as_it_was(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    before = ini.read_text()
    with Shell("edit", EDITOR=editor('sed -i s/sender/sendr/ "$1"')) as shell:
        shell.answer(" [e]: ", "q")
        status, said = shell.end()
    assert (status, ini.read_text()) == (os.EX_CONFIG, before)
    golden(without_notes(said))
    assert list(ini.parent.glob(".pbxnotify*")) == []


def test_nothing_changed(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor("true")) as shell:
        status, said = shell.end()
    assert (status, relay.mails) == (0, [])
    golden(without_notes(said))


def test_a_wrong_password_is_said_after_the_change(ini: Path, editor: Editor, golden: Golden) -> None:
    with Catcher(login=("me", "right")) as catcher:
        change = f"s/^port.*/port = {catcher.port}\\nlogin = me\\npassword = wr0ng/"
        with Shell("edit", EDITOR=editor(f'sed -i "{change}" "$1"')) as shell:
            status, said = shell.end()
    assert status == os.EX_CONFIG
    assert ("535" in said, "wr0ng" in said) == (True, False)
    golden(without_notes(said))


@pytest.mark.parametrize(
    ("visual", "editor"),
    [
        pytest.param("", "/nowhere/editor", id="none"),
        pytest.param("", "false", id="failed"),
        pytest.param("false", "true", id="VISUAL first"),
        pytest.param("", "'", id="open quote"),
    ],
)
def test_an_editor_that_fails(ini: Path, golden: Golden, visual: str, editor: str) -> None:
    with Shell("edit", VISUAL=visual, EDITOR=editor) as shell:
        status, said = shell.end()
    assert status == os.EX_USAGE
    assert list(ini.parent.glob(".pbxnotify*")) == []
    golden(without_notes(said))


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
    assert (status, "caught" in said, str(ini) in said) == (0, True, True)


def test_two_admins(ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor("echo editing; read line")) as first:
        first.wait_for("editing")
        with Shell("edit", EDITOR="true") as second:
            status, said = second.end()
        first.answer("", "")
        assert first.end()[0] == 0
    assert status == os.EX_CONFIG
    golden(without_notes(said))


def test_somebody_changes_it_meanwhile(ini: Path, editor: Editor, golden: Golden) -> None:
    meanwhile = f'echo "# theirs" >>{ini}; sed -i s/pbx@/new@/ "$1"'
    with Shell("edit", EDITOR=editor(meanwhile)) as shell:
        status, said = shell.end()
    assert status == os.EX_CONFIG
    golden(said.splitlines()[0])
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
    assert f"{ini}:4: [smtp] sendr: " in done.stdout
    assert "\033" not in done.stdout + done.stderr


def test_no_ini_file_yet(run, box: Path, golden: Golden) -> None:
    status, _, said = run("edit")
    assert status == os.EX_CONFIG
    golden(without_notes(said))


def test_an_administrator_who_has_no_address(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor('sed -i "s/^admin_email.*/admin_email =/" "$1"')) as shell:
        status, said = shell.end()
    assert (status, relay.mails) == (0, [])
    golden(without_notes(said))


@pytest.mark.parametrize("script", [': >"$1"', "printf '\\n\\n' >\"$1\"", 'rm "$1"'], ids=["empty", "blank", "removed"])
def test_an_editor_that_leaves_nothing(relay: Catcher, ini: Path, editor: Editor, script: str) -> None:
    before = ini.read_text()
    with Shell("edit", EDITOR=editor(script)) as shell:
        shell.wait_for("the editor left no ")
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


def test_the_queue_run_leaves_the_test_to_the_editor(
    relay: Catcher, ini: Path, editor: Editor, run, golden: Golden
) -> None:
    run("queue", "run")
    answer = threading.Event()
    relay.hold_answers(answer)
    with Shell("edit", EDITOR=editor('sed -i s/pbx@/new@/ "$1"')) as shell:
        shell.wait_for("connecting to")
        status, said, _ = run("queue", "run")
        answer.set()
        assert shell.end()[0] == 0
    assert status == os.EX_TEMPFAIL
    golden(said)
    run("queue", "run")
    assert len(relay.mails) == 1


def test_switched_off_is_not_tested(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor("sed -i 's/^.notifications./&\\nenabled = no/' \"$1\"")) as shell:
        status, said = shell.end()
    assert (status, relay.mails) == (0, [])
    golden(without_notes(said))


def test_what_was_written_is_kept_where_it_cannot_be_put_in_place(ini: Path, editor: Editor, golden: Golden) -> None:
    with Shell("edit", EDITOR=editor(f'echo "# theirs" >>{ini}; echo "# mine" >>"$1"')) as shell:
        said = shell.end()[1]
    kept = Path(re.findall(r" (/\S+/pbxnotify-\w+/pbxnotify\.ini)", said)[0])
    golden(said, copy=kept)
    assert "# mine" in kept.read_text()
    shutil.rmtree(kept.parent)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=["SIGHUP", "SIGTERM"])
def test_a_terminal_that_is_closed_leaves_no_copy(ini: Path, editor: Editor, tmp_path: Path, number: int) -> None:
    before = ini.read_text()
    once_waited_for = "until grep -qx 'do_wait\\|0' /proc/$PPID/wchan; do sleep 0.05; done"
    with Shell("edit", TMPDIR=str(tmp_path), EDITOR=editor(f"{once_waited_for}; echo editing; exec sleep 60")) as shell:
        shell.wait_for("editing")
        assert list(tmp_path.glob("pbxnotify-*/pbxnotify.ini"))
        shell.kill(number)
        status, _ = shell.end()
    assert (status, ini.read_text(), list(tmp_path.glob("pbxnotify-*"))) == (130, before, [])


def test_a_readable_password_is_said(relay: Catcher, ini: Path, editor: Editor, golden: Golden) -> None:
    ini.chmod(0o644)
    with Shell("edit", EDITOR=editor("sed -i 's/^host.*/&\\nlogin = me\\npassword = s3cret/' \"$1\"")) as shell:
        said = shell.end()[1]
    assert "s3cret" not in said
    golden(lines_with(said, "password"))
