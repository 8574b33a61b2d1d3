"""Killed at every system call: nothing that was durable is lost, and a mail is doubled only within its window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import pytest
from calls import ALL, added, queue
from extent import KILL_AT, PATIENCE, moments
from far_end import MISSED, RANG_OUT, ROOT, VOICEMAIL, FarEnd
from mailboxes import CHANNEL, message
from relay import Catcher

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.files import Directory
from pbxnotify.spool import sweep as sweep_module
from pbxnotify.spool.directory import FOLDERS
from pbxnotify.spool.item import Item
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool
from pbxnotify.spool.sweep import sweep

QUEUE_RUN = [sys.executable, "-m", "pbxnotify.cli", "queue", "run"]
EXTENSIONS = ("101", "102", "103")

pytestmark = pytest.mark.timeout(PATIENCE)


@dataclass(frozen=True)
class Victim:
    """A process that is killed while it notifies three people of a call."""

    number: int
    script: Path | None
    """None: ``pbxnotify queue run``."""
    which: int
    """0: the command itself, 1: the process that it releases."""
    leaves_message: bool

    def caller(self, at: int) -> str:
        """Return a number that no other call has."""
        return f"7{self.number:02}{at:06}"


@dataclass(frozen=True)
class Outcome:
    """What a killed process left."""

    at: int
    begun: int
    """The system calls that it began."""
    is_queued: bool
    """Asterisk was answered that the event is safe."""
    kept: Mapping[str, str] | None
    """The states of the recipients of the item in the queue; None if there was none."""
    left_over: int
    """Files in tmp/, and recordings without an item."""


@dataclass(frozen=True)
class Scene:
    """Where it happens: a fresh box for each kill, and one relay."""

    directory: Path
    catcher: Catcher
    victim: Victim

    def strike(self, at: int) -> Outcome:
        """Kill the victim at its n-th system call, 0: never; and let ``queue run`` send what is left."""
        box = self.directory / str(at)
        environment = self._prepare(box, at)
        under = [sys.executable, str(KILL_AT), str(box / "report"), str(self.victim.which), str(at)]
        is_queued = self._run(box, at, environment, under)
        items, kept = list[str](), list[Union[Item, None]]()
        if (box / "spool" / "queue").exists():
            spool = Spool(Directory(str(box / "spool")))
            items = spool.identifiers()
            kept = [QueueFile.read(spool.directory, identifier) for identifier in items]
        assert len(kept) <= 1
        left_over = len(_left_over(box / "spool"))
        for _ in range(3 if items else 0):
            if subprocess.run(QUEUE_RUN, env=environment, cwd=box, capture_output=True, check=False).returncode == 0:
                break
        begun = int((box / "report").read_text())
        return Outcome(at, begun, is_queued, kept[0].recipients if kept and kept[0] else None, left_over)

    def _prepare(self, box: Path, at: int) -> dict[str, str]:
        """Make a box; returns the environment in it."""
        shutil.copytree(self.directory / "template", box)
        if not self.victim.script:
            for folder in FOLDERS:
                (box / "spool" / folder).mkdir(parents=True, mode=0o700)
            self._queue(box, at)
        return {
            **os.environ,
            "PBXNOTIFY_SPOOL": str(box / "spool"),
            "PBXNOTIFY_LOG": str(box / "log"),
            "AST_SPOOL_DIR": str(box),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def _queue(self, box: Path, at: int) -> None:
        """Leave an item for ``queue run``."""
        spool, caller = Spool(Directory(str(box / "spool"))), self.victim.caller(at)
        if self.victim.leaves_message:
            recording = os.open(_left_message(box).with_suffix(".wav"), os.O_RDONLY)
            event = Voicemail(1.0, 1, EXTENSIONS, caller, message_id="1-1", recording="wav")
            added(spool, event, recording).release()
            os.close(recording)
        else:
            queue(spool, MissedCall(1.0, 5, EXTENSIONS, caller, linked_id="1.1"))

    def _run(self, box: Path, at: int, environment: dict[str, str], under: list[str]) -> bool:
        """Run the victim; returns whether Asterisk was answered that the event is safe."""
        if not self.victim.script:
            subprocess.run([*under, *QUEUE_RUN], env=environment, capture_output=True, check=True)
            return False
        variables = {**RANG_OUT, "CALLERID(num)": self.victim.caller(at), "CALLERID(name)": ""}
        if self.victim.leaves_message:
            left = {"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": str(_left_message(box)), "CHANNEL(name)": CHANNEL}
            variables.update(left)
        far_end = FarEnd(variables)
        far_end.run(["&".join(EXTENSIONS)], self.victim.script, environment, under)
        return far_end.status == "QUEUED"


def _left_message(box: Path) -> Path:
    return box / "voicemail" / "default" / "101" / "INBOX" / "msg0000"


def _left_over(spool: Path) -> list[Path]:
    """Return what a killed process left besides the item."""
    orphans = [path for path in spool.glob("queue/*.wav") if not path.with_suffix(".json").exists()]
    return [*spool.glob("tmp/*"), *orphans]


def _copies(catcher: Catcher) -> Counter[tuple[str, str]]:
    """Return how many mails about each caller each recipient has."""
    found = ((re.search(rb"7\d{8}", mail.content), mail.recipients[0]) for mail in catcher.mails)
    return Counter((match[0].decode(), recipient) for match, recipient in found if match)


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, use: Callable[..., None], catcher: Catcher, tmp_path: Path
) -> Iterator[Scene]:
    use(catcher.port)
    victim = Victim(*request.param)
    (tmp_path / "template").mkdir()
    if victim.leaves_message:
        message(tmp_path / "template", duration=1)
    yield Scene(tmp_path, catcher, victim)
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param((0, MISSED, 0, False), id="missed script, while Asterisk waits"),
        pytest.param((1, MISSED, 1, False), id="missed script, once the call is let go"),
        pytest.param((2, None, 0, False), id="queue run, missed call"),
        pytest.param((3, VOICEMAIL, 0, True), id="voicemail script, while Asterisk waits"),
        pytest.param((4, VOICEMAIL, 1, True), id="voicemail script, once the call is let go"),
        pytest.param((5, None, 0, True), id="queue run, voicemail"),
    ],
    indirect=True,
)
def test_killed_at_every_system_call(
    scene: Scene, report: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scene.strike(0)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        outcomes = list(threads.map(scene.strike, moments(whole.begun)))
    killed = [outcome for outcome in outcomes if outcome.begun == outcome.at]
    assert len(killed) > 0.8 * len(outcomes)
    scene.catcher.settle()
    copies = _copies(scene.catcher)
    doubled: list[tuple[int, str]] = []
    durable: list[int] = []
    for outcome in outcomes:
        counts = {recipient: copies[scene.victim.caller(outcome.at), recipient] for recipient in ALL}
        if outcome.is_queued or outcome.kept is not None or any(counts.values()):
            durable.append(outcome.at)
            assert min(counts.values()) >= 1, f"lost when killed at {outcome}"
        for recipient in (recipient for recipient, count in counts.items() if count > 1):
            assert counts[recipient] == 2, outcome
            assert (outcome.kept or {}).get(recipient) == "sending", f"doubled outside the window: {outcome}"
            doubled.append((outcome.at, recipient))
    assert durable == [outcome.at for outcome in outcomes if outcome.at >= durable[0]], (
        "durable, and later not any more"
    )
    report(
        f"killed at {len(killed)} of {whole.begun} system calls; durable {_since(durable[0])}, 0 lost after that;"
        f" doubled at {len(doubled)} ({_per_recipient(doubled)}); a file left over at"
        f" {sum(outcome.left_over > 0 for outcome in outcomes)}, swept later"
    )
    monkeypatch.setattr(sweep_module, "LEFT_OVER", -1.0)
    for spool in scene.directory.glob("*/spool"):
        for folder in FOLDERS:
            (spool / folder).mkdir(exist_ok=True)  # one that was killed before it had made them
        sweep(Directory(str(spool)))
        assert [path for folder in ("tmp", "queue", "failed") for path in (spool / folder).iterdir()] == []


def _since(first: int) -> str:
    return "before" if first == 1 else f"from the {first}th on"


def _per_recipient(doubled: list[tuple[int, str]]) -> str:
    counts = Counter(recipient for _, recipient in doubled)
    return ", ".join(str(counts[recipient]) for recipient in ALL) + " for each recipient"
