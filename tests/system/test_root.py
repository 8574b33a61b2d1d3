"""Whoever is Asterisk's user stays that: what root runs does nothing that this user could not do.

Asterisk's user owns Asterisk's spool, and with FreePBX its configuration too. Here it has prepared both for root.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import CALL
from relay import Catcher
from shell import Shell
from two_users import ASTERISK, PYTHON, STRANGER, Host, needs_root

from pbxnotify.cli import COMMANDS
from pbxnotify.spool.item import new_item

pytestmark = needs_root

SECRET = "root:$6$of-all-things:"  # noqa: S105
ID = "20260101-000000-00000000"
OURS = (PYTHON, "-m", "pbxnotify.cli")
ARGUMENTS = {
    "setup": ("--no-test", "--admin-email", "a@example.com"),
    "test": ("a@example.com",),
    "check": ("--connect",),
    "preview": ("missed",),
    "externnotify": ("default", "101", "1", "0", "0"),
    "missed": ("--from", "555", "--to", "101"),
    "voicemail": ("--from", "555", "--to", "101", "--recording", "hello.wav"),
    "alert": ("on fire",),
    **{f"queue {action}": (ID,) for action in ("show", "retry", "remove")},
    "queue run": ("--all",),
}
"""What each command is given; ``queue list`` and others need nothing."""
EVERY = [(*name.split(), *ARGUMENTS.get(name, ())) for name, command in COMMANDS.items() if command.run]
FIRST_WORDS = ("queue list", "queue run", "status", "missed --from", "monitor", "check --connect")
FEW = [one for one in EVERY if " ".join(one[:2]) in FIRST_WORDS]
CHANGING = [one for one in EVERY if one[0] in ("setup", "edit", "test", "preview")]


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """Return a relay that wants a login, for which it takes what password_command prints."""
    with Catcher(login=("pbx", "secret")) as catcher:
        yield catcher


@pytest.fixture
def host(catcher: Catcher, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Return a host whose Asterisk owns its configuration, and notes as whom its password_command is run."""
    monkeypatch.setenv("EDITOR", "true")
    with tempfile.TemporaryDirectory() as name:
        host = Host(Path(name), catcher)
        command = host.directory / "password"
        command.write_text(f"#!/bin/sh\nid -u >>{host.directory}/ran-as\necho secret\n")
        command.chmod(0o755)
        (host.directory / "ran-as").touch()
        (host.directory / "ran-as").chmod(0o666)
        (host.directory / "hello.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt " + bytes(8000))
        text = host.ini.read_text().replace(
            "[notifications]", f"login = pbx\npassword_command = {command}\n[notifications]"
        )
        host.ini.write_text(text)
        for path in (host.etc, host.ini):
            os.chown(path, ASTERISK, ASTERISK)
        secret = host.directory / "shadow"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        yield host


@pytest.fixture
def trap(host: Host) -> Path:
    """Return an empty directory of root's in which everybody may write, as /dev/shm is."""
    trap = host.directory / "shm"
    trap.mkdir()
    trap.chmod(0o1777)
    return trap


def state_of(path: Path) -> list[tuple[object, ...]]:
    """Return what is where below a path, whose it is, and for whom."""
    return [
        (one, status.st_uid, status.st_gid, status.st_mode, one.read_bytes() if one.is_file() else b"")
        for one in [path, *sorted(path.rglob("*"))]
        for status in [one.lstat()]
    ]


def run(host: Host, commands: list[tuple[str, ...]]) -> None:
    """Let root run commands of ours."""
    said = "".join(host.command(*command)[1] for command in commands)
    assert "Traceback" not in said
    assert set((host.directory / "ran-as").read_text().split()) <= {str(ASTERISK)}
    assert SECRET not in said


def link_to_trap(host: Host, trap: Path) -> None:
    (host.directory / "spool" / "pbxnotify").symlink_to(trap)


def dangling_link(host: Host, trap: Path) -> None:
    (host.directory / "spool" / "pbxnotify").symlink_to(host.directory / "nowhere")


def link_to_roots_directory(host: Host, trap: Path) -> None:
    trap.chmod(0o700)
    link_to_trap(host, trap)


def a_file(host: Host, trap: Path) -> None:
    (host.directory / "spool" / "pbxnotify").touch()


def a_fifo(host: Host, trap: Path) -> None:
    os.mkfifo(host.directory / "spool" / "pbxnotify")


def no_spool_of_asterisk(host: Host, trap: Path) -> None:
    (host.directory / "spool").rmdir()


def spool_of_a_stranger(host: Host, trap: Path) -> None:
    (host.directory / "spool" / "pbxnotify").mkdir(0o700)
    os.chown(host.directory / "spool" / "pbxnotify", STRANGER, STRANGER)


def spool_of_root(host: Host, trap: Path) -> None:
    (host.directory / "spool" / "pbxnotify").mkdir(0o700)


@pytest.mark.parametrize(
    ("prepare", "commands"),
    [
        *((prepare, EVERY) for prepare in (link_to_trap, dangling_link)),
        *((prepare, FEW) for prepare in (link_to_roots_directory, a_file, a_fifo)),
        *((prepare, FEW) for prepare in (no_spool_of_asterisk, spool_of_a_stranger, spool_of_root)),
    ],
)
def test_a_spool_that_is_none(
    host: Host,
    trap: Path,
    catcher: Catcher,
    prepare: Callable[[Host, Path], None],
    commands: list[tuple[str, ...]],
) -> None:
    prepare(host, trap)
    before = state_of(trap), state_of(host.directory / "shadow")
    run(host, commands)
    assert (state_of(trap), state_of(host.directory / "shadow")) == before
    assert catcher.mails, "what no spool takes leaves at once"


def test_a_spool_of_asterisks(host: Host, trap: Path, catcher: Catcher) -> None:
    """The same commands where all is well: nothing in the spool is root's afterwards."""
    run(host, EVERY)
    assert (host.owners(), state_of(trap)[1:]) == ({ASTERISK}, [])
    assert "1234" in (host.directory / "ran-as").read_text()


def planted(host: Host, name: str, content: Callable[[Path], object]) -> None:
    """Put something into the spool, as Asterisk's user could."""
    path = host.spool / name
    content(path)
    os.chown(path, ASTERISK, ASTERISK, follow_symlinks=False)


def voicemail_item() -> str:
    """Return the file of an item with a recording."""
    event = {"event": "voicemail", "time": 1.8e9, "recording": "wav", "extensions": ["101"], "caller_number": "555"}
    item = json.loads(new_item(CALL).to_json())
    return json.dumps({**item, "event": event})


def test_a_link_in_the_place_of_a_recording_is_not_mailed(host: Host, catcher: Catcher) -> None:
    host.call()
    catcher.clear()
    planted(host, f"queue/{ID}.json", lambda path: path.write_text(voicemail_item()))
    planted(host, f"queue/{ID}.wav", lambda path: path.symlink_to(host.directory / "shadow"))
    host.command("queue", "run", "--all")
    assert catcher.mails
    assert not [mail for mail in catcher.mails if SECRET.encode() in mail.content]
    assert not [part for mail in catcher.mails for part in mail.message.iter_attachments()]


@pytest.mark.parametrize("folder", ["tmp", "queue", "done", "failed", "state"])
def test_a_link_in_the_place_of_a_folder(host: Host, trap: Path, catcher: Catcher, folder: str) -> None:
    host.call()
    for path in (host.spool / folder).iterdir():
        path.unlink()
    (host.spool / folder).rmdir()
    planted(host, folder, lambda path: path.symlink_to(trap))
    before = state_of(trap)
    run(host, FEW)
    assert state_of(trap) == before


def fifo(host: Host, path: Path) -> None:
    os.mkfifo(path)


def directory(host: Host, path: Path) -> None:
    path.mkdir()


def link_to_secret(host: Host, path: Path) -> None:
    path.symlink_to(host.directory / "shadow")


def too_large(host: Host, path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(1_500_000_000)


FILES = (f"queue/{ID}.json", "relay.json", "oauth2.json", "last-monitor", "last-settings", "last-sent", "last-run")


@pytest.mark.parametrize("plant", [fifo, directory, link_to_secret, too_large])
def test_what_is_no_file_of_ours(host: Host, catcher: Catcher, plant: Callable[[Host, Path], None]) -> None:
    """It is neither read nor waited for, and stops nothing."""
    host.call()
    catcher.clear()
    for file in FILES:
        name = file if "/" in file else f"state/{file}"
        (host.spool / name).unlink(missing_ok=True)
        planted(host, name, lambda path: plant(host, path))
    # A child begins with the memory of this process.
    before = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    run(host, EVERY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert after <= before + 100_000, "KB of memory"
    assert catcher.mails


# ---- the ini file, and files that are named on the command line


def ini_is_link_to_secret(host: Host) -> None:
    host.ini.unlink()
    host.ini.symlink_to(host.directory / "shadow")
    os.chown(host.ini, ASTERISK, ASTERISK, follow_symlinks=False)


def etc_is_link_to_roots(host: Host) -> None:
    host.ini.unlink()
    host.etc.rmdir()
    (host.directory / "roots").mkdir()
    host.etc.symlink_to(host.directory / "roots")
    os.chown(host.etc, ASTERISK, ASTERISK, follow_symlinks=False)


def ini_is_a_fifo(host: Host) -> None:
    host.ini.unlink()
    os.mkfifo(host.ini)
    os.chown(host.ini, ASTERISK, ASTERISK)


def ini_is_for_root_only(host: Host) -> None:
    host.ini.write_text(SECRET)
    os.chown(host.ini, 0, 0)
    host.ini.chmod(0o600)


@pytest.mark.parametrize(
    ("prepare", "commands"),
    [
        (ini_is_link_to_secret, EVERY),
        *((prepare, CHANGING) for prepare in (etc_is_link_to_roots, ini_is_a_fifo, ini_is_for_root_only)),
    ],
)
def test_an_ini_file_that_is_none(host: Host, prepare: Callable[[Host], None], commands: list[tuple[str, ...]]) -> None:
    prepare(host)
    roots = [host.directory / "shadow", *([host.directory / "roots"] if (host.directory / "roots").exists() else [])]
    before = [state_of(path) for path in roots]
    run(host, commands)
    assert [state_of(path) for path in roots] == before


@pytest.mark.parametrize("is_directory", [False, True], ids=["the ini file", "its directory"])
def test_a_link_of_roots_is_followed(host: Host, is_directory: bool) -> None:
    """An admin keeps the settings elsewhere; the link stays one."""
    kept = host.directory / "kept" / "pbxnotify.ini"
    if is_directory:
        host.etc.rename(kept.parent)
        host.etc.symlink_to("kept")
    else:
        kept.parent.mkdir()
        host.ini.rename(kept)
        host.ini.symlink_to("../kept/pbxnotify.ini")
    status, said = host.command("setup", "--no-test", "--admin-email", "new@example.com")
    is_link = (host.etc if is_directory else host.ini).is_symlink()
    assert (status, "new@example.com" in kept.read_text(), is_link) == (0, True, True), said


def test_a_link_in_the_place_of_the_phone_book(host: Host, catcher: Catcher) -> None:
    book = host.etc / "phones.csv"
    book.symlink_to(host.directory / "shadow")
    host.ini.write_text(host.ini.read_text().replace("[notifications]", f"[notifications]\nphone_book = {book}"))
    run(host, FEW)
    assert catcher.mails
    assert not [mail for mail in catcher.mails if SECRET.encode() in mail.content]


@pytest.mark.parametrize("option", ["--html", "--eml"])
@pytest.mark.parametrize("place", ["page", "folder/page"])
def test_a_link_is_not_written_to(host: Host, option: str, place: str) -> None:
    (host.directory / "roots").mkdir()
    (host.directory / "roots" / "page").write_text(SECRET)
    link = host.etc / place.split("/")[0]
    link.symlink_to(host.directory / "roots" / ("page" if place == "page" else ""))
    os.chown(link, ASTERISK, ASTERISK, follow_symlinks=False)
    status, said = host.command("preview", "missed", option, str(host.etc / place))
    assert (status, f"user {ASTERISK}" in said) == (os.EX_USAGE, True), said
    assert (host.directory / "roots" / "page").read_text() == SECRET


def test_a_page_in_a_directory_of_roots(host: Host) -> None:
    """Asterisk's user may not write there; who asks for the page may."""
    (host.directory / "roots").mkdir(0o700)
    page = host.directory / "roots" / "page.html"
    for _ in range(2):
        assert host.command("preview", "missed", "--html", str(page))[0] == 0
    assert (page.stat().st_uid, page.read_text().count("<html")) == (0, 1)


def test_a_link_in_the_place_of_a_recording_that_is_named(host: Host, catcher: Catcher) -> None:
    recording = host.directory / "spool" / "msg0000.gsm"
    recording.symlink_to(host.directory / "shadow")
    os.chown(recording, ASTERISK, ASTERISK, follow_symlinks=False)
    status, _ = host.command("voicemail", "--from", "555", "--to", "101", "--recording", str(recording))
    assert (status, catcher.mails) == (os.EX_USAGE, [])


def test_a_recording_of_roots(host: Host, catcher: Catcher) -> None:
    recording = host.directory / "hello.wav"
    recording.chmod(0o600)
    status, said = host.command("voicemail", "--from", "555", "--to", "101", "--recording", str(recording))
    assert (status, bool(catcher.mails)) == (0, True), said
    for mail in catcher.mails:
        assert [part.get_content() for part in mail.message.iter_attachments()] == [recording.read_bytes()]


# ---- who Asterisk's user is


@pytest.mark.parametrize("note", ["", "nobody-of-this-name", "0x10", "1:2:3", "\xff"])
def test_a_note_that_names_nobody(host: Host, catcher: Catcher, note: str) -> None:
    """Root does not go on as root."""
    host.note(note.encode("latin-1"))
    for command in EVERY if note == "" else FEW[:1]:
        status, said = host.command(*command)
        assert (status, "make install" in said) == (os.EX_CONFIG, True), command
    assert (host.directory / "ran-as").read_text() == ""
    far_end = host.call(user=0)
    assert (far_end.status, catcher.mails) == ("FAILED", [])
    assert len(re.findall("lost id=.*5551212", host.logged())) == 1, "the call is in the log, whole"


def test_a_call_of_an_asterisk_that_runs_as_root(host: Host, catcher: Catcher) -> None:
    host.note(b"root")
    assert host.call(user=0).status == "QUEUED"
    assert (host.owners(), len(catcher.mails)) == ({0}, 3)


def test_nothing_of_roots_stays_with_it(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither groups, nor the environment, in which there may be secrets."""
    monkeypatch.setenv("ROOTS_TOKEN", SECRET)
    command = host.directory / "password"
    command.write_text(f"#!/bin/sh\n{{ id; env; }} >>{host.directory}/ran-as\necho secret\n")
    host.command("test", "a@example.com")
    seen = (host.directory / "ran-as").read_text()
    assert re.search(rf"^uid={ASTERISK}\S* gid={ASTERISK}\S* groups={ASTERISK}\S*$", seen, re.MULTILINE), seen
    assert ("PATH=" in seen, SECRET in seen) == (True, False)


# ---- the terminal


INJECT = r"""
import fcntl, os, sys, termios
seen = open(sys.argv[1], "a")
for place in ["/dev/tty", *(f"/proc/{os.getppid()}/fd/{number}" for number in range(3)), 0, 1, 2]:
    try:
        terminal = place if isinstance(place, int) else os.open(place, os.O_RDWR)
        for letter in b"touch typed\n":
            fcntl.ioctl(terminal, termios.TIOCSTI, bytes([letter]))
        seen.write(f"typed into {place}\n")
    except OSError as error:
        seen.write(f"{place}: {error.strerror}\n")
for name in ("mem", "environ"):
    try:
        open(f"/proc/{os.getppid()}/{name}", "rb").read(1)
        seen.write(f"read {name}\n")
    except OSError as error:
        seen.write(f"{name}: {error.strerror}\n")
print("secret")
"""


@pytest.mark.parametrize(
    "command", ["test a@example.com", "queue run --all", "check --connect", "edit", "setup --sender b@x.example"]
)
def test_a_command_of_asterisks_user_cannot_reach_roots_terminal(host: Host, catcher: Catcher, command: str) -> None:
    """The shell would run what is typed into it (TIOCSTI), and a process that can be traced does what it is told."""
    script = host.directory / "inject.py"
    script.write_text(INJECT)
    inject = f"password_command = {PYTHON} {script} {host.directory}/ran-as"
    host.ini.write_text(re.sub("password_command = .*", inject, host.ini.read_text()))
    catcher.stop()
    host.command("missed", "--from", "555", "--to", "101")
    catcher.start()
    (host.directory / "ran-as").write_text("")
    environment = {**host.environment, "EDITOR": "sed -i s/^timeout.*/timeout=6/"}
    with Shell(*command.split(), command=OURS, **environment) as shell:
        shell.end()
    seen = (host.directory / "ran-as").read_text()
    assert "typed into" not in seen
    assert "read mem" not in seen
    assert seen.count("No such device or address") == 1, seen


# ---- the part of root that stays


def edit(environment: dict[str, str], *under: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal."""
    null = subprocess.DEVNULL
    return subprocess.run(
        [*under, *OURS, "edit"], env=environment, stdin=null, capture_output=True, text=True, check=False
    )


def test_ctrl_c_ends_both_parts(host: Host) -> None:
    before = host.ini.read_text()
    with Shell("setup", command=OURS, **host.environment) as shell:
        shell.wait_for("Number [7]: ")
        shell.interrupt()
        status, said = shell.end()
    assert (status, "Traceback" in said, host.ini.read_text() == before) == (130, False, True), said
    assert not [*host.etc.glob(".pbxnotify*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_to_roots_part_ends_both(host: Host, number: int) -> None:
    with Shell("setup", command=OURS, **host.environment) as shell:
        shell.wait_for("Number [7]: ")
        shell.kill_until_end(number)
        assert shell.end()[0] == 130


@pytest.mark.parametrize(
    ("editor", "status", "said"),
    [
        pytest.param("false", os.EX_USAGE, "failed with exit status 1", id="one that fails"),
        pytest.param("no-such-editor", os.EX_USAGE, "cannot run the editor", id="none"),
        pytest.param("sed -i s/^timeout.*/timeout=never/", os.EX_CONFIG, "unchanged", id="a mistake"),
        pytest.param("rm", os.EX_CONFIG, "no readable file", id="one that leaves nothing"),
    ],
)
def test_what_roots_part_says_arrives(host: Host, editor: str, status: int, said: str) -> None:
    before = host.ini.read_text()
    environment = {**host.environment, "EDITOR": editor}
    done = edit(environment)
    assert (done.returncode, said in done.stdout + done.stderr) == (status, True), done
    assert host.ini.read_text() == before


def test_what_was_edited_is_kept_where_it_is_not_put_in_place(host: Host) -> None:
    editor = host.directory / "editor"
    editor.write_text(f'#!/bin/sh\necho "# theirs" >>{host.ini}\nsed -i s/^timeout.*/timeout=6/ "$1"\n')
    editor.chmod(0o755)
    command, environment = [*OURS, "edit"], {**host.environment, "EDITOR": str(editor)}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    kept = Path(re.findall(r"your changes are kept in (\S+)", done.stderr)[0])
    assert (done.returncode, "timeout=6" in kept.read_text(), kept.stat().st_uid) == (os.EX_CONFIG, True, 0)
    shutil.rmtree(kept.parent)
    assert host.ini.read_text().endswith("# theirs\n")


def test_an_editor_for_which_there_is_no_room(host: Host) -> None:
    done = edit({**host.environment, "EDITOR": "true"}, "prlimit", "--fsize=0:0", "--")
    assert (done.returncode, "nothing is changed" in done.stderr) == (os.EX_USAGE, True), done.stderr


def test_roots_part_is_killed(host: Host) -> None:
    """The other one ends, and changes nothing."""
    before = host.ini.read_text()
    with Shell("setup", "--sender", "b@x.example", command=OURS, **host.environment) as shell:
        shell.kill(signal.SIGKILL)
        shell.end()
    assert host.ini.read_text() == before
