"""Items of other versions: older ones are delivered, newer ones stay in the queue."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from calls import CALL, reasons, recipients_of
from golden import Golden
from relay import Catcher

from pbxnotify.spool.item import VERSION, new_item
from pbxnotify.spool.store import Spool

Use = Callable[..., None]
Run = Callable[..., tuple[int, str, str]]
CALL_BEFORE = """\
"event": "missed", "time": 1795478867.0, "duration": 5, "extensions": ["101", "102"], "caller_number": "5551212",
"caller_name": "Alice", "private": false, "dial_status": "NOANSWER", "linked_id": "1795478867.0"
"""
MESSAGE_BEFORE = """\
"event": "voicemail", "time": 1795478867.0, "duration": 3, "extensions": ["101"], "caller_number": "5551212",
"caller_name": "Alice", "private": false, "linked_id": "1.1", "unique_id": "1.2", "mailbox": "101",
"context": "default", "number": 1, "folder": "/var/spool/asterisk/voicemail/default/101/INBOX",
"message_id": "1795478867-00000001", "place": "1.1-default/101/INBOX/msg0000-", "recording": "wav", "trouble": ""
"""
REST = """"queued": %s, "decided": false, "attempts": 0, "due": 0.0, "settings": "", "reason": "", "recipients": """
OLD, BEHIND = "20261124-225031-6a7ce056", "20990101-000000-00000000"


def put(spool: Spool, text: str, identifier: str = OLD) -> Path:
    """Put a file into the queue as another version left it."""
    path = Path(spool.directory, "queue", f"{identifier}.json")
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "more", ["", ', "unique_id": "1.1", "voicemail": false'], ids=["the first", "with a unique id"]
)
def test_a_call_that_an_older_version_queued(use: Use, run: Run, catcher: Catcher, spool: Spool, more: str) -> None:
    """Written by pbxnotify before its items had a version; one of the two recipients had it."""
    use(catcher.port)
    recipients = '{"a@example.com": "sent"}'
    put(spool, f'{{"id": "{OLD}", "event": {{{CALL_BEFORE}{more}}}, {REST % CALL.time}{recipients}}}')
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert recipients_of(catcher) == ["b@example.com"]


def test_the_spool_of_an_older_version(use: Use, run: Run, catcher: Catcher, box: Path) -> None:
    """Without state/: the relay backoff lay at its top, and what it remembered in done/, beside the keys."""
    use(catcher.port)
    old = box / "spool"
    for folder in ("tmp", "queue", "done", "failed"):
        (old / folder).mkdir(parents=True, mode=0o700)
    backoff = {"failures": 3, "until": 2e9, "settings": "", "reason": "refused", "since": 1e9, "told": False}
    (old / "relay.json").write_text(json.dumps(backoff))
    for name in ("last-sent", "last-run", "oauth2.json"):
        (old / "done" / name).write_text("{}")
    (old / "queue" / f"{OLD}.json").write_text(f'{{"id": "{OLD}", "event": {{{CALL_BEFORE}}}, {REST % CALL.time}{{}}}}')
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert recipients_of(catcher) == ["a@example.com", "b@example.com"]
    assert run("status")[0] == 0


def test_a_file_in_the_place_of_a_new_folder(use: Use, run: Run, catcher: Catcher, spool: Spool) -> None:
    """What is remembered cannot be kept then; mail leaves all the same."""
    use(catcher.port)
    put(spool, f'{{"id": "{OLD}", "event": {{{CALL_BEFORE}}}, {REST % CALL.time}{{}}}}')
    shutil.rmtree(Path(spool.directory, "state"))
    Path(spool.directory, "state").write_text("")
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert len(catcher.mails) == 2


def test_a_voicemail_that_an_older_version_queued(use: Use, run: Run, catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    put(spool, f'{{"id": "{OLD}", "event": {{{MESSAGE_BEFORE}}}, {REST % CALL.time}{{}}}}')
    Path(spool.directory, "queue", f"{OLD}.wav").write_bytes(b"RIFF sound")
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    (mail,) = catcher.mails
    assert [part.get_content() for part in mail.message.iter_attachments()] == [b"RIFF sound"]


@pytest.fixture
def newer(spool: Spool) -> Path:
    """Return the file of an item of a version to come, with an event and fields that nobody knows yet."""
    record = {"version": VERSION + 1, "id": OLD, "event": {"event": "fax", "pages": 3}, "priority": "high"}
    return put(spool, json.dumps(record))


def test_a_newer_item_stays_in_the_queue(
    use: Use, run: Run, catcher: Catcher, spool: Spool, newer: Path, logged: Callable[[], str], golden: Golden
) -> None:
    use(catcher.port)
    put(spool, new_item(CALL.only(["101"])).to_json(), BEHIND)
    before = newer.read_bytes()
    assert run("queue", "run")[:2] == (os.EX_TEMPFAIL, "pbxnotify: 1 sent\n")
    assert run("queue", "run", "--all")[0] == os.EX_TEMPFAIL
    assert newer.read_bytes() == before
    assert recipients_of(catcher) == ["a@example.com"]
    lines = [line for line in logged().splitlines() if OLD in line]
    assert len(lines) == 1, "once a day, not each minute"
    golden(reasons(logged(), "deferred"))


@pytest.mark.parametrize("action", ["show", "retry", "remove"])
def test_a_command_for_a_newer_item(run: Run, newer: Path, action: str, golden: Golden) -> None:
    status, _, said = run("queue", action, OLD)
    assert status == os.EX_DATAERR
    golden(said)
    assert newer.exists()


def test_a_newer_item_is_listed(run: Run, newer: Path, golden: Golden) -> None:
    said = run("queue", "list")[1]
    assert said.startswith(f"{OLD} queue ")
    golden(said)
