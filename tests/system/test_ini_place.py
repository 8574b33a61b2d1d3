"""The ini file where filesystems lie over each other, or a file is mounted: mounted for the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from skipping import unavailable

from pbxnotify.errors import SettingsError
from pbxnotify.settings.place import IniPlace


@pytest.fixture
def mounts() -> Iterator[ExitStack]:
    """Return what unmounts in the end what was mounted."""
    if os.geteuid() != 0:
        unavailable("only root can mount")
    with ExitStack() as mounts:
        yield mounts


def mount(mounts: ExitStack, place: Path, *options: str) -> None:
    done = subprocess.run(["mount", *options, str(place)], check=False, capture_output=True, text=True)
    if done.returncode:
        unavailable(f"this cannot be mounted here: {done.stderr.strip()}")
    mounts.callback(subprocess.run, ["umount", str(place)], check=True)


def test_an_overlay_whose_layers_lie_on_two_devices(tmp_path: Path, mounts: ExitStack) -> None:
    """Its files have another device than their directory, as on a live system or on OpenWrt."""
    lower, memory, merged = (tmp_path / name for name in ("lower", "memory", "merged"))
    for directory in (lower, memory, merged):
        directory.mkdir()
    (lower / "below.ini").write_text("old")
    mount(mounts, memory, "-t", "tmpfs", "tmpfs")
    (memory / "upper").mkdir()
    (memory / "work").mkdir()
    layers = f"lowerdir={lower},upperdir={memory}/upper,workdir={memory}/work"
    mount(mounts, merged, "-t", "overlay", "-o", layers, "overlay")
    (merged / "above.ini").write_text("old")
    for name in ("below.ini", "above.ini", "new.ini"):
        IniPlace(str(merged / name)).replace("new")
        assert (merged / name).read_text() == "new"


@pytest.mark.parametrize("name", ["pbxnotify.ini", "with a blank.ini"])
def test_a_file_that_is_mounted(tmp_path: Path, mounts: ExitStack, name: str) -> None:
    (tmp_path / "other").write_text("old")
    (tmp_path / name).touch()
    mount(mounts, tmp_path / name, "--bind", str(tmp_path / "other"))
    with pytest.raises(SettingsError, match="mount point"):
        IniPlace(str(tmp_path / name))
