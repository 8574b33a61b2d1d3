"""``pbxnotify monitor``: what is wrong on this machine is told once, reminded of, and told when it is over."""

from __future__ import annotations

import argparse
import hashlib
import os
import syslog
import time

from pbxnotify import log
from pbxnotify.delivery.submit import submit
from pbxnotify.errors import SpoolError
from pbxnotify.events import Alert, new_alert
from pbxnotify.health.problems import Change, Finding, MonitorState, Problem, ProblemTracker
from pbxnotify.health.watch import Watch
from pbxnotify.languages.language import Language, load_language
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings, load_settings_as_of
from pbxnotify.settings.sections import Settings
from pbxnotify.spool.store import Spool, open_spool

STATES = ("well", "unsure", "ILL")
MOST = 100
"""Problems that are remembered; what else is found waits until some of them are over."""
HOURLY = 300
"""Seconds at the beginning of an hour in which a problem is told where nothing can be remembered."""
LONGEST_REASON = 300
"""Characters of a problem's text in the log."""
LEVELS = ("critical", "warning", "info")
"""The worst first."""


def monitor(options: argparse.Namespace) -> int:
    """Look once, and tell what has changed."""
    try:
        spool = open_spool()
    except SpoolError as error:
        _tell_of_spool(load_settings(ini_path()), error)
        raise
    with spool.alone("done") as alone:
        if not alone:
            print("pbxnotify: another  pbxnotify monitor  is at work")
            return os.EX_TEMPFAIL
        path = ini_path()
        settings = load_settings_as_of(path, ini_fingerprint(path))
        if not settings.notifications.enabled:
            print("notifications are switched off ([notifications] enabled = no): nothing is looked at")
            MonitorState.read(spool.directory).write(spool.directory)  # the monitor itself is run, which check asks for
            return os.EX_OK
        for finding in _look(settings, spool):
            print(f"{STATES[finding.state]:8} {finding.key:32} {finding.subject if finding.state else ''}".rstrip())
    return os.EX_OK


def _tell_of_spool(settings: Settings, error: SpoolError) -> None:
    """Tell of a spool that cannot be used, as on a disk that has become read-only: hourly, as nothing is remembered."""
    log.write(syslog.LOG_ERR, f"monitor: {error}")
    if settings.notifications.enabled and _begins_an_hour():
        words = load_language(settings.notifications.language)
        _deliver(new_alert(words.no_spool, words.no_spool_text.format(reason=error), level="critical"))


def _look(settings: Settings, spool: Spool) -> list[Finding]:
    """Look at everything, tell what has changed, and remember it; returns what was found.

    What is to be told is remembered as not yet told before it is told, and what is told again has the same key: who
    dies in between neither loses nor doubles it. What cannot be remembered at all is told once an hour.
    """
    words = load_language(settings.notifications.language)
    before = MonitorState.read(spool.directory, complains=True)
    watch = Watch(settings, spool, words, before.known, before.problems)
    findings = watch.findings()
    until_told, once_told, changes = _steps(findings, watch, before, ProblemTracker(settings, words))
    remembers = until_told.write(spool.directory)
    mailed = [change for change in changes if change.by_mail]
    if not mailed or ((remembers or _begins_an_hour()) and _deliver(_alert(mailed, words))):
        once_told.write(spool.directory)
        for change in changes:
            _log(change)
    return findings


def _begins_an_hour() -> bool:
    return time.time() % 3600 < HOURLY


def _steps(
    findings: list[Finding], watch: Watch, before: MonitorState, course: ProblemTracker
) -> tuple[MonitorState, MonitorState, list[Change]]:
    """Return what is to be remembered until it is told, and once it is told, and what is to be told."""
    until_told, once_told = dict[str, Problem](), dict[str, Problem]()
    changes = []
    for finding in findings:
        problem = before.problems.get(finding.key)
        if problem is None and len(until_told) >= MOST:
            continue
        step = course.step(finding, problem)
        until_told.update({finding.key: step.before} if step.before else {})
        once_told.update({finding.key: step.after} if step.after else {})
        changes += [step.change] if step.change else []
    found = {finding.key for finding in findings}
    for key, problem in before.problems.items():
        if key not in found and not watch.has_looked_at(key):
            until_told[key] = once_told[key] = problem
        elif key not in found:
            log.write(syslog.LOG_NOTICE, f"monitor: no longer watched: {problem.subject}")
    return MonitorState(before.known, until_told), MonitorState(watch.known, once_told), changes


def _deliver(alert: Alert) -> bool:
    """Tell; returns whether it is told, or kept to be told. A disk and a relay that both take nothing lose it."""
    status, _, deliver = submit(alert)
    outcome = [status]
    if deliver:
        deliver(outcome.append)
    return status != "FAILED" or outcome[-1] == "SENT"


def _log(change: Change) -> None:
    """Say it in syslog, where it is all that can be had while no mail can leave."""
    reason = "" if change.by_mail else f": {' '.join(change.text.split())[:LONGEST_REASON]}"
    log.write(syslog.LOG_NOTICE if change.level == "info" else syslog.LOG_ERR, f"monitor: {change.subject}{reason}")


def _alert(changes: list[Change], words: Language) -> Alert:
    """Return one alert about all changes, the worst first."""
    ordered = sorted(changes, key=lambda change: LEVELS.index(change.level))
    first, *others = ordered
    subject = words.several.format(subject=first.subject, count=len(others)) if others else first.subject
    parts = [f"{change.subject}\n{change.text}" if others else change.text for change in ordered]
    identity = repr(sorted((change.key, change.identity) for change in ordered))
    key = f"monitor-{hashlib.sha256(identity.encode()).hexdigest()[:20]}"
    alert = new_alert(subject, "\n\n".join(parts), key, first.level)
    return alert._replace(about=tuple(change.key for change in ordered))
