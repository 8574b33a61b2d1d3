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
from pbxnotify.spool.store import Spool, open_spool

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


def test_the_sweep_takes_only_what_is_old(spool: Spool) -> None:
    old, new = Path(spool.directory) / "tmp" / "old", Path(spool.directory) / "tmp" / "new"
    key = Path(spool.directory) / "done" / "key"
    for path in (old, new, key):
        path.touch()
    for path in (old, key):
        os.utime(path, (0, 0))
    spool.sweep()
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
