"""Reads the authorization server's responses: a grant, a code for another device, or an error and its remedy."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote_plus, urlsplit

from pbxnotify.errors import GrantRefused, LoginUnavailable
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.smtp.oauth import http
from pbxnotify.smtp.redaction import Redactor
from pbxnotify.text import clean

PRINTABLE = "[ -~]{1,8192}"  # a token or a code (RFC 6749 appendix A)
LONGEST_LIFETIME = 10 * 366 * 86400.0  # seconds; a token that claims to live longer is renewed before
LONGEST_REASON = 300  # characters of the provider's words that are quoted
INTERVAL = 5.0  # seconds between two requests for a token, where the provider does not say (RFC 8628 section 3.2)
LIFETIME_OF_CODE, LONGEST_LIFETIME_OF_CODE = 600.0, 3600.0
"""Seconds for a code whose lifetime the provider does not say, although it must, and at most."""
ADVICE = (
    ("AADSTS7000218", 'allow public client flows: the application, Authentication, or "Settings" there'),
    ("client_secret is missing", "write client_secret in [oauth2]"),
    ("^(invalid|deleted)_client", "check client_id and client_secret in [oauth2]"),
    ("^unauthorized_client", "the application is not registered for this: see docs/oauth2.md for what to register"),
    ("^invalid_scope", "check scope in [oauth2], and what the application is registered for"),
    ("^unsupported_grant_type", "check token_url in [oauth2]"),
    (
        "^(invalid_grant|(interaction|login|consent)_required)",
        "the login has expired, was withdrawn or already used; log in with  pbxnotify oauth login",
    ),
    ("^(access_denied|authorization_declined)", "permission was denied in the browser; log in again and allow it"),
    ("^expired_token", "the code was not entered in time; log in again"),
)
"""What to do about an error (RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, Google, Microsoft)."""
OTHERWISE = "if this persists, log in with  pbxnotify oauth login"
PASSING = ("temporarily_unavailable", "server_error")  # errors that pass by themselves
NOT_THERE = (404, 405, 410)  # statuses of an address that is not, or no longer, one of OAuth 2
NOT_YET = ("authorization_pending", "slow_down")  # errors of a code that nobody has entered yet (RFC 8628 section 3.5)


class Grant(NamedTuple):
    """What the provider has issued; lifetimes are in seconds, None where it does not say."""

    access: str
    refresh: str
    lifetime: float | None
    refresh_lifetime: float | None  # Google's word only
    scope: str = ""  # what it allows, where that may differ from what we have requested (RFC 6749 section 5.1)

    def lacks(self, scope: str) -> bool:
        """Return whether it allows less for mail than requested; the scopes of OpenID are not always said."""
        wanted, allowed = (set(text.lower().split()) for text in (scope, self.scope))
        return bool(allowed) and not wanted - {"offline_access", "openid"} <= allowed


class DeviceCode(NamedTuple):
    """A code that a person enters in a browser anywhere (RFC 8628 section 3.2); times are in seconds."""

    code: str
    shown: str
    page: str
    lifetime: float
    interval: float


class Responses:
    """Reads responses, and redacts in what they say the secrets that were sent."""

    def __init__(self, settings: OAuth2) -> None:
        self._settings = settings
        self._secrets = Redactor()

    def hide(self, secret: str) -> None:
        """Redact a secret from now on, also as an HTTP form carries it."""
        self._secrets.add(secret)
        self._secrets.add(quote_plus(secret))

    def shown(self, said: object) -> str:
        """Return what the provider says as a line without secrets."""
        return self._secrets.redact(clean(str(said), 2 * LONGEST_REASON))[:LONGEST_REASON]

    def grant(self, url: str, answer: http.Answer) -> Grant:
        """Return what was issued. Raises GrantRefused, LoginUnavailable."""
        fields = self.fields(url, answer)
        access, refresh = fields.get("access_token"), fields.get("refresh_token") or ""
        if not isinstance(access, str) or not re.fullmatch(PRINTABLE, access):
            raise self.unavailable(url, "returned no usable token")
        if not isinstance(refresh, str) or not re.fullmatch(f"({PRINTABLE})?", refresh):
            raise self.unavailable(url, "returned no usable refresh token")
        kind, scope = fields.get("token_type") or "bearer", fields.get("scope") or ""
        if str(kind).lower() != "bearer":  # RFC 6749 section 7.1
            raise self.unavailable(url, f"returned a token of the type {self.shown(kind)}, which is not for mail")
        lifetime, refresh_lifetime = (_seconds(fields.get(name)) for name in ("expires_in", "refresh_token_expires_in"))
        return Grant(access, refresh, lifetime, refresh_lifetime, scope if isinstance(scope, str) else "")

    def device_code(self, url: str, answer: http.Answer) -> DeviceCode:
        """Return a code to be entered at another device. Raises GrantRefused, LoginUnavailable."""
        fields = self.fields(url, answer)
        page = fields.get("verification_uri") or fields.get("verification_url")
        code, shown = fields.get("device_code"), fields.get("user_code")
        if not all(isinstance(text, str) and re.fullmatch(PRINTABLE, text) for text in (code, shown, page)):
            raise self.unavailable(url, "returned no usable code")
        self.hide(str(code))
        lifetime = min(_seconds(fields.get("expires_in")) or LIFETIME_OF_CODE, LONGEST_LIFETIME_OF_CODE)
        interval = min(_seconds(fields.get("interval")) or INTERVAL, lifetime)
        return DeviceCode(str(code), str(shown), str(page), lifetime, interval)

    def fields(self, url: str, answer: http.Answer) -> dict[str, Any]:
        """Return the fields of an answer. Raises GrantRefused, LoginUnavailable."""
        try:
            fields = json.loads(answer.body)
        except (ValueError, RecursionError):
            fields = None
        status = answer.status
        if not isinstance(fields, dict):
            if status in NOT_THERE:
                raise self.refused(url, f"status {status}", f"is {url} right?")
            doubt = f": is {url} right?" if status < 500 else ""
            raise self.unavailable(url, f"answered with {status}, but not as OAuth 2 does{doubt}")
        error = fields.get("error")
        if status != 200 or error:
            code = error if isinstance(error, str) else ""  # Google's other services answer with an object
            if code not in NOT_YET and (status >= 500 or status in (408, 429) or code in PASSING):
                raise self.unavailable(url, f"answered with {status} {self.shown(code)}")
            raise self.refused(url, code or f"status {status}", fields.get("error_description"))
        return fields

    def refused(self, url: str, error: str, description: object) -> GrantRefused:
        """Return the error for a refusal, with what to do about it."""
        reason = ": ".join(filter(None, (self.shown(error), self.shown(description or ""))))
        otherwise = OTHERWISE if url == self._settings.token_url else ""
        advice = next((advice for pattern, advice in ADVICE if re.search(pattern, reason)), otherwise)
        return GrantRefused(
            f"{urlsplit(url).hostname} refuses: {reason}{f' ({advice})' if advice else ''}", error=error
        )

    def unavailable(self, url: str, what: str) -> LoginUnavailable:
        """Return the error for an answer that may be better next time, or none."""
        return LoginUnavailable(f"{urlsplit(url).hostname}, which issues the token, {what}".rstrip())


def _seconds(written: object) -> float | None:
    """Return a lifetime or an interval; None for anything else."""
    try:
        seconds = float(str(written))
    except ValueError:
        return None
    return min(seconds, LONGEST_LIFETIME) if seconds > 0 else None
