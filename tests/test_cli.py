"""The admin's commands: what they print, and their exit statuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calls import ONE_EMPLOYEE as INI
from mailboxes import sound
from relay import Catcher, Certificates, ScriptedRelay, silence

from pbxnotify.spool import Spool

MISSED = ["missed", "--from", "5551212", "--name", "Алиса", "--to", "101"]


def test_check_says_what_follows_from_the_ini_file(run, relay: Catcher) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run("check")
    assert status == os.EX_OK
    assert "no mistakes found" in said
    assert f"127.0.0.1:{relay.port}, not encrypted" in said
    assert "employees        1, with an e-mail: 1" in said


def test_check_names_every_mistake(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("[smtp]\nhots = x\nport = 99999\npassword = abc#def\n")
    status, _, said = run("check")
    assert status == os.EX_CONFIG
    assert [word in said for word in ("did you mean host", "99999", "cut off at its #")] == [True] * 3
    assert "abc" not in said


def test_check_says_that_all_is_switched_off(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("[notifications]\nenabled = no\n")
    assert "notifications are switched off" in run("check")[1]


def test_another_ini_file(run, box: Path) -> None:  # type: ignore[no-untyped-def]
    status, _, said = run("--config", str(box / "other.ini"), "check")
    assert (status, "other.ini: there is no such file" in said) == (os.EX_CONFIG, True)


def test_the_test_mail_shows_the_relays_own_words(run, relay: Catcher) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run("test", "me@example.com")
    assert (status, "me@example.com: the relay said: 250 2.0.0 Ok: queued as" in said) == (os.EX_OK, True)
    assert relay.wait(1)[0].recipients == ("me@example.com",)


def test_the_test_mail_goes_to_the_administrator(run, relay: Catcher) -> None:  # type: ignore[no-untyped-def]
    run("test")
    assert relay.wait(1)[0].recipients == ("admin@example.com",)


def test_a_test_mail_to_nobody(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("")
    status, _, said = run("test")
    assert (status, "pbxnotify test you@example.com" in said) == (os.EX_USAGE, True)


def test_the_conversation_without_secrets(run, write_ini, certificates: Certificates) -> None:  # type: ignore[no-untyped-def]
    with Catcher(login=("me", "s3cret-word")) as catcher:
        write_ini(INI.format(port=catcher.port).replace("sender", "login = me\npassword = s3cret-word\nsender"))
        status, said, _ = run("test", "-v")
    assert status == os.EX_OK
    assert "> AUTH" in said
    assert "> MAIL FROM:<pbx@example.com>" in said
    assert "s3cret" not in said


def test_a_wrong_password(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    with Catcher(login=("me", "right")) as catcher:
        write_ini(INI.format(port=catcher.port).replace("sender", "login = me\npassword = wr0ng\nsender"))
        status, said, error = run("test", "-v")
    assert status == os.EX_CONFIG
    assert "535" in error
    assert "app password" in error
    assert "wr0ng" not in said + error


def test_missed_sends_a_mail(run, relay: Catcher, spool: Spool) -> None:  # type: ignore[no-untyped-def]
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    assert "pbxnotify: queued id=" in error
    assert relay.wait(1)[0].message["Subject"] == "Missed call: Алиса, 5551212"
    assert spool.identifiers() == []


def test_missed_while_the_relay_is_down(run, relay: Catcher, spool: Spool) -> None:  # type: ignore[no-untyped-def]
    relay.stop()
    status, said, error = run(*MISSED)
    assert (status, said) == (os.EX_TEMPFAIL, "pbxnotify: QUEUED\n")
    assert "Connection refused" in error
    assert len(spool.identifiers()) == 1


def test_missed_as_a_dry_run(run, relay: Catcher, box: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(*MISSED, "--dry-run")
    assert status == os.EX_OK
    assert "Subject: Missed call: Алиса, 5551212" in said
    assert "To: ivan@example.com" in said
    assert "\r" not in said
    assert relay.mails == []
    assert not (box / "spool").exists()


def test_a_dry_run_that_tells_nobody(run, relay: Catcher) -> None:  # type: ignore[no-untyped-def]
    assert "nobody would be told: 999 fits no employee" in run("missed", "--from", "5", "--to", "999", "--dry-run")[1]


def test_a_spool_that_cannot_be(run, box: Path) -> None:  # type: ignore[no-untyped-def]
    (box / "spool").touch()
    status, _, said = run("queue", "list")
    assert (status, "the spool cannot be used" in said) == (os.EX_IOERR, True)


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
def test_usage(run, arguments: list[str]) -> None:  # type: ignore[no-untyped-def]
    status, _, said = run(*arguments)
    assert (status, "usage: pbxnotify" in said) == (os.EX_USAGE, True)


def test_version(run) -> None:  # type: ignore[no-untyped-def]
    assert run("--version")[:2] == (0, "pbxnotify 0.1.0\n")


def test_ctrl_c_leaves_the_item_in_the_queue(write_ini, spool: Spool) -> None:  # type: ignore[no-untyped-def]
    with ScriptedRelay(greeting=silence) as relay:
        write_ini(INI.format(port=relay.port))
        with subprocess.Popen(
            [sys.executable, "-m", "pbxnotify.cli", *MISSED],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  ignored in the background
        ) as process:
            relay.connected.wait(10)
            process.send_signal(signal.SIGINT)
            assert process.stderr
            said = process.stderr.read()
    assert process.returncode == 130
    assert "interrupted; what is in the queue stays there" in said
    assert "Traceback" not in said
    assert len(spool.identifiers()) == 1


def test_a_reader_that_has_gone(write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("")
    command = f"'{sys.executable}' -m pbxnotify.cli check | true"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def test_check_notes_what_was_hardly_meant(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("")
    assert "NOTE             nobody will be told" in run("check")[1]


def test_every_mistake_begins_with_our_name(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("[smtp]\nport = a\ntimeout = b\n")
    assert [line.partition(":")[0] for line in run("check")[2].splitlines()] == ["pbxnotify"] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--cause", "ANSWER"], id="an answered call"),
        pytest.param(["--duration", "99999999999999"], id="longer than any call"),
        pytest.param(["--to", " & "], id="no extension"),
    ],
)
def test_what_is_no_missed_call(run, relay: Catcher, arguments: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert run(*MISSED, *arguments)[0] == os.EX_USAGE


def test_the_ini_file_is_named_behind_the_command(run, box: Path) -> None:  # type: ignore[no-untyped-def]
    assert "other.ini: there is no such file" in run("check", "--config", str(box / "other.ini"))[2]


# ---- voicemail

VOICEMAIL = ["voicemail", "--from", "5551212", "--name", "Алиса", "--to", "101"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return a recording of 7 s."""
    return sound(tmp_path / "msg0000.wav", 7)


def test_voicemail_sends_a_mail(run, relay: Catcher, spool: Spool, recording: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(*VOICEMAIL, "--recording", str(recording))
    assert (status, said) == (os.EX_OK, "pbxnotify: SENT\n")
    (mail,) = relay.wait(1)
    assert mail.message["Subject"] == "Voicemail: Алиса, 5551212, 0:07"
    (part,) = mail.message.iter_attachments()
    assert part.get_content() == recording.read_bytes()
    assert recording.exists()
    assert list(Path(spool.directory).rglob("*.wav")) == []


def test_voicemail_as_a_dry_run(run, relay: Catcher, box: Path, recording: Path) -> None:  # type: ignore[no-untyped-def]
    status, said, _ = run(
        *VOICEMAIL, "--recording", str(recording), "--duration", "65", "--mailbox", "200", "--dry-run"
    )
    assert status == os.EX_OK
    assert "Subject: Voicemail: Алиса, 5551212, 1:05" in said
    assert "Mailbox: 200" in said
    assert f"_5551212.wav, audio/wav, {recording.stat().st_size} bytes]" in said
    assert (relay.mails, (box / "spool").exists()) == ([], False)


def test_voicemail_waits_while_the_relay_is_down(run, relay: Catcher, spool: Spool, recording: Path) -> None:  # type: ignore[no-untyped-def]
    relay.stop()
    assert run(*VOICEMAIL, "--recording", str(recording))[0] == os.EX_TEMPFAIL
    recording.unlink()
    relay.start()
    run("queue", "run", "--all")
    (part,) = relay.wait(1)[0].message.iter_attachments()
    assert len(part.get_content()) == 7 * 16000 + 44


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("missing.wav", "No such file or directory", id="no file"),
        pytest.param("notes.doc", "is no recording: its name must end in one of .wav16, .wav, ", id="no recording"),
        pytest.param("folder.wav", "is no regular file", id="a directory"),
        pytest.param("passwd.wav", "is no WAV file, whatever its name says", id="another file"),
    ],
)
def test_what_is_no_recording(run, relay: Catcher, tmp_path: Path, name: str, why: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "passwd.wav").write_text("root:x:0:0:root:/root:/bin/sh\n")
    status, _, said = run(*VOICEMAIL, "--recording", str(tmp_path / name))
    assert (status, why in said) == (os.EX_USAGE, True)


def test_check_says_where_voicemail_goes(run, write_ini) -> None:  # type: ignore[no-untyped-def]
    write_ini("[voicemail]\nemail = voicemail@example.com\n")
    assert "voicemail        on; common address: voicemail@example.com" in run("check")[1]
