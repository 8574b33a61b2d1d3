"""How the mail is doing, for ``pbxnotify status``, ``check`` and ``monitor``."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from pbxnotify.errors import NewerItem, SettingsError
from pbxnotify.events import Alert
from pbxnotify.health.plugin import PluginStatus
from pbxnotify.health.problems import MonitorState
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import read_backoff
from pbxnotify.spool.failed import list_failed
from pbxnotify.spool.item import SWITCHED_OFF, Item, identifier_of, is_older
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

MOST_READ = 500
"""Waiting items that are read, at 0.05 ms each: the oldest say since when mail waits, and all are counted."""
LATE, VERY_LATE = 600.0, 3600.0  # seconds that a mail may wait before it is a warning, and before it is critical
REFUSED = 3  # mails that failed, with none accepted since, from which on it is hardly their recipients' fault
RUNNER, MONITOR = 300.0, 3600.0
"""Seconds without a queue run, or without a run of the monitor, after which nothing seems to run it any more."""


class Trouble(NamedTuple):
    """Something that is wrong, and how bad it is."""

    level: PluginStatus
    text: str


class Status(NamedTuple):
    """How the mail is doing, by the keys of ``status --json``; times are seconds since the epoch, None for never."""

    last_sent: float | None
    last_sent_event: str
    waiting: int
    oldest: float | None
    stuck_since: float | None
    """When the oldest item was queued that is not an alert and does not wait because mail is switched off."""
    next_retry: float | None  # of the oldest, if very many wait
    failed: int
    failed_since_sent: int  # of these, after the relay last accepted a mail
    damaged: int
    relay: str
    relay_rests_until: float | None  # the end of the relay backoff
    relay_reason: str
    needs_mending: bool  # the relay accepts nothing until the administrator changes something
    queue_run: float | None
    monitor_run: float | None
    machine: tuple[Trouble, ...]  # the problems that the monitor has raised
    enabled: bool
    settings: str  # the mistakes of the ini file; that there are none if it has none
    broken: bool  # the ini file has mistakes
    token: str  # why no mail can leave, or none soon, where we log in with a token; empty if nothing is wrong

    def lacks_monitor(self) -> bool:
        """Return whether nothing runs the monitor."""
        return time.time() - (self.monitor_run or 0) > MONITOR

    def lacks_runner(self) -> bool:
        """Return whether nothing runs the queue every minute."""
        return time.time() - (self.queue_run or 0) > RUNNER

    def refused(self) -> str:
        """Return why it seems that the relay accepts nothing although mails fail one by one; empty if it does not."""
        count = self.failed_since_sent
        return f"nothing was accepted since {count} mails failed, see  pbxnotify queue list" if count >= REFUSED else ""

    def as_json(self) -> dict[str, Any]:
        """Return it as ``status --json`` prints it, where 0 stands for never."""
        return {name: 0.0 if value is None else value for name, value in self._asdict().items()}


def mail_status(spool: Spool) -> Status:
    """Return how the mail is doing. Raises SpoolError."""
    path, names, backoff = ini_path(), spool.identifiers(), read_backoff(spool.directory)
    until = backoff.until if backoff.holds(ini_fingerprint(path)) and not backoff.address else None
    waiting, failed = [item for name in names[:MOST_READ] if (item := _read(spool, name))], list_failed(spool.directory)
    due = [max(item.due, until or 0.0) for item in waiting]
    sent = state.read(spool.directory, state.SENT)
    sent_at = identifier_of(sent.written or 0.0)
    return Status(
        last_sent=sent.written,
        last_sent_event=sent.text,
        waiting=len(names),
        oldest=min((item.queued for item in waiting), default=None),
        stuck_since=min((item.queued for item in waiting if _is_stuck(item)), default=None),
        next_retry=max(min(due), time.time()) if due else None,
        failed=len(failed.items),
        failed_since_sent=sum(not is_older(identifier, sent_at) for identifier in failed.items),
        damaged=len(failed.damaged),
        relay_rests_until=until,
        relay_reason=backoff.reason if until else "",
        needs_mending=backoff.told if until else False,
        queue_run=state.read(spool.directory, state.RUN).written,
        monitor_run=state.read(spool.directory, state.MONITOR).written,
        machine=tuple(
            Trouble(PluginStatus.CRITICAL if problem.is_critical else PluginStatus.WARNING, problem.subject)
            for problem in MonitorState.read(spool.directory).problems.values()
            if problem.notified
        ),
        **_settings_status(path),
    )


def _is_stuck(item: Item) -> bool:
    """Return whether an item should have left: alerts about alerts would never end."""
    return not isinstance(item.event, Alert) and SWITCHED_OFF not in item.reason


def _read(spool: Spool, identifier: str) -> Item | None:
    try:
        return QueueFile.read(spool.directory, identifier)
    except NewerItem:
        return None


def _settings_status(path: str) -> dict[str, Any]:
    try:
        settings = load_settings_as_of(path, ini_fingerprint(path))
    except SettingsError as error:
        first, *others = error.problems
        found = f"{first} (and {len(others)} more)" if others else first
        return {"relay": "unknown", "enabled": True, "settings": found, "broken": True, "token": ""}
    relay, found = f"{settings.smtp.host}:{settings.smtp.port}", f"{path}: no mistakes found"
    enabled, token = settings.notifications.enabled, token_store.trouble(settings.smtp)
    return {"relay": relay, "enabled": enabled, "settings": found, "broken": False, "token": token}


def troubles(status: Status) -> list[Trouble]:
    """Return what is wrong, the worst first."""
    warning, critical = PluginStatus.WARNING, PluginStatus.CRITICAL
    age = time.time() - status.oldest if status.oldest else 0.0
    held = critical if status.needs_mending else warning
    found = [
        Trouble(level, text)
        for level, text, holds in (
            (critical, "the ini file has mistakes, so all mail waits", status.broken),
            (critical, f"no mail can leave, or none soon: {status.token}", status.token and not status.needs_mending),
            (critical if age > VERY_LATE else warning, f"mail has been waiting for {rough_duration(age)}", age > LATE),
            (held, f"the relay accepts no mail: {status.relay_reason}", status.needs_mending or status.relay_reason),
            (critical, status.refused(), status.refused()),
            (warning, f"failed: {status.failed}, see  pbxnotify queue list", status.failed),
            (warning, f"damaged items: {status.damaged}, see  pbxnotify queue list", status.damaged),
            *((level, text, True) for level, text in status.machine),
            (warning, "nothing runs  pbxnotify monitor  any more", status.monitor_run and status.lacks_monitor()),
            (warning, "nothing runs the queue every minute", status.lacks_runner()),
            (warning, "notifications are switched off, alerts included", not status.enabled),
        )
        if holds
    ]
    return sorted(found, key=lambda trouble: -trouble.level)


def local_time(when: float | None) -> str:
    """Return a time for the administrator, in the time zone of the shell."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when)) if when else "never"


def rough_duration(seconds: float) -> str:
    """Return a length of time in the unit that fits."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(int(seconds), 0)} s"
