"""``pbxnotify edit``: the ini file in the admin's editor, put in place only when it has no mistakes (like visudo)."""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pbxnotify import changes, checkup, revision, settings, terminal, trial
from pbxnotify.errors import SettingsError, UsageError
from pbxnotify.settings import Settings

EDITORS = ("sensible-editor", "editor", "nano", "vi")
"""What is tried where neither $VISUAL nor $EDITOR is set."""


def edit(options: argparse.Namespace) -> int:
    """Edit the ini file: a copy first, which takes its place when it can be used; then a test mail."""
    path = settings.location()
    revision.refuse_unwritable(path)
    text = revision.read(path)
    with _alone(path), revision.copy_of(path, text) as copy:
        configured = _edited(path, copy)
        written = revision.read(copy) if configured else text
        if configured is None or written == text:
            print(f"{path}: nothing is changed")
            return os.EX_OK if configured else os.EX_CONFIG
        before = _mail_settings(path)
        if revision.read(path) != text:
            raise SettingsError(f"{path}: somebody else has changed it meanwhile: nothing is changed, edit it again")
        revision.put_in_place(path, written)
    print(f"{path}: changed")
    for note in checkup.of_settings(configured):
        print(f"{terminal.coloured('NOTE', 'yellow')}  {note}")
    changes.note(configured)
    if before != changes.mail_settings(configured):
        _test(configured)
    return os.EX_OK


def _edited(path: Path, copy: Path) -> Settings | None:
    """Return the settings in the copy as the admin leaves it; None if it is left with mistakes in it."""
    while True:
        _run_editor(copy)
        try:
            return settings.load(path, copy)
        except SettingsError as error:
            for problem in error.problems:
                print(terminal.coloured(problem, "red"))
        if not terminal.is_answered():
            return None
        answer = terminal.ask("e to edit again, q to leave the file as it was", "e", _e_or_q)
        if answer == "q":
            return None


def _e_or_q(answer: str) -> None:
    if answer not in ("e", "q"):
        raise ValueError("answer e or q")


def _run_editor(copy: Path) -> None:
    """Run the editor and wait for it; Ctrl-C belongs to it. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        command = shlex.split(named) or [next((one for one in EDITORS if shutil.which(one)), "vi")]
    except ValueError:
        raise UsageError("$VISUAL or $EDITOR is no command line; try  EDITOR=nano pbxnotify edit") from None
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = subprocess.run([*command, str(copy)], check=False, preexec_fn=_with_own_sigint).returncode
    except OSError as error:
        why = f"{command[0]}: {error.strerror}; name your editor as in  EDITOR=nano pbxnotify edit"
        raise UsageError(f"the editor cannot be run: {why}") from None
    finally:
        signal.signal(signal.SIGINT, ours)
    if status:
        raise UsageError(f"the editor {command[0]} ended with {status}: nothing is changed")


def _with_own_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second editor away from the file. Raises SettingsError."""
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"{path}: it is being edited by somebody else: try again when they are done") from None
        yield


def _mail_settings(path: Path) -> tuple[object, ...]:
    """Return the mail settings so far; none of a file that could not be used."""
    try:
        return changes.mail_settings(settings.load(path))
    except SettingsError:
        return ()


def _test(configured: Settings) -> None:
    """Send a test mail to the administrator. Raises RelayError."""
    addresses = configured.notifications.admin_email
    if addresses:
        trial.send(configured, addresses)
    else:
        print("no test mail: [notifications] admin_email is empty; try  pbxnotify test you@example.com")
