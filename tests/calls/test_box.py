"""``pbxnotify check`` and the settings, on a box whose Asterisk runs and where pbxnotify is installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from office import Office


@pytest.fixture
def running(office: Office) -> Office:
    """Return an office whose queue is run, and that is looked at."""
    office.run_queue()
    office.pbxnotify("monitor")
    office.catcher.clear()
    return office


def noted(office: Office, **environment: str) -> list[str]:
    """Return the notes on this machine."""
    done = office.pbxnotify("check", TZ="Europe/Moscow", **environment)
    assert done.returncode == 0, done.stderr
    notes = [line.partition(" ")[2].strip() for line in done.stdout.splitlines() if line.startswith("NOTE")]
    addresses, delete = (
        note for note in notes if note.startswith("voicemail.conf ")
    )  # which is the office's all the time
    assert "101, 102, 104, 105, 107 and 1 more" in addresses
    assert "delete = yes" in delete
    return [note for note in notes if note not in (addresses, delete)]


def test_a_box_where_all_is_as_it_should_be(running: Office) -> None:
    assert noted(running) == []


@pytest.fixture
def without_our_context(running: Office) -> Iterator[Office]:
    """Return an office whose dialplan does not include ours just now."""
    running.asterisk.command("dialplan remove context pbxnotify")
    yield running
    running.asterisk.command("dialplan reload")


def test_a_dialplan_that_does_not_include_ours(without_our_context: Office) -> None:
    (note,) = noted(without_our_context)
    assert "extensions_pbxnotify.conf" in note


def test_another_configuration_than_the_running_asterisk_has(running: Office, tmp_path: Path) -> None:
    shutil.copy(running.asterisk.etc / "pbxnotify.ini", tmp_path)
    shutil.copy(running.asterisk.etc / "voicemail.conf", tmp_path)
    (tmp_path / "spool").mkdir()
    directories = {"AST_CONFIG_DIR": str(tmp_path), "AST_SPOOL_DIR": str(tmp_path / "spool")}
    configuration, spool, queue, machine = noted(running, **directories)
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
