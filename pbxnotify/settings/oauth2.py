"""Section [oauth2] of the ini file: the provider of access tokens; each option is declared once."""

from __future__ import annotations

from collections.abc import Iterator

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import validators
from pbxnotify.settings.options import Conflict, option
from pbxnotify.settings.validators import endpoint, line


class TokenProvider(NamedTuple):
    """What we know of a token provider; ``{tenant}`` in an address stands for the configured one."""

    authorization_url: str
    """Empty where a loopback redirect must be registered with its port: there the device flow is used."""
    token_url: str
    device_url: str  # empty where the device flow (RFC 8628) does not offer the scope for mail
    revocation_url: str
    """Empty where there is none as in RFC 7009: permission is revoked in the account's settings only."""
    scope: str
    redirect_host: str = "127.0.0.1"
    """Loopback as it must be registered; providers accept any port of it (RFC 8252 section 7.3)."""
    extra_parameters: tuple[tuple[str, str], ...] = ()  # sent beside the standard ones to get a refresh token
    revokes_all: bool = False  # with one token, whatever an account has ever allowed the application


TOKEN_PROVIDERS = {
    "google": TokenProvider(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "",
        "https://oauth2.googleapis.com/revoke",
        "https://mail.google.com/",
        extra_parameters=(("access_type", "offline"), ("prompt", "consent")),
        revokes_all=True,
    ),
    "microsoft": TokenProvider(
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
        "",
        "https://outlook.office.com/SMTP.Send offline_access",
        redirect_host="localhost",
    ),
    "yandex": TokenProvider(
        "", "https://oauth.yandex.ru/token", "https://oauth.yandex.ru/device/code", "", "mail:smtp"
    ),
    "custom": TokenProvider("", "", "", "", ""),
}
NO_LIBRARY = (
    "OAuth 2 needs oauthlib, which is not installed; install it with  make install EXTRAS=oauth2  (in a venv:"
    "  pip install oauthlib)"
)
SERVICES = {"gmail": "google", "microsoft365": "microsoft", "office365": "microsoft", "outlook": "microsoft"}
"""Names of mail services written for their token provider."""
WITH_SECRET = ("google",)  # providers that require a secret even of an application on the user's own machine
ANY_TENANT, CONSUMERS = "common", "consumers"  # Microsoft's tenants for all accounts, and for those of Outlook.com


def token_provider(value: str) -> str:
    """Accept the name of a token provider."""
    service = SERVICES.get(value.lower())
    if service:
        raise ValueError(f"is not one of {', '.join(TOKEN_PROVIDERS)} (did you mean {service}?)")
    return validators.one_of(*TOKEN_PROVIDERS)(value)


class OAuth2(NamedTuple):
    """The token provider; ``with_defaults`` adds what we know of it where nothing is written."""

    provider: str = option(token_provider, "", "google, microsoft, yandex or custom")
    client_id: str = option(line, "", "the ID of the application registered with the provider")
    client_secret: str = option(line, "", "its secret in quotes, if it has one (Microsoft's need none)", secret=True)
    tenant: str = option(
        validators.tenant, "", "Microsoft's directory: ID or domain, consumers for Outlook.com; empty: common"
    )
    scope: str = option(line, "", "the scope to request; empty: the provider's for mail")
    authorization_url: str = option(
        endpoint, "", "https://..., where the browser asks for consent; empty: the provider's"
    )
    token_url: str = option(endpoint, "", "https://..., the token endpoint; empty: the provider's")
    device_url: str = option(
        endpoint, "", "https://..., the device authorization endpoint; empty: the provider's, if any"
    )
    revocation_url: str = option(endpoint, "", "https://..., the revocation endpoint; empty: the provider's, if any")

    def __repr__(self) -> str:
        """Show no secret in a log or traceback."""
        return f"OAuth2({self.client_id!r} at {self.provider})"

    @property
    def defaults(self) -> TokenProvider:
        """What we know of the provider."""
        return TOKEN_PROVIDERS[self.provider or "custom"]

    @property
    def extra_parameters(self) -> dict[str, str]:
        """What the browser is sent to the provider with, beside the standard parameters, to get a refresh token."""
        if self.provider == "custom" and "offline_access" in self.scope.split():
            return {"prompt": "consent"}  # OpenID Connect Core section 11
        return dict(self.defaults.extra_parameters)

    def with_defaults(self) -> OAuth2:
        """Return these settings completed with what we know of the provider."""
        tenant = self.tenant or ANY_TENANT
        names = ("scope", "authorization_url", "token_url", "device_url", "revocation_url")
        return self._replace(
            **{name: getattr(self, name) or getattr(self.defaults, name).format(tenant=tenant) for name in names}
        )

    def conflicts(self) -> Iterator[Conflict]:
        """Yield the options that are missing for us to get tokens, and what to write."""
        if not self.provider:
            what = "is missing, but [smtp] auth = oauth2; write google, microsoft, yandex or custom"
            yield Conflict(("provider",), what)
            return
        if not self.client_id:
            yield Conflict(("client_id",), "is missing; write the ID of the application registered with the provider")
        if self.provider in WITH_SECRET and not self.client_secret:
            yield Conflict(("client_secret",), "is missing; write the secret of the application, in quotes")
        complete = self.with_defaults()
        if not complete.token_url:
            yield Conflict(("token_url",), "is missing; a custom provider needs one")
        if not complete.scope:
            yield Conflict(("scope",), "is missing; a custom provider needs one: its scope for mail")
        if not complete.authorization_url and not complete.device_url:
            yield Conflict(("authorization_url", "device_url"), "is missing, and so is device_url; write one of them")


def has_library() -> bool:
    """Return whether the OAuth 2 library is installed."""
    from importlib.util import find_spec

    return find_spec("oauthlib") is not None
