"""Notes of ``pbxnotify check`` on this machine. The Asterisk here is a script that answers ``-rx`` only."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import CALL
from golden import Golden

from pbxnotify.health.dialplan import SCRIPTS
from pbxnotify.health.host import host_notes
from pbxnotify.settings.load import load_settings
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

NOTHING_TO_NOTE = "[missed_calls]\nemail = common@example.com\n"
INCLUDED = """\
[ Context 'pbxnotify' created by 'pbx_config' ]
  'watch' =>        1. Set(LOCAL(ext)=${ARG1})                    [extensions_pbxnotify.conf:27]
                    2. AGI(pbxnotify-missed.agi)                  [extensions_pbxnotify.conf:38]
"""
CALLED = """\
[ Context 'office' created by 'pbx_config' ]
  '101' =>          1. Gosub(pbxnotify,watch,1(101))              [extensions.conf:33]
                    2. Dial(PJSIP/101)                            [extensions.conf:34]
                    3. VoiceMail(101@default,u)                   [extensions.conf:35]
"""


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put an Asterisk with both scripts on this host; returns a function that changes its answers."""
    for name in SCRIPTS:
        script = tmp_path / "agi-bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable} -ES\n")
        script.chmod(0o755)

    def answers(
        dialplan: str = INCLUDED + CALLED,
        etc: Path = tmp_path,
        spool: Path = tmp_path,
        applications: str = "             VoiceMail: Leave a Voicemail message. \n",
        modules: str = "0 modules loaded\n",
    ) -> None:
        said = f"  Configuration directory:     {etc}\n  Spool directory:             {spool}\n"
        said += f"  AGI Scripts directory:       {tmp_path}/agi-bin\n"
        command = tmp_path / "asterisk"
        command.write_text(
            f'#!/bin/sh\ncase "$2" in "core show settings") printf %s {shlex.quote(said)};;\n'
            f'"core show applications like VoiceMail") printf %s {shlex.quote(applications)};;\n'
            f'"module show like "*) case {shlex.quote(modules)} in *"${{2##* }}"*) echo "${{2##* }}.so";; esac;;\n'
            f"*) printf %s {shlex.quote(dialplan)};; esac\n"
        )
        command.chmod(0o755)

    answers()
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(tmp_path / "asterisk"))
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path))
    return answers


@pytest.fixture
def timezone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Put this host into Moscow's time zone; returns a function that puts it into another."""

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

    def notes(ini: str = NOTHING_TO_NOTE, voicemail_conf: str = "") -> list[str]:
        (tmp_path / "voicemail.conf").write_text(voicemail_conf)
        path = write_ini(ini)
        path.chmod(0o640)
        return [str(note) for note in host_notes(load_settings(path), spool)]

    return notes


def test_nothing_to_note(notes) -> None:
    assert notes() == []


@pytest.mark.parametrize(
    "dialplan",
    [pytest.param(CALLED, id="not included"), pytest.param(INCLUDED, id="nobody calls us")],
)
def test_a_dialplan_without_us(notes, asterisk, golden: Golden, dialplan: str) -> None:
    asterisk(dialplan)
    (said,) = notes()
    golden(said)


@pytest.mark.parametrize(
    ("modules", "cure"),
    [
        pytest.param("app_voicemail.so\napp_voicemail_odbc.so", "noload => app_voicemail_odbc.so", id="of Debian"),
        pytest.param("res_mwi_external.so", "noload => res_mwi_external.so", id="external"),
        pytest.param("", "load => app_voicemail.so", id="not loaded"),
    ],
)
def test_an_asterisk_without_the_application_voicemail(
    notes, asterisk, golden: Golden, modules: str, cure: str
) -> None:
    asterisk(applications="         VoiceMailMain: Check Voicemail messages. \n", modules=modules)
    (said,) = notes()
    assert cure in said
    golden(said)


def test_calls_that_are_dropped(notes, asterisk) -> None:
    asterisk(INCLUDED + CALLED.replace("watch", "wach"))
    assert "office,101,1 (extensions.conf:33)" in notes()[0]


def test_a_dialplan_where_asterisk_does_not_run(notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    monkeypatch.setenv("AST_AGI_DIR", str(tmp_path / "agi-bin"))
    (tmp_path / "extensions.conf").write_text("[a]\nexten => 101,1,Gosub(pbxnotify,wach,1(101))\n")
    assert "a,101,1 (extensions.conf:2)" in notes()[1]


def test_a_script_that_is_called_without_watch(notes, asterisk) -> None:
    asterisk(INCLUDED + CALLED.replace("Gosub(pbxnotify,watch,1(101))", "AGI(pbxnotify-missed.agi,101)"))
    assert notes() == []


def test_an_asterisk_that_stops_in_the_middle(notes, tmp_path: Path, golden: Golden) -> None:
    command = tmp_path / "asterisk"
    command.write_text(command.read_text().replace("*) printf", "*) exit 3; printf"))
    golden(notes("[smtp]\nlogin = a\npassword = b\n")[0])


@pytest.mark.parametrize(
    ("directory", "variable"),
    [
        pytest.param("etc", "AST_CONFIG_DIR", id="configuration"),
        pytest.param("spool", "AST_SPOOL_DIR", id="spool"),
    ],
)
def test_another_directory(notes, asterisk, golden: Golden, directory: str, variable: str) -> None:
    asterisk(**{directory: Path("/elsewhere")})
    (said,) = notes()
    assert f"{variable}=/elsewhere" in said
    golden(said)


def test_an_asterisk_that_does_not_run(notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    monkeypatch.setenv("AST_AGI_DIR", str(tmp_path / "agi-bin"))
    (said,) = notes()
    golden(said)


def remove(script: Path) -> None:
    script.unlink()


def break_interpreter(script: Path) -> None:
    script.write_text("#!/nowhere/python3 -ES\n")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(remove, id="missing"),
        pytest.param(break_interpreter, id="interpreter"),
        pytest.param(lambda script: script.write_text("\n"), id="empty"),
        pytest.param(lambda script: script.chmod(0o600), id="mode"),
    ],
)
def test_a_script_that_cannot_be_executed(
    notes, tmp_path: Path, damage: Callable[[Path], None], golden: Golden
) -> None:
    script = tmp_path / "agi-bin" / "pbxnotify-missed.agi"
    damage(script)
    (said,) = notes()
    assert str(script) in said
    golden(said)


def test_a_host_on_utc(notes, timezone, golden: Golden) -> None:
    timezone("UTC")
    (said,) = notes(f"[notifications]\n{NOTHING_TO_NOTE}")
    assert "[notifications] timezone" in said
    golden(said)


def test_a_host_on_utc_with_a_time_zone_in_the_ini_file(notes, timezone) -> None:
    timezone("UTC")
    assert notes(f"[notifications]\ntimezone = Europe/London\n{NOTHING_TO_NOTE}") == []


def test_a_queue_that_nobody_runs(notes, spool: Spool, golden: Golden) -> None:
    Path(spool.directory, "state", state.RUN).unlink()
    (said,) = notes()
    golden(said)


def test_a_queue_that_nobody_runs_any_more(notes, spool: Spool, golden: Golden) -> None:
    long_ago = time.time() - 7300
    os.utime(Path(spool.directory, "state", state.RUN), (long_ago, long_ago))
    (said,) = notes()
    golden(said)


def test_a_machine_that_nobody_monitors(notes, spool: Spool, golden: Golden) -> None:
    an_hour_ago = time.time() - 3700
    os.utime(f"{spool.directory}/state/{state.MONITOR}", (an_hour_ago, an_hour_ago))
    (said,) = notes()
    golden(said)


def test_mail_that_waits_and_has_failed(notes, spool: Spool, golden: Golden) -> None:
    waiting, refused = (spool.add(CALL._replace(extensions=(extension,))) for extension in ("101", "102"))
    assert waiting and refused
    refused.fail("refused")
    refused.release()
    waits, failed = notes()
    golden(waits, "waits")
    golden(failed, "failed")


@pytest.mark.parametrize("mode", [pytest.param(0o644, id="readable"), pytest.param(0o662, id="writable")])
def test_an_ini_file_open_to_everybody(notes, spool: Spool, box: Path, mode: int, golden: Golden) -> None:
    notes(f"[smtp]\nlogin = a\npassword = b\n{NOTHING_TO_NOTE}")
    (box / "pbxnotify.ini").chmod(mode)
    (said,) = host_notes(load_settings(box / "pbxnotify.ini"), spool)
    golden(str(said))


def with_phone_book(path: Path) -> str:
    return f"{NOTHING_TO_NOTE}[notifications]\nphone_book = {path}\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("number,name\n", "", id="a heading only"),
        pytest.param("Anna,84951234567\n", "", id="columns the wrong way round"),
        pytest.param("84951234567\n", "", id="numbers only"),
        pytest.param("101,A\n\n7.49E+10,B\n", "line 3:", id="no number"),
        pytest.param("101,A\nAnna,102\n103,\n104,\a\n", "line 2, 3, 4:", id="no number and no name"),
        pytest.param("7.49E+10,B\n101,A\n", "line 1:", id="the first line"),
        pytest.param("101,A\n" + "x,y\n" * 8, "line 2, 3, 4, 5, 6 and 3 more:", id="many lines"),
    ],
)
def test_a_phone_book_with_mistakes(notes, tmp_path: Path, text: str, lines: str, golden: Golden) -> None:
    path = tmp_path / "phones.csv"
    path.write_text(text)
    (said,) = notes(with_phone_book(path))
    assert str(path) in said
    assert lines in said
    golden(said)


def test_a_phone_book_without_mistakes(notes, tmp_path: Path) -> None:
    path = tmp_path / "phones.csv"
    path.write_text("sep=;\nPhone 1;Name\n# ours\n\n101;Anna\n8 495 123-45-67;Ivan\n")
    assert notes(with_phone_book(path)) == []


def test_a_phone_book_that_cannot_be_read(notes, golden: Golden) -> None:
    (said,) = notes(with_phone_book(Path("/nowhere/phones.csv")))
    assert "/nowhere/phones.csv cannot be read: No such file" in said
    golden(said)


@pytest.mark.parametrize(
    "ini",
    [
        pytest.param("[voicemail]\naudio = mp3\n", id="mp3"),
        pytest.param("[voicemail]\nafter_mailing = delete\nattach = no\n", id="nothing is attached"),
    ],
)
def test_recordings(notes, ini: str, golden: Golden) -> None:
    (said,) = notes(NOTHING_TO_NOTE + ini)
    golden(said)


def test_messages_that_cannot_be_removed(notes, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    golden(notes(f"{NOTHING_TO_NOTE}[voicemail]\nafter_mailing = delete\n")[-1])


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param("[general]\nformat = wav49|gsm\n", id="gsm"),
        pytest.param("[default]\n101 => 1234,Ivan,ivan@example.com\n", id="e-mail"),
        pytest.param(
            "[default]\n" + "".join(f"{box} => 1,A,a@x\n" for box in range(101, 109)),
            id="many e-mails",
        ),
        pytest.param("[default]\n101 => 1234,Ivan,,,delete=yes\n", id="delete"),
    ],
)
def test_a_voicemail_conf_that_does_not_fit(notes, conf: str, golden: Golden) -> None:
    (said,) = notes(voicemail_conf=conf)
    golden(said)


@pytest.mark.parametrize(
    "conf",
    [
        pytest.param("[general]\nformat = gsm|wav\n", id="plain WAV among them"),
        pytest.param("; 101 => 1234,Ivan,ivan@example.com,,delete=yes\n", id="a comment"),
        pytest.param("[default]\n101 => 1234,Ivan\n", id="no e-mail"),
        pytest.param("[general]\nemailbody = Dear ${VM_NAME}, a message, write to, a@example.com\n", id="a text"),
    ],
)
def test_a_voicemail_conf_that_fits(notes, conf: str) -> None:
    assert notes(voicemail_conf=conf) == []


def test_as_is_needs_no_tool(notes) -> None:
    assert notes(f"{NOTHING_TO_NOTE}[voicemail]\naudio = as-is\n", "[general]\nformat = gsm\n") == []
