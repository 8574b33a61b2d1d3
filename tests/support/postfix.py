"""A real Postfix for tests: it takes mails over TLS from who has logged in, and passes them on to a Catcher.

It is Debian's package, run from a directory of its own: neither the host's configuration nor its queue is touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import process_group
from skipping import unavailable

MAIN_CF = """\
compatibility_level = 2
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mynetworks =
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
fast_flush_domains =
in_flow_delay = 0
message_size_limit = {message_size_limit}

default_transport = smtp:[127.0.0.1]:{next_port}
relay_transport = $default_transport
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtp_connection_cache_on_demand = no
relay_domains = {domains}
relay_recipient_maps = {recipients}

smtpd_peername_lookup = no
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = {certificate}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = {sasl_type}
smtpd_sasl_path = {sasl_path}
smtpd_sasl_local_domain = $myhostname
cyrus_sasl_config_path = {directory}/sasl
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_login_maps = {sender}
smtpd_sender_restrictions = {sender_restrictions}
"""
MASTER_CF = """\
127.0.0.1:{starttls_port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
anvil   unix       - - n - 1 anvil
bounce  unix       - - n - 0 bounce
cleanup unix       n - n - 0 cleanup
defer   unix       - - n - 0 bounce
error   unix       - - n - - error
postlog unix-dgram n - n - 1 postlogd
qmgr    unix       n - n - 1 qmgr
retry   unix       - - n - - error
rewrite unix       - - n - - trivial-rewrite
smtp    unix       - - n - - smtp
tlsmgr  unix       - - n - 1 tlsmgr
trace   unix       - - n - 0 bounce
"""
SASL_CONF = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {directory}/accounts
mech_list: PLAIN LOGIN
"""
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


class PostfixError(Exception):
    """Postfix did not start; tells its log."""


def require() -> None:
    """Skip or fail the running test unless Postfix can run."""
    if missing():
        unavailable(missing())


def missing() -> str:
    """Why Postfix cannot run; empty when it can."""
    for command, package in (("postconf", "postfix"), ("saslpasswd2", "sasl2-bin")):
        if not shutil.which(command):
            return f"{command} is not installed (Debian's package {package})"
    if not any(Path("/usr/lib").glob("*/sasl2/libplain.so")):
        return "Postfix knows no passwords (Debian's package libsasl2-modules)"
    return "Postfix runs as root only" if os.geteuid() else ""


class Postfix:
    """A real Postfix on 127.0.0.1 that takes mails over TLS from one account, and passes them on to a Catcher.

    ``starttls_port`` is one like 587, ``tls_port`` one like 465.
    """

    START_TIMEOUT = 20.0
    """Seconds until it must answer on both ports."""

    def __init__(
        self,
        next_port: int,
        login: tuple[str, str],
        certificate: str,
        *,
        sender: str = "",
        recipients: Iterable[str] = (),
        message_size_limit: int = 10_240_000,
        dovecot: Path | None = None,
    ) -> None:
        """``next_port`` is the Catcher's, ``certificate`` a file with key and certificate.

        The account may send from the address ``sender`` alone, from any if it is empty. ``recipients`` are the only
        ones there are in their domains; in other domains there is everybody. A Dovecot, whose socket ``dovecot`` is,
        judges logins by their tokens; without it there is the account's password.
        """
        self._login = login
        self._knows_passwords = dovecot is None
        recipients = tuple(recipients)
        self._settings = {
            "next_port": next_port,
            "certificate": certificate,
            "message_size_limit": message_size_limit,
            "sasl_type": "dovecot" if dovecot else "cyrus",
            "sasl_path": dovecot or "smtpd",
            "domains": " ".join({address.rpartition("@")[2] for address in recipients}),
            "recipients": _table(dict.fromkeys(recipients, "exists")),
            "sender": _table({sender: login[0]} if sender else {}),
            "sender_restrictions": "reject_authenticated_sender_login_mismatch" if sender else "",
        }

    def __enter__(self) -> Postfix:
        with ExitStack() as undo:
            # Not below pytest's directory, where its daemons, another user, would be locked out.
            self.directory = Path(tempfile.mkdtemp(prefix="postfix-"))
            undo.callback(shutil.rmtree, self.directory)
            self._make_directories()
            with _reserved_ports() as (self.starttls_port, self.tls_port):
                self._configure()
                if self._knows_passwords:
                    self._add_account()
                self._start()
                undo.callback(process_group.end, self._master)  # nobody wants its queue
                self._wait_until_it_answers()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._undo.close()

    def log(self) -> str:
        """Return what it has logged so far."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _make_directories(self) -> None:
        """Make what ``postfix check`` would make in a second."""
        queue = self.directory / "queue"
        for directory in (queue, queue / "pid", self.directory / "sasl"):
            directory.mkdir()
        for directory in (self.directory / "data", *(queue / name for name in QUEUES)):
            directory.mkdir(mode=0o700)
            shutil.chown(directory, "postfix")
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            (queue / name).mkdir()
            shutil.chown(queue / name, "postfix", "postdrop")
            (queue / name).chmod(mode)
        # Its daemons are another user, whatever our umask says.
        for directory in (self.directory, queue, self.directory / "sasl"):
            directory.chmod(0o755)

    def _configure(self) -> None:
        settings = {**vars(self), **self._settings}
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF), ("sasl/smtpd.conf", SASL_CONF)):
            (self.directory / name).write_text(text.format(**settings))
            (self.directory / name).chmod(0o644)
        # It waits two seconds before it reads a file that was just written, lest somebody be still writing it.
        os.utime(self.directory / "main.cf", (0, 0))

    def _add_account(self) -> None:
        login, password = self._login
        user, _, realm = login.partition("@")
        accounts = self.directory / "accounts"
        command = ["saslpasswd2", "-p", "-c", "-f", str(accounts), "-u", realm or "postfix.test", user]
        subprocess.run(command, input=password, text=True, check=True)
        shutil.chown(accounts, "postfix")

    def _start(self) -> None:
        ask = ["postconf", "-c", str(self.directory), "-h", "daemon_directory"]
        daemons = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
        # "-d" leaves the pipe to it and to all its daemons: it ends with the last of them.
        self._master = process_group.begin([f"{daemons}/master", "-d", "-c", self.directory])

    def _wait_until_it_answers(self) -> None:
        """Raises PostfixError."""
        until = time.monotonic() + self.START_TIMEOUT
        try:
            for port, encrypted in ((self.starttls_port, False), (self.tls_port, True)):
                while not _greets(port, encrypted, until - time.monotonic()):
                    if self._master.poll() is not None:
                        raise OSError(f"its master ended with status {self._master.returncode}")
                    time.sleep(0.01)
        except OSError as error:
            raise PostfixError(f"Postfix does not start: {error}\n{self.log()}") from None


def _greets(port: int, encrypted: bool, timeout: float) -> bool:
    """Whether it says 220 on a port where it listens; raises OSError when it does not, or listens not in time."""
    if timeout <= 0:
        raise TimeoutError(f"nothing listens on port {port}")
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout) as sock:
        # Clients verify its certificate, this is no client.
        context = ssl._create_unverified_context()  # noqa: S323
        with context.wrap_socket(sock) if encrypted else sock as speaking:
            greeting = speaking.recv(1024)
        if not greeting.startswith(b"220"):
            raise OSError(f"port {port} answers {greeting!r}")
        return True
    return False


def _table(entries: dict[str, str]) -> str:
    """Return a look-up table as main.cf takes it."""
    return f"inline:{{{', '.join(f'{key}={value}' for key, value in entries.items())}}}" if entries else ""


@contextmanager
def _reserved_ports() -> Iterator[list[int]]:
    """Keep two free ports for a server: it may listen where we are bound (SO_REUSEADDR), and nobody else gets them."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
        yield [sock.getsockname()[1] for sock in sockets]
