"""``pbxnotify edit``: the ini file in the admin's editor, put in place only when it has no mistakes (like visudo)."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from pbxnotify import changes, revision, settings, terminal, trial
from pbxnotify.check import say_notes
from pbxnotify.errors import SettingsError, UsageError
from pbxnotify.settings import Settings

EDITORS = ("sensible-editor", "editor", "nano", "vi")
"""What is tried where neither $VISUAL nor $EDITOR is set."""


def edit(options: argparse.Namespace) -> int:
    """Edit the ini file: a copy first, which takes its place when it can be used; then a test mail."""
    path = Path(settings.location())
    revision.refuse_unwritable(path)
    with revision.alone(path), terminal.hangup_interrupts(), ExitStack() as stack:
        text, before = revision.read(path), _usable(path)
        with revision.Copy(path, text) as copy:
            configured = _edited(path, copy)
            written = copy.content().decode() if configured else text
            if configured is None or written == text:
                print(f"{path}: nothing is changed")
                return os.EX_OK if configured else os.EX_CONFIG
            stack.enter_context(changes.unnoticed())
            _put_in_place(path, text, written, copy)
        options.interrupted = f"{path} is changed already"
        print(f"{path}: changed")
        return _follow(configured, before)


def _put_in_place(path: Path, before: str, written: str, copy: revision.Copy) -> None:
    """Put what was written in place. Raises SettingsError, and keeps it, where that cannot be."""
    try:
        if revision.read(path) != before:
            raise SettingsError(f"{path}: somebody else has changed it meanwhile: nothing is changed")
        revision.put_in_place(path, written)
    except SettingsError as error:
        raise SettingsError(*error.problems, copy.keep()) from None


def _follow(configured: Settings, before: Settings | None) -> int:
    """Do what follows from a change: notes, and a test mail if the mail settings changed. Raises RelayError."""
    say_notes(configured)
    is_news = changes.is_news(configured, before)
    if is_news and not configured.notifications.enabled:
        print("no test mail: notifications are switched off")
    elif is_news and not configured.notifications.admin_email:
        print("no test mail: [notifications] admin_email is empty; try  pbxnotify test you@example.com")
    elif is_news:
        trial.send(configured, configured.notifications.admin_email)
    changes.note(configured)  # until then the run of the queue would try it again
    return os.EX_OK


def _edited(path: Path, copy: revision.Copy) -> Settings | None:
    """Return the settings in the copy as the admin leaves it; None if it is left with mistakes in it."""
    while True:
        _run_editor(copy.path)
        try:
            return _settings_in(path, copy.content())
        except SettingsError as error:
            for problem in error.problems:
                print(terminal.coloured(problem, "red"))
        if not terminal.is_answered():
            return None
        if terminal.ask_letter("e to edit again, q to leave the file as it was", "eq") == "q":
            return None


def _settings_in(path: Path, content: bytes) -> Settings:
    """Return what the file would mean. Raises SettingsError, also where everything is gone from it."""
    if not re.search(rb"^\s*\[", content, re.MULTILINE) and path.stat().st_size:
        raise SettingsError(f"{path}: the editor has left no section in it")
    return settings.load(path, content)


def _run_editor(path: Path) -> None:
    """Run the editor and wait for it; Ctrl-C belongs to it. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        command = shlex.split(named) or [next((one for one in EDITORS if shutil.which(one)), "vi")]
    except ValueError:
        raise UsageError("$VISUAL or $EDITOR is no command line; try  EDITOR=nano pbxnotify edit") from None
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = subprocess.run([*command, str(path)], check=False, preexec_fn=_with_own_sigint).returncode
    except OSError as error:
        why = f"{command[0]}: {error.strerror}; name your editor as in  EDITOR=nano pbxnotify edit"
        raise UsageError(f"the editor cannot be run: {why}") from None
    finally:
        signal.signal(signal.SIGINT, ours)
    if status:
        raise UsageError(f"the editor {command[0]} ended with {status}: nothing is changed")


def _with_own_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _usable(path: Path) -> Settings | None:
    """Return the settings so far; None of a file that could not be used."""
    try:
        return settings.load(path)
    except SettingsError:
        return None
