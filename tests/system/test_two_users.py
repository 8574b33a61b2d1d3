"""Two users: root's commands and the scripts of Asterisk's user share one spool."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from calls import ALL, recipients_of
from far_end import MISSED, FarEnd
from golden import Golden
from relay import Catcher
from two_users import ASTERISK, PYTHON, STRANGER, Host, become, needs_root

pytestmark = needs_root


@pytest.fixture
def host(catcher: Catcher) -> Iterator[Host]:
    """Return a fresh host."""
    with tempfile.TemporaryDirectory() as name:
        yield Host(Path(name), catcher)


MISS = ("missed", "--from", "555", "--to", "101")


@pytest.mark.parametrize(
    "first",
    [("check",), ("queue", "list"), ("queue", "run"), ("test",), MISS, (*MISS, "--dry-run")],
    ids=" ".join,
)
def test_roots_first_command_leaves_nothing_that_asterisk_cannot_use(
    host: Host, catcher: Catcher, first: Sequence[str]
) -> None:
    status, said = host.command(*first)
    assert status == os.EX_OK, said
    catcher.clear()
    assert host.call().status == "QUEUED"
    assert sorted(recipients_of(catcher)) == ALL
    assert host.owners() == {ASTERISK}


def test_they_take_turns(host: Host, catcher: Catcher) -> None:
    catcher.stop()
    assert host.call().status == "QUEUED"
    assert host.command("queue", "run", "--all")[0] == os.EX_TEMPFAIL
    assert host.command(*MISS)[0] == os.EX_TEMPFAIL
    assert host.call().status == "QUEUED"
    catcher.start()
    assert host.command("queue", "run", "--all")[0] == os.EX_OK
    assert len(catcher.mails) == 7
    assert host.owners() == {ASTERISK}


def test_a_spool_that_was_opened_up_is_closed(host: Host, catcher: Catcher) -> None:
    """As ``fwconsole chown`` does: everything to Asterisk's user, and readable for its group and others."""
    host.call()
    for path in [host.spool, *host.spool.rglob("*")]:
        path.chmod(0o775 if path.is_dir() else 0o664)
    assert host.call().status == "QUEUED"
    assert stat.S_IMODE(host.spool.stat().st_mode) == 0o700
    assert host.logged().count("was open to other users: set back to 0700") == 1
    assert len(catcher.mails) == 6


def test_another_users_spool_is_refused_and_the_mail_leaves_from_memory(host: Host, catcher: Catcher) -> None:
    host.call()
    for path in [host.spool, *host.spool.rglob("*")]:
        os.chown(path, STRANGER, STRANGER)
    far_end = host.call()
    assert far_end.status == "FAILED"
    reason = f"belongs to user {STRANGER}, not to {ASTERISK}: run this as its owner or as root"
    assert reason in far_end.verbose[0]
    assert reason in host.command("queue", "run", user=ASTERISK)[1]
    assert sorted(recipients_of(catcher)) == sorted(ALL * 2)


@pytest.mark.parametrize("command", ["status", "queue list", "queue run", "check", "monitor", "test a@example.com"])
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700], ids=oct)
@pytest.mark.parametrize("is_used", [True, False], ids=["used", "new"])
def test_an_ordinary_user_hears_who_may(host: Host, command: str, mode: int, is_used: bool) -> None:
    if is_used:
        host.call()
    host.spool.parent.chmod(mode)
    status, said = host.command(*command.split(), user=STRANGER)
    assert (status != 0, "run this as root" in said, "chown" in said, "readable" in said) == (True, True, False, False)


def test_an_item_that_asterisk_may_not_read_is_reported_and_stops_none(host: Host, catcher: Catcher) -> None:
    """An admin put it there as root."""
    catcher.stop()
    host.call()
    (item,) = host.spool.glob("queue/*.json")
    os.chown(item, 0, 0)
    host.call()
    catcher.start()
    for user in (ASTERISK, 0):
        assert host.command("queue", "run", "--all", user=user)[0] == os.EX_TEMPFAIL
    assert sorted(recipients_of(catcher)) == ALL
    assert host.logged().count(f"{item.name} cannot be read: Permission denied") == 1


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False)], ids=oct)
def test_a_password_that_everybody_may_read(host: Host, mode: int, warned: bool) -> None:
    host.ini.write_text(host.ini.read_text().replace("[notifications]", 'login = pbx\npassword = "x"\n[notifications]'))
    host.ini.chmod(mode)
    status, said = host.command("check")
    assert status == os.EX_OK
    assert (f"NOTE             everybody on this machine may read the password in {host.ini}" in said) == warned


def test_the_ini_file_that_asterisk_may_not_read(host: Host, catcher: Catcher) -> None:
    """``check`` runs as the owner of the spool, so root hears of it too."""
    host.ini.chmod(0o600)
    status, said = host.command("check")
    assert (status, "permission denied; make it readable for Asterisk's user" in said) == (os.EX_CONFIG, True)
    assert host.call().status == "QUEUED"
    host.ini.chmod(0o640)
    assert host.command("queue", "run")[0] == os.EX_OK
    assert sorted(recipients_of(catcher)) == sorted([*ALL, "admin@example.com"])


@pytest.mark.parametrize("command", [("test",), ("oauth", "login")], ids=" ".join)
def test_root_is_not_told_that_all_is_well_where_asterisks_user_reads_nothing(
    host: Host, command: tuple[str, ...]
) -> None:
    host.ini.chmod(0o600)
    status, said = host.command(*command)
    assert (status, "permission denied; make it readable for Asterisk's user" in said) == (os.EX_CONFIG, True)


# The settings


def test_root_sets_up_what_asterisks_user_can_read(host: Host, catcher: Catcher) -> None:
    host.ini.unlink()
    status, said = host.command("setup", "--host", f"127.0.0.1:{catcher.port}", "--admin-email", "admin@example.com")
    assert (status, len(catcher.mails)) == (0, 1), said
    owner = host.ini.stat()
    assert (owner.st_uid, owner.st_gid, stat.S_IMODE(owner.st_mode)) == (0, ASTERISK, 0o640)
    assert host.owners() == {ASTERISK}
    assert host.command("queue", "run", user=ASTERISK) == (0, "")
    assert len(catcher.mails) == 1


def test_root_edits_what_asterisks_user_goes_on_reading(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "sed -i s/^timeout.*/timeout=6/")
    before = host.ini.stat()
    status, said = host.command("edit")
    after = host.ini.stat()
    assert (status, "the relay said: 250" in said) == (0, True), said
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert host.command("status", user=ASTERISK)[0] == 1


@pytest.mark.parametrize("command", [("edit",), ("setup", "--sender", "pbx@example.com")], ids=["edit", "setup"])
def test_who_may_not_write_the_directory_hears_it_at_once(host: Host, command: tuple[str, ...]) -> None:
    host.ini.parent.chmod(0o755)
    status, said = host.command(*command, user=ASTERISK)
    assert (status, "is not writable; run this as root (sudo)" in said) == (os.EX_CONFIG, True)


def test_setup_tries_as_asterisks_user(host: Host, catcher: Catcher, tmp_path: Path) -> None:
    """What only root can read is of no use later, and root does not run what may be Asterisk's."""
    (tmp_path / "password").write_text("x")
    (tmp_path / "password").chmod(0o600)
    host.ini.unlink()
    relay = ("--host", f"127.0.0.1:{catcher.port}", "--login", "me")
    status, said = host.command("setup", *relay, "--password-command", f"cat {tmp_path}/password")
    assert (status, host.ini.exists()) == (os.EX_CONFIG, False)
    assert "nothing is changed" in said


def test_the_test_mail_is_sent_as_asterisks_user(host: Host, tmp_path: Path) -> None:
    with Catcher(login=("me", str(ASTERISK))) as catcher:
        host.ini.write_text(f"[smtp]\nhost = 127.0.0.1\nport = {catcher.port}\nlogin = me\npassword_command = id -u\n")
        host.call()  # so that there is a spool
        assert host.command("test", "a@example.com")[0] == 0
    assert len(catcher.mails) == 1


def test_a_file_that_asterisks_user_cannot_reach_is_a_mistake_and_no_traceback(host: Host, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    tmp_path.chmod(0o700)
    host.ini.write_text(
        host.ini.read_text().replace("[notifications]", f"ca_file = {tmp_path}/ca.pem\n[notifications]")
    )
    host.call()
    for command in ("check", "queue run", "status"):
        status, said = host.command(*command.split())
        assert (status != 1, "Traceback" in said) == (True, False), said
    assert "is not the absolute path of a readable file" in host.logged()


def call_without_processes(host: Host, *arguments: str) -> str:
    """Let the script notify of a call where Asterisk's user may have no process more; returns PBXNOTIFYSTATUS."""
    far_end = FarEnd()
    far_end.python = PYTHON
    under = [*become(ASTERISK), "prlimit", "--nproc=1:1", "--"]
    assert far_end.run(["101&102&103", *arguments], host.lib / "agi-bin" / MISSED.name, host.environment, under) == 0
    return far_end.status


@pytest.mark.parametrize("argument", [(), ("hold",)], ids=["let go", "held"])
def test_where_no_process_can_be_had_the_call_goes_on(
    host: Host, catcher: Catcher, argument: tuple[str, ...], golden: Golden
) -> None:
    """Its event is durable: a relay that thinks for a minute is nothing to wait for."""
    assert (call_without_processes(host, *argument), catcher.mails) == ("QUEUED", [])
    golden(host.logged().splitlines()[-1].partition("pbxnotify: ")[2])
    assert host.command("queue", "run")[0] == os.EX_OK
    assert recipients_of(catcher) == ALL


@pytest.mark.parametrize(("argument", "status"), [((), "FAILED"), (("hold",), "SENT")], ids=["let go", "held"])
def test_what_no_disk_has_is_sent_by_the_script_where_no_process_can_be_had(
    host: Host, catcher: Catcher, argument: tuple[str, ...], status: str
) -> None:
    host.spool.touch()
    assert call_without_processes(host, *argument) == status
    assert recipients_of(catcher) == ALL
