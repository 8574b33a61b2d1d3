"""Why a call was missed, in words: from DIALSTATUS, or from how the queue was left."""

from __future__ import annotations

from pbxnotify.events import MissedCall
from pbxnotify.language import Language

STATUSES = {
    "NOANSWER": "no answer",
    "CANCEL": "hung up",
    "BUSY": "busy",
    "CHANUNAVAIL": "out of reach",
    "CONGESTION": "congestion",
    "DONTCALL": "congestion",
    "TORTURE": "congestion",
    "INVALIDARGS": "congestion",
    "ABANDONED": "left the queue",
    "TIMEOUT": "queue timeout",
    "FULL": "queue full",
    "JOINEMPTY": "queue empty",
    "LEAVEEMPTY": "queue empty",
    "JOINUNAVAIL": "queue empty",
    "LEAVEUNAVAIL": "queue empty",
}
"""DIALSTATUS (Asterisk's app_dial.c), ABANDONED and QUEUESTATUS (app_queue.c): the sentence of each."""

PHONE = ("declined", "not registered")
"""What may be known of a phone that is out of reach."""
OF_ONE_PHONE = ("busy", "out of reach", "congestion")
"""What the last phone said: where several were called one after the other, it says nothing of the others."""
RANG = ("no answer", "busy", "declined", "queue timeout")
"""Where the duration is that of ringing, or of waiting in a queue, and the sentence does not say it."""


def of(call: MissedCall, language: Language) -> str:
    """Return a sentence."""
    return language.why[_why(call)].format(length=language.short_duration(call.duration))


def has_rung(call: MissedCall) -> bool:
    """Return whether the call rang for its duration, and the sentence does not say so already."""
    return call.duration > 0 and _why(call) in RANG


def _why(call: MissedCall) -> str:
    """Return the name of the sentence."""
    why = STATUSES.get(call.dial_status, "no answer")
    if why in OF_ONE_PHONE and len(call.extensions) > 1:
        return "no answer"
    if why == "out of reach" and call.phone in PHONE:
        return call.phone
    return f"{why} at once" if why in ("hung up", "left the queue") and call.duration <= 0 else why
