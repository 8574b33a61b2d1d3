"""Removes what nobody needs any more from the spool: old keys, and what killed processes left."""

from __future__ import annotations

import syslog
import time
from contextlib import suppress

from pbxnotify import log
from pbxnotify.files import Directory
from pbxnotify.spool.queue_file import item_name

KEY_LIFETIME = 86400.0  # seconds for which a key is kept: longer than any call
LEFT_OVER = 3600.0  # seconds after which a file in tmp/ is one that a killed process left behind


def sweep(directory: Directory) -> None:
    """Remove keys older than a day, and what killed processes left: files in tmp/, recordings without an item."""
    try:
        for folder, age in (("done", KEY_LIFETIME), ("tmp", LEFT_OVER)):
            for name in directory.names(folder):
                with suppress(OSError):
                    if directory.status(f"{folder}/{name}").st_mtime < time.time() - age:
                        directory.remove(f"{folder}/{name}")
        for folder in ("queue", "failed"):
            names = set(directory.names(folder))
            for name in names:
                has_item = f"{name.partition('.')[0]}.json" in names
                if not has_item and not name.endswith((".json", ".json.damaged")):
                    _sweep_recording(directory, folder, name)
    except OSError as error:  # mails must leave all the same
        log.write(syslog.LOG_ERR, f"the spool cannot be swept: {error.strerror}: {error.filename}")


def _sweep_recording(directory: Directory, folder: str, name: str) -> None:
    """Remove a recording without an item; looked for once more, as a listing may miss one being replaced."""
    item, recording = item_name(folder, name.partition(".")[0]), f"{folder}/{name}"
    if not directory.has(item) and not directory.has(f"{item}.damaged"):
        with suppress(OSError):
            # A link has the recording's own mtime; its ctime says when it was made.
            if directory.status(recording).st_ctime < time.time() - LEFT_OVER:
                directory.remove(recording)
