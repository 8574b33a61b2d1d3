"""Requests tokens of the provider: OAuth 2 (RFC 6749, 7636, 8628, 7009), spoken by oauthlib."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from pbxnotify.errors import GrantRefused, LoginRefused, LoginUnavailable, SettingsError, UsageError
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.oauth2 import NO_LIBRARY
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.advice import network_error
from pbxnotify.smtp.connection import tls_context
from pbxnotify.smtp.oauth import http
from pbxnotify.smtp.oauth.responses import DeviceCode, Grant, Responses

try:
    from oauthlib.oauth2 import DeviceClient, MismatchingStateError, MissingCodeError, OAuth2Error, WebApplicationClient
except ImportError:
    raise SettingsError(NO_LIBRARY) from None

YANDEX_GRANT = "device_code"  # Yandex has had its device flow since before the RFC, with names of its own
SLOWER, SLOWEST = 5.0, 60.0
"""Seconds added to the interval for each slow_down (RFC 8628 section 3.5); the longest interval if nothing answers."""


class Question(NamedTuple):
    """What a person is asked in a browser, and what shows that an answer is to this question (RFC 7636, 6749 10.12)."""

    address: str
    redirect: str
    verifier: str
    state: str


class AuthorizationServer:
    """The provider's authorization server, as our application knows it."""

    def __init__(self, relay: Smtp) -> None:
        """Raises LoginRefused for an unusable ``ca_file``."""
        self._relay = relay
        self._settings = settings = relay.oauth2
        self._client = WebApplicationClient(settings.client_id)
        self.responses = Responses(settings)
        self.responses.hide(settings.client_secret)
        # Every server must take the secret beside the form (RFC 6749 section 2.3.1), and some take it nowhere else; the
        # providers that we know are used to it within.
        self._headers: dict[str, str] = {}
        self._secret: dict[str, Any] = {"client_secret": settings.client_secret} if settings.client_secret else {}
        if settings.provider == "custom" and self._secret:
            known = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            self.responses.hide(known)
            self._headers["Authorization"] = f"Basic {b64encode(known.encode()).decode()}"
            self._secret = {}
        self._application = {"client_id": settings.client_id, **self._secret}  # as a form shows which one we are
        try:
            self._context = tls_context(relay, for_web=True)
        except OSError as error:
            why = f"ca_file {relay.ca_file}: {error.strerror or error}"
            raise LoginRefused(f"no token can be requested: {why}") from None

    def require_reachable(self) -> None:
        """Raise LoginUnavailable if no token could be had now: better said before somebody has signed in."""
        url = self._settings.token_url
        try:
            http.reach(urlsplit(url), self._context, self._relay.timeout).close()
        except OSError as error:
            raise self._unreachable(url, error) from None

    def question(self, redirect: str) -> Question:
        """Return where a person allows us to send mail, and is sent back to ``redirect``."""
        verifier, state = self._client.create_code_verifier(64), self._client.state_generator()
        address = self._client.prepare_request_uri(
            self._settings.authorization_url,
            redirect_uri=redirect,
            scope=self._settings.scope,
            state=state,
            code_challenge=self._client.create_code_challenge(verifier, "S256"),
            code_challenge_method="S256",
            login_hint=self._relay.login,
            **self._settings.extra_parameters,
        )
        return Question(address, redirect, verifier, state)

    def answer(self, question: Question, address: str) -> Grant:
        """Return what is issued for the address that the browser was sent back to.

        Raises UsageError if it is not the answer to the question, GrantRefused, LoginUnavailable.
        """
        # oauthlib wants https, although loopback is the very place that needs none (RFC 8252 section 8.3).
        secure = re.sub("^(http)?s?:?/*", "https://", address, count=1)
        try:
            code = self._client.parse_request_uri_response(secure, state=question.state)["code"]
        except (MismatchingStateError, MissingCodeError, ValueError):
            raise UsageError("this is not the address that the browser was sent back to: paste all of it") from None
        except OAuth2Error as error:
            raise self.responses.refused(
                self._settings.authorization_url, str(error.error), error.description
            ) from None
        self.responses.hide(question.verifier)
        self.responses.hide(code)
        proof = {"code_verifier": question.verifier, **self._secret}
        return self._issued(self._client.prepare_request_body(code, question.redirect, **proof))

    def ask_for_code(self) -> DeviceCode:
        """Return a code to be entered at another device. Raises GrantRefused, LoginUnavailable."""
        url = self._settings.device_url
        form = urlencode({"scope": self._settings.scope, **self._application})
        return self.responses.device_code(url, self._post(url, form))

    def redeem(self, code: DeviceCode) -> Grant:
        """Return what is issued for a code that was entered. Raises GrantRefused, LoginUnavailable."""
        if self._settings.provider == "yandex":
            return self._issued(urlencode({"grant_type": YANDEX_GRANT, "code": code.code, **self._application}))
        device = DeviceClient(self._settings.client_id)
        return self._issued(device.prepare_request_body(code.code, include_client_id=True, **self._application))

    def wait_for_entry(self, code: DeviceCode, report: Callable[[str], None]) -> Grant:
        """Ask until a code was entered (RFC 8628 section 3.5). Raises GrantRefused, LoginUnavailable."""
        until, interval = time.monotonic() + code.lifetime, code.interval
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(interval, left))
            try:
                return self.redeem(code)
            except GrantRefused as error:
                if error.error == "slow_down":
                    interval += SLOWER
                elif error.error != "authorization_pending":
                    raise
            except LoginUnavailable as error:
                interval = max(interval, min(2 * interval, SLOWEST))
                report(f"{error}; asking again in {interval:.0f} s")
        raise LoginUnavailable("the code was not entered in time: log in again")

    def refresh(self, token: str) -> Grant:
        """Return what is issued for a refresh token. Raises GrantRefused, LoginUnavailable."""
        self.responses.hide(token)
        return self._issued(self._client.prepare_refresh_body(refresh_token=token, **self._application))

    def revoke(self, token: str) -> None:
        """Revoke a token (RFC 7009). Raises GrantRefused, LoginUnavailable."""
        self.responses.hide(token)
        url = self._settings.revocation_url
        *_, form = self._client.prepare_token_revocation_request(url, token, "refresh_token", **self._application)
        answer = self._post(url, form)
        if answer.status != 200:
            self.responses.fields(url, answer)  # which raises; the body of a 200 says nothing (RFC 7009 section 2.2)

    def _issued(self, form: str) -> Grant:
        url = self._settings.token_url
        return self.responses.grant(url, self._post(url, form))

    def _post(self, url: str, form: str) -> http.Answer:
        try:
            return http.post(url, form, self._context, self._relay.timeout, self._headers)
        except OSError as error:
            raise self._unreachable(url, error) from None

    def _unreachable(self, url: str, error: OSError) -> LoginUnavailable:
        advice = " (name its authority's file as [smtp] ca_file)" if "certificate" in str(error) else ""
        return self.responses.unavailable(url, network_error(error) + advice)
