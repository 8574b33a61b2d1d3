"""The whole way of an event, from a command to a relay and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import ALL, CALL, added, queue, reasons, recipients_of, tell, waiting
from checkout import ROOT
from golden import Golden
from relay import Catcher, ScriptedRelay, close

from pbxnotify.delivery.runner import run_queue
from pbxnotify.spool.backoff import RelayBackoff, read_backoff, write_backoff
from pbxnotify.spool.store import Spool


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


def test_a_delivery_takes_three_due_items_along(use: Callable[..., None], catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    for number in range(5):
        queue(spool, CALL._replace(linked_id=f"older {number}").only(["101"]))
    tell(CALL.only(["101"]))
    assert len(catcher.mails) == 4
    assert len(spool.identifiers()) == 2


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
