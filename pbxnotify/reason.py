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


def of(call: MissedCall, language: Language) -> str:
    """Return a sentence."""
    why = STATUSES.get(call.dial_status, "no answer")
    if f"{why} at once" in language.why and not call.duration:
        why += " at once"
    elif why == "out of reach" and call.phone in PHONE:
        why = call.phone
    return language.why[why].format(length=language.short_duration(call.duration))


def says_how_long(call: MissedCall) -> bool:
    """Return whether the sentence already has the duration in it."""
    return STATUSES.get(call.dial_status) in ("hung up", "left the queue")
