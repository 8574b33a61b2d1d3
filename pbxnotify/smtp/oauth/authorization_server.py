"""What the provider is asked for when we need a token: OAuth 2 (RFC 6749, 7636, 8628, 7009), spoken by oauthlib."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from pbxnotify.errors import GrantRefused, RelayMisconfigured, RelayUnavailable, SettingsError, UsageError
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.oauth2 import NO_LIBRARY
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp import tls
from pbxnotify.smtp.advice import network_error
from pbxnotify.smtp.oauth import http
from pbxnotify.smtp.redaction import Redactor
from pbxnotify.text import clean

try:
    from oauthlib.oauth2 import (
        DeviceClient,
        MismatchingStateError,
        MissingCodeError,
        OAuth2Error,
        WebApplicationClient,
    )
except ImportError:
    raise SettingsError(NO_LIBRARY) from None

PRINTABLE = "[ -~]{1,8192}"
"""A token or a code (RFC 6749 appendix A)."""
LONGEST_LIFETIME = 10 * 366 * 86400.0
"""Seconds; what claims to live longer will be asked for again before."""
LONGEST_REASON = 300
"""Characters of what the provider says that are quoted."""
INTERVAL = 5.0
"""Seconds between two questions for a token, where the provider does not say (RFC 8628 section 3.2)."""
LIFETIME_OF_CODE, LONGEST_LIFETIME_OF_CODE = 600.0, 3600.0
"""Seconds for a code whose lifetime the provider does not say, although it must, and at most."""
LIFETIMES = ("expires_in", "refresh_token_expires_in")
"""Where an answer says how long the two tokens last; the second is Google's."""
YANDEX_GRANT = "device_code"
"""Yandex has had its device flow since before the RFC, with names of its own."""
ADVICE = (
    ("AADSTS7000218", 'allow public client flows: the application, Authentication, or "Settings" there'),
    ("client_secret is missing", "write client_secret in [oauth2]"),
    ("^(invalid|deleted)_client", "check client_id and client_secret in [oauth2]"),
    ("^unauthorized_client", "the application is not registered for this: see OAuth 2 in README for what to register"),
    ("^invalid_scope", "check scope in [oauth2], and what the application is registered for"),
    ("^unsupported_grant_type", "check token_url in [oauth2]"),
    (
        "^(invalid_grant|(interaction|login|consent)_required)",
        "what was shown has ended, was withdrawn or used before; log in with  pbxnotify oauth login",
    ),
    ("^(access_denied|authorization_declined)", "somebody said no in the browser; log in again and allow it"),
    ("^expired_token", "nobody has entered the code in time; log in again"),
)
"""What to do about an error (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, Google, Microsoft)."""
OTHERWISE = "if that stays so, log in with  pbxnotify oauth login"
PASSING = ("temporarily_unavailable", "server_error")
"""Errors that pass by themselves."""
NOT_THERE = (404, 405, 410)
"""Statuses of an address that was never, or is no more, one of OAuth 2."""
NOT_YET = ("authorization_pending", "slow_down")
"""Those of a code that nobody has entered yet (RFC 8628 section 3.5)."""


class Grant(NamedTuple):
    """What the provider has issued; lifetimes are in seconds, 0 where it does not say."""

    access: str
    refresh: str
    lifetime: float
    refresh_lifetime: float
    scope: str = ""
    """What it allows, where that may be something else than we have asked for (RFC 6749 section 5.1)."""

    def lacks(self, scope: str) -> bool:
        """Return whether it allows less than was asked for; that it can be renewed is not always said."""
        wanted, allowed = (set(text.lower().split()) - {"offline_access"} for text in (scope, self.scope))
        return bool(allowed) and not wanted <= allowed


class DeviceCode(NamedTuple):
    """A code that a person enters in a browser anywhere (RFC 8628 section 3.2); times are in seconds."""

    code: str
    shown: str
    page: str
    lifetime: float
    interval: float


class Question(NamedTuple):
    """What a person is asked in a browser, and what shows that an answer is to this question (RFC 7636, 6749 10.12)."""

    address: str
    redirect: str
    verifier: str
    state: str


class AuthorizationServer:
    """The provider's authorization server, as our application knows it."""

    def __init__(self, relay: Smtp) -> None:
        """Raises RelayMisconfigured for a ``ca_file`` that is none."""
        self._relay = relay
        self._settings = relay.oauth2
        self._client = WebApplicationClient(self._settings.client_id)
        self._secrets = Redactor()
        self._secrets.add(self._settings.client_secret)
        self._secrets.add(quote_plus(self._settings.client_secret))  # which HTTP Basic has in base64
        # Every server must take the secret beside the form (RFC 6749 section 2.3.1), and some take it nowhere else; the
        # providers that we know are used to it within.
        self._shows_secret_beside = self._settings.provider == "custom" and bool(self._settings.client_secret)
        try:
            self._trusting = tls.web_context(relay)
        except OSError as error:
            why = f"ca_file {relay.ca_file}: {error.strerror or error}"
            raise RelayMisconfigured(f"no token can be asked for: {why}", stage="AUTH") from None

    def require_reachable(self) -> None:
        """Raise RelayUnavailable if we could redeem nothing now: better said before somebody has signed in."""
        try:
            http.reach(self._settings.token_url, self._trusting, self._relay.timeout).close()
        except OSError as error:
            raise self._unreachable(self._settings.token_url, error) from None

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
            **dict(self._settings.defaults.extra_parameters),
        )
        return Question(address, redirect, verifier, state)

    def answer(self, question: Question, address: str) -> Grant:
        """Return what is issued for the address that the browser was sent back to.

        Raises UsageError for one that is not the answer to the question, GrantRefused, RelayUnavailable.
        """
        # oauthlib wants https, although loopback is the very place that needs none (RFC 8252 section 8.3).
        secure = re.sub("^(http)?s?:?/*", "https://", address, count=1)
        try:
            told = self._client.parse_request_uri_response(secure, state=question.state)
        except (MismatchingStateError, MissingCodeError, ValueError):
            raise UsageError("this is not the address that the browser was sent back to: paste all of it") from None
        except OAuth2Error as error:
            raise self._refused(self._settings.authorization_url, str(error.error), error.description) from None
        self._secrets.add(question.verifier)
        self._secrets.add(told["code"])
        return self._issued(
            self._client.prepare_request_body(
                code=told["code"],
                redirect_uri=question.redirect,
                code_verifier=question.verifier,
                **self._secret(),
            )
        )

    def ask_for_code(self) -> DeviceCode:
        """Return a code to be entered at another device. Raises GrantRefused, RelayUnavailable."""
        form = urlencode({"scope": self._settings.scope, **self._credentials()})
        answer = self._ask(self._settings.device_url, form)
        page = answer.get("verification_uri") or answer.get("verification_url")
        code, shown = answer.get("device_code"), answer.get("user_code")
        if not all(isinstance(text, str) and re.fullmatch(PRINTABLE, text) for text in (code, shown, page)):
            raise self._unavailable(self._settings.device_url, "gave no code")
        self._secrets.add(str(code))
        lifetime = min(_seconds(answer.get("expires_in")) or LIFETIME_OF_CODE, LONGEST_LIFETIME_OF_CODE)
        interval = min(_seconds(answer.get("interval")) or INTERVAL, lifetime)
        return DeviceCode(str(code), str(shown), str(page), lifetime, interval)

    def redeem(self, code: DeviceCode) -> Grant:
        """Return what is issued for a code that was entered. Raises GrantRefused, RelayUnavailable."""
        if self._settings.provider == "yandex":
            return self._issued(urlencode({"grant_type": YANDEX_GRANT, "code": code.code, **self._credentials()}))
        device = DeviceClient(self._settings.client_id)
        return self._issued(
            device.prepare_request_body(device_code=code.code, include_client_id=True, **self._credentials())
        )

    def refresh(self, token: str) -> Grant:
        """Return what is issued for a refresh token. Raises GrantRefused, RelayUnavailable."""
        self._secrets.add(token)
        return self._issued(self._client.prepare_refresh_body(refresh_token=token, **self._credentials()))

    def revoke(self, token: str) -> None:
        """End a token (RFC 7009). Raises GrantRefused, RelayUnavailable."""
        self._secrets.add(token)
        url = self._settings.revocation_url
        *_, form = self._client.prepare_token_revocation_request(
            url,
            token,
            token_type_hint="refresh_token",  # noqa: S106 - a kind of token, and none
            **self._credentials(),
        )
        status, body = self._post(url, form)
        if status != 200:
            self._meaning(url, status, body)  # which raises; what comes with 200 says nothing (RFC 7009 section 2.2)

    def _credentials(self) -> dict[str, Any]:
        """Return what shows within a form which application we are."""
        return {"client_id": self._settings.client_id, **self._secret()}

    def _secret(self) -> dict[str, Any]:
        secret = self._settings.client_secret
        return {"client_secret": secret} if secret and not self._shows_secret_beside else {}

    def _headers(self) -> dict[str, str]:
        known = f"{quote_plus(self._settings.client_id)}:{quote_plus(self._settings.client_secret)}"
        basic = {"Authorization": f"Basic {b64encode(known.encode()).decode()}"}
        return basic if self._shows_secret_beside else {}

    def _issued(self, form: str) -> Grant:
        url = self._settings.token_url
        answer = self._ask(url, form)
        access, refresh = answer.get("access_token"), answer.get("refresh_token") or ""
        if not isinstance(access, str) or not re.fullmatch(PRINTABLE, access):
            raise self._unavailable(url, "gave none that can be used")
        if not isinstance(refresh, str) or not re.fullmatch(f"({PRINTABLE})?", refresh):
            raise self._unavailable(url, "gave one that cannot be renewed")
        kind, scope = answer.get("token_type") or "bearer", answer.get("scope") or ""
        if str(kind).lower() != "bearer":  # RFC 6749 section 7.1
            raise self._unavailable(url, f"gave one of the type {self.shown(kind)}, which is not for mail")
        lifetime, refresh_lifetime = (_seconds(answer.get(name)) for name in LIFETIMES)
        return Grant(access, refresh, lifetime, refresh_lifetime, scope if isinstance(scope, str) else "")

    def _ask(self, url: str, form: str) -> dict[str, Any]:
        return self._meaning(url, *self._post(url, form))

    def _post(self, url: str, form: str) -> tuple[int, bytes]:
        try:
            return http.post(url, form, self._trusting, self._relay.timeout, self._headers())
        except OSError as error:
            raise self._unreachable(url, error) from None

    def _unreachable(self, url: str, error: OSError) -> RelayUnavailable:
        advice = " (name the file of its authority as [smtp] ca_file)" if "certificate" in str(error) else ""
        return self._unavailable(url, network_error(error) + advice)

    def _meaning(self, url: str, status: int, body: bytes) -> dict[str, Any]:
        """Return what an endpoint has answered. Raises GrantRefused, RelayUnavailable."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            if status in NOT_THERE:
                raise self._refused(url, f"status {status}", f"is {url} right?")
            doubt = f": is {url} right?" if status < 500 else ""
            raise self._unavailable(url, f"answered with {status}, and nothing of OAuth 2{doubt}")
        error = answer.get("error")
        if status != 200 or error:
            code = error if isinstance(error, str) else ""  # Google's other services answer with an object
            raise self._error(url, status, code, answer.get("error_description"))
        return answer

    def _error(self, url: str, status: int, error: str, description: object) -> RelayUnavailable | GrantRefused:
        passes = status >= 500 or status in (408, 429) or error in PASSING
        if passes and error not in NOT_YET:
            return self._unavailable(url, f"answered with {status} {self.shown(error)}")
        return self._refused(url, error or f"status {status}", description)

    def _refused(self, url: str, error: str, description: object) -> GrantRefused:
        reason = ": ".join(filter(None, (self.shown(error), self.shown(description or ""))))
        otherwise = OTHERWISE if url == self._settings.token_url else ""
        advice = next((told for pattern, told in ADVICE if re.search(pattern, reason)), otherwise)
        return GrantRefused(f"{_host(url)} says no: {reason}{f' ({advice})' if advice else ''}", error=error)

    def _unavailable(self, url: str, what: str) -> RelayUnavailable:
        return RelayUnavailable(f"{_host(url)}, which is asked for a token, {what}".rstrip(), stage="AUTH")

    def shown(self, said: object) -> str:
        """Return what the provider says as a line without secrets."""
        return self._secrets.hidden_in(clean(str(said), 2 * LONGEST_REASON))[:LONGEST_REASON]


def _seconds(written: object) -> float:
    """Return a lifetime or an interval; 0 for what is none."""
    try:
        seconds = float(str(written))
    except ValueError:
        return 0.0
    return min(seconds, LONGEST_LIFETIME) if seconds > 0 else 0.0


def _host(url: str) -> str:
    return str(urlsplit(url).hostname)
