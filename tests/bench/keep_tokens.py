"""Keep tokens in the spool as a login does: LIBRARY LIFETIME, and in the environment what they are.

It runs as an installed pbxnotify does. The lifetime is in seconds; a negative one has ended.
"""

import os
import sys
import time

library, lifetime = sys.argv[1:]
sys.path.insert(0, library)

from pbxnotify.settings.load import ini_path, load_settings  # noqa: E402
from pbxnotify.smtp.oauth import token_store  # noqa: E402
from pbxnotify.spool.store import open_spool  # noqa: E402

open_spool()
now = time.time()
kept = token_store.Tokens(os.environ["BENCH_ACCESS"], os.environ["BENCH_REFRESH"], now, now + float(lifetime))
token_store.write(load_settings(ini_path()).smtp, kept)
print(token_store.path())
