"""Section [smtp] of the ini file: the mail relay and how to connect to it; each option is declared once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.options import Conflict, option
from pbxnotify.settings.validators import command, file, line, number, one_of, own_address, relay, yes_or_no

HOSTS = "/etc/hosts"
PORTS = {"tls": 465, "starttls": 587, "none": 25}


class Smtp(NamedTuple):
    """The mail relay. ``settings.load`` resolves ``host`` and ``port``, and works out ``security``."""

    host: str = option(relay, "localhost", "the mail relay: host, host:port, ssl://host (TLS) or tls://host (STARTTLS)")
    port: int = option(
        validators.port, 0, "a number from 1 to 65535; empty: 465, 587 or 25, depending on the encryption"
    )
    login: str = option(line, "", "the account's user name; empty: no login")
    password: str = option(line, "", "the password in quotes; many providers require an app password", secret=True)
    password_command: str = option(
        command, "", "a command that prints the password on its first line, used instead of password", secret=True
    )
    auth: str = option(
        one_of("password", "oauth2"),
        "password",
        "password, or oauth2: a token from the provider in [oauth2] or password_command",
    )
    sender: str = option(own_address, "", "name@example.com; empty: login if it is an address, else asterisk@HOSTNAME")
    sender_name: str = option(line, "", "the name shown with the sender address; empty: pbx_name")
    use_tls: bool = option(yes_or_no, False, "yes for STARTTLS, which never falls back to plain text, or no")
    verify_certificate: bool = option(
        yes_or_no, True, "yes, or no to accept any certificate (for a self-signed one, ca_file is safer)"
    )
    ca_file: str = option(file, "", "the path of a PEM file with the certificates to trust; empty: the system's")
    helo: str = option(
        validators.greeting_name, "", "this host's name in EHLO; empty: the host name if complete, else the address"
    )
    timeout: int = option(
        number(600), 30, "seconds without progress (a whole line of a reply) before giving up, 1 to 600"
    )
    allow_plaintext_login: bool = option(yes_or_no, False, "yes to send the login over the network unencrypted, or no")
    security: str = "none"  # ``none``, ``starttls`` or ``tls``
    oauth2: OAuth2 = OAuth2()  # where tokens come from, if ``wants_token``

    def __repr__(self) -> str:
        """Show no secret in a log or traceback."""
        return f"Smtp({self.login!r} at {self.host}:{self.port}, {self.security})"

    @property
    def wants_token(self) -> bool:
        """Return whether the login needs a token that we get from the provider ourselves."""
        return self.auth == "oauth2" and not self.password_command

    @property
    def sender_address(self) -> str:
        """The sender, else the login if it is an address, else asterisk@HOSTNAME (without asking DNS)."""
        if self.sender:
            return self.sender
        for candidate in (self.login, f"asterisk@{socket.gethostname()}"):
            with suppress(ValueError):
                return own_address(candidate)
        return "asterisk@localhost.localdomain"  # a host without a name, or with one that no mail address can have

    @property
    def greeting_name(self) -> str:
        """The name in EHLO (without asking DNS); "" for the address that the relay sees."""
        own = socket.gethostname()
        return self.helo or next(filter(None, map(validators.complete_name, (own, *_names_in_hosts(own)))), "")

    @property
    def is_local(self) -> bool:
        """Return whether the relay is on this host."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def connection(self) -> Smtp:
        """Return these settings with host and port resolved, and the security that follows from them."""
        protocol, host, port = validators.relay_parts(self.host)
        port = port or self.port
        if protocol == "ssl" or (not protocol and port == PORTS["tls"]):
            security = "tls"
        else:
            security = "starttls" if protocol or self.use_tls else "none"
        return self._replace(host=host, port=port or PORTS[security], security=security)

    def conflicts(self) -> Iterator[Conflict]:
        """Yield the options that contradict each other, and what to do."""
        connection = self.connection()
        if self.port and connection.port != self.port:
            yield Conflict(("port", "host"), f"{self.port} here, but {connection.port} in host; remove one of them")
        if self.password and self.password_command:
            yield Conflict(("password_command", "password"), "password is set as well; remove one of them")
        yield from self._incomplete_login()
        if self.login and connection.security == "none" and not connection.is_local and not self.allow_plaintext_login:
            yield Conflict(
                ("login", "host", "port", "use_tls", "allow_plaintext_login"),
                "would cross the network unencrypted; write use_tls = yes, or ssl:// before the host",
            )

    def _incomplete_login(self) -> Iterator[Conflict]:
        has_password = self.wants_token or bool(self.password or self.password_command)
        if self.wants_token and not self.login:
            yield Conflict(("auth", "login"), "login is missing; write the full address of the account as login")
        elif self.login and not has_password:
            write = "auth = oauth2, or password" if self.oauth2.provider else "password, or remove login"
            yield Conflict(("login", "password", "password_command"), f"the password is missing; write {write}")
        elif has_password and not self.login:
            blamed = ("password", "password_command") if self.password else ("password_command", "password")
            yield Conflict((*blamed, "login"), "login is missing; write login, or remove this line")


def _names_in_hosts(own: str) -> list[str]:
    """Return the names that /etc/hosts has in one line with this host's own, as Debian's installer writes them."""
    with suppress(OSError), open(HOSTS, encoding="utf-8", errors="replace") as file:
        for line in file.read(65536).splitlines():
            names = line.partition("#")[0].split()[1:]
            if own in names:
                return names
    return []
