"""What Authlib asks of an authorization server, answered from memory for one client and one account."""

from __future__ import annotations

import math
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import flask
from authlib.integrations import flask_oauth2
from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, InvalidRequestError, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import DEVICE_CODE_GRANT_TYPE, DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oauth2.rfc8628 import DeviceCredentialMixin as CredentialMixin

SCOPE = "mail.send"
SCOPES = (SCOPE, "offline_access")
GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE_GRANT_TYPE)
CLIENT_METHODS = ["client_secret_basic", "client_secret_post", "none"]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SLOW_DOWN = 5
"""Seconds by which slow_down makes the interval longer."""
PUNCTUAL = 0.9
"""The part of the interval after which a poll is no more too early: clocks and networks are not exact."""


@dataclass(frozen=True)
class Client(ClientMixin):
    """The one client: confidential if it has a secret, otherwise public, on somebody's own machine."""

    client_id: str
    secret: str

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or SCOPE).split() if one in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it is this machine's, on any port (RFC 8252, 7.3)."""
        address = urlsplit(redirect_uri)
        return address.scheme == "http" and address.hostname in LOOPBACK and not address.fragment

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it shows its secret, if it has one, in the way that every server must take, or in the form."""
        return method in (CLIENT_METHODS[:2] if self.secret else CLIENT_METHODS[2:])

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES


@dataclass
class Code(AuthorizationCodeMixin):
    """An authorization code that has not been used."""

    code: str
    redirect_uri: str
    scope: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Device(CredentialMixin):
    """A device that waits for a person's word."""

    client_id: str
    scope: str
    user_code: str
    interval: float
    expires: float
    allowed: bool | None = None
    polled: float = -math.inf

    def get_client_id(self) -> str:
        return self.client_id

    def get_scope(self) -> str:
        return self.scope

    def get_user_code(self) -> str:
        return self.user_code

    def is_expired(self) -> bool:
        return self.expires <= time.time()

    def is_polled_too_early(self) -> bool:
        """Whether this poll comes before its time; every other must wait longer then (RFC 8628, 3.5)."""
        now = time.monotonic()
        early = now - self.polled < self.interval * PUNCTUAL
        self.interval += SLOW_DOWN if early else 0
        self.polled = now
        return early


@dataclass
class Token(TokenMixin):
    """What the token endpoint gave out at once: an access token, and perhaps a refresh token."""

    access_token: str
    refresh_token: str | None
    scope: str
    expires: float
    consent: list[Token] = field(repr=False)
    """All that came from a person's one consent, this too."""
    access_revoked: bool = False
    refresh_revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return True  # there is one only

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return self.expires <= time.time()

    def is_revoked(self) -> bool:
        return self.access_revoked

    def revoke(self) -> None:
        """End all that came from the same consent, as with a refresh token (RFC 7009, 2.1)."""
        for token in self.consent:
            token.access_revoked = token.refresh_revoked = True


class Protocol(flask_oauth2.AuthorizationServer):
    """What Authlib asks an authorization server to find and to keep."""

    def __init__(self, app: flask.Flask, client: Client, account: str, lifetime: int, token_length: int) -> None:
        self.client = client
        self.account = account
        self.lifetime = lifetime
        self.token_length = token_length
        self.codes: dict[str, Code] = {}
        self.devices: dict[str, Device] = {}
        self.tokens: list[Token] = []
        self.one_consent: list[Token] | None = None
        app.config["OAUTH2_SCOPES_SUPPORTED"] = SCOPES
        super().__init__(app)

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.client_id else None

    def create_bearer_token_generator(self, config: Mapping[str, object]) -> BearerTokenGenerator:
        return BearerTokenGenerator(
            lambda **_: self._random_token(self.token_length),
            lambda **_: self._random_token(48),
            lambda client, grant_type: self.lifetime,
        )

    def save_token(self, token: dict[str, Any], request: OAuth2Request | None = None) -> None:
        lifetime = token.get("expires_in", math.inf)
        fresh: list[Token] = [] if self.one_consent is None else self.one_consent
        consent = request.refresh_token.consent if request and request.refresh_token else fresh
        refresh_token = token.get("refresh_token")
        consent.append(Token(token["access_token"], refresh_token, token["scope"], time.time() + lifetime, consent))
        self.tokens.append(consent[-1])

    def find_token(self, text: str) -> Token | None:
        """Return the token that has it as access token or as refresh token."""
        return next((one for one in self.tokens if text in {one.access_token, one.refresh_token}), None)

    def is_active(self, access_token: str) -> bool:
        """Whether it is an access token that opens something."""
        token = self.find_token(access_token)
        if token is None or token.access_token != access_token:
            return False
        return not (token.is_expired() or token.is_revoked())

    def register_all(self, url: str, rotates: bool, interval: float) -> None:
        """Know each grant and endpoint there is here; ``url`` is where people come."""
        self.register_grant(_CodeGrant, [_Challenge()])
        self.register_grant(_DeviceGrant)
        self.register_grant(_RotatingRefreshGrant if rotates else _RefreshGrant)
        for endpoint in (_Device(url, interval), _Revocation, _Introspection):
            self.register_endpoint(endpoint)

    @staticmethod
    def _random_token(length: int) -> str:
        return urlsafe_b64encode(secrets.token_bytes(length)).decode()[:length]


class _Challenge(CodeChallenge):
    """PKCE as it ought to be: nobody does without, and nobody sends the verifier itself."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"

    def validate_code_challenge(self, grant: grants.AuthorizationCodeGrant, redirect_uri: str) -> None:
        for name in ("code_challenge", "code_challenge_method"):
            if not grant.request.payload.data.get(name):
                raise InvalidRequestError(f"Missing '{name}'")
        super().validate_code_challenge(grant, redirect_uri)


class _CodeGrant(grants.AuthorizationCodeGrant):
    """The grant of who comes back with a code."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        asked = request.payload
        self.server.codes[code] = Code(
            code,
            asked.redirect_uri,
            request.client.get_allowed_scope(asked.scope),
            asked.data["code_challenge"],
            asked.data["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        return self.server.codes.get(code)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> str:
        return self.server.account


class _DeviceGrant(DeviceCodeGrant):
    """The grant of a device whose person has allowed it elsewhere."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS

    def query_device_credential(self, device_code: str) -> Device | None:
        return self.server.devices.get(device_code)

    def query_user_grant(self, user_code: str) -> tuple[str, bool] | None:
        device = next(one for one in self.server.devices.values() if one.user_code == user_code)
        return None if device.allowed is None else (self.server.account, device.allowed)

    def should_slow_down(self, credential: Device) -> bool:
        return credential.is_polled_too_early()

    def save_token(self, token: dict[str, Any]) -> None:
        super().save_token(token)
        del self.server.devices[self.request.form["device_code"]]


class _RefreshGrant(grants.RefreshTokenGrant):
    """The grant of who has a refresh token."""

    TOKEN_ENDPOINT_AUTH_METHODS = CLIENT_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        token = self.server.find_token(refresh_token)
        return token if token and token.refresh_token == refresh_token and not token.refresh_revoked else None

    def authenticate_user(self, refresh_token: Token) -> str:
        return self.server.account

    def revoke_old_credential(self, refresh_token: Token) -> None:
        refresh_token.refresh_revoked = self.INCLUDE_NEW_REFRESH_TOKEN


class _RotatingRefreshGrant(_RefreshGrant):
    """The same, where a refresh token is good for one refresh, as most providers do for public clients."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        """Return the token; a second use ends all that came from the consent (RFC 9700 section 4.14.2)."""
        token = self.server.find_token(refresh_token)
        if token and token.refresh_revoked:
            token.revoke()
        return super().authenticate_refresh_token(refresh_token)


class _Device(DeviceAuthorizationEndpoint):
    """Where a device asks for its codes."""

    CLIENT_AUTH_METHODS = CLIENT_METHODS

    def __init__(self, url: str, interval: float) -> None:
        self.url = url
        self.INTERVAL = interval

    def get_verification_uri(self) -> str:
        return f"{self.url}/verify"

    def save_device_credential(self, client_id: str, scope: str | None, data: dict[str, Any]) -> None:
        allowed_scope = self.server.client.get_allowed_scope(scope)
        expires = time.time() + data["expires_in"]
        device = Device(client_id, allowed_scope, data["user_code"], data["interval"], expires)
        self.server.devices[data["device_code"]] = device


class _Revocation(RevocationEndpoint):
    """Where a client gives a token back."""

    CLIENT_AUTH_METHODS = CLIENT_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        return self.server.find_token(token_string)

    def revoke_token(self, token: Token, request: OAuth2Request) -> None:
        token.access_revoked = True
        if request.form["token"] == token.refresh_token:
            token.revoke()


class _Introspection(IntrospectionEndpoint):
    """Where a mail server, anybody here, asks whose a token is."""

    def authenticate_endpoint_client(self, request: OAuth2Request) -> None:
        return None

    def check_permission(self, token: Token, client: None, request: OAuth2Request) -> bool:
        return self.server.is_active(request.form["token"])

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
        return self.server.find_token(token_string)

    def introspect_token(self, token: Token) -> dict[str, Any]:
        whose = dict.fromkeys(("username", "sub", "user"), self.server.account)
        expires = {} if math.isinf(token.expires) else {"exp": int(token.expires)}
        return {"active": True, "client_id": self.server.client.client_id, "scope": token.scope, **whose, **expires}


ENDPOINTS: Mapping[str, str] = {
    "/device": _Device.ENDPOINT_NAME,
    "/revoke": _Revocation.ENDPOINT_NAME,
    "/introspect": _Introspection.ENDPOINT_NAME,
}
"""What Authlib calls the endpoint at a path."""
