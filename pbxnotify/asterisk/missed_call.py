"""A missed call, from the variables of its channel: whether it was one, for whom, and what each phone did."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from pbxnotify.asterisk.call import caller_of, channel_made, extensions_in, has_talked, watched_on
from pbxnotify.events import MissedCall, Ring
from pbxnotify.text import clean

ANSWERED_ELSEWHERE = "26"  # HANGUPCAUSE of the losing legs of a group, Asterisk's include/asterisk/causes.h
USER_BUSY, CALL_REJECTED = "User busy", "Call Rejected"  # 17 and 21, as HANGUPCAUSE(channel,ast) words them
OF_DIAL = ("NOANSWER", "CANCEL", "BUSY", "CHANUNAVAIL", "CONGESTION")
"""DIALSTATUS of a group none of whose phones was answered; of one phone, ``OF_ONE`` has several reasons."""
OF_ONE = ("CHANUNAVAIL",)
NEVER_RANG = ("BUSY", "CHANUNAVAIL", "CONGESTION")
NOBODY_TALKED = ("", "ANSWER", "CONTINUE", "INVALIDARGS")
"""How a watched call ends that was picked up, but by nobody who talked: INVALIDARGS is ``Dial(,,p)`` without an answer
that it knows (apps/app_dial.c, do_privacy)."""
MOST_CHANNELS = 20  # dialled channels that are looked at while a call waits


def missed_call_on(channel: Mapping[str, str], argument: str = "", now: float | None = None) -> MissedCall | None:
    """Return the call on a channel as a missed call, None if it does not count as missed.

    A watched call with which nobody talked is missed, by those who were rung; each hears what their own phone did.
    Without ``watch`` DIALSTATUS and QUEUESTATUS decide, and ``argument`` names the extensions that were rung, else
    PBXNOTIFY_TO does, else it is the dialled number. A variable that is unset is empty in the channel, one that could
    not be read is missing: a call in doubt counts as missed.
    """
    ended = time.time() if now is None else now
    argument = argument or channel.get("PBXNOTIFY_TO", "")
    named = extensions_in(argument)
    rings = [ring for watched in watched_on(channel) for ring in _watched_rings(channel, watched, ended)]
    if not rings or {ring.extension for ring in rings}.isdisjoint(named or [ring.extension for ring in rings]):
        rings = _unwatched_rings(channel, argument, ended)
    elif has_talked(channel):
        return None
    rings = [ring for ring in rings if ring.extension in named or not named]
    if not rings:
        return None
    extensions = [ring.extension for ring in rings]
    call = MissedCall(
        extensions=tuple(filter(None, extensions)),
        voicemail=bool(channel.get("VM_MESSAGEFILE")) and channel.get("VMSTATUS") != "FAILED",
        rings=tuple(rings),
        **caller_of(channel),
    ).for_phones(extensions)
    return call if len(rings) > 1 else call._replace(rings=())


def _watched_rings(channel: Mapping[str, str], watched: str, ended: float) -> list[Ring]:
    """Return what the phones of one ``watch`` did, from PBXNOTIFY_RANG_EXT: SINCE-SECONDS-CAUSE.

    CAUSE is a time where one still rings: the caller's own channel may be over before a leg is.
    """
    found = re.fullmatch(r"(\d{9,11})-(\d{1,6})-(.*)", channel.get(f"PBXNOTIFY_RANG_{watched}", ""))
    since, seconds, cause = (float(found[1]), int(found[2]), found[3]) if found else (ended, 0, "")
    if re.fullmatch(r"\d{9,11}", cause):
        seconds, cause = seconds + int(ended) - int(cause), ""
    has_rung = cause == "CANCEL"
    if cause in ("", "CANCEL"):  # a leg that Dial or Queue has cancelled hears how the whole call ended
        cause = _outcome(channel) or cause
    if cause in NOBODY_TALKED or (has_rung and cause in NEVER_RANG):  # the whole call's is that of another phone
        cause = "NOANSWER"
    duration = max(min(seconds, int(ended - since)), 0)
    extensions = extensions_in(watched)
    ring = Ring("", since, duration, clean(cause))
    return [_of_phone(channel, ring._replace(extension=one), extensions) for one in extensions]


def _outcome(channel: Mapping[str, str]) -> str:
    """Return how the last Dial or Queue ended, as the channel says; empty if it does not."""
    if channel.get("QUEUESTATUS"):
        return channel["QUEUESTATUS"]
    return "ABANDONED" if channel.get("ABANDONED") else channel.get("DIALSTATUS", "")


def _unwatched_rings(channel: Mapping[str, str], argument: str, ended: float) -> list[Ring]:
    """Return what the last Dial or Queue did, where the dialplan calls the script itself; none if it was answered."""
    outcome = _outcome(channel)
    if outcome in ("ANSWER", "CONTINUE") or channel.get("DIALSTATUS") == "ANSWER":
        return []
    if channel.get("HANGUPCAUSE") == ANSWERED_ELSEWHERE:
        return []
    if not outcome and channel.get("VMSTATUS") == "FAILED":
        outcome = "NOANSWER"
    if not outcome and "DIALSTATUS" in channel:
        return []  # nobody was rung; a channel that could not be asked does not say so
    began = channel_made(channel, ended)
    duration = int(_stopped_ringing(channel, began, ended)) - int(began)
    rung = extensions_in(argument or channel.get("CALLERID(dnid)") or channel.get("EXTEN", "")) or ("",)
    return [_of_phone(channel, Ring(one, began, duration, clean(outcome)), rung) for one in rung]


def _stopped_ringing(channel: Mapping[str, str], began: float, ended: float) -> float:
    """Return when VoiceMail took the call, else when the script runs."""
    # An unanswered Dial begins a new call detail record at its end, before VoiceMail (measured on Asterisk 16 and 22).
    start = channel.get("CDR(start,u)", "") if channel.get("VMSTATUS") else ""
    return float(start) if re.fullmatch(r"\d{9,11}\.\d+", start) and began <= float(start) <= ended else ended


def _of_phone(channel: Mapping[str, str], ring: Ring, group: Sequence[str]) -> Ring:
    """Return what one phone of a group did, from the hangup causes of the channels on which it was dialled.

    One that rang alone is asked about only if it was not available.
    """
    is_alone = len(group) == 1
    dialled = channel.get("HANGUPCAUSE_KEYS()") if ring.dial_status in (OF_ONE if is_alone else OF_DIAL) else None
    if dialled is None:
        return ring
    # Asterisk lists all channels that were dialled in this call, in any order; without a contact none was made. The
    # caller's own HANGUPCAUSE does not help: in a hangup handler it is 34 whatever the phone answered (measured on
    # Asterisk 16 and 22).
    numbers = {name: name.partition("/")[2].rpartition("-")[0] for name in dialled.split(",")[:MOST_CHANNELS] if name}
    own = [name for name, number in numbers.items() if number == ring.extension]
    if is_alone and not own:  # the channel of its phone may have another name
        watched = {extension for watched in watched_on(channel) for extension in extensions_in(watched)}
        own = [name for name, number in numbers.items() if number not in watched]
    causes = {channel.get(f"HANGUPCAUSE({name},ast)") for name in own if re.fullmatch(r"[\w/@.:;-]+", name)}
    if causes == {CALL_REJECTED}:
        return ring._replace(dial_status="CHANUNAVAIL", phone="declined", duration=ring.duration if is_alone else 0)
    if causes == {USER_BUSY} and not is_alone:
        return ring._replace(dial_status="BUSY", duration=0)
    if not own and (is_alone or not set(group).isdisjoint(numbers.values())):
        return _not_registered(ring)
    return ring


def _not_registered(ring: Ring) -> Ring:
    """Return that a phone without a contact did not ring; for an outside number the trunk may be the reason."""
    from pbxnotify.phone_number import SHORTEST_MOBILE  # for few calls only

    if len(ring.extension) >= SHORTEST_MOBILE:
        return ring
    return ring._replace(dial_status="CHANUNAVAIL", phone="not registered", duration=0)
