"""Where events wait: durable, keyed, owned, and back after every trouble."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from checkout import ROOT

from pbxnotify.errors import SpoolError
from pbxnotify.events import Alert, MissedCall, Voicemail
from pbxnotify.spool import store as spool_module
from pbxnotify.spool.owner import spool_path
from pbxnotify.spool.queue_file import QueueFile, UnkeptItem
from pbxnotify.spool.store import Spool, open_spool

CALL = MissedCall(1795478867.0, 5, ("101", "102"), "5551212", "Alice", linked_id="1795478867.0")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def test_an_item_is_readable_json(spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    text = (Path(spool.directory) / "queue" / f"{entry.item.id}.json").read_text()
    assert '"caller_name": "Alice"' in text


def test_a_call_told_before_is_told_no_more(spool: Spool) -> None:
    assert spool.add(CALL) is not None
    assert spool.add(CALL) is None


def test_only_the_fresh_extensions_are_told(spool: Spool) -> None:
    spool.add(CALL.only(["101"]))
    entry = spool.add(CALL)
    assert entry is not None
    assert entry.item.event == CALL.only(["102"])


def test_a_call_without_an_id_cannot_be_told_before(spool: Spool) -> None:
    nameless = CALL._replace(linked_id="")
    assert spool.add(nameless) is not None
    assert spool.add(nameless) is not None


def test_a_call_to_nobody_known_is_told_once(spool: Spool) -> None:
    assert spool.add(CALL.only([])) is not None
    assert spool.add(CALL.only([])) is None


def test_an_alert_is_told_once(spool: Spool) -> None:
    assert spool.add(Alert(1.0, "disk", "full", "disk")) is not None
    assert spool.add(Alert(2.0, "disk", "still full", "disk")) is None


def test_a_key_is_no_path(spool: Spool) -> None:
    spool.add(CALL._replace(linked_id="../../../etc/passwd", extensions=("../" * 200,)))
    assert len(os.listdir(Path(spool.directory) / "done")) == 1


def test_many_scripts_of_one_call_leave_one_item(spool: Spool) -> None:
    with ThreadPoolExecutor(16) as pool:
        entries = list(pool.map(lambda _: Spool(spool.directory).add(CALL), range(64)))
    told = [extension for entry in entries if entry for extension in entry.item.event.extensions]
    assert sorted(told) == ["101", "102"]


def test_an_item_is_locked_from_birth(spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    assert spool.lock(entry.item.id) is None
    entry.change(attempts=1)
    assert spool.lock(entry.item.id) is None
    entry.release()
    again = spool.lock(entry.item.id)
    assert again is not None
    assert again.item.attempts == 1


def test_an_ended_item_is_gone(spool: Spool) -> None:
    entry = spool.add(CALL)
    assert entry is not None
    entry.end("sent")
    assert spool.identifiers() == []
    assert spool.lock(entry.item.id) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"event": {}}', b"\xff\xfe", b'{"event": {"event": "missed"}, "id": 1}'],
    ids=["empty", "half", "list", "no kind", "no UTF-8", "number for a name"],
)
def test_a_damaged_item_is_set_aside(spool: Spool, content: bytes, logged) -> None:
    (Path(spool.directory) / "queue" / "a.json").write_bytes(content)
    assert spool.lock("a") is None
    assert (Path(spool.directory) / "failed" / "a.json.damaged").read_bytes() == content
    assert "damaged" in logged()


def test_the_sweep_takes_only_what_is_old(spool: Spool) -> None:
    old, new = Path(spool.directory) / "tmp" / "old", Path(spool.directory) / "tmp" / "new"
    key = Path(spool.directory) / "done" / "key"
    for path in (old, new, key):
        path.touch()
    for path in (old, key):
        os.utime(path, (0, 0))
    spool.sweep()
    assert [path.exists() for path in (old, new, key)] == [False, True, False]


CONF = "[directories]{mark}\nastspooldir => {directory} ; a comment\n[options]\n"


@pytest.mark.parametrize(
    ("environment", "conf", "place"),
    [
        pytest.param({"PBXNOTIFY_SPOOL": "/a"}, "", "/a", id="PBXNOTIFY_SPOOL"),
        pytest.param({"AST_SPOOL_DIR": "/b"}, "", "/b/pbxnotify", id="AST_SPOOL_DIR"),
        pytest.param({}, CONF.format(mark="", directory="/c"), "/c/pbxnotify", id="asterisk.conf"),
        pytest.param({}, CONF.format(mark="(!)", directory="/c"), "/var/spool/asterisk/pbxnotify", id="a template"),
        pytest.param({}, "astspooldir => /d\n", "/var/spool/asterisk/pbxnotify", id="no section"),
        pytest.param({}, None, "/var/spool/asterisk/pbxnotify", id="no asterisk.conf"),
    ],
)
def test_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], conf: str | None, place: str
) -> None:
    for name in ("PBXNOTIFY_SPOOL", "AST_SPOOL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if conf is not None:
        (tmp_path / "asterisk.conf").write_text(conf)
    assert spool_path() == place


def test_it_is_private(spool: Spool) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [Path(spool.directory), *Path(spool.directory).iterdir()]}
    assert modes == {0o700}


def test_one_found_open_is_closed(spool: Spool, logged) -> None:
    os.chmod(spool.directory, 0o775)  # noqa: S103  what chown scripts of a distribution do
    open_spool()
    assert stat.S_IMODE(os.stat(spool.directory).st_mode) == 0o700
    assert "set back to 0700" in logged()


def test_no_asterisk_no_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(tmp_path / "no" / "spool"))
    with pytest.raises(SpoolError, match="No such file"):
        open_spool()


def test_a_queue_that_cannot_be_written_is_not_sent_from(asterisk_spool: Path) -> None:
    user = asterisk_spool.stat().st_uid
    opened_by(user, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool / "pbxnotify" / "queue", 0o500)
    assert "nothing is sent from it until it can" in opened_by(user, asterisk_spool / "pbxnotify").stderr


def test_a_directory_that_serves_others_is_refused_and_left_as_it_is(spool: Spool) -> None:
    (Path(spool.directory) / "others").touch()
    os.chmod(spool.directory, 0o755)  # noqa: S103
    with pytest.raises(SpoolError, match="holds others"):
        open_spool()
    assert stat.S_IMODE(os.stat(spool.directory).st_mode) == 0o755


def test_a_file_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").touch()
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(tmp_path / "spool"))
    with pytest.raises(SpoolError):
        open_spool()


OPEN = (
    "from pbxnotify.spool.owner import become_spool_owner; from pbxnotify.spool.store import open_spool;"
    "from pbxnotify.events import MissedCall; become_spool_owner(); open_spool()"
)


def opened_by(user: int, directory: Path, then: str = "print(os.geteuid())") -> subprocess.CompletedProcess[str]:
    """Open the spool in a process of that user."""
    become = f"import os; os.getuid() or (os.setgid({user}), os.setuid({user}))"
    return subprocess.run(
        ["/usr/bin/python3", "-c", f"{become}; {OPEN}; {then}"],
        env={**os.environ, "PBXNOTIFY_SPOOL": str(directory), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def asterisk_spool() -> Iterator[Path]:
    """Return the spool directory of an Asterisk, which runs as user 1234 where we are root, else as we do."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if os.geteuid() == 0:
            os.chown(directory, 1234, 1234)
        yield directory


@ROOT_ONLY
def test_root_makes_it_for_asterisk_and_acts_as_its_owner(asterisk_spool: Path) -> None:
    assert opened_by(0, asterisk_spool / "pbxnotify").stdout == "1234\n"
    assert {path.stat().st_uid for path in (asterisk_spool / "pbxnotify").glob("**")} == {1234}


@ROOT_ONLY
def test_root_keeps_no_group_of_its_own(asterisk_spool: Path) -> None:
    os.chown(asterisk_spool, pwd.getpwnam("nobody").pw_uid, 0)
    groups = opened_by(0, asterisk_spool / "pbxnotify", then="print({os.getgid(), *os.getgroups()})").stdout
    assert groups == f"{{{pwd.getpwnam('nobody').pw_gid}}}\n"


@ROOT_ONLY
def test_another_users_is_refused(asterisk_spool: Path) -> None:
    opened_by(0, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool, 0o755)  # noqa: S103  so that the other user gets as far as the spool
    assert "SpoolError" in opened_by(4321, asterisk_spool / "pbxnotify").stderr


def test_no_right_to_write(asterisk_spool: Path) -> None:
    user = asterisk_spool.stat().st_uid
    opened_by(user, asterisk_spool / "pbxnotify")
    os.chmod(asterisk_spool / "pbxnotify" / "tmp", 0o500)
    done = opened_by(user, asterisk_spool / "pbxnotify", then="open_spool().add(MissedCall())")
    assert "SpoolError: the spool cannot be used: Permission denied" in done.stderr


def test_no_room(spool: Spool) -> None:
    """A file size limit of nothing is what a full disk looks like to a process: the write fails half way."""
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from pbxnotify.spool.store import open_spool; from pbxnotify.events import MissedCall;"
        "open_spool().add(MissedCall())"
    )
    environment = {**os.environ, "PBXNOTIFY_SPOOL": spool.directory, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "SpoolError: the spool cannot be used: File too large" in done.stderr
    assert os.listdir(Path(spool.directory) / "tmp") == os.listdir(Path(spool.directory) / "queue") == []


# ---- a voicemail's recording

MESSAGE = Voicemail(
    1795478867.0, 3, ("101",), "5551212", linked_id="1.1", message_id="1795478867-00000001", place="1.1-msg0000-"
)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a recording in a mailbox."""
    path = tmp_path / "msg0000.wav"
    path.write_bytes(b"RIFF sound")
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def entry(spool: Spool, recording: int) -> QueueFile:
    """Return the item of a voicemail with a recording."""
    entry = spool.add(MESSAGE._replace(recording="wav"), recording)
    assert entry is not None
    return entry


def recordings(spool: Spool) -> dict[str, list[bytes]]:
    """Return what recordings there are, by folder."""
    folders = ("queue", "failed", "tmp")
    return {folder: [path.read_bytes() for path in Path(spool.directory, folder).glob("*.wav")] for folder in folders}


def test_the_recording_is_kept_when_the_mailbox_is_emptied(spool: Spool, entry: QueueFile, tmp_path: Path) -> None:
    (tmp_path / "msg0000.wav").unlink()
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}
    assert Path(entry.recording).read_bytes() == b"RIFF sound"


def test_the_recording_goes_with_its_item(spool: Spool, entry: QueueFile, tmp_path: Path) -> None:
    entry.change(attempts=1)
    entry.fail("refused")
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}
    entry.retry()
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}
    entry.end("sent")
    assert recordings(spool) == {"queue": [], "failed": [], "tmp": []}
    assert (tmp_path / "msg0000.wav").exists()


def test_an_item_put_back_where_it_is_keeps_its_recording(spool: Spool, entry: QueueFile) -> None:
    entry.change(attempts=3, due=1e12)
    entry.retry()
    assert (entry.item.attempts, recordings(spool)["queue"]) == (0, [b"RIFF sound"])


def test_a_message_told_before_is_told_no_more(spool: Spool, entry: QueueFile, recording: int) -> None:
    assert spool.add(MESSAGE._replace(recording="wav", place="2.1-msg0000-"), recording) is None
    assert recordings(spool)["queue"] == [b"RIFF sound"]


def test_a_message_that_is_gone_was_told_under_its_place(spool: Spool, entry: QueueFile) -> None:
    assert spool.add(MESSAGE._replace(message_id="")) is None


def test_the_next_message_in_the_same_place_is_told(spool: Spool, entry: QueueFile) -> None:
    assert spool.add(MESSAGE._replace(message_id="1795478870-00000002")) is not None


def test_two_scripts_at_once_keep_one_recording(spool: Spool, recording: int) -> None:
    with ThreadPoolExecutor(16) as threads:
        entries = list(threads.map(lambda _: spool.add(MESSAGE._replace(recording="wav"), recording), range(16)))
    assert sum(entry is not None for entry in entries) == 1
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}


def test_a_recording_that_cannot_be_kept_is_left_out(spool: Spool, recording: int, logged) -> None:
    closed = os.dup(recording)
    os.close(closed)
    entry = spool.add(MESSAGE._replace(recording="wav"), closed)
    assert entry is not None
    assert entry.recording == ""
    assert "the recording cannot be kept in the spool: Bad file descriptor" in logged()


def test_why_there_is_no_recording_is_logged(spool: Spool, logged) -> None:
    spool.add(MESSAGE._replace(trouble="recording: msg0000.wav is empty"))
    assert 'reason="recording: msg0000.wav is empty"' in logged()


def test_the_recording_of_a_damaged_item_is_set_aside_with_it(spool: Spool, entry: QueueFile) -> None:
    entry.release()
    (Path(spool.directory) / "queue" / f"{entry.item.id}.json").write_text("{")
    assert spool.lock(entry.item.id) is None
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}
    spool.sweep()
    assert recordings(spool)["failed"] == [b"RIFF sound"]


def test_a_recording_without_an_item_is_swept_in_time(
    spool: Spool, entry: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("queue", "failed"):
        (Path(spool.directory) / folder / "20261124-000000-dead.wav").write_bytes(b"of a killed process")
    spool.sweep()
    assert len(recordings(spool)["queue"]) == 2
    monkeypatch.setattr(spool_module, "LEFT_OVER", -1.0)
    spool.sweep()
    assert recordings(spool) == {"queue": [b"RIFF sound"], "failed": [], "tmp": []}


def test_a_recording_of_an_unkept_item_can_be_read(recording: int, tmp_path: Path) -> None:
    unkept = UnkeptItem(MESSAGE._replace(recording="wav"), recording)
    (tmp_path / "msg0000.wav").unlink()
    assert Path(unkept.recording).read_bytes() == b"RIFF sound"


def test_a_long_key_is_not_cut_off(spool: Spool) -> None:
    call = CALL._replace(linked_id="_" * 86 + "1.1")
    assert spool.add(call.only(["101"])) is not None
    assert spool.add(call.only(["102"])) is not None
    assert spool.add(call.only(["101"])) is None


def test_a_recording_goes_along_where_links_are_refused(
    spool: Spool, entry: QueueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*arguments: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    entry.fail("refused")
    assert recordings(spool) == {"queue": [], "failed": [b"RIFF sound"], "tmp": []}


def test_no_room_for_the_item_leaves_no_recording(spool: Spool, tmp_path: Path) -> None:
    script = (
        "import os, resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "from pbxnotify.spool.store import open_spool; from pbxnotify.events import Voicemail;"
        "open_spool().add(Voicemail(recording='wav'), os.open('msg0000.wav', os.O_RDONLY))"
    )
    (tmp_path / "msg0000.wav").write_bytes(b"RIFF sound")
    environment = {**os.environ, "PBXNOTIFY_SPOOL": spool.directory, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "SpoolError: the spool cannot be used: File too large" in done.stderr
    assert recordings(spool) == {"queue": [], "failed": [], "tmp": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("time", 10**400, id="no time"),
        pytest.param("caller_number", "\ud800", id="half a character"),
        pytest.param("attempts", "3", id="text for a number"),
        pytest.param("due", 1e300, id="never"),
        pytest.param("reason", None, id="null"),
    ],
)
def test_an_item_written_by_hand_is_set_aside(spool: Spool, entry: QueueFile, field: str, value: object) -> None:
    entry.release()
    path = Path(spool.directory) / "queue" / f"{entry.item.id}.json"
    record = json.loads(path.read_text())
    (record["event"] if field in record["event"] else record)[field] = value
    path.write_text(json.dumps(record))
    assert spool.lock(entry.item.id) is None
    assert spool.damaged() == [f"{entry.item.id}.json.damaged"]
