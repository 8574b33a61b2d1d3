"""``pbxnotify queue``: list, show, send, retry and remove items."""

from __future__ import annotations

import argparse
import os
import syslog
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.commands import terminal
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import NewerItem, SettingsError, UsageError
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import read_backoff, write_backoff
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool, open_spool


def list_items(options: argparse.Namespace) -> int:
    """List the items that wait and those that have failed, a line each."""
    spool = open_spool()
    for folder in ("queue", "failed"):
        for identifier in spool.identifiers(folder):
            print(_line(spool, identifier, folder), end="")
    for name in spool.damaged():
        print(f"{name} damaged: its file is in {spool.directory}/failed/")
    _print_backoff(spool)
    return os.EX_OK


def _line(spool: Spool, identifier: str, folder: str) -> str:
    """Return an item's line of the list; empty if it is gone by now."""
    try:
        item = QueueFile.read(spool.directory, identifier, folder)
    except NewerItem as error:
        return f"{identifier} {folder:6} {error}\n"
    if item is None:
        return ""
    caller, called = item.event.parties()
    return f"{identifier} {folder:6} {item.event.kind:9} {caller} -> {called}  {item.reason}\n"


def show(options: argparse.Namespace) -> int:
    """Print items as they are in their files."""
    spool = open_spool()
    for identifier in options.id:
        item = QueueFile.read(spool.directory, identifier, _folder(spool, identifier))
        print(item.to_json() if item else f"{identifier}: gone", end="")
    return os.EX_OK


def run(options: argparse.Namespace) -> int:
    """Send what is due, with --all everything, and print until when the relay is not tried."""
    from pbxnotify.delivery.runner import QueueRun  # brings mail composition, which only this action needs

    spool = open_spool()
    queue_run = QueueRun(spool, each_minute=lambda: _begin(spool))
    with spool.alone() as alone:
        if not alone:
            others = "queue run, edit, setup, or a command that notifies"
            print(f"pbxnotify: another command is using the queue ({others}): try again in a minute")
            return os.EX_TEMPFAIL
        spool.sweep()
        _keep_login()
        with terminal.waiting("the relay"):
            queue_run.deliver_due(everything=options.all)
    queue_run.take_along()
    if queue_run.states:
        print("pbxnotify: " + ", ".join(f"{count} {state}" for state, count in sorted(queue_run.states.items())))
    if not spool.identifiers():
        return os.EX_OK
    _print_backoff(spool)
    return os.EX_TEMPFAIL


def _begin(spool: Spool) -> None:
    """Record that the queue is run, and check a changed ini file; an error there must not keep mails from leaving."""
    state.write(spool.directory, state.RUN)
    try:
        settings_watch.notice(spool)
    except Exception as error:
        log.write(syslog.LOG_ERR, f"error: the ini file cannot be checked: {type(error).__name__}: {error}")


def _keep_login() -> None:
    """Renew a login that the provider would end because it is unused; an error must not keep mails from leaving."""
    if not os.path.exists(token_store.path()):
        return
    path = ini_path()
    with suppress(SettingsError):
        relay = load_settings_as_of(path, ini_fingerprint(path)).smtp
        if token_store.may_end_soon(relay):
            from pbxnotify.smtp.oauth import refresh

            refresh.keep_login(relay)


def _print_backoff(spool: Spool) -> None:
    backoff = read_backoff(spool.directory)
    if backoff.holds(ini_fingerprint(ini_path())):
        until = time.strftime("%H:%M:%S", time.localtime(backoff.until))
        print(f"the relay is not tried until {until}: {backoff.reason}")


def retry(options: argparse.Namespace) -> int:
    """Put items back into the queue as if they were new; that ends the relay backoff as well."""
    spool = open_spool()
    write_backoff(spool.directory, None)
    for identifier in options.id:
        queue_file = _locked(spool, identifier)
        queue_file.retry()
        queue_file.release()
        print(f"{identifier}: queued again; it leaves with the next  pbxnotify queue run")
    return os.EX_OK


def remove(options: argparse.Namespace) -> int:
    """Remove items unsent, and print them."""
    spool = open_spool()
    for identifier in options.id:
        queue_file = _locked(spool, identifier)
        print(queue_file.item.to_json(), end="")
        queue_file.end("skipped", "removed by the admin")
        print(f"{identifier}: removed unsent")
    return os.EX_OK


def _folder(spool: Spool, identifier: str) -> str:
    for folder in ("queue", "failed"):
        if identifier in spool.identifiers(folder):
            return folder
    raise UsageError(f"no item {identifier} in the queue, nor among the failed ones; see  pbxnotify queue list")


def _locked(spool: Spool, identifier: str) -> QueueFile:
    queue_file = spool.lock(identifier, _folder(spool, identifier))
    if queue_file is None:
        raise UsageError(f"{identifier} is being sent just now: try again in a minute")
    return queue_file


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue run``."""
    parser.add_argument("--all", action="store_true", help="send everything, due or not")


def add_ids(parser: argparse.ArgumentParser) -> None:
    """Declare the items that a command is given."""
    parser.add_argument("id", nargs="+", metavar="ID")
