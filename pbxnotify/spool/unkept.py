"""An event that no spool has taken, in the place of its queue file."""

from __future__ import annotations

import json
import os
import syslog

from pbxnotify import log
from pbxnotify.events import Event, event_to_json, without_withheld
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.spool.item import new_item
from pbxnotify.spool.queue_file import QueueFile

if TYPE_CHECKING:
    from typing import Any

    from pbxnotify.spool.item import ItemState


class UnkeptItem(QueueFile):
    """An event that the spool cannot take: kept in memory only, and logged whole if it cannot be sent."""

    def __init__(self, event: Event, reason: str, recording: int = -1) -> None:
        super().__init__(None, new_item(event)._replace(reason=reason), -1)
        self._descriptor = recording

    def open_recording(self) -> int:
        """Return another descriptor of its recording. Raises OSError if it has none."""
        return os.dup(self._descriptor)

    def change(self, **fields: Any) -> None:
        """Change the item in memory."""
        self.item = self.item._replace(**fields)

    def end(self, state: ItemState, reason: str = "") -> None:
        """Log how it ended."""
        self.change(reason=reason)
        self.log_state(state)

    def log_state(self, state: ItemState) -> None:
        """Log a change of state; one that failed is logged whole but for a withheld number: there is no other copy."""
        super().log_state(state)
        if state == "failed":
            whole = json.dumps(event_to_json(without_withheld(self.item.event)), ensure_ascii=False)
            log.write(syslog.LOG_CRIT, f"lost id={self.item.id} event={whole}")

    def _move(self, folder: str) -> None:
        """Do nothing: it has no file."""
