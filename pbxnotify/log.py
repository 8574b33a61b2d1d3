"""Writes to syslog: one line for each change of an item's state, always of the same form.

pbxnotify: STATE id=... event=missed|voicemail|alert from=... to=... reason="..."
"""

from __future__ import annotations

import os
import re
import syslog
import time

from pbxnotify.events import Event
from pbxnotify.text import clean, visible


def open_syslog(*, to_stderr: bool = False) -> None:
    """Open syslog as ``pbxnotify``; on request lines go to stderr as well, unless that is the journal."""
    syslog.openlog("pbxnotify", syslog.LOG_PERROR if to_stderr and not _stderr_is_the_journal() else 0, syslog.LOG_MAIL)


def _stderr_is_the_journal() -> bool:
    """Return whether stderr ends where syslog does; systemd names the journal's file."""
    try:
        stderr = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"


open_syslog()

STREAMS = ("/dev/stdout", "/dev/stderr", "/proc/")
"""What a container's log file may begin with although it is a link: nobody but the kernel and root makes such links."""
PRIORITIES = {"deferred": syslog.LOG_WARNING, "failed": syslog.LOG_ERR}


def state(name: str, identifier: str, event: Event, reason: str = "") -> str:
    """Log a change of state as one line; returns the line."""
    caller, called = event.parties()
    line = f"{name} id={identifier} event={event.kind} from={_word(caller)} to={_word(called)}"
    if reason:
        line += f' reason="{clean(reason, 2000).replace(chr(34), chr(39))}"'
    write(PRIORITIES.get(name, syslog.LOG_NOTICE), line)
    return f"pbxnotify: {line}"


def write(priority: int, line: str) -> None:
    """Write a line to syslog, and to the file $PBXNOTIFY_LOG on hosts without it. Never raises: no log stops a mail."""
    line = visible(line)  # it may reach a terminal: a command has syslog print it to stderr, and logs are read there
    syslog.syslog(priority, line)
    path = os.environ.get("PBXNOTIFY_LOG")
    if path:
        try:
            with open(path, "a", encoding="utf-8", opener=_open_log) as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} pbxnotify: {line}\n")
        except OSError as error:
            syslog.syslog(syslog.LOG_WARNING, visible(f"cannot write {path}: {error.strerror}"))


def _open_log(path: str, flags: int) -> int:
    """Open the log file, made for its owner and group; no link is followed, and no FIFO without a reader waited for."""
    flags |= os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if path.startswith(STREAMS) else os.O_NOFOLLOW)
    return os.open(path, flags, 0o640)


def _word(text: str) -> str:
    """Return text as one word of a log line."""
    return re.sub(r'[\s"=]+', "_", clean(text)) or "-"
