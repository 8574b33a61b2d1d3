"""The far end of OAuth 2: an authorization server for one client and one account, and what its person does there.

The protocol is Authlib's, served over HTTPS.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import flask
from authlib.oauth2 import OAuth2Error
from oauth_protocol import ENDPOINTS, SCOPE, Client, Device, Protocol
from werkzeug.serving import WSGIRequestHandler, make_server


@dataclass(frozen=True)
class Request:
    """What came to an endpoint, and when (time.monotonic())."""

    path: str
    form: dict[str, str]
    """Of the query, where there is no form."""
    came: float
    authorization: str = ""
    """The header."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint says instead of the real answer; a mapping is sent as JSON."""

    status: int
    body: bytes | str | Mapping[str, Any]
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def response(self) -> flask.Response:
        """The answer as Flask sends it."""
        body = self.body if isinstance(self.body, (bytes, str)) else flask.json.dumps(self.body)
        return flask.Response(body, self.status, list(self.headers), content_type=self.content_type)


class RefusedError(Exception):
    """A browser was not sent back to the client; tells what it was shown instead."""


class _Silent(WSGIRequestHandler):
    """Tells nothing on stderr about requests."""

    def log(self, type: str, message: str, *arguments: object) -> None:
        pass


class AuthorizationServer:
    """A real HTTPS server on 127.0.0.1 that gives tokens to one client for one account, and what a person does there.

    Its endpoints are /authorize, /token, /device, /revoke and /introspect.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        *,
        client_id: str = "pbx-client",
        client_secret: str = "",
        account: str = "pbx@office.test",
        lifetime: int = 3600,
        rotates: bool = False,
        interval: float = 1,
        token_length: int = 42,
        ca_file: str | None = None,
    ) -> None:
        """A client without a secret is public. Access tokens live so many seconds; with 0 it tells no end, nor is one.

        With ``rotates`` each refresh gives a new refresh token, and a second use of the old one ends the login. A
        device may ask once in ``interval`` seconds. A browser trusts ``ca_file``, or whom everybody here trusts.
        """
        self.requests: list[Request] = []
        self._answers: defaultdict[str, list[Answer]] = defaultdict(list)
        self._came, self._answering = threading.Event(), threading.Event()
        self._answering.set()
        self._account = account
        self._ca_file = ca_file
        self._app = flask.Flask(__name__)
        self._protocol = Protocol(self._app, Client(client_id, client_secret), account, lifetime, token_length)
        self._server = make_server("127.0.0.1", 0, self._app, threaded=True, request_handler=_Silent, ssl_context=tls)
        self.port: int = self._server.port
        self.url = f"https://localhost:{self.port}"
        self._protocol.register_all(self.url, rotates, interval)
        self._add_paths()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> AuthorizationServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def ini(self) -> str:
        """The section of the ini file for a client of this server."""
        client = self._protocol.client
        secret = f'client_secret = "{client.secret}"\n' if client.secret else ""
        return (
            f"[oauth2]\nprovider = custom\nclient_id = {client.client_id}\n{secret}"
            f"authorization_url = {self.url}/authorize\n"
            f"token_url = {self.url}/token\n"
            f"device_url = {self.url}/device\n"
            f"revocation_url = {self.url}/revoke\n"
            f"scope = {SCOPE}\n"
        )

    def answer(self, path: str, *answers: Answer) -> None:
        """Give these answers to the next requests to a path, one each, instead of the real ones."""
        self._answers[path] += answers

    def allow(self, user_code: str) -> None:
        """Consent to what a device asks, at the verification page."""
        self._find_device(user_code).allowed = True

    def deny(self, user_code: str) -> None:
        """Refuse it there."""
        self._find_device(user_code).allowed = False

    def browse(self, url: str, *, consents: bool = True) -> str:
        """Open a URL of /authorize in a browser, and consent or not; returns where the browser is sent.

        Raises RefusedError if it is sent nowhere.
        """
        address = urlsplit(url)
        context = ssl.create_default_context(cafile=self._ca_file)
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=60, context=context)
        try:
            cookie = f"consents={'yes' if consents else 'no'}"
            connection.request("GET", f"{address.path}?{address.query}", headers={"Cookie": cookie})
            response = connection.getresponse()
            location = response.getheader("Location")
            if response.status != 302 or not location:
                raise RefusedError(f"{response.status} {response.read().decode(errors='replace')}")
            return location
        finally:
            connection.close()

    @contextmanager
    def thinking(self) -> Iterator[threading.Event]:
        """Answer nobody meanwhile; yields what is set when a request comes."""
        self._came.clear()
        self._answering.clear()
        try:
            yield self._came
        finally:
            self._answering.set()

    def newest(self, refresh_token: str) -> str | None:
        """Return the last refresh token that came from the same consent."""
        token = self._protocol.find_token(refresh_token)
        return token.consent[-1].refresh_token if token else None

    def share_one_consent(self) -> None:
        """Let all logins from now on be one consent: who revokes a token of one ends them all."""
        self._protocol.one_consent = []

    def issue(self) -> dict[str, Any]:
        """Return what the token endpoint would answer to somebody who has just logged in."""
        client, account = self._protocol.client, self._account
        token = self._protocol.generate_token("authorization_code", client, user=account, scope=SCOPE)
        self._protocol.save_token(token)
        return token

    def is_valid(self, login: str, token: str) -> bool:
        """Whether an access token opens an account now."""
        return login == self._account and self._protocol.is_active(token)

    def expire_access_tokens(self) -> None:
        """Let time pass for all access tokens there are."""
        for token in self._protocol.tokens:
            token.expires = 0

    def expire_device_codes(self) -> None:
        """Let time pass for all devices that wait."""
        for device in self._protocol.devices.values():
            device.expires = 0

    def withdraw(self) -> None:
        """Take back each consent, as a person does at the provider's page, or an administrator."""
        for token in self._protocol.tokens:
            token.revoke()

    def _find_device(self, user_code: str) -> Device:
        return next(one for one in self._protocol.devices.values() if one.user_code == user_code)

    def _add_paths(self) -> None:
        self._app.before_request(self._receive)
        self._app.add_url_rule("/authorize", view_func=self._authorize)
        self._app.add_url_rule("/token", view_func=self._protocol.create_token_response, methods=["POST"])
        for path, name in ENDPOINTS.items():
            view = self._protocol.create_endpoint_response
            self._app.add_url_rule(path, path, view, methods=["POST"], defaults={"name": name})

    def _receive(self) -> flask.Response | None:
        """Keep what came, and answer as scripted."""
        request = flask.request
        header = request.headers.get("Authorization", "")
        self.requests.append(Request(request.path, request.values.to_dict(), time.monotonic(), header))
        self._came.set()
        self._answering.wait()
        answers = self._answers[request.path]
        return answers.pop(0).response() if answers else None

    def _authorize(self) -> flask.Response:
        consents = flask.request.cookies.get("consents") != "no"
        try:
            grant = self._protocol.get_consent_grant(end_user=self._account)
        except OAuth2Error as error:
            return self._protocol.handle_error_response(flask.request, error)
        return self._protocol.create_authorization_response(grant_user=self._account if consents else None, grant=grant)
