"""Which tests follow each other in one process, and which begin first, where pytest-xdist runs them side by side."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from xdist.scheduler.loadscope import LoadScopeScheduling

if TYPE_CHECKING:
    from pytest import Config
    from xdist.remote import Producer

FIRST = (
    *(
        "calls/test_call_table",
        "calls/test_missed_calls",
        "calls/test_voicemails",
        "system/test_install",
        "faults",
        "calls",
        "system",
    ),
    "selftest/test_lab",
)
"""What takes longest: begun last, it would run alone in the end. Real calls mostly wait, so others run beside them."""


class ByFile(LoadScopeScheduling):
    """The tests of a file share its fixtures, but those on one Asterisk run beside those on the other."""

    def __init__(self, config: Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        """Return the name of what stays together."""
        version = re.search(r"\[Asterisk \d+", nodeid)
        return f"{nodeid.partition('::')[0]} {version[0] if version else ''}"


def rank(nodeid: str) -> int:
    """Return the place of a test in the order in which they begin."""
    places = (place for place, begin in enumerate(FIRST) if nodeid.startswith(f"tests/{begin}"))
    return next(places, len(FIRST))
