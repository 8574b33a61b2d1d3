"""Minimal root filesystems of Debian releases, made by mmdebstrap from the mirror that this host's apt uses."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from checkout import ROOT
from skipping import unavailable

IMAGES = ROOT / "build/debian"
"""Where they are kept; to have a newer one, delete it."""
DEBIAN = "Debian/Debian"
"""Origin and label of its archive; that of the security team has another label."""


def debian_image(suite: str) -> Path:
    """Return the root filesystem of a release with systemd and apt, and no Python; skips the test without one."""
    if os.geteuid() or not shutil.which("mmdebstrap"):
        unavailable(f"an image of Debian {suite} takes root and mmdebstrap")
    IMAGES.mkdir(parents=True, exist_ok=True)
    image, new = IMAGES / suite, IMAGES / f"{suite}.new"
    with (IMAGES / f"{suite}.lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            shutil.rmtree(new, ignore_errors=True)
            # Its lists of packages stay, so that something can be installed.
            options = ["--variant=apt", "--include=systemd-sysv,mount", "--skip=cleanup/apt/lists"]
            command = ["mmdebstrap", "--quiet", *options, *_trust(), suite, str(new), mirror()]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                unavailable(f"mmdebstrap {suite}: {done.stderr.strip()[-500:]}")
            new.rename(image)
    return image


def mirror() -> str:
    """Return the mirror of Debian that this host's apt uses; skips the test without one."""
    form = "$(ORIGIN)/$(LABEL) $(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", form, "Created-By: Packages"]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    addresses = [address for name, _, address in (line.partition(" ") for line in found.splitlines()) if name == DEBIAN]
    return addresses[0] if addresses else unavailable("apt knows no mirror of Debian")


def _trust() -> list[str]:
    """Return what this host's apt says of the age of a mirror, which may be a snapshot, as options of mmdebstrap."""
    names = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")
    command = ["apt-config", "dump", "--no-empty", "--format", '%f "%v"%n', *names]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [f"--aptopt={line}" for line in found.splitlines()]
