"""The section [oauth2] of the ini file: who gives us tokens, and where; each option declared once."""

from __future__ import annotations

from collections.abc import Iterator

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import validators
from pbxnotify.settings.validators import option


class TokenProvider(NamedTuple):
    """What a provider of tokens is known for; ``{tenant}`` in an address is the admin's."""

    authorization_url: str
    """"" where a redirection to loopback must be registered with its port: there the device flow is the way."""
    token_url: str
    device_url: str
    """"" where mail is not among what its device flow (RFC 8628) may be asked for."""
    revocation_url: str
    """"" where it has none as in RFC 7009: a permission is withdrawn in the account's settings only."""
    scope: str
    redirect_host: str = "127.0.0.1"
    """Loopback as it must be registered; providers take any port of it (RFC 8252 section 7.3)."""
    wants: tuple[tuple[str, str], ...] = ()
    """What must be said beside the standard so that it gives a refresh token."""


PROVIDERS = {
    "google": TokenProvider(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        "",
        "https://oauth2.googleapis.com/revoke",
        "https://mail.google.com/",
        wants=(("access_type", "offline"), ("prompt", "consent")),
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
        "",
        "https://oauth.yandex.ru/token",
        "https://oauth.yandex.ru/device/code",
        "",
        "mail:smtp",
    ),
    "custom": TokenProvider("", "", "", "", ""),
}
NO_LIBRARY = (
    "OAuth 2 needs oauthlib, which is not there; install it with  make install EXTRAS=oauth2  (in a venv:"
    "  pip install oauthlib)"
)
SERVICES = {"gmail": "google", "microsoft365": "microsoft", "office365": "microsoft", "outlook": "microsoft"}
"""What people write who think of the mail, and not of who lets them in."""
WITH_SECRET = ("google",)
"""Providers that give no token to an application, even one on somebody's own machine, which shows no secret."""
EVERYBODY, CONSUMERS = "common", "consumers"
"""Microsoft's tenants of all accounts, and of those of Outlook.com."""


def token_provider(value: str) -> str:
    """Take who gives us tokens."""
    service = SERVICES.get(value.lower())
    if service:
        raise ValueError(f"is none of {', '.join(PROVIDERS)} (did you mean {service}?)")
    return validators.one_of(PROVIDERS, value)


class OAuth2(NamedTuple):
    """Who gives us tokens; ``filled`` puts what is known of the provider where nothing is written."""

    provider: str = option(token_provider, "", "google, microsoft, yandex or custom")
    client_id: str = option(validators.line, "", "the id of the application that you have registered with the provider")
    client_secret: str = option(
        validators.line, "", "its secret in quotes, if it has one (Microsoft's need none)", secret=True
    )
    tenant: str = option(
        validators.tenant, "", "Microsoft's directory: its id or domain, consumers for Outlook.com; empty: common"
    )
    scope: str = option(
        validators.line, "", "what the token is to be good for; empty: as the provider wants it for mail"
    )
    authorization_url: str = option(
        validators.endpoint, "", "https://..., where a browser asks you; empty: the provider's"
    )
    token_url: str = option(validators.endpoint, "", "https://..., where tokens come from; empty: the provider's")
    device_url: str = option(
        validators.endpoint, "", "https://..., where codes for another device come from; empty: the provider's, if any"
    )
    revocation_url: str = option(
        validators.endpoint, "", "https://..., where tokens end; empty: the provider's, if any"
    )

    def __repr__(self) -> str:
        """Show no secret, whoever prints it."""
        return f"OAuth2({self.client_id!r} at {self.provider})"

    @property
    def known(self) -> TokenProvider:
        """What the provider is known for."""
        return PROVIDERS[self.provider or "custom"]

    def filled(self) -> OAuth2:
        """Return these settings with what is known of the provider."""
        known, tenant = self.known, self.tenant or EVERYBODY
        return self._replace(
            scope=self.scope or known.scope,
            authorization_url=self.authorization_url or known.authorization_url.format(tenant=tenant),
            token_url=self.token_url or known.token_url.format(tenant=tenant),
            device_url=self.device_url or known.device_url.format(tenant=tenant),
            revocation_url=self.revocation_url or known.revocation_url,
        )

    def lacks(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the options that must be written for us to get tokens, and what to write."""
        if not self.provider:
            yield ("provider",), "there is none, but [smtp] auth = oauth2; write google, microsoft, yandex or custom"
            return
        if not self.client_id:
            yield ("client_id",), "there is none; write the id of the application that you have registered"
        if self.provider in WITH_SECRET and not self.client_secret:
            yield ("client_secret",), "there is none; write the one of the application, in quotes"
        filled = self.filled()
        if not filled.token_url:
            yield ("token_url",), "there is none; write where tokens come from, as this provider is custom"
        if not filled.authorization_url and not filled.device_url:
            yield ("authorization_url", "device_url"), "there is none, nor a device_url; write at least one of them"


def has_library() -> bool:
    """Return whether what speaks OAuth 2 is installed."""
    from importlib.util import find_spec

    return find_spec("oauthlib") is not None
