"""The section [system] of the ini file: what ``pbxnotify monitor`` looks at; each option declared once."""

from __future__ import annotations

import re

from pbxnotify import values
from pbxnotify.disk import Least, least
from pbxnotify.frozen import NamedTuple
from pbxnotify.values import option, yes_or_no

A_TENTH = Least(share=0.1)
DISK = r"(.+?)(?:\s+(\d[\d.,]*\s*(?:%|[KMGT]?i?B)))?"
"""A path, and perhaps the room that must be free there."""


class Check(NamedTuple):
    """A command with the convention of monitoring plugins."""

    name: str
    command: str = option(
        values.command, "", "a command line; exit status 0 well, 1 warning, 2 critical; its first line is the message"
    )
    timeout: int = option(values.seconds, 30, "seconds after which it is killed, 1 to 600")


def path_and_least(value: str) -> tuple[str, Least | None]:
    """Take the path of a disk, and the room that must be free there if it is its own."""
    found = re.fullmatch(DISK, values.line(value), re.IGNORECASE)
    path, room = found.groups() if found else (value, None)
    return values.path(path), least(room) if room else None


class System(NamedTuple):
    """What the administrator is told of this machine."""

    disks: tuple[tuple[str, Least | None], ...] = option(
        path_and_least,
        (),
        "paths, each with its own disk_free if need be, as in /var/log 2 GB; empty: Asterisk's spool and log, and ours",
    )
    disk_free: Least = option(least, A_TENTH, "the room that must be free: 10 % or 500 MB")
    asterisk: bool = option(yes_or_no, True, "yes to tell when Asterisk does not run or was restarted, or no")
    trunks: bool = option(
        yes_or_no, True, "yes to tell of registrations and fixed contacts (PJSIP) that are lost, or no"
    )
    stuck_minutes: int = option(values.minutes, 60, "minutes that a mail may wait before it is told, 1 to 10000")
    certificate_days: int = option(
        values.days, 14, "days before the end of the relay's certificate that it is told, 1 to 365"
    )
    remind_hours: int = option(
        values.hours, 24, "hours after which a problem that is still there is told again, 1 to 720"
    )
    checks: tuple[Check, ...] = ()
