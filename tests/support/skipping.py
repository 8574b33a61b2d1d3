"""Whether a test that lacks something is skipped."""

from __future__ import annotations

import os
from typing import NoReturn


def unavailable(reason: str) -> NoReturn:
    """Skip the running test with the reason; fail it where nothing may be skipped."""
    import pytest  # the demonstration runs without it

    if os.environ.get("PBXNOTIFY_REQUIRE_ASTERISK") == "1":
        pytest.fail(f"required, but unavailable: {reason}", pytrace=False)
    pytest.skip(reason)
