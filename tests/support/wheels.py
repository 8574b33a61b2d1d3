"""What pip installs pbxnotify from, kept in the venv: tests install it many times, and none of them asks an index.

``python tests/support/wheels.py`` fetches it. A venv that does without it has the index asked each time.
"""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

from checkout import ROOT

WHEELS = Path(sys.prefix) / "wheels"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)} if WHEELS.is_dir() else {}
"""The environment of a pip that builds in an environment of its own, as pip does when nobody says otherwise."""
QUICK = {**OFFLINE, "PIP_NO_BUILD_ISOLATION": "0"}
"""The environment of this venv's pip, which builds with the setuptools beside it: 0 turns ``build_isolation`` off."""


def main() -> int:
    """Fetch the dependencies and what they are built with; returns pip's exit status."""
    options = ConfigParser()
    options.read(ROOT / "setup.cfg", encoding="utf-8")
    needed = (options["options"]["install_requires"], options["options.extras_require"]["oauth2"], "setuptools")
    requirements = [line.strip() for text in needed for line in text.splitlines() if line.strip()]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    return subprocess.call([*command, "--wheel-dir", str(WHEELS), *requirements])


if __name__ == "__main__":
    sys.exit(main())
