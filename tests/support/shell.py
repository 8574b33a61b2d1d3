"""An admin at a terminal: our commands as processes behind a pseudo-terminal (pexpect)."""

from __future__ import annotations

import os
import sys

import pexpect
from checkout import ROOT


class Shell:
    """One command at a terminal, and what is typed into it."""

    def __init__(self, *arguments: str, command: tuple[str, ...] = (), **environment: str) -> None:
        """``command`` is an installed pbxnotify in the place of the checkout's."""
        program, *rest = *(command or (sys.executable, "-m", "pbxnotify.cli")), *arguments
        inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        variables = {**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LANG": "C.UTF-8", **environment}
        self._child = pexpect.spawn(
            program, rest, env=variables, encoding="utf-8", timeout=60, dimensions=(60, 200), cwd="/"
        )
        self._said: list[str] = []

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.close(force=True)

    def answer(self, question: str, line: str) -> None:
        """Wait until a question stands there, word for word, and type an answer."""
        self.wait_for(question)
        self._child.sendline(line)

    def wait_for(self, words: str) -> None:
        """Wait until these words stand there."""
        self._child.expect_exact(words)
        self._said += [self._child.before, words]

    def find(self, pattern: str) -> str:
        """Wait until what a regular expression describes stands there; returns its first group."""
        self._child.expect(pattern)
        self._said += [self._child.before, self._child.after]
        return str(self._child.match[1])

    def interrupt(self) -> None:
        """Press Ctrl-C, and once more when nothing happens: Python may just have been about to wait for the answer."""
        for _ in range(10):
            self._child.sendintr()
            seen = self._child.expect_exact(["interrupted", pexpect.EOF, pexpect.TIMEOUT], timeout=2)
            if seen < 2:
                self._said += [self._child.before, ("interrupted", "")[seen]]
                break

    def end_input(self) -> None:
        """Press Ctrl-D."""
        self._child.sendeof()

    def kill(self, number: int) -> None:
        """Send a signal to the command alone."""
        self._child.kill(number)

    def kill_until_end(self, number: int) -> None:
        """Send a signal again and again: Python may have been about to wait for the answer, as in ``interrupt``."""
        for _ in range(10):
            self._child.kill(number)
            if self._child.expect_exact([pexpect.EOF, pexpect.TIMEOUT], timeout=2) == 0:
                break

    def end(self) -> tuple[int, str]:
        """Return the exit status, and everything that stood on the terminal."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        self._said.append(self._child.before)
        return self._child.exitstatus, "".join(self._said).replace("\r\n", "\n")
