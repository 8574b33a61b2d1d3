"""A real Dovecot for tests: it judges the tokens of OAuth 2 logins for Postfix, and asks the authorization server.

It is Debian's package, run from a directory of its own: the host's configuration is not touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import process_group
from skipping import unavailable

DOVECOT_CONF = """\
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {directory}/log
protocols =
ssl = no
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {directory}/oauth2.conf
}}
service auth {{
  unix_listener {socket} {{
    mode = 0660
    user = postfix
  }}
}}
service anvil {{
  # Nobody waits for having failed before.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""
OAUTH2_CONF = """\
introspection_mode = post
introspection_url = {_introspection_url}
tls_ca_cert_file = {directory}/ca.pem
username_attribute = username
active_attribute = active
active_value = true
"""


class DovecotError(Exception):
    """Dovecot did not start; tells its log."""


def require() -> None:
    """Skip or fail the running test unless Dovecot can run."""
    if missing():
        unavailable(missing())


def missing() -> str:
    """Why Dovecot cannot run; empty when it can."""
    if not shutil.which("dovecot"):
        return "dovecot is not installed (Debian's package dovecot-core)"
    version = subprocess.run(["dovecot", "--version"], check=True, capture_output=True, text=True).stdout
    if not version.startswith("2.3."):
        return f"Dovecot {version.strip()} reads other settings than 2.3"
    return "Dovecot runs as root only" if os.geteuid() else ""


class Dovecot:
    """A real Dovecot that knows XOAUTH2 and OAUTHBEARER, and nobody but whom the authorization server knows.

    Postfix asks it at ``socket``.
    """

    START_TIMEOUT = 20.0
    """Seconds until it must answer."""

    def __init__(self, introspection_url: str, ca_file: str) -> None:
        """``ca_file`` has the authority that signed the authorization server's certificate."""
        self._introspection_url = introspection_url
        self._ca_file = ca_file

    def __enter__(self) -> Dovecot:
        with ExitStack() as undo:
            # Not below pytest's directory, where its processes, another user, would be locked out.
            self.directory = Path(tempfile.mkdtemp(prefix="dovecot-"))
            undo.callback(shutil.rmtree, self.directory)
            self.directory.chmod(0o755)
            self.socket = self.directory / "auth"
            self._configure()
            self._start()
            undo.callback(process_group.end, self._master)  # asked to end, it takes a second
            self._wait_until_it_answers()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def log(self) -> str:
        """Return what it has logged so far."""
        return (self.directory / "log").read_text(errors="replace")

    def _configure(self) -> None:
        shutil.copyfile(self._ca_file, self.directory / "ca.pem")
        for name, text in (("dovecot.conf", DOVECOT_CONF), ("oauth2.conf", OAUTH2_CONF)):
            (self.directory / name).write_text(text.format(**vars(self)))
        # Its processes are another user, whatever our umask says.
        for path in self.directory.iterdir():
            path.chmod(0o644)

    def _start(self) -> None:
        # "-F" leaves the pipe to it and to all its processes: it ends with the last of them.
        with (self.directory / "log").open("ab") as log:
            self._master = process_group.begin(["dovecot", "-F", "-c", self.directory / "dovecot.conf"], log)

    def _wait_until_it_answers(self) -> None:
        """Raises DovecotError."""
        until = time.monotonic() + self.START_TIMEOUT
        while not self._greets():
            if self._master.poll() is not None or time.monotonic() > until:
                raise DovecotError(f"Dovecot does not start: {self.log()}")
            time.sleep(0.01)

    def _greets(self) -> bool:
        """Whether it tells its version and its mechanisms, unasked."""
        with suppress(FileNotFoundError, ConnectionRefusedError, socket.timeout), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(1)
            sock.connect(str(self.socket))
            return sock.recv(4096).startswith(b"VERSION\t")
        return False
