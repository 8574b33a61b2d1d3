"""``pbxnotify monitor``: problems are raised once, reminded of, and resolved."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import pytest
from checkout import ROOT
from golden import Golden
from relay import Catcher
from shell import Shell
from skipping import unavailable

from pbxnotify.languages.language import Language, load_language
from pbxnotify.settings.load import ini_path
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool

INI = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
pbx_name = office
timezone = Europe/Moscow
[system]
disks = {spool} 1 B
asterisk = no
trunks = no
[[raid]]
command = {check}
"""


@pytest.fixture
def check(tmp_path: Path) -> Callable[[str], None]:
    """Return a function that changes what the check says."""

    def says(text: str) -> None:
        (tmp_path / "check").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "check").chmod(0o755)

    says("echo fine")
    return says


@pytest.fixture
def relay(catcher: Catcher, write_ini: Callable[[str], Path], spool: Spool, tmp_path: Path, check: object) -> Catcher:
    """Return the relay that the ini file names; there is no problem."""
    write_ini(INI.format(port=catcher.port, spool=spool.directory, check=tmp_path / "check"))
    return catcher


def words() -> Language:
    """Return the words of the mails."""
    return load_language("en")


def mails(relay: Catcher) -> list[tuple[str, str]]:
    """Return subject and text, without time and sender, of the mails so far, and forget them."""
    messages = [mail.message for mail in relay.mails]
    relay.clear()
    bodies = [message.get_body(("plain",)) for message in messages]
    texts = [str(body.get_content()).replace("\r", "").split("\n\n")[:-2] for body in bodies if body]
    return [(str(message["Subject"]), "\n\n".join(text)) for message, text in zip(messages, texts)]


def test_no_problem(run, relay: Catcher) -> None:
    status, said, _ = run("monitor")
    assert (status, mails(relay)) == (0, [])
    assert re.findall(r"(?m)^(\w+) +(\S+)", said) == [
        ("ok", f"disk:{os.environ['PBXNOTIFY_SPOOL']}"),
        ("ok", "mail:relay"),
        ("ok", "mail:stuck"),
        ("ok", "check:raid"),
    ]


def test_mailed_once_and_when_it_is_resolved(run, relay: Catcher, check, golden: Golden) -> None:
    check("echo 'sdb is gone'; exit 2")
    for _ in range(3):
        run("monitor")
    ((subject, text),) = mails(relay)
    assert subject == "office: raid: sdb is gone"
    golden(text, "raised")
    check("echo fine")
    run("monitor")
    assert mails(relay) == []
    run("monitor")
    ((subject, text),) = mails(relay)
    golden(subject, "subject")
    golden(re.sub(r"\d+ seconds?", "SECONDS", text), "resolved")
    run("monitor")
    assert mails(relay) == []


def test_the_mails_of_one_problem_are_one_conversation(run, relay: Catcher, check) -> None:
    check("exit 1")
    run("monitor")
    check("exit 0")
    run("monitor")
    run("monitor")
    raised, over = (mail.message for mail in relay.mails)
    assert raised["References"] == over["References"] != ""
    assert raised["Message-ID"] != over["Message-ID"]


def test_several_problems_are_one_mail(run, relay: Catcher, write_ini, check, spool: Spool, golden: Golden) -> None:
    path = Path(ini_path())
    path.write_text(path.read_text().replace("1 B", "99.9 %"))
    check("echo degraded; exit 1")
    run("monitor")
    ((subject, text),) = mails(relay)
    assert str(spool.directory) in subject
    assert "raid: degraded" in text
    golden(subject, "subject")
    golden(re.sub(r"[\d.]+(?= (%|[KMGT]?B))", "N", re.sub("[KMGT](?=B)", "", text)), "text")


def test_a_critical_alert_is_important(run, relay: Catcher, check) -> None:
    check("exit 2")
    run("monitor")
    check("exit 0")
    run("monitor")
    run("monitor")
    assert [mail.message["Importance"] for mail in relay.mails] == ["high", None]


def test_the_administrators_language(run, relay: Catcher, check, golden: Golden) -> None:
    path = Path(ini_path())
    path.write_text(path.read_text().replace("[system]", "language = ru\n[system]"))
    check("exit 1")
    run("monitor")
    ((_, text),) = mails(relay)
    golden(text)


def test_switched_off(run, relay: Catcher, check, golden: Golden) -> None:
    path = Path(ini_path())
    path.write_text(path.read_text().replace("[system]", "enabled = no\n[system]"))
    check("exit 2")
    status, said, _ = run("monitor")
    assert (status, mails(relay)) == (0, [])
    golden(said)


def test_a_relay_that_is_down_keeps_the_alert(run, relay: Catcher, check, spool: Spool) -> None:
    relay.stop()
    check("echo broken; exit 2")
    run("monitor")
    run("monitor")
    assert len(spool.identifiers()) == 1
    relay.start()
    run("queue", "run", "--all")
    assert [subject for subject, _ in mails(relay)] == ["office: raid: broken"]


def test_two_at_the_same_time(relay: Catcher, check) -> None:
    check("sleep 1; exit 2")
    command = [sys.executable, "-m", "pbxnotify.cli", "monitor"]
    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    outcomes = [process.communicate()[0] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 0], [0, 75])
    assert len(relay.wait(1)) == 1
    assert outcomes


def test_killed_at_any_moment_it_is_mailed(relay: Catcher, check, spool: Spool) -> None:
    check("exit 2")
    command = [sys.executable, "-m", "pbxnotify.cli", "monitor"]
    for tenths in range(1, 8):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            process.wait(0.03 * tenths)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*command[:-1], "queue", "run", "--all"], cwd=ROOT, check=True)
    assert 1 <= len(relay.mails) <= 3


def test_a_damaged_state_is_logged_once_and_begun_anew(run, relay: Catcher, check, spool: Spool, logged) -> None:
    check("exit 2")
    state.write(spool.directory, state.MONITOR, "{")
    run("status")
    run("monitor")
    run("monitor")
    assert len(re.findall("monitor: .* damaged", logged())) == 1
    assert len(mails(relay)) == 1


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a filesystem of 1 MB, on which the spool is."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("no filesystem can be mounted here")
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(place / "spool"))
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> None:
    """Leave no room on a filesystem."""
    with suppress(OSError), (place / "big").open("wb", buffering=0) as big:
        while True:
            big.write(bytes(4096))


def watch_the_disk(port: int, place: Path) -> None:
    """Write an ini file by which this filesystem must have some room."""
    Path(ini_path()).write_text(INI.format(port=port, spool=place, check="true").replace("1 B", "10 %"))


def test_a_full_disk_does_not_silence_the_alert_about_it(run, catcher: Catcher, small: Path) -> None:
    watch_the_disk(catcher.port, small)
    run("monitor")
    fill(small)
    for _ in range(3):
        run("monitor")
    raised = words().disk_full.format(path=small)
    assert [subject for subject, _ in mails(catcher)] == [f"office: {raised}"]
    (small / "big").unlink()
    for _ in range(3):
        run("monitor")
    assert [subject for subject, _ in mails(catcher)] == [f"office: {words().over.format(subject=raised)}"]


def test_what_neither_the_disk_nor_the_relay_takes_is_mailed_later(run, catcher: Catcher, small: Path) -> None:
    watch_the_disk(catcher.port, small)
    run("monitor")
    fill(small)
    catcher.stop()
    run("monitor")
    catcher.start()
    run("monitor")
    run("monitor")
    assert [subject for subject, _ in mails(catcher)] == [f"office: {words().disk_full.format(path=small)}"]


@pytest.mark.parametrize(("minute", "mailed"), [(2, 1), (30, 0)])
def test_a_disk_that_has_become_read_only(
    run, catcher: Catcher, small: Path, monkeypatch, logged, golden: Golden, minute: int, mailed: int
) -> None:
    watch_the_disk(catcher.port, small)
    run("monitor")
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    monkeypatch.setattr(time, "time", lambda: 1795478400.0 + 60 * minute)
    assert run("monitor")[0] == 74
    assert [subject for subject, _ in mails(catcher)] == [f"office: {words().no_spool}"] * mailed
    golden(re.findall("pbxnotify: (monitor: .*)", logged())[0])


@pytest.fixture
def asterisk(relay: Catcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes Asterisk's answers; its trunks are monitored."""

    def says(registrations: str = "", aors: str = "", runs: bool = True) -> None:
        command = tmp_path / "asterisk"
        answers = {"core show uptime seconds": "System uptime: 1000", "pjsip show registrations": registrations}
        cases = "".join(f'"{line}") echo "{said}";; ' for line, said in {**answers, "pjsip show aors": aors}.items())
        command.write_text(f'#!/bin/sh\n{"" if runs else "echo no; exit 1"}\ncase "$2" in {cases} esac\n')
        command.chmod(0o755)

    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(tmp_path / "asterisk"))
    path = Path(ini_path())
    path.write_text(path.read_text().replace("asterisk = no\ntrunks = no\n", ""))
    return says


AWAY = " mytrunk/sip:prov.example.com  auth  Rejected (exp. 1s)"
FIXED = "Aor: mytrunk 0\nContact: mytrunk/sip:prov.example.com  f00 {}  nan"


DOWN = load_language("en").trunk_down.format(name="mytrunk")


def observe(run, relay: Catcher, count: int = 1) -> list[str]:
    """Run the monitor some times; returns the subjects of the mails."""
    for _ in range(count):
        run("monitor")
    return [subject.replace("office: ", "") for subject, _ in mails(relay)]


def resolved(subject: str) -> str:
    return words().over.format(subject=subject)


def test_a_registration_and_a_contact_of_one_name(run, relay: Catcher, asterisk) -> None:
    asterisk(AWAY, FIXED.format("Avail"))
    assert observe(run, relay, 8) == [DOWN]
    asterisk(AWAY.replace("Rejected", "Registered"), FIXED.format("Avail"))
    assert observe(run, relay, 4) == [resolved(DOWN)]


def test_what_was_not_seen_is_not_forgotten(run, relay: Catcher, asterisk) -> None:
    asterisk(AWAY)
    assert observe(run, relay, 2) == [DOWN]
    asterisk(runs=False)
    assert observe(run, relay) == [words().asterisk_down]
    asterisk(AWAY)
    assert observe(run, relay, 3) == [resolved(words().asterisk_down)]


def test_a_contact_that_was_not_asked_yet(run, relay: Catcher, asterisk) -> None:
    mailed = []
    for said in ("Unavail", "Unavail", "NonQual", "Unavail", "NonQual", "Avail", "Avail"):
        asterisk("", FIXED.format(said))
        mailed += observe(run, relay)
    assert mailed == [DOWN, resolved(DOWN)]


def test_five_hundred_trunks(run, relay: Catcher, asterisk, spool: Spool, logged, golden: Golden) -> None:
    lines = [f" trunk-{number}/sip:{number}.example.com  auth  Rejected (exp. 1s)" for number in range(500)]
    asterisk("\n".join(lines))
    (subject,) = observe(run, relay, 4)
    assert "damaged" not in logged()
    golden(subject)


def test_a_check_that_is_taken_out_is_forgotten(run, relay: Catcher, check, logged) -> None:
    check("echo broken; exit 2")
    assert observe(run, relay) == ["raid: broken"]
    path = Path(ini_path())
    path.write_text(path.read_text().partition("[[raid]]")[0])
    assert observe(run, relay, 3) == []
    assert re.search("monitor: .*: raid: broken", logged())


def test_a_bug_in_one_source_silences_no_other(run, relay: Catcher, check, monkeypatch, golden: Golden) -> None:
    def break_down(path: str) -> None:
        raise ArithmeticError("oops")

    check("echo broken; exit 2")
    with monkeypatch.context() as broken:
        broken.setattr("pbxnotify.health.disk.look", break_down)
        (subject,) = observe(run, relay, 3)
        golden(subject, "raised")
    check("exit 0")
    (subject,) = observe(run, relay, 3)
    golden(subject, "resolved")


def test_the_monitor_counts_as_run_while_it_is_switched_off(run, relay: Catcher, spool: Spool) -> None:
    path = Path(ini_path())
    path.write_text(path.read_text().replace("[system]", "enabled = no\n[system]"))
    run("monitor")
    assert time.time() - (state.read(spool.directory, state.MONITOR).written or 0.0) < 10


def test_what_only_syslog_hears_of_is_logged_with_its_reason(run, catcher: Catcher, relay: Catcher, logged) -> None:
    with Catcher(login=("me", "right")) as strict:
        path = Path(ini_path())
        text = path.read_text().replace(f"port = {catcher.port}", f"port = {strict.port}\nlogin = me\npassword = wrong")
        path.write_text(text)
        run("missed", "--from", "5551212", "--to", "101")
        run("alert", "x")
        run("monitor")
    assert re.search(f"monitor: {words().held}: .*535", logged())


def test_what_cannot_be_kept_is_mailed_once_an_hour(run, relay: Catcher, check, monkeypatch) -> None:
    check("exit 2")
    monkeypatch.setattr(state, "write", lambda *arguments: False)
    mailed = []
    for minute in range(0, 120, 5):
        monkeypatch.setattr(time, "time", lambda minute=minute: 1795478400.0 + 60 * minute + 7)
        run("monitor")
        mailed.append(len(mails(relay)))
    assert mailed == ([1] + [0] * 11) * 2


def test_ctrl_c_ends_a_check_that_hangs(relay: Catcher, check, tmp_path: Path, spool: Spool) -> None:
    group = tmp_path / "group"
    check(f"echo $$ > '{group}.new'; mv '{group}.new' '{group}'; sleep 60")
    with Shell("monitor") as shell:
        while not group.exists():
            time.sleep(0.05)
        shell.interrupt()
        status, said = shell.end()
    assert (status, "interrupted" in said) == (130, True)
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until init has taken what was killed
            os.killpg(int(group.read_text()), 0)
            time.sleep(0.05)
    assert relay.mails == []


def test_a_broken_ini_file(run, relay: Catcher) -> None:
    path = Path(ini_path())
    path.write_text(path.read_text().replace("[system]", "[sistem]"))
    status, _, said = run("monitor")
    assert (status, "did you mean system?" in said) == (78, True)


def test_what_a_quiet_run_costs(relay: Catcher, report: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "pbxnotify.cli", "monitor"]
    seconds = []
    for _ in range(7):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert relay.mails == []
    report(f"{1000 * median(seconds):.0f} ms of CPU in the median of 7 runs, its check included")
