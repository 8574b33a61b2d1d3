"""``pbxnotify status``: how the mail is doing, on one screen, in JSON, and as an exit status for monitoring."""

from __future__ import annotations

import argparse
import json
import time

from pbxnotify.commands import terminal
from pbxnotify.health.plugin import PluginStatus
from pbxnotify.health.status import Status, local_time, mail_status, rough_duration, troubles
from pbxnotify.spool.store import open_spool
from pbxnotify.text import visible

COLOURS = {PluginStatus.OK: "green", PluginStatus.WARNING: "yellow", PluginStatus.CRITICAL: "red"}


def status(options: argparse.Namespace) -> int:
    """Print how the mail is doing; returns the exit status of a monitoring plugin."""
    try:
        found = mail_status(open_spool())
    except Exception as error:  # monitoring would take a traceback's exit status of 1 for a warning
        level = PluginStatus.UNKNOWN
        print(json.dumps({"state": level.name, "problems": [str(error)]}) if options.json else f"{level.name}: {error}")
        return level
    problems = troubles(found)
    level, texts = problems[0].level if problems else PluginStatus.OK, [problem.text for problem in problems]
    if options.json:
        print(json.dumps({"state": level.name, "problems": texts, **found.as_json()}, ensure_ascii=False))
        return level
    print(f"{terminal.coloured(level.name, COLOURS[level])}: {visible('; '.join(texts)) or 'no mail is held up'}")
    for name, text in _lines(found).items():
        terminal.row(name, text)
    return level


def _lines(found: Status) -> dict[str, str]:
    """Return the lines of the screen."""
    now, until, problems = time.time(), found.relay_rests_until, "; ".join(one.text for one in found.machine)
    backoff = f"backoff until {local_time(until)}: {found.relay_reason}" if until else "no backoff"
    return {
        "last mail sent": f"{local_time(found.last_sent)}  {found.last_sent_event}".rstrip(),
        "waiting": str(found.waiting),
        "oldest": f"{local_time(found.oldest)} ({rough_duration(now - found.oldest)})" if found.oldest else "-",
        "next retry": local_time(found.next_retry) if found.next_retry else "-",
        "failed": str(found.failed + found.damaged),
        "relay": f"{found.relay}: {backoff}",
        "queue run": f"{rough_duration(now - found.queue_run)} ago" if found.queue_run else "never",
        "this machine": f"{problems or 'no problem'}, as of {local_time(found.monitor_run)}",
        "notifications": "on" if found.enabled else "switched off",
        "settings": found.settings,
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object; times are seconds since the epoch")
