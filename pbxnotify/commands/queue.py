"""``pbxnotify queue``: list, show, send, retry and remove items."""

from __future__ import annotations

import argparse
import os
import re
import syslog
import time
from collections.abc import Sequence
from contextlib import suppress

from pbxnotify import log
from pbxnotify.commands import terminal
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import NewerItem, SettingsError, SpoolError, UsageError
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import end_backoff, read_backoff
from pbxnotify.spool.failed import list_failed, remove_failed
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool, open_spool
from pbxnotify.spool.sweep import sweep
from pbxnotify.text import visible

MOST_LISTED = 50  # items of each kind that are listed without --all
DAY = 86400.0  # seconds
OLD_ONES = "--failed with --older-than DAYS, as in  pbxnotify queue remove --failed --older-than 30"


def list_items(options: argparse.Namespace) -> int:
    """List the items that wait, those that leave next first, and those that have failed, the latest last."""
    spool = open_spool()
    waiting, failed = spool.identifiers(), list_failed(spool.directory)
    most = len(waiting) + len(failed.items) + len(failed.damaged) if options.all else MOST_LISTED
    _print_items(spool, waiting[:most], "queue")
    _print_hidden(len(waiting) - most, "more items wait")
    _print_hidden(len(failed.items) - most, "older items have failed")
    _print_items(spool, failed.items[-most:], "failed")
    _print_hidden(len(failed.damaged) - most, "older items are damaged")
    for name in failed.damaged[-most:]:
        print(visible(f"{name} damaged: its file is in {spool.directory}/failed/"))
    if not waiting and not failed.items and not failed.damaged:
        print("nothing waits, and nothing has failed")
    _print_backoff(spool)
    return os.EX_OK


def _print_hidden(count: int, what: str) -> None:
    if count > 0:
        print(f"... {count} {what}; see all with  pbxnotify queue list --all")


def _print_items(spool: Spool, identifiers: Sequence[str], folder: str) -> None:
    """Print a line for each item that is not gone by now."""
    for identifier in identifiers:
        try:
            item = QueueFile.read(spool.directory, identifier, folder)
        except NewerItem as error:
            print(visible(f"{identifier} {folder:6} {error}"))
            continue
        if item:
            caller, called = item.event.parties()
            print(visible(f"{identifier} {folder:6} {item.event.kind:9} {caller} -> {called}  {item.reason}"))
        elif spool.folder_of(identifier) == folder:
            print(visible(f"{identifier} {folder:6} cannot be read"))


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
        sweep(spool.directory)
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
        print(visible(f"the relay is not tried until {until}: {backoff.reason}"))


def retry(options: argparse.Namespace) -> int:
    """Put items back into the queue as if they were new; that ends the relay backoff as well."""
    if bool(options.id) == options.all:
        raise UsageError("give IDs, or --all for all that have failed")
    spool = open_spool()
    end_backoff(spool.directory)
    for identifier in list_failed(spool.directory).items if options.all else options.id:
        try:
            queue_file = _locked(spool, identifier)
        except (UsageError, NewerItem, SpoolError) as error:
            if not options.all:
                raise
            terminal.complain(error)  # the others may do
            continue
        queue_file.retry()
        queue_file.release()
        print(f"{identifier}: queued again; it leaves with the next  pbxnotify queue run")
    return os.EX_OK


def remove(options: argparse.Namespace) -> int:
    """Remove items unsent, and print them; or all that have failed long ago, and print how many."""
    spool = open_spool()
    if options.failed or options.older_than is not None:
        return _remove_failed(spool, options)
    if not options.id:
        raise UsageError(f"give IDs, or {OLD_ONES}")
    for identifier in options.id:
        queue_file = _locked(spool, identifier)
        print(queue_file.item.to_json(), end="")
        queue_file.end("skipped", "removed by the admin")
        print(f"{identifier}: removed unsent")
    return os.EX_OK


def _remove_failed(spool: Spool, options: argparse.Namespace) -> int:
    """Remove what has failed long ago."""
    if options.id or not options.failed or options.older_than is None:
        raise UsageError(f"give {OLD_ONES}; or IDs alone")
    with terminal.waiting("the disk"):
        removed = remove_failed(spool.directory, time.time() - DAY * options.older_than)
    left = list_failed(spool.directory)
    what = f"{removed.items} failed and {removed.damaged} damaged items removed unsent"
    log.write(syslog.LOG_NOTICE, f"{what} by the admin: older than {options.older_than:g} days")
    print(f"{what}; {len(left.items) + len(left.damaged)} are left")
    if removed.trouble:
        raise SpoolError(f"not everything can be removed: {removed.trouble}")
    return os.EX_OK


def _folder(spool: Spool, identifier: str) -> str:
    folder = spool.folder_of(identifier)
    if folder is None:
        raise UsageError(f"no item {identifier} in the queue, nor among the failed ones; see  pbxnotify queue list")
    return folder


def _locked(spool: Spool, identifier: str) -> QueueFile:
    queue_file = spool.lock(identifier, _folder(spool, identifier))
    if queue_file is None:
        raise UsageError(f"{identifier} is being sent just now: try again in a minute")
    return queue_file


def _days(text: str) -> float:
    """Return a number of days. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5})?", text):
        raise argparse.ArgumentTypeError(f"{visible(text)!r} is not a number of days; expected 30 or 0.5")
    return float(text)


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue list``."""
    parser.add_argument("--all", action="store_true", help=f"list everything, not only {MOST_LISTED} of each kind")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue run``."""
    parser.add_argument("--all", action="store_true", help="send everything, due or not")


def add_ids(parser: argparse.ArgumentParser) -> None:
    """Declare the items that a command is given."""
    parser.add_argument("id", nargs="+", metavar="ID")


def add_retry_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue retry``."""
    parser.add_argument("--all", action="store_true", help="put back all items that have failed")
    parser.add_argument("id", nargs="*", metavar="ID")


def add_remove_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``pbxnotify queue remove``."""
    parser.add_argument("--failed", action="store_true", help="all that failed long ago, damaged items included")
    parser.add_argument("--older-than", type=_days, metavar="DAYS", help="how many days ago, with --failed; 0 for all")
    parser.add_argument("id", nargs="*", metavar="ID")
