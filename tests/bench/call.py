"""Calls, played to AGI scripts as Asterisk plays them, any number at once; and what each of them cost."""

from __future__ import annotations

import ctypes
import os
import re
import selectors
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): what a script leaves behind becomes a child of this process, so that what it costs is told."""
TIMEOUT = 120.0
"""Seconds until something is wrong."""
SPARED: set[int] = set()
"""Child processes that are not of a call: the relay."""


@dataclass(frozen=True)
class Script:
    """What is started for a call."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass
class Cost:
    """What one call cost; times in seconds, from the start of the script on."""

    let_go: float = 0.0
    """Until Asterisk may go on."""
    whole: float = 0.0
    """Until the relay has taken the last mail."""
    cpu: float = 0.0
    """User and system time of all its processes."""
    questions: int = 0
    """What the script has asked Asterisk."""


@dataclass
class Played:
    """One script that runs, and the Asterisk it talks to."""

    script: Script
    variables: Mapping[str, str]
    process: int = 0
    began: float = 0.0
    let_go: float = 0.0
    questions: int = 0
    _received: bytes = b""
    _pipes: list[int] = field(default_factory=list)

    def start(self) -> int:
        """Start it, and give it the AGI environment; returns where it can be heard."""
        (its_input, writing), (reading, its_output) = os.pipe(), os.pipe()
        for ours in (writing, reading):
            os.set_inheritable(ours, False)
        actions = [(os.POSIX_SPAWN_DUP2, its_input, 0), (os.POSIX_SPAWN_DUP2, its_output, 1)]
        self.began = time.perf_counter()
        self.process = os.posix_spawn(
            self.script.command[0], self.script.command, self.script.environment, file_actions=actions
        )
        os.close(its_input)
        os.close(its_output)
        self._pipes = [reading, writing]
        environment = {"request": "script", "channel": "PJSIP/trunk-00000001", "extension": "101", "priority": "1"}
        environment |= {"uniqueid": self.variables["UNIQUEID"], "callerid": self.variables["CALLERID(num)"]}
        lines = "".join(f"agi_{name}: {value}\n" for name, value in environment.items())
        os.write(writing, f"{lines}\n".encode())
        return reading

    def hear(self) -> bool:
        """Answer what it asks; returns whether it still may ask."""
        received = os.read(self._pipes[0], 65536)
        if not received:
            self.let_go = time.perf_counter()
            for pipe in self._pipes:
                os.close(pipe)
            return False
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            self.questions += 1
            os.write(self._pipes[1], self._answer(line.decode()))
        return True

    def _answer(self, line: str) -> bytes:
        asked = re.match(r'GET (FULL )?VARIABLE "?(.*?)"?$', line)
        if not asked:
            return b"200 result=1\n"
        if asked[1]:
            value = re.sub(r"\$\{(.*?)\}", lambda name: self.variables.get(name[1], ""), asked[2])
        else:
            value = self.variables.get(asked[2], "")
        return f"200 result=1 ({value})\n".encode() if value else b"200 result=0\n"


def play(
    calls: Sequence[tuple[Script, Mapping[str, str]]], mails: int, stamps: Callable[[int, float], list[float]]
) -> list[Cost]:
    """Play calls at once, and wait for their mails and for the end of all their processes.

    ``whole`` is that of the last mail for each of them, ``cpu`` what they cost in the mean. ``stamps`` waits for mails.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    played = [Played(script, variables) for script, variables in calls]
    with selectors.DefaultSelector() as selector:
        for one in played:
            selector.register(one.start(), selectors.EVENT_READ, one)
        while selector.get_map():
            events = selector.select(TIMEOUT)
            if not events:
                raise TimeoutError(f"{played[0].script.command} let no call go for {TIMEOUT:g} s")
            for key, _ in events:
                if not key.data.hear():
                    selector.unregister(key.fd)
    last = max(stamps(mails, TIMEOUT), default=0.0)
    cpu = _reap([one.process for one in played]) / len(played)
    return [Cost(one.let_go - one.began, last - one.began if mails else 0.0, cpu, one.questions) for one in played]


def _reap(processes: Sequence[int]) -> float:
    """Wait for the scripts, then for what they have left to us; returns their user and system time."""
    seconds = 0.0
    while processes:
        for process in processes:
            usage = os.wait4(process, 0)[2]
            seconds += usage.ru_utime + usage.ru_stime
        processes = [child for child in _children() if child not in SPARED]
    return seconds


def _children() -> list[int]:
    task = threading.get_native_id()
    return [int(child) for child in Path(f"/proc/self/task/{task}/children").read_text().split()]
