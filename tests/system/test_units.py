"""The systemd units: little is allowed in them, and all the same everything works, with a real systemd as process 1."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lab
import pytest
import wheels
from authorization_server import Answer, AuthorizationServer
from booted import BootedHost
from checkout import ROOT
from far_end import RANG_OUT, FarEnd, wait_for_released
from mailboxes import CHANNEL, length_of, message, require
from office import text_of
from relay import Catcher, Caught, Certificates

SERVICES = ("pbxnotify.service", "pbxnotify-monitor.service", "pbxnotify-alert@.service")
MOST_EXPOSED = 40
"""Tenths, from 0 to 100, as ``systemd-analyze security`` judges."""
ASTERISK = Path("/srv/asterisk")
SPOOL = ASTERISK / "spool"
INI = ASTERISK / "etc" / "pbxnotify.ini"
PBXNOTIFY = "/usr/local/bin/pbxnotify"
SYSTEM_PYTHON = "/usr/bin/python3"
RUN_ASTERISK = f"""\
import sys
sys.path.insert(0, {str(ROOT / "tests" / "support")!r})
import pathlib, signal, lab
dialplan = pathlib.Path({str(ROOT / "tests" / "support" / "asterisk" / "extensions.conf")!r}).read_text()
with lab.Asterisk(16, pathlib.Path({str(ASTERISK)!r}), dialplan=dialplan, user="asterisk"):
    pathlib.Path("/run/booted").touch()
    signal.pause()
"""
NAMESERVER = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() % 255}"
"""An address of this process, as others may run this test beside us."""
RELAY = "relay.pbxnotify.test"


# ---- as systemd reads them -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["asterisk", "root"])
def units(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the units, filled in as the installer does, for an Asterisk of this user."""
    directory = tmp_path_factory.mktemp("units")
    values = {"BINDIR": "/usr/bin", "ASTETCDIR": "/etc/asterisk", "ASTSPOOLDIR": "/var/spool/asterisk"}
    for unit in (ROOT / "etc").glob("pbxnotify*.[tsp]*"):
        text = re.sub("@([A-Z]+)@", lambda match: {**values, "ASTUSER": request.param}[match[1]], unit.read_text())
        (directory / unit.name).write_text(text.replace("/usr/bin/pbxnotify", "/bin/true"))
    return directory


@pytest.mark.parametrize("service", SERVICES)
def test_little_is_allowed(units: Path, service: str, report: Callable[[str], None]) -> None:
    command = [require("systemd-analyze"), "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager"]
    done = subprocess.run([*command, units / service], capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    report(done.stdout.strip().splitlines()[-1].encode("ascii", "ignore").decode().strip())
    assert done.returncode == 0, done.stdout


def test_systemd_finds_no_mistake(units: Path) -> None:
    command = [require("systemd-analyze"), "verify", "--man=no", *map(str, sorted(units.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# ---- as systemd runs them --------------------------------------------------------------------------------------------


@contextmanager
def nameserver() -> Iterator[None]:
    """Answer at port 53 that the relay has the address 127.0.0.1, and refuse to answer for anybody else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((NAMESERVER, 53))
        except OSError as error:
            pytest.skip(f"no nameserver can be started here: {error}")

        def serve() -> None:
            while True:
                query, client = sock.recvfrom(512)
                if not query:
                    return
                name = b"".join(bytes([len(label)]) + label.encode() for label in RELAY.split(".")) + b"\0"
                is_asked = query[12:].startswith(name + b"\0\1")
                flags = 0x8580 if query[12:].startswith(name) else 0x8585
                answer = b"\xc0\x0c" + struct.pack(">HHIH4B", 1, 1, 60, 4, 127, 0, 0, 1) if is_asked else b""
                header = query[:2] + struct.pack(">5H", flags, 1, is_asked, 0, 0)
                question = query[12 : query.index(b"\0", 12) + 5]
                sock.sendto(header + question + answer, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", (NAMESERVER, 53))
        thread.join()


def install(host: BootedHost, *variables: str, target: str = "install") -> str:
    """Install pbxnotify there, as an admin does, or uninstall it; returns what is said."""
    directories = [f"ASTETCDIR={INI.parent}", f"ASTAGIDIR={ASTERISK}/agi-bin", f"ASTSPOOLDIR={SPOOL}"]
    options = [f"PYTHON={SYSTEM_PYTHON}", f"VENV={sys.prefix}", "EXTRAS=oauth2", "SCHEDULER=systemd", *variables]
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    command = ["make", "-s", "-C", str(ROOT), target, *options, *directories]
    return host.run(*command, environment={**pip, **wheels.QUICK}).stdout


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[BootedHost]:
    """Return a host that systemd has booted, with an Asterisk that runs as its own user, and pbxnotify installed."""
    cache = lab.require(16).parents[1]
    trust = require("update-ca-certificates")
    with BootedHost(tmp_path_factory.mktemp("host"), cache) as host, nameserver():
        host.run("userdel", "asterisk", check=False)  # the host's own, whose home may not be there
        host.run("useradd", "--system", "--home-dir", "/var/lib/asterisk", "--create-home", "asterisk")
        host.run("install", "-d", "-o", "asterisk", "-g", "asterisk", str(ASTERISK), str(SPOOL))
        install(host)
        host.write("/srv/run-asterisk.py", RUN_ASTERISK)
        host.write(
            "/etc/systemd/system/asterisk.service",
            f"[Service]\nEnvironment=PBXNOTIFY_CACHE={cache}\nExecStart={sys.executable} -B /srv/run-asterisk.py\n",
        )
        host.run("rm", "-f", "/etc/resolv.conf", "/usr/sbin/asterisk")
        host.write("/etc/resolv.conf", f"nameserver {NAMESERVER}\n{Path('/etc/resolv.conf').read_text()}")
        host.run("ln", "-s", str(ASTERISK / "asterisk"), "/usr/sbin/asterisk")
        host.write("/usr/local/share/ca-certificates/test.crt", Path(certificates.ca_file).read_text())
        host.run(trust)
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "start", "asterisk.service")
        host.wait(host.path("/run/booted").exists)
        yield host


@pytest.fixture
def host(booted: BootedHost, monkeypatch: pytest.MonkeyPatch) -> BootedHost:
    """Return it with nothing in the queue and nothing remembered; the installed scripts find settings and spool."""
    for name in ("PBXNOTIFY_SPOOL", "PBXNOTIFY_CONFIG", "PBXNOTIFY_LOG"):
        monkeypatch.delenv(name)
    booted.run("systemctl", "stop", "pbxnotify.path")
    for path in booted.path(SPOOL / "pbxnotify").rglob("*"):
        if path.is_file():
            path.unlink()
    return booted


def save(host: BootedHost, smtp: str, more: str = "") -> None:
    """Save the ini file, which only root and Asterisk's user may read."""
    notifications = "[notifications]\nadmin_email = admin@example.com\n"
    employees = "[employees]\n[[101]]\nemail = ivan@example.com\n"
    host.write(INI, f"[smtp]\nsender = pbx@example.com\n{smtp}\n{notifications}{more}{employees}")
    host.run("chown", "root:asterisk", str(INI))
    host.run("chmod", "640", str(INI))


def ran(host: BootedHost, unit: str) -> str:
    """Run a service to its end; returns how it ended."""
    host.run("systemctl", "start", unit, check=False)
    return host.run("systemctl", "show", "--property=Result", "--value", unit).stdout.strip()


def state_of(host: BootedHost, unit: str) -> str:
    """Return whether a unit is active."""
    return host.run("systemctl", "is-active", unit, check=False).stdout.strip()


def mails_to(catcher: Catcher, address: str) -> list[Caught]:
    """Return the mails that one recipient got; whoever saves an ini file gets one as well."""
    return [mail for mail in catcher.mails if mail.recipients == (address,)]


def leave_to_the_unit(host: BootedHost, catcher: Catcher) -> None:
    """Leave a missed call in the queue, which is due at once, and the relay running."""
    catcher.stop()
    host.run(PBXNOTIFY, "missed", "--from", "5551212", "--to", "101", check=False)
    catcher.start()
    host.run("touch", str(INI))


def test_a_voicemail_leaves_and_its_mailbox_is_emptied(host: BootedHost, tmp_path: Path) -> None:
    """The relay's name is looked up, lame makes an mp3 of the recording, and the message goes under Asterisk's lock."""
    require("lame")
    with Catcher() as catcher:
        catcher.stop()
        save(host, f"host = {RELAY}:{catcher.port}", "[voicemail]\naudio = mp3\nafter_mailing = delete\n")
        left = Path(message(host.path(SPOOL), "wav"))
        host.run("chown", "-R", "asterisk:", str(SPOOL / "voicemail"))
        named = str(SPOOL / left.relative_to(host.path(SPOOL)))
        far_end = FarEnd({**RANG_OUT, "VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": named, "CHANNEL(name)": CHANNEL})
        far_end.python = "/usr/bin/env"
        directories = {"AST_CONFIG_DIR": str(INI.parent), "AST_SPOOL_DIR": str(SPOOL)}
        under = [*host.enter, "setpriv", "--reuid=asterisk", "--regid=asterisk", "--init-groups"]
        script = ASTERISK / "agi-bin" / "pbxnotify-voicemail.agi"
        assert far_end.run(["101"], script, directories, under) == 0
        wait_for_released(script)
        assert len(list(host.path(SPOOL / "pbxnotify" / "queue").glob("*.json"))) == 1
        catcher.start()
        host.run("systemctl", "start", "pbxnotify.path")
        host.run("touch", str(INI))
        host.wait(lambda: mails_to(catcher, "ivan@example.com"))
        assert ran(host, "pbxnotify.service") == "success"
        (mail,) = mails_to(catcher, "ivan@example.com")
    (attachment,) = mail.message.iter_attachments()
    assert attachment.get_content_type() == "audio/mpeg"
    assert round(length_of(attachment.get_content(), tmp_path)) == 3
    assert list(left.parent.iterdir()) == []


def test_a_token_is_renewed(host: BootedHost, certificates: Certificates) -> None:
    """Over TLS, whose certificates are verified with what the system trusts."""
    with (
        AuthorizationServer(certificates.server, ca_file=certificates.ca_file) as server,
        Catcher(tls=certificates.server, implicit=True, tokens=server.is_valid, mechanisms=["XOAUTH2"]) as catcher,
    ):
        login = f"host = ssl://localhost:{catcher.port}\nauth = oauth2\nlogin = pbx@office.test\n{server.ini()}"
        save(host, login)
        code = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "interval": 0.1}
        server.answer("/device", Answer(200, code))
        server.answer("/token", Answer(200, {**server.issue(), "expires_in": 1}))
        host.run(PBXNOTIFY, "oauth", "login", "--no-test")
        leave_to_the_unit(host, catcher)
        server.expire_access_tokens()
        asked = len(server.requests)
        assert ran(host, "pbxnotify.service") == "success"
        assert len(mails_to(catcher, "ivan@example.com")) == 1
        assert [request.path for request in server.requests[asked:]] == ["/token"]


CHECK = """\
#!/bin/sh
id -un
asterisk -rx "core show uptime seconds" | grep -o '^System uptime'
cat /proc/1/comm
grep -q . /proc/loadavg && echo load
findmnt --noheadings --output OPTIONS / | cut -d, -f1
test -w "$HOME" && echo home
test -e /tmp/seen && echo tmp
as-root /srv/secret
exit 0
"""


def test_checks_see_the_machine_but_gain_no_rights_unless_allowed_to(host: BootedHost) -> None:
    seen = "/var/lib/asterisk/seen"
    host.write("/srv/check", CHECK.replace("/bin/sh\n", f"/bin/sh\nexec >{seen} 2>&1\n"), 0o755)
    host.write("/srv/secret", "secret\n", 0o600)
    host.run("touch", "/tmp/seen")  # noqa: S108
    host.run("install", "-m", "4755", "/bin/cat", "/usr/local/bin/as-root")
    with Catcher() as catcher:
        save(host, f"host = {RELAY}:{catcher.port}", "[system]\n[[a check]]\ncommand = /srv/check\n")
        assert ran(host, "pbxnotify-monitor.service") == "success"
        as_seen = host.path(seen).read_text()
        assert as_seen == (
            "asterisk\nSystem uptime\nsystemd\nload\nrw\nhome\ntmp\nas-root: /srv/secret: Permission denied\n"
        )
        assert catcher.mails == []  # nothing is wrong, not with Asterisk either
        (drop_in,) = re.findall(r"\n    (\[Service\]\n(?:    .*\n)+)", (ROOT / "docs" / "monitoring.md").read_text())
        folder = "/etc/systemd/system/pbxnotify-monitor.service.d"
        host.write(f"{folder}/override.conf", drop_in.replace("\n    ", "\n"))
        host.run("systemctl", "daemon-reload")
        assert ran(host, "pbxnotify-monitor.service") == "success"
        assert host.path(seen).read_text() == as_seen.replace("as-root: /srv/secret: Permission denied", "secret")
        host.run("rm", "-r", folder)
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "stop", "asterisk.service")
        assert ran(host, "pbxnotify-monitor.service") == "success"
        host.path("/run/booted").unlink()
        host.run("systemctl", "start", "asterisk.service")
        (mail,) = catcher.mails
    assert "Asterisk" in str(mail.message["Subject"])
    host.wait(host.path("/run/booted").exists)


def test_a_unit_that_failed_is_mailed_with_its_journal(host: BootedHost) -> None:
    service = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo so it is; false'\n"
    host.write("/etc/systemd/system/broken@.service", f"[Unit]\nOnFailure=pbxnotify-alert@%n.service\n{service}")
    host.run("systemctl", "daemon-reload")
    with Catcher() as catcher:
        save(host, f"host = {RELAY}:{catcher.port}")
        assert ran(host, "broken@a-b\\x20c.service") == "exit-code"
        (mail,) = catcher.wait(1)
    assert mail.recipients == ("admin@example.com",)
    assert str(mail.message["Subject"]).endswith("broken@a-b\\x20c.service: failed")
    assert ": so it is\n" in text_of(mail.message)
    host.wait(lambda: not list(host.path("/run").glob("pbxnotify-*")))


@contextmanager
def syslog_daemon(host: BootedHost) -> Iterator[list[str]]:
    """Take what journald forwards to a syslog daemon, if there is one; yields the lines."""
    host.write("/etc/systemd/journald.conf.d/forward.conf", "[Journal]\nForwardToSyslog=yes\n")
    host.run("systemctl", "restart", "systemd-journald.service")
    lines: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(host.path("/run/systemd/journal/syslog")))

        def take() -> None:
            while not lines or not lines[-1].endswith("that is all"):
                lines.append(sock.recv(65536).decode())

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield lines
        host.run("logger", "that is all")
        thread.join()
    host.path("/run/systemd/journal/syslog").unlink()


def test_the_log_has_each_state_and_nothing_of_systemd(host: BootedHost) -> None:
    """In the journal, and in a syslog daemon's files as well: LogLevelMax= silences systemd, not us."""
    address = "ivan@example.com"
    with Catcher() as catcher, syslog_daemon(host) as forwarded:
        save(host, f"host = {RELAY}:{catcher.port}")
        assert ran(host, "pbxnotify.service") == "success"
        host.run("journalctl", "--rotate")
        host.run("journalctl", "--vacuum-time=1us")
        leave_to_the_unit(host, catcher)
        catcher.stop()
        assert ran(host, "pbxnotify.service") == "success"
        catcher.start()
        host.run("touch", str(INI))
        catcher.answers[address] = "550 5.1.1 no such user"
        assert ran(host, "pbxnotify.service") == "success"
        catcher.answers.clear()
        host.run(PBXNOTIFY, "queue", "retry", "--all")
        for unit in ("pbxnotify.service", "pbxnotify-monitor.service", "pbxnotify.service"):
            assert ran(host, unit) == "success"
        assert len(mails_to(catcher, address)) == 1
        said = host.journal("--output=cat", "--quiet", "_COMM=pbxnotify", "+", "_PID=1").splitlines()
    states = ["queued", "deferred", "deferred", "failed", "queued", "sent"]
    assert [line.split()[0] for line in said if "event=missed" in line] == states
    assert [line.split("pbxnotify: ")[1].split()[0] for line in forwarded if "event=missed" in line] == states
    assert [line for line in (*said, *forwarded) if "pbxnotify.service" in line or "monitor.service" in line] == []


def test_a_run_that_fails_is_in_the_journal(host: BootedHost) -> None:
    host.write("/etc/systemd/system/pbxnotify.service.d/broken.conf", "[Service]\nExecStart=\nExecStart=/bin/false\n")
    host.run("systemctl", "daemon-reload")
    host.run("journalctl", "--rotate")
    host.run("journalctl", "--vacuum-time=1us")
    assert ran(host, "pbxnotify.service") == "exit-code"
    said = host.journal("--output=cat", "--quiet", "_PID=1")
    host.run("rm", "-r", "/etc/systemd/system/pbxnotify.service.d")
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "reset-failed", "pbxnotify.service")
    assert "pbxnotify.service: Failed with result 'exit-code'" in said


def test_the_ini_file_is_watched_however_often_it_is_saved(host: BootedHost) -> None:
    with Catcher() as catcher:
        save(host, f"host = {RELAY}:{catcher.port}")
        assert ran(host, "pbxnotify.service") == "success"
        host.run("systemctl", "start", "pbxnotify.path")
        for number in range(8):
            save(host, f"host = {RELAY}:{catcher.port}\nhelo = pbx{number}.example.com")
            catcher.wait(number + 1)  # a test mail for each change
            # What is saved in the moment in which a run ends waits for the timer, which does not run here.
            host.wait(lambda: state_of(host, "pbxnotify.service") == "inactive")
        assert state_of(host, "pbxnotify.path") == "active"


def test_queue_and_monitor_run_as_soon_as_they_are_enabled(host: BootedHost) -> None:
    """What README says next, `pbxnotify check`, would complain of a minute, or of five, without a run."""
    save(host, "host = 127.0.0.1:9")
    ran_by = {"last-run": "pbxnotify.timer", "last-monitor": "pbxnotify-monitor.timer"}
    states = SPOOL / "pbxnotify" / "state"
    said = host.run(PBXNOTIFY, "check", check=False).stdout
    assert [timer for timer in ran_by.values() if f"enable --now {timer}" not in said] == []
    host.run("systemctl", "enable", "--now", *ran_by.values())
    for name in ran_by:
        host.wait(host.path(states / name).exists, 30)  # not for the next minute
    said = host.run(PBXNOTIFY, "check", check=False).stdout
    host.run("systemctl", "disable", "--now", *ran_by.values())
    assert "enable --now" not in said


def test_where_asterisk_runs_as_root(host: BootedHost) -> None:
    """With a spool of Asterisk's that belongs to another, as packages make it."""
    host.run("chown", "-R", "root:", str(SPOOL))
    install(host, "ASTUSER=root")  # the directory above is asterisk's, who could put another spool there
    host.run("chown", "asterisk:", str(SPOOL))
    host.run("chmod", "750", str(SPOOL))
    with Catcher() as catcher:
        save(host, f"host = {RELAY}:{catcher.port}")
        leave_to_the_unit(host, catcher)
        for service in SERVICES:
            assert ran(host, service.replace("@", "@asterisk.service")) == "success"
        assert host.run("systemctl", "show", "--property=User", "--value", SERVICES[0]).stdout == "root\n"
        recipients = sorted(mail.recipients for mail in catcher.mails)
    assert recipients == [("admin@example.com",), ("ivan@example.com",)]


class Held(threading.Event):
    """Lets the relay keep its answer back from its first mail on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


def test_uninstalled_while_the_queue_is_run(host: BootedHost) -> None:
    """Nothing of ours runs any more, nothing has failed, and what the admin's own units still want of us is named."""
    drop_in = "/etc/systemd/system/asterisk.service.d/mail.conf"
    host.write(drop_in, "[Unit]\nOnFailure=pbxnotify-alert@%n.service\n")
    units = ("pbxnotify.timer", "pbxnotify.path", "pbxnotify-monitor.timer")
    host.run("systemctl", "enable", *units)
    with Catcher() as catcher:
        save(host, f"host = {RELAY}:{catcher.port}")
        leave_to_the_unit(host, catcher)
        held = Held()
        catcher.hold_answers(held)
        host.run("systemctl", "start", *units)
        assert held.reached.wait(60)
        said = install(host, target="uninstall")
        held.set()
    assert len(list(host.path(SPOOL / "pbxnotify" / "queue").glob("*.json"))) == 1
    assert f"    {drop_in}\n" in said
    assert {state_of(host, unit) for unit in units} == {"inactive"}
    assert host.run("systemctl", "list-units", "--plain", "--no-legend", "pbxnotify*").stdout == ""
    assert host.run("find", "/etc/systemd", "/usr", "-name", "pbxnotify*.[tsp]*").stdout == ""
    host.run("systemctl", "kill", "--signal=KILL", "asterisk.service")
    host.wait(lambda: state_of(host, "asterisk.service") == "failed")
    host.run("systemctl", "start", "asterisk.service")
