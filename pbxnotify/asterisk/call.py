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


def caller_of(channel: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of an event that identify the caller and the call, cleaned."""
    return {
        "caller_number": clean(channel.get("CALLERID(num)", "")),
        "caller_name": clean(mended(re.sub(r'\\(["\\])', r"\1", channel.get("CALLERID(name)", "")))),
        "private": channel.get("CALLERID(num-pres)", "").startswith("prohib"),
        "linked_id": clean(channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")),
        "unique_id": clean(channel.get("UNIQUEID", "")),
    }


def ringing_since(channel: Mapping[str, str], now: float) -> float:
    """Return when ``watch`` saw ringing begin, else when the channel was made (UNIQUEID), else ``now``; Unix time."""
    for text in (channel.get("PBXNOTIFY_SINCE", ""), channel.get("UNIQUEID", "")):
        # UNIQUEID is ``epoch.n`` or ``systemname-epoch.n``.
        epoch = re.search(r"(?:^|-)(\d{9,11})(?:\.\d+)?$", text)
        if epoch and now - LONGEST_CALL < int(epoch[1]) <= now:
            return float(epoch[1])
    return now
