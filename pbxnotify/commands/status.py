"""``pbxnotify status``: how the mail is doing, on one screen, in JSON, and as an exit status for monitoring."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

from pbxnotify.commands import terminal
from pbxnotify.health.status import OK, UNKNOWN, Status, local_time, mail_status, problems_of, rough_duration
from pbxnotify.spool.store import open_spool

WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
COLOURS = ("green", "yellow", "red", "yellow")


def status(options: argparse.Namespace) -> int:
    """Print how the mail is doing; returns 0 when all is well, 1 for a warning, 2 when mail is held up, 3 unknown."""
    try:
        found = mail_status(open_spool())
    except Exception as error:  # monitoring would take the 1 of a traceback for a warning
        print(json.dumps({"state": WORDS[UNKNOWN], "problems": [str(error)]}) if options.json else f"UNKNOWN: {error}")
        return UNKNOWN
    problems = sorted(problems_of(found), key=lambda problem: -problem[0])
    level, texts = max((level for level, _ in problems), default=OK), [text for _, text in problems]
    if options.json:
        print(json.dumps({"state": WORDS[level], "problems": texts, **asdict(found)}, ensure_ascii=False))
        return level
    print(f"{terminal.coloured(WORDS[level], COLOURS[level])}: {'; '.join(texts) or 'no mail is held up'}")
    for name, text in _lines(found):
        print(f"{name:16} {text}")
    return level


def _lines(found: Status) -> list[tuple[str, str]]:
    """Return the lines of the screen."""
    until, problems = found.relay_rests_until, "; ".join(subject for _, subject in found.machine)
    state = f"left alone until {local_time(until)}: {found.relay_reason}" if until else "may be tried"
    return [
        ("last mail sent", f"{local_time(found.last_sent)}  {found.last_sent_event}".rstrip()),
        ("waiting", str(found.waiting)),
        (
            "oldest",
            f"{local_time(found.oldest)} ({rough_duration(time.time() - found.oldest)})" if found.oldest else "-",
        ),
        ("next retry", local_time(found.next_retry) if found.next_retry else "-"),
        ("failed", str(found.failed + found.damaged)),
        ("relay", f"{found.relay}: {state}"),
        ("queue run", f"{rough_duration(time.time() - found.queue_run)} ago" if found.queue_run else "never"),
        ("this machine", f"{problems or 'no problem'}, as of {local_time(found.monitor_run)}"),
        ("notifications", "on" if found.enabled else "switched off"),
        ("settings", found.settings),
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object; times are seconds since the epoch")
