"""What a saved change of the ini file leads to, seen through the run of the queue from cron."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import ONE_EMPLOYEE
from relay import Catcher

from pbxnotify.delivery import settings_watch
from pbxnotify.settings.load import load_settings
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

QUEUE_RUN = ("queue", "run")


@pytest.fixture
def seen(run, relay: Catcher, spool: Spool) -> Catcher:
    """Return the relay in an ini file that has been looked at once."""
    run(*QUEUE_RUN)
    assert relay.mails == []
    return relay


def save(box: Path, catcher: Catcher, *replaced: tuple[str, str]) -> Path:
    """Save the ini file as an admin's editor does, over the old one."""
    text = ONE_EMPLOYEE.format(port=catcher.port)
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path = box / "pbxnotify.ini"
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))
    return path


NEW_SENDER = ("sender = pbx@example.com", "sender = new@example.com")


def test_a_change_of_the_mail_settings_sends_one_test_mail(run, seen: Catcher, box: Path, logged) -> None:
    save(box, seen, NEW_SENDER)
    for _ in range(3):
        assert run(*QUEUE_RUN)[0] == os.EX_OK
    (mail,) = seen.mails
    assert (mail.sender, mail.recipients) == ("new@example.com", ("admin@example.com",))
    assert "Test mail" in mail.message["Subject"]
    assert f"settings: {box}/pbxnotify.ini was changed: no mistakes found" in logged()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("[[101]]", "[[101]]\nname = Ivan"), id="an employee"),
        pytest.param(("[employees]", "[missed_calls]\nsubject = New\n[employees]"), id="a text"),
    ],
)
def test_another_change_sends_none(run, seen: Catcher, box: Path, logged, change: tuple[str, str]) -> None:
    save(box, seen, change)
    run(*QUEUE_RUN)
    assert (seen.mails, "was changed: no mistakes found" in logged()) == ([], True)


def test_a_broken_file_is_said_once_with_line_and_option(run, seen: Catcher, box: Path, logged) -> None:
    path = save(box, seen, ("sender = pbx@example.com", "sendr = pbx@example.com"))
    line = path.read_text().splitlines().index("sendr = pbx@example.com") + 1
    for _ in range(3):
        run(*QUEUE_RUN)
    said = f"settings: {path}:{line}: [smtp] sendr: there is no such option here (did you mean sender?)"
    assert logged().count(said) == 1
    assert seen.mails == []


def test_a_file_that_is_mended_again_sends_none(run, seen: Catcher, box: Path) -> None:
    for changed in (("sender = ", "sendr = "), ("sender = ", "sender = ")):
        save(box, seen, changed)
        run(*QUEUE_RUN)
    assert seen.mails == []


def test_a_file_that_was_broken_at_first_sight(run, relay: Catcher, box: Path, logged) -> None:
    save(box, relay, ("sender = ", "sendr = "))
    run(*QUEUE_RUN)
    save(box, relay)
    run(*QUEUE_RUN)
    assert (logged().count("did you mean sender?"), len(relay.mails)) == (1, 1)


def test_a_relay_that_is_down_gets_the_test_mail_later_and_only_one(run, seen: Catcher, box: Path) -> None:
    seen.stop()
    for number in range(3):
        save(box, seen, ("sender = pbx@example.com", f"sender = pbx{number}@example.com"))
        assert run(*QUEUE_RUN)[0] == os.EX_TEMPFAIL
    seen.start()
    run(*QUEUE_RUN, "--all")
    assert [mail.sender for mail in seen.mails] == ["pbx2@example.com"]


def test_what_cannot_be_noted_is_not_done_each_minute(run, seen: Catcher, box: Path, spool: Spool, logged) -> None:
    record = Path(spool.directory, "state", state.SETTINGS)
    text = record.read_text()
    record.unlink()
    record.mkdir()
    for change in (NEW_SENDER, ("sender = ", "sendr = ")):
        save(box, seen, change)
        for _ in range(2):
            run(*QUEUE_RUN)
    assert (seen.mails, "settings:" in logged()) == ([], False)
    record.rmdir()
    record.write_text(text)
    run(*QUEUE_RUN)
    assert "did you mean sender?" in logged()


def test_a_file_that_is_just_being_saved_is_looked_at_later(run, seen: Catcher, box: Path, logged) -> None:
    text = (box / "pbxnotify.ini").read_text()
    (box / "pbxnotify.ini").write_text("")
    run(*QUEUE_RUN)
    (box / "pbxnotify.ini").write_text(text)
    run(*QUEUE_RUN)
    assert (seen.mails, "admin_email is empty" in logged()) == ([], False)


def test_mails_leave_whatever_becomes_of_the_look(run, seen: Catcher, spool: Spool, monkeypatch, logged) -> None:
    def break_down(*arguments: object, **options: object) -> None:
        raise MemoryError("no room")

    seen.stop()
    run("missed", "--from", "5551212", "--to", "101")
    seen.start()
    monkeypatch.setattr("hashlib.blake2b", break_down)
    os.utime(Path(os.environ["PBXNOTIFY_CONFIG"]))
    run(*QUEUE_RUN, "--all")
    assert "error: the ini file cannot be looked at: MemoryError: no room" in logged()
    assert [mail.recipients for mail in seen.wait(1)] == [("ivan@example.com",)]


def test_nobody_to_send_it_to(run, seen: Catcher, box: Path, logged) -> None:
    save(box, seen, NEW_SENDER, ("admin_email = admin@example.com", "admin_email ="))
    run(*QUEUE_RUN)
    assert (seen.mails, "no test mail can be sent: [notifications] admin_email is empty" in logged()) == ([], True)


def test_switched_off_means_no_test_mail_either(run, seen: Catcher, box: Path, logged) -> None:
    save(box, seen, ("[notifications]", "[notifications]\nenabled = no"))
    run(*QUEUE_RUN)
    assert (seen.mails, 'reason="notifications are switched off"' in logged()) == ([], True)


def test_what_was_noted_as_tested_is_not_tested_again(run, seen: Catcher, box: Path) -> None:
    settings_watch.note(load_settings(save(box, seen, NEW_SENDER)))
    run(*QUEUE_RUN)
    assert seen.mails == []


def test_no_password_is_remembered(run, box: Path, write_ini: Callable[[str], Path], spool: Spool) -> None:
    write_ini("[smtp]\nlogin = me\npassword = s3cret\n")
    run(*QUEUE_RUN)
    assert state.read_settings(spool.directory).digest
    assert "s3cret" not in Path(spool.directory, "state", state.SETTINGS).read_text()
