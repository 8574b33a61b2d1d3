"""A call that three employees missed, told to a relay: what the tests of notify and attempt share."""

from __future__ import annotations

from relay import Catcher

from pbxnotify.delivery.submit import submit
from pbxnotify.events import Event, MissedCall
from pbxnotify.spool.item import Item
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

CALL = MissedCall(1795478867.0, 5, ("101", "102", "103"), "5551212", "Alice", linked_id="1.1")
INI = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = pbx@example.com
timeout = 60
[notifications]
enabled = {enabled}
admin_email = admin@example.com
[employees]
[[101]]
email = a@example.com
[[102]]
email = b@example.com
[[103]]
email = c@example.com
"""

ONE_EMPLOYEE = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
[employees]
[[101]]
email = ivan@example.com
"""


def tell(event: Event = CALL) -> list[str]:
    """Tell of an event; returns PBXNOTIFYSTATUS at once, and what was reported later."""
    status, _, deliver = submit(event)
    reported = [status]
    if deliver:
        deliver(reported.append)
    return reported


def queue(spool: Spool, event: Event = CALL) -> None:
    """Put an event into the queue, as if the relay had been down."""
    entry = spool.add(event)
    assert entry
    entry.release()


def waiting(spool: Spool, kind: str = "missed") -> list[Item]:
    """Return the items of a kind that wait."""
    items = (QueueFile.read(spool.directory, identifier) for identifier in spool.identifiers())
    return [item for item in items if item and item.event.kind == kind]


def recipients_of(catcher: Catcher) -> list[str]:
    """Return who has a mail, once for each copy."""
    return sorted(mail.recipients[0] for mail in catcher.mails)


ALL = ["a@example.com", "b@example.com", "c@example.com"]
