"""What ``pbxnotify check`` notes of this machine. The Asterisk here is one that answers ``-rx``, and nothing else."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import CALL

from pbxnotify.health.host import SCRIPTS, host_notes
from pbxnotify.settings.load import load_settings
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

ALL_IS_WELL = "[missed_calls]\nemail = common@example.com\n"
INCLUDED = (
    "[ Context 'pbxnotify' created by 'pbx_config' ]\n  'watch' =>  1. GotoIf(...)\n 2. AGI(pbxnotify-missed.agi)\n"
)
CALLED = "[ Context 'office' created by 'pbx_config' ]\n  '101' => 1. Gosub(pbxnotify,watch,1(101))\n"


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put an Asterisk with both scripts on this host; returns what makes it answer otherwise."""
    for name in SCRIPTS:
        script = tmp_path / "agi-bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable} -ES\n")
        script.chmod(0o755)

    def answers(dialplan: str = INCLUDED + CALLED, etc: Path = tmp_path, spool: Path = tmp_path) -> None:
        context = dialplan.partition("[ Context 'office'")[0] or "There is no existence of 'pbxnotify' context\n"
        told = f"  Configuration directory:     {etc}\n  Spool directory:             {spool}\n"
        told += f"  AGI Scripts directory:       {tmp_path}/agi-bin\n"
        command = tmp_path / "asterisk"
        command.write_text(
            f'#!/bin/sh\ncase "$2" in "core show settings") printf %s {shlex.quote(told)};;\n'
            f'"dialplan show pbxnotify") printf %s {shlex.quote(context)};;\n'
            f"*) printf %s {shlex.quote(dialplan)};; esac\n"
        )
        command.chmod(0o755)

    answers()
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(tmp_path / "asterisk"))
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path))
    return answers


@pytest.fixture
def timezone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put this host into Moscow's time zone; returns what puts it into another."""

    def is_in(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    is_in("Europe/Moscow")
    yield is_in
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def notes(
    timezone: Callable[[str], None],
    write_ini: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spool: Spool,
    asterisk: Callable[..., None],
) -> Callable[..., list[str]]:
    """Return the notes on a host without tools, whose queue is run, with an ini file and a voicemail.conf."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    state.write(spool.directory, state.RUN)
    state.write(spool.directory, state.MONITOR)

    def notes(ini: str = ALL_IS_WELL, voicemail_conf: str = "") -> list[str]:
        (tmp_path / "voicemail.conf").write_text(voicemail_conf)
        path = write_ini(ini)
        path.chmod(0o640)
        return list(host_notes(load_settings(path), spool))

    return notes


def test_nothing_to_note(notes) -> None:
    assert notes() == []


@pytest.mark.parametrize(
    ("dialplan", "note"),
    [
        pytest.param(CALLED, "the dialplan does not include ours", id="not included"),
        pytest.param(INCLUDED, "no extension of the dialplan calls us", id="nobody calls us"),
    ],
)
def test_a_dialplan_without_us(notes, asterisk, dialplan: str, note: str) -> None:
    asterisk(dialplan)
    (said,) = notes()
    assert note in said


def test_a_script_that_is_called_by_hand(notes, asterisk) -> None:
    asterisk(INCLUDED + CALLED.replace("Gosub(pbxnotify,watch,1(101))", "AGI(pbxnotify-missed.agi,101)"))
    assert notes() == []


def test_an_asterisk_that_stops_in_the_middle(notes, tmp_path: Path) -> None:
    command = tmp_path / "asterisk"
    command.write_text(command.read_text().replace("*) printf", "*) exit 3; printf"))
    said = notes("[smtp]\nlogin = a\npassword = b\n")
    assert said[0].startswith("the running Asterisk was not asked everything: asterisk -rx exited with status 3")


@pytest.mark.parametrize(
    ("directory", "note"),
    [
        pytest.param("etc", "has its configuration directory in /elsewhere, not", id="configuration"),
        pytest.param("spool", "has its spool directory in /elsewhere, not", id="spool"),
    ],
)
def test_another_directory(notes, asterisk, directory: str, note: str) -> None:
    asterisk(**{directory: Path("/elsewhere")})
    (said,) = notes()
    assert note in said


def test_an_asterisk_that_does_not_run(notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    monkeypatch.setenv("AST_AGI_DIR", str(tmp_path / "agi-bin"))
    (said,) = notes()
    assert said.startswith("the running Asterisk was not asked: the command /nowhere/asterisk cannot be run")


def remove(script: Path) -> None:
    script.unlink()


def break_interpreter(script: Path) -> None:
    script.write_text("#!/nowhere/python3 -ES\n")


@pytest.mark.parametrize(
    ("damage", "note"),
    [
        pytest.param(remove, "is not there, or not for Asterisk's user", id="missing"),
        pytest.param(break_interpreter, "Asterisk's user may not execute /nowhere/python3", id="interpreter"),
        pytest.param(lambda script: script.write_text("\n"), "does not begin with #!", id="empty"),
        pytest.param(lambda script: script.chmod(0o600), "may not execute", id="mode"),
    ],
)
def test_a_script_that_cannot_be_executed(notes, tmp_path: Path, damage: Callable[[Path], None], note: str) -> None:
    damage(tmp_path / "agi-bin" / "pbxnotify-missed.agi")
    (said,) = notes()
    assert note in said
    assert "pbxnotify-missed.agi" in said


@pytest.mark.parametrize("ini", ["[notifications]\n", "[notifications]\ntimezone = Europe/London\n"])
def test_a_host_on_utc(notes, timezone, ini: str) -> None:
    timezone("UTC")
    said = [note for note in notes(ini + ALL_IS_WELL) if "times in UTC" in note]
    assert len(said) == ("timezone" not in ini)


def test_a_queue_that_nobody_runs(notes, spool: Spool) -> None:
    Path(spool.directory, "state", state.RUN).unlink()
    (said,) = notes()
    assert said.startswith("nothing has run the queue so far: systemctl enable --now pbxnotify.timer")


def test_a_queue_that_nobody_runs_any_more(notes, spool: Spool) -> None:
    long_ago = time.time() - 7300
    os.utime(Path(spool.directory, "state", state.RUN), (long_ago, long_ago))
    (said,) = notes()
    assert said.startswith("nothing has run the queue for 2 h")


def test_a_machine_that_nobody_looks_at(notes, spool: Spool) -> None:
    an_hour_ago = time.time() - 3700
    os.utime(f"{spool.directory}/state/{state.MONITOR}", (an_hour_ago, an_hour_ago))
    assert notes() == ["nothing looks at this machine: systemctl enable --now pbxnotify-monitor.timer, or cron"]


def test_mail_that_waits_and_has_failed(notes, spool: Spool) -> None:
    for extension in ("101", "102"):
        entry = spool.add(CALL._replace(extensions=(extension,)))
        assert entry
    entry.fail("refused")
    entry.release()
    waits, failed = notes()
    assert (waits.startswith("mail waits: 1, "), failed.startswith("mail has failed: 1: ")) == (True, True)


@pytest.mark.parametrize(
    ("mode", "note"),
    [pytest.param(0o644, "may read the password", id="readable"), pytest.param(0o662, "may write", id="writable")],
)
def test_an_ini_file_open_to_everybody(notes, spool: Spool, box: Path, mode: int, note: str) -> None:
    notes(f"[smtp]\nlogin = a\npassword = b\n{ALL_IS_WELL}")
    (box / "pbxnotify.ini").chmod(mode)
    (said,) = host_notes(load_settings(box / "pbxnotify.ini"), spool)
    assert note in said


def with_phone_book(path: Path) -> str:
    return f"{ALL_IS_WELL}[notifications]\nphone_book = {path}\n"


@pytest.mark.parametrize(
    ("text", "note"),
    [
        pytest.param("", "phones.csv names nobody: write number,name in each line", id="empty"),
        pytest.param("number,name\n", "phones.csv names nobody", id="a heading only"),
        pytest.param("Anna,84951234567\n", "phones.csv names nobody", id="columns the wrong way round"),
        pytest.param("84951234567\n", "phones.csv names nobody", id="numbers only"),
        pytest.param("101,A\n\n7.49E+10,B\n", "has no number or no name in line 3: write number,name", id="no number"),
        pytest.param("101,A\nAnna,102\n103,\n104,\a\n", "in line 2, 3, 4: write", id="no number and no name"),
        pytest.param("7.49E+10,B\n101,A\n", "in line 1: write", id="the first line"),
        pytest.param("101,A\n" + "x,y\n" * 8, "in line 2, 3, 4, 5, 6 and 3 more: write", id="many lines"),
    ],
)
def test_of_the_phone_book(notes, tmp_path: Path, text: str, note: str) -> None:
    path = tmp_path / "phones.csv"
    path.write_text(text)
    (said,) = notes(with_phone_book(path))
    assert note in said


def test_a_phone_book_as_it_should_be(notes, tmp_path: Path) -> None:
    path = tmp_path / "phones.csv"
    path.write_text("sep=;\nPhone 1;Name\n# ours\n\n101;Anna\n8 495 123-45-67;Ivan\n")
    assert notes(with_phone_book(path)) == []


def test_a_phone_book_that_cannot_be_read(notes) -> None:
    (said,) = notes(with_phone_book(Path("/nowhere/phones.csv")))
    assert said.startswith("callers get no name: the phone book /nowhere/phones.csv cannot be read: No such file")


@pytest.mark.parametrize(
    ("ini", "note"),
    [
        pytest.param("[voicemail]\naudio = mp3\n", "(wav49, gsm, wav) go as they are: audio = mp3 needs", id="mp3"),
        pytest.param(
            "[voicemail]\nafter_mailing = delete\nattach = no\n",
            "messages are kept in the mailbox, although after_mailing = delete: attach = no",
            id="nothing is attached",
        ),
    ],
)
def test_of_recordings(notes, ini: str, note: str) -> None:
    (said,) = notes(ALL_IS_WELL + ini)
    assert note in said


def test_messages_that_cannot_be_removed(notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    said = notes(f"{ALL_IS_WELL}[voicemail]\nafter_mailing = delete\n")[-1]
    assert said.startswith("messages are kept in the mailbox, although after_mailing = delete: the command /nowhere")


@pytest.mark.parametrize(
    ("conf", "note"),
    [
        pytest.param(
            "[general]\nformat = wav49|gsm\n", "recordings (wav49, gsm) go as they are: audio = wav", id="gsm"
        ),
        pytest.param("[default]\n101 => 1234,Ivan,ivan@example.com\n", "has an e-mail for 101:", id="e-mail"),
        pytest.param(
            "[default]\n" + "".join(f"{box} => 1,A,a@x\n" for box in range(101, 109)),
            "has an e-mail for 101, 102, 103, 104, 105 and 3 more:",
            id="many e-mails",
        ),
        pytest.param("[default]\n101 => 1234,Ivan,,,delete=yes\n", "delete = yes", id="delete"),
    ],
)
def test_of_voicemail_conf(notes, conf: str, note: str) -> None:
    (said,) = notes(voicemail_conf=conf)
    assert note in said


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param("[general]\nformat = gsm|wav\n", id="plain WAV among them"),
        pytest.param("; 101 => 1234,Ivan,ivan@example.com,,delete=yes\n", id="a comment"),
        pytest.param("[default]\n101 => 1234,Ivan\n", id="no e-mail"),
        pytest.param("[general]\nemailbody = Dear ${VM_NAME}, a message, write to, a@example.com\n", id="a text"),
    ],
)
def test_a_voicemail_conf_as_it_should_be(notes, conf: str) -> None:
    assert notes(voicemail_conf=conf) == []


def test_as_is_needs_no_tool(notes) -> None:
    assert notes(f"{ALL_IS_WELL}[voicemail]\naudio = as-is\n", "[general]\nformat = gsm\n") == []
