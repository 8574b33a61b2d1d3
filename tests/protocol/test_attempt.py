"""What becomes of an item after one attempt: sent, deferred, failed or skipped."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import calls
import pytest
from calls import ALL, CALL, added, failed_item, reasons, recipients_of, tell, waiting
from checkout import ROOT
from golden import Golden
from mailboxes import sound
from relay import Catcher, ScriptedRelay, Talk, close

from pbxnotify.delivery.attempt import Attempt
from pbxnotify.delivery.outcome import Outcome
from pbxnotify.delivery.runner import deliver, run_queue
from pbxnotify.delivery.settings_watch import notice
from pbxnotify.errors import RelayUnavailable
from pbxnotify.events import Alert, MissedCall, Voicemail
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import ini_fingerprint, ini_path
from pbxnotify.spool.backoff import RelayBackoff, read_backoff, write_backoff
from pbxnotify.spool.store import Spool

RUSSIAN = load_language("ru")


def test_a_retry_goes_only_to_those_still_missing(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    catcher.answers["b@example.com"] = "451 4.7.1 greylisted"
    assert tell() == ["QUEUED", "QUEUED"]
    assert run_queue(spool) == {}, "not due yet"
    catcher.answers.clear()
    assert run_queue(spool, everything=True) == {"sent": 1}
    assert recipients_of(catcher) == ALL


def test_an_item_is_removed_before_the_relay_answers_quit(use: Callable[..., None], spool: Spool) -> None:
    left: list[str] = []

    def look(talk: Talk) -> None:
        left.extend(spool.identifiers())
        close(talk)

    with ScriptedRelay(QUIT=look) as relay:
        use(relay.port)
        assert tell() == ["QUEUED", "SENT"]
        assert (len(relay.messages), left) == (3, [])


def test_who_has_it_is_recorded_while_somebody_is_missing(use: Callable[..., None], write_ini, spool: Spool) -> None:
    with ScriptedRelay(RCPT=["250 2.1.5 Ok", "451 4.7.1 later"]) as relay:
        use(relay.port)
        calls.queue(spool, CALL.only(["101", "102"]))
        run_queue(spool)
    recorded: list[object] = []

    def look(talk: Talk) -> None:
        recorded.append(dict(waiting(spool)[0].recipients))
        talk.say("250 2.1.0 Ok")

    with ScriptedRelay(MAIL=["250 2.1.0 Ok", look]) as relay:
        write_ini(calls.INI.format(port=relay.port, enabled="yes").replace("a@example.com", "new-a@example.com"))
        assert run_queue(spool, everything=True) == {"sent": 1}
    assert recorded == [{"a@example.com": "sent", "new-a@example.com": "sent"}]


def test_one_refused_and_two_accepted(
    use: Callable[..., None], catcher: Catcher, spool: Spool, logged: Callable[[], str]
) -> None:
    use(catcher.port)
    catcher.answers["b@example.com"] = "550 5.1.1 no such user"
    assert tell() == ["QUEUED", "FAILED"]
    item = failed_item(spool)
    assert item.recipients == {"a@example.com": "sent", "b@example.com": "refused", "c@example.com": "sent"}
    assert "no such user" in item.reason
    assert recipients_of(catcher) == ["a@example.com", "admin@example.com", "c@example.com"], "as well as those"
    assert run_queue(spool, everything=True) == {}
    assert recipients_of(catcher) == ["a@example.com", "admin@example.com", "c@example.com"]


def test_the_backoff_grows_with_each_failure(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        tell()
        pauses = []
        for _ in range(7):
            noted = read_backoff(spool.directory)
            pauses.append(noted.until - noted.since)
            write_backoff(spool.directory, noted._replace(until=1.0))
            assert run_queue(spool) == {"deferred": 1}
    minutes = [60 * minute for minute in (1, 2, 5, 15, 30, 60, 60)]
    assert all(0.89 * usual <= pause <= 1.11 * usual for usual, pause in zip(minutes, pauses))


def test_an_accepted_mail_ends_the_backoff_whatever_comes_then(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(greeting=["220 scripted.test", "421 4.3.2 shutting down"], MAIL=["250 Ok", close]) as relay:
        use(relay.port)
        write_backoff(spool.directory, RelayBackoff(5, 1.0, ini_fingerprint(ini_path()), "down", 1.0))
        assert tell() == ["QUEUED", "QUEUED"]
        assert (len(relay.messages), relay.connections) == (1, 2)
    assert read_backoff(spool.directory).failures == 1


def test_a_failure_that_many_calls_share_is_counted_once(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        items = [added(spool, CALL._replace(linked_id=str(number))) for number in range(3)]
        outcomes = [Outcome(Attempt(item), spool, "ini") for item in items]
        for outcome in outcomes:
            outcome.relay_failed(RelayUnavailable("down", stage="connect"))
    assert read_backoff(spool.directory).failures == 1


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        pytest.param({"MAIL": "553 5.7.1 sender address rejected"}, "553", id="sender refused"),
        pytest.param({"RCPT": "554 5.7.1 relay access denied"}, "554", id="policy at every recipient"),
        pytest.param({"greeting": "554 no service"}, "554", id="greeting"),
    ],
)
def test_a_configuration_error_is_kept_and_the_administrator_is_notified_once(
    use: Callable[..., None], spool: Spool, faults, reason: str
) -> None:
    with ScriptedRelay(**faults) as relay:
        use(relay.port)
        assert tell() == ["QUEUED", "QUEUED"]
        write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
        run_queue(spool)
    (call,), (alert,) = waiting(spool), waiting(spool, "alert")
    assert reason in call.reason
    assert isinstance(alert.event, Alert)
    assert reason in alert.event.body
    assert read_backoff(spool.directory).until - time.time() > 3000


@pytest.mark.parametrize(
    ("answer", "subject"),
    [
        pytest.param("550 5.1.1 nobody", RUSSIAN.failed_missed_call, id="refused for good"),
        pytest.param("550 5.7.1 blocked", RUSSIAN.held, id="held up"),
    ],
)
def test_the_administrator_is_notified_in_the_language_of_the_settings(
    write_ini, catcher: Catcher, spool: Spool, answer: str, subject: str
) -> None:
    ini = calls.INI.format(port=catcher.port, enabled="yes")
    write_ini(ini.replace("[notifications]\n", "[notifications]\nlanguage = ru\n"))
    catcher.answers.update(dict.fromkeys([*ALL, "admin@example.com"], answer))
    catcher.answers["admin@example.com"] = "451 4.7.1 later"
    tell()
    (alert,) = waiting(spool, "alert")
    assert isinstance(alert.event, Alert)
    assert alert.event.subject == subject


def test_policy_against_one_recipient_holds_up_no_other(
    use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    use(catcher.port)
    catcher.answers["a@example.com"] = "550 5.7.1 blocked by policy"
    assert tell(CALL.only(["101"])) == ["QUEUED", "QUEUED"]
    assert tell(CALL.only(["102"])) == ["QUEUED", "SENT"]
    assert len(waiting(spool)) == 1
    assert "admin@example.com" in recipients_of(catcher)


def call_of(number: int, extension: str) -> MissedCall:
    """Return a call of its own that an employee missed."""
    return CALL._replace(linked_id=f"{number}.1").only([extension])


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "message"])
def test_the_same_answer_to_the_next_recipient_is_about_us(
    use: Callable[..., None], catcher: Catcher, spool: Spool, stage: str
) -> None:
    """In words that no table has: two mails meet it, then none is tried; nothing is lost."""
    faults: dict[str, Any] = {stage: "554 wibble"}
    with ScriptedRelay(**faults) as relay:
        use(relay.port)
        for number, extension in enumerate(("101", "102", "103")):
            calls.queue(spool, call_of(number, extension))
        assert run_queue(spool) == {"deferred": 2}
        assert run_queue(spool) == {}
        assert [len(relay.commands(verb)) for verb in ("EHLO", "MAIL")] == [1, 2]
    assert (read_backoff(spool.directory).told, spool.identifiers("failed")) == (True, [])
    use(catcher.port)
    run_queue(spool)
    assert recipients_of(catcher) == ["a@example.com", "admin@example.com", "b@example.com", "c@example.com"]


def test_two_of_a_group_are_tried(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(RCPT="554 wibble") as relay:
        use(relay.port)
        assert tell() == ["QUEUED", "QUEUED"]
        assert relay.commands("RCPT") == [b"RCPT TO:<a@example.com>", b"RCPT TO:<b@example.com>"]


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("550 5.1.1 no such user", id="about a recipient"),
        pytest.param("554 5.6.0 wibble", id="another one"),
        pytest.param("250 2.1.5 Ok", id="accepted"),
    ],
)
def test_another_answer_to_the_next_recipient_is_not(use: Callable[..., None], spool: Spool, then: str) -> None:
    with ScriptedRelay(RCPT=["554 wibble", then, "250 2.1.5 Ok"]) as relay:
        use(relay.port)
        for number, extension in enumerate(("101", "102", "103")):
            calls.queue(spool, call_of(number, extension))
        run_queue(spool)
        assert read_backoff(spool.directory).told is False
        assert len(relay.commands("RCPT")) >= 4


@pytest.mark.parametrize("answer", ["554 wibble", "553 5.7.1 sender address rejected"], ids=["doubt", "about us"])
def test_refused_again_while_others_are_accepted_is_about_the_recipient(
    use: Callable[..., None], catcher: Catcher, spool: Spool, answer: str
) -> None:
    """Whatever it says: an hour later the others go first, and then it holds up nobody any more."""
    use(catcher.port)
    catcher.answers["a@example.com"] = answer
    tell(call_of(1, "101"))
    write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
    assert tell(call_of(2, "102")) == ["QUEUED", "SENT"]
    assert read_backoff(spool.directory) == RelayBackoff()
    assert run_queue(spool, everything=True)["failed"] == 1
    assert read_backoff(spool.directory) == RelayBackoff()
    assert tell(call_of(3, "103")) == ["QUEUED", "SENT"]


def test_one_recipient_alone_refused_twice_is_about_us(write_ini: Callable[[str], Path], spool: Spool) -> None:
    """An hour later, and nothing was accepted since: nobody else is there to show it."""
    with ScriptedRelay(RCPT="554 wibble") as relay:
        write_ini(calls.ONE_EMPLOYEE.format(port=relay.port).replace("admin_email = admin@example.com\n", ""))
        for number in range(3):
            tell(call_of(number, "101"))
        assert len(relay.commands("RCPT")) == 1
        for count in (2, 3):
            write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
            run_queue(spool, everything=True)
            assert (len(relay.commands("RCPT")), read_backoff(spool.directory).told) == (count, True)
    assert (len(spool.identifiers()), spool.identifiers("failed")) == (3, [])


def test_the_admins_retry_does_not_make_a_block_the_recipients(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(message="554 5.2.252 SendAsDenied") as relay:
        use(relay.port)
        for number in range(3):
            tell(call_of(number, "101"))
            run_queue(spool, everything=True)
    assert (len(waiting(spool)), spool.identifiers("failed")) == (3, [])


def test_a_changed_ini_file_puts_back_what_failed_for_our_sake(
    use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    """Not what failed for its recipient's."""
    notice(spool)
    use(catcher.port)
    notice(spool)
    catcher.answers.update({"a@example.com": "554 wibble", "b@example.com": "550 5.1.1 no such user"})
    for number, extension in enumerate(("101", "103", "102")):
        tell(call_of(number, extension))
    run_queue(spool, everything=True)
    assert len(spool.identifiers("failed")) == 2
    catcher.answers.clear()
    use(catcher.port, timeout=59)
    notice(spool)
    run_queue(spool)
    assert len(spool.identifiers("failed")) == 1
    assert "a@example.com" in recipients_of(catcher)


def test_a_relay_that_finds_a_mail_too_large_at_mail(use: Callable[..., None], spool: Spool, recording: int) -> None:
    """As Courier says it, which announces SIZE without a number: the recording stays, nobody waits."""

    def judge(talk: Talk) -> None:
        size = int(relay.lines[-1].partition(b"SIZE=")[2])
        talk.say("534 SIZE=Message too big." if size > 100_000 else "250 2.1.0 Ok")

    with ScriptedRelay(extensions=["SIZE"], MAIL=judge) as relay:
        use(relay.port)
        assert deliver_voicemail(spool, recording) == "sent"
        assert len(relay.messages) == 2


def test_an_item_refused_at_mail_never_stands_before_others_twice(
    use: Callable[..., None], spool: Spool, recording: int
) -> None:
    """In words that say nothing of its size: offered without its recording, and then it waits behind them."""

    def judge(talk: Talk) -> None:
        talk.say("550 wibble" if int(relay.lines[-1].partition(b"SIZE=")[2]) > 20_000 else "250 2.1.0 Ok")

    with ScriptedRelay(extensions=["SIZE"], MAIL=judge) as relay:
        use(relay.port)
        assert deliver_voicemail(spool, recording) == "sent"
    with ScriptedRelay(MAIL=["550 wibble", "250 2.1.0 Ok"]) as relay:
        use(relay.port)
        tell(call_of(1, "101"))
        calls.queue(spool, call_of(2, "102"))
        write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
        assert run_queue(spool) == {"sent": 2}, "the alert and the other one"


def test_who_was_refused_before_is_named_once_the_others_have_it(
    use: Callable[..., None], catcher: Catcher, spool: Spool, golden: Golden
) -> None:
    use(catcher.port)
    catcher.answers.update({"a@example.com": "550 5.1.1 nobody", "b@example.com": "451 4.7.1 later"})
    assert tell(CALL) == ["QUEUED", "QUEUED"]
    catcher.answers.clear()
    assert run_queue(spool, everything=True) == {"failed": 1, "sent": 1}, "the administrator is notified"
    golden(failed_item(spool).reason)
    assert recipients_of(catcher) == ["admin@example.com", "b@example.com", "c@example.com"]


def test_the_administrator_is_notified_of_settings_after_other_failures(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(greeting=[close, close, "554 go away"]) as relay:
        use(relay.port)
        tell()
        for expected in (0, 1, 1):
            write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
            run_queue(spool)
            assert len(waiting(spool, "alert")) == expected


def test_a_lost_answer_brings_one_more_copy_and_never_a_third(
    use: Callable[..., None], spool: Spool, golden: Golden
) -> None:
    with ScriptedRelay(message=close) as relay:
        use(relay.port)
        only = CALL.only(["101"])
        assert tell(only) == ["QUEUED", "QUEUED"]
        run_queue(spool, everything=True)
        run_queue(spool, everything=True)
        run_queue(spool, everything=True)
        copies = [message for message in relay.messages if b"5551212" in message]
    assert len(copies) == 2
    identifiers = {line for copy in copies for line in copy.splitlines() if line.startswith(b"Message-ID")}
    assert len(identifiers) == 1
    golden(failed_item(spool).reason)


@pytest.mark.parametrize(
    ("recorded", "copies"),
    [
        pytest.param("sending", 1, id="died once: one more copy"),
        pytest.param("unknown", 1, id="lost once: one more copy"),
        pytest.param("sending again", 0, id="died after a lost answer: no third"),
        pytest.param("sent", 0, id="has it"),
        pytest.param("written by a later version", 0, id="an unknown state"),
    ],
)
def test_what_a_process_that_died_has_recorded(
    use: Callable[..., None], catcher: Catcher, spool: Spool, recorded: str, copies: int
) -> None:
    use(catcher.port)
    queue_file = added(spool, CALL.only(["101"]))
    queue_file.mark("a@example.com", recorded)
    queue_file.release()
    run_queue(spool)
    assert len([mail for mail in catcher.mails if mail.recipients == ("a@example.com",)]) == copies


def test_switched_off_later_is_kept_until_it_is_switched_on(
    use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    use(catcher.port)
    catcher.answers["b@example.com"] = "451 4.7.1 later"
    tell()
    catcher.answers.clear()
    use(catcher.port, enabled="no")
    assert run_queue(spool, everything=True) == {"deferred": 1}
    use(catcher.port)
    assert run_queue(spool) == {"sent": 1}
    assert recipients_of(catcher) == ALL


@pytest.mark.parametrize("has_backoff", [False, True], ids=["tried", "waits for the relay"])
def test_an_ini_file_as_it_is_installed_keeps_what_waits(
    use: Callable[..., None], catcher: Catcher, spool: Spool, box: Path, has_backoff: bool
) -> None:
    """A queue outlives what is purged, and the next installation is not set up at once."""
    use(catcher.port)
    if has_backoff:
        write_backoff(spool.directory, RelayBackoff(5, time.time() + 600, ini_fingerprint(ini_path()), "down", 1.0))
    else:
        catcher.answers["b@example.com"] = "451 4.7.1 later"
    tell()
    catcher.answers.clear()
    shutil.copy(ROOT / "etc" / "pbxnotify.ini", box)
    assert run_queue(spool, everything=True) == {"deferred": 1}
    use(catcher.port)
    assert run_queue(spool) == {"sent": 1}
    assert recipients_of(catcher) == ALL


@pytest.mark.parametrize(
    ("days", "attempts", "failures", "given_up"),
    [
        pytest.param(4.9, 50, 50, False, id="not yet five days"),
        pytest.param(5.1, 20, 0, True, id="five days and its own attempts"),
        pytest.param(5.1, 0, 19, True, id="five days in which the relay was tried for it"),
        pytest.param(5.1, 18, 18, False, id="five days, but few attempts"),
        pytest.param(20_000, 0, 0, False, id="a clock that began in 1970, and was set"),
        pytest.param(-20_000, 50, 50, False, id="queued in the future"),
    ],
)
def test_after_five_days_and_twenty_attempts_it_is_kept_in_failed(
    use: Callable[..., None], spool: Spool, days: float, attempts: int, failures: int, given_up: bool
) -> None:
    queue_file = added(spool)
    queue_file.change(queued=time.time() - days * 86400, attempts=attempts)
    queue_file.release()
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        write_backoff(spool.directory, RelayBackoff(failures, 1.0, ini_fingerprint(ini_path()), since=1.0))
        run_queue(spool)
    assert len(spool.identifiers("failed")) == len(waiting(spool, "alert")) == given_up
    assert all(item.queued <= time.time() for item in waiting(spool)), "it grows old from now on"


@pytest.mark.parametrize("attempts", [-(10**9), 10**9], ids=["fewer than none", "a billion"])
def test_a_number_of_attempts_that_cannot_be(
    use: Callable[..., None], catcher: Catcher, spool: Spool, attempts: int
) -> None:
    use(catcher.port)
    catcher.answers["a@example.com"] = "451 4.7.1 later"
    queue_file = added(spool, CALL.only(["101"]))
    queue_file.change(attempts=attempts)
    queue_file.release()
    assert run_queue(spool) == {"deferred": 1}
    assert 0 < waiting(spool)[0].due - time.time() < 4080


def test_an_alert_that_fails_raises_no_alert(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    catcher.answers["admin@example.com"] = "550 5.1.1 no such user"
    assert tell(Alert(1.0, "disk", "full", "disk")) == ["QUEUED", "FAILED"]
    assert spool.identifiers() == []


# ---- voicemail


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a recording of 20 s."""
    descriptor = os.open(sound(tmp_path / "msg0000.wav", 20), os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


MESSAGE = Voicemail(1795478867.0, 20, ("101", "102"), "5551212", mailbox="101", recording="wav", place="1.1")


def deliver_voicemail(spool: Spool, recording: int, event: Voicemail = MESSAGE) -> str:
    """Add a message and try it once; returns its state."""
    queue_file = added(spool, event, recording)
    state = deliver(queue_file, spool)
    queue_file.release()
    return state


def test_a_relay_that_takes_no_mail_of_that_size(
    use: Callable[..., None], spool: Spool, recording: int, logged: Callable[[], str], golden: Golden
) -> None:
    with Catcher(largest=100_000) as catcher:
        use(catcher.port)
        assert deliver_voicemail(spool, recording) == "sent"
        for mail in catcher.wait(2):
            text = mail.message.get_body(("plain",))
            assert text
            assert load_language("en").too_large.partition("{")[0] in text.get_content()
            assert list(mail.message.iter_attachments()) == []
    golden(reasons(logged(), "sent").partition("127.0.0.1")[0])


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param("552 5.3.4 message too big", "sent", id="too big for the relay"),
        pytest.param("554 5.2.3 too big for this mailbox", "sent", id="too big for the mailbox"),
        pytest.param("552 too big", "sent", id="no enhanced code"),
        pytest.param("552 5.2.2 mailbox full", "failed", id="a full mailbox"),
        pytest.param("554 5.7.1 INFECTED", "sent", id="a virus, it says"),
        pytest.param("554 wibble", "sent", id="words nobody has seen"),
    ],
)
def test_what_may_be_refused_for_the_recording(
    use: Callable[..., None], spool: Spool, recording: int, answer: str, state: str
) -> None:
    with ScriptedRelay(message=[answer, "250 Ok"]) as relay:
        use(relay.port)
        assert deliver_voicemail(spool, recording, MESSAGE._replace(extensions=("101",))) == state


def test_a_message_that_one_has_without_its_recording_stays_in_the_mailbox(
    write_ini: Callable[[str], Path], spool: Spool, recording: int, logged: Callable[[], str], golden: Golden
) -> None:
    ini = f"{calls.INI}[voicemail]\nafter_mailing = delete\n"
    with ScriptedRelay(message=["552 5.3.4 too big", "250 Ok", "451 later"]) as relay:
        write_ini(ini.format(port=relay.port, enabled="yes"))
        assert deliver_voicemail(spool, recording) == "deferred"
    with Catcher() as catcher:
        write_ini(ini.format(port=catcher.port, enabled="yes"))
        assert run_queue(spool, everything=True) == {"sent": 1}
        assert [mail.recipients for mail in catcher.mails] == [("b@example.com",)]
    golden(reasons(logged(), "sent"))


def test_the_recording_is_converted_before_the_relay_is_called(
    write_ini: Callable[[str], Path], spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    lame = tmp_path / "bin" / "lame"
    lame.write_text(f"#!/bin/sh\ncat /proc/net/tcp > {tmp_path}/connections\nexit 1\n")
    lame.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with Catcher() as catcher:
        write_ini(f"{calls.INI}[voicemail]\naudio = mp3\n".format(port=catcher.port, enabled="yes"))
        assert deliver_voicemail(spool, os.open(sound(tmp_path / "x.wav", 2), os.O_RDONLY)) == "sent"
    assert f":{catcher.port:04X} 01 " not in (tmp_path / "connections").read_text()


@pytest.mark.parametrize(("reply", "state"), [("550 5.1.1 no such user", "failed"), ("450 4.2.0 later", "deferred")])
def test_a_relay_that_refuses_one_and_hangs_up_is_called_again(
    use: Callable[..., None], spool: Spool, reply: str, state: str
) -> None:
    def refuse(talk: Talk) -> None:
        talk.say(reply)
        close(talk)

    with ScriptedRelay(RCPT=[refuse, "250 2.1.5 Ok"]) as relay:
        use(relay.port)
        queue_file = added(spool)
        assert deliver(queue_file, spool) == state
        assert (len(relay.messages), relay.connections) == (2, 2)
    assert reply in queue_file.item.reason
