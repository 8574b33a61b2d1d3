"""The voicemail that a channel has left in a mailbox on disk."""

from __future__ import annotations

from mailboxes import CHANNEL

from pbxnotify.asterisk.voicemail import voicemail_on
from pbxnotify.events import Voicemail

CALLER = {
    "CALLERID(num)": "5551212",
    "CALLERID(name)": "Alice Smith",
    "CHANNEL(linkedid)": "1795478850.0",
    "CHANNEL(name)": CHANNEL,
    "UNIQUEID": "1795478850.0",
    "VMSTATUS": "SUCCESS",
}
"""The variables of the channel that left a message."""


def left(named: str, argument: str = "", **variables: str) -> tuple[Voicemail, bytes | None]:
    """Return the message that a channel has left, and the content of its recording."""
    found = voicemail_on({**CALLER, "VM_MESSAGEFILE": named, **variables}, argument)
    assert found is not None
    if found.recording < 0:
        return found.event, None
    with open(found.recording, "rb") as file:
        return found.event, file.read()
