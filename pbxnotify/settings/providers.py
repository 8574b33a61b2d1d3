"""The mail providers that admins name: how their relays are reached, and what they want of a login and a sender."""

from __future__ import annotations

from dataclasses import dataclass

from pbxnotify.settings.oauth2 import CONSUMERS
from pbxnotify.text import did_you_mean


@dataclass(frozen=True)
class Provider:
    """One provider."""

    key: str
    """Its name on the command line."""
    name: str
    host: str
    """As it is written in the ini file; the port and the encryption follow from it."""
    password: str
    """Where its app passwords are made; for the admin to read."""
    sender: str
    """What it does with a sender that is not the account's own address."""
    other_names: tuple[str, ...] = ()
    """Other names of the same relay."""
    oauth2: str = ""
    """Who gives tokens for it, as [oauth2] names them; "" for nobody."""
    tenant: str = ""
    """Of its accounts, where that is known."""
    takes_passwords: bool = True
    prefers_tokens: bool = False
    """Passwords are taken where an administrator has said so."""


PROVIDERS = (
    Provider(
        "gmail",
        "Gmail",
        "ssl://smtp.gmail.com",
        "an app password of 16 letters: https://myaccount.google.com/apppasswords (two-step verification must be on)",
        "puts the account's own address in its place, unless it is one of the account's aliases",
        oauth2="google",
    ),
    Provider(
        "yandex",
        "Yandex",
        "ssl://smtp.yandex.ru",
        "an app password for mail: https://id.yandex.ru/security/app-passwords; in the mailbox's settings, mail"
        " programs, IMAP with app passwords must be allowed",
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
        "the account's password, as long as the administrator allows authenticated SMTP for the mailbox; from the end"
        " of December 2026 Microsoft switches it off by default: take OAuth 2",
        'refuses it without the right "Send As"',
        oauth2="microsoft",
        prefers_tokens=True,
    ),
    Provider(
        "outlook.com",
        "Outlook.com",
        "tls://smtp-mail.outlook.com",
        "Outlook.com takes no passwords any more, only OAuth 2",
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


ALIASES = {"google": "gmail", "microsoft": "microsoft365", "outlook": "outlook.com", "mailru": "mail.ru"}
"""Other names on the command line."""


def provider_named(key: str) -> Provider:
    """Return the provider with this name on the command line. Raises ValueError."""
    key = ALIASES.get(key.lower(), key.lower())
    found = next((one for one in PROVIDERS if one.key == key), None)
    if found is None:
        known = [one.key for one in PROVIDERS]
        raise ValueError(f"is none of {', '.join(known)}{did_you_mean(key, known)}")
    return found


def provider_at(host: str) -> Provider | None:
    """Return the provider whose relay has this name, as it is written in the ini file or bare."""
    bare = host.lower().rpartition("://")[2].partition(":")[0]
    return next((one for one in PROVIDERS if bare in (one.host.rpartition("://")[2], *one.other_names)), None)
