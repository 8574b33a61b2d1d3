"""A full disk, one that fails or may not be written, clocks that jump, and a queue that was forgotten for a year."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import ALL, CALL, INI, added, queue, reasons, recipients_of, tell, waiting
from extent import LONG, PATIENCE
from far_end import RANG_OUT, VOICEMAIL, FarEnd, wait_for_released
from golden import Golden
from mailboxes import CHANNEL, message, require
from relay import Catcher, ScriptedRelay, close

from pbxnotify.delivery.runner import run_queue
from pbxnotify.events import Alert
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings
from pbxnotify.smtp.oauth import refresh, token_store
from pbxnotify.spool.store import Spool, open_spool

pytestmark = pytest.mark.timeout(PATIENCE)

PAGE = 4096
"""Bytes that a small file takes on a tmpfs."""
LOGS_IN_AT_A_PROVIDER = (
    "[smtp]\nhost = ssl://localhost\nauth = oauth2\nlogin = a@example.com\n"
    "[oauth2]\nprovider = microsoft\nclient_id = x\n"
)
Use = Callable[..., None]
WriteIni = Callable[[str], Path]
THREE = f"{INI}[voicemail]\naudio = as-is\n"


class Disk:
    """A small filesystem of its own, which can be filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def leave(self, pages: int) -> None:
        """Fill it but for so many pages."""
        self.free()
        with self._filler.open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(PAGE))
        os.truncate(self._filler, self._filler.stat().st_size - pages * PAGE)
        assert os.statvfs(self.path).f_bfree == pages

    def free(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)

    def may_be_written(self, yes: bool) -> None:
        """Let it be written, or read only."""
        option = "remount,rw" if yes else "remount,ro"
        subprocess.run(["mount", "-o", option, str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Return a disk of 1 MB with the spool on it; the log is elsewhere."""
    path = tmp_path / "disk"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "pbxnotify-test", str(path)], check=False).returncode:
        pytest.skip("only root may mount a small disk")
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(path / "spool"))
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_token_that_grows_on_a_full_disk_is_not_lost(
    disk: Disk, write_ini: WriteIni, logged: Callable[[], str]
) -> None:
    write_ini(LOGS_IN_AT_A_PROVIDER)
    open_spool()
    relay = load_settings(ini_path()).smtp
    old = token_store.Tokens("A" * 2000, "R" * 1700, 1.0, 2.0)
    token_store.write(relay, old)
    disk.leave(0)
    new = old._replace(access="B" * 3000, refresh="S" * 3000)
    refresh._keep(relay, new)  # its room is taken from the beginning
    assert (token_store.read(relay), logged()) == (new, "")
    refresh._keep(relay, old._replace(access="C" * 8000))
    assert token_store.read(relay) == new
    assert f"{token_store.path()}: No space left on device" in logged()
    disk.free()
    refresh._keep(relay, old)
    assert token_store.read(relay) == old


def leave_message(box: Path, under: tuple[str, ...] = ()) -> FarEnd:
    """Let the voicemail script submit and deliver a message for three people, to its end."""
    left = {"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": message(box / "asterisk", duration=1), "CHANNEL(name)": CHANNEL}
    far_end = FarEnd({**RANG_OUT, **left})
    environment = {"AST_SPOOL_DIR": str(box / "asterisk")}
    assert far_end.run(["101&102&103"], VOICEMAIL, environment, under) == 0
    wait_for_released(VOICEMAIL)
    return far_end


def logged_whole(log: str) -> list[dict[str, object]]:
    """Return the events that are in the log because nothing else would take them."""
    lost = (line.partition(" event=")[2] for line in log.splitlines() if " lost id=" in line)
    return [json.loads(event) for event in lost]


@pytest.mark.parametrize("pages", range(8))
def test_so_many_pages_are_left(
    write_ini: WriteIni, catcher: Catcher, disk: Disk, box: Path, logged: Callable[[], str], pages: int
) -> None:
    """The item takes one, each new version of it another one for a moment, the recording five."""
    write_ini(THREE.format(port=catcher.port, enabled="yes"))
    open_spool()
    disk.leave(pages)
    assert leave_message(box).status == ("QUEUED" if pages else "FAILED")
    assert logged().count(" sent id=") == 1
    assert Counter(recipients_of(catcher)) == Counter(ALL)
    has_recording = [bool(list(mail.message.iter_attachments())) for mail in catcher.mails]
    assert has_recording == [pages in (0, 5, 6, 7)] * 3, "from memory, or kept whole"
    assert open_spool().identifiers() == []


@pytest.mark.parametrize("pages", range(8))
def test_so_many_pages_are_left_and_the_relay_is_down(
    write_ini: WriteIni, catcher: Catcher, disk: Disk, box: Path, logged: Callable[[], str], pages: int
) -> None:
    write_ini(THREE.format(port=1, enabled="yes"))
    spool = open_spool()
    disk.leave(pages)
    far_end = leave_message(box)
    assert far_end.status == ("QUEUED" if pages else "FAILED")
    assert [event["caller_number"] for event in logged_whole(logged())] == ([] if pages else ["5551212"])
    disk.free()
    write_ini(THREE.format(port=catcher.port, enabled="yes"))
    run_queue(spool, everything=True)
    assert Counter(recipients_of(catcher)) == Counter(ALL if pages else [])


STEPS = ["fsync", "rename", "mkdir", "linkat", "unlink", "link"]


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("at", range(1, 13 if LONG else 7))
def test_a_step_that_fails(write_ini: WriteIni, catcher: Catcher, box: Path, error: str, step: str, at: int) -> None:
    """The n-th fsync, rename … of the script, and of the process that it releases, fails as on a broken disk."""
    write_ini(THREE.format(port=catcher.port, enabled="yes"))
    injected = f"inject={step}:error={error}:when={at}"
    under = (require("strace"), "-f", "-q", "-o", "/dev/null", "-e", f"trace={step}", "-e", injected)
    leave_message(box, under)
    spool = open_spool()
    for _ in range(3):
        run_queue(spool, everything=True)
    copies = Counter(recipient for recipient in recipients_of(catcher) if recipient in ALL)
    assert set(copies) == set(ALL)
    assert max(copies.values()) <= 2
    assert spool.identifiers() == []


def test_a_full_disk_does_not_silence_an_alert(use: Use, catcher: Catcher, disk: Disk) -> None:
    use(catcher.port)
    open_spool()
    disk.leave(0)
    assert tell(Alert(time.time(), "the disk is full", "0 bytes left", "disk")) == ["FAILED", "SENT"]
    assert recipients_of(catcher) == ["admin@example.com"]


def one_waiting() -> Spool:
    """Return a spool with one call for three people."""
    spool = open_spool()
    queue(spool, CALL)
    return spool


def test_who_has_it_gets_no_copy_with_each_attempt_on_a_full_disk(
    use: Use, catcher: Catcher, disk: Disk, logged: Callable[[], str], golden: Golden
) -> None:
    """Nothing can be recorded any more, so what two of three have is not tried again by itself."""
    use(catcher.port)
    spool = one_waiting()
    disk.leave(0)
    catcher.answers["b@example.com"] = "451 4.7.1 greylisted"
    for _ in range(3):
        run_queue(spool, everything=True)
    assert recipients_of(catcher) == ["a@example.com", "admin@example.com", "c@example.com"]
    assert len(spool.identifiers("failed")) == 1
    golden(reasons(logged(), "failed").partition(": 127")[0])


def test_a_full_disk_and_a_dead_relay_change_nothing(use: Use, catcher: Catcher, disk: Disk) -> None:
    """One has it, which is recorded; the others wait until disk and relay work again."""
    use(catcher.port)
    spool = one_waiting()
    catcher.answers.update({"b@example.com": "451 later", "c@example.com": "451 later"})
    run_queue(spool, everything=True)
    disk.leave(0)
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        for _ in range(3):
            assert run_queue(spool, everything=True) == {"deferred": 1}
    disk.free()
    use(catcher.port)
    catcher.answers.clear()
    run_queue(spool, everything=True)
    assert recipients_of(catcher) == ALL


def test_no_third_copy_on_a_full_disk(use: Use, disk: Disk) -> None:
    """The answers are lost, and what is known of them cannot be recorded."""
    spool = one_waiting()
    with ScriptedRelay(message=close) as relay:
        use(relay.port)
        disk.leave(0)
        for _ in range(4):
            run_queue(spool, everything=True)
        assert len(relay.messages) <= 2


def test_a_full_disk_does_not_end_the_backoff(use: Use, write_ini: WriteIni, disk: Disk) -> None:
    """A wrong password is tried once, not with each item: the account would be locked."""
    spool = open_spool()
    for number in range(5):
        queue(spool, CALL._replace(linked_id=f"{number}.1"))
    disk.leave(0)
    with ScriptedRelay(extensions=["AUTH PLAIN"], AUTH="535 5.7.8 wrong") as relay:
        write_ini(INI.format(port=relay.port, enabled="yes").replace("timeout = 60", "login = pbx\npassword = x"))
        for _ in range(3):
            run_queue(spool)
        assert len(relay.commands("AUTH")) == 1


def test_what_was_notified_before_is_not_sent_from_memory(use: Use, catcher: Catcher, disk: Disk) -> None:
    """The item finds room, its narrower version none: it is durable all the same."""
    use(catcher.port)
    open_spool()
    assert tell(CALL.only(["101"])) == ["QUEUED", "SENT"]
    disk.leave(1)
    assert tell(CALL) == ["QUEUED", "SENT"]
    assert recipients_of(catcher) == ALL


def test_the_administrator_hears_of_a_failure_on_a_full_disk(use: Use, catcher: Catcher, disk: Disk) -> None:
    use(catcher.port)
    spool = one_waiting()
    catcher.answers["b@example.com"] = "550 5.1.1 no such user"
    disk.leave(0)
    assert run_queue(spool) == {"failed": 1}
    assert recipients_of(catcher) == ["a@example.com", "admin@example.com", "c@example.com"]


def test_what_could_be_neither_recorded_nor_removed_does_not_leave(use: Use, catcher: Catcher, spool: Spool) -> None:
    """It would leave again with each run."""
    use(catcher.port)
    one_waiting()
    if (
        not shutil.which("chattr")
        or subprocess.run(["chattr", "+i", os.path.join(spool.directory, "tmp")], check=False).returncode
    ):
        pytest.skip("this filesystem knows no immutable directories")
    try:
        for _ in range(3):
            run_queue(spool, everything=True)
        assert catcher.mails == []
    finally:
        subprocess.run(["chattr", "-i", os.path.join(spool.directory, "tmp")], check=True)
    run_queue(spool)
    assert recipients_of(catcher) == ALL


def test_a_disk_that_turns_read_only(
    use: Use, catcher: Catcher, disk: Disk, run: Callable[..., tuple[int, str, str]], golden: Golden
) -> None:
    """What waits there waits on: it could not be removed once it is sent. What is new leaves from memory."""
    use(catcher.port)
    one_waiting()
    disk.may_be_written(False)
    try:
        status, _, said = run("queue", "run")
        assert status == os.EX_IOERR
        golden(said.splitlines()[-1])
        assert tell(CALL._replace(linked_id="2.2")) == ["FAILED", "SENT"]
    finally:
        disk.may_be_written(True)
    assert run("queue", "run")[:2] == (os.EX_OK, "pbxnotify: 1 sent\n")
    assert Counter(recipients_of(catcher)) == Counter(ALL * 2)


@pytest.mark.parametrize("jump", [-86400 * 365, -3600, 3600, 86400 * 365 * 30], ids="{} s".format)
def test_the_clock_jumps_while_something_waits(
    use: Use, catcher: Catcher, spool: Spool, monkeypatch: pytest.MonkeyPatch, jump: int
) -> None:
    """Queued and tried with one clock, due with another: it leaves with the first run after its pause at the latest."""
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() - jump)
        tell()
    (Path(os.environ["PBXNOTIFY_CONFIG"])).write_text(INI.format(port=catcher.port, enabled="yes"))
    monkeypatch.setattr(time, "time", right)
    assert run_queue(spool) == {"sent": 1}
    assert recipients_of(catcher) == ALL


def test_an_item_due_years_ahead_is_due(use: Use, catcher: Catcher, spool: Spool) -> None:
    use(catcher.port)
    queue_file = added(spool)
    queue_file.change(due=time.time() + 86400 * 365, settings=ini_fingerprint(ini_path()))
    queue_file.release()
    assert run_queue(spool) == {"sent": 1}


@pytest.fixture
def forgotten(spool: Spool) -> Spool:
    """Return a queue of 100 calls that is a year old."""
    for number in range(100):
        queue_file = added(spool, CALL._replace(linked_id=f"{number}.1").only(["101"]))
        queue_file.change(queued=time.time() - 86400 * 365, attempts=20)
        queue_file.release()
        identifier = queue_file.item.id
        os.rename(*(Path(spool.directory, "queue", f"{name}.json") for name in (identifier, f"2025{identifier[4:]}")))
    return spool


def test_a_queue_forgotten_for_a_year_is_sent(use: Use, catcher: Catcher, forgotten: Spool) -> None:
    use(catcher.port)
    assert run_queue(forgotten) == {"sent": 100}


def test_a_queue_forgotten_for_a_year_is_kept_when_the_relay_is_down(
    use: Use, catcher: Catcher, forgotten: Spool
) -> None:
    """The administrator is notified once, not a hundred times."""
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        assert run_queue(forgotten) == {"failed": 100}
        assert relay.connections == 1
    assert len(forgotten.identifiers("failed")) == 100
    assert len(waiting(forgotten, "alert")) == 1


def test_a_queue_that_a_wrong_clock_made_a_year_old_is_kept_waiting_when_the_relay_is_down(
    use: Use, catcher: Catcher, forgotten: Spool
) -> None:
    """Nobody has tried to deliver it yet."""
    for identifier in forgotten.identifiers():
        queue_file = forgotten.lock(identifier)
        assert queue_file
        queue_file.change(attempts=0)
        queue_file.release()
    with ScriptedRelay(greeting=close) as relay:
        use(relay.port)
        for _ in range(3):
            run_queue(forgotten)
        assert relay.connections == 1
    assert (len(forgotten.identifiers()), forgotten.identifiers("failed")) == (100, [])
    use(catcher.port)
    assert run_queue(forgotten) == {"sent": 100}
