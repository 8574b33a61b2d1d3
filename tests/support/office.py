"""An office: a real Asterisk with pbxnotify installed, a relay that catches its mails, and an ini file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import wheels
from checkout import ROOT
from far_end import processes_named
from lab import Asterisk, Phone, require_sipp
from relay import Catcher

PYTHON = "/usr/bin/python3"

INI = """\
[smtp]
host = localhost
port = {port}
sender = pbx@example.com
[notifications]
enabled = {enabled}
admin_email = admin@example.com
pbx_name = office
[missed_calls]
email = common@example.com
subject = "missed NOTIFICATION_NAME_FROM"
body = '''
cause: NOTIFICATION_MISSEDCAUSE
caller: NOTIFICATION_CALLERID
called: NOTIFICATION_TO
seconds: NOTIFICATION_DURATION
date: NOTIFICATION_DATE
status: NOTIFICATION_DIALSTATUS
why: NOTIFICATION_WHY
from: NOTIFICATION_NAME_FROM
to: NOTIFICATION_NAME_TO
'''
[voicemail]
email = voicemail@example.com
subject = "voicemail VM_CALLER_NAME"
body = '''
callerid: VM_CALLERID
name: VM_CALLER_NAME
number: VM_CALLER_NUM
length: VM_DUR
date: VM_DATE
for: VM_NAME
mailbox: VM_MAILBOX@VM_CONTEXT
'''
[system]
disks = / 1 B
[employees]
[[101]]
name = Ivan Petrov
email = ivan@example.com
[[102]]
name = Anna
email = anna@example.com
mobile = "+7 916 123-45-67"
[[106]]
name = No Mail
"""


@dataclass(frozen=True)
class Mail:
    """A mail as it arrived."""

    to: str
    subject: str
    fields: dict[str, str]
    """The lines of the body, ``name: value``."""
    message: EmailMessage

    @property
    def text(self) -> str:
        """The body as plain text."""
        return text_of(self.message)

    @property
    def recording(self) -> bytes | None:
        """What is attached, None if nothing is."""
        parts = list(self.message.iter_attachments())
        assert len(parts) <= 1
        return bytes(parts[0].get_payload(decode=True)) if parts else None


class Span(NamedTuple):
    """From when to when, in seconds since 1970: however busy the machine is, what happened did so meanwhile."""

    began: float
    ended: float

    def check_moment(self, moment: str, after: float = 0) -> None:
        """Assert that a mail's date, in whole seconds, lies in it, and so many seconds or more after its beginning."""
        at = datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").timestamp()
        assert self.began + after - 1 <= at <= self.ended, moment

    def check_length(self, seconds: float, at_least: float) -> None:
        """Assert that something lasted as long as it had to, within a second, and no longer than all of it."""
        assert at_least - 1 <= seconds <= max(self.ended - self.began, at_least) + 1, seconds


class Office:
    """A real Asterisk with pbxnotify installed, and the relay that its mails go to."""

    def __init__(self, asterisk: Asterisk, catcher: Catcher, directory: Path) -> None:
        self.asterisk = asterisk
        self.catcher = catcher
        self._command = directory / "usr" / "bin" / "pbxnotify"
        self._log = directory / "pbxnotify.log"

    def reset(self) -> None:
        """Begin a test: nothing is at work, nothing waits, nothing is logged, nothing has arrived."""
        self.asterisk.wait_until_idle()
        self.wait_for_deliveries()
        self.write_ini(INI.format(port=self.catcher.port, enabled="yes"))
        spool = self.asterisk.spool / "pbxnotify"
        for pattern in ("queue/*", "failed/*", "done/*", "state/*"):
            for path in spool.glob(pattern):
                path.unlink(missing_ok=True)
        shutil.rmtree(self.asterisk.spool / "voicemail", ignore_errors=True)
        self.catcher.clear()
        self._log.write_text("")
        self._log.chmod(0o666)
        self.asterisk.mark()

    def write_ini(self, text: str) -> None:
        """Write the ini file, as an admin's editor would."""
        (self.asterisk.etc / "pbxnotify.ini").write_text(text, encoding="utf-8")

    def phone(self, number: int, scenario: str, delay_ms: int = 1000) -> Phone:
        """Return a phone for a with statement; skips the test where there is no sipp."""
        require_sipp()
        return self.asterisk.phone(number, scenario, delay_ms)

    def call(self, extension: str, scenario: str = "uac_noanswer", **options: Any) -> Span:
        """Place a call and wait until nothing of it is left in Asterisk; returns from when to when it went on."""
        require_sipp()
        began = time.time()
        self.asterisk.call(scenario, extension, **options)
        self.asterisk.wait_until_idle()
        return Span(began, time.time())

    def mails(self, count: int) -> list[Mail]:
        """Wait for that many mails and for an empty queue; there must not be one more. Sorted by recipient."""
        self.wait_until(lambda: len(self.catcher.mails) >= count)
        self.wait_until(lambda: not self.queue())
        caught = self.caught()
        assert len(caught) == count, [mail.to for mail in caught]
        return caught

    def caught(self) -> list[Mail]:
        """Return the mails that have arrived, sorted by recipient."""
        caught = [
            Mail(one.recipients[0], str(one.message["Subject"]), _fields(one.message), one.message)
            for one in self.catcher.mails
        ]
        return sorted(caught, key=lambda mail: mail.to)

    @contextmanager
    def held_answers(self) -> Iterator[None]:
        """Let the relay answer no mail meanwhile."""
        answer = threading.Event()
        self.catcher.hold_answers(answer)
        try:
            yield
        finally:
            answer.set()

    def held_for(self, calls: int) -> str:
        """Return for how long the dialplan stood still, between its lines BEFORE and AFTER."""
        before, after = (
            [self.asterisk.wait_for_log(re.compile(f"{word}$"), count=number + 1) for number in range(calls)]
            for word in ("BEFORE", "AFTER status=QUEUED")
        )
        held = [logged_at(end) - logged_at(begin) for begin, end in zip(before, after)]
        return (
            f"the dialplan was held for {median(held):.0f} ms in the median of {calls} calls, {max(held):.0f} at most"
        )

    def executed_at(self, what: str) -> float:
        """Return when the dialplan first came to something, in seconds."""
        return logged_at(self.asterisk.wait_for_log(re.compile(f"Executing .*{what}"))) / 1000

    def no_mail(self) -> None:
        """Assert that the call that is over told nobody: what tells leaves a line in the log before it lets go."""
        assert " queued " not in self.log(), self.log()
        assert not self.catcher.mails

    def queue(self) -> list[Path]:
        """Return the items that wait."""
        return list((self.asterisk.spool / "pbxnotify" / "queue").glob("*.json"))

    def messages(self, mailbox: str) -> list[Path]:
        """Return the message information files in a mailbox, wherever they are."""
        return sorted((self.asterisk.spool / "voicemail" / "default" / mailbox).rglob("msg*.txt"))

    def log(self) -> str:
        """Return what pbxnotify has logged."""
        return self._log.read_text()

    def wait_until(self, condition: Callable[[], object], timeout: float = 60, pause: float = 0.02) -> None:
        """Wait for another process, and look every so many seconds whether it is done."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"{self.log()}\n{self.asterisk.log_since_mark()}"
            time.sleep(pause)

    def wait_for_deliveries(self) -> None:
        """Wait until no script of a call is at work any more: it delivers on after the call is over."""
        programs = (str(self.asterisk.agi_bin), str(self._command))
        self.wait_until(lambda: not any(process for name in programs for process in processes_named(name)))

    def run_queue(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the queue when no script of a call is at work any more: what one of them has in hand is left to it."""
        self.wait_for_deliveries()
        return self.pbxnotify("queue", "run", *options)

    def pbxnotify(self, *arguments: str, **other: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command as the admin would, with some of the environment changed."""
        environment = {
            "PBXNOTIFY_LOG": str(self._log),
            "PBXNOTIFY_ASTERISK": str(self.asterisk.directory / "asterisk"),
            "PATH": "/usr/bin:/bin",
            **other,
        }
        return subprocess.run([self._command, *arguments], env=environment, capture_output=True, text=True, check=False)


def logged_at(line: str) -> float:
    """Return when a line was logged, in milliseconds."""
    stamp = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", line)
    assert stamp
    return datetime.strptime(stamp[0], "%Y-%m-%d %H:%M:%S.%f").timestamp() * 1000


def text_of(message: EmailMessage) -> str:
    """Return the body of a mail as plain text."""
    body = message.get_body(("plain",))
    return str(body.get_content()).replace("\r\n", "\n") if body else ""


def _fields(message: EmailMessage) -> dict[str, str]:
    return dict(re.findall(r"^(\w+): (.*)$", text_of(message), re.MULTILINE))


def install(asterisk: Asterisk, directory: Path, target: str = "install") -> None:
    """Install pbxnotify for an instance of Asterisk, as an admin does; or uninstall it."""
    command = [
        *("make", "-s", "-C", str(ROOT), target, f"PYTHON={PYTHON}", f"VENV={sys.prefix}", "EXTRAS=oauth2"),
        *(f"PREFIX={directory / 'usr'}", f"ASTETCDIR={asterisk.etc}", f"ASTAGIDIR={asterisk.agi_bin}"),
        *(f"ASTSPOOLDIR={asterisk.spool}", "SCHEDULER=none"),
    ]
    subprocess.run(command, env={**os.environ, **wheels.QUICK}, check=True, stdout=subprocess.DEVNULL)
