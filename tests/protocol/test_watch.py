"""What the monitor observes: disks, Asterisk, our own mail, the relay's certificate. Relays and disks are real."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from calls import CALL, tell
from golden import Golden
from relay import Catcher, Certificates, ScriptedRelay
from skipping import unavailable

from pbxnotify.delivery.runner import run_queue
from pbxnotify.events import Alert
from pbxnotify.health.problems import Known, Observation, State
from pbxnotify.health.relay_probe import FAR, certificate_end
from pbxnotify.health.watch import Watch
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.spool.store import Spool

OK, UNKNOWN, PROBLEM = State
DAY = 86400.0
INI = """\
[smtp]
host = {host}
timeout = 60
{smtp}
[notifications]
timezone = Europe/Moscow
[employees]
[[101]]
email = ivan@example.com
[system]
disks = {disks}
{system}
"""


@pytest.fixture
def look(write_ini: Callable[[str], Path], spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watch]:
    """Return a function that prepares a run of the monitor with an ini file."""
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")

    def look(
        known: Known | None = None, host: str = "127.0.0.1:1", smtp: str = "", system: str = "", disks: str = "/ 1 B"
    ) -> Watch:
        path = write_ini(INI.format(host=host, smtp=smtp, system=system, disks=disks))
        return Watch(load_settings(path), spool, load_language("en"), known or Known())

    return look


def again(spool: Spool, language: str = "en") -> Watch:
    """Return another run, with the ini file as it is now and nothing known."""
    return Watch(load_settings(ini_path()), spool, load_language(language), Known())


def there(watch: Watch, key: str) -> Observation:
    """Return the observation of one thing, which there must be."""
    seen = observed(watch, key)
    assert seen is not None
    return seen


def observed(watch: Watch, key: str) -> Observation | None:
    """Return the observation of one thing."""
    return next((one for one in watch.observations() if one.key == key), None)


def undated(text: str) -> str:
    """Return a text without the moments in it."""
    return re.sub(r"\w+, \d+ \w+ \d{4}, \d\d:\d\d", "MOMENT", text)


# ---- disks


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Return where a filesystem of 4 MB is mounted."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("no filesystem can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(
    ("megabytes", "state"),
    [
        pytest.param(0.0, OK, id="empty"),
        pytest.param(3.57, UNKNOWN, id="at the limit"),
        pytest.param(3.7, PROBLEM, id="full"),
    ],
)
def test_a_disk(look: Callable[..., Watch], small: Path, megabytes: float, state: int) -> None:
    (small / "big").write_bytes(bytes(int(megabytes * 1024 * 1024)))
    seen = there(look(disks=f"{small}"), f"disk:{small}")
    assert seen.state == state


def test_what_is_said_of_a_full_disk(look: Callable[..., Watch], spool: Spool, golden: Golden) -> None:
    look(disks=f"{spool.directory} 99.9 %")
    seen = there(again(spool, "ru"), f"disk:{spool.directory}")
    assert (seen.state, seen.is_critical) == (PROBLEM, True)
    golden(seen.subject, "subject")
    golden(re.sub(r"\d+(,\d+)?(?= (%|[КМГТ]?Б))", "N", re.sub("[КМГТ](?=Б)", "", seen.text)), "text")


@pytest.mark.parametrize(("other", "state"), [("1 B", OK), ("99.99 %", PROBLEM)])
def test_two_paths_on_one_disk_are_observed_once_by_the_stricter_limit(
    look: Callable[..., Watch], spool: Spool, other: str, state: int
) -> None:
    seen = look(disks=f"{spool.directory} 1 B, {spool.directory}/queue {other}").observations()
    disks = [(one.key, one.state) for one in seen if one.key.startswith("disk")]
    assert disks == [(f"disk:{spool.directory}", state)]


def test_the_fullest_disk_is_named_first(look: Callable[..., Watch], small: Path) -> None:
    (small / "big").write_bytes(bytes(int(3.9 * 1024 * 1024)))
    seen = there(look(disks=f"/ 1 B, {small}"), f"disk:{small}")
    lines = seen.text.splitlines()
    assert [line.partition(":")[0] for line in lines[:2]] == [str(small), "/"]


def test_a_path_that_is_not_there(look: Callable[..., Watch], golden: Golden) -> None:
    seen = there(look(disks="/ 1 B, /nowhere/at/all"), "disk:/nowhere/at/all")
    assert seen.state == PROBLEM
    assert "No such file or directory" in seen.text
    golden(seen.subject, "subject")
    golden(seen.text, "text")


def test_the_usual_disks_may_be_missing(look: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AST_SPOOL_DIR", "/nowhere")
    seen = look(disks="", system="disk_free = 1 B").observations()
    assert {one.state for one in seen if one.key.startswith("disk:")} == {OK}


# ---- Asterisk


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that changes what Asterisk's command line does."""

    def does(text: str) -> None:
        (tmp_path / "asterisk").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "asterisk").chmod(0o755)
        monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(tmp_path / "asterisk"))

    return does


RUNS = "echo 'System uptime: 100'"
DOWN = "echo Unable to connect to remote asterisk; exit 1"
TEN_YEARS = 3650 * DAY  # no test machine has been up for so long


def test_an_asterisk_that_is_not_here_is_nothing(look: Callable[..., Watch]) -> None:
    assert observed(look(), "asterisk") is None


def test_an_asterisk_that_does_not_run(look: Callable[..., Watch], asterisk) -> None:
    watch = look()
    asterisk(DOWN)
    seen = there(watch, "asterisk")
    assert (seen.state, seen.is_critical) == (PROBLEM, True)
    assert "Unable to connect" in seen.text
    assert watch.known.started is None


@pytest.mark.parametrize(
    ("seen_up", "patience"),
    [
        pytest.param(None, 1, id="never seen"),
        pytest.param(TEN_YEARS, 2, id="not since the boot: it may be starting"),
        pytest.param(0.0, 1, id="since the boot"),
    ],
)
def test_an_asterisk_that_does_not_run_yet(
    look: Callable[..., Watch], asterisk, seen_up: float | None, patience: int
) -> None:
    watch = look(Known(started=None if seen_up is None else time.time() - seen_up))
    asterisk(DOWN)
    assert there(watch, "asterisk").patience == patience


@pytest.mark.parametrize(
    ("ago", "restarted"),
    [
        pytest.param(0, False, id="never looked before"),
        pytest.param(100, False, id="still the same"),
        pytest.param(102, False, id="said in whole seconds"),
        pytest.param(500, True, id="restarted"),
        pytest.param(-500, False, id="a clock that was set"),
    ],
)
def test_a_restart(look: Callable[..., Watch], asterisk, golden: Golden, ago: int, restarted: bool) -> None:
    watch = look(Known(started=time.time() - ago if ago else None))
    asterisk(RUNS)
    seen = observed(watch, "restart")
    assert (seen is not None) == restarted
    if seen:
        assert seen.happened
        golden(undated(seen.text))
    assert abs((watch.known.started or 0.0) - (time.time() - 100)) < 3


def test_an_answer_that_takes_long_is_no_restart(look: Callable[..., Watch], asterisk) -> None:
    watch = look(Known(started=time.time() - 100))
    asterisk(f"sleep 5; {RUNS}")
    assert observed(watch, "restart") is None


def test_what_is_known_to_be_down_is_not_restarted(look: Callable[..., Watch], spool: Spool, asterisk) -> None:
    look()
    asterisk(RUNS)
    known = Known(started=time.time() - 500)
    watch = Watch(load_settings(ini_path()), spool, load_language("en"), known, {"asterisk"})
    assert [one.key for one in watch.observations() if one.key == "restart"] == []


@pytest.mark.parametrize("option", ["asterisk", "trunks"])
def test_what_is_switched_off(look: Callable[..., Watch], asterisk, option: str) -> None:
    watch = look(system=f"{option} = no\n")
    asterisk(f"{RUNS}; echo ' away/sip:x.example.com  n/a  Rejected'")
    keys = {one.key for one in watch.observations()}
    assert ("asterisk" in keys, any(key.startswith("trunk") for key in keys)) == (
        option != "asterisk",
        option != "trunks",
    )


def test_what_asterisk_says_cannot_paint_a_terminal(look: Callable[..., Watch], asterisk) -> None:
    watch = look()
    asterisk(RUNS + "; printf ' aw\\033[31may/sip:x\\007y  n/a  Rejected\\n'")
    assert [key for key in (one.key for one in watch.observations()) if key.startswith("trunk")] == [
        "trunk:registration aw [31may sip:x y"
    ]


def test_a_trunk_that_is_down(look: Callable[..., Watch], asterisk, golden: Golden) -> None:
    watch = look()
    asterisk(f"{RUNS}; echo ' away/sip:x.example.com  n/a  Rejected'")
    seen = there(watch, "trunk:registration away sip:x.example.com")
    assert seen.state == PROBLEM
    golden(seen.subject, "subject")
    golden(seen.text, "text")


# ---- our own mail


def test_mail_that_waits_too_long(look: Callable[..., Watch], spool: Spool, monkeypatch, golden: Golden) -> None:
    look()
    tell(CALL.only(["101"]))
    seen = there(again(spool), "mail:stuck")
    assert seen.state == OK
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    seen = there(again(spool), "mail:stuck")
    assert seen.state == PROBLEM
    golden(undated(seen.text))


def test_mail_that_waits_for_the_relay_is_for_syslog(look: Callable[..., Watch], spool: Spool) -> None:
    look(system="stuck_minutes = 1")
    tell(CALL.only(["101"]))
    seen = there(again(spool), "mail:stuck")
    assert not seen.by_mail


def test_an_alert_that_waits_is_not_a_problem(look: Callable[..., Watch], spool: Spool, monkeypatch) -> None:
    path = Path(ini_path())
    look()
    path.write_text(path.read_text().replace("[notifications]", "[notifications]\nadmin_email = a@example.com"))
    tell(Alert(time.time(), "x"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    seen = there(again(spool), "mail:stuck")
    assert seen.state == OK


def test_mail_that_is_switched_off_waits_on_purpose(look: Callable[..., Watch], spool: Spool, monkeypatch) -> None:
    look()
    tell(CALL.only(["101"]))
    path = Path(ini_path())
    path.write_text(path.read_text().replace("[notifications]", "[missed_calls]\nenabled = no\n[notifications]"))
    run_queue(spool, everything=True)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    seen = there(again(spool), "mail:stuck")
    assert seen.state == OK


@pytest.mark.parametrize(("minutes", "state"), [(61, PROBLEM), (59, OK)])
def test_how_many_minutes(look: Callable[..., Watch], spool: Spool, monkeypatch, minutes: int, state: int) -> None:
    look()
    tell(CALL.only(["101"]))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 * minutes)
    seen = there(again(spool), "mail:stuck")
    assert seen.state == state


def test_a_rejected_login(look: Callable[..., Watch], spool: Spool) -> None:
    with Catcher(login=("me", "right")) as relay:
        look(host=f"127.0.0.1:{relay.port}", smtp="login = me\npassword = wrong")
        tell(CALL.only(["101"]))
        seen = there(again(spool), "mail:relay")
    assert (seen.state, seen.by_mail) == (PROBLEM, False)
    assert "535" in seen.text
    assert "wrong" not in seen.text


def test_one_mail_after_the_other_fails(look: Callable[..., Watch], spool: Spool) -> None:
    """Each for its recipient, it seems; but nothing is accepted."""
    with ScriptedRelay(RCPT="550 5.1.1 no such user") as relay:
        look(host=f"127.0.0.1:{relay.port}")
        for number in range(3):
            tell(CALL._replace(linked_id=f"{number}.1").only(["101"]))
        seen = there(again(spool), "mail:relay")
    assert (seen.state, seen.by_mail) == (PROBLEM, False)


# ---- the relay's certificate


@pytest.mark.parametrize("protocol", ["ssl", "tls"])
@pytest.mark.parametrize(("which", "state"), [("server", OK), ("ends_soon", PROBLEM)])
def test_a_certificate(
    look: Callable[..., Watch], certificates: Certificates, protocol: str, which: str, state: int
) -> None:
    with Catcher(tls=getattr(certificates, which), implicit=protocol == "ssl") as relay:
        watch = look(host=f"{protocol}://localhost:{relay.port}", smtp=f"ca_file = {certificates.ca_file}")
        seen = there(watch, "certificate")
    assert seen.state == state
    assert "localhost" in seen.text
    assert abs((watch.known.certificate_looked_at or 0.0) - time.time()) < 10


def test_the_relay_is_asked_once_a_day(look: Callable[..., Watch]) -> None:
    now = time.time()
    known = Known(certificate_of="127.0.0.1:1", certificate_looked_at=now - 3600, certificate_ends=now + 5 * DAY)
    watch = look(known, host="ssl://127.0.0.1:1")
    seen = there(watch, "certificate")
    assert seen.state == PROBLEM


def test_another_relay_is_asked_at_once(look: Callable[..., Watch], certificates: Certificates) -> None:
    now = time.time()
    known = Known(certificate_of="old:465", certificate_looked_at=now, certificate_ends=now + DAY, started=5.0)
    with Catcher(tls=certificates.server, implicit=True) as relay:
        watch = look(known, host=f"ssl://localhost:{relay.port}", smtp=f"ca_file = {certificates.ca_file}")
        seen = there(watch, "certificate")
    assert seen.state == OK
    assert (watch.known.certificate_of, watch.known.started) == (f"localhost:{relay.port}", 5.0)


def test_a_relay_that_cannot_be_asked_is_asked_again_after_an_hour(look: Callable[..., Watch]) -> None:
    watch = look(host="ssl://127.0.0.1:1")
    assert observed(watch, "certificate") is None
    assert not watch.has_observed_all("certificate")
    assert abs((watch.known.certificate_looked_at or 0.0) + DAY - time.time() - 3600) < 10


@pytest.mark.parametrize(("days", "state"), [(3, OK), (6, PROBLEM)])
def test_how_many_days_before(look: Callable[..., Watch], days: int, state: int) -> None:
    now = time.time()
    known = Known(certificate_of="127.0.0.1:1", certificate_looked_at=now - 3600, certificate_ends=now + 5 * DAY)
    seen = there(look(known, host="ssl://127.0.0.1:1", system=f"certificate_days = {days}"), "certificate")
    assert seen.state == state


def test_a_certificate_without_end(look: Callable[..., Watch]) -> None:
    known = Known(certificate_of="127.0.0.1:1", certificate_looked_at=time.time() - 3600, certificate_ends=FAR)
    seen = there(look(known, host="ssl://127.0.0.1:1"), "certificate")
    assert "2100" in seen.text


@pytest.mark.parametrize("smtp", ["", "verify_certificate = no"], ids=["no TLS", "not verified"])
def test_no_certificate_to_look_at(look: Callable[..., Watch], catcher: Catcher, smtp: str) -> None:
    protocol = "ssl://" if smtp else ""
    assert observed(look(host=f"{protocol}127.0.0.1:{catcher.port}", smtp=smtp), "certificate") is None


def test_a_relay_in_backoff_is_not_asked(look: Callable[..., Watch], spool: Spool, certificates: Certificates) -> None:
    with Catcher(tls=certificates.server, implicit=True) as relay:
        look(host=f"ssl://localhost:{relay.port}", smtp=f"ca_file = {certificates.ca_file}")
        relay.stop()
        tell(CALL.only(["101"]))
        relay.start()
        assert observed(again(spool), "certificate") is None


@pytest.mark.parametrize("which", ["expired", "elsewhere", "self_signed"])
def test_a_certificate_that_is_not_trusted(look: Callable[..., Watch], certificates: Certificates, which: str) -> None:
    with Catcher(tls=getattr(certificates, which), implicit=True) as relay:
        look(host=f"ssl://localhost:{relay.port}", smtp=f"ca_file = {certificates.ca_file}")
        assert certificate_end(load_settings(ini_path())) is None
