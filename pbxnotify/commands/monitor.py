"""``pbxnotify monitor``: raise the problems of this machine, remind of them, and say when they are resolved."""

from __future__ import annotations

import argparse
import hashlib
import os
import syslog
import time
from typing import NamedTuple

from pbxnotify import log
from pbxnotify.delivery.submit import submit
from pbxnotify.errors import SpoolError
from pbxnotify.events import LEVELS, Alert, new_alert
from pbxnotify.health.problems import Change, MonitorState, Observation, Problem, ProblemTracker, State
from pbxnotify.health.watch import Watch
from pbxnotify.languages.language import Language, load_language
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings, load_settings_as_of
from pbxnotify.settings.sections import Settings
from pbxnotify.spool.store import Spool, open_spool
from pbxnotify.text import visible

STATES = {State.OK: "ok", State.UNKNOWN: "unknown", State.PROBLEM: "PROBLEM"}
MOST = 100  # problems that are kept at the same time; others wait until some of these are resolved
HOURLY = 300
"""Seconds at the beginning of an hour in which to notify where nothing can be kept: the monitor runs every 5 min."""
LONGEST_REASON = 300  # characters of a problem's text in the log


class Plan(NamedTuple):
    """What one run of the monitor is to do."""

    until_notified: MonitorState  # what is kept until the notification is done
    once_notified: MonitorState  # what is kept from then on
    changes: list[Change]  # what to notify the administrator of


def monitor(options: argparse.Namespace) -> int:
    """Observe everything once, print it, and notify the administrator of what has changed."""
    try:
        spool = open_spool()
    except SpoolError as error:
        _report_spool(load_settings(ini_path()), error)
        raise
    with spool.alone("done") as alone:
        if not alone:
            print("pbxnotify: another  pbxnotify monitor  is running")
            return os.EX_TEMPFAIL
        path = ini_path()
        settings = load_settings_as_of(path, ini_fingerprint(path))
        if not settings.notifications.enabled:
            print("notifications are switched off ([notifications] enabled = no); nothing is monitored")
            MonitorState.read(spool.directory).write(spool.directory)  # it was run, which is what check asks for
            return os.EX_OK
        for seen in _observe(settings, spool):
            print(visible(f"{STATES[seen.state]:8} {seen.key:32} {seen.subject if seen.state else ''}").rstrip())
    return os.EX_OK


def _report_spool(settings: Settings, error: SpoolError) -> None:
    """Report a spool that cannot be used, as on a disk that has become read-only: hourly, as nothing can be kept."""
    log.write(syslog.LOG_ERR, f"monitor: {error}")
    if settings.notifications.enabled and _begins_an_hour():
        words = load_language(settings.notifications.language)
        _deliver(new_alert(words.no_spool, words.no_spool_text.format(reason=error), level="critical"))


def _observe(settings: Settings, spool: Spool) -> list[Observation]:
    """Observe everything, notify of what has changed, and keep it for the next run; returns what was observed.

    A change is kept as not yet notified before the notification, and a repeated one has the same key: if the process
    dies in between, it is neither lost nor doubled. If nothing can be kept, the notification is repeated every hour.
    """
    words = load_language(settings.notifications.language)
    before = MonitorState.read(spool.directory, complains=True)
    watch = Watch(settings, spool, words, before.known, before.problems)
    observations = watch.observations()
    plan = _plan(observations, watch, before, ProblemTracker(settings, words))
    is_kept = plan.until_notified.write(spool.directory)
    mailed = [change for change in plan.changes if change.by_mail]
    if not mailed or ((is_kept or _begins_an_hour()) and _deliver(_alert(mailed, words))):
        plan.once_notified.write(spool.directory)
        for change in plan.changes:
            _log(change)
    return observations


def _begins_an_hour() -> bool:
    return time.time() % 3600 < HOURLY


def _plan(observations: list[Observation], watch: Watch, before: MonitorState, tracker: ProblemTracker) -> Plan:
    until_notified, once_notified = dict[str, Problem](), dict[str, Problem]()
    changes = []
    for seen in observations:
        problem = before.problems.get(seen.key)
        if problem is None and len(until_notified) >= MOST:
            continue
        step = tracker.step(seen, problem)
        until_notified.update({seen.key: step.before} if step.before else {})
        once_notified.update({seen.key: step.after} if step.after else {})
        changes += [step.change] if step.change else []
    observed = {seen.key for seen in observations}
    for key, problem in before.problems.items():
        if key not in observed and not watch.has_observed_all(key):
            until_notified[key] = once_notified[key] = problem
        elif key not in observed:
            log.write(syslog.LOG_NOTICE, f"monitor: no longer monitored: {problem.subject}")
    return Plan(MonitorState(before.known, until_notified), MonitorState(watch.known, once_notified), changes)


def _deliver(alert: Alert) -> bool:
    """Submit an alert; returns whether it was sent or is kept. If neither disk nor relay takes it, it is lost."""
    status, _, deliver = submit(alert)
    outcome = [status]
    if deliver:
        deliver(outcome.append)
    return status != "FAILED" or outcome[-1] == "SENT"


def _log(change: Change) -> None:
    """Log a change; with its text if no mail says it."""
    reason = "" if change.by_mail else f": {' '.join(change.text.split())[:LONGEST_REASON]}"
    log.write(syslog.LOG_NOTICE if change.level == "info" else syslog.LOG_ERR, f"monitor: {change.subject}{reason}")


def _alert(changes: list[Change], words: Language) -> Alert:
    ordered = sorted(changes, key=lambda change: LEVELS.index(change.level), reverse=True)
    first, *others = ordered
    subject = words.several.format(subject=first.subject, count=len(others)) if others else first.subject
    parts = [f"{change.subject}\n{change.text}" if others else change.text for change in ordered]
    identity = repr(sorted((change.key, change.identity) for change in ordered))
    key = f"monitor-{hashlib.sha256(identity.encode()).hexdigest()[:20]}"
    alert = new_alert(subject, "\n\n".join(parts), key, first.level)
    return alert._replace(about=tuple(change.key for change in ordered))
