"""``pbxnotify check`` and the settings, on a box whose Asterisk runs and where pbxnotify is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from office import Office

from pbxnotify.asterisk.dialplan import running_dialplan, written_dialplan


@pytest.fixture
def running(office: Office) -> Office:
    """Return an office whose queue is run, and that is looked at."""
    office.run_queue()
    office.pbxnotify("monitor")
    office.catcher.clear()
    return office


def noted(office: Office, status: int = os.EX_OK, **environment: str) -> list[str]:
    """Return the notes on this machine."""
    done = office.pbxnotify("check", TZ="Europe/Moscow", **environment)
    assert done.returncode == status, done.stderr
    notes = [line.partition(" ")[2].strip() for line in done.stdout.splitlines() if line.startswith("NOTE")]
    # What is the office's all the time: no cards for all that it watches, and its voicemail.conf
    always = [note for note in notes if "[employees] or [groups]" in note or note.startswith("voicemail.conf ")]
    assert "101, 102, 104, 105, 107 and 1 more" in always[-2]
    assert "delete = yes" in always[-1]
    return [note for note in notes if note not in always]


def errors(office: Office) -> list[str]:
    """Return what drops calls."""
    done = office.pbxnotify("check")
    found = [line.partition(" ")[2].strip() for line in done.stdout.splitlines() if line.startswith("ERROR")]
    assert done.returncode == (os.EX_CONFIG if found else os.EX_OK)
    return found


def test_a_box_where_all_is_as_it_should_be(running: Office) -> None:
    assert noted(running) == []


@pytest.fixture
def without_our_context(running: Office) -> Iterator[Office]:
    """Return an office whose dialplan does not include ours just now."""
    running.asterisk.command("dialplan remove context pbxnotify")
    yield running
    running.asterisk.command("dialplan reload")


def test_a_dialplan_that_does_not_include_ours(without_our_context: Office) -> None:
    """Each call is dropped at the watch."""
    (error,) = errors(without_our_context)
    assert "from-trunk,ring-101,1 (extensions.conf:9)" in error
    assert "dialplan reload" in error
    without_our_context.call("ring-101")
    without_our_context.no_mail()
    assert "pbxnotify,watch,1" in without_our_context.asterisk.log_since_mark()


@pytest.fixture
def extensions(running: Office) -> Iterator[Callable[[str], None]]:
    """Return what writes the office's extensions.conf and reloads it."""
    path = running.asterisk.etc / "extensions.conf"
    before = path.read_text()

    def write(text: str) -> None:
        path.write_text(text)
        running.asterisk.command("dialplan reload")

    yield write
    write(before)


INCLUDE = '#tryinclude "extensions_pbxnotify.conf"\n'


def test_a_misspelt_watch(running: Office, extensions: Callable[[str], None]) -> None:
    extensions(f"{INCLUDE}[from-trunk]\nexten => 1,1,Gosub(pbxnotify,wach,1(101))\n same => n,Dial(PJSIP/101)\n")
    (error,) = errors(running)
    assert "from-trunk,1,1 (extensions.conf:3)" in error


def test_an_include_that_stops_asterisk_from_reading_the_dialplan(
    running: Office, extensions: Callable[[str], None]
) -> None:
    extensions('#include "gone.conf"\n[from-trunk]\nexten => 1,1,NoOp()\n')
    (error,) = errors(running)
    assert "extensions.conf:1" in error
    assert "'ring-101'" in running.asterisk.command("dialplan show from-trunk"), "the old dialplan"


def test_a_watch_that_was_not_reloaded(running: Office, extensions: Callable[[str], None]) -> None:
    path = running.asterisk.etc / "extensions.conf"
    path.write_text(f"{path.read_text()}[new]\nexten => 1,1,Gosub(pbxnotify,watch,1(101))\n")
    (note,) = noted(running)
    assert "new,1,1" in note


def test_what_asterisk_runs_is_what_is_written(
    running: Office, extensions: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are read by code of ours: the ways in which a dialplan is written."""
    extensions((Path(__file__).parent / "ways_of_writing.conf").read_text() + INCLUDE)
    monkeypatch.setenv("AST_CONFIG_DIR", str(running.asterisk.etc))
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(running.asterisk.directory / "asterisk"))
    assert sorted(running_dialplan()) == sorted(written_dialplan().lines)


def test_another_configuration_than_the_running_asterisk_has(running: Office, tmp_path: Path) -> None:
    shutil.copy(running.asterisk.etc / "pbxnotify.ini", tmp_path)
    shutil.copy(running.asterisk.etc / "voicemail.conf", tmp_path)
    (tmp_path / "spool").mkdir()
    directories = {"AST_CONFIG_DIR": str(tmp_path), "AST_SPOOL_DIR": str(tmp_path / "spool")}
    configuration, spool, queue, machine = noted(running, os.EX_OK, **directories)
    assert f"{running.asterisk.etc}, not {tmp_path}: set AST_CONFIG_DIR={running.asterisk.etc}" in configuration
    assert f"{running.asterisk.spool}, not {tmp_path}/spool: set AST_SPOOL_DIR={running.asterisk.spool}" in spool
    assert "pbxnotify.timer" in queue
    assert "pbxnotify-monitor.timer" in machine


def test_a_script_that_asterisk_cannot_find(running: Office) -> None:
    script = running.asterisk.agi_bin / "pbxnotify-voicemail.agi"
    away = script.with_name("away")
    script.rename(away)
    try:
        (note,) = noted(running)
    finally:
        away.rename(script)
    assert note.startswith(f"{script} ")


def test_the_way_to_the_relay(running: Office) -> None:
    done = running.pbxnotify("check", "--connect")
    assert done.returncode == 0
    assert f"connect          to 127.0.0.1 port {running.catcher.port}" in done.stdout
    assert running.catcher.mails == []


def test_a_change_saved_with_any_editor_is_tested_by_the_run_of_the_queue(running: Office) -> None:
    ini = running.asterisk.etc / "pbxnotify.ini"
    running.write_ini(ini.read_text(encoding="utf-8").replace("pbx@example.com", "new@example.com"))
    for _ in range(2):
        running.run_queue()
    (mail,) = running.catcher.wait(1)
    assert (mail.sender, mail.recipients) == ("new@example.com", ("admin@example.com",))


def test_a_box_from_nothing_to_a_call_that_is_told(running: Office) -> None:
    ini = running.asterisk.etc / "pbxnotify.ini"
    ini.unlink()
    relay = f"localhost:{running.catcher.port}"
    options = (
        "--sender",
        "pbx@example.com",
        "--admin-email",
        "admin@example.com",
        "--missed-calls-email",
        "all@example.com",
    )
    done = running.pbxnotify("setup", "--host", relay, *options)
    assert (done.returncode, ini.stat().st_mode & 0o777) == (os.EX_OK, 0o640), done.stderr
    assert running.catcher.wait(1)[0].recipients == ("admin@example.com",)
    running.catcher.clear()
    running.call("ring-103")
    running.catcher.wait(1)
    assert running.catcher.mails[0].recipients == ("all@example.com",)


def test_status_of_a_box_that_is_well(running: Office) -> None:
    done = running.pbxnotify("status")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "OK: no mail is held up")
