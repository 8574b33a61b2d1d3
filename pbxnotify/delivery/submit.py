"""Makes an event durable; only then is the call let go and the mail sent.

What is heavy (configobj, email, smtplib, ssl) is imported by ``runner``, on the far side of ``spool.add``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pbxnotify.errors import PbxnotifyError, SpoolError, UserError
from pbxnotify.events import Event, MissedCall, Submission
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import CALL_PLACES, QUEUE_PLACES, Spool, open_spool

if TYPE_CHECKING:
    from pbxnotify.asterisk.voicemail import LeftMessage
    from pbxnotify.spool.unkept import UnkeptItem


def submit_missed_call(call: MissedCall | None) -> Submission:
    """Submit a call, if it was missed."""
    return (
        submit(call, places=CALL_PLACES) if call else Submission("SKIPPED", "pbxnotify: skipped: nobody missed a call")
    )


def submit_voicemail(left: LeftMessage | None) -> Submission:
    """Submit a voicemail with its recording, if one was left."""
    return (
        submit(*left, places=CALL_PLACES)
        if left
        else Submission("SKIPPED", "pbxnotify: skipped: nobody left a message")
    )


def submit(event: Event, recording: int = -1, places: tuple[str, ...] = QUEUE_PLACES) -> Submission:
    """Make an event durable, with its recording (an open descriptor); what no disk takes is sent once from memory.

    Where others have all ``places``, there is nothing left to do: they deliver it. From here on the process runs as
    Asterisk's user. Where it is root's and cannot become that, the event is logged whole.
    """
    try:
        if os.geteuid() == 0:  # Asterisk is seldom root, and need not wait for this import then
            from pbxnotify.asterisk.user import become_asterisk_user

            become_asterisk_user()
        spool = open_spool()
        queue_file = spool.add(event, recording)
    except (SpoolError, UserError) as error:
        return _submit_unkept(event, error, recording)
    if queue_file is None:
        return Submission("SKIPPED", "pbxnotify: skipped: already notified")
    place, line, ours = spool.take_place(places), queue_file.line, True
    if place is None:
        queue_file.release()  # first: then those who have a place see it, or have given one up
        place, ours = spool.take_place(places), False
    if place is None:
        return Submission("QUEUED", line)
    return Submission(
        "QUEUED", line, lambda report: _deliver(spool, queue_file if ours else None, place, places, report)
    )


def _deliver(
    spool: Spool, queue_file: QueueFile | None, place: int, places: tuple[str, ...], report: Callable[[str], None]
) -> None:
    from pbxnotify.delivery.runner import deliver_and_take_along

    deliver_and_take_along(spool, queue_file, place, places, report)


def _submit_unkept(event: Event, error: PbxnotifyError, recording: int) -> Submission:
    """Have an event sent that the spool does not take; it is only logged where root would have to go on as root."""
    from pbxnotify.spool.unkept import UnkeptItem

    unkept = UnkeptItem(event, str(error), recording)
    if isinstance(error, UserError):
        unkept.log_state("failed")
        return Submission("FAILED", f"pbxnotify: FAILED: {error}")
    unkept.log_state("deferred")
    return Submission(
        "FAILED", f"pbxnotify: {error}: sending it now, without the queue", lambda report: _send(unkept, report)
    )


def _send(unkept: UnkeptItem, report: Callable[[str], None]) -> None:
    from pbxnotify.delivery.runner import STATUS, deliver

    report(STATUS[deliver(unkept)])
