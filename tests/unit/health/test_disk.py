"""How full a filesystem is, by its figures."""

from __future__ import annotations

import pytest

from pbxnotify.health import disk
from pbxnotify.health.disk import Disk
from pbxnotify.settings.sections import Least, least_room

MB = 1024**2


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such file"):
        disk.look("/nowhere/at/all")


USUAL = Disk("/", 1, 1000 * MB, 100 * MB, 1000, 500)


@pytest.mark.parametrize(
    ("found", "least", "factor", "is_full"),
    [
        pytest.param(USUAL, Least(share=0.1), 1.0, False, id="just enough"),
        pytest.param(USUAL, Least(share=0.1), 1.2, True, id="not enough to be ok again"),
        pytest.param(USUAL, Least(share=0.11), 1.0, True, id="a share"),
        pytest.param(
            USUAL._replace(free=999 * MB, free_inodes=999),
            Least(share=0.95),
            1.2,
            False,
            id="almost empty is never full",
        ),
        pytest.param(USUAL, Least(bytes=100 * MB), 1.0, False, id="enough bytes"),
        pytest.param(USUAL, Least(bytes=101 * MB), 1.0, True, id="bytes"),
        pytest.param(USUAL._replace(free_inodes=40), Least(bytes=1), 1.0, True, id="inodes, of a limit in bytes"),
        pytest.param(USUAL._replace(inodes=0, free_inodes=0), Least(share=0.05), 1.0, False, id="btrfs counts none"),
    ],
)
def test_is_full(found: Disk, least: Least, factor: float, is_full: bool) -> None:
    assert found.is_full(least, factor) == is_full


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("10 %", Least(share=0.1)),
        ("2,5%", Least(share=0.025)),
        ("500 MB", Least(bytes=500 * MB)),
        ("1.5GiB", Least(bytes=1536 * MB)),
        ("2g", Least(bytes=2048 * MB)),
        ("4096", Least(bytes=4096)),
    ],
)
def test_least(text: str, least: Least) -> None:
    assert least_room(text) == least


@pytest.mark.parametrize("text", ["", "ten", "-5 %", "0 %", "100 %", "5 %%", "5 XB", "% 5", "1e3"])
def test_no_least(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is n"):
        least_room(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1024, "1.0 KB"),
        (1_288_490_189, "1.2 GB"),
        (60 * 1024**3, "60 GB"),
        (1024**5, "1024 TB"),
    ],
)
def test_readable(count: int, text: str) -> None:
    assert disk.readable(count, ("B", "KB", "MB", "GB", "TB")) == text
