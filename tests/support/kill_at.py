"""Kill a process at its n-th system call: ``kill_at.py REPORT WHICH N COMMAND...``.

strace counts each kind of system call for itself and cannot aim at a forked child alone, so this is ptrace(2) by hand.
WHICH is 0 for the command itself, 1 for the first process that it forks; N = 0 kills nobody. The file REPORT gets how
many system calls that process began. It ends when all processes have ended, so that the caller may look at what they
left.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path

TRACEME, CONT, SYSCALL, SETOPTIONS = 0, 7, 24, 0x4200
OPTIONS = 0x1 | 0x2 | 0x4 | 0x8  # mark the stops of system calls; follow fork, vfork and clone
SYSCALL_STOP = signal.SIGTRAP | 0x80
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
libc.ptrace.restype = ctypes.c_long


class Tracer:
    """Counts the system calls of one of several processes, and kills it at one of them."""

    def __init__(self, which: int, kill_at: int) -> None:
        self.begun = 0
        self._which = which
        self._kill_at = kill_at
        self._processes: list[int] = []
        self._inside = False

    def run(self, command: list[str]) -> None:
        """Run a command until it and all that it forked have ended."""
        first = os.fork()
        if first == 0:
            libc.ptrace(TRACEME, 0, None, None)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.execvp(command[0], command)  # noqa: S606  what it is for
        os.closerange(0, 3)  # the reader of a pipe of the command's must see it close
        os.waitpid(first, 0)
        libc.ptrace(SETOPTIONS, first, None, OPTIONS)
        self._processes.append(first)
        self._resume(first, 0)
        while True:
            try:
                process, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                self._stopped(process, os.WSTOPSIG(status), event=status >> 16)

    def _stopped(self, process: int, number: int, event: int) -> None:
        if process not in self._processes:  # a new one begins with SIGSTOP
            self._processes.append(process)
            number = 0
        elif number == SYSCALL_STOP:
            number = 0
            if self._is_victim(process):
                self._inside = not self._inside
                self.begun += self._inside
                if self._inside and self.begun == self._kill_at:
                    os.kill(process, signal.SIGKILL)
                    return
        elif event or number == signal.SIGTRAP:  # a fork, or an exec
            number = 0
        self._resume(process, number)

    def _is_victim(self, process: int) -> bool:
        return self._processes.index(process) == self._which

    def _resume(self, process: int, number: int) -> None:
        libc.ptrace(SYSCALL if self._is_victim(process) else CONT, process, None, number)


def main() -> None:
    """Run the command that the arguments name."""
    report, which, kill_at, *command = sys.argv[1:]
    tracer = Tracer(int(which), int(kill_at))
    tracer.run(command)
    Path(report).write_text(str(tracer.begun))


if __name__ == "__main__":
    main()
