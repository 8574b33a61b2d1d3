"""The tokens: valid ones are read, and nothing else; stored for one account each, in a file for its owner."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden
from login_office import ACCOUNT, LoginOffice

from pbxnotify.errors import LoginError, LoginRefused, LoginUnavailable, TokenFileDamaged
from pbxnotify.smtp.oauth import refresh, token_store
from pbxnotify.smtp.oauth.token_store import Access, Tokens
from pbxnotify.spool.store import Spool

HOUR = 3600.0


def refused(office: LoginOffice, kind: type[LoginError] = LoginRefused) -> LoginError:
    """Return why there is no token."""
    with pytest.raises(kind) as caught:
        refresh.access(office.relay)
    return caught.value


# A valid token


def test_a_valid_token_is_read_and_nobody_is_asked(office: LoginOffice) -> None:
    valid = office.keep()
    assert refresh.access(office.relay) == Access(valid.access, is_new=False)
    assert office.server.requests == []


def test_the_file_is_for_its_owner_only(office: LoginOffice, spool: Spool) -> None:
    before = os.umask(0)
    office.keep()
    os.umask(before)
    mode = Path(token_store.path()).stat().st_mode
    assert (stat.S_IMODE(mode), Path(token_store.path()).parent.parent) == (0o600, Path(spool.directory))
    assert stat.S_IMODE(Path(spool.directory).stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("login = other@office.test\n", id="login"),
        pytest.param("client_id = another\n", id="application"),
        pytest.param("token_url = https://localhost:1/token\n", id="endpoint"),
        pytest.param("scope = another\n", id="scope"),
    ],
)
def test_a_token_is_shown_to_nobody_else(office: LoginOffice, change: str, golden: Golden) -> None:
    office.keep()
    name = change.partition(" =")[0]
    text = office.ini.read_text()
    office.ini.write_text("".join(change if line.startswith(f"{name} =") else line for line in text.splitlines(True)))
    golden(refused(office))
    assert office.server.requests == []


# The file


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"me": []}', id="a list for tokens"),
        pytest.param(b'{"me": {"access": "a"', id="half"),
        pytest.param(b'{"me": {"token": "a"}}', id="another field"),
        pytest.param(b'{"me": {"access": 5}}', id="a number for a token"),
        pytest.param(b'{"me": {"access": "a\\r\\nRCPT TO:<x>"}}', id="two lines in a token"),
        pytest.param(b'{"me": {"expires": "never"}}', id="a word for a time"),
        pytest.param(b'{"me": {"expires": true}}', id="yes for a time"),
        pytest.param(b'{"me": {"expires": 1e400}}', id="a time without end"),
        pytest.param(b"[" * 50000, id="nested"),
        pytest.param(b'{"me": {"access": "' + b"a" * 100_000 + b'"}}', id="100 KB"),
    ],
)
def test_a_damaged_file(office: LoginOffice, content: bytes) -> None:
    Path(token_store.path()).write_bytes(content)
    assert token_store.path() in str(refused(office, TokenFileDamaged))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.mkdir, id="a directory"),
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="a link"),
        pytest.param(lambda path: path.symlink_to("/nowhere"), id="a link to nowhere"),
    ],
)
def test_something_else_in_its_place(office: LoginOffice, make: Callable[[Path], object], golden: Golden) -> None:
    make(Path(token_store.path()))
    golden(refused(office))


def test_a_pipe_in_its_place_holds_up_nobody(office: LoginOffice, golden: Golden) -> None:
    os.mkfifo(token_store.path())
    golden(refused(office))


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root reads everything")
def test_a_file_that_may_not_be_read(office: LoginOffice, golden: Golden) -> None:
    office.keep()
    Path(token_store.path()).chmod(0)
    script = (
        "import os\nfrom pbxnotify.settings.load import ini_path, load_settings\n"
        "from pbxnotify.smtp.oauth import refresh\n"
        "relay = load_settings(ini_path()).smtp\n"
        "os.geteuid() or os.setuid(65534)\n"
        "refresh.access(relay)"
    )
    for directory in (Path(token_store.path()).parent, *list(office.ini.parents)[:3]):
        directory.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    golden(done.stderr.splitlines()[-1])


def test_on_a_full_disk_the_new_token_is_written_over_the_old_one(
    rotating: LoginOffice, spool: Spool, logged: Callable[[], str]
) -> None:
    rotating.keep(expires=1.0)
    Path(spool.directory, token_store.NEW).symlink_to("/dev/full")
    fresh = refresh.access(rotating.relay)
    assert (rotating.kept.access, logged()) == (fresh.token, "")


def test_a_token_that_no_disk_takes_is_good_for_this_mail(
    office: LoginOffice, spool: Spool, logged: Callable[[], str], golden: Golden
) -> None:
    before = office.keep(expires=1.0)
    Path(token_store.path()).unlink()
    Path(spool.directory, token_store.NEW).symlink_to("/dev/full")
    fresh = refresh._renew(office.relay, before, time.time())
    assert office.server.is_valid(ACCOUNT, fresh.token)
    golden(logged())
    assert fresh.token not in logged()


def test_a_file_that_is_half_written_at_this_moment(office: LoginOffice) -> None:
    """On a full disk it is written over; who writes it holds the lock."""
    whole = office.keep()
    text = Path(token_store.path()).read_text().strip()
    context = multiprocessing.get_context("fork")
    is_locked, got = context.Event(), context.SimpleQueue()
    # Begun before there is a lock that it would inherit.
    reader = context.Process(target=lambda: got.put(is_locked.wait() and refresh.access(office.relay)))
    reader.start()
    with token_store.alone():
        Path(token_store.path()).write_text(text[: len(text) // 2])
        is_locked.set()
        reader.join(0.3)
        assert got.empty()
        Path(token_store.path()).write_text(text)
    reader.join()
    assert got.get() == Access(whole.access, is_new=False)


@pytest.mark.parametrize(
    ("leave", "is_used"),
    [
        pytest.param(lambda path, text: path.write_text(text), True, id="whole"),
        pytest.param(lambda path, text: path.write_text(text[: len(text) // 2]), False, id="half"),
        pytest.param(lambda path, text: path.touch(), False, id="empty"),
        pytest.param(lambda path, text: path.write_bytes(b"\0" * 8192), False, id="zeros, after a power cut"),
        pytest.param(lambda path, text: path.symlink_to("/etc/passwd"), False, id="a link"),
        pytest.param(lambda path, text: os.mkfifo(path), False, id="a pipe"),
    ],
)
def test_what_a_killed_process_has_left(
    rotating: LoginOffice, spool: Spool, leave: Callable[[Path, str], object], is_used: bool
) -> None:
    """It is the newest there is: where a refresh token is good once, the one in place is good for nothing."""
    before = rotating.keep(expires=1.0)
    old = Path(token_store.path()).read_bytes()
    left = Path(spool.directory, token_store.NEW)
    renewed = before._replace(access="a", refresh="r", expires=time.time() + HOUR)
    token_store.write(rotating.relay, renewed)
    text = Path(token_store.path()).read_text().strip()
    Path(token_store.path()).write_bytes(old)
    leave(left, text)
    fresh = refresh.access(rotating.relay)
    assert (fresh.token == renewed.access, rotating.asked()) == (is_used, 0 if is_used else 1)
    assert (rotating.kept.access, left.exists()) == (fresh.token, False)


def test_others_are_removed_by_the_only_process(
    office: LoginOffice, monkeypatch: pytest.MonkeyPatch, golden: Golden
) -> None:
    office.keep()
    other = office.relay._replace(login="other@office.test")
    token_store.write(other, Tokens("a", "b", 1.0, 2.0))
    monkeypatch.setattr(token_store, "PATIENCE", 0.2)
    with token_store.alone(), pytest.raises(LoginUnavailable) as caught:
        token_store.forget_others(office.relay)
    golden(caught.value)
    assert token_store.others(office.relay) == [token_store.account(other)]
    token_store.forget_others(office.relay)
    assert token_store.others(office.relay) == []
    assert (token_store.read(other), office.kept.refresh != "") == (Tokens(), True)


def test_removing_what_is_not_there(office: LoginOffice) -> None:
    assert token_store.forget() is False
    office.keep()
    assert token_store.forget() is True
    assert not Path(token_store.path()).exists()


def test_each_account_has_its_own(office: LoginOffice) -> None:
    """What is tried for another account must not end the login that works."""
    ours, other = office.relay, office.relay._replace(login="other@office.test")
    office.keep()
    token_store.write(other, Tokens("another", "one", time.time()))
    assert (office.kept.is_valid(), token_store.read(other).access) == (True, "another")
    token_store.forget_others(ours)
    assert (office.kept.is_valid(), token_store.read(other)) == (True, Tokens())


def test_a_file_that_has_0_for_a_time_that_is_not_known(office: LoginOffice) -> None:
    """As earlier versions wrote it."""
    now = time.time()
    record = {"access": "a", "refresh": "r", "obtained": now, "expires": 0.0, "ends": 0.0, "refused_at": 0.0}
    Path(token_store.path()).write_text(json.dumps({token_store.account(office.relay): record}))
    assert (refresh.access(office.relay).token, token_store.trouble(office.relay)) == ("a", "")


def test_a_login_of_odd_characters_is_kept_too(office: LoginOffice) -> None:
    odd = office.relay._replace(login="pbx\u00a0\u200b@office.test")
    token_store.write(odd, Tokens("a"))
    assert token_store.read(odd).access == "a"


def test_no_spool(office: LoginOffice, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setenv("PBXNOTIFY_SPOOL", "/nowhere/spool")
    golden(refused(office, LoginUnavailable))
