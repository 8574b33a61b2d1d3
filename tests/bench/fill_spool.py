"""Fill a spool with missed calls that wait, and note that the relay is left alone; or that have failed.

LIBRARY COUNT [FOLDER]. It runs as an installed pbxnotify does, and writes as that does, but for the fsyncs.
"""

import sys
import time

library, count, folder = (*sys.argv[1:], "queue")[:3]
sys.path.insert(0, library)

from pbxnotify.events import MissedCall  # noqa: E402
from pbxnotify.settings.load import ini_fingerprint, ini_path  # noqa: E402
from pbxnotify.spool.backoff import RelayBackoff, write_backoff  # noqa: E402
from pbxnotify.spool.item import new_item  # noqa: E402
from pbxnotify.spool.queue_file import item_name  # noqa: E402
from pbxnotify.spool.store import open_spool  # noqa: E402

directory = open_spool().directory
now = time.time()
for number in range(int(count)):
    call = MissedCall(
        now, 20, ("101",), "74951234567", "Alexey Portnov", False, "NOANSWER", f"{number}.0", f"{number}.0"
    )
    item = new_item(call)
    while directory.has(item_name(folder, item.id)):  # among so many in a second, two get the same number now and then
        item = new_item(call)
    with open(f"{directory}/{item_name(folder, item.id)}", "w", encoding="utf-8") as file:
        file.write(item.to_json())
fingerprint = ini_fingerprint(ini_path())
if folder == "queue":
    write_backoff(directory, RelayBackoff(1, now + 86400, fingerprint, "the events of the benchmark are to wait", now))
