"""The admin's commands for the queue."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from relay import Catcher

from pbxnotify.events import MissedCall
from pbxnotify.spool.store import Spool

MISSED = ["missed", "--from", "5551212", "--to", "101"]
CALL = MissedCall(1795478867.0, 5, ("101",), "5551212", linked_id="1.1")


def test_the_queue(run, relay: Catcher, spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    entry.release()
    assert f"{entry.item.id} queue  missed    5551212 -> 101" in run("queue", "list")[1]
    assert '"caller_number": "5551212"' in run("queue", "show", entry.item.id)[1]
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert run("queue", "list")[1] == ""


def test_what_failed_is_listed_and_put_back(run, relay: Catcher, spool: Spool) -> None:
    relay.answers["ivan@example.com"] = "550 5.1.1 no such user"
    assert run(*MISSED)[0] == os.EX_UNAVAILABLE
    relay.answers.clear()
    (identifier,) = spool.identifiers("failed")
    assert "no such user" in run("queue", "list")[1]
    assert "queued again" in run("queue", "retry", identifier)[1]
    run("queue", "run", "--all")
    assert {mail.recipients[0] for mail in relay.mails} == {"ivan@example.com", "admin@example.com"}


def test_removing_shows_what_was_removed(run, spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    entry.release()
    said = run("queue", "remove", entry.item.id)[1]
    assert "5551212" in said
    assert "removed, nobody has been told" in said
    assert spool.identifiers() == []


def test_an_item_that_is_being_sent(run, spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    status, _, said = run("queue", "remove", entry.item.id)
    assert (status, "is being sent at this moment" in said) == (os.EX_USAGE, True)


def test_there_is_one_run_at_a_time(run, relay: Catcher, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pbxnotify.spool.store.PATIENCE", 0.1)
    with spool.alone() as alone:
        assert alone
        status, said, _ = run("queue", "run")
        assert (status, "another  pbxnotify queue run  is at work" in said) == (os.EX_TEMPFAIL, True)
    assert run("queue", "run")[0] == os.EX_OK


@pytest.mark.parametrize("action", ["show", "retry", "remove"])
@pytest.mark.parametrize("identifier", ["nothing", "../../etc/passwd", ""])
def test_no_such_item(run, spool: Spool, action: str, identifier: str) -> None:
    status, _, said = run("queue", action, identifier)
    assert (status, "see  pbxnotify queue list" in said) == (os.EX_USAGE, True)


def test_retry_lets_the_relay_be_tried_again(run, relay: Catcher, spool: Spool) -> None:
    relay.stop()
    run(*MISSED)
    relay.start()
    status, said, _ = run("queue", "run")
    assert (status, "the relay is left alone until" in said) == (os.EX_TEMPFAIL, True)
    run("queue", "retry", *spool.identifiers())
    assert run("queue", "run")[1] == "pbxnotify: 1 sent\n"


def test_a_spool_that_cannot_be_swept_is_sent_from(run, relay: Catcher, spool: Spool, logged) -> None:
    done = Path(spool.directory, "done")
    done.rmdir()
    done.touch()
    run(*MISSED)
    assert run("queue", "run")[0] == os.EX_OK
    assert "the spool cannot be swept: Not a directory" in logged()


def test_a_damaged_item_is_listed(run, spool: Spool) -> None:
    (Path(spool.directory) / "queue" / "a.json").write_text("{")
    run("queue", "run")
    assert "a.json.damaged damaged: its file is in" in run("queue", "list")[1]
