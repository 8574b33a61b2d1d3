"""Notes of ``pbxnotify check`` on the way of a call to us: Asterisk's directories, its dialplan, the AGI scripts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from pbxnotify.asterisk import config
from pbxnotify.asterisk.console import console_answer
from pbxnotify.errors import AsteriskUnavailable

SCRIPTS = ("pbxnotify-missed.agi", "pbxnotify-voicemail.agi")
CALLS_US = re.compile(r"pbxnotify(,watch|-(missed|voicemail)\.agi)")


def dialplan_notes() -> Iterator[str]:
    """Yield the notes, as Asterisk's user."""
    running = ""
    try:
        running = console_answer("core show settings")
        yield from _directory_notes(running)
        yield from _dialplan_notes()
    except AsteriskUnavailable as error:
        yield f"the running Asterisk cannot be asked{' any further' if running else ''}: {error}"
    yield from _script_notes(_directory("AGI Scripts", running) or config.agi_directory())


def _dialplan_notes() -> Iterator[str]:
    """Note a dialplan that does not lead calls to us. Raises AsteriskUnavailable."""
    if "'watch'" not in console_answer("dialplan show pbxnotify"):
        yield 'the dialplan does not include ours: write #include "extensions_pbxnotify.conf" into extensions.conf'
        return
    own_context = r"(?ms)^\[ Context 'pbxnotify'.*?(?=^\[ Context|\Z)"
    if not CALLS_US.search(re.sub(own_context, "", console_answer("dialplan show"))):
        yield "no extension of the dialplan calls pbxnotify: write Gosub(pbxnotify,watch,1(101)) before Dial(PJSIP/101)"


def _directory_notes(running: str) -> Iterator[str]:
    for name, ours, variable in (
        ("Configuration", config.configuration_directory(), "AST_CONFIG_DIR"),
        ("Spool", config.spool_directory(), "AST_SPOOL_DIR"),
    ):
        theirs = _directory(name, running)
        if theirs and os.path.realpath(theirs) != os.path.realpath(ours):
            where = f"{name.lower()} directory is {theirs}, not {ours}"
            yield f"the running Asterisk's {where}: set {variable}={theirs}"


def _directory(name: str, running: str) -> str:
    found = re.search(rf"^\s*{name} directory:\s*(\S.*?)\s*$", running, re.MULTILINE)
    return found[1] if found else ""


def _script_notes(directory: str) -> Iterator[str]:
    for name in SCRIPTS:
        path = os.path.join(directory, name)
        if not os.path.exists(path):
            yield f"{path} does not exist, or not for Asterisk's user: run  make install"
        elif not os.access(path, os.R_OK | os.X_OK):
            yield f"Asterisk's user may not execute {path}: chmod 755 {os.path.realpath(path)}"
        else:
            yield from _interpreter_notes(path)


def _interpreter_notes(script: str) -> Iterator[str]:
    with open(script, "rb") as file:
        words = os.fsdecode(file.readline()).split()
    if not words or not words[0].startswith("#!/"):
        yield f"{script} does not begin with #! and an interpreter: run  make install"
    elif not os.access(words[0][2:], os.X_OK):
        yield f"Asterisk's user may not execute {words[0][2:]}, which {script} needs: install with another PYTHON"
