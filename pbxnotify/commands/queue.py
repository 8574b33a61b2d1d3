"""The admin's commands for the queue: what waits, and what becomes of it."""

from __future__ import annotations

import argparse
import os
import syslog
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.commands import terminal
from pbxnotify.delivery import settings_watch
from pbxnotify.delivery.runner import run_queue
from pbxnotify.errors import NewerItem, SettingsError, UsageError
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool, open_spool


def list_items(options: argparse.Namespace) -> int:
    """List what waits and what has failed, a line each."""
    spool = open_spool()
    for folder in ("queue", "failed"):
        for identifier in spool.identifiers(folder):
            print(_line(spool, identifier, folder), end="")
    for name in spool.damaged():
        print(f"{name} damaged: its file is in {spool.directory}/failed/")
    _say_rest(spool)
    return os.EX_OK


def _line(spool: Spool, identifier: str, folder: str) -> str:
    """Return an item on a line of the list; nothing if it is gone by now."""
    try:
        item = QueueFile.read(spool.directory, identifier, folder)
    except NewerItem as error:
        return f"{identifier} {folder:6} {error}\n"
    if item is None:
        return ""
    caller, called = item.event.parties()
    return f"{identifier} {folder:6} {item.event.kind:9} {caller} -> {called}  {item.reason}\n"


def show(options: argparse.Namespace) -> int:
    """Show an item whole."""
    spool = open_spool()
    for identifier in options.id:
        item = QueueFile.read(spool.directory, identifier, _folder(spool, identifier))
        print(item.to_json() if item else f"{identifier}: gone", end="")
    return os.EX_OK


def run(options: argparse.Namespace) -> int:
    """Send what is due, with --all everything, and say why the rest waits."""
    spool = open_spool()
    with spool.alone() as alone:
        if not alone:
            print("pbxnotify: another  pbxnotify queue run  is at work: what is due leaves with that one")
            return os.EX_TEMPFAIL
        state.write(spool.directory, state.RUN)
        spool.sweep()
        _notice_changes(spool)
        _keep_login()
        with terminal.waiting("the relay"):
            states = run_queue(spool, everything=options.all)
    state.write(spool.directory, state.RUN)
    if states:
        print("pbxnotify: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    if spool.identifiers():
        _say_rest(spool)
    return os.EX_TEMPFAIL if spool.identifiers() else os.EX_OK


def _notice_changes(spool: Spool) -> None:
    """Look whether the ini file was changed; whatever that comes to, mails must leave all the same."""
    try:
        settings_watch.notice(spool)
    except Exception as error:
        log.write(syslog.LOG_ERR, f"error: the ini file cannot be looked at: {type(error).__name__}: {error}")


def _keep_login() -> None:
    """Have a login renewed that the provider would end as nobody uses it; whatever comes of it, mails must leave."""
    if not os.path.exists(token_store.path()):
        return
    path = ini_path()
    with suppress(SettingsError):
        relay = load_settings_as_of(path, ini_fingerprint(path)).smtp
        if token_store.may_end_soon(relay):
            from pbxnotify.smtp.oauth import refresh

            refresh.keep_login(relay)


def _say_rest(spool: Spool) -> None:
    """Say until when the relay is left alone, if it is."""
    noted = read_backoff(spool.directory)
    if noted.holds(ini_fingerprint(ini_path())):
        print(f"the relay is left alone until {time.strftime('%H:%M:%S', time.localtime(noted.until))}: {noted.reason}")


def retry(options: argparse.Namespace) -> int:
    """Put items back as if they had just been queued; who does so wants the relay to be tried again."""
    spool = open_spool()
    write_backoff(spool.directory, None)
    for identifier in options.id:
        entry = _locked(spool, identifier)
        entry.retry()
        entry.release()
        print(f"{identifier}: queued again; it leaves with the next  pbxnotify queue run")
    return os.EX_OK


def remove(options: argparse.Namespace) -> int:
    """Remove items unsent; what they told of is shown."""
    spool = open_spool()
    for identifier in options.id:
        entry = _locked(spool, identifier)
        print(entry.item.to_json(), end="")
        entry.end("skipped", "removed by hand")
        print(f"{identifier}: removed, nobody has been told")
    return os.EX_OK


def _folder(spool: Spool, identifier: str) -> str:
    """Return where an item is. Raises UsageError if it is nowhere."""
    for folder in ("queue", "failed"):
        if identifier in spool.identifiers(folder):
            return folder
    raise UsageError(f"there is no item {identifier}: see  pbxnotify queue list")


def _locked(spool: Spool, identifier: str) -> QueueFile:
    entry = spool.lock(identifier, _folder(spool, identifier))
    if entry is None:
        raise UsageError(f"{identifier} is being sent at this moment: try again in a minute")
    return entry


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue run``."""
    parser.add_argument("--all", action="store_true", help="send everything, due or not")


def add_ids(parser: argparse.ArgumentParser) -> None:
    """Declare the items that a command is about."""
    parser.add_argument("id", nargs="+", metavar="ID")
