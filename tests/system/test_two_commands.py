"""`make demo` and `make test` on minimal systems of Debian releases, as a new user has them: `make test-debian`."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import BootedHost
from checkout import ROOT
from debian_image import debian_image

RELEASES = os.environ.get("PBXNOTIFY_DEBIAN", "").split()
CHECKOUT = "/root/pbxnotify"
CERTIFICATES = "/srv/certificates.crt"
"""What this host trusts; what its index is signed with may not be in Debian's own list."""
OF_DEBIAN = "/etc/ssl/certs/ca-certificates.crt"
NEEDED = "make python3-venv"
"""What README says is needed."""
pytestmark = pytest.mark.skipif(not RELEASES, reason="takes long: make test-debian")


@pytest.fixture(params=RELEASES)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BootedHost]:
    """Return a booted minimal system with a checkout, which installs from where this host does."""
    with BootedHost(tmp_path, image=debian_image(request.param)) as host:
        for name in ("/etc/resolv.conf", "/etc/pip.conf", "/root/.config/pip/pip.conf"):
            if Path(name).is_file():
                host.run("rm", "-f", name)
                host.write(name, Path(name).read_text())
        host.write("/etc/hosts", "127.0.0.1 localhost\n")  # mmdebstrap makes none, Debian's installer does
        trusted = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or OF_DEBIAN
        host.write(CERTIFICATES, Path(trusted).read_text())
        files = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, capture_output=True, text=True).stdout
        for name in filter(lambda name: (ROOT / name).is_file(), files.splitlines()):
            path = host.path(f"{CHECKOUT}/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path)
        yield host


def make(host: BootedHost, target: str) -> str:
    """Run make there; returns what it says."""
    trusted = {"PIP_CERT": CERTIFICATES, "SSL_CERT_FILE": CERTIFICATES, "PIP_FIND_LINKS": ""}
    install = f"apt-get install -qq -y --no-install-recommends {NEEDED} >&2"
    command = f"cd {CHECKOUT} && {install} && {{ make {target} 2>&1; }}"
    done = host.run("sh", "-c", command, check=False, environment={"DEBIAN_FRONTEND": "noninteractive", **trusted})
    if done.returncode:
        pytest.fail(f"make {target} ended with status {done.returncode}:\n{done.stdout[-5000:]}", pytrace=False)
    return done.stdout


def test_demo(fresh: BootedHost) -> None:
    """A real call, and both mails as they arrived."""
    make(fresh, "demo")
    mails = [path.read_text() for path in fresh.path(f"{CHECKOUT}/build/demo").glob("*.eml")]
    assert len(mails) >= 2
    assert any("audio/" in mail for mail in mails), "the voicemail has its recording"


def test_everything(fresh: BootedHost) -> None:
    """All tests, with real calls."""
    assert " passed" in make(fresh, "test")
