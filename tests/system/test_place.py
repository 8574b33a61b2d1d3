"""The installer in directories of Asterisk's user, who is there first and faster: root touches no other file."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from mailboxes import require
from two_users import ASTERISK, PYTHON, STRANGER, needs_root

pytestmark = needs_root

CONF = "[directories]\n{name} => {value}\n"
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("PBXNOTIFY_", "AST", "DESTDIR"))
}


@pytest.fixture
def etc() -> Iterator[Path]:
    """Return a configuration directory that belongs to Asterisk's user, beside what does not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        (Path(name) / "roots").mkdir()
        (Path(name) / "roots" / "secret").write_text("root's")
        (Path(name) / "roots" / "secret").chmod(0o600)
        (Path(name) / "source").write_text("ours")
        etc = Path(name) / "etc"
        etc.mkdir()
        os.chown(etc, ASTERISK, ASTERISK)
        yield etc


def place(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the installer."""
    command = [PYTHON, ROOT / "etc" / "place.py", *arguments]
    return subprocess.run(command, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, check=False)


def planted(path: Path, target: Path) -> None:
    """Make a link of Asterisk's user."""
    path.symlink_to(target)
    os.chown(path, ASTERISK, ASTERISK, follow_symlinks=False)


def is_untouched(etc: Path) -> bool:
    """Return whether root's file is what it was, and alone."""
    roots = etc.parent / "roots"
    status = (roots / "secret").stat()
    same = (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 0, 0o600)
    return same and (roots / "secret").read_text() == "root's" and [*roots.iterdir()] == [roots / "secret"]


def commands(etc: Path, below: str = "") -> list[tuple[str | Path, ...]]:
    """Return what the installer does in a directory."""
    source, user, directory = etc.parent / "source", f"{ASTERISK}:{ASTERISK}", etc / below
    return [
        ("file", "644", source, directory / "a.conf"),
        ("link", "/usr/lib/script", directory / "a.agi"),
        ("settings", source, directory / "a.ini", user),
        ("remove", directory / "a.conf", directory / "gone"),
    ]


def test_what_is_placed(etc: Path) -> None:
    for command in commands(etc)[:3]:
        assert place(*command).returncode == 0
    status = (etc / "a.ini").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, ASTERISK, 0o640)
    assert ((etc / "a.conf").stat().st_mode & 0o777, os.readlink(etc / "a.agi")) == (0o644, "/usr/lib/script")
    assert place(*commands(etc)[3]).returncode == 0
    assert sorted(path.name for path in etc.iterdir()) == ["a.agi", "a.ini"]


def test_it_is_placed_once(etc: Path) -> None:
    for command in commands(etc)[:3]:
        place(*command)
    before = [(path, path.lstat().st_ino, path.lstat().st_mtime_ns) for path in sorted(etc.iterdir())]
    assert [place(*command).returncode for command in commands(etc)[:3]] == [0, 0, 3]
    assert [(path, path.lstat().st_ino, path.lstat().st_mtime_ns) for path in sorted(etc.iterdir())] == before


@pytest.mark.parametrize("name", ["a.conf", "a.agi", "a.ini"])
def test_a_link_in_the_place_of_a_file(etc: Path, name: str) -> None:
    planted(etc / name, etc.parent / "roots" / "secret")
    for command in commands(etc):
        place(*command)
    assert is_untouched(etc)


@pytest.mark.parametrize("name", ["", "below"])
def test_a_link_in_the_place_of_a_directory(etc: Path, name: str) -> None:
    if not name:
        etc.rmdir()
    planted(etc / name if name else etc, etc.parent / "roots")
    for command in commands(etc, name):
        done = place(*command)
        assert (done.returncode, f"user {ASTERISK}" in done.stderr) == (os.EX_CANTCREAT, True), done.stderr
    assert is_untouched(etc)


def test_a_missing_directory_is_made(etc: Path) -> None:
    assert place("link", "/a", etc / "b" / "c" / "d").returncode == 0
    assert os.readlink(etc / "b" / "c" / "d") == "/a"


def test_nothing_is_given_away_by_its_path(etc: Path, tmp_path: Path) -> None:
    """What a path leads to can be another file a moment later: 17 in 100 files of root's were given away so."""
    for number, command in enumerate(commands(etc)):
        calls = tmp_path / str(number)
        strace = [require("strace"), "-f", "-qq", "-o", str(calls), "-e", "trace=chown,lchown,fchownat,chmod,fchmodat"]
        subprocess.run([*strace, PYTHON, str(ROOT / "etc" / "place.py"), *command], env=ENVIRONMENT, check=True)
        assert calls.read_text() == ""


# ---- who Asterisk's user is


def spool(etc: Path, owner: int = ASTERISK) -> Path:
    """Return Asterisk's spool."""
    directory = etc.parent / "spool"
    directory.mkdir()
    os.chown(directory, owner, owner)
    return directory


def test_it_is_who_owns_the_spool(etc: Path) -> None:
    conf = etc / "asterisk.conf"
    conf.touch()
    os.chown(conf, ASTERISK, ASTERISK)
    assert place("user", spool(etc), conf).stdout == f"{ASTERISK}:{ASTERISK}\n"


@pytest.mark.parametrize("owner", [0, STRANGER], ids=["root", "a stranger"])
@pytest.mark.parametrize("decides", ["asterisk.conf", "its directory", "a directory above"])
def test_it_is_nobody_whom_somebody_else_has_chosen(etc: Path, owner: int, decides: str) -> None:
    """Else Asterisk's user would be root: by a line in asterisk.conf."""
    conf = etc / "asterisk.conf"
    conf.touch()
    directory = spool(etc, owner)
    if decides == "asterisk.conf":
        os.chown(etc, 0, 0)
        os.chown(conf, ASTERISK, ASTERISK)
    elif decides == "a directory above":
        os.chown(etc, 0, 0)
        os.chown(etc.parent, ASTERISK, ASTERISK)
    done = place("user", directory, conf)
    assert (done.returncode, done.stdout, "ASTUSER=" in done.stderr) == (os.EX_USAGE, "", True)
    assert place("user", directory, conf, ASTUSER="daemon").stdout == "daemon\n"


@pytest.mark.parametrize("given", ["no-such-user", "../root", "-1"])
def test_who_is_given_must_exist(etc: Path, given: str) -> None:
    done = place("user", spool(etc), ASTUSER=given)
    assert (done.returncode, done.stdout) == (os.EX_USAGE, "")


@pytest.mark.parametrize("name", ["astspooldir", "astagidir"])
@pytest.mark.parametrize(
    "value",
    ["/x|e touch {pwned}", "/x'; touch {pwned} #", '/x"; import os; os.system("touch {pwned}") #', "/x$(touch {pwned})",
     "/x`touch {pwned}`", "/x\\", "/x&", "/%n", "x"],
)  # fmt: skip
def test_a_directory_in_asterisk_conf_that_is_a_program(etc: Path, name: str, value: str) -> None:
    """It is refused before anything is built."""
    pwned = etc.parent / "pwned"
    (etc / "asterisk.conf").write_text(CONF.format(name=name, value=value.format(pwned=pwned)))
    variables = {"PYTHON": PYTHON, "PIP": "false", "ASTETCDIR": str(etc), "PREFIX": str(etc.parent / "usr")}
    done = subprocess.run(
        ["etc/install"], cwd=ROOT, env={**ENVIRONMENT, **variables}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, pwned.exists()) == (os.EX_USAGE, False), done.stderr
    assert value[:2] in done.stderr
