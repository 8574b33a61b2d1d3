"""``pbxnotify edit``: the ini file in an editor of your choice, replaced only if it has no mistakes (like visudo)."""

from __future__ import annotations

import argparse
import os
import re
from contextlib import ExitStack, suppress
from pathlib import Path

from pbxnotify.commands import terminal, testmail
from pbxnotify.commands.check import say_notes
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import SettingsError
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.root import RemoteRoot, Root, beside_root
from pbxnotify.settings.sections import Settings


class Edited(NamedTuple):
    """A new version of the ini file, without mistakes."""

    text: str
    settings: Settings


def edit(options: argparse.Namespace) -> int:
    """Edit a copy of the ini file, replace the file if the copy has no mistakes, and send a test mail."""
    path = Path(ini_path())
    with beside_root(str(path)) as root, ExitStack() as stack:
        stack.enter_context(rewrite.exclusively(path))
        stack.enter_context(terminal.hangup_interrupts())
        text, before = rewrite.read(path), None
        with suppress(SettingsError):
            before = load_settings(path)
        edited = _edited(root, path, text)
        if edited is None or edited.text == text:
            print(f"{path}: unchanged")
            return os.EX_OK if edited else os.EX_CONFIG
        stack.enter_context(settings_watch.unnoticed())
        _replace(root, path, text, edited.text)
        options.interrupted = f"{path} is already changed"
        print(f"{path}: changed")
        return _follow(edited.settings, before)


def _replace(root: Root | RemoteRoot, path: Path, before: str, text: str) -> None:
    """Replace the file. Raises SettingsError, which keeps the copy, if that fails."""
    try:
        if rewrite.read(path) != before:
            raise SettingsError(f"{path}: not replaced: somebody else changed it in the meantime")
        root.replace(text)
    except SettingsError as error:
        raise SettingsError(*error.problems, f"your changes are kept in {root.keep(text)}") from None


def _follow(settings: Settings, before: Settings | None) -> int:
    """Show notes, and send a test mail if the mail settings changed. Raises RelayError."""
    say_notes(settings)
    is_news = settings_watch.is_news(settings, before)
    if is_news and not settings.notifications.enabled:
        print("no test mail: notifications are switched off")
    elif is_news and not settings.notifications.admin_email:
        print("no test mail: [notifications] admin_email is empty; try  pbxnotify test you@example.com")
    elif is_news:
        testmail.send(settings, settings.notifications.admin_email)
    settings_watch.note(settings)  # until then  queue run  would test it again
    return os.EX_OK


def _edited(root: Root | RemoteRoot, path: Path, text: str) -> Edited | None:
    """Return what an editor made of the file; None if it is left with mistakes in it."""
    while True:
        try:
            content = root.edit(text).encode("utf-8", "surrogateescape")
            if not re.search(rb"^\s*\[", content, re.MULTILINE) and path.stat().st_size:
                raise SettingsError(f"{path}: the editor left no section in it")
            settings = load_settings(path, content)
            return Edited(content.decode(), settings)
        except SettingsError as error:
            for problem in error.problems:
                print(terminal.coloured(problem, "red"))
        if not terminal.is_answered():
            return None
        if terminal.ask_letter("e to edit again, q to leave the file unchanged", "eq") == "q":
            return None
