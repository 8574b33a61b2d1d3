"""The queue on disk: durable, keyed, private, and swept."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from calls import added, reasons
from golden import Golden

from pbxnotify.errors import SpoolError
from pbxnotify.events import Alert, MissedCall
from pbxnotify.files import Directory, unlock
from pbxnotify.spool.store import CALL_PLACES, QUEUE_PLACES, Spool, open_spool
from pbxnotify.spool.sweep import sweep

CALL = MissedCall(1795478867.0, 5, ("101", "102"), "5551212", "Alice", linked_id="1795478867.0")


def test_an_item_is_readable_json(spool: Spool) -> None:
    text = (Path(spool.directory) / "queue" / f"{added(spool, CALL).item.id}.json").read_text()
    assert '"caller_name": "Alice"' in text


def test_a_call_is_notified_once(spool: Spool) -> None:
    assert spool.add(CALL) is not None
    assert spool.add(CALL) is None


def test_only_the_extensions_not_yet_notified_are_queued(spool: Spool) -> None:
    spool.add(CALL.only(["101"]))
    assert added(spool, CALL).item.event == CALL.only(["102"])


def test_a_call_without_an_id_may_be_notified_again(spool: Spool) -> None:
    nameless = CALL._replace(linked_id="")
    assert spool.add(nameless) is not None
    assert spool.add(nameless) is not None


def test_a_call_to_no_known_extension_is_notified_once(spool: Spool) -> None:
    assert spool.add(CALL.only([])) is not None
    assert spool.add(CALL.only([])) is None


def test_an_alert_is_raised_once(spool: Spool) -> None:
    assert spool.add(Alert(1.0, "disk", "full", "disk")) is not None
    assert spool.add(Alert(2.0, "disk", "still full", "disk")) is None


def test_a_key_is_no_path(spool: Spool) -> None:
    spool.add(CALL._replace(linked_id="../../../etc/passwd", extensions=("../" * 200,)))
    assert len(os.listdir(Path(spool.directory) / "done")) == 1


def test_many_scripts_of_one_call_leave_one_item(spool: Spool) -> None:
    with ThreadPoolExecutor(16) as pool:
        items = [one.item for one in pool.map(lambda _: Spool(spool.directory).add(CALL), range(64)) if one]
    queued = [extension for item in items if isinstance(item.event, MissedCall) for extension in item.event.extensions]
    assert sorted(queued) == ["101", "102"]


def test_an_item_is_locked_from_birth(spool: Spool) -> None:
    queue_file = added(spool, CALL)
    assert spool.lock(queue_file.item.id) is None
    queue_file.change(attempts=1)
    assert spool.lock(queue_file.item.id) is None
    queue_file.release()
    again = spool.lock(queue_file.item.id)
    assert again is not None
    assert again.item.attempts == 1


def test_an_ended_item_is_gone(spool: Spool) -> None:
    queue_file = added(spool, CALL)
    queue_file.end("sent")
    assert spool.identifiers() == []
    assert spool.lock(queue_file.item.id) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"event": {}}', b"\xff\xfe", b'{"event": {"event": "missed"}, "id": 1}'],
    ids=["empty", "half", "list", "no kind", "no UTF-8", "number for a name"],
)
def test_a_damaged_item_is_set_aside(spool: Spool, content: bytes, logged: Callable[[], str], golden: Golden) -> None:
    (Path(spool.directory) / "queue" / "a.json").write_bytes(content)
    assert spool.lock("a") is None
    assert (Path(spool.directory) / "failed" / "a.json.damaged").read_bytes() == content
    assert " failed id=a " in logged()
    golden(reasons(logged(), "failed").partition(":")[0])


def test_at_most_three_deliver_at_once(spool: Spool) -> None:
    taken = [spool.take_place(CALL_PLACES) for _ in range(4)]
    assert [place is not None for place in taken] == [True, True, False, False]
    with spool.alone() as alone:
        assert (alone, spool.take_place(QUEUE_PLACES)) == (True, None)
    assert spool.take_place(QUEUE_PLACES) is not None
    unlock(taken[1] or 0)
    assert spool.take_place(CALL_PLACES) is not None


def test_a_place_is_given_up_even_if_a_forked_process_still_has_it(spool: Spool) -> None:
    """The script of a held call still has it when the process that delivers has ended."""
    place = spool.take_place(QUEUE_PLACES)
    assert place is not None
    over, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(over, 1)
        os._exit(0)
    unlock(place)
    assert spool.take_place(QUEUE_PLACES) is not None
    os.close(end)
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(lambda path: path.symlink_to(path.parent.parent), id="link"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling link"),
        pytest.param(os.mkfifo, id="FIFO"),
        pytest.param(Path.touch, id="file"),
        pytest.param(lambda path: None, id="nothing"),
    ],
)
def test_what_is_no_folder_is_no_place(
    spool: Spool, instead: Callable[[Path], None], logged: Callable[[], str]
) -> None:
    """And holds up nobody who asks: the other places are still there."""
    folder = Path(spool.directory, CALL_PLACES[0])
    folder.rmdir()
    instead(folder)
    spool = Spool(Directory(str(spool.directory)))
    assert [spool.take_place(CALL_PLACES) is not None for _ in CALL_PLACES] == [True, False]
    assert str(folder) in logged()


def test_names_are_alerts_first_then_by_age(spool: Spool) -> None:
    folder = Path(spool.directory, "queue")
    names = ["alert-20250101-000000-aa", "alert-20260101-000000-aa", "20240101-000000-bb", "20260101-000000-bb", "a"]
    for name in reversed(names):
        (folder / f"{name}.json").touch()
    assert spool.identifiers() == names


def test_the_sweep_takes_only_what_is_old(spool: Spool) -> None:
    old, new = Path(spool.directory) / "tmp" / "old", Path(spool.directory) / "tmp" / "new"
    key = Path(spool.directory) / "done" / "key"
    for path in (old, new, key):
        path.touch()
    for path in (old, key):
        os.utime(path, (0, 0))
    sweep(spool.directory)
    assert [path.exists() for path in (old, new, key)] == [False, True, False]


def test_it_is_private(spool: Spool) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [Path(spool.directory), *Path(spool.directory).iterdir()]}
    assert modes == {0o700}


def test_one_found_open_is_closed(spool: Spool, logged: Callable[[], str], golden: Golden) -> None:
    os.chmod(spool.directory, 0o775)  # noqa: S103  what chown scripts of a distribution do
    open_spool()
    assert stat.S_IMODE(os.stat(spool.directory).st_mode) == 0o700
    golden(logged())


def test_no_asterisk_no_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(tmp_path / "no" / "spool"))
    with pytest.raises(SpoolError, match="No such file"):
        open_spool()


def test_a_directory_that_serves_others_is_refused_and_left_as_it_is(spool: Spool, golden: Golden) -> None:
    (Path(spool.directory) / "others").touch()
    os.chmod(spool.directory, 0o755)  # noqa: S103
    with pytest.raises(SpoolError, match=f"{spool.directory} .*others") as refused:
        open_spool()
    golden(refused.value)
    assert stat.S_IMODE(os.stat(spool.directory).st_mode) == 0o755


def test_a_file_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spool").touch()
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(tmp_path / "spool"))
    with pytest.raises(SpoolError):
        open_spool()


def test_a_long_key_is_not_cut_off(spool: Spool) -> None:
    call = CALL._replace(linked_id="_" * 86 + "1.1")
    assert spool.add(call.only(["101"])) is not None
    assert spool.add(call.only(["102"])) is not None
    assert spool.add(call.only(["101"])) is None
