"""``pbxnotify queue``: list, show, run, retry and remove."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import added, queue
from golden import Golden
from relay import Catcher, ScriptedRelay, Talk

from pbxnotify.delivery import runner
from pbxnotify.events import MissedCall
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

MISSED = ["missed", "--from", "5551212", "--to", "101"]
Run = Callable[..., tuple[int, str, str]]
CALL = MissedCall(1795478867.0, 5, ("101",), "5551212", linked_id="1.1")


def test_the_queue(run: Run, relay: Catcher, spool: Spool) -> None:
    queue(spool, CALL)
    (identifier,) = spool.identifiers()
    assert f"{identifier} queue  missed    5551212 -> 101" in run("queue", "list")[1]
    assert '"caller_number": "5551212"' in run("queue", "show", identifier)[1]
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert run("queue", "list")[1] == "nothing waits, and nothing has failed\n"


def test_what_failed_is_listed_and_put_back(run: Run, relay: Catcher, spool: Spool, golden: Golden) -> None:
    relay.answers["ivan@example.com"] = "550 5.1.1 no such user"
    assert run(*MISSED)[0] == os.EX_UNAVAILABLE
    relay.answers.clear()
    (identifier,) = spool.identifiers("failed")
    assert "no such user" in run("queue", "list")[1]
    golden(run("queue", "retry", identifier)[1])
    run("queue", "run", "--all")
    assert {mail.recipients[0] for mail in relay.mails} == {"ivan@example.com", "admin@example.com"}


def test_removing_shows_what_was_removed(run: Run, spool: Spool, golden: Golden) -> None:
    queue(spool, CALL)
    *item, said = run("queue", "remove", *spool.identifiers())[1].splitlines()
    assert "5551212" in "".join(item)
    golden(said)
    assert spool.identifiers() == []


def test_an_item_that_is_being_sent(run: Run, spool: Spool, golden: Golden) -> None:
    queue_file = added(spool, CALL)
    status, _, said = run("queue", "remove", queue_file.item.id)
    assert status == os.EX_USAGE
    golden(said.splitlines()[-1])


def test_there_is_one_run_at_a_time(
    run: Run, relay: Catcher, spool: Spool, monkeypatch: pytest.MonkeyPatch, golden: Golden
) -> None:
    monkeypatch.setattr("pbxnotify.spool.store.PATIENCE", 0.1)
    with spool.alone() as alone:
        assert alone
        status, said, _ = run("queue", "run")
        assert status == os.EX_TEMPFAIL
        golden(said)
    assert run("queue", "run")[0] == os.EX_OK


def test_a_run_that_takes_hours_is_known_to_be_at_work_and_notices_changes(
    run: Run, use: Callable[..., None], spool: Spool, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a relay makes it that takes a minute for each mail."""
    monkeypatch.setattr(runner, "LISTED_AGAIN", 0.0)
    monkeypatch.setattr(runner, "MINUTE", 0.0)

    def message(talk: Talk) -> None:
        if len(relay.messages) == 1:
            assert state.read(spool.directory, state.RUN).written
            os.unlink(os.path.join(spool.directory, state.FOLDER, state.RUN))
            use(relay.port, timeout=61)
        elif len(relay.messages) == 2:
            assert state.read(spool.directory, state.RUN).written
            assert "was changed" in logged()
        talk.say("250 2.0.0 Ok")

    with ScriptedRelay(message=message) as relay:
        use(relay.port)
        run("queue", "run")
        for number in range(2):
            queue(spool, CALL._replace(linked_id=f"{number}.1"))
        run("queue", "run")
        assert len(relay.messages) == 3, "with the test mail of the changed ini file"


@pytest.mark.parametrize("action", ["show", "retry", "remove"])
@pytest.mark.parametrize("identifier", ["nothing", "../../etc/passwd", ""])
def test_no_such_item(run: Run, spool: Spool, action: str, identifier: str, golden: Golden) -> None:
    status, _, said = run("queue", action, identifier)
    assert status == os.EX_USAGE
    golden(said)


def test_retry_lets_the_relay_be_tried_again(run: Run, relay: Catcher, spool: Spool, golden: Golden) -> None:
    relay.stop()
    run(*MISSED)
    relay.start()
    status, said, _ = run("queue", "run")
    assert status == os.EX_TEMPFAIL
    golden(said.partition("127.0.0.1")[0])
    run("queue", "retry", *spool.identifiers())
    assert run("queue", "run")[1] == "pbxnotify: 1 sent\n"


def test_a_spool_that_cannot_be_swept_is_sent_from(
    run: Run, relay: Catcher, spool: Spool, logged: Callable[[], str]
) -> None:
    done = Path(spool.directory, "done")
    done.rmdir()
    done.touch()
    run(*MISSED)
    assert run("queue", "run")[0] == os.EX_OK
    assert f"Not a directory: {done}" in logged()


def test_a_damaged_item_is_listed(run: Run, spool: Spool, golden: Golden) -> None:
    (Path(spool.directory) / "queue" / "a.json").write_text("{")
    run("queue", "run")
    golden(run("queue", "list")[1])
