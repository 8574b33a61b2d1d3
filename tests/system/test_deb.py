"""The Debian package: built, judged by lintian, and installed where systemd is process 1 and nothing is the host's.

That is a copy of this host, or with PBXNOTIFY_DEBIAN="bookworm trixie sid" (`make test-debian`) a minimal one of each
of these releases, with its own Python, dpkg and systemd.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import wheels
from booted import BootedHost
from checkout import ROOT
from debian_image import debian_image
from far_end import RANG_OUT, FarEnd, wait_for_released
from mailboxes import require
from relay import Catcher

from pbxnotify import __version__

RELEASES = os.environ.get("PBXNOTIFY_DEBIAN", "host").split()
takes_long = pytest.mark.skipif(RELEASES == ["host"], reason="takes long: make test-debian")
SPOOL = "/var/spool/asterisk/pbxnotify"
INI = "/etc/asterisk/pbxnotify.ini"
LIB = "/usr/share/pbxnotify"
AGI = "/var/lib/asterisk/agi-bin"
SCRIPTS = ("pbxnotify-missed.agi", "pbxnotify-voicemail.agi")
RUNS = ("pbxnotify.timer", "pbxnotify.path", "pbxnotify-monitor.timer")
ASTERISK = """\
Package: asterisk22
Version: 22.0
Architecture: all
Maintainer: nobody <nobody@example.com>
Depends: passwd
Description: as the package of FreePBX 17, but without an Asterisk
"""
MAKE_USER = """\
#!/bin/sh
set -e
getent passwd asterisk >/dev/null || useradd --system --user-group --home-dir /var/lib/asterisk asterisk
chown -R asterisk: /var/spool/asterisk /var/lib/asterisk /etc/asterisk
"""
ASTERISK_CONF = f"[directories]\nastagidir => {AGI}\nastspooldir => /var/spool/asterisk\n"
ONE_EMPLOYEE = """\
[smtp]
host = 127.0.0.1:{port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
[employees]
[[101]]
name = Ivan Petrov
email = ivan@example.com
"""


def ran(*command: str | Path) -> str:
    """Run a command of the host; returns what it says."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


# ---- the packages ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of the package, built as `make deb` does it, in a checkout of its own."""
    for tool in ("dh", "dh_python3", "dpkg-buildpackage"):
        require(tool)
    checkout = tmp_path_factory.mktemp("checkout")
    for name in (
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "README.ru.md",
        "agi-bin",
        "debian",
        "docs",
        "etc",
        "pbxnotify",
    ):
        (checkout / name).symlink_to(ROOT / name)
    ran("env", "-C", checkout, f"PIP={Path(sys.prefix) / 'bin/pip'}", ROOT / "etc/deb")
    return checkout / "build"


@pytest.fixture(scope="session")
def deb(built: Path) -> Path:
    """Return the package."""
    (package,) = built.glob("*.deb")
    return package


@pytest.fixture(scope="session")
def next_deb(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package of a next version, with a module renamed on the way of each call."""
    tree = tmp_path_factory.mktemp("next") / "tree"
    ran("dpkg-deb", "-R", deb, tree)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub("(?m)^Version: .*", "Version: 99", control.read_text()))
    package = tree / LIB[1:] / "package/pbxnotify"
    (package / "__init__.py").write_text('"""The next version."""\n\n__version__ = "99"\n')
    (package / "delivery/submit.py").rename(package / "delivery/submitted.py")
    for script in SCRIPTS:
        path = package.parent / script
        path.write_text(path.read_text().replace("import submit ", "import submitted as submit "))
    return archive(tree, "next.deb")


@pytest.fixture(scope="session")
def asterisk_deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package that is installed as that of an Asterisk is."""
    tree = tmp_path_factory.mktemp("asterisk") / "tree"
    files = {
        "DEBIAN/control": ASTERISK,
        "DEBIAN/postinst": MAKE_USER,
        "usr/sbin/asterisk": "#!/bin/sh\necho System uptime: $(($(date +%s) - 1700000000))\n",
        "etc/asterisk/asterisk.conf": ASTERISK_CONF,
    }
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
        (tree / name).chmod(0o755 if text.startswith("#!") else 0o644)
    for name in (SPOOL[1:-10], AGI[1:]):
        (tree / name).mkdir(parents=True)
    return archive(tree, "asterisk.deb")


def archive(tree: Path, name: str) -> Path:
    """Make a package of a directory."""
    ran("dpkg-deb", "--root-owner-group", "-b", tree, tree.parent / name)
    return tree.parent / name


def test_lintian_has_nothing_to_say(built: Path) -> None:
    (changes,) = built.glob("*.changes")
    command = [require("lintian"), "--fail-on", "error,warning", str(changes)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_package_has_the_version_of_the_program_and_advises_as_a_package(deb: Path, tmp_path: Path) -> None:
    assert ran("dpkg-deb", "-f", deb, "Version").strip() == __version__
    ran("dpkg-deb", "-x", deb, tmp_path)
    package = tmp_path / LIB[1:] / "package"
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pbxnotify").rglob("*.py")}
    assert modules <= {str(path.relative_to(package)) for path in package.rglob("*.py")}
    advice = [path for path in package.rglob("*.py") if re.search("(run|with|in)  make install", path.read_text())]
    assert advice == []


@pytest.fixture(autouse=True)
def no_box(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation finds its settings and its queue itself."""
    for name in ("PBXNOTIFY_SPOOL", "PBXNOTIFY_CONFIG", "PBXNOTIFY_LOG"):
        monkeypatch.delenv(name)


# ---- machines --------------------------------------------------------------------------------------------------------


class Machine:
    """A booted system without pbxnotify."""

    def __init__(self, host: BootedHost) -> None:
        self.host = host
        self._has_dependencies = False
        host.run("userdel", "asterisk", check=False)
        host.run("rm", "-rf", "/etc/resolv.conf", "/etc/asterisk", "/var/spool/asterisk", "/var/lib/asterisk")
        host.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text())
        # Of a container, where nothing is to be started; of a desktop, which wants to know of each package; of man-db,
        # which reads all manual pages again.
        unwanted = ("/usr/sbin/policy-rc.d", "/etc/apt/apt.conf.d/20packagekit", "/var/lib/man-db/auto-update")
        host.run("rm", "-f", *unwanted)

    def sh(self, command: str, check: bool = True) -> str:
        """Run a command of a shell; returns what it says."""
        done = self.host.run(
            "sh", "-c", f"{command} 2>&1", check=check, environment={"DEBIAN_FRONTEND": "noninteractive"}
        )
        return done.stdout

    def install(self, *debs: Path, check: bool = True, umask: str = "022") -> str:
        """Install packages in one command: as an admin does, and again as apt does where nothing is missing."""
        for deb in debs:
            self.host.run("mkdir", "-p", "/srv")
            shutil.copy(deb, self.host.path(f"/srv/{deb.name}"))
        names = " ".join(f"/srv/{deb.name}" for deb in debs)
        if self._has_dependencies and "asterisk" not in names:
            return self.sh(f"umask {umask}; dpkg -i {names}", check=check)
        command = f"umask {umask}; apt-get install -qq -y --no-install-recommends {names}"
        said = self.sh(f"{command} || {{ apt-get -qq update && {command}; }}" if check else command, check=check)
        self._has_dependencies = "python3-configobj installed" in self.sh(
            "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'"
        )
        return said

    def remove(self, how: str = "--remove") -> str:
        """Remove the package, or --purge it, as apt does."""
        return self.sh(f"dpkg {how} pbxnotify")

    def set_up(self, port: int) -> None:
        """Write the settings."""
        self.host.path(INI).write_text(ONE_EMPLOYEE.format(port=port))

    def call(self, number: str) -> FarEnd:
        """Let the script tell of a missed call, as Asterisk does."""
        far_end = FarEnd({**RANG_OUT, "CHANNEL(linkedid)": number, "CALLERID(num)": number})
        far_end.python = "/usr/bin/env"
        under = [*self.host.enter, "setpriv", "--reuid=asterisk", "--regid=asterisk", "--init-groups"]
        far_end.run(["101"], Path(AGI, SCRIPTS[0]), under=under)
        return far_end

    def queue(self) -> list[Path]:
        """Return the missed calls that wait; with them a test mail, perhaps, as the settings are new."""
        return sorted(self.host.path(f"{SPOOL}/queue").glob("[0-9]*.json"))

    def is_active(self) -> dict[str, str]:
        """Return the state of what starts the services."""
        states = self.sh(f"systemctl is-active {' '.join(RUNS)}", check=False).split()
        return dict(zip(RUNS, states))

    def failed(self) -> str:
        """Return the units that have failed."""
        return self.sh("systemctl list-units --failed --plain --no-legend 'pbxnotify*'")

    def left(self) -> list[str]:
        """Return what is named as we are."""
        command = "find /etc /usr /var /run -xdev -name '*pbxnotify*' -not -path '/usr/share/doc/*'"
        ours = "-not -path '/var/cache/*' -not -path '/var/lib/apt/*' -not -path '/run/credentials/*'"
        return self.sh(f"{command} {ours}").split()


@pytest.fixture(params=RELEASES)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """Return a booted system of a release."""
    image = Path("/") if request.param == "host" else debian_image(request.param)
    with BootedHost(tmp_path, image=image) as host:
        yield Machine(host)


@takes_long
def test_asterisk_comes_later(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """Until it does, nothing runs and nothing complains; then the package goes on by itself."""
    said = machine.install(deb)
    assert "pbxnotify setup" in said
    assert set(machine.is_active().values()) == {"inactive"}
    assert machine.failed() == ""
    assert machine.sh(f"stat -c '%U:%G %a' {INI}") == "root:root 640\n"
    machine.install(asterisk_deb)
    require_ready(machine)


def test_asterisk_comes_with_it(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """Whose user is made after our postinst has run, perhaps; root's umask, and modules of the host, do no harm."""
    machine.host.write("/usr/local/lib/python3/dist-packages/pbxnotify.py", "raise SystemExit('not ours')\n")
    machine.sh(
        "for dir in /usr/local/lib/python3.*; do ln -sfn ../python3/dist-packages $dir/dist-packages; done", False
    )
    machine.install(deb, asterisk_deb, umask="077")
    require_ready(machine)
    assert "nobody is notified" in machine.sh("pbxnotify check", check=False)
    for _ in range(2):
        machine.sh("systemctl start pbxnotify.service pbxnotify-monitor.service")
    assert machine.failed() == ""
    assert machine.sh("journalctl -q -t pbxnotify --no-pager -o cat") == "", "units are quiet before setup"
    assert machine.call("55").status == "QUEUED"
    wait_for_released(Path(SCRIPTS[0]))
    # No bytecode is missing: everything that a call imports was compiled, by this Python.
    command = "import pbxnotify.cli, pbxnotify.delivery.attempt, asterisk.agi, configobj.validate as last"
    path = f"import sys; sys.path[:0] = ['{LIB}/current']; sys.path.append('/usr/lib/python3/dist-packages')"
    loading = machine.sh(f'cd /; realpath {LIB}/current; /usr/bin/python3 -ESvc "{path}; {command}"')
    assert f"matches {LIB}/current/pbxnotify/cli.py" in loading
    assert not re.findall(rf"code object from '?{LIB}/\S*\.py'?\n", loading)


def require_ready(machine: Machine) -> None:
    """Assert that Asterisk's user is known, its directories are found, and the queue is run."""
    assert machine.sh(f"cat {LIB}/current/asterisk-user") == "asterisk\n"
    assert machine.sh(f"stat -c '%G %a' {INI}") == "asterisk 640\n"
    for script in SCRIPTS:
        assert machine.sh(f"readlink {AGI}/{script}") == f"{LIB}/current/{script}\n"
    assert not machine.host.path(f"/usr/share/asterisk/agi-bin/{SCRIPTS[0]}").is_symlink()
    assert set(machine.is_active().values()) == {"active"}
    assert machine.failed() == ""


def test_upgrades_in_the_middle_of_calls(
    machine: Machine, deb: Path, next_deb: Path, asterisk_deb: Path, report: Callable[[str], None]
) -> None:
    """Each call finds one version or the other, whole, and its mail arrives when the relay does."""
    machine.install(deb, asterisk_deb)
    with Catcher() as catcher:
        catcher.stop()
        machine.set_up(catcher.port)
        machine.host.run("systemctl", "stop", *RUNS)
        calls: dict[str, FarEnd] = {}
        over = threading.Event()

        def call_again_and_again(name: str) -> None:
            while not over.is_set():
                number = f"{name}{len(calls)}"
                calls[number] = machine.call(number)

        callers = [threading.Thread(target=call_again_and_again, args=(name,)) for name in ("55", "66")]
        for caller in callers:
            caller.start()
        try:
            for package in (next_deb, deb):
                machine.install(package)
        finally:
            over.set()
            for caller in callers:
                caller.join()
        wait_for_released(Path(SCRIPTS[0]))
        assert {far_end.status for far_end in calls.values()} == {"QUEUED"}, [
            (far_end.stderr, far_end.verbose) for far_end in calls.values() if far_end.status != "QUEUED"
        ]
        assert len(machine.queue()) == len(calls)
        catcher.start()
        machine.sh("pbxnotify queue run --all")
        mails = [mail for mail in catcher.mails if mail.recipients == ("ivan@example.com",)]
    assert len(mails) == len(calls) > 10
    assert machine.queue() == []
    report(f"{len(calls)} calls came in while dpkg upgraded and went back; none was lost, none told twice")


def test_removed_and_installed_again(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """Settings and queue stay; what is purged while mails wait, too, but for the settings; then nothing is left."""
    machine.install(deb, asterisk_deb)
    machine.set_up(1)
    dialplan = machine.host.path("/etc/asterisk/extensions.conf")
    dialplan.write_text('#include "extensions_pbxnotify.conf"\n[a]\nexten => 1,1,Gosub(pbxnotify,watch,1(101))\n')
    assert machine.call("55").status == "QUEUED"
    wait_for_released(Path(SCRIPTS[0]))
    settings = machine.host.path(INI).read_text()
    said = machine.remove()
    assert "/etc/asterisk/extensions.conf:1\n" in said
    assert not machine.host.path(LIB).exists()
    assert not machine.host.path(f"{AGI}/{SCRIPTS[0]}").is_symlink()
    assert (machine.host.path(INI).read_text(), len(machine.queue())) == (settings, 1)
    assert "exten => watch" in machine.sh("cat /etc/asterisk/extensions_pbxnotify.conf")
    machine.install(deb)
    require_ready(machine)
    assert (machine.host.path(INI).read_text(), len(machine.queue())) == (settings, 1)
    said = machine.remove("--purge")
    assert re.search(r": [1-9] mail", said)
    assert "/etc/asterisk/extensions.conf:1\n" in said
    assert len(machine.queue()) == 1
    assert not machine.host.path(INI).exists()
    assert "exten => watch,1,Return" in machine.sh("cat /etc/asterisk/extensions_pbxnotify.conf")
    dialplan.write_text("[a]\n")
    machine.install(deb)
    assert "hangup_handler" in machine.sh("cat /etc/asterisk/extensions_pbxnotify.conf"), "no longer the stub"
    with Catcher() as catcher:
        machine.set_up(catcher.port)
        machine.sh("pbxnotify queue run --all", check=False)  # or a timer's run is at work
        machine.host.wait(lambda: ("ivan@example.com",) in [mail.recipients for mail in catcher.mails])
    machine.remove("--purge")
    assert machine.left() == []
    assert machine.failed() == ""


def test_make_install_and_the_package_take_turns(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """One of both at a time; the settings and the queue stay."""
    if not shutil.which("make", path=str(machine.host.path("/usr/bin"))):
        machine.sh("apt-get install -qq -y --no-install-recommends make python3-venv")
    machine.install(asterisk_deb)
    offline = " ".join(f"{name}={value}" for name, value in wheels.OFFLINE.items())
    make = f"{offline} make -s -C {ROOT} VENV=/srv/venv PYTHON=/usr/bin/python3 SCHEDULER=systemd"
    machine.sh(f"{make} install")
    machine.set_up(1)
    machine.host.write("/etc/asterisk/extensions.conf", '#tryinclude "extensions_pbxnotify.conf"\n')
    assert machine.call("55").status == "QUEUED"
    wait_for_released(Path(SCRIPTS[0]))
    settings = machine.host.path(INI).read_text()
    said = machine.install(deb, check=False)
    assert "make uninstall" in said
    assert machine.call("56").status == "QUEUED", "what was there goes on"
    machine.sh(f"{make} uninstall")
    machine.install(deb)
    require_ready(machine)
    assert "hangup_handler" in machine.sh("cat /etc/asterisk/extensions_pbxnotify.conf"), "no longer the stub"
    assert machine.call("57").status == "QUEUED"
    wait_for_released(Path(SCRIPTS[0]))
    assert (machine.host.path(INI).read_text(), len(machine.queue())) == (settings, 3)
    said = machine.sh(f"{make} install", check=False)
    assert "apt remove pbxnotify" in said
    assert not machine.host.path("/usr/local/lib/pbxnotify").exists()
    machine.remove()
    machine.sh(f"{make} install")
    assert (machine.host.path(INI).read_text(), len(machine.queue())) == (settings, 3)
    assert machine.call("58").status == "QUEUED"
    wait_for_released(Path(SCRIPTS[0]))


@takes_long
def test_a_full_disk_and_an_interrupted_upgrade(
    machine: Machine, deb: Path, next_deb: Path, asterisk_deb: Path
) -> None:
    """The version that was there goes on, and dpkg says why; the next attempt succeeds."""
    machine.install(deb, asterisk_deb)
    before = machine.sh(f"readlink {LIB}/current")
    machine.set_up(1)
    versions = f"{LIB}/versions"
    machine.sh(f"cp -a {versions} /srv && mount -t tmpfs -o size=50m tmpfs {versions}")
    machine.sh(f"cp -a /srv/versions/. {versions}")
    machine.sh(f"cat /dev/zero >{versions}/full", check=False)
    said = machine.install(next_deb, check=False)
    assert "No space left on device" in said
    assert machine.sh(f"readlink {LIB}/current") == before
    assert machine.call("55").status == "QUEUED"
    machine.sh(f"umount {versions}")
    machine.sh("dpkg --configure -a")
    assert machine.sh("pbxnotify --version") == "pbxnotify 99\n"
    machine.sh(f"dpkg --unpack --force-downgrade /srv/{deb.name}")
    assert machine.sh("pbxnotify --version") == "pbxnotify 99\n", "unpacked, but not configured"
    assert machine.call("56").status == "QUEUED"
    machine.sh("dpkg --configure -a")
    assert machine.sh("pbxnotify --version") == f"pbxnotify {__version__}\n"
    wait_for_released(Path(SCRIPTS[0]))


@takes_long
def test_another_default_python(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """Python's package runs the hook of each package whose modules it compiles; calls go on with what is there."""
    machine.install(deb, asterisk_deb)
    before = machine.sh(f"readlink {LIB}/current")
    machine.sh("/usr/share/python3/runtime.d/pbxnotify.rtupdate rtupdate python3.1 python3.2")
    assert machine.sh(f"readlink {LIB}/current") == before
    assert machine.sh(f"find {LIB}/package -name '*.pyc' | wc -l") != "0\n"


@takes_long
def test_asterisk_runs_as_another_user(machine: Machine, deb: Path, asterisk_deb: Path) -> None:
    """The owner of its spool, or who the admin says, also after the next upgrade; the units know."""
    machine.install(asterisk_deb)
    machine.sh("useradd --system --user-group pbx && chown -R pbx: /var/spool/asterisk /etc/asterisk")
    machine.install(deb)
    assert machine.sh(f"cat {LIB}/current/asterisk-user") == "pbx\n"
    assert machine.sh("systemctl show --property=User --value pbxnotify.service") == "pbx\n"
    machine.sh("systemctl start pbxnotify.service")
    assert machine.sh(f"stat -c %U {SPOOL}") == "pbx\n"
    machine.sh("ASTUSER=daemon dpkg-reconfigure pbxnotify")
    assert machine.sh(f"cat {LIB}/current/asterisk-user") == "daemon\n"
    machine.remove()
    assert machine.sh("find /etc/systemd/system -name 'pbxnotify*.service.d'") == ""
    machine.install(deb)
    assert machine.sh("systemctl show --property=User --value pbxnotify.service") == "pbx\n"


@takes_long
def test_what_debian_tests(machine: Machine, deb: Path) -> None:
    """debian/tests, as autopkgtest runs it, without a tool that brings half of a desktop."""
    machine.install(deb)
    machine.sh("apt-get install -qq -y --no-install-recommends python3-aiosmtpd passwd procps")
    machine.host.write("/srv/relay-down", (ROOT / "debian/tests/relay-down").read_text(), 0o755)
    assert "its mail is there" in machine.sh("/srv/relay-down")
