"""Well-known mail providers: how to reach their relays, and what they require of a login and a sender."""

from __future__ import annotations

from dataclasses import dataclass

from pbxnotify.settings.oauth2 import CONSUMERS
from pbxnotify.settings.validators import one_of


@dataclass(frozen=True)
class Provider:
    """One mail provider."""

    key: str  # its name on the command line
    name: str
    host: str  # as written in the ini file; port and encryption follow from it
    password: str  # which password to use and where to create it, for the administrator to read
    sender: str  # what it does with a sender that is not the account's own address
    other_names: tuple[str, ...] = ()  # other host names of the same relay
    oauth2: str = ""  # its token provider, as named in [oauth2]; empty if there is none
    tenant: str = ""  # the tenant of its accounts, where that is known
    takes_passwords: bool = True
    prefers_tokens: bool = False  # passwords work only where an administrator has enabled them


PROVIDERS = (
    Provider(
        "gmail",
        "Gmail",
        "ssl://smtp.gmail.com",
        "an app password of 16 letters: https://myaccount.google.com/apppasswords (two-step verification must be on)",
        "replaces it with the account's own address, unless it is one of the account's aliases",
        oauth2="google",
    ),
    Provider(
        "yandex",
        "Yandex",
        "ssl://smtp.yandex.ru",
        "an app password for mail: https://id.yandex.ru/security/app-passwords (allow IMAP with app passwords in the"
        " mailbox's settings, mail programs)",
        "refuses it (553 5.7.1), unless it is one of the account's aliases",
        ("smtp.yandex.com", "smtp.ya.ru"),
        oauth2="yandex",
    ),
    Provider(
        "mail.ru",
        "Mail.ru",
        "ssl://smtp.mail.ru",
        "a password for external applications: https://account.mail.ru/user/2-step-auth/passwords",
        "refuses it (550 not local sender)",
    ),
    Provider(
        "microsoft365",
        "Microsoft 365",
        "tls://smtp.office365.com",
        "the account's password, as long as the administrator allows authenticated SMTP for the mailbox; Microsoft"
        " disables it by default from the end of December 2026: use OAuth 2",
        'refuses it without the "Send As" permission',
        oauth2="microsoft",
        prefers_tokens=True,
    ),
    Provider(
        "outlook.com",
        "Outlook.com",
        "tls://smtp-mail.outlook.com",
        "Outlook.com no longer accepts passwords, only OAuth 2",
        "refuses it",
        oauth2="microsoft",
        tenant=CONSUMERS,
        takes_passwords=False,
    ),
    Provider(
        "icloud",
        "iCloud",
        "tls://smtp.mail.me.com",
        "an app-specific password: https://account.apple.com, Sign-In and Security, App-Specific Passwords",
        "refuses it, unless it is one of the account's own addresses",
    ),
)
CUSTOM = Provider("custom", "Another provider", "", "", "", oauth2="custom", takes_passwords=False)
"""A relay and a token provider that we know nothing of: the command line names its addresses."""
ALIASES = {"google": "gmail", "microsoft": "microsoft365", "outlook": "outlook.com", "mailru": "mail.ru"}
"""Other names on the command line."""


def provider_named(key: str) -> Provider:
    """Return the provider with this name on the command line. Raises ValueError."""
    known = {one.key: one for one in (*PROVIDERS, CUSTOM)}
    return known[one_of(*known)(ALIASES.get(key.lower(), key))]


def provider_at(host: str) -> Provider | None:
    """Return the provider whose relay has this name, as written in the ini file or bare."""
    bare = host.lower().rpartition("://")[2].partition(":")[0]
    return next((one for one in PROVIDERS if bare in (one.host.rpartition("://")[2], *one.other_names)), None)
