"""``pbxnotify edit``: the ini file in an editor of your choice, replaced only if it has no mistakes (like visudo)."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from pbxnotify.commands import terminal, testmail
from pbxnotify.commands.check import say_notes
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import SettingsError, SpoolError, UsageError
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.spool.owner import become_spool_owner

EDITORS = ("sensible-editor", "editor", "nano", "vi")  # tried in this order if neither $VISUAL nor $EDITOR is set


def edit(options: argparse.Namespace) -> int:
    """Edit a copy of the ini file, replace the file if the copy has no mistakes, and send a test mail."""
    path = Path(ini_path())
    rewrite.refuse_unwritable(path)
    with rewrite.exclusively(path), terminal.hangup_interrupts(), ExitStack() as stack:
        text, before = rewrite.read(path), None
        with suppress(SettingsError):
            before = load_settings(path)
        with rewrite.private_copy(path, text) as copy:
            settings = _edited(path, copy)
            written = rewrite.read(copy) if settings else text
            if settings is None or written == text:
                print(f"{path}: unchanged")
                return os.EX_OK if settings else os.EX_CONFIG
            stack.enter_context(settings_watch.unnoticed())
            _replace(path, text, written, copy)
        options.interrupted = f"{path} is already changed"
        print(f"{path}: changed")
        return _follow(settings, before)


def _replace(path: Path, before: str, written: str, copy: Path) -> None:
    """Replace the file. Raises SettingsError, which keeps the copy, if that fails."""
    try:
        if rewrite.read(path) != before:
            raise SettingsError(f"{path}: not replaced: somebody else changed it in the meantime")
        rewrite.replace(path, written)
    except SettingsError as error:
        raise SettingsError(*error.problems, f"your changes are kept in {copy}") from None


def _follow(settings: Settings, before: Settings | None) -> int:
    """Show notes, and send a test mail if the mail settings changed. Raises RelayError."""
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
    settings_watch.note(settings)  # until then  queue run  would test it again
    return os.EX_OK


def _edited(path: Path, copy: Path) -> Settings | None:
    """Return the settings in the edited copy; None if it is left with mistakes in it."""
    while True:
        _run_editor(copy)
        try:
            content = copy.read_bytes()
            if not re.search(rb"^\s*\[", content, re.MULTILINE) and path.stat().st_size:
                raise SettingsError(f"{path}: the editor left no section in it")
            return load_settings(path, content)
        except SettingsError as error:
            for problem in error.problems:
                print(terminal.coloured(problem, "red"))
        except OSError as error:
            print(terminal.coloured(f"the editor left no readable file: {error.strerror}", "red"))
        if not terminal.is_answered():
            return None
        if terminal.ask_letter("e to edit again, q to leave the file unchanged", "eq") == "q":
            return None


def _run_editor(path: Path) -> None:
    """Run the editor, which alone gets Ctrl-C, and wait for it. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        command = shlex.split(named) or [next((one for one in EDITORS if shutil.which(one)), "vi")]
    except ValueError:
        raise UsageError("$VISUAL or $EDITOR is not a valid command line; try  EDITOR=nano pbxnotify edit") from None
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        default_sigint = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        status = subprocess.run([*command, str(path)], check=False, preexec_fn=default_sigint).returncode
    except OSError as error:
        why = f"{command[0]}: {error.strerror}; choose another one, as in  EDITOR=nano pbxnotify edit"
        raise UsageError(f"cannot run the editor: {why}") from None
    finally:
        signal.signal(signal.SIGINT, ours)
    if status:
        raise UsageError(f"the editor {command[0]} failed with exit status {status}: nothing is changed")
