"""The AGI protocol (pyst2), hardened against hostile callers: the channel as a read-only Mapping.

A SIP caller can put newlines into the caller ID, and Asterisk passes them on: one call can plant lines in the AGI
environment, end it early so that every later answer is shifted by one, or forge an answer. So each value is requested
between two markers that nobody can guess, and what comes before the first marker is discarded.
"""

from __future__ import annotations

import os
import signal
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence

from pbxnotify.errors import ChannelGone
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import TypeVar

    Answer = TypeVar("Answer")

# pyst2 needs pprint only for its debug output, which is discarded here; importing it would be a third of the time until
# the call is let go (before Python 3.14).
_pprint = types.ModuleType("pprint")
_pprint.pformat = repr  # type: ignore[attr-defined]
sys.modules.setdefault("pprint", _pprint)
from asterisk.agi import AGI, AGIException  # noqa: E402  after the stand-in

if sys.modules["pprint"] is _pprint:
    del sys.modules["pprint"]

LONGEST_LINE = 65536  # characters of one line from Asterisk, whose own limit for a variable is far lower
PATIENCE = 5.0  # seconds for one exchange with Asterisk, which answers within milliseconds or never
ENVIRONMENT = {
    "UNIQUEID": "agi_uniqueid",
    "CALLERID(num)": "agi_callerid",
    "CALLERID(name)": "agi_calleridname",
    "CALLERID(dnid)": "agi_dnid",
    "EXTEN": "agi_extension",
    "CHANNEL(name)": "agi_channel",
}
"""The values that the AGI environment still has once the channel has stopped answering."""
TOGETHER = (
    *("DIALSTATUS", "QUEUESTATUS", "HANGUPCAUSE", "ABANDONED", "VMSTATUS", "VM_MESSAGEFILE", "UNIQUEID"),
    *("PBXNOTIFY_WATCHED", "FORWARDERNAME", "PBXNOTIFY_NUMBER", "PBXNOTIFY_NAME", "PBXNOTIFY_PRES"),
    *("PBXNOTIFY_TO", "ATTENDEDTRANSFER", "CALLINGNUMPRES_SV", "CHANNEL(name)", "CHANNEL(linkedid)"),
    *("CALLERID(num)", "CALLERID(name)", "CALLERID(num-pres)"),
)
"""Read in one exchange: each takes 0.1 ms. None needs a module that may be missing: Asterisk would log an error."""


class Connection(AGI):  # type: ignore[misc]
    """pyst2's AGI, which here neither raises ValueError nor loops, whatever Asterisk sends."""

    def _get_agi_env(self) -> None:
        try:
            for line in self._lines():
                if not line:
                    return
                key, _, value = line.partition(": ")
                self.env.setdefault(key, value)  # the first one counts: a planted line comes after the true one
        except ChannelGone:
            return  # the next exchange fails as well, and what was read is kept

    def _lines(self) -> Iterator[str]:
        while True:
            line = self.stdin.readline(LONGEST_LINE)
            if not line.endswith("\n"):
                raise ChannelGone("it ended the conversation")
            yield line[:-1]

    def test_hangup(self) -> None:
        """Do nothing: a channel that was hung up still answers."""

    def _quote(self, text: object) -> str:
        escaped = clean(str(text), LONGEST_LINE).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """Return the next answer, skipping HANGUP and blank lines; 510, 511 and 520 are answers without a value."""
        for line in self._lines():
            if _is_answer(line):
                return {"result": (line[:3], line)}
        raise ChannelGone("it ended the conversation")

    def synchronise(self, marker: str) -> None:
        """Discard whatever waits to be read and does not answer a command of this script."""
        self.send_command("GET FULL VARIABLE", f'"{marker}"')
        for line in self._lines():
            if line == f"200 result=1 ({marker})":
                return

    def ask(self, expressions: Sequence[str], marker: str) -> list[str]:
        """Return the values of variables and functions, each read between two markers, newlines and all."""
        asked = marker.join(f"${{{expression}}}" for expression in expressions)
        self.send_command("GET FULL VARIABLE", f'"{marker}{asked}{marker}"')
        opening, closing, answer = f"200 result=1 ({marker}", f"{marker})\n", ""
        for line in self._lines():
            if answer or line.startswith(opening):
                answer += line + "\n"
                # A value may begin with ")" and a newline: only the last marker ends the answer.
                if answer.endswith(closing) and answer.count(marker) > len(expressions):
                    break
            elif _is_answer(line) and line.startswith("5"):
                raise ChannelGone(f"it said {line!r}")
        return answer[len(opening) : -len(closing)].split(marker)


class Channel(Mapping[str, str]):
    """The channel's variables and functions, raw: empty if unset; KeyError means that Asterisk could not be asked."""

    def __init__(self, arguments: list[str], stdin: int = 0, stdout: int = 1) -> None:
        first = arguments[0] if arguments else ""
        self.argument = "" if first == "hold" else first
        self.held = "hold" in arguments
        self.trouble = ""  # why Asterisk can no longer be asked; empty while it answers
        self._values: dict[str, str] = {}
        self._environment: dict[str, str] = {}
        self._marker = os.urandom(12).hex()
        signal.signal(signal.SIGALRM, _too_slow)
        self._converse(lambda: self._connect(stdin, stdout))

    def _connect(self, stdin: int, stdout: int) -> None:
        # Under a real locale stdin would be strict UTF-8, and a bare \r would end a line. Both live as long as we do.
        reading = open(stdin, encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False)  # noqa: SIM115
        writing = open(stdout, "w", encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False)  # noqa: SIM115
        # Without pyst2's debug output: Asterisk's stderr may be a pipe that nobody reads.
        self._connection = Connection(reading, writing, types.SimpleNamespace(write=lambda text: None))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # pyst2 has just put its own handler there
        self._environment = self._connection.env
        self._connection.synchronise(self._marker)

    def _converse(self, step: Callable[[], Answer]) -> Answer | None:
        """Return the result of one exchange, None if it fails; after the first failure there are no more exchanges."""
        if self.trouble:
            return None
        try:
            # Repeated each second: an alarm just before a read begins would let it wait for ever.
            signal.setitimer(signal.ITIMER_REAL, PATIENCE, 1.0)
            return step()
        except (ChannelGone, AGIException, OSError, ValueError) as error:
            self.trouble = clean(str(error)) or type(error).__name__
            return None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def __getitem__(self, name: str) -> str:
        if name not in self._values:
            names = TOGETHER if name in TOGETHER else (name,)
            values = self._converse(lambda: self._connection.ask(names, self._marker))
            self._values.update(zip(names, values or ()))
            if values is None:
                self._values[name] = self._environment[ENVIRONMENT[name]]
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def say(self, status: str, line: str) -> None:
        """Set PBXNOTIFYSTATUS and show a line on the Asterisk console, if Asterisk still answers."""
        self._converse(lambda: self._connection.set_variable("PBXNOTIFYSTATUS", status))
        self._converse(lambda: self._connection.verbose(line))


def _is_answer(line: str) -> bool:
    return line[:3].isdecimal() and line[3:4] == " "


def _too_slow(signal_number: int, frame: object) -> None:
    raise ChannelGone(f"it did not answer for {PATIENCE:g} s")
