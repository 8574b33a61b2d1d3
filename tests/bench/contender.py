"""Who takes part: what each is installed as, and what it is started with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Mapping
from pathlib import Path

import wheels
from call import Script
from stamping_relay import Way

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCRIPTS = HERE / "contenders"
PYTHON = "/usr/bin/python3"
"""The system's, for all contenders, as Asterisk's scripts are run."""

FLOOR, STRAIGHTFORWARD, MSMTP, OURS, HOLD = "floor", "straightforward", "sh + msmtp", "pbxnotify", "pbxnotify, hold"
CONTENDERS = (FLOOR, STRAIGHTFORWARD, MSMTP, OURS, HOLD)

INI = """\
[smtp]
host = {host}
port = {port}
sender = pbx@example.com
use_tls = {use_tls}
{certificates}
{login}
{oauth2}
[notifications]
enabled = yes
admin_email = admin@example.com
pbx_name = office
[missed_calls]
[voicemail]
audio = as-is
[employees]
{employees}
"""
PLAIN_INI = """\
[smtp]
mode = {mode}
port = {port}
sender = pbx@example.com
ca_file = {ca_file}
{login}
[employees]
{employees}
"""
MSMTPRC = """\
account default
host localhost
port {port}
from pbx@example.com
tls {tls}
tls_starttls {starttls}
tls_trust_file {ca_file}
{auth}
"""


class Box:
    """A machine with each contender installed, and what they write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool = directory / "spool"
        self.command = directory / "usr" / "bin" / "pbxnotify"
        self.library = directory / "usr" / "lib" / "pbxnotify" / "current"
        self.stderr = directory / "stderr"
        """What the scripts of the last call have said there."""
        self.python = directory / "venv" / "bin" / "python"
        self._agi_bin = directory / "agi-bin"
        (self.spool / "voicemail").mkdir(parents=True)
        self._make_venv()
        self._install()

    def _make_venv(self) -> None:
        """Make the venv of the straightforward script, and compile what is in it, as `make install` does.

        Without pip: up to Python 3.11 setuptools would come with it, which takes 1.6 of the 10 ms of each start.
        """
        subprocess.run([PYTHON, "-m", "venv", "--without-pip", self.python.parent.parent], check=True)
        asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.run(
            [self.python, "-c", asked], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        pip = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "install", "--no-compile"]
        environment = {**os.environ, **wheels.QUICK}
        subprocess.run([*pip, "--target", packages, "pyst2", "configobj"], env=environment, check=True)
        subprocess.run([self.python, "-m", "compileall", "-q", packages], check=True)

    def _install(self) -> None:
        """Install pbxnotify as an admin does."""
        directories = {"ASTETCDIR": "etc", "ASTAGIDIR": "agi-bin", "ASTSPOOLDIR": "spool", "PREFIX": "usr"}
        settings = [f"{name}={self.directory / folder}" for name, folder in directories.items()]
        command = ["make", "-s", "-C", str(ROOT), "install", f"PYTHON={PYTHON}", f"VENV={sys.prefix}"]
        settings += ["SCHEDULER=none", "EXTRAS=oauth2"]
        environment = {**os.environ, **wheels.QUICK}
        subprocess.run([*command, *settings], env=environment, check=True, stdout=subprocess.DEVNULL)

    def configure(self, way: Way, employees: int = 3) -> dict[str, str]:
        """Write the settings of every contender for a way to a relay; returns the environment of their scripts."""
        etc = self.directory / "etc" / f"{way.mode}-{way.port}-{employees}{'-oauth2' * bool(way.oauth2)}"
        etc.mkdir()
        values = self._values(way, employees)
        for name, template in (("pbxnotify.ini", INI), ("straightforward.ini", PLAIN_INI), ("msmtprc", MSMTPRC)):
            (etc / name).write_text(template.format(**values))
            (etc / name).chmod(0o600)  # msmtp wants it so where a password is in it
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "AST_CONFIG_DIR": str(etc),
            "AST_SPOOL_DIR": str(self.spool),
            "BENCH_MODE": way.mode,
            "BENCH_PORT": str(way.port),
            "BENCH_CA": way.ca_file,
            "BENCH_LOGIN": f"{way.login}:{way.password}" if way.login else "",
            "BENCH_INI": str(etc / "straightforward.ini"),
            "BENCH_MSMTPRC": str(etc / "msmtprc"),
        }

    @staticmethod
    def _values(way: Way, employees: int) -> dict[str, object]:
        """Return what is filled into the templates."""
        cards = [
            f"[[{101 + number}]]\nname = Employee {number}\nemail = {101 + number}@example.com"
            for number in range(employees)
        ]
        secret = "auth = oauth2" if way.oauth2 else f"password = {way.password}"
        return {
            "mode": way.mode,
            "port": way.port,
            "ca_file": way.ca_file,
            "host": "ssl://localhost" if way.mode == "tls" else "localhost",
            "use_tls": "yes" if way.mode == "starttls" else "no",
            "certificates": f"ca_file = {way.ca_file}" if way.mode != "plain" else "",
            "login": f"login = {way.login}\n{secret}" if way.login else "",
            "oauth2": way.oauth2,
            "auth": f"auth plain\nuser {way.login}\npassword {way.password}" if way.login else "auth off",
            "tls": "off" if way.mode == "plain" else "on",
            "starttls": "on" if way.mode == "starttls" else "off",
            "employees": "\n".join(cards),
        }

    def script(self, contender: str, kind: str, extensions: str, environment: Mapping[str, str]) -> Script:
        """Return what is started for a call of a kind (``missed`` or ``voicemail``)."""
        held = ["hold"] * (contender == HOLD)
        return Script((*self.command_of(contender, kind), extensions, *held), environment)

    def command_of(self, contender: str, kind: str) -> tuple[str, ...]:
        """Return how its script is started, without arguments."""
        if contender == FLOOR:
            return PYTHON, "-ES", str(SCRIPTS / "floor.py")
        if contender == STRAIGHTFORWARD:
            return str(self.python), str(SCRIPTS / "straightforward.py")
        if contender == MSMTP:
            return "/bin/sh", str(SCRIPTS / "msmtp.sh")
        return (str(self._agi_bin / f"pbxnotify-{kind}.agi"),)

    def leave_message(self, seconds: int) -> str:
        """Leave a message of so many seconds in a mailbox; returns VM_MESSAGEFILE."""
        folder = self.spool / "voicemail" / "default" / "101" / "INBOX"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "msg0000"
        with wave.open(f"{path}.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(os.urandom(seconds * 16000))
        return str(path)

    def inform(self, path: str, identifier: str) -> None:
        """Write the message information file, as Asterisk does for a new message."""
        information = f"[message]\norigtime=1760000000\nduration=65\nmsg_id={identifier}\n"
        Path(f"{path}.txt").write_text(information)

    def explain(self, environment: Mapping[str, str]) -> str:
        """Return what the last scripts have said, and what of pbxnotify waits and why."""
        said = self.stderr.read_text(errors="replace") if self.stderr.exists() else ""
        look = [str(self.command), "queue", "list"]
        waiting = subprocess.run(look, env=environment, capture_output=True, text=True, check=False)
        return f"{said}{waiting.stdout}{waiting.stderr}"

    def clean(self) -> None:
        """Forget what has been told."""
        for folder in ("queue", "failed", "done", "state", "tmp"):
            shutil.rmtree(self.spool / "pbxnotify" / folder, ignore_errors=True)
            (self.spool / "pbxnotify" / folder).mkdir(mode=0o700)
