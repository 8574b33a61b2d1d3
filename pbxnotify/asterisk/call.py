"""Who called and who was rung, as a channel's variables say."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.text import clean

if TYPE_CHECKING:
    from typing import Any


def extensions_in(argument: str) -> tuple[str, ...]:
    """Return the extensions in ``101&102`` or ``101,102``, each once; ``PJSIP/101``, ``Local/101@phones`` mean 101."""
    words = argument.replace("&", " ").replace(",", " ").split()
    parts = (clean(word).partition("@")[0].rpartition("/")[2] for word in words)
    return tuple(dict.fromkeys(part for part in parts if part))


def caller_of(channel: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a call that say who calls, cleaned."""
    return {
        "caller_number": clean(channel.get("CALLERID(num)", "")),
        "caller_name": clean(re.sub(r'\\(["\\])', r"\1", channel.get("CALLERID(name)", ""))),
        "private": channel.get("CALLERID(num-pres)", "").startswith("prohib"),
        "linked_id": clean(channel.get("CHANNEL(linkedid)") or channel.get("UNIQUEID", "")),
        "unique_id": clean(channel.get("UNIQUEID", "")),
    }
