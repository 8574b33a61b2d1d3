"""The administrator at a terminal: safe output, colours, questions and progress messages.

What commands print goes through ``SafeStream``: nothing that files, callers, relays or Asterisk say can make a terminal
do anything; only our own colours can.
"""

from __future__ import annotations

import codecs
import getpass
import io
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO, cast

from pbxnotify.errors import LoginUnavailable, UsageError
from pbxnotify.text import escaped, visible

COLOURS = {"red": 31, "green": 32, "yellow": 33}
ESCAPE = f"\033{os.urandom(8).hex()}["  # begins our own sequences until they are written: no file can name it
NO_ANSWER = "no answer: nothing is changed"
PATIENCE = 1.0  # seconds of waiting after which a message says what for
PAUSE = 0.3  # seconds between the lines of one paste, at most: a long address may have been copied as several
LONGEST_PASTE = 65536  # bytes


class SafeStream:
    """A text stream that writes each control character as ``\\uXXXX``, but for line ends, tabs and our own colours.

    What the encoding of the stream lacks is written in the same way, so JSON stays JSON.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pbxnotify.escaped")

    def __getattr__(self, name: str) -> Any:
        """Return what else the stream has."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, made safe."""
        return self._stream.write("\033[".join(visible(part, kept="\n\t") for part in text.split(ESCAPE)))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts, made safe."""
        self.write("".join(lines))


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(escaped, error.object[error.start : error.end])), error.end


codecs.register_error("pbxnotify.escaped", _escape_unencodable)


def guard() -> None:
    """Make standard output and standard error safe from now on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, SafeStream):  # None if it was closed before we started
            setattr(sys, name, cast(TextIO, SafeStream(stream)))


def row(name: str, text: str) -> None:
    """Print a value under its name, on one line whatever is in it."""
    print(f"{name:16} {visible(text)}")


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return text in a colour, if the stream (stdout) is a terminal that wants it: see https://no-color.org.

    It is to be printed to a ``SafeStream``.
    """
    if not _is_terminal(stream or sys.stdout) or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return text
    return f"{ESCAPE}{COLOURS[colour]}m{text}{ESCAPE}0m"


def is_answered() -> bool:
    """Return whether there is somebody to ask."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()  # None if it was closed before we started


def complain(error: Exception) -> None:
    """Print an error to stderr, each sentence on a line that begins with our name."""
    for sentence in str(error).splitlines():
        print(f"pbxnotify: {coloured(sentence, 'red', sys.stderr)}", file=sys.stderr)


def note(text: str) -> None:
    """Print something that is not a mistake, but worth knowing."""
    print(f"{coloured('NOTE', 'yellow')}  {visible(text)}")


def ask(question: str, default: str = "", check: Callable[[str], object] = str) -> str:
    """Return the answer to a question, or the default if it is empty; asks again while ``check`` raises ValueError.

    A single ``-`` stands for an empty answer, whatever the default. Raises UsageError when input ends.
    """
    while True:
        try:
            # readline writes the question itself.
            answer = input(visible(f"{question} [{default}]: " if default else f"{question}: ", kept="\n")).strip()
        except EOFError:
            print()
            raise UsageError(NO_ANSWER) from None
        answer = "" if answer == "-" else answer or default
        try:
            check(answer)
            return answer
        except ValueError as error:
            print(coloured(f"  {error}", "red"))


def ask_secretly(question: str) -> str:
    """Return an answer that is not shown. Raises UsageError when input ends."""
    try:
        return getpass.getpass(f"{visible(question)}: ")
    except EOFError:
        print()
        raise UsageError(NO_ANSWER) from None
    except UnicodeDecodeError:
        raise UsageError("the answer is not valid UTF-8: nothing is changed") from None


def ask_letter(question: str, letters: str) -> str:
    """Return one of some letters; the first is the default. Raises UsageError when input ends."""

    def check(answer: str) -> None:
        if answer not in tuple(letters):
            raise ValueError(f"answer {' or '.join(letters)}")

    return ask(question, letters[0], check)


def choose(question: str, choices: Sequence[str], default: int | None = 0) -> int:
    """Return the index of a choice, which is given by its number. Raises UsageError when input ends."""

    def check(answer: str) -> None:
        if not (answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices)):
            raise ValueError(f"{answer!r} is not a number from 1 to {len(choices)}")

    for number, choice in enumerate(choices, 1):
        print(f"  {number}  {choice}")
    return int(ask(question, "" if default is None else str(default + 1), check)) - 1


def pasted_address(seconds: float) -> str:
    """Return a pasted address without line ends, quotes, terminal marks; raises LoginUnavailable when none comes."""
    pasted, until = b"", time.monotonic() + seconds
    while sys.stdin and len(pasted) < LONGEST_PASTE:  # None is one that was closed before we began
        # In short waits: a signal that comes just before one begins is only noticed after it.
        if select.select([0], [], [], PAUSE)[0]:
            piece = os.read(0, LONGEST_PASTE)
            pasted += piece
            if not piece:
                break
        elif pasted or time.monotonic() > until:
            break
    if not pasted:
        raise LoginUnavailable("no address was pasted: nothing is changed")
    text = re.sub(r"\x1b\[20[01]~|\s", "", pasted.decode(errors="replace"))
    return text.strip("'\"<>").replace("&amp;", "&")


@contextmanager
def waiting(for_what: str) -> Iterator[None]:
    """Print on a terminal what we wait for, should it take longer than a second."""
    with ExitStack() as stack:
        if _is_terminal(sys.stderr):
            timer = threading.Timer(PATIENCE, lambda: print(f"waiting for {for_what} ...", file=sys.stderr, flush=True))
            timer.daemon = True
            timer.start()
            stack.callback(timer.cancel)
        yield


@contextmanager
def hangup_interrupts() -> Iterator[None]:
    """Treat a closed terminal (SIGHUP) and SIGTERM like Ctrl-C, so that what is half done is cleaned up."""
    with ExitStack() as before:
        for number in (signal.SIGHUP, signal.SIGTERM):
            before.callback(signal.signal, number, signal.signal(number, signal.default_int_handler))
        yield
