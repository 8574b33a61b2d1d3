"""``pbxnotify setup``: from nothing to a test mail; asks what the settings screen asks, and writes the ini file."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pbxnotify.commands import oauth, prompts, terminal, testmail
from pbxnotify.commands.check import say_notes
from pbxnotify.commands.prompts import AUTH, CLIENT_ID, CLIENT_SECRET, PASSWORD, PASSWORD_COMMAND, Answers
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import LoginError, SettingsError, UsageError
from pbxnotify.health.settings_lint import pasting_notes
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.providers import CUSTOM, PROVIDERS, Provider, provider_named
from pbxnotify.settings.root import beside_root
from pbxnotify.settings.sections import Settings
from pbxnotify.smtp.oauth import token_store

NAMED_AS_WRITTEN = (
    *prompts.RELAY,
    *(prompts.CA_FILE, prompts.LOGIN, AUTH, PASSWORD_COMMAND, prompts.SENDER),
    *(place for place in prompts.APPLICATION if place != CLIENT_SECRET),
    *(("notifications", name) for name in ("admin_email", "enabled", "language", "pbx_name", "timezone")),
)
FLAGS = {
    **{f"--{place[1].replace('_', '-')}": place for place in NAMED_AS_WRITTEN},
    "--missed-calls-email": ("missed_calls", "email"),
    "--voicemail-email": ("voicemail", "email"),
}
"""The options of the command, and the options of the ini file that they set."""
PLACES = (*FLAGS.values(), PASSWORD, CLIENT_SECRET, prompts.TOKEN_PROVIDER)
"""All that is written: secrets are no option of the command, and the token provider follows from the provider."""


def setup(chosen: argparse.Namespace) -> int:
    """Ask, test, write; asks nothing if there are options."""
    path = Path(ini_path())
    given = {place: value for flag, place in FLAGS.items() if (value := getattr(chosen, flag)) is not None}
    with (
        beside_root(str(path)) as root,
        rewrite.exclusively(path),
        terminal.hangup_interrupts(),
        ExitStack() as granted,
    ):
        chosen.root = root
        if given or chosen.provider or chosen.password_stdin or chosen.client_secret_stdin:
            return _by_options(path, chosen, given, granted)
        if not terminal.is_answered():
            raise UsageError("not a terminal: nobody can answer questions; give options, see  pbxnotify setup --help")
        return _by_questions(path, chosen, granted)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    add, known = parser.add_argument, ", ".join(one.key for one in PROVIDERS)
    text = f"fill in host, port and encryption, with --auth oauth2 also the token provider: {known};"
    text += " or custom: a token provider whose addresses the options name"
    add("--provider", type=_provider, help=text, metavar="NAME")
    for flag, place in FLAGS.items():
        text = prompts.declared(place).expected.replace("%", "%%")
        add(flag, dest=flag, type=partial(_checked, place), metavar="VALUE", help=text)
    add("--password-stdin", action="store_true", help="read the password from standard input")
    text = "read the secret of the OAuth 2 application from standard input"
    add("--client-secret-stdin", action="store_true", help=text)
    add("--no-test", action="store_true", help="write the settings without testing them")


def _checked(place: prompts.Place, text: str) -> str:
    value = text.strip()  # as an answer to a question
    try:
        prompts.check(place, value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value


def _provider(text: str) -> Provider:
    try:
        return provider_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _by_options(path: Path, chosen: argparse.Namespace, given: Answers, granted: ExitStack) -> int:
    """Apply the options and leave everything else unchanged; returns the exit status of the test if it fails."""
    try:
        current = _values_in(path)
    except SettingsError:  # the options may correct the mistake; otherwise it is reported below
        current = {}
    if given.get(CLIENT_ID):  # of use for nothing else
        given = {AUTH: "oauth2", **given}
    answers = {**_of_provider(chosen.provider, given, current), **given, **_of_stdin(chosen, given)}
    _, settings = _revised(path, answers)
    status = os.EX_OK if chosen.no_test else _test(settings, granted)
    if status:
        print("nothing is changed")
        return status
    return _write(path, answers, chosen, granted, tested=True)


def _of_provider(provider: Provider | None, given: Answers, current: Answers) -> Answers:
    """Return the settings for a provider's relay and, to log in with a token, for [oauth2]."""
    if provider is None:
        return {}
    if provider == CUSTOM:
        if given.get(AUTH) == "password":
            raise UsageError("--provider custom is for OAuth 2; omit it with --auth password")
        return prompts.by_token(provider, current)
    if given.get(AUTH) != "oauth2":
        return {**prompts.relay_of(provider), AUTH: "password"}
    if not provider.oauth2:
        raise UsageError(f"{provider.name} has no known token provider; omit --auth, or edit [oauth2] yourself")
    return {**prompts.relay_of(provider), **prompts.by_token(provider, current)}


def _of_stdin(chosen: argparse.Namespace, given: Answers) -> Answers:
    if chosen.password_stdin and (given.get(PASSWORD_COMMAND) or chosen.client_secret_stdin):
        other = "--client-secret-stdin" if chosen.client_secret_stdin else "--password-command"
        raise UsageError(f"--password-stdin and {other} exclude each other; use one of them")
    if chosen.password_stdin:
        return {PASSWORD: _secret_from_stdin("password"), PASSWORD_COMMAND: ""}
    if chosen.client_secret_stdin:
        return {CLIENT_SECRET: _secret_from_stdin("client secret")}
    return {PASSWORD: ""} if given.get(PASSWORD_COMMAND) else {}


def _secret_from_stdin(what: str) -> str:
    if sys.stdin is None:
        raise UsageError(f"standard input is closed: cannot read the {what}")
    line = terminal.ask_secretly(what.capitalize()) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError(f"no {what} on standard input: nothing is changed")
    return line


def _revised(path: Path, answers: Answers) -> tuple[str, Settings]:
    """Return the new text of the file, from the one that is there now, and its settings. Raises SettingsError."""
    text = rewrite.with_values(_text(path), {place: prompts.value(place, answer) for place, answer in answers.items()})
    try:
        return text, load_settings(path, text.encode())
    except UnicodeEncodeError:
        raise SettingsError("an option is not valid UTF-8") from None


def _test(settings: Settings, granted: ExitStack) -> int:
    """Send a test mail to the administrator, or only log in if there is none; returns the exit status.

    A token granted for it is revoked when ``granted`` ends, unless the settings are written.
    """
    relay = settings.smtp
    for note in pasting_notes(relay):
        terminal.note(note)
    wants = relay.wants_token and not token_store.is_kept(relay)
    try:
        return testmail.status_of(lambda: oauth.send_test(settings))
    finally:
        if wants and token_store.is_kept(relay):
            granted.callback(testmail.status_of, lambda: oauth.withdraw(relay))


def _write(path: Path, answers: Answers, chosen: argparse.Namespace, granted: ExitStack, *, tested: bool) -> int:
    """Replace the file, and check that we, who are Asterisk's user by now, can read it."""
    with settings_watch.unnoticed():
        text, settings = _revised(path, answers)
        chosen.root.replace(text)
        granted.pop_all()  # keep the tokens
        chosen.interrupted = f"{path} is already written"
        print(terminal.coloured(f"{path}: written", "green"))
        say_notes(settings)
        if tested:  # otherwise  queue run  tests it again
            settings_watch.note(settings)
            _forget_others(settings)
        load_settings(path)
    if token_store.trouble(settings.smtp):
        print("next: log in with  pbxnotify oauth login;  until then mail waits")
    if not settings.employees:
        print("next: add the employees and their addresses with  pbxnotify edit  (below [employees])")
    print("then: run  pbxnotify check  to see what else this host needs")
    return os.EX_OK


def _forget_others(settings: Settings) -> None:
    """Delete the tokens of other accounts; a failure is only noted, since the settings are written."""
    try:
        if settings.smtp.wants_token:
            token_store.forget_others(settings.smtp)
    except (OSError, LoginError) as error:
        terminal.note(f"the tokens of other accounts are not removed: {error}")


def _by_questions(path: Path, chosen: argparse.Namespace, granted: ExitStack) -> int:
    """Ask until the relay accepts the test mail, or the administrator goes on without."""
    print(f"{path}. Enter keeps the value in [brackets], - empties it, Ctrl-C leaves the file unchanged.\n")
    questions, answer = prompts.Questions(_current(path)), "a"
    while True:
        if answer == "a":
            questions.ask()
        try:
            if not _test(_revised(path, questions.answers)[1], granted):
                return _write(path, questions.answers, chosen, granted, tested=True)
            choices = "a to answer again, t to try again, q to leave the ini file unchanged, w to write it anyway"
            answer = terminal.ask_letter(choices, "atqw")
        except SettingsError as error:
            terminal.complain(error)
            answer = terminal.ask_letter("a to answer again, q to leave the ini file unchanged", "aq")
        if answer == "q":
            raise UsageError("the ini file is unchanged")
        if answer == "w":
            return _write(path, questions.answers, chosen, granted, tested=False)


def _text(path: Path) -> str:
    """Return the text of the ini file, else of the shipped one. Raises SettingsError."""
    return rewrite.read(path if path.exists() else rewrite.shipped_file("pbxnotify.ini"))


def _values_in(path: Path) -> Answers:
    text = _text(path)
    load_settings(path, text.encode())
    return {place: value for place, value in rewrite.values_in(text, PLACES).items() if value}


def _current(path: Path) -> Answers:
    """Return the values in the ini file; none of a file with mistakes, which are shown."""
    try:
        current = _values_in(path)
    except SettingsError as error:
        print(terminal.coloured(f"{error}\nBecause of these mistakes, its values are not offered.\n", "yellow"))
        return {}
    example = rewrite.shipped_file("pbxnotify.ini")
    if (not path.exists() or path.read_bytes() == example.read_bytes()) and os.environ.get("LANG", "").startswith("ru"):
        current[prompts.LANGUAGE] = "ru"  # an administrator who reads Russian, and a file that nobody has edited
    return current
