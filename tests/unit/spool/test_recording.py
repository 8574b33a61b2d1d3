"""The recording beside its item: a link where that is allowed, else a copy."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.files import Directory
from pbxnotify.spool.recording import keep_recording, recording_name


@pytest.fixture
def message(tmp_path: Path) -> Path:
    path = tmp_path / "msg0000.wav"
    path.write_bytes(os.urandom(3 << 20))
    return path


def keep(path: Path, target: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        keep_recording(descriptor, Directory(str(target.parent)), target.name)
    finally:
        os.close(descriptor)


def test_it_is_linked(message: Path, tmp_path: Path) -> None:
    keep(message, tmp_path / "kept.wav")
    assert message.samefile(tmp_path / "kept.wav")


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another filesystem: a second one cannot be had in every test environment, what link() says of it can."""

    def link(*arguments: object, **options: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", link)


def test_it_is_copied_where_linking_is_refused(message: Path, tmp_path: Path, no_links: None) -> None:
    keep(message, tmp_path / "kept.wav")
    assert (tmp_path / "kept.wav").read_bytes() == message.read_bytes()
    assert not message.samefile(tmp_path / "kept.wav")
    assert (tmp_path / "kept.wav").stat().st_mode & 0o777 == 0o600


def test_it_is_copied_to_another_filesystem(message: Path) -> None:
    memory = Path("/dev/shm")  # noqa: S108  a filesystem of its own on every Linux
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == message.stat().st_dev:
        pytest.skip("no second filesystem here that may be written")
    target = memory / f"pbxnotify-test-{os.getpid()}.wav"
    try:
        keep(message, target)
        assert target.read_bytes() == message.read_bytes()
    finally:
        target.unlink()


def test_one_that_vanishes_after_it_was_opened(message: Path, tmp_path: Path) -> None:
    content = message.read_bytes()
    descriptor = os.open(message, os.O_RDONLY)
    message.unlink()
    keep_recording(descriptor, Directory(str(tmp_path)), "kept.wav")
    os.close(descriptor)
    assert (tmp_path / "kept.wav").read_bytes() == content


def test_one_that_is_replaced_after_it_was_opened(message: Path, tmp_path: Path) -> None:
    content = message.read_bytes()
    descriptor = os.open(message, os.O_RDONLY)
    message.unlink()
    message.write_bytes(b"another caller's")
    keep_recording(descriptor, Directory(str(tmp_path)), "kept.wav")
    os.close(descriptor)
    assert (tmp_path / "kept.wav").read_bytes() == content


def test_500_mb_are_linked_but_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = tmp_path / "large.wav"
    with open(large, "wb") as file:
        file.truncate(500 << 20)
    keep(large, tmp_path / "linked.wav")
    assert large.samefile(tmp_path / "linked.wav")
    monkeypatch.setattr(os, "link", lambda *arguments, **options: (_ for _ in ()).throw(OSError(errno.EPERM, "no")))
    with pytest.raises(OSError, match="too large to be copied"):
        keep(large, tmp_path / "copied.wav")
    assert not (tmp_path / "copied.wav").exists()


@pytest.mark.parametrize(
    ("event", "path"),
    [
        pytest.param(MissedCall(), "", id="a missed call has none"),
        pytest.param(Voicemail(), "", id="none was kept"),
        pytest.param(Voicemail(recording="wav"), "queue/1.wav", id="beside its item"),
        pytest.param(Voicemail(recording="../../x/wav"), "queue/1.wav", id="no way out of the spool"),
    ],
)
def test_where_it_is(event: MissedCall | Voicemail, path: str) -> None:
    assert recording_name("queue", "1", event) == path
