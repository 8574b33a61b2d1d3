"""The questions of ``setup``: the options of the settings screen, each with its label and the allowed values."""

from __future__ import annotations

from pbxnotify.commands import terminal
from pbxnotify.errors import SettingsError
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import CONSUMERS, NO_LIBRARY, WITH_SECRET, OAuth2, has_library
from pbxnotify.settings.options import Option, options
from pbxnotify.settings.providers import PROVIDERS, Provider, provider_at
from pbxnotify.settings.sections import SECTIONS
from pbxnotify.settings.smtp import PORTS
from pbxnotify.settings.validators import relay_parts

Place = tuple[str, str]  # a section and an option
Answers = dict[Place, str]  # the values to be written

HOST, PORT, LOGIN = ("smtp", "host"), ("smtp", "port"), ("smtp", "login")
PASSWORD, PASSWORD_COMMAND = ("smtp", "password"), ("smtp", "password_command")
USE_TLS, VERIFY, CA_FILE = ("smtp", "use_tls"), ("smtp", "verify_certificate"), ("smtp", "ca_file")
AUTH, TOKEN_PROVIDER, TENANT = ("smtp", "auth"), ("oauth2", "provider"), ("oauth2", "tenant")
CLIENT_ID, CLIENT_SECRET = ("oauth2", "client_id"), ("oauth2", "client_secret")
APPLICATION = tuple(("oauth2", name) for name in options(OAuth2) if name != "provider")
"""What belongs to one token provider only."""
SENDER, ADMIN = ("smtp", "sender"), ("notifications", "admin_email")
RELAY = (HOST, PORT, USE_TLS, VERIFY)
LANGUAGE, ENABLED = ("notifications", "language"), ("notifications", "enabled")
PEOPLE = (ADMIN, ("missed_calls", "email"), ("voicemail", "email"), LANGUAGE, ENABLED)
ANOTHER = "another relay, such as one in your own network"
METHODS = ("with a password", "with OAuth 2: no password, but an application registered with the provider")


def relay_of(provider: Provider) -> Answers:
    """Return the relay settings for a provider; those for another relay are reset."""
    return {HOST: provider.host, PORT: "", VERIFY: "yes", CA_FILE: "", SENDER: ""}


def by_token(provider: Provider, current: Answers) -> Answers:
    """Return the settings for logging in with a provider's tokens, without password and another's application."""
    wanted = {AUTH: "oauth2", TOKEN_PROVIDER: provider.oauth2, PASSWORD: "", PASSWORD_COMMAND: ""}
    if current.get(TOKEN_PROVIDER) != provider.oauth2:
        wanted.update(dict.fromkeys(APPLICATION, ""))
    if provider.tenant or current.get(TENANT) == CONSUMERS:
        wanted[TENANT] = provider.tenant
    return wanted


class Questions:
    """The questions and their answers; asked again, they offer the answers given before."""

    def __init__(self, current: Answers) -> None:
        self.answers: Answers = {}
        self._current = current

    def ask(self) -> None:
        """Ask everything. Raises UsageError when no answer comes, SettingsError without the OAuth 2 library."""
        self._ask_for_relay()
        for place in PEOPLE:
            self._ask(place)

    def _now(self, place: Place, default: str = "") -> str:
        return self.answers.get(place, self._current.get(place, default))

    def _ask_for_relay(self) -> None:
        """Ask for the provider, else for the relay; then for login, password and sender."""
        print("Which provider or relay sends your mail?")
        number = terminal.choose("Number", [*(one.name for one in PROVIDERS), ANOTHER], self._default_provider())
        provider = PROVIDERS[number] if number < len(PROVIDERS) else None
        if provider is None:
            self._ask_for_other_relay()
        elif provider != provider_at(self._now(HOST)):
            self.answers.update(relay_of(provider))
        if provider:
            print(f"\n{provider.name}: {self._now(HOST)}. Password: {provider.password}.\n")
        with_token = self._ask_for_method(provider)
        self._ask(LOGIN, full_address=provider is not None)
        if with_token:
            self._ask_for_application()
        else:
            self._ask_for_password()
        self._ask(SENDER)
        sender = self.answers[SENDER] or self.answers[LOGIN]
        if "@" in sender:
            self._current.setdefault(ADMIN, sender)

    def _ask_for_other_relay(self) -> None:
        """Ask for a relay that belongs to none of the known providers, and for what its notation leaves open."""
        self._ask(HOST)
        written = relay_parts(self.answers[HOST])
        if written.port or written.protocol:
            self.answers[PORT] = ""
        else:
            self._ask(PORT)
        port = written.port or validators.port(self.answers[PORT])
        is_encrypted = bool(written.protocol) or port == PORTS["tls"]
        if not is_encrypted:
            self._ask(USE_TLS)
            is_encrypted = validators.yes_or_no(self.answers[USE_TLS])
        if is_encrypted:
            self._ask(VERIFY)

    def _default_provider(self) -> int | None:
        known = provider_at(self._now(HOST))
        if known:
            return PROVIDERS.index(known)
        return None if self._now(HOST, "localhost") == "localhost" else len(PROVIDERS)

    def _ask_for_method(self, provider: Provider | None) -> bool:
        """Ask how to log in, where there is a choice; returns whether with a token."""
        is_default = self._now(AUTH) == "oauth2"
        with_token = False
        if provider is None and is_default:  # a custom token provider, or one left from another relay
            with_token = terminal.choose("Log in", METHODS, int(self._now(TOKEN_PROVIDER) == "custom")) == 1
        elif provider and provider.oauth2:
            default = int(is_default or provider.prefers_tokens)
            with_token = not provider.takes_passwords or terminal.choose("Log in", METHODS, default) == 1
        if with_token and not has_library():
            raise SettingsError(f"{NO_LIBRARY}, then  pbxnotify setup")
        if not with_token:
            self.answers[AUTH] = "password"
        elif provider:
            self.answers.update(by_token(provider, {**self._current, **self.answers}))
        return with_token

    def _ask_for_application(self) -> None:
        print("\n  What to register, and where: see docs/oauth2.md")
        self._ask(CLIENT_ID, required=True)
        provider = self._now(TOKEN_PROVIDER)
        if provider == "microsoft":
            self._ask(TENANT)
        else:
            self._ask_for_secret(CLIENT_SECRET, required=provider in WITH_SECRET)

    def _ask_for_password(self) -> None:
        if not self.answers[LOGIN]:
            self.answers.update({PASSWORD: "", PASSWORD_COMMAND: ""})
        elif self._ask_for_secret(PASSWORD, kept=bool(self._now(PASSWORD_COMMAND))):
            self.answers[PASSWORD_COMMAND] = ""

    def _ask_for_secret(self, place: Place, *, kept: bool = False, required: bool = True) -> bool:
        """Ask for a secret until there is one, unless it is not ``required``; returns whether one was typed."""
        kept = kept or bool(self._now(place))
        how = "Enter keeps it" if kept else "it is not shown"
        how += "" if required else ", - for none" if kept else ", Enter for none"
        while True:
            typed = terminal.ask_secretly(f"{declared(place).label or place[1]} ({how})")
            try:
                validators.line(typed)
            except ValueError as error:
                print(terminal.coloured(f"  the {place[1].replace('_', ' ')} {error}", "red"))
                continue
            if typed:
                self.answers[place] = "" if typed == "-" and not required else typed
            if typed or kept or not required:
                return bool(typed)

    def _ask(self, place: Place, *, full_address: bool = False, required: bool = False) -> None:
        """Ask for one option by its label, below the allowed values."""
        option = declared(place)
        default = str(option.default or "")
        if isinstance(option.default, bool):
            default = "yes" if option.default else "no"

        def checked(answer: str) -> None:
            if full_address and "@" not in answer:
                raise ValueError(f"{answer!r} is not an e-mail address; enter the full address of the account")
            if required and not answer:
                raise ValueError(f"an answer is required here; expected {option.expected}")
            check(place, answer)

        print(f"\n  {option.expected}")
        self.answers[place] = terminal.ask(option.label or place[1], self._now(place, default), checked)


def declared(place: Place) -> Option:
    """Return the declaration of an option."""
    return options(SECTIONS[place[0]])[place[1]]


def check(place: Place, answer: str) -> None:
    """Raise ValueError with a sentence if this is no value of an option; empty is one where the default is."""
    option = declared(place)
    for part in _parts(place, answer) or ([""] if option.default else []):
        option.value(part)


def _parts(place: Place, answer: str) -> list[str]:
    parts = answer.split(",") if isinstance(declared(place).default, tuple) else [answer]
    return [part.strip() for part in parts if part.strip()]


def value(place: Place, answer: str) -> str | tuple[str, ...]:
    """Return an answer as the new value of an option."""
    return tuple(_parts(place, answer)) if isinstance(declared(place).default, tuple) else answer
