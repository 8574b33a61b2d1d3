"""A call that three employees missed, and what became of it: what the tests of deliveries share."""

from __future__ import annotations

import re

from relay import Catcher

from pbxnotify.delivery.submit import submit
from pbxnotify.events import Event, MissedCall
from pbxnotify.spool.item import Item
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import QUEUE_PLACES, Spool

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


def tell(event: Event = CALL, places: tuple[str, ...] = QUEUE_PLACES) -> list[str]:
    """Submit and deliver an event; returns PBXNOTIFYSTATUS at once, and what was reported later."""
    status, _, deliver = submit(event, places=places)
    reported = [status]
    if deliver:
        deliver(reported.append)
    return reported


def added(spool: Spool, event: Event = CALL, recording: int = -1) -> QueueFile:
    """Put an event into the queue; returns its item, locked."""
    queue_file = spool.add(event, recording)
    assert queue_file
    return queue_file


def queue(spool: Spool, event: Event = CALL) -> None:
    """Put an event into the queue, as if the relay had been down."""
    added(spool, event).release()


def waiting(spool: Spool, kind: str = "missed") -> list[Item]:
    """Return the items of a kind that wait."""
    items = (QueueFile.read(spool.directory, identifier) for identifier in spool.identifiers())
    return [item for item in items if item and item.event.kind == kind]


def failed_item(spool: Spool) -> Item:
    """Return the oldest item that has failed."""
    item = QueueFile.read(spool.directory, spool.identifiers("failed")[0], "failed")
    assert item
    return item


def reasons(log: str, state: str) -> str:
    """Return the reasons in the log lines of a state, a line each."""
    return "\n".join(re.findall(rf'^.* pbxnotify: {state} id=\S+(?: event=.*)? reason="(.*)"$', log, re.MULTILINE))


def recipients_of(catcher: Catcher) -> list[str]:
    """Return who has a mail, once for each copy."""
    return sorted(mail.recipients[0] for mail in catcher.mails)


ALL = ["a@example.com", "b@example.com", "c@example.com"]
