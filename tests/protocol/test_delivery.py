"""The whole way of an event, from a command to a relay and back."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import ALL, CALL, added, queue, reasons, recipients_of, tell, waiting
from checkout import ROOT
from far_end import MARK, MISSED, FarEnd, processes_named
from golden import Golden
from relay import Catcher, ScriptedRelay, Talk, close, silence

from pbxnotify.delivery import runner
from pbxnotify.delivery.runner import QueueRun, run_queue
from pbxnotify.events import Alert, MissedCall
from pbxnotify.files import unlock
from pbxnotify.spool.backoff import RelayBackoff, read_backoff, write_backoff
from pbxnotify.spool.store import CALL_PLACES, QUEUE_PLACES, Spool


def test_each_recipient_has_a_mail_of_their_own(
    use: Callable[..., None], catcher: Catcher, spool: Spool, logged: Callable[[], str]
) -> None:
    use(catcher.port)
    assert tell() == ["QUEUED", "SENT"]
    assert recipients_of(catcher) == ALL
    assert all(len(mail.recipients) == 1 for mail in catcher.mails)
    assert spool.identifiers() == []
    assert " sent id=" in logged()


def test_no_address_of_another_is_in_a_mail(use: Callable[..., None], catcher: Catcher) -> None:
    use(catcher.port)
    tell()
    for mail in catcher.mails:
        assert [address for address in ALL if f"<{address}>".encode() in mail.content] == list(mail.recipients)


def test_a_failed_item_put_back_goes_to_those_who_lack_it(
    use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    use(catcher.port)
    catcher.answers["b@example.com"] = "550 5.1.1 no such user"
    tell()
    catcher.answers.clear()
    queue_file = spool.lock(spool.identifiers("failed")[0], "failed")
    assert queue_file
    queue_file.retry()
    queue_file.release()
    run_queue(spool)
    assert recipients_of(catcher) == sorted([*ALL, "admin@example.com"])


def test_a_dead_relay_is_not_tried_by_the_next_call(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        assert tell() == ["QUEUED", "QUEUED"]
        assert read_backoff(spool.directory).failures == 1
        assert tell(CALL._replace(linked_id="2.2")) == ["QUEUED", "QUEUED"]
        assert relay.connections == 1
    assert len(spool.identifiers()) == 2


def test_a_backoff_for_one_address_holds_up_no_other(
    use: Callable[..., None], catcher: Catcher, spool: Spool, logged: Callable[[], str]
) -> None:
    """And what waits for it is not tried meanwhile: one log line, not one each minute."""
    use(catcher.port)
    catcher.answers["a@example.com"] = "550 5.7.1 blocked by policy"
    for number, extension in enumerate(("101", "101", "102", "101")):
        tell(CALL._replace(linked_id=f"{number}.1").only([extension]))
        if number == 1:
            for _ in range(3):
                run_queue(spool)
            assert logged().count("deferred id=") == 2
    assert recipients_of(catcher) == ["admin@example.com", "b@example.com"]
    assert len(waiting(spool)) == 3


def test_a_changed_ini_file_ends_the_backoff(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        tell()
    use(catcher.port)
    assert run_queue(spool) == {"sent": 1}
    assert read_backoff(spool.directory) == RelayBackoff()


def test_an_unusable_ini_file_is_waited_for(
    write_ini: Callable[[str], Path], use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    write_ini("[smtp\nhost = localhost\n")
    assert tell() == ["QUEUED", "QUEUED"]
    assert run_queue(spool) == {}
    use(catcher.port)
    assert run_queue(spool) == {"sent": 2}
    assert recipients_of(catcher) == sorted([*ALL, "admin@example.com"])


def test_switched_off_at_the_first_attempt_is_skipped(
    use: Callable[..., None], catcher: Catcher, spool: Spool, logged: Callable[[], str], golden: Golden
) -> None:
    use(catcher.port, enabled="no")
    assert tell() == ["QUEUED", "SKIPPED"]
    assert spool.identifiers() == []
    golden(reasons(logged(), "skipped"))


def test_a_command_takes_three_due_items_along(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    """Somebody waits for it."""
    use(catcher.port)
    for number in range(5):
        queue(spool, CALL._replace(linked_id=f"older {number}").only(["101"]))
    tell(CALL.only(["101"]))
    assert len(catcher.mails) == 4
    assert len(spool.identifiers()) == 2


def on_every_message(act: Callable[[int], None]) -> ScriptedRelay:
    """Return a relay that does something before it accepts a mail, and is given the number of mails so far."""

    def message(talk: Talk) -> None:
        act(len(relay.messages))
        talk.say("250 2.0.0 Ok")

    relay = ScriptedRelay(message=message)
    return relay


def senders_of(relay: ScriptedRelay) -> list[str]:
    """Return whom each mail is about, in the order in which they left."""
    froms = (re.search(rb"^From: (\w*)\r$", mail, re.MULTILINE) for mail in relay.messages)
    return [match[1].decode() if match else "alert" for match in froms]


def numbered(number: int) -> MissedCall:
    """Return one of several calls."""
    return CALL._replace(linked_id=f"{number}.1", caller_number=f"00{number}", caller_name="").only(["101"])


def test_a_queue_leaves_over_one_connection(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay() as relay:
        use(relay.port)
        for number in range(5):
            queue(spool, CALL._replace(linked_id=f"{number}.1"))
        assert run_queue(spool) == {"sent": 5}
        assert (relay.connections, len(relay.messages), len(relay.commands("QUIT"))) == (1, 15, 1)


@pytest.mark.parametrize("places", [CALL_PLACES, QUEUE_PLACES], ids=["call", "command"])
def test_what_is_taken_along_leaves_over_the_same_connection(
    use: Callable[..., None], spool: Spool, places: tuple[str, ...]
) -> None:
    with ScriptedRelay() as relay:
        use(relay.port)
        queue(spool, CALL._replace(linked_id="9.1"))
        assert tell(CALL, places) == ["QUEUED", "SENT"]
        assert (relay.connections, len(relay.messages)) == (1, 6)


def test_changed_settings_get_a_connection_of_their_own(use: Callable[..., None], spool: Spool) -> None:
    with ScriptedRelay() as after:

        def change(talk: Talk) -> None:
            use(after.port)
            talk.say("250 2.0.0 Ok")

        with ScriptedRelay(message=change) as before:
            use(before.port)
            for number in range(2):
                queue(spool, CALL._replace(linked_id=f"{number}.1").only(["101"]))
            assert run_queue(spool) == {"sent": 2}
            assert (len(before.messages), len(after.messages)) == (1, 1)


def test_a_call_takes_along_what_comes_meanwhile(use: Callable[..., None], spool: Spool) -> None:
    """However much that is: who came found no place, and has left."""

    def come(count: int) -> None:
        if count <= 10:
            queue(spool, numbered(count))

    with on_every_message(come) as relay:
        use(relay.port)
        assert tell(numbered(0), CALL_PLACES) == ["QUEUED", "SENT"]
    assert senders_of(relay) == [f"00{number}" for number in range(11)]
    assert spool.identifiers() == []


def test_who_has_given_up_a_place_looks_once_more(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    """Who came when it was still taken, and was not in the queue yet when it was last read, has left."""
    use(catcher.port)
    run = QueueRun(spool, CALL_PLACES)
    run.deliver_due()
    queue(spool, numbered(1))
    held = [spool.take_place(CALL_PLACES) for _ in CALL_PLACES]
    run.take_along()
    assert len(spool.identifiers()) == 1, "others have all places: it is for them to look"
    unlock(held[0] or 0)
    run.take_along()
    assert (len(catcher.mails), spool.identifiers()) == (1, [])
    run.take_along()


@pytest.mark.parametrize("argument", [(), ("hold",)], ids=["let go", "held"])
def test_a_call_that_finds_no_place_leaves(
    use: Callable[..., None], spool: Spool, logged: Callable[[], str], argument: tuple[str, ...]
) -> None:
    """And with it its process: nobody waits for the relay, and nothing is imported for it."""
    held = [spool.take_place(CALL_PLACES) for _ in CALL_PLACES]
    assert (None in held, spool.take_place(CALL_PLACES)) == (False, None)
    with ScriptedRelay(greeting=silence) as relay:
        use(relay.port)
        far_end = FarEnd()
        assert far_end.run(["101", *argument]) == 0
        assert list(processes_named(MISSED.name, MARK)) == []
        assert (far_end.status, relay.connections) == ("QUEUED", 0)
    (identifier,) = spool.identifiers()
    assert spool.lock(identifier), "it is free for those who have a place"


def test_a_command_that_finds_no_place_leaves(
    run: Callable[..., tuple[int, str, str]], use: Callable[..., None], catcher: Catcher, spool: Spool
) -> None:
    use(catcher.port)
    missed = ("missed", "--from", "555", "--to", "101")
    with spool.alone() as alone:
        assert alone
        assert run(*missed)[:2] == (os.EX_TEMPFAIL, "pbxnotify: QUEUED\n")
    assert catcher.mails == []
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")


def test_alerts_leave_first(use: Callable[..., None], spool: Spool) -> None:
    def come(count: int) -> None:
        if count == 2:
            queue(spool, Alert(1.0, "disk", "full", "disk"))

    for number in range(1, 5):
        queue(spool, numbered(number))
    queue(spool, Alert(1.0, "raid", "degraded", "raid"))
    with on_every_message(come) as relay, pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "LISTED_AGAIN", 0.0)
        use(relay.port)
        run_queue(spool)
    assert [sender == "alert" for sender in senders_of(relay)] == [True, False, True, False, False, False]


def test_an_alert_of_an_earlier_version_leaves_in_its_turn(use: Callable[..., None], spool: Spool) -> None:
    queue(spool, numbered(1))
    queue(spool, Alert(1.0, "raid", "degraded", "raid"))
    (alert, mail) = spool.identifiers()
    earlier = alert.partition("-")[2]
    folder = Path(spool.directory, "queue")
    (folder / f"{alert}.json").rename(folder / f"{earlier}.json")
    assert spool.identifiers() == sorted([earlier, mail])
    with ScriptedRelay() as relay:
        use(relay.port)
        assert run_queue(spool) == {"sent": 2}


def test_a_backoff_is_not_tried_by_what_was_left_to_others(use: Callable[..., None], spool: Spool) -> None:
    """Three calls at once, of which each would take the others' along."""
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        for number in range(3):
            queue(spool, numbered(number))
        assert tell(numbered(3), CALL_PLACES) == ["QUEUED", "QUEUED"]
        assert relay.connections == 1
    assert len(spool.identifiers()) == 4


def test_a_bug_that_one_item_meets_does_not_stop_those_behind_it(
    use: Callable[..., None], catcher: Catcher, spool: Spool, logged: Callable[[], str], golden: Golden
) -> None:
    use(catcher.port)
    queue(spool, CALL.only(["101"])._replace(time=1e300))
    queue(spool, CALL.only(["102"]))
    assert run_queue(spool) == {"deferred": 1, "sent": 1}
    (reason,) = reasons(logged(), "deferred").splitlines()
    assert "OverflowError" in reason
    golden(reason.partition("OverflowError")[0])


def test_an_item_another_process_sends_is_left_to_it(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    queue_file = added(spool)
    assert run_queue(spool, everything=True) == {}
    queue_file.release()


NO_ROOM = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
"""


def tell_without_a_spool(box: Path, script: str, event: str) -> str:
    """Submit a call in a process whose spool takes nothing; returns what it reported."""
    code = f"""{script}
from pbxnotify.delivery.submit import submit
from pbxnotify.events import MissedCall
status, _, deliver = submit({event})
reported = [status]
deliver(reported.append)
print(*reported)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("full", [True, False], ids=["full disk", "a file in its place"])
def test_what_no_disk_takes_is_sent_once_from_memory(
    use: Callable[..., None], box: Path, catcher: Catcher, full: bool
) -> None:
    use(catcher.port)
    if not full:
        (box / "spool").touch()
    assert tell_without_a_spool(box, NO_ROOM if full else "", repr(CALL)) == "FAILED SENT"
    assert recipients_of(catcher) == ALL


def test_what_can_neither_be_kept_nor_sent_is_in_the_log_whole(
    use: Callable[..., None], box: Path, logged: Callable[[], str]
) -> None:
    (box / "spool").touch()
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        assert tell_without_a_spool(box, "", repr(CALL)) == "FAILED FAILED"
    (line,) = (line for line in logged().splitlines() if " lost id=" in line)
    assert json.loads(line.partition(" event=")[2])["caller_number"] == "5551212"


def test_an_item_that_cannot_be_settled_does_not_stop_those_behind_it(
    use: Callable[..., None],
    catcher: Catcher,
    spool: Spool,
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(catcher.port)
    catcher.answers["a@example.com"] = "550 5.1.1 no such user"
    for number, extension in enumerate(("101", "102")):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only([extension]))

    def rename(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pbxnotify.spool.queue_file.QueueFile._move", rename)
    run_queue(spool)
    assert [mail.recipients for mail in catcher.mails] == [("b@example.com",)]
    assert "Operation not permitted" in logged()


def make_oldest(spool: Spool) -> None:
    """Give the only item a name that comes before all others."""
    (identifier,) = spool.identifiers()
    os.rename(*(Path(spool.directory, "queue", f"{name}.json") for name in (identifier, "20200101-000000-00000000")))


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        pytest.param({"a@example.com": "421 4.7.0 not now"}, ["101"], id="a 421 at RCPT"),
        pytest.param({"a@example.com": "550 5.7.1 no", "b@example.com": "550 5.7.1 no"}, ["101", "102"], id="policy"),
    ],
)
def test_an_item_the_relay_cannot_take_holds_up_no_others(
    use: Callable[..., None], catcher: Catcher, spool: Spool, answers: dict[str, str], first: list[str]
) -> None:
    """It is the oldest, and causes the backoff; once that is over, those behind it go first."""
    use(catcher.port)
    catcher.answers.update(answers)
    queue(spool, CALL.only(first))
    make_oldest(spool)
    for number in range(1, 4):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only(["103"]))
    run_queue(spool)
    assert recipients_of(catcher) == []
    write_backoff(spool.directory, read_backoff(spool.directory)._replace(until=1.0))
    run_queue(spool)
    assert [name for name in recipients_of(catcher) if name in ALL] == ["c@example.com"] * 3
    assert read_backoff(spool.directory) == RelayBackoff()


def test_an_old_item_that_was_put_back_waits_for_the_relay_in_silence(
    use: Callable[..., None], spool: Spool, logged: Callable[[], str]
) -> None:
    queue(spool, CALL.only(["101"]))
    make_oldest(spool)
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        for _ in range(3):
            run_queue(spool)
        assert relay.connections == 1
    assert logged().count("deferred id=") == 1
