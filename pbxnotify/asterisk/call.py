"""A call as its channel's variables describe it: who called, who was rung, since when."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.text import clean, mended

if TYPE_CHECKING:
    from typing import Any

LONGEST_CALL = 86400  # seconds; what began earlier belongs to another call


def extensions_in(argument: str) -> tuple[str, ...]:
    """Return the extensions in ``101&102`` or ``101,102``, each once; ``PJSIP/101``, ``Local/101@phones`` mean 101."""
    words = argument.replace("&", " ").replace(",", " ").split()
    parts = (clean(word).partition("@")[0].rpartition("/")[2] for word in words)
    return tuple(dict.fromkeys(part for part in parts if part))


def watched_on(channel: Mapping[str, str]) -> list[str]:
    """Return what ``watch`` was given since somebody last talked on this channel, each of it once."""
    return [watched for watched in channel.get("PBXNOTIFY_WATCHED", "").split("|") if watched]


def has_talked(channel: Mapping[str, str]) -> bool:
    """Return whether the channel has been in a bridge since the last ``watch``, which gave it this FORWARDERNAME."""
    return channel.get("FORWARDERNAME", "pbxnotify") != "pbxnotify"


def caller_of(channel: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of an event that identify the caller and the call, cleaned.

    The caller is who called when ``watch`` first ran: a dialplan may set another number for a trunk. What an attended
    transfer has put in the caller's place since is somebody else.
    """
    at_first = channel.get("PBXNOTIFY_PRES") and not channel.get("ATTENDEDTRANSFER")
    number, name, presentation = (
        ("PBXNOTIFY_NUMBER", "PBXNOTIFY_NAME", "PBXNOTIFY_PRES")
        if at_first
        else ("CALLERID(num)", "CALLERID(name)", "CALLERID(num-pres)")
    )
    # FreePBX allows each number from outside to be shown, and keeps what the caller wanted in CALLINGNUMPRES_SV.
    presentations = (channel.get(presentation, ""), channel.get("CALLINGNUMPRES_SV", ""))
    return {
        "caller_number": clean(channel.get(number, "")),
        "caller_name": caller_name_in(channel.get(name, "")),
        "private": any(one.startswith("prohib") for one in presentations),
        "linked_id": clean(channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")),
        "unique_id": clean(channel.get("UNIQUEID", "")),
    }


def caller_name_in(text: str) -> str:
    """Return a caller's name as Asterisk passes it on, its quotes and backslashes escaped, as it was meant; cleaned."""
    return clean(mended(re.sub(r'\\(["\\])', r"\1", text)))


def channel_made(channel: Mapping[str, str], now: float) -> float:
    """Return when the channel was made (UNIQUEID), else ``now``; Unix time."""
    # UNIQUEID is ``epoch.n`` or ``systemname-epoch.n``.
    epoch = re.search(r"(?:^|-)(\d{9,11})(?:\.\d+)?$", channel.get("UNIQUEID", ""))
    return float(epoch[1]) if epoch and now - LONGEST_CALL < int(epoch[1]) <= now else now
