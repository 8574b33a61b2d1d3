"""The ini file put in place: atomically, as it was, and no other file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from golden import Golden

from pbxnotify.errors import SettingsError
from pbxnotify.settings.place import IniPlace


def test_it_keeps_owner_mode_and_neighbours(box: Path) -> None:
    path = box / "pbxnotify.ini"
    path.write_text("a")
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    before = path.stat()
    IniPlace(str(path)).replace("b")
    after = path.stat()
    assert path.read_text() == "b"
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert (after.st_ino != before.st_ino, after.st_mtime_ns > before.st_mtime_ns) == (True, True)
    assert list(box.glob(".pbxnotify*")) == []


def test_a_new_file_is_for_its_group_only(box: Path) -> None:
    IniPlace(str(box / "new.ini")).replace("a", os.getegid())
    assert stat.S_IMODE((box / "new.ini").stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(box: Path) -> None:
    (box / "kept").mkdir()
    (box / "kept" / "real.ini").write_text("a")
    (box / "pbxnotify.ini").symlink_to("kept/real.ini")
    IniPlace(str(box / "pbxnotify.ini")).replace("b")
    assert ((box / "pbxnotify.ini").is_symlink(), (box / "kept" / "real.ini").read_text()) == (True, "b")


def test_nobody_can_put_another_file_in_the_new_ones_place(
    box: Path, golden: Golden, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk's user owns the directory and is faster than root: what root changes is the file it has made."""
    (box / "pbxnotify.ini").write_text("a")
    secret = box / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    fsync = os.fsync

    def strike(descriptor: int) -> None:
        (made,) = box.glob(".pbxnotify-*")
        (box / "link").symlink_to(secret)
        (box / "link").rename(made)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", strike)
    with pytest.raises(SettingsError) as caught:
        IniPlace(str(box / "pbxnotify.ini")).replace("b")
    golden(caught.value)
    assert ((box / "pbxnotify.ini").read_text(), secret.read_text()) == ("a", "root's")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_a_second_name_is_said_before_anybody_types(box: Path, golden: Golden) -> None:
    (box / "pbxnotify.ini").write_text("a")
    os.link(box / "pbxnotify.ini", box / "other.ini")
    with pytest.raises(SettingsError) as caught:
        IniPlace(str(box / "pbxnotify.ini"))
    golden(caught.value)


def test_nothing_is_changed_where_it_cannot_be_replaced(box: Path, golden: Golden) -> None:
    (box / "pbxnotify.ini").mkdir()
    (box / "pbxnotify.ini" / "x").touch()
    with pytest.raises(SettingsError) as caught:
        IniPlace(str(box / "pbxnotify.ini")).replace("b")
    golden(caught.value)
    assert list(box.glob(".pbxnotify*")) == []


def test_a_directory_that_is_not_there(box: Path, golden: Golden) -> None:
    with pytest.raises(SettingsError) as caught:
        IniPlace(str(box / "missing" / "pbxnotify.ini"))
    golden(caught.value)
