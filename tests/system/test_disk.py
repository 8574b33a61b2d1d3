"""How full a filesystem is: real ones in memory, mounted for the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from skipping import unavailable

from pbxnotify.health import disk
from pbxnotify.settings.sections import Least

MB = 1024**2


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return where a filesystem of 4 MB and 100 inodes is mounted."""
    if os.geteuid():
        unavailable("only root can mount")
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=100", "none", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("no filesystem can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_filesystem_that_is_filled_and_emptied(small: Path) -> None:
    tenth = Least(share=0.1)
    assert not disk.look(str(small)).is_full(tenth)
    (small / "big").write_bytes(bytes(int(3.8 * MB)))
    full = disk.look(str(small))
    assert full.is_full(tenth)
    assert (full.size, full.free // 1024) == (4 * MB, 204)
    (small / "big").unlink()
    assert not disk.look(str(small)).is_full(tenth)


def test_a_filesystem_without_inodes(small: Path) -> None:
    for number in range(93):
        (small / str(number)).touch()
    few = disk.look(str(small))
    assert few.free > 3 * MB
    assert few.is_full(Least(share=0.1))
    assert few.share_free < 0.1


def test_two_paths_on_one_filesystem(small: Path) -> None:
    (small / "below").mkdir()
    assert disk.look(str(small)).device == disk.look(str(small / "below")).device != disk.look("/").device
