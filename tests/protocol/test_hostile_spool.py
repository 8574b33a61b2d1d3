"""Commands at a spool that is full: of items that have failed, or of what would paint the terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from calls import CALL, added, queue
from relay import Catcher

from pbxnotify.health.problems import MonitorState, Problem
from pbxnotify.settings.load import ini_fingerprint, ini_path
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import RelayBackoff, write_backoff
from pbxnotify.spool.failed import list_failed
from pbxnotify.spool.store import Spool

Run = Callable[..., tuple[int, str, str]]
HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\x85\u202e\u2028\r\nOK: forged\x08\x7f"
FILE = "x\x1b[2J\x9b\n\u202eforged.json.damaged"
COMMANDS = (
    "queue list",
    "queue list --all",
    "queue show {}",
    "queue run",
    "status",
    "monitor",
    "check",
    "oauth status",
)
LOOKS: list[list[str]] = []
"""Names that were opened, and "listing" for each directory that was listed, while somebody counts."""


def _see(event: str, arguments: tuple[object, ...]) -> None:
    if LOOKS and event == "open" and str(arguments[0]).endswith(".json"):
        LOOKS[-1].append(os.path.basename(str(arguments[0])))
    elif LOOKS and event in ("os.listdir", "os.scandir"):
        LOOKS[-1].append("listing")


sys.addaudithook(_see)


@contextmanager
def looks() -> Iterator[list[str]]:
    """Yield what is opened and listed meanwhile."""
    LOOKS.append([])
    try:
        yield LOOKS[-1]
    finally:
        LOOKS.pop()


def fail(spool: Spool, count: int, days: float = 0.0) -> list[str]:
    """Let items fail so many days ago; returns their identifiers."""
    item = added(spool, CALL._replace(linked_id="")).item
    os.unlink(Path(spool.directory, "queue", f"{item.id}.json"))
    identifiers = [f"20260101-{number:06}-{int(days * 10):08x}" for number in range(count)]
    for identifier in identifiers:
        path = Path(spool.directory, "failed", f"{identifier}.json")
        path.write_text(item._replace(id=identifier, reason="refused").to_json(), encoding="utf-8")
        os.utime(path, (time.time() - days * 86400,) * 2)
    return identifiers


@pytest.mark.parametrize("command", [*COMMANDS, "queue retry {}", "queue remove {}", "queue remove --failed"])
def test_what_failed_costs_a_command_nothing(run: Run, relay: Catcher, spool: Spool, command: str) -> None:
    seen = []
    for count in (60, 600):
        identifier = fail(spool, count)[-1]
        words = command.format(identifier).split()
        with looks() as looked:
            run(*words, *(("--older-than", "30") if "--failed" in words else ()))
        seen.append(len([name for name in looked if name != "listing" or "{}" in command]))
        assert looked.count("listing") <= 10
    assert seen[0] == seen[1] or command == "queue list --all"


def test_several_items_are_shown_without_any_listing(run: Run, spool: Spool) -> None:
    identifiers = fail(spool, 60)
    seen = []
    for count in (1, 50):
        with looks() as looked:
            run("queue", "show", *identifiers[:count])
        seen.append(looked.count("listing"))
    assert seen[0] == seen[1]


def test_a_long_list_is_cut(run: Run, spool: Spool) -> None:
    failed = fail(spool, 60)
    for number in range(60):
        queue(spool, CALL._replace(linked_id=str(number)))
        Path(spool.directory, "failed", f"{number:02}.json.damaged").touch()
    waiting = spool.identifiers()
    lines = run("queue", "list")[1].splitlines()
    named = [line.split()[0] for line in lines if not line.startswith("...")]
    damaged = [f"{number:02}.json.damaged" for number in range(60)]
    assert named == [*waiting[:50], *failed[-50:], *damaged[-50:]]
    assert [line.split()[1] for line in lines if line.startswith("...")] == ["10"] * 3
    everything = run("queue", "list", "--all")[1].splitlines()
    assert [line.split()[0] for line in everything] == [*waiting, *failed, *damaged]


def test_an_item_that_cannot_be_read_is_listed(run: Run, spool: Spool) -> None:
    Path(spool.directory, "failed", "a.json").write_text("{")
    assert run("queue", "list")[1].startswith("a failed ")


def test_old_items_are_removed(run: Run, spool: Spool, logged: Callable[[], str]) -> None:
    old, young = fail(spool, 20, days=31), fail(spool, 5, days=29)
    failed = Path(spool.directory, "failed")
    for identifier in (old[0], young[0]):
        (failed / f"{identifier}.wav").touch()
    for name in ("a.json.damaged", "a.WAV", "b.json.damaged"):
        (failed / name).touch()
    os.utime(failed / "a.json.damaged", (0, 0))
    queue(spool)
    assert run("queue", "remove", "--failed", "--older-than", "30")[:2] == (
        os.EX_OK,
        "20 failed and 1 damaged items removed unsent; 6 are left\n",
    )
    assert sorted(os.listdir(failed)) == sorted(
        [*(f"{one}.json" for one in young), f"{young[0]}.wav", "b.json.damaged"]
    )
    assert len(spool.identifiers()) == 1
    assert logged().count("removed unsent by the admin") == 1
    run("queue", "remove", "--failed", "--older-than", "0")
    assert os.listdir(failed) == []


def test_an_item_that_is_being_put_back_is_not_removed(run: Run, spool: Spool) -> None:
    first, _ = fail(spool, 2, days=31)
    queue_file = spool.lock(first, "failed")
    assert queue_file
    Path(spool.directory, "failed", f"{first}.wav").touch()
    run("queue", "remove", "--failed", "--older-than", "30")
    queue_file.retry()
    queue_file.release()
    assert (spool.identifiers(), list_failed(spool.directory).items) == ([first], [])


def test_other_files_are_removed_as_what_they_are(run: Run, spool: Spool, box: Path) -> None:
    failed = Path(spool.directory, "failed")
    (box / "target").touch()
    (failed / "link.json").symlink_to(box / "target")
    (failed / "dangling.json.damaged").symlink_to(box / "missing")
    os.mkfifo(failed / "fifo.json")
    (failed / "folder.json").mkdir()
    time.sleep(0.01)
    status, said, why = run("queue", "remove", "--failed", "--older-than", "0")
    assert (status, said) == (os.EX_IOERR, "2 failed and 1 damaged items removed unsent; 1 are left\n")
    assert "folder.json" in why
    assert (os.listdir(failed), (box / "target").exists()) == (["folder.json"], True)


@pytest.mark.parametrize(
    "words",
    [
        ("remove",),
        ("remove", "--failed"),
        ("remove", "--older-than", "30"),
        ("remove", "--failed", "--older-than", "30", "ID"),
        *(
            ("remove", "--failed", f"--older-than={days}")
            for days in ("", "-1", "nan", "inf", "1e9", "many", "३", "1 ")
        ),
        ("remove", "--failed", "--older-than"),
        ("retry",),
        ("retry", "--all", "ID"),
    ],
    ids=" ".join,
)
def test_nonsense_removes_nothing(run: Run, spool: Spool, words: tuple[str, ...]) -> None:
    (identifier,) = fail(spool, 1, days=1000)
    status, said, why = run("queue", *(identifier if word == "ID" else word for word in words))
    assert (status, said, list_failed(spool.directory).items) == (os.EX_USAGE, "", [identifier])
    assert why


def test_all_that_failed_is_put_back(run: Run, relay: Catcher, spool: Spool) -> None:
    identifiers = fail(spool, 3)
    Path(spool.directory, "failed", "newer.json").write_text('{"version": 99, "id": "newer"}')
    status, said, why = run("queue", "retry", "--all")
    assert (status, "newer" in why) == (os.EX_OK, True)
    assert [line.partition(":")[0] for line in said.splitlines()] == identifiers
    run("queue", "run")
    assert len(relay.mails) == 3


@pytest.fixture
def hostile(spool: Spool) -> str:
    """Fill each file of a spool with what a terminal obeys; returns the identifier of an item that has failed."""
    call = CALL._replace(caller_number=HOSTILE, caller_name=HOSTILE, extensions=(HOSTILE,), linked_id="")
    queue(spool, call)
    queue_file = added(spool, call)
    queue_file.fail(HOSTILE)
    queue_file.release()
    fingerprint = ini_fingerprint(ini_path())
    write_backoff(spool.directory, RelayBackoff(1, time.time() + 600, fingerprint, HOSTILE, time.time()))
    state.write(spool.directory, state.SENT, HOSTILE)
    MonitorState(problems={HOSTILE: Problem(HOSTILE, 1.0, 2.0, is_critical=True)}).write(spool.directory)
    Path(spool.directory, "failed", FILE).touch()
    Path(spool.directory, "failed", "\udcff.json.damaged").touch()
    Path(token_store.path()).write_text(json.dumps({"access": HOSTILE, "refused": HOSTILE, "login": HOSTILE}))
    return queue_file.item.id


@pytest.mark.parametrize(
    "command",
    [
        *COMMANDS,
        "status --json",
        "queue retry {}",
        "queue remove {}",
        "queue remove --failed --older-than 0",
        f"queue show {HOSTILE}",
        f"queue retry {HOSTILE}",
        f"--config {HOSTILE} check",
    ],
    ids=ascii,
)
def test_a_hostile_spool_cannot_paint_the_terminal(run: Run, relay: Catcher, hostile: str, command: str) -> None:
    words = [hostile if word == "{}" else word for word in command.split(" ")]
    _, said, errors = run(*words)
    for character in said + errors:
        assert character.isprintable() or character in "\n\t", ascii(character)
    assert not any(line.startswith("OK: forged") for line in (said + errors).splitlines())


def test_json_is_json(run: Run, relay: Catcher, hostile: str) -> None:
    assert json.loads(run("status", "--json")[1])["last_sent_event"] == HOSTILE
    event = json.loads(run("queue", "show", hostile)[1])["event"]
    assert (event["caller_number"], event["extensions"]) == (HOSTILE, [HOSTILE])
