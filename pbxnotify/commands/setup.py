"""``pbxnotify setup``: from nothing to a test mail; asks what the settings screen asks, and writes the ini file."""

from __future__ import annotations

import argparse
import os
import pwd
import sys
from pathlib import Path

from pbxnotify.commands import oauth, prompts, terminal, testmail
from pbxnotify.commands.check import say_notes
from pbxnotify.commands.prompts import (
    ADMIN,
    AUTH,
    CA_FILE,
    CLIENT_ID,
    CLIENT_SECRET,
    ENABLED,
    LANGUAGE,
    LOGIN,
    PASSWORD,
    PASSWORD_COMMAND,
    RELAY,
    SENDER,
    TENANT,
    TOKEN_PROVIDER,
    Answers,
)
from pbxnotify.delivery import settings_watch
from pbxnotify.errors import LoginError, SettingsError, UsageError
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.providers import PROVIDERS, Provider, provider_named
from pbxnotify.settings.rewrite import shipped_file
from pbxnotify.settings.sections import Settings
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth import token_store
from pbxnotify.spool.store import spool_path

FLAGS = {
    **{f"--{name.replace('_', '-')}": ("smtp", name) for _, name in RELAY},
    "--ca-file": CA_FILE,
    "--login": LOGIN,
    "--auth": AUTH,
    "--password-command": PASSWORD_COMMAND,
    "--client-id": CLIENT_ID,
    "--tenant": TENANT,
    "--sender": SENDER,
    "--admin-email": ADMIN,
    "--enabled": ENABLED,
    "--language": LANGUAGE,
    "--pbx-name": ("notifications", "pbx_name"),
    "--timezone": ("notifications", "timezone"),
    "--missed-calls-email": ("missed_calls", "email"),
    "--voicemail-email": ("voicemail", "email"),
}
"""The options of the command, and where their values go in the ini file."""
OTHERS = (PASSWORD, CLIENT_SECRET, TOKEN_PROVIDER)
"""What is asked for as well, and has no such option: secrets, and what follows from the provider."""


def setup(chosen: argparse.Namespace) -> int:
    """Ask, try, write; with options nothing is asked."""
    path = Path(ini_path())
    rewrite.refuse_unwritable(path)
    given = {place: value for flag, place in FLAGS.items() if (value := getattr(chosen, _attribute(flag))) is not None}
    with rewrite.alone(path), terminal.hangup_interrupts(), _Trials() as trials:
        if given or chosen.provider or chosen.password_stdin or chosen.client_secret_stdin:
            return _without_questions(path, chosen, given, trials)
        if not terminal.is_answered():
            raise UsageError("nobody can be asked here; give options, as in  pbxnotify setup --help")
        return _with_questions(path, chosen, trials)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    known = ", ".join(one.key for one in PROVIDERS)
    text = f"fills in host, port and encryption, with --auth oauth2 also who gives tokens: {known}"
    parser.add_argument("--provider", type=_provider, help=text, metavar="NAME")
    for flag, place in FLAGS.items():
        option = prompts.declared(place)
        parser.add_argument(flag, metavar="VALUE", help=option.write.replace("%", "%%"))
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    text = "read the secret of the application for OAuth 2 from standard input"
    parser.add_argument("--client-secret-stdin", action="store_true", help=text)
    parser.add_argument("--no-test", action="store_true", help="write the settings without trying them")


def _provider(text: str) -> Provider:
    try:
        return provider_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _attribute(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _without_questions(path: Path, chosen: argparse.Namespace, given: Answers, trials: _Trials) -> int:
    """Take what the options say and leave all else as it is; returns why nothing is written, 0 if it is."""
    try:
        current = _written(path)
    except SettingsError:  # what is given may mend it, and else it is told then
        current = {}
    if given.get(CLIENT_ID):  # which is for nothing else
        given = {AUTH: "oauth2", **given}
    answers = {**_of_provider(chosen.provider, given, current), **given, **_of_stdin(chosen, given)}
    _, settings = _revised(path, answers)
    status = os.EX_OK if chosen.no_test else trials.run(settings)
    if status:
        print("nothing is changed")
        return status
    return _write(path, answers, chosen, trials, tested=True)


def _of_provider(provider: Provider | None, given: Answers, current: Answers) -> Answers:
    """Return what a provider wants of the relay and, where we log in with a token, of [oauth2]."""
    if provider is None:
        return {}
    if given.get(AUTH) != "oauth2":
        return {**prompts.relay_of(provider), AUTH: "password"}
    if not provider.oauth2:
        raise UsageError(f"{provider.name} is not known for tokens: leave --auth out, or write [oauth2] by hand")
    return {**prompts.relay_of(provider), **prompts.by_token(provider, current)}


def _of_stdin(chosen: argparse.Namespace, given: Answers) -> Answers:
    """Return the secret that standard input holds, if any, and what it replaces."""
    if chosen.password_stdin and (given.get(PASSWORD_COMMAND) or chosen.client_secret_stdin):
        other = "--client-secret-stdin" if chosen.client_secret_stdin else "--password-command"
        raise UsageError(f"--password-stdin or {other}: take one of them")
    if chosen.password_stdin:
        return {PASSWORD: _secret_from_stdin("password"), PASSWORD_COMMAND: ""}
    if chosen.client_secret_stdin:
        return {CLIENT_SECRET: _secret_from_stdin("client secret")}
    return {PASSWORD: ""} if given.get(PASSWORD_COMMAND) else {}


def _secret_from_stdin(what: str) -> str:
    if sys.stdin is None:
        raise UsageError(f"there is no standard input to read the {what} from")
    line = terminal.ask_secretly(what.capitalize()) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError(f"no {what} came from standard input: nothing is changed")
    return line


def _revised(path: Path, answers: Answers) -> tuple[str, Settings]:
    """Return the new text of the file as it is now, and what it means. Raises SettingsError."""
    text = rewrite.read(path if path.exists() else shipped_file("pbxnotify.ini"))
    written = rewrite.changed(text, {place: prompts.value(place, answer) for place, answer in answers.items()})
    try:
        return written, load_settings(path, written.encode())
    except UnicodeEncodeError:
        raise SettingsError("what was given is no text in UTF-8") from None


class _Trials:
    """Trials of settings; what a provider has given for them meanwhile is given back, unless they are written."""

    def __init__(self) -> None:
        self._given: list[Smtp] = []

    def __enter__(self) -> _Trials:
        return self

    def __exit__(self, *error: object) -> None:
        for relay in self._given:
            testmail.apart(lambda relay=relay: oauth.withdraw(relay))  # type: ignore[misc]  # none can be inferred

    def run(self, settings: Settings) -> int:
        """Send a test mail to the administrator, or else only log in; returns why that failed, 0 if it did not."""
        relay = settings.smtp
        wants = relay.wants_token and not token_store.is_kept(relay)
        try:
            return testmail.apart(lambda: oauth.send_test(settings))
        finally:
            if wants and token_store.is_kept(relay):
                self._given.append(relay)

    def are_written(self) -> None:
        """Keep what was given."""
        self._given = []


def _write(path: Path, answers: Answers, chosen: argparse.Namespace, trials: _Trials, *, tested: bool) -> int:
    """Put the file in place, and look whether the owner of the spool can read it."""
    with settings_watch.unnoticed():
        text, settings = _revised(path, answers)
        rewrite.put_in_place(path, text, _group_of_asterisk())
        trials.are_written()
        chosen.interrupted = f"{path} is written already"
        print(terminal.coloured(f"{path}: written", "green"))
        say_notes(settings)
        if tested:  # else the run of the queue tries it again
            settings_watch.note(settings)
            _forget_others(settings)  # as the owner of the spool, who must be able to read them
        load_settings(path)  # as the owner of the spool by now
    if token_store.trouble(settings.smtp):
        print("next: the login, with  pbxnotify oauth login: until then mail waits")
    if not settings.employees:
        print("next: the employees and their addresses, with  pbxnotify edit  (below [employees])")
    print("then:  pbxnotify check  says what else this machine needs")
    return os.EX_OK


def _forget_others(settings: Settings) -> None:
    """Forget the tokens of other accounts; what stands in the way is no reason to call what is written a failure."""
    try:
        if settings.smtp.wants_token:
            token_store.forget_others(settings.smtp)
    except (OSError, LoginError) as error:
        terminal.note(f"the tokens of other accounts are not removed: {error}")


def _group_of_asterisk() -> int:
    """Return the group that may read a new file, the one of Asterisk's user; -1 for our own."""
    spool = spool_path()
    places = [place for place in (spool, os.path.dirname(spool)) if os.path.isdir(place)]
    if not places or os.geteuid() != 0:
        return -1
    owner = os.stat(places[0])
    try:
        return pwd.getpwuid(owner.st_uid).pw_gid
    except KeyError:
        return owner.st_gid


def _with_questions(path: Path, chosen: argparse.Namespace, trials: _Trials) -> int:
    """Ask until the relay takes the test mail, or the admin wants to go on without."""
    print(f"{path}. Enter keeps what stands in [brackets], - empties it, Ctrl-C leaves all as it was.\n")
    current, answers, answer = _current(path), Answers(), "a"
    while True:
        if answer == "a":
            prompts.ask(current, answers)
        try:
            if not trials.run(_revised(path, answers)[1]):
                return _write(path, answers, chosen, trials, tested=True)
            choices = "a to answer again, t to try again, q to leave the ini file as it was, w to write it all the same"
            answer = terminal.ask_letter(choices, "atqw")
        except SettingsError as error:
            terminal.complain(error)
            answer = terminal.ask_letter("a to answer again, q to leave the ini file as it was", "aq")
        if answer == "q":
            raise UsageError("the ini file is as it was")
        if answer == "w":
            return _write(path, answers, chosen, trials, tested=False)


def _written(path: Path) -> Answers:
    """Return what stands in the file, else in the one that is shipped. Raises SettingsError."""
    text = rewrite.read(path if path.exists() else shipped_file("pbxnotify.ini"))
    load_settings(path, text.encode())
    return {place: value for place, value in rewrite.values_in(text, (*FLAGS.values(), *OTHERS)).items() if value}


def _current(path: Path) -> Answers:
    """Return what stands in the file; nothing of a file that cannot be used, whose mistakes are shown."""
    try:
        current = _written(path)
    except SettingsError as error:
        print(terminal.coloured(f"{error}\nThe file has these mistakes: its values are not offered.\n", "yellow"))
        return {}
    example = shipped_file("pbxnotify.ini")
    if (not path.exists() or path.read_bytes() == example.read_bytes()) and os.environ.get("LANG", "").startswith("ru"):
        current[LANGUAGE] = "ru"  # an admin who reads Russian, and a file that nobody has touched so far
    return current
