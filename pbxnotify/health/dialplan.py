"""Notes of ``pbxnotify check`` on the way of a call to us: Asterisk's directories, its dialplan, the AGI scripts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from pbxnotify.asterisk import config
from pbxnotify.asterisk.console import console_answer
from pbxnotify.asterisk.dialplan import Line, running_dialplan, written_dialplan
from pbxnotify.errors import AsteriskUnavailable, DialplanError
from pbxnotify.health.dialplan_lint import dialplan_mistakes
from pbxnotify.settings.sections import Settings

SCRIPTS = ("pbxnotify-missed.agi", "pbxnotify-voicemail.agi")


def dialplan_notes(settings: Settings) -> Iterator[str | DialplanError]:
    """Yield the notes, and an error where calls are dropped, as Asterisk's user."""
    running, written = "", written_dialplan()
    try:
        running = console_answer("core show settings")
        yield from _directory_notes(running)
        lines = running_dialplan()
        yield from dialplan_mistakes(lines, written, settings)
        yield from _application_notes(lines)
    except AsteriskUnavailable as error:
        yield f"the running Asterisk cannot be asked{' any further' if running else ''}: {error}"
        if not running and written.lines:
            yield from dialplan_mistakes(written.lines, written, settings)
    yield from _script_notes(_directory("AGI Scripts", running) or config.agi_directory())


def _application_notes(lines: Sequence[Line]) -> Iterator[str]:
    """Note a VoiceMail that the dialplan has and Asterisk has not. Raises AsteriskUnavailable."""
    if not any(line.application.lower() == "voicemail" for line in lines):
        return
    if "VoiceMail:" in console_answer("core show applications like VoiceMail"):
        return
    # Debian has several variants of the module, which take the application from each other; so does res_mwi_external.
    cure = "load => app_voicemail.so"
    for other in ("app_voicemail_odbc", "res_mwi_external"):
        if other in console_answer(f"module show like {other}"):
            cure = f"noload => {other}.so"
    yield f"Asterisk has no application VoiceMail, at which calls are dropped: write {cure} into modules.conf"


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
