"""What ``setup`` asks: the options of the settings screen, each by its label there, with what may be written."""

from __future__ import annotations

from pbxnotify.commands import terminal
from pbxnotify.errors import SettingsError
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import CONSUMERS, NO_LIBRARY, WITH_SECRET, OAuth2, has_library
from pbxnotify.settings.providers import PROVIDERS, Provider, provider_at
from pbxnotify.settings.sections import SECTIONS
from pbxnotify.settings.validators import Option, options

Place = tuple[str, str]
"""A section and an option."""
Answers = dict[Place, str]
"""What is to be written."""

HOST, PORT, LOGIN = ("smtp", "host"), ("smtp", "port"), ("smtp", "login")
PASSWORD, PASSWORD_COMMAND = ("smtp", "password"), ("smtp", "password_command")
VERIFY, CA_FILE = ("smtp", "verify_certificate"), ("smtp", "ca_file")
AUTH, TOKEN_PROVIDER, TENANT = ("smtp", "auth"), ("oauth2", "provider"), ("oauth2", "tenant")
CLIENT_ID, CLIENT_SECRET = ("oauth2", "client_id"), ("oauth2", "client_secret")
APPLICATION = tuple(("oauth2", name) for name in options(OAuth2) if name != "provider")
"""What belongs to one provider, and to none else."""
SENDER, ADMIN = ("smtp", "sender"), ("notifications", "admin_email")
RELAY = (HOST, PORT, ("smtp", "use_tls"), VERIFY)
"""What is asked of a relay that is no provider's."""
LANGUAGE, ENABLED = ("notifications", "language"), ("notifications", "enabled")
PEOPLE = (ADMIN, ("missed_calls", "email"), ("voicemail", "email"), LANGUAGE, ENABLED)
HOW_TO_REGISTER = "OAuth 2 in README.md, which is installed in share/doc/pbxnotify"
ANOTHER = "another relay, such as one in the house"
WAYS = ("with a password", "with OAuth 2: no password, but an application that you register with the provider")


def ask(current: Answers, answers: Answers) -> None:
    """Ask everything; what stands in the file or was answered before is offered. Raises UsageError."""
    _ask_for_relay(current, answers)
    for place in PEOPLE:
        _ask(place, current, answers)


def relay_of(provider: Provider) -> Answers:
    """Return what a provider wants of the relay; what was meant for another relay goes."""
    return {HOST: provider.host, PORT: "", VERIFY: "yes", CA_FILE: "", SENDER: ""}


def _ask_for_relay(current: Answers, answers: Answers) -> None:
    """Ask for the provider, else for the relay; then for login, password and sender."""
    print("Who takes your mail?")
    now = {**current, **answers}
    number = terminal.choose("Number", [*(one.name for one in PROVIDERS), ANOTHER], _usual(now))
    provider = PROVIDERS[number] if number < len(PROVIDERS) else None
    if provider is None:
        for place in RELAY:
            _ask(place, current, answers)
    elif provider != provider_at(now.get(HOST, "")):
        answers.update(relay_of(provider))
    if provider:
        print(f"\n{provider.name}: {answers.get(HOST) or current[HOST]}. Password: {provider.password}.\n")
    with_token = _ask_for_way(provider, now, answers)
    _ask(LOGIN, current, answers, whole_address=provider is not None)
    if with_token:
        _ask_for_application(current, answers)
    else:
        _ask_for_password(current, answers)
    _ask(SENDER, current, answers)
    sender = answers[SENDER] or answers[LOGIN]
    if "@" in sender:
        current.setdefault(ADMIN, sender)


def _ask_for_way(provider: Provider | None, now: Answers, answers: Answers) -> bool:
    """Ask whether we log in with a token, where that can be; returns whether. Raises SettingsError without oauthlib."""
    is_usual = now.get(AUTH) == "oauth2"
    with_token = False
    if provider is None and is_usual:  # a provider of tokens that we do not know, or one left behind
        with_token = terminal.choose("Log in", WAYS, int(now.get(TOKEN_PROVIDER) == "custom")) == 1
    elif provider and provider.oauth2:
        usual = int(is_usual or provider.prefers_tokens)
        with_token = not provider.takes_passwords or terminal.choose("Log in", WAYS, usual) == 1
    if with_token and not has_library():
        raise SettingsError(f"{NO_LIBRARY}, then  pbxnotify setup")
    if not with_token:
        answers[AUTH] = "password"
    elif provider:
        answers.update(by_token(provider, now))
    return with_token


def by_token(provider: Provider, now: Answers) -> Answers:
    """Return what logging in with a provider's tokens wants; a password goes, and the application of another one."""
    wanted = {AUTH: "oauth2", TOKEN_PROVIDER: provider.oauth2, PASSWORD: "", PASSWORD_COMMAND: ""}
    if now.get(TOKEN_PROVIDER) != provider.oauth2:
        wanted.update(dict.fromkeys(APPLICATION, ""))
    if provider.tenant or now.get(TENANT) == CONSUMERS:
        wanted[TENANT] = provider.tenant
    return wanted


def _ask_for_application(current: Answers, answers: Answers) -> None:
    """Ask for the application that is registered with the provider."""
    print(f"\n  What to register, and where: see {HOW_TO_REGISTER}")
    _ask(CLIENT_ID, current, answers, is_needed=True)
    provider = {**current, **answers}.get(TOKEN_PROVIDER)
    if provider == "microsoft":
        _ask(TENANT, current, answers)
    else:
        _ask_for_secret(CLIENT_SECRET, current, answers, is_needed=provider in WITH_SECRET)


def _usual(current: Answers) -> int | None:
    """Return which choice of a relay Enter means, if any."""
    known = provider_at(current.get(HOST, ""))
    if known:
        return PROVIDERS.index(known)
    return None if current.get(HOST, "localhost") == "localhost" else len(PROVIDERS)


def _ask_for_password(current: Answers, answers: Answers) -> None:
    """Ask for the password, unless there is no login or a command gives it."""
    if not answers[LOGIN]:
        answers.update({PASSWORD: "", PASSWORD_COMMAND: ""})
        return
    by_command = bool({**current, **answers}.get(PASSWORD_COMMAND))
    if _ask_for_secret(PASSWORD, current, answers, is_there=by_command):
        answers[PASSWORD_COMMAND] = ""


def _ask_for_secret(
    place: Place, current: Answers, answers: Answers, *, is_there: bool = False, is_needed: bool = True
) -> bool:
    """Ask for a secret, if it is needed until there is one, unless it ``is_there`` otherwise; returns whether typed."""
    kept = is_there or bool({**current, **answers}.get(place))
    how = "Enter keeps it" if kept else "it is not shown"
    how += "" if is_needed else ", - for none" if kept else ", Enter for none"
    option = declared(place)
    while True:
        typed = terminal.ask_secretly(f"{option.label or place[1]} ({how})")
        try:
            validators.line(typed)
        except ValueError as error:
            print(terminal.coloured(f"  the {place[1].replace('_', ' ')} {error}", "red"))
            continue
        if typed:
            answers[place] = "" if typed == "-" and not is_needed else typed
        if typed or kept or not is_needed:
            return bool(typed)


def _ask(
    place: Place, current: Answers, answers: Answers, *, whole_address: bool = False, is_needed: bool = False
) -> None:
    """Ask for one option by its label on the screen, below what may be written."""
    option, usual = declared(place), _usual_value(place)

    def check(answer: str) -> None:
        if whole_address and "@" not in answer:
            raise ValueError(f"{answer!r} is no e-mail address; write the whole address of the account")
        if is_needed and not answer:
            raise ValueError(f"nothing is no answer here; write {option.write}")
        for part in _parts(place, answer) or ([""] if usual else []):
            option.value(part)

    default = answers.get(place, current.get(place, usual))
    print(f"\n  {option.write}")
    answers[place] = terminal.ask(option.label or place[1], default, check)


def _usual_value(place: Place) -> str:
    """Return the default of an option as it is written; "" for none."""
    default = options(SECTIONS[place[0]])[place[1]].default
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) if default else ""


def _parts(place: Place, answer: str) -> list[str]:
    """Return the values in an answer; a list has several."""
    parts = answer.split(",") if _is_list(place) else [answer]
    return [part.strip() for part in parts if part.strip()]


def _is_list(place: Place) -> bool:
    return isinstance(options(SECTIONS[place[0]])[place[1]].default, tuple)


def value(place: Place, answer: str) -> str | tuple[str, ...]:
    """Return an answer as what the option is to be."""
    return tuple(_parts(place, answer)) if _is_list(place) else answer


def declared(place: Place) -> Option:
    """Return what the ini file may say there."""
    option: Option = options(SECTIONS[place[0]])[place[1]]
    return option
