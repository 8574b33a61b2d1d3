"""Who takes part: what each is installed as, and what it is started with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from call import Script
from far_end import MODES, FarEnd

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


@dataclass(frozen=True)
class Login:
    """Name and password that the relay wants."""

    name: str
    password: str


class Box:
    """A machine with each contender installed, and what they write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool = directory / "spool"
        self.agi_bin = directory / "agi-bin"
        self.command = directory / "usr" / "bin" / "pbxnotify"
        self._venv = directory / "venv"
        (self.spool / "voicemail").mkdir(parents=True)
        subprocess.run([PYTHON, "-m", "venv", self._venv], check=True)
        pip = [self._venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "pyst2", "configobj"], check=True)
        self.install()

    def install(self) -> None:
        """Install pbxnotify as an admin does."""
        directories = {"ASTETCDIR": "etc", "ASTAGIDIR": "agi-bin", "ASTSPOOLDIR": "spool", "PREFIX": "usr"}
        settings = [f"{name}={self.directory / folder}" for name, folder in directories.items()]
        command = ["make", "-s", "-C", str(ROOT), "install", f"PYTHON={PYTHON}", f"VENV={self.directory / 'build'}"]
        subprocess.run([*command, *settings, "SCHEDULER=none"], check=True, stdout=subprocess.DEVNULL)

    def configure(
        self, far_end: FarEnd, employees: int = 3, login: Login | None = None, modes: tuple[str, ...] = MODES
    ) -> None:
        """Write the settings of every contender for every way to the relay."""
        cards = {str(101 + number): f"Employee {number}" for number in range(employees)}
        for mode in modes:
            etc = self.directory / "etc" / mode
            etc.mkdir(parents=True, exist_ok=True)
            values = {
                "mode": mode,
                "port": far_end.ports[mode],
                "ca_file": far_end.ca_file,
                "host": "ssl://localhost" if mode == "tls" else "localhost",
                "use_tls": "yes" if mode == "starttls" else "no",
                "certificates": f"ca_file = {far_end.ca_file}" if mode != "plain" else "",
                "login": f"login = {login.name}\npassword = {login.password}" if login else "",
                "auth": f"auth plain\nuser {login.name}\npassword {login.password}" if login else "auth off",
                "tls": "off" if mode == "plain" else "on",
                "starttls": "on" if mode == "starttls" else "off",
                "employees": "\n".join(
                    f"[[{number}]]\nname = {name}\nemail = {number}@example.com" for number, name in cards.items()
                ),
            }
            (etc / "pbxnotify.ini").write_text(INI.format(**values))
            (etc / "straightforward.ini").write_text(PLAIN_INI.format(**values))
            (etc / "msmtprc").write_text(MSMTPRC.format(**values))
            (etc / "msmtprc").chmod(0o600)
        self._login = login

    def script(self, contender: str, kind: str, mode: str, far_end: FarEnd, extensions: str) -> Script:
        """Return what is started for a call of a kind (``missed`` or ``voicemail``)."""
        etc = self.directory / "etc" / mode
        environment = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "AST_CONFIG_DIR": str(etc),
            "AST_SPOOL_DIR": str(self.spool),
            "BENCH_MODE": mode,
            "BENCH_PORT": str(far_end.ports[mode]),
            "BENCH_CA": far_end.ca_file,
            "BENCH_INI": str(etc / "straightforward.ini"),
            "BENCH_MSMTPRC": str(etc / "msmtprc"),
        }
        if self._login:
            environment["BENCH_LOGIN"] = f"{self._login.name}:{self._login.password}"
        return Script((*self._command(contender, kind), extensions, *(["hold"] * (contender == HOLD))), environment)

    def _command(self, contender: str, kind: str) -> tuple[str, ...]:
        if contender == FLOOR:
            return PYTHON, "-ES", str(SCRIPTS / "floor.py")
        if contender == STRAIGHTFORWARD:
            return str(self._venv / "bin" / "python"), str(SCRIPTS / "straightforward.py")
        if contender == MSMTP:
            return "/bin/sh", str(SCRIPTS / "msmtp.sh")
        return (str(self.agi_bin / f"pbxnotify-{kind}.agi"),)

    def leave_message(self, seconds: int) -> str:
        """Leave a message of so many seconds in a mailbox; returns VM_MESSAGEFILE."""
        folder = self.spool / "voicemail" / "default" / "101" / "INBOX"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "msg0000"
        header = b"RIFF" + (seconds * 16000 + 36).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
        header += (8000).to_bytes(4, "little") + (16000).to_bytes(4, "little") + b"\x02\0\x10\0data"
        sound = os.urandom(seconds * 16000)
        path.with_suffix(".wav").write_bytes(header + len(sound).to_bytes(4, "little") + sound)
        return str(path)

    def inform(self, path: str, identifier: str) -> None:
        """Write the message information file, as Asterisk does for a new message."""
        information = f"[message]\norigtime=1760000000\nduration=65\nmsg_id={identifier}\n"
        Path(f"{path}.txt").write_text(information)

    def clean(self) -> None:
        """Forget what has been told."""
        for folder in ("queue", "failed", "done", "tmp"):
            shutil.rmtree(self.spool / "pbxnotify" / folder, ignore_errors=True)
            (self.spool / "pbxnotify" / folder).mkdir(mode=0o700)


def missing() -> str:
    """Why not everybody can take part; empty when all can."""
    return "" if sys.platform == "linux" and os.path.exists(PYTHON) else f"{PYTHON} is missing"
