"""An office that logs in with tokens: its authorization server, its relay, and the tokens that it has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authorization_server import AuthorizationServer
from relay import Catcher, Certificates

from pbxnotify.settings.load import load_settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store

ACCOUNT = "pbx@office.test"


@dataclass(frozen=True)
class LoginOffice:
    """One box, and the two servers that it talks to."""

    ini: Path
    server: AuthorizationServer
    catcher: Catcher
    ca_file: str
    """Of the authority that signed both certificates."""

    @property
    def relay(self) -> Smtp:
        """The settings, read anew."""
        return load_settings(self.ini).smtp

    @property
    def kept(self) -> token_store.Tokens:
        """The tokens that are stored by now."""
        return token_store.read(self.relay)

    def write_ini(self, *, own: str = "", port: int = 0, security: str = "ssl") -> None:
        """Write the ini file; ``own`` is another [oauth2], ``port`` that of another relay."""
        self.ini.write_text(
            f"[smtp]\nhost = {security}://localhost:{port or self.catcher.port}\nca_file = {self.ca_file}\n"
            "auth = oauth2\n"
            f"login = {ACCOUNT}\ntimeout = 60\n"
            f"{own or self.server.ini()}"
            "[notifications]\nadmin_email = admin@example.com\n[employees]\n[[101]]\nemail = ivan@example.com\n"
        )

    def keep(self, **changes: Any) -> token_store.Tokens:
        """Store tokens that were issued just now, but for ``changes``; returns what was issued."""
        issued, now = self.server.issue(), time.time()
        kept = token_store.Tokens(issued["access_token"], issued["refresh_token"], now, now + 3600)
        token_store.write(self.relay, kept._replace(**changes))
        return kept

    def asked(self, path: str = "/token") -> int:
        """Return how often an endpoint was asked."""
        return sum(1 for request in self.server.requests if request.path == path)


@contextmanager
def running(directory: Path, certificates: Certificates, **options: Any) -> Iterator[LoginOffice]:
    """Run both servers, with an ini file for them; ``options`` are those of the authorization server."""
    mechanisms = options.pop("mechanisms", ("XOAUTH2",))
    with AuthorizationServer(certificates.server, ca_file=certificates.ca_file, **options) as server:
        catcher = Catcher(tls=certificates.server, implicit=True, tokens=server.is_valid, mechanisms=mechanisms)
        with catcher:
            office = LoginOffice(directory / "pbxnotify.ini", server, catcher, certificates.ca_file)
            office.write_ini()
            yield office
