"""Keep tokens in the spool as a login does: LIBRARY LIFETIME, and in the environment what they are.

It runs as an installed pbxnotify does. The lifetime is in seconds; a negative one has ended.
"""

import os
import sys
import time

library, lifetime = sys.argv[1:]
sys.path.insert(0, library)

from pbxnotify import settings, tokens  # noqa: E402
from pbxnotify.spool import open_spool  # noqa: E402

open_spool()
now = time.time()
kept = tokens.Tokens(os.environ["BENCH_ACCESS"], os.environ["BENCH_REFRESH"], now, now + float(lifetime))
tokens.write(settings.load(settings.location()).smtp, kept)
print(tokens.path())
