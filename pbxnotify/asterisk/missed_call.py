"""A missed call, from the variables of its channel: whether it was one, for whom, and how long it rang."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from pbxnotify.asterisk.call import caller_of, extensions_in, ringing_since
from pbxnotify.events import MissedCall
from pbxnotify.text import clean

ANSWERED_ELSEWHERE = "26"  # HANGUPCAUSE of the losing legs of a group, Asterisk's include/asterisk/causes.h
CALL_REJECTED = "Call Rejected"  # cause 21, as HANGUPCAUSE(channel,ast) words it
MOST_CHANNELS = 20  # dialled channels that are looked at while a call waits


def missed_call_on(channel: Mapping[str, str], argument: str = "", now: float | None = None) -> MissedCall | None:
    """Return the call on a channel as a missed call, None if it does not count as missed.

    ``argument`` names the extensions that were rung, else PBXNOTIFY_TO, else it is the dialled number. A variable that
    is unset is empty in the channel, one that could not be read is missing: a call in doubt counts as missed.
    """
    dial_status = _missed_because(channel)
    if dial_status is None:
        return None
    ended = time.time() if now is None else now
    began = ringing_since(channel, ended)
    rung = argument or channel.get("PBXNOTIFY_TO") or channel.get("CALLERID(dnid)") or channel.get("EXTEN", "")
    extensions = extensions_in(rung)
    return MissedCall(
        time=began,
        duration=int(_stopped_ringing(channel, began, ended)) - int(began),
        extensions=extensions,
        dial_status=clean(dial_status),
        phone=_phone(channel, extensions) if dial_status == "CHANUNAVAIL" else "",
        voicemail=bool(channel.get("VM_MESSAGEFILE")) and channel.get("VMSTATUS") != "FAILED",
        **caller_of(channel),
    )


def _missed_because(channel: Mapping[str, str]) -> str | None:
    """Return why the call counts as missed, None if it does not, an empty text if the channel could not be asked."""
    dial_status, queue_status = channel.get("DIALSTATUS", ""), channel.get("QUEUESTATUS", "")
    if dial_status == "ANSWER" or queue_status == "CONTINUE" or channel.get("HANGUPCAUSE") == ANSWERED_ELSEWHERE:
        return None
    if queue_status or channel.get("ABANDONED"):
        return queue_status or "ABANDONED"
    if dial_status:
        return dial_status
    if channel.get("VMSTATUS") == "FAILED":
        return "NOANSWER"
    if channel.get("CDR(lastapp)") == "Queue":
        return None  # a queue that was answered sets neither QUEUESTATUS nor ABANDONED
    cause_before = channel.get("PBXNOTIFY_CAUSE")
    return "" if cause_before is None else cause_before or None


def _phone(channel: Mapping[str, str], extensions: Sequence[str]) -> str:
    """Return why a phone was not available, from the hangup causes of the channels it was dialled on."""
    # Asterisk lists all channels that were dialled in this call, in any order, so only what holds for all of them is
    # certain. Without a contact no channel was made. The caller's own HANGUPCAUSE does not help: in a hangup handler it
    # is 34 whatever the phone answered (measured on Asterisk 16 and 22).
    dialled = channel.get("HANGUPCAUSE_KEYS()")
    if dialled is None or len(extensions) != 1:
        return ""
    if not dialled:  # for an outside number the trunk may be the reason
        from pbxnotify.phone_number import SHORTEST_MOBILE  # for few calls only

        return "not registered" if len(extensions[0]) < SHORTEST_MOBILE else ""
    channels = dialled.split(",")
    if not all(re.fullmatch(r"[\w/@.:;-]+", name) for name in channels):
        return ""
    causes = {channel.get(f"HANGUPCAUSE({name},ast)") for name in channels[:MOST_CHANNELS]}
    return "declined" if causes == {CALL_REJECTED} else ""


def _stopped_ringing(channel: Mapping[str, str], began: float, ended: float) -> float:
    """Return when VoiceMail took the call, else when the script runs."""
    # An unanswered Dial begins a new call detail record at its end, before VoiceMail (measured on Asterisk 16 and 22).
    start = channel.get("CDR(start,u)", "") if channel.get("VMSTATUS") else ""
    return float(start) if re.fullmatch(r"\d{9,11}\.\d+", start) and began <= float(start) <= ended else ended
