"""``pbxnotify status``: how the mail is doing, on one screen, in JSON, and as an exit status for monitoring."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pbxnotify.errors import NewerItem, SettingsError
from pbxnotify.events import Alert
from pbxnotify.health.problems import MonitorState
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool import state
from pbxnotify.spool.backoff import read_backoff
from pbxnotify.spool.item import SWITCHED_OFF, Item
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

OK, WARNING, CRITICAL, UNKNOWN = range(4)
"""The exit statuses that monitoring plugins have."""
LATE, VERY_LATE = 600.0, 3600.0
"""Seconds that a mail may wait before it is worth a warning, and before it is serious."""
RUNNER, MONITOR = 300.0, 3600.0
"""Seconds after which a queue that nobody has run is one that nobody runs, and a machine nobody has looked at."""


@dataclass(frozen=True)
class Status:
    """How the mail is doing; times are seconds since the epoch, 0 for never or none."""

    last_sent: float
    last_sent_event: str
    waiting: int
    oldest: float
    stuck_since: float
    """When the oldest was queued that is no alert, and does not wait because it is switched off."""
    next_retry: float
    failed: int
    damaged: int
    relay: str
    relay_rests_until: float
    relay_reason: str
    needs_mending: bool
    """The relay takes nothing until the admin changes something."""
    queue_run: float
    monitor_run: float
    machine: tuple[tuple[int, str], ...]
    """What the monitor has found wrong, and how bad it is."""
    enabled: bool
    settings: str
    broken: bool
    """The ini file has mistakes."""
    token: str
    """Why no mail can leave, where we log in with a token."""

    def lacks_monitor(self) -> bool:
        """Return whether nothing looks at this machine."""
        return time.time() - self.monitor_run > MONITOR

    def lacks_runner(self) -> bool:
        """Return whether nothing runs the queue each minute."""
        return time.time() - self.queue_run > RUNNER


def mail_status(spool: Spool) -> Status:
    """Return how the mail is doing. Raises SpoolError."""
    path, names, noted = ini_path(), spool.identifiers(), read_backoff(spool.directory)
    rests = noted.holds(ini_fingerprint(path)) and not noted.address
    waiting = [item for name in names if (item := _read(spool, name))]
    due = [max(item.due, noted.until if rests else 0.0) for item in waiting]
    sent = state.read(spool.directory, state.SENT)
    relay, enabled, mistakes, token = _of_settings(path)
    return Status(
        last_sent=sent.written or 0.0,
        last_sent_event=sent.text,
        waiting=len(names),
        oldest=min((item.queued for item in waiting), default=0.0),
        stuck_since=min((item.queued for item in waiting if _is_stuck(item)), default=0.0),
        next_retry=max(min(due), time.time()) if due else 0.0,
        failed=len(spool.identifiers("failed")),
        damaged=len(spool.damaged()),
        relay=relay,
        relay_rests_until=noted.until if rests else 0.0,
        relay_reason=noted.reason if rests else "",
        needs_mending=rests and noted.told,
        queue_run=state.read(spool.directory, state.RUN).written or 0.0,
        monitor_run=state.read(spool.directory, state.MONITOR).written or 0.0,
        machine=tuple(
            (CRITICAL if problem.is_critical else WARNING, problem.subject)
            for problem in MonitorState.read(spool.directory).problems.values()
            if problem.told
        ),
        enabled=enabled,
        settings=mistakes or f"{path}: no mistakes found",
        broken=bool(mistakes),
        token=token,
    )


def _is_stuck(item: Item) -> bool:
    """Return whether an item should have left: an alert about alerts would never end."""
    return not isinstance(item.event, Alert) and SWITCHED_OFF not in item.reason


def _read(spool: Spool, identifier: str) -> Item | None:
    try:
        return QueueFile.read(spool.directory, identifier)
    except NewerItem:
        return None


def _of_settings(path: str) -> tuple[str, bool, str, str]:
    """Return the relay, whether mail is switched on, what is wrong with the ini file, and with our token."""
    try:
        settings = load_settings_as_of(path, ini_fingerprint(path))
    except SettingsError as error:
        others = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        return "unknown", True, error.problems[0] + others, ""
    relay = settings.smtp
    return f"{relay.host}:{relay.port}", settings.notifications.enabled, "", token_store.trouble(relay)


def problems_of(found: Status) -> list[tuple[int, str]]:
    """Return what is wrong, and how bad each of it is."""
    now = time.time()
    age = now - found.oldest if found.oldest else 0.0
    return [
        (level, text)
        for level, text, holds in (
            (CRITICAL, "the ini file has mistakes, all mail waits", found.broken),
            (CRITICAL, f"no mail can leave, or none soon: {found.token}", found.token and not found.needs_mending),
            (CRITICAL, f"mail has been waiting for {rough_duration(age)}", age > VERY_LATE),
            (WARNING, f"mail has been waiting for {rough_duration(age)}", LATE < age <= VERY_LATE),
            (CRITICAL, f"the relay takes no mail: {found.relay_reason}", found.needs_mending),
            (WARNING, f"the relay takes no mail: {found.relay_reason}", found.relay_reason and not found.needs_mending),
            (WARNING, f"failed: {found.failed}, see  pbxnotify queue list", found.failed > 0),
            (WARNING, f"damaged items: {found.damaged}, see  pbxnotify queue list", found.damaged > 0),
            *((level, subject, True) for level, subject in found.machine),
            (WARNING, "nothing looks at this machine any more", found.monitor_run and found.lacks_monitor()),
            (WARNING, "nothing runs the queue each minute", found.lacks_runner()),
            (WARNING, "notifications are switched off, system notifications too", not found.enabled),
        )
        if holds
    ]


def local_time(when: float) -> str:
    """Return a time for the admin, in the time zone of the shell."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when)) if when else "never"


def rough_duration(seconds: float) -> str:
    """Return a length of time in the unit that fits."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds / size)} {unit}"
    return f"{max(int(seconds), 0)} s"
