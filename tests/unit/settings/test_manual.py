"""The manual page pbxnotify.ini(5) is what the declared options make of it."""

from __future__ import annotations

import subprocess

import manual_page
from mailboxes import require


def test_it_is_generated_from_the_declared_options() -> None:
    assert manual_page.PAGE.read_text(encoding="utf-8") == manual_page.page(), "run tests/support/manual_page.py"


def test_it_is_valid_mdoc() -> None:
    command = [require("mandoc"), "-T", "lint", "-W", "style", str(manual_page.PAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = "referenced manual not found: Xr pbxnotify 1"  # it need not be installed here
    assert [line for line in (done.stdout + done.stderr).splitlines() if missing not in line] == []
