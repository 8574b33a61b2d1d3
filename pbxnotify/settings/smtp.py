"""The section [smtp] of the ini file: the mail relay, and how it is spoken to; each option declared once."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.validators import option, yes_or_no

PORTS = {"tls": 465, "starttls": 587, "none": 25}


class Smtp(NamedTuple):
    """The mail relay. ``settings.load`` replaces ``host`` and ``port`` by the real ones, and works out ``security``."""

    host: str = option(
        validators.relay,
        "localhost",
        "the mail relay: name, name:port, ssl://name (TLS) or tls://name (STARTTLS)",
        "SMTP host / SMTP хост",
    )
    port: int = option(
        validators.port,
        0,
        "a number from 1 to 65535; empty: 465, 587 or 25, as the encryption needs",
        "SMTP port / SMTP порт",
    )
    login: str = option(validators.line, "", "the account's name; empty: no login", "SMTP login / SMTP логин")
    password: str = option(
        validators.line,
        "",
        "the password in quotes; many providers want an app password",
        "SMTP password / SMTP пароль",
        secret=True,
    )
    password_command: str = option(
        validators.command, "", "a command whose first line of output is the password, instead of password", secret=True
    )
    auth: str = option(
        validators.authentication,
        "password",
        "password, or oauth2: with a token of the provider in [oauth2], or one that password_command prints",
    )
    sender: str = option(
        validators.address,
        "",
        "name@example.com; empty: the login if it is an address, else asterisk@ this host's name",
        "Sender address / Адрес отправителя",
    )
    sender_name: str = option(validators.line, "", "the name shown with the sender's address; empty: pbx_name")
    use_tls: bool = option(
        yes_or_no, False, "yes for STARTTLS, which never falls back to plain text, or no", "Use TLS / Использовать TLS"
    )
    verify_certificate: bool = option(
        yes_or_no,
        True,
        "yes, or no for a self-signed certificate (ca_file is safer)",
        "Verify server certificate / Проверять сертификат сервера",
    )
    ca_file: str = option(validators.file, "", "the path of a PEM file of certificates to trust; empty: the system's")
    timeout: int = option(validators.seconds, 30, "seconds without progress, 1 to 600")
    allow_plaintext_login: bool = option(yes_or_no, False, "yes to send the login over the network unencrypted, or no")
    security: str = "none"
    """``none``, ``starttls`` or ``tls``."""
    oauth2: OAuth2 = OAuth2()
    """Who gives us tokens, where ``wants_token``."""

    def __repr__(self) -> str:
        """Show no secret, whoever prints it."""
        return f"Smtp({self.login!r} at {self.host}:{self.port}, {self.security})"

    @property
    def wants_token(self) -> bool:
        """Return whether we log in with a token that we have to get from the provider ourselves."""
        return self.auth == "oauth2" and not self.password_command

    @property
    def sender_address(self) -> str:
        """The sender, else the login if it is an address, else asterisk@ this host's name (without asking DNS)."""
        try:
            return self.sender or validators.address(self.login)
        except ValueError:
            pass
        try:
            return validators.address(f"asterisk@{socket.gethostname()}")
        except ValueError:  # a host without a name, or with one that mail cannot have
            return "asterisk@localhost.localdomain"

    def connection(self) -> Smtp:
        """Return these settings with the real host and port, and the security that follows from what is written."""
        protocol, host, port = validators.relay_parts(self.host)
        port = port or self.port
        if protocol == "ssl" or (not protocol and port == PORTS["tls"]):
            security = "tls"
        else:
            security = "starttls" if protocol or self.use_tls else "none"
        return self._replace(host=host, port=port or PORTS[security], security=security)

    def contradictions(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the options that do not go together as they are written, and what to do."""
        connection = self.connection()
        if self.port and connection.port != self.port:
            yield ("port", "host"), f"{self.port} here, but {connection.port} in host; remove one of them"
        if self.password and self.password_command:
            yield ("password_command", "password"), "there is a password as well; remove one of them"
        has_password = self.wants_token or bool(self.password or self.password_command)
        if self.wants_token and not self.login:
            yield ("auth", "login"), "there is no login; write the whole address of the account as login"
        elif self.login and not has_password:
            write = "auth = oauth2, or password" if self.oauth2.provider else "password, or remove login"
            yield ("login", "password", "password_command"), f"there is no password; write {write}"
        elif has_password and not self.login:
            blamed = ("password", "password_command") if self.password else ("password_command", "password")
            yield (*blamed, "login"), "there is no login; write login, or remove this line"
        local = connection.host in ("localhost", "::1") or connection.host.startswith("127.")
        if self.login and connection.security == "none" and not local and not self.allow_plaintext_login:
            what = "it would cross the network unencrypted; write use_tls = yes, or ssl:// before the host"
            yield ("login", "host", "port", "use_tls", "allow_plaintext_login"), what
