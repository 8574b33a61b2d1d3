"""``pbxnotify edit``: the ini file in the admin's editor, put in place only when it has no mistakes (like visudo)."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

from pbxnotify.commands import terminal, testmail
from pbxnotify.commands.check import say_notes
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import SettingsError, SpoolError, UsageError
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.spool.owner import become_spool_owner

EDITORS = ("sensible-editor", "editor", "nano", "vi")
"""What is tried where neither $VISUAL nor $EDITOR is set."""


def edit(options: argparse.Namespace) -> int:
    """Edit the ini file: a copy first, which takes its place when it can be used; then a test mail."""
    path = Path(ini_path())
    rewrite.refuse_unwritable(path)
    with rewrite.alone(path), terminal.hangup_interrupts(), ExitStack() as stack:
        text, before = rewrite.read(path), _usable(path)
        with rewrite.Copy(path, text) as copy:
            settings = _edited(path, copy)
            written = copy.content().decode() if settings else text
            if settings is None or written == text:
                print(f"{path}: nothing is changed")
                return os.EX_OK if settings else os.EX_CONFIG
            stack.enter_context(settings_watch.unnoticed())
            _put_in_place(path, text, written, copy)
        options.interrupted = f"{path} is changed already"
        print(f"{path}: changed")
        return _follow(settings, before)


def _put_in_place(path: Path, before: str, written: str, copy: rewrite.Copy) -> None:
    """Put what was written in place. Raises SettingsError, and keeps it, where that cannot be."""
    try:
        if rewrite.read(path) != before:
            raise SettingsError(f"{path}: somebody else has changed it meanwhile: nothing is changed")
        rewrite.put_in_place(path, written)
    except SettingsError as error:
        raise SettingsError(*error.problems, copy.keep()) from None


def _follow(settings: Settings, before: Settings | None) -> int:
    """Do what follows from a change: notes, and a test mail if the mail settings changed. Raises RelayError."""
    say_notes(settings)
    with suppress(SpoolError):
        become_spool_owner()
    is_news = settings_watch.is_news(settings, before)
    if is_news and not settings.notifications.enabled:
        print("no test mail: notifications are switched off")
    elif is_news and not settings.notifications.admin_email:
        print("no test mail: [notifications] admin_email is empty; try  pbxnotify test you@example.com")
    elif is_news:
        testmail.send(settings, settings.notifications.admin_email)
    settings_watch.note(settings)  # until then the run of the queue would try it again
    return os.EX_OK


def _edited(path: Path, copy: rewrite.Copy) -> Settings | None:
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
    return load_settings(path, content)


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
        return load_settings(path)
    except SettingsError:
        return None
