"""`make install`, `make uninstall`, and `pip install`: what is where afterwards, and that it works.

Nothing of the host's is touched: one installation is below a DESTDIR, as a package is made; one is in directories of
its own, for an Asterisk whose user is another than the admin's, where there is root.
"""

from __future__ import annotations

import dataclasses
import hashlib
import marshal
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import login_office
import pytest
import wheels
from authorization_server import Answer
from calls import ONE_EMPLOYEE
from checkout import ROOT
from far_end import FarEnd, wait_for_released
from golden import Golden
from login_office import LoginOffice
from mailboxes import require
from relay import Catcher, Certificates

from pbxnotify import __version__

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
"""Which another user may run too."""
ROOT_USER = os.geteuid() == 0
ASTERISK = pwd.getpwnam("daemon").pw_uid if ROOT_USER else os.geteuid()  # who has a name, as units need it
try:
    USER = pwd.getpwuid(ASTERISK).pw_name
except KeyError:
    USER = str(ASTERISK)
"""As the installer names that user in the units and the cron file."""
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PBXNOTIFY_", "AST_", "MAKE", "MFLAGS", "DESTDIR", "PREFIX"))
}
ASTERISK_CONF = """\
[directories](!)
astagidir => /a/template
[directories]
astagidir => /srv/agi-bin ; here
astspooldir = /srv/spool
"""
SCRIPTS = ("pbxnotify-missed.agi", "pbxnotify-voicemail.agi")
UNITS = (
    *("pbxnotify.service", "pbxnotify.timer", "pbxnotify.path"),
    *("pbxnotify-monitor.service", "pbxnotify-monitor.timer", "pbxnotify-alert@.service"),
)


def make(target: str, *variables: str, checkout: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make as an admin does."""
    command = ["make", "-s", "-C", str(checkout), target, f"PYTHON={PYTHON}", f"VENV={sys.prefix}", *variables]
    return ran(command, {**ENVIRONMENT, **wheels.QUICK, **environment})


def ran(
    command: Sequence[str | Path], environment: Mapping[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def listing(directory: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be said of what is in a directory."""
    return {
        str(path.relative_to(directory)): (
            *(status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns),
            os.readlink(path)
            if path.is_symlink()
            else path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(directory.rglob("*"))
        for status in [path.lstat()]
    }


def content(path: Path) -> str:
    """Return what a link or a file holds."""
    if path.is_symlink():
        return os.readlink(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def files(directory: Path) -> set[str]:
    """Return the files and links in a directory."""
    return {name for name in listing(directory) if (directory / name).is_symlink() or (directory / name).is_file()}


def outside_package(directory: Path) -> set[str]:
    """Return the files and links in a directory, except those of the versions of the package."""
    return {name for name in files(directory) if not re.search(r"lib/pbxnotify/[0-9a-f]{12}/", name)}


def shipped(pattern: str) -> set[str]:
    """Return the files of the checkout with such names."""
    return {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)}


PAGES = {"README.md", "README.ru.md", "CHANGELOG.md", "LICENSE"}
DOCS = PAGES | shipped("docs/*.md") | shipped("docs/ru/*.md") | shipped("etc/*.png") | shipped("etc/*.svg")
"""What is read, in the places where the links in it look for it."""
MANUAL_PAGES = shipped("etc/*.[15]")


class Installation:
    """An installation in directories of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.etc = directory / "etc"
        self.spool = directory / "spool"
        self.command = directory / "usr" / "bin" / "pbxnotify"
        self.current = directory / "usr" / "lib" / "pbxnotify" / "current"
        self.variables = [
            *(f"PREFIX={directory / 'usr'}", f"ASTETCDIR={self.etc}", f"ASTAGIDIR={directory / 'agi'}"),
            *(f"ASTSPOOLDIR={self.spool}", f"UNITDIR={directory / 'units'}", f"CRONDIR={directory / 'cron'}"),
        ]

    def make(self, target: str, *variables: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run make for it."""
        return make(target, *self.variables, *variables, **options)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command as the admin does, who names no directory."""
        return ran([self.command, *arguments])

    def call(self, script: str = SCRIPTS[0], number: str = "1.1", answer: Callable[[], None] = lambda: None) -> FarEnd:
        """Let a script tell of a missed call, as Asterisk's user and by its first line."""
        far_end = FarEnd({**FarEnd().variables, "CHANNEL(linkedid)": number})
        far_end.python = "/usr/bin/env"
        as_asterisk = ["setpriv", f"--reuid={ASTERISK}", f"--regid={ASTERISK}", "--clear-groups"] if ROOT_USER else []
        answers = far_end.answer

        def answered(command: str) -> bytes | None:
            if len(far_end.commands) == 1:
                answer()
            return answers(command)

        far_end.answer = answered
        environment = {"AST_CONFIG_DIR": str(self.etc), "AST_SPOOL_DIR": str(self.spool)}
        assert far_end.run(["101"], self.directory / "agi" / script, environment, as_asterisk) == 0
        wait_for_released(Path(script))
        return far_end


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the DESTDIR of an installation that asterisk.conf leads, below a path with a blank in it."""
    directory = tmp_path_factory.mktemp("a package")
    (directory / "etc" / "asterisk").mkdir(parents=True)
    (directory / "etc" / "asterisk" / "asterisk.conf").write_text(ASTERISK_CONF)
    done = make("install", f"DESTDIR={os.path.relpath(directory, ROOT)}", "SCHEDULER=systemd")
    assert done.returncode == 0, done.stderr
    (directory / "said").write_text(done.stdout)
    return directory


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """Return an installation that another user than the admin may reach."""
    with tempfile.TemporaryDirectory(prefix="pbxnotify-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        installation = Installation(directory)
        installation.spool.mkdir()
        os.chown(installation.spool, ASTERISK, ASTERISK if ROOT_USER else -1)
        done = installation.make("install", "SCHEDULER=cron")
        assert done.returncode == 0, done.stderr
        yield installation


@pytest.fixture(autouse=True)
def no_box(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation finds its settings and its queue itself."""
    monkeypatch.delenv("PBXNOTIFY_SPOOL")
    monkeypatch.delenv("PBXNOTIFY_CONFIG")


@pytest.fixture
def office(installed: Installation, catcher: Catcher) -> Installation:
    """Return the installation, with a relay in its ini file and nothing in its queue."""
    (installed.etc / "pbxnotify.ini").write_text(ONE_EMPLOYEE.format(port=catcher.port))
    for path in (installed.spool / "pbxnotify").rglob("*"):
        if path.is_file():
            path.unlink()
    return installed


# ---- where things are ------------------------------------------------------------------------------------------------


def test_where_things_are(package: Path) -> None:
    assert outside_package(package) == {
        *("said", "etc/asterisk/asterisk.conf", "etc/asterisk/pbxnotify.ini"),
        *("etc/asterisk/extensions_pbxnotify.conf", "etc/asterisk/extensions_pbxnotify_freepbx.conf"),
        "usr/local/bin/pbxnotify",
        *(f"usr/local/share/man/man{Path(page).suffix[1:]}/{Path(page).name}" for page in MANUAL_PAGES),
        *(f"usr/local/share/doc/pbxnotify/{page}" for page in DOCS),
        *(f"usr/local/lib/systemd/system/{unit}" for unit in UNITS),
        *(f"srv/agi-bin/{script}" for script in SCRIPTS),
        "usr/local/lib/pbxnotify/current",
    }
    for script in SCRIPTS:
        target = os.readlink(package / "srv" / "agi-bin" / script)
        assert target == f"/usr/local/lib/pbxnotify/current/{script}"
        assert Path(f"{package}{target}").read_text().startswith(f"#!{PYTHON} -ES\n")
        assert os.access(f"{package}{target}", os.X_OK)
    assert not (package / "srv" / "spool").exists(), "it is for Asterisk's user to make"
    assert 'ReadWritePaths="-/srv/spool"\n' in (package / "usr/local/lib/systemd/system/pbxnotify.service").read_text()


def test_nothing_names_the_place_where_it_was_made(package: Path) -> None:
    for name in files(package):
        path = package / name
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        assert package.name.encode() not in content, name
        assert not re.search(rb"@(?:[A-Z]+DIR|ASTUSER)@", content), name


def test_dependencies_come_with_their_licences_and_without_what_pip_notes(package: Path) -> None:
    notes = {Path(name).name for name in files(package) if ".dist-info/" in name}
    assert notes == {"METADATA", "LICENSE"}
    for dependency in ("asterisk/agi.py", "configobj/__init__.py", "six.py"):
        assert (package / "usr/local/lib/pbxnotify/current" / dependency).is_file()


def test_every_module_is_in_the_package(package: Path) -> None:
    installed = files(package / "usr/local/lib/pbxnotify/current/pbxnotify")
    assert {name for name in files(ROOT / "pbxnotify") if name.endswith(".py")} <= installed


@pytest.mark.parametrize("page", sorted(page for page in DOCS if page.endswith(".md")))
def test_links_in_what_is_read_lead_to_what_is_there(package: Path, page: str) -> None:
    place = package / "usr/local/share/doc/pbxnotify" / page
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", place.read_text(encoding="utf-8"))
    assert [link for link in links if not (place.parent / link).exists()] == []


def test_what_is_next(package: Path, installed: Installation) -> None:
    said = (package / "said").read_text()
    assert [line[:5] for line in said.splitlines() if line.startswith("  ") and line[2].isdigit()] == [
        *("  1. ", "  2. ", "  3. ")
    ]
    assert re.search(r"  1\. (/usr/local/bin/)?pbxnotify setup\n", said)
    assert "  2. systemctl enable --now pbxnotify.timer pbxnotify.path pbxnotify-monitor.timer\n" in said
    assert 'asterisk -rx "dialplan reload"' in said
    again = installed.make("install", "SCHEDULER=cron").stdout
    assert f"  1. {installed.command} setup\n  2. {installed.command} check\n" in again


@pytest.mark.skipif(not ROOT_USER, reason="only root can give files away")
def test_the_user_of_asterisk_reads_the_settings_and_owns_the_queue(installed: Installation) -> None:
    ini, spool = (installed.etc / "pbxnotify.ini").stat(), (installed.spool / "pbxnotify").stat()
    assert (ini.st_uid, ini.st_gid, ini.st_mode & 0o777) == (0, ASTERISK, 0o640)
    assert (spool.st_uid, spool.st_gid, spool.st_mode & 0o777) == (ASTERISK, ASTERISK, 0o700)


def test_an_unknown_scheduler_is_refused(tmp_path: Path, golden: Golden) -> None:
    done = make("install", f"DESTDIR={tmp_path}", "SCHEDULER=runit")
    assert done.returncode
    golden(done.stderr.splitlines()[0])
    assert not list(tmp_path.iterdir())


# ---- twice, and the next version -------------------------------------------------------------------------------------


def test_twice_changes_nothing(package: Path) -> None:
    """Also not an ini file that is the admin's by now."""
    ini = package / "etc" / "asterisk" / "pbxnotify.ini"
    ini.write_text("mine")
    ini.chmod(0o604)
    before = listing(package)
    done = make("install", f"DESTDIR={package}", "SCHEDULER=systemd")
    assert done.returncode == 0, done.stderr
    assert listing(package) == before


def test_where_pip_fails_nothing_is_touched(package: Path) -> None:
    before = listing(package)
    no_index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    done = make("install", f"DESTDIR={package}", "SCHEDULER=systemd", checkout=ROOT, **no_index)
    assert done.returncode
    assert listing(package) == before


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """Return a checkout of a next version, in which nothing can be delivered, and a page of the docs is gone."""
    checkout = tmp_path / "next"
    checkout.mkdir()
    for name in (
        "LICENSE",
        "Makefile",
        "README.md",
        "README.ru.md",
        "CHANGELOG.md",
        "agi-bin",
        "docs",
        "etc",
        "pbxnotify",
        "pyproject.toml",
        "setup.cfg",
    ):
        copy: Callable[[Path, Path], object] = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    version = checkout / "pbxnotify" / "__init__.py"
    version.write_text(re.sub('__version__ = ".*"', '__version__ = "99"', version.read_text()))
    (checkout / "docs" / "freepbx.md").unlink()
    (checkout / "pbxnotify" / "delivery" / "attempt.py").write_text("raise RuntimeError('the next version')\n")
    return checkout


def test_an_upgrade_in_the_middle_of_calls(
    office: Installation, catcher: Catcher, next_version: Path, report: Callable[[str], None]
) -> None:
    """A call that has begun ends with the modules it began with; what starts meanwhile finds one or the other."""
    before = os.readlink(office.current)
    docs = office.directory / "usr" / "share" / "doc" / "pbxnotify"
    seen: list[str] = []
    over = threading.Event()

    def call_again_and_again() -> None:
        while not over.is_set():
            done = office.run("--version")
            seen.append(done.stdout.strip() or done.stderr)

    caller = threading.Thread(target=call_again_and_again)
    caller.start()
    try:
        office.call(answer=lambda: upgrade(office, next_version))
        versions = {path.name for path in office.current.parent.iterdir()}
        after = os.readlink(office.current)
        gone = DOCS - files(docs)
    finally:
        upgrade(office, ROOT)
        over.set()
        caller.join()
    assert [mail.recipients for mail in catcher.mails] == [("ivan@example.com",)]
    assert set(seen) == {f"pbxnotify {__version__}", "pbxnotify 99"}
    assert versions == {"current", before, after}
    assert os.readlink(office.current) == before
    assert (gone, files(docs)) == ({"docs/freepbx.md"}, DOCS)
    report(f"{len(seen)} commands were started meanwhile; each was of one version or the other")


def upgrade(installation: Installation, checkout: Path) -> None:
    """Install another version, or this one again."""
    done = installation.make("install", "SCHEDULER=cron", checkout=checkout)
    assert done.returncode == 0, done.stderr


# ---- it works --------------------------------------------------------------------------------------------------------


def test_bytecode_is_there_and_is_used(office: Installation, catcher: Catcher) -> None:
    """Nothing is compiled at the first call, though it could be: the scripts run as the owner of all there is."""
    version = office.current.resolve()
    tag = ran([PYTHON, "-c", "import sys; print(sys.implementation.cache_tag)"]).stdout.strip()
    before = listing(version)
    for source in version.rglob("*.py"):
        code = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        assert code.is_file(), source
        if source.parent.name == "pbxnotify" and tag == sys.implementation.cache_tag:
            assert marshal.loads(code.read_bytes()[16:]).co_filename == str(source)  # noqa: S302
    modules = "import pbxnotify.cli, pbxnotify.delivery.attempt, asterisk.agi, configobj.validate as last"
    loading = ran([PYTHON, "-ESvc", f"import sys; sys.path.insert(0, {str(version)!r}); {modules}"]).stderr
    assert f"matches {version}/pbxnotify/cli.py" in loading
    assert not re.findall(rf"code object from '?{version}/\S*\.py'?\n", loading)
    assert listing(version) == before


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_run_as_the_user_of_asterisk(office: Installation, catcher: Catcher, script: str) -> None:
    far_end = office.call(script)
    if script == SCRIPTS[0]:
        assert far_end.status == "QUEUED"
        assert catcher.wait(1)[0].recipients == ("ivan@example.com",)
    else:
        assert far_end.status == "SKIPPED"  # there is no message
    assert far_end.stderr == ""


@pytest.mark.parametrize("name", ["asterisk", "text", "log", "errors", "settings"])
def test_a_module_of_that_name_beside_the_scripts(office: Installation, catcher: Catcher, name: str) -> None:
    """Admins keep scripts of their own there, and name them as ours are, or pyst2 is."""
    for directory in (office.directory / "agi", office.directory):
        (directory / f"{name}.py").write_text("raise SystemExit('not ours')\n")
    try:
        far_end = office.call(SCRIPTS[0])
        assert (far_end.status, far_end.stderr) == ("QUEUED", "")
        assert catcher.wait(1)
    finally:
        for directory in (office.directory / "agi", office.directory):
            (directory / f"{name}.py").unlink()


@pytest.fixture
def login(installed: Installation, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return the installation with OAuth 2, and an office that logs in with it, whose authority all users may read."""
    if not (installed.current / "oauthlib").is_dir():
        done = installed.make("install", "EXTRAS=oauth2", "SCHEDULER=cron")
        assert done.returncode == 0, done.stderr
    with login_office.running(installed.etc, certificates) as running:
        office = dataclasses.replace(running, ca_file=shutil.copy(certificates.ca_file, str(installed.etc)))
        os.chmod(office.ca_file, 0o644)
        office.write_ini()
        yield office


def test_a_login_by_the_admin_is_one_of_asterisks_user(installed: Installation, login: LoginOffice) -> None:
    token = installed.spool / "pbxnotify" / "state" / "oauth2.json"
    code = {"device_code": "d", "user_code": "AB", "verification_uri": "https://a", "interval": 0.1}
    login.server.answer("/device", Answer(200, code))
    login.server.answer("/token", Answer(200, {**login.server.issue(), "expires_in": 1}))
    done = installed.run("oauth", "login", "--no-test")
    assert done.returncode == 0, done.stderr
    given = token.read_text()
    assert installed.call(number="8.1").status == "QUEUED"
    assert login.catcher.wait(1)[0].recipients == ("ivan@example.com",)
    status = token.stat()
    assert (status.st_uid, status.st_mode & 0o777, token.read_text() != given) == (ASTERISK, 0o600, True)
    assert installed.run("oauth", "status").returncode == 0


def test_what_the_settings_need_is_there_after_an_uninstall_too(
    installed: Installation, login: LoginOffice, golden: Golden
) -> None:
    token = installed.spool / "pbxnotify" / "state" / "oauth2.json"
    login.server.answer("/device", Answer(200, {"device_code": "d", "user_code": "A", "verification_uri": "https://a"}))
    login.server.answer("/token", Answer(200, login.server.issue()))
    assert installed.run("oauth", "login", "--no-test").returncode == 0
    login.ini.write_text(login.ini.read_text().replace("auth = oauth2", "auth = 'oauth2'"))
    golden(installed.make("uninstall").stdout, directory=installed.directory)
    assert token.exists()
    assert installed.make("install", "SCHEDULER=cron").returncode == 0
    assert (installed.current / "oauthlib").is_dir()


def test_an_unknown_extra_is_refused(installed: Installation, golden: Golden) -> None:
    done = installed.make("install", "EXTRAS=oauth")
    assert done.returncode
    golden(done.stderr.splitlines()[0])


def test_freepbx_is_recognised(installed: Installation, golden: Golden) -> None:
    override = installed.etc / "extensions_override_freepbx.conf"
    override.touch()
    done = installed.make("install", "SCHEDULER=cron")
    override.unlink()
    assert done.returncode == 0, done.stderr
    golden(done.stdout, directory=installed.directory)


def test_an_upgrade_keeps_what_there_was(installed: Installation, login: LoginOffice) -> None:
    assert installed.make("install", "SCHEDULER=cron").returncode == 0
    assert (installed.current / "oauthlib").is_dir()


def test_the_command_finds_settings_and_queue(office: Installation, catcher: Catcher) -> None:
    done = office.run("check")
    assert done.returncode == 0, done.stderr
    assert f"{office.etc}/pbxnotify.ini: no mistakes found" in done.stdout
    assert f"spool            {office.spool}/pbxnotify\n" in done.stdout
    assert f"pbxnotify {__version__}" == office.run("--version").stdout.strip()


def test_the_cron_line_sends_what_waits(office: Installation, catcher: Catcher) -> None:
    catcher.stop()
    office.call(number="2.1")
    catcher.start()
    (office.etc / "pbxnotify.ini").touch()  # which ends the waiting
    line = (office.directory / "cron" / "pbxnotify").read_text().splitlines()[-2]
    *times, user, command = line.split(maxsplit=6)
    assert (times, user) == (["*"] * 5, USER)
    done = ran(["/bin/sh", "-c", command], {"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert catcher.wait(1)[0].recipients == ("ivan@example.com",)


def test_the_command_finds_the_scripts(office: Installation) -> None:
    done = office.run("check")
    assert (done.returncode, "pbxnotify-missed.agi" in done.stdout) == (0, False), done.stdout


def test_what_is_saved_first_is_tested_whatever_the_editor(tmp_path: Path, catcher: Catcher) -> None:
    fresh = Installation(tmp_path)
    fresh.spool.mkdir()
    assert fresh.make("install", "SCHEDULER=none").returncode == 0
    assert "pbxnotify.timer" in fresh.run("check").stdout, "the installer's own run is no timer's"
    ini = fresh.etc / "pbxnotify.ini"
    text = ini.read_text(encoding="utf-8")
    for before, after in (
        ("host = localhost", f"host = 127.0.0.1:{catcher.port}"),
        ("admin_email =", "admin_email = a@x"),
    ):
        text = text.replace(f"\n{before}\n", f"\n{after}\n")
    ini.write_text(text, encoding="utf-8")
    for _ in range(2):
        assert fresh.run("queue", "run").returncode == 0
    (mail,) = catcher.wait(1)
    assert mail.recipients == ("a@x",)


def test_what_is_shipped_is_in_the_package(installed: Installation) -> None:
    shipped = f"import sys; sys.path[0] = {str(installed.current.resolve())!r}; "
    shipped += "from pbxnotify.settings.rewrite import shipped_file; "
    for name in ("pbxnotify.ini", "extensions_pbxnotify.conf", "extensions_pbxnotify_freepbx.conf"):
        found = ran([PYTHON, "-ESc", f"{shipped}print(shipped_file({name!r}))"]).stdout.strip()
        assert Path(found) == installed.current.resolve() / "pbxnotify" / "etc" / name
        assert Path(found).read_bytes() == (ROOT / "etc" / name).read_bytes()


def test_systemd_takes_the_units(installed: Installation) -> None:
    analyze = require("systemd-analyze")
    assert installed.make("install", "SCHEDULER=systemd").returncode == 0
    units = [str(installed.directory / "units" / unit) for unit in UNITS]
    done = ran([analyze, "verify", "--man=no", *units])
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_command_of_a_unit_that_failed(office: Installation, catcher: Catcher, tmp_path: Path) -> None:
    """As systemd would run it: %i is the failed unit, $$ a dollar sign."""
    assert office.make("install", "SCHEDULER=systemd").returncode == 0
    unit = (office.directory / "units" / "pbxnotify-alert@.service").read_text()
    unit = unit.replace("$$", "$").replace("%i", "asterisk.service").replace("/run/", f"{tmp_path}/")
    lines = re.findall("(?m)^(?:ExecStartPre=-[+]|ExecStart=)(.*)$", unit)
    assert len(lines) == 2
    for line in lines * 2:
        assert ran(shlex.split(line), {"PATH": "/usr/bin:/bin"}).returncode == 0
    (mail,) = catcher.mails
    assert mail.recipients == ("admin@example.com",)
    assert mail.message["Subject"].endswith("asterisk.service: failed")
    assert mail.message["Importance"] == "high"
    body = mail.message.get_body(("plain",))
    assert body is not None
    assert len(str(body.get_content()).splitlines()) > 5


def test_the_cron_line_looks_at_the_machine(office: Installation) -> None:
    line = (office.directory / "cron" / "pbxnotify").read_text().splitlines()[-1]
    *times, user, command = line.split(maxsplit=6)
    assert (times, user) == (["*/5", *"****"], USER)
    done = ran(["/bin/sh", "-c", command], {"PATH": "/usr/bin:/bin"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (office.spool / "pbxnotify" / "state" / "last-monitor").exists()


@pytest.mark.parametrize("page", sorted(MANUAL_PAGES))
def test_a_manual_page_is_written_well(page: str) -> None:
    done = ran([require("mandoc"), "-T", "lint", "-W", "style", ROOT / page])
    assert [line for line in done.stdout.splitlines() if "referenced manual not found" not in line] == []


def test_pip_install_into_a_venv(tmp_path: Path, next_version: Path, catcher: Catcher) -> None:
    """The other way that is documented."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    shutil.copy(ROOT / "pbxnotify" / "delivery" / "attempt.py", next_version / "pbxnotify" / "delivery")
    pip: list[str | Path] = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
    done = ran([*pip, next_version], {**ENVIRONMENT, **wheels.OFFLINE})
    assert done.returncode == 0, done.stderr
    assert ran([venv / "bin" / "pbxnotify", "--version"]).stdout == "pbxnotify 99\n"
    (tmp_path / "pbxnotify.ini").write_text(ONE_EMPLOYEE.format(port=catcher.port))
    for script, status in zip(SCRIPTS, ("QUEUED", "SKIPPED")):
        far_end = FarEnd()
        far_end.python = "/usr/bin/env"
        environment = {"AST_CONFIG_DIR": str(tmp_path), "AST_SPOOL_DIR": str(tmp_path), "PYTHONPATH": ""}
        assert far_end.run(["101"], venv / "bin" / script, environment) == 0
        assert far_end.status == status
    assert catcher.wait(1)[0].recipients == ("ivan@example.com",)
    assert list(venv.glob("lib/*/site-packages/pbxnotify/etc/pbxnotify.ini"))


# ---- and is gone again -----------------------------------------------------------------------------------------------


def test_uninstall_leaves_the_settings_and_the_queue(package: Path, tmp_path: Path, golden: Golden) -> None:
    copy = shutil.copytree(package, tmp_path / "copy", symlinks=True)
    item = copy / "srv" / "spool" / "pbxnotify" / "queue" / "1.json"
    item.parent.mkdir(parents=True)
    item.write_text("{}")
    etc = copy / "etc" / "asterisk"
    (etc / "extensions.conf").write_text(";Gosub(pbxnotify,watch,1(101))\n")
    os.mkfifo(etc / "a.conf")  # which nobody waits for
    done = make("uninstall", f"DESTDIR={copy}")
    (etc / "a.conf").unlink()
    assert done.returncode == 0, done.stderr
    left = ("asterisk.conf", "extensions.conf", "pbxnotify.ini")
    assert files(copy) == {"said", "srv/spool/pbxnotify/queue/1.json", *(f"etc/asterisk/{name}" for name in left)}
    golden(done.stdout)


def test_uninstall_where_nothing_is(tmp_path: Path, golden: Golden) -> None:
    done = make("uninstall", f"DESTDIR={tmp_path}")
    assert (done.returncode, list(tmp_path.iterdir())) == (0, [])
    golden(done.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be an ordinary user as well")
@pytest.mark.parametrize("target", ["install", "uninstall"])
def test_an_ordinary_user_is_told_at_once(target: str, golden: Golden) -> None:
    """Before anything is downloaded or made."""
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name) / "clone"
        for directory in ("etc", "pbxnotify"):
            shutil.copytree(ROOT / directory, clone / directory)
        shutil.copy(ROOT / "Makefile", clone)
        Path(name).chmod(0o755)
        command = ["setpriv", "--reuid=4321", "--regid=4321", "--clear-groups", "make", "-s", "-C", str(clone)]
        done = ran([*command, target, f"PYTHON={PYTHON}"])
        assert (done.returncode, (clone / ".venv").exists()) == (2, False)
    golden(done.stderr.splitlines()[0])


def test_uninstall_names_what_was_added_to_units(package: Path, tmp_path: Path, golden: Golden) -> None:
    copy = shutil.copytree(package, tmp_path / "copy", symlinks=True)
    units = copy / "etc" / "systemd" / "system"
    for name, text in {
        "asterisk.service.d/override.conf": "[Unit]\nOnFailure=pbxnotify-alert@%n.service\n",
        "pbxnotify-monitor.service.d/sudo.conf": "[Service]\nNoNewPrivileges=no\n",
        "other.service": "[Unit]\n#OnFailure=pbxnotify-alert@%n.service\n",
        "../../../usr/local/lib/systemd/system/own.service": "[Unit]\nOnFailure = a pbxnotify-alert@%n.service\n",
    }.items():
        (units / name).parent.mkdir(parents=True, exist_ok=True)
        (units / name).write_text(text)
    golden(make("uninstall", f"DESTDIR={copy}").stdout, destination=copy)
    assert len(files(units)) == 3


def test_uninstall_names_the_lines_that_are_left(package: Path, tmp_path: Path, golden: Golden) -> None:
    """As long as there are any, a dialplan stays with which calls go on (tried with Asterisk in tests/calls)."""
    copy = shutil.copytree(package, tmp_path / "copy", symlinks=True)
    etc = copy / "etc" / "asterisk"
    (etc / "extensions.d").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (etc / "linked.d").symlink_to(tmp_path / "elsewhere")
    outside = tmp_path / "elsewhere" / "outside"
    lines = {
        "extensions.conf": f'#include "extensions_pbxnotify.conf"\n[a]\n#include extensions.d/s*\n#include {outside}\n',
        "extensions.d/sales": "exten => 2,1,Gosub(pbxnotify,watch,1(102))\n",
        "linked.d/more.conf": "exten => 3,1,AGI(pbxnotify-missed.agi,103)\n",
        str(outside): "exten => 4,1,Gosub(pbxnotify,watch,1(104))\n",
        "extensions.d/phones.conf": "exten => 1,1,Answer\n same => n,Gosub(PBXnotify,watch,1(101))\n",
        "extensions.ael": "context b { 1 => { &pbxnotify(101); }; };\n",
        "voicemail.conf": "[general]\nexternnotify = /usr/local/bin/pbxnotify voicemail\n",
    }
    for name, text in lines.items():
        (etc / name).write_text(text)
    (etc / "extensions.conf").rename(tmp_path / "elsewhere" / "kept.in.git")
    (etc / "extensions.conf").symlink_to(tmp_path / "elsewhere" / "kept.in.git")
    done = make("uninstall", f"DESTDIR={copy}")
    assert done.returncode == 0, done.stderr
    golden(done.stdout, destination=copy)
    assert "exten => watch,1,Return()" in (etc / "extensions_pbxnotify.conf").read_text()
    for name in (*lines, "linked.d"):
        (etc / name).unlink()
    assert make("uninstall", f"DESTDIR={copy}").returncode == 0
    assert files(copy) == {"said", "etc/asterisk/asterisk.conf", "etc/asterisk/pbxnotify.ini"}
