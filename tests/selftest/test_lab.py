"""The laboratory itself is true: what other tests take for granted about it."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest

DIALPLAN = """\
[from-trunk]
exten => _1XX,1,Dial(PJSIP/${EXTEN},2)
 same => n,NoOp(dialstatus=${DIALSTATUS} after ${EXTEN})
 same => n,Hangup()
exten => caller,1,NoOp(number=${CALLERID(num)} name=${CALLERID(name)} pres=${CALLERID(pres)} dnid=${EXTEN})
 same => n,Hangup(17)
exten => answer,1,Answer()
 same => n,NoOp(answered)
 same => n,Wait(30)
exten => queue,1,Answer()
 same => n,Queue(q2,,,,8)
exten => h,1,NoOp(ended ${DIALSTATUS})
exten => voicemail,1,VoiceMail(102@default,s)
 same => n,NoOp(voicemail went on)
exten => environment,1,System(echo "$LAB_TEST" > "$HOME/spool/environment" && id -un >> "$HOME/spool/environment")
"""
needs_sipp = pytest.mark.usefixtures("sipp")


@pytest.fixture(scope="module", params=lab.SUITES)
def asterisk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Asterisk]:
    lab.require(request.param)
    directory = tmp_path_factory.mktemp(f"asterisk-{request.param}")
    with lab.Asterisk(request.param, directory, dialplan=DIALPLAN) as running:
        yield running


@pytest.fixture(autouse=True)
def from_now(request: pytest.FixtureRequest) -> None:
    """Each test sees only its own log lines."""
    if "asterisk" in request.fixturenames:
        request.getfixturevalue("asterisk").mark()


@pytest.fixture
def sipp() -> None:
    lab.require_sipp()


def processes_of(directory: Path) -> list[str]:
    """The command lines of the processes which name the directory."""
    found = []
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # gone meanwhile
            continue
        if str(directory) in command:
            found.append(command)
    return found


# ---- Asterisk


def test_boots(asterisk: lab.Asterisk) -> None:
    assert asterisk.command("core show version").startswith(f"Asterisk {asterisk.version}.")
    assert "ERROR" not in asterisk.full_log()


def test_originates_without_sip(asterisk: lab.Asterisk) -> None:
    asterisk.originate("answer")
    asterisk.wait_for_log("answered")
    asterisk.command("channel request hangup all")
    asterisk.wait_until_idle()


def test_log_wait_says_what_it_saw(asterisk: lab.Asterisk) -> None:
    asterisk.originate("103")
    asterisk.wait_for_log("dialstatus=CHANUNAVAIL after 103")
    with pytest.raises(lab.LabError, match="dialstatus=CHANUNAVAIL"):
        asterisk.wait_for_log("never said", timeout=0.1)


@pytest.mark.parametrize("version", lab.SUITES)
def test_stops_and_starts_again(version: int, tmp_path: Path) -> None:
    lab.require(version)
    instance = lab.Asterisk(version, tmp_path, dialplan=DIALPLAN, environment={"LAB_TEST": "told"})
    for end in (instance.stop, instance.kill):
        instance.start()
        instance.originate("environment")
        instance.wait_until_idle()
        assert (instance.spool / "environment").read_text().startswith("told\n")
        assert processes_of(tmp_path)
        end()
        assert processes_of(tmp_path) == []


def test_two_at_once(asterisk: lab.Asterisk, tmp_path: Path) -> None:
    with lab.Asterisk(asterisk.version, tmp_path, dialplan=DIALPLAN) as other:
        assert other.port != asterisk.port
        other.originate("103")
        other.wait_for_log("after 103")
    assert "after 103" not in asterisk.log_since_mark()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("version", lab.SUITES)
def test_runs_as_another_user(version: int) -> None:
    lab.require(version)
    directory = Path(tempfile.mkdtemp())  # not tmp_path, which only root may enter
    directory.chmod(0o755)
    try:
        with lab.Asterisk(version, directory, dialplan=DIALPLAN, user="nobody") as running:
            assert Path(f"/proc/{running.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
            running.originate("environment")
            running.wait_until_idle()
            assert (running.spool / "environment").read_text().endswith("nobody\n")
        assert processes_of(directory) == []
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("version", lab.SUITES)
def test_dies_with_the_tests(version: int, tmp_path: Path) -> None:
    """Even where the tests are killed and can clean up nothing."""
    lab.require(version)
    code = f"import lab, os, pathlib; lab.Asterisk({version}, pathlib.Path({str(tmp_path)!r}), dialplan='').start(); "
    for end in ("raise SystemExit", "os.kill(os.getpid(), 9)"):
        subprocess.run([sys.executable, "-c", code + end], check=False, cwd=Path(lab.__file__).parent)
        deadline = time.monotonic() + lab.PATIENCE
        while processes_of(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert processes_of(tmp_path) == []


# ---- SIP


@needs_sipp
def test_caller_reaches_the_dialplan(asterisk: lab.Asterisk) -> None:
    assert asterisk.call("uac_noanswer", "caller", caller_name='"Иван \U0001f600 [x] %s"') == 486
    line = asterisk.wait_for_log("number=")
    assert "number=5551212 name=Иван \U0001f600 [x] %s pres=allowed_not_screened dnid=caller" in line


@needs_sipp
def test_newline_in_the_number(asterisk: lab.Asterisk) -> None:
    """`%0a` reaches Asterisk as it is, and is decoded there: the tests of hostile callers stand on it."""
    asterisk.call("uac_noanswer", "caller", caller_number="555%0aagi_planted%3a%20yes")
    asterisk.wait_for_log("name=")
    assert "number=555\nagi_planted: yes name=" in asterisk.log_since_mark()


@needs_sipp
def test_bad_utf8_in_the_name(asterisk: lab.Asterisk) -> None:
    call = asterisk.start_call("uac_noanswer", "caller", caller_name='"bad \udcff"')
    call.wait()
    assert 'From: "bad \udcff" <sip:5551212@' in call.messages()
    assert "name=bad \udcff" in asterisk.log_since_mark() or asterisk.version > 16  # later ones mend it


@needs_sipp
def test_withheld_number(asterisk: lab.Asterisk) -> None:
    headers = ["P-Asserted-Identity: <sip:777@carrier.invalid>", "Privacy: id"]
    asterisk.call("uac_noanswer", "caller", caller_number="anonymous", caller_name="Anonymous", headers=headers)
    assert "number=777" in asterisk.wait_for_log("pres=prohib")


@needs_sipp
@pytest.mark.parametrize(
    "scenario, dialstatus",
    [("uas_ring", "NOANSWER"), ("uas_486", "BUSY"), ("uas_603", "CHANUNAVAIL"), ("uas_503", "CONGESTION")],
)
def test_phone_that_does_not_answer(asterisk: lab.Asterisk, scenario: str, dialstatus: str) -> None:
    with asterisk.phone(101, scenario):
        assert asterisk.call("uac_noanswer", "101") >= 400
    asterisk.wait_for_log(f"dialstatus={dialstatus} after 101")


@needs_sipp
def test_phone_where_nothing_listens(asterisk: lab.Asterisk) -> None:
    asterisk.call("uac_noanswer", "104")
    asterisk.wait_for_log("dialstatus=NOANSWER after 104")


@needs_sipp
def test_caller_gives_up(asterisk: lab.Asterisk) -> None:
    with asterisk.phone(101, "uas_ring"):
        assert asterisk.call("uac_cancel", "101", duration_ms=300) == 487
        asterisk.wait_for_log("ended CANCEL")


@needs_sipp
@pytest.mark.parametrize("phone, caller", [("uas_answer", "uac_bye"), ("uas_answer_bye", "uac_noanswer")])
def test_phone_that_answers(asterisk: lab.Asterisk, phone: str, caller: str) -> None:
    with asterisk.phone(102, phone, delay_ms=100):
        assert asterisk.call(caller, "102", duration_ms=100) == 200
    asterisk.wait_for_log("ended ANSWER")


@needs_sipp
def test_queue_rings_its_phone(asterisk: lab.Asterisk) -> None:
    with asterisk.phone(102, "uas_answer", delay_ms=100):
        assert asterisk.call("uac_bye", "queue", duration_ms=1500) == 200
        asterisk.wait_for_log(re.compile("PJSIP/102-[0-9a-f]+ answered"))


@needs_sipp
@pytest.mark.parametrize("scenario, goes_on", [("uac_vm_bye", False), ("uac_vm_pound", True)])
def test_voicemail_is_recorded(asterisk: lab.Asterisk, scenario: str, goes_on: bool) -> None:
    before = set(asterisk.spool.rglob("msg*.txt"))
    assert asterisk.call(scenario, "voicemail", duration_ms=2500) == 200
    asterisk.wait_until_idle()
    (message,) = set(asterisk.spool.rglob("msg*.txt")) - before
    assert message.with_suffix(".WAV").stat().st_size > 1000
    assert ("voicemail went on" in asterisk.log_since_mark()) == goes_on


@needs_sipp
def test_calls_at_once(asterisk: lab.Asterisk) -> None:
    calls = [asterisk.start_call("uac_bye", "answer", caller_number=str(number)) for number in range(700, 710)]
    assert [call.wait() for call in calls] == [200] * 10


@needs_sipp
def test_call_that_goes_amiss(asterisk: lab.Asterisk) -> None:
    with pytest.raises(lab.LabError, match="486 Busy"):
        asterisk.call("uac_bye", "caller")


# ---- the packages


@pytest.mark.parametrize("version", lab.SUITES)
def test_second_fetch_needs_no_network(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    root = lab.require(version)
    monkeypatch.setenv("MIRROR", "http://127.0.0.1:9/debian")
    monkeypatch.setenv("PATH", "/nowhere")
    assert lab.fetch(version) == root
    sums = (root.parent / "debs.sha256").read_text().splitlines()
    assert len(sums) == len(list((root.parent / "debs").glob("*.deb"))) > 20


def test_failed_fetch_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PBXNOTIFY_CACHE", str(tmp_path))
    monkeypatch.setenv("MIRROR", f"file:{tmp_path}/no-mirror")
    with pytest.raises(lab.LabUnavailable, match=r"the suite forky cannot be had|there is no apt"):
        lab.fetch(22)
    assert [path.name for path in tmp_path.iterdir()] == ["asterisk-22.lock"]


def test_archive_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    debs = lab.require(22).parent / "debs"
    monkeypatch.setenv("PBXNOTIFY_CACHE", str(tmp_path))
    archive = shutil.make_archive(str(tmp_path / "saved"), "tar", debs)
    for kept in (archive, str(debs)):
        monkeypatch.setenv("ASTERISK_22_ARCHIVE", kept)
        assert (lab.fetch(22) / "usr/sbin/asterisk").exists()
    monkeypatch.setenv("ASTERISK_16_ARCHIVE", archive)
    with pytest.raises(lab.LabUnavailable, match="Asterisk 16 was to be found, but running it says: Asterisk 22"):
        lab.fetch(16)


def test_two_fetches_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    debs = lab.require(16).parent / "debs"
    environment = {**os.environ, "PBXNOTIFY_CACHE": str(tmp_path), "ASTERISK_16_ARCHIVE": str(debs)}
    (tmp_path / f"{lab._place_name(16, str(debs))}.part" / "root").mkdir(parents=True)  # of an interrupted fetch
    command = [sys.executable, lab.__file__, "fetch", "16"]
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) for _ in range(2)]
    roots = {process.communicate()[0] for process in running}
    assert len(roots) == 1
    assert [process.returncode for process in running] == [0, 0]
