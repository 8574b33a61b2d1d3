"""The far end of AGI: a small Asterisk that speaks the protocol to a script, for tests without a call."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from checkout import ROOT

MISSED = ROOT / "agi-bin" / "pbxnotify-missed.agi"
VOICEMAIL = ROOT / "agi-bin" / "pbxnotify-voicemail.agi"
BEGAN = int(time.time()) - 20
"""When the channel was created; if that is more than a day ago, it does not say when ringing began."""
UNIQUE_ID = f"{BEGAN}.0"

PATIENCE = 180
"""Seconds, on a busy machine, until those who deliver have ended."""
MARKED = {"FAR_END_OF": f"<{os.getpid()}>"}
"""In the environment of our processes: other tests may run scripts of the same name beside us."""
MARK = MARKED["FAR_END_OF"]

ENVIRONMENT = {
    "agi_request": "pbxnotify-missed.agi",
    "agi_channel": "PJSIP/trunk-00000001",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": UNIQUE_ID,
    "agi_version": "22.10.1",
    "agi_callerid": "5551212",
    "agi_calleridname": "Alice Smith",
    "agi_dnid": "101",
    "agi_rdnis": "unknown",
    "agi_context": "from-trunk",
    "agi_extension": "101",
    "agi_priority": "3",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "139",
}

RANG_OUT = {
    "DIALSTATUS": "NOANSWER",
    "CALLERID(num)": "5551212",
    "CALLERID(name)": "Alice Smith",
    "CALLERID(num-pres)": "allowed_not_screened",
    "CALLERID(dnid)": "101",
    "CHANNEL(linkedid)": UNIQUE_ID,
    "UNIQUEID": UNIQUE_ID,
    "EXTEN": "101",
}
"""The variables of a call that 101 did not answer."""


def environment_text(values: Mapping[str, str] = ENVIRONMENT) -> bytes:
    """Return the lines that Asterisk sends first, ended by a blank one."""
    return "".join(f"{key}: {value}\n" for key, value in values.items()).encode("utf-8", "surrogateescape") + b"\n"


def evaluate(expression: str, variables: Mapping[str, str]) -> str:
    """Return the value of an expression in ``GET FULL VARIABLE``, in one pass as Asterisk does it."""
    return re.sub(r"\$\{(.*?)\}", lambda match: variables.get(match[1], ""), expression)


class FarEnd:
    """Starts a script, answers its commands until it exits, and keeps them."""

    def __init__(self, variables: Mapping[str, str] = RANG_OUT, greeting: bytes | None = None) -> None:
        self.variables = dict(variables)
        self.greeting = environment_text() if greeting is None else greeting
        self.commands: list[str] = []
        self.verbose: list[str] = []
        self.answer: Callable[[str], bytes | None] = self._answer
        """Returns the answer to a command; None hangs up and closes the pipes."""
        self.python = sys.executable

    def run(
        self,
        arguments: Sequence[str] = ("101",),
        script: Path = MISSED,
        environment: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
    ) -> int:
        """Run the script to its end, if need be ``under`` another command; returns the exit status."""
        with subprocess.Popen(
            [*under, self.python, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {}), **MARKED},
        ) as process:
            self.pid = process.pid
            self._talk(process)
            self.stderr = process.stderr.read().decode() if process.stderr else ""
            return process.wait()

    @property
    def status(self) -> str:
        """PBXNOTIFYSTATUS as the script set it."""
        return self.variables.get("PBXNOTIFYSTATUS", "")

    def _talk(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout
        try:
            process.stdin.write(self.greeting)
            process.stdin.flush()
            for line in process.stdout:
                command = line.decode("utf-8", "surrogateescape").rstrip("\n")
                self.commands.append(command)
                answer = self.answer(command)
                if answer is None:
                    break
                process.stdin.write(answer)
                process.stdin.flush()
        except BrokenPipeError:
            return
        finally:
            with suppress(BrokenPipeError):  # a script that has just been killed
                process.stdin.close()

    def _answer(self, command: str) -> bytes | None:
        asked = re.fullmatch(r'GET FULL VARIABLE "(.*)"', command)
        if asked:
            return f"200 result=1 ({evaluate(asked[1], self.variables)})\n".encode("utf-8", "surrogateescape")
        assignment = re.fullmatch(r'SET VARIABLE "(\w+)" "(.*)"', command)
        if assignment:
            self.variables[assignment[1]] = assignment[2]
            return b"200 result=1\n"
        message = re.fullmatch(r'VERBOSE "(.*)" \d', command)
        if message:
            self.verbose.append(message[1])
            return b"200 result=1\n"
        return b"510 Invalid or unknown command\n"


def wait_for_released(script: Path = MISSED, mark: str = MARK) -> None:
    """Wait until the processes that deliver after their call was let go have ended: our own, by their environment."""
    deadline = time.monotonic() + PATIENCE
    while any(processes_named(script.name, mark)):
        assert time.monotonic() < deadline, f"still at work after {PATIENCE} s"
        time.sleep(0.05)


def processes_named(name: str, mark: str = "") -> Iterator[Path]:
    """Yield the folder in /proc of each process with this in its command line, and that in its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            named = name.encode() in (process / "cmdline").read_bytes()
            if named and mark.encode() in (process / "environ").read_bytes():
                yield process
        except OSError:
            continue
