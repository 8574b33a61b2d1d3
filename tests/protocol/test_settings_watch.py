"""What a change of the ini file leads to when ``queue run`` notices it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import ONE_EMPLOYEE, reasons
from golden import Golden
from relay import Catcher

from pbxnotify.delivery import settings_watch
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import load_settings
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

QUEUE_RUN = ("queue", "run")
Run = Callable[..., tuple[int, str, str]]


def said_of_settings(log: str) -> str:
    """Return what the log says about the settings, without times."""
    return "\n".join(re.findall("pbxnotify: (settings: .*|error: .*)", log))


@pytest.fixture
def seen(run: Run, relay: Catcher, spool: Spool) -> Catcher:
    """Return the relay in an ini file that has been checked once."""
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


def test_a_change_of_the_mail_settings_sends_one_test_mail(
    run: Run, seen: Catcher, box: Path, logged: Callable[[], str], golden: Golden
) -> None:
    save(box, seen, NEW_SENDER)
    for _ in range(3):
        assert run(*QUEUE_RUN)[0] == os.EX_OK
    (mail,) = seen.mails
    assert (mail.sender, mail.recipients) == ("new@example.com", ("admin@example.com",))
    assert load_language("en").test in mail.message["Subject"]
    golden(said_of_settings(logged()))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("[[101]]", "[[101]]\nname = Ivan"), id="an employee"),
        pytest.param(("[employees]", "[missed_calls]\nsubject = New\n[employees]"), id="a text"),
    ],
)
def test_another_change_sends_none(
    run: Run, seen: Catcher, box: Path, logged: Callable[[], str], golden: Golden, change: tuple[str, str]
) -> None:
    save(box, seen, change)
    run(*QUEUE_RUN)
    assert seen.mails == []
    golden(said_of_settings(logged()))


def test_a_mistake_is_logged_once_with_line_and_option(
    run: Run, seen: Catcher, box: Path, logged: Callable[[], str]
) -> None:
    path = save(box, seen, ("sender = pbx@example.com", "sendr = pbx@example.com"))
    line = path.read_text().splitlines().index("sendr = pbx@example.com") + 1
    for _ in range(3):
        run(*QUEUE_RUN)
    (said,) = said_of_settings(logged()).splitlines()
    assert said.startswith(f"settings: {path}:{line}: [smtp] sendr: ")
    assert seen.mails == []


def test_a_file_that_is_mended_again_sends_none(run: Run, seen: Catcher, box: Path) -> None:
    for changed in (("sender = ", "sendr = "), ("sender = ", "sender = ")):
        save(box, seen, changed)
        run(*QUEUE_RUN)
    assert seen.mails == []


def test_a_file_that_was_broken_at_first_sight(run: Run, relay: Catcher, box: Path, logged: Callable[[], str]) -> None:
    save(box, relay, ("sender = ", "sendr = "))
    run(*QUEUE_RUN)
    save(box, relay)
    run(*QUEUE_RUN)
    assert (logged().count("[smtp] sendr: "), len(relay.mails)) == (1, 1)


def test_a_relay_that_is_down_gets_the_test_mail_later_and_only_one(run: Run, seen: Catcher, box: Path) -> None:
    seen.stop()
    for number in range(3):
        save(box, seen, ("sender = pbx@example.com", f"sender = pbx{number}@example.com"))
        assert run(*QUEUE_RUN)[0] == os.EX_TEMPFAIL
    seen.start()
    run(*QUEUE_RUN, "--all")
    assert [mail.sender for mail in seen.mails] == ["pbx2@example.com"]


def test_what_cannot_be_noted_is_not_done_each_minute(
    run: Run, seen: Catcher, box: Path, spool: Spool, logged: Callable[[], str]
) -> None:
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
    assert "[smtp] sendr: " in logged()


def test_what_is_saved_while_the_queue_is_run_is_noticed_by_the_same_run(run: Run, seen: Catcher, box: Path) -> None:
    """systemd's path unit starts no other one."""

    class SavedMeanwhile(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            """Save the file once more while the relay takes the first test mail."""
            if not seen.mails:
                save(box, seen, ("sender = pbx@example.com", "sender = newer@example.com"))
            return True

    save(box, seen, NEW_SENDER)
    seen.hold_answers(SavedMeanwhile())
    assert run(*QUEUE_RUN)[0] == os.EX_OK
    assert [mail.sender for mail in seen.mails] == ["new@example.com", "newer@example.com"]


def test_a_file_that_is_just_being_saved_is_looked_at_later(
    run: Run, seen: Catcher, box: Path, logged: Callable[[], str], golden: Golden
) -> None:
    text = (box / "pbxnotify.ini").read_text()
    (box / "pbxnotify.ini").write_text("")
    run(*QUEUE_RUN)
    (box / "pbxnotify.ini").write_text(text)
    run(*QUEUE_RUN)
    assert seen.mails == []
    golden(said_of_settings(logged()))


def test_mails_leave_whatever_becomes_of_the_check(
    run: Run,
    seen: Catcher,
    spool: Spool,
    monkeypatch: pytest.MonkeyPatch,
    logged: Callable[[], str],
    golden: Golden,
) -> None:
    def break_down(*arguments: object, **options: object) -> None:
        raise MemoryError("no room")

    seen.stop()
    run("missed", "--from", "5551212", "--to", "101")
    seen.start()
    monkeypatch.setattr("hashlib.blake2b", break_down)
    os.utime(Path(os.environ["PBXNOTIFY_CONFIG"]))
    run(*QUEUE_RUN, "--all")
    golden(said_of_settings(logged()))
    assert [mail.recipients for mail in seen.wait(1)] == [("ivan@example.com",)]


def test_nobody_to_send_it_to(run: Run, seen: Catcher, box: Path, logged: Callable[[], str], golden: Golden) -> None:
    save(box, seen, NEW_SENDER, ("admin_email = admin@example.com", "admin_email ="))
    run(*QUEUE_RUN)
    assert seen.mails == []
    golden(said_of_settings(logged()))


def test_switched_off_means_no_test_mail_either(
    run: Run, seen: Catcher, box: Path, logged: Callable[[], str], golden: Golden
) -> None:
    save(box, seen, ("[notifications]", "[notifications]\nenabled = no"))
    run(*QUEUE_RUN)
    assert seen.mails == []
    golden(reasons(logged(), "skipped"))


def test_what_was_noted_as_tested_is_not_tested_again(run: Run, seen: Catcher, box: Path) -> None:
    settings_watch.note(load_settings(save(box, seen, NEW_SENDER)))
    run(*QUEUE_RUN)
    assert seen.mails == []


def test_no_password_is_remembered(run: Run, box: Path, write_ini: Callable[[str], Path], spool: Spool) -> None:
    write_ini("[smtp]\nlogin = me\npassword = s3cret\n")
    run(*QUEUE_RUN)
    assert state.read_settings(spool.directory).digest
    assert "s3cret" not in Path(spool.directory, "state", state.SETTINGS).read_text()
