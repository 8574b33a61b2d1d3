"""Calls, played to AGI scripts as Asterisk plays them, any number at once; and what they cost."""

from __future__ import annotations

import ctypes
import os
import re
import select
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from resource import struct_rusage

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): what a script leaves behind becomes a child of this process, so that what it costs is told."""
TIMEOUT = 120.0
"""Seconds until something is wrong."""


@dataclass(frozen=True)
class Script:
    """What is started for a call."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """What calls that were played at once have cost; times in seconds, from the start of the first script on."""

    let_go: float
    """Until Asterisk may go on with the last of them."""
    whole: float
    """Until the relay has taken the last mail; 0 if there is none."""
    ended: float
    """Until none of their processes is left."""
    cpu: float
    """User and system time of all processes of a call, in the mean."""
    questions: float
    """What a script has asked Asterisk, in the mean."""
    left_memory: int
    """The peak of the largest process that the scripts have left behind, in KiB; 0 if there is none."""


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

    def start(self, stderr: Path) -> int:
        """Start it, and give it the AGI environment; returns where it can be heard."""
        (its_input, writing), (reading, its_output) = os.pipe(), os.pipe()
        actions = [
            (os.POSIX_SPAWN_DUP2, its_input, 0),
            (os.POSIX_SPAWN_DUP2, its_output, 1),
            # Asterisk's scripts have its console there. A file for all alike: pyst2 writes its diary into it.
            (os.POSIX_SPAWN_OPEN, 2, str(stderr), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ]
        self.began = time.perf_counter()
        self.process = os.posix_spawn(
            self.script.command[0], self.script.command, self.script.environment, file_actions=actions
        )
        os.close(its_input)
        os.close(its_output)
        self._pipes = [reading, writing]
        os.write(writing, self._environment().encode())
        return reading

    def hear(self) -> bool:
        """Answer what it asks; returns whether it still may ask."""
        received = os.read(self._pipes[0], 65536)
        if not received:
            self.let_go = time.perf_counter()
            self.close()
            return False
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            self.questions += 1
            with suppress(BrokenPipeError):  # it has said what it had to, and is gone
                os.write(self._pipes[1], self._answer(line.decode()))
        return True

    def close(self) -> None:
        """Hang up."""
        while self._pipes:
            os.close(self._pipes.pop())

    def _environment(self) -> str:
        told = {"request": "script", "channel": "PJSIP/trunk-00000001", "extension": "101", "priority": "1"}
        told |= {"uniqueid": self.variables["UNIQUEID"], "callerid": self.variables["CALLERID(num)"]}
        return "".join(f"agi_{name}: {value}\n" for name, value in told.items()) + "\n"

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
    calls: Sequence[tuple[Script, Mapping[str, str]]], stderr: Path, arrived: Callable[[], Sequence[float]]
) -> Cost:
    """Play calls at once, and wait for the end of all their processes and for their mails. Raises TimeoutError.

    ``stderr`` gets what the scripts say there; ``arrived`` waits for the mails, and returns when each was taken.
    """
    played = [Played(script, variables) for script, variables in calls]
    with _nothing_left(played) as others:
        _converse(played, stderr)
        usages = list(_reap([one.process for one in played], others))
        ended = time.perf_counter()
        stamps = arrived()
    began = min(one.began for one in played)
    return Cost(
        let_go=max(one.let_go for one in played) - began,
        whole=max(stamps) - began if stamps else 0.0,
        ended=ended - began,
        cpu=sum(usage.ru_utime + usage.ru_stime for usage in usages) / len(played),
        questions=sum(one.questions for one in played) / len(played),
        # Those were forked by the scripts. The scripts themselves began with our memory, so theirs tells nothing.
        left_memory=max((usage.ru_maxrss for usage in usages[len(played) :]), default=0),
    )


def _converse(played: Sequence[Played], stderr: Path) -> None:
    """Start the scripts, and answer them until all have let their calls go."""
    with selectors.DefaultSelector() as selector:
        for one in played:
            selector.register(one.start(stderr), selectors.EVENT_READ, one)
        while selector.get_map():
            events = selector.select(TIMEOUT)
            if not events:
                raise TimeoutError(f"{len(selector.get_map())} calls were not let go within {TIMEOUT:g} s")
            for key, _ in events:
                if not key.data.hear():
                    selector.unregister(key.fd)


def _reap(processes: Sequence[int], others: set[int]) -> Iterator[struct_rusage]:
    """Wait for the scripts, then for what they have left to us; yields what each has used."""
    while processes:
        for process in processes:
            descriptor, poll = os.pidfd_open(process), select.poll()
            poll.register(descriptor, select.POLLIN)
            ended = poll.poll(TIMEOUT * 1000)
            os.close(descriptor)
            if not ended:
                raise TimeoutError(f"a process had not ended {TIMEOUT:g} s after its call was let go")
            yield os.wait4(process, 0)[2]
        processes = sorted(_children() - others)


@contextmanager
def _nothing_left(played: Sequence[Played]) -> Iterator[set[int]]:
    """Inherit what the scripts leave behind; yields our other children. What fails or is interrupted leaves nothing."""
    others = _children()
    _inherit(True)
    try:
        yield others
    finally:
        for one in played:
            one.close()
        while left := _children() - others:
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
        _inherit(False)


def _inherit(yes: bool) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def _children() -> set[int]:
    return {int(child) for child in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()}
