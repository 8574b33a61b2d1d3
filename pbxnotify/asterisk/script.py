"""Runs an AGI script so that the call goes on whatever happens, and is let go before the mail is sent."""

from __future__ import annotations

import os
import select
import signal
import sys
import syslog
from collections.abc import Callable, Mapping
from contextlib import suppress

from pbxnotify import log
from pbxnotify.asterisk.agi import Channel
from pbxnotify.events import Submission
from pbxnotify.text import clean

NICE = 10  # niceness of a delivery, behind calls and the scripts they wait for: 50 at once are let go a third sooner
HOLD = 10.0  # seconds that a held call waits for the outcome of its mail

USAGE = """\
{script} is run by Asterisk, from the dialplan:  AGI({script},101)
From a shell:  pbxnotify {command} --from NUMBER --to EXTENSION [--dry-run]
"""


def let_go(channel: Channel, submission: Submission) -> None:
    """Let the call go, and deliver in a process of its own, detached from Asterisk.

    Asterisk waits until the script exits, so the script forks. A held call gets the outcome as soon as it is known, but
    waits at most ``HOLD`` seconds; then it gets the status that a call that is not held gets at once.

    Where no process can be had, an event that is durable waits for the next queue run, not the call for the relay.
    """
    status, line, deliver = submission
    if deliver is None or not channel.held:
        channel.say(status, line)
    if deliver is None:
        return
    outcomes: list[str] = []
    try:
        reading, writing = os.pipe()
        if os.fork() == 0:
            _deliver_alone(deliver, writing, nice=0 if channel.held else NICE)
    except OSError as error:  # no process, no descriptor, no memory
        is_lost = status == "FAILED"  # unless it is sent now: better a call that waits
        what = "the call waits for the delivery" if is_lost else "the event leaves with the next queue run"
        log.write(syslog.LOG_ERR, f"no process can be started: {error.strerror}: {what}")
        if is_lost:
            deliver(outcomes.append)
    else:
        os.close(writing)
        if channel.held and select.select([reading], [], [], HOLD)[0]:
            outcomes.append(os.read(reading, 64).decode())
    if channel.held:
        channel.say("".join(outcomes) or status, line)


def _report(writing: int, outcome: str, nice: int) -> None:
    """Report the outcome to the held call; one that is not, or no longer, held has closed the pipe. Then step back."""
    with suppress(BrokenPipeError):
        os.write(writing, outcome.encode())
    os.nice(NICE - nice)


def _deliver_alone(deliver: Callable[[Callable[[str], None]], object], writing: int, nice: int) -> None:
    """Deliver as a process of its own, without a terminal and a pipe to Asterisk; then exit."""
    status = 1
    try:
        # No session of its own: Linux would give that as much of the CPU as all that Asterisk does (sched_autogroup).
        os.setpgid(0, 0)
        os.nice(nice)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        deliver(lambda outcome: _report(writing, outcome, nice))
        status = 0
    except BaseException as error:  # there is no caller that could report it
        _log_bug(error)
    finally:
        os._exit(status)


def _log_bug(error: BaseException) -> None:
    """Log an error that nothing handles, with the line it came from."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{os.path.basename(where.tb_frame.f_code.co_filename)}:{where.tb_lineno}" if where else ""
    log.write(syslog.LOG_ERR, f"error {type(error).__name__} at {place}: {clean(str(error), 1000)}")


def run_script(submit: Callable[[Mapping[str, str], str], Submission]) -> None:
    """Run an AGI script: the call goes on whatever happens, the exit status is 0; on a terminal usage is shown (64)."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.isatty(0):
        script = os.path.basename(sys.argv[0])
        command = "voicemail --recording FILE" if "voicemail" in script else "missed"
        sys.stderr.write(USAGE.format(script=script, command=command))
        sys.exit(os.EX_USAGE)
    while os.open(os.devnull, os.O_RDWR) <= 2:
        pass  # where a standard stream came closed, its number must not become that of an item's lock
    channel = Channel(sys.argv[1:])
    try:
        let_go(channel, submit(channel, channel.argument))
    except BaseException as error:
        _log_bug(error)
        channel.say("FAILED", f"pbxnotify: FAILED: {error}")
    if channel.trouble:
        log.write(syslog.LOG_NOTICE, f"Asterisk no longer answers: {channel.trouble}")
    os._exit(0)
