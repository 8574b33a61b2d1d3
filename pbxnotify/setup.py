"""``pbxnotify setup``: from nothing to a test mail; asks what the settings screen asks, and writes the ini file."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pbxnotify import (
    changes,
    checkup,
    installation,
    providers,
    revision,
    settings,
    surroundings,
    terminal,
    trial,
    values,
)
from pbxnotify.errors import SettingsError, UsageError
from pbxnotify.providers import PROVIDERS, Provider
from pbxnotify.settings import SECTIONS, Settings
from pbxnotify.spool import location
from pbxnotify.values import Option, options

Answers = dict[tuple[str, str], str]
"""What is to be written: sections and options, and their values."""

HOST, PORT, LOGIN = ("smtp", "host"), ("smtp", "port"), ("smtp", "login")
PASSWORD, PASSWORD_COMMAND = ("smtp", "password"), ("smtp", "password_command")
VERIFY, CA_FILE = ("smtp", "verify_certificate"), ("smtp", "ca_file")
SENDER, ADMIN = ("smtp", "sender"), ("notifications", "admin_email")
RELAY = (HOST, PORT, ("smtp", "use_tls"), VERIFY)
"""What is asked of a relay that is no provider's."""
LANGUAGE, ENABLED = ("notifications", "language"), ("notifications", "enabled")
PEOPLE = (ADMIN, ("missed_calls", "email"), ("voicemail", "email"), LANGUAGE, ENABLED)
FLAGS = {
    **{f"--{name.replace('_', '-')}": ("smtp", name) for _, name in RELAY},
    "--ca-file": CA_FILE,
    "--login": LOGIN,
    "--password-command": PASSWORD_COMMAND,
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
ANOTHER = "another relay, such as one in the house"


def setup(chosen: argparse.Namespace) -> int:
    """Ask, try, write; with options nothing is asked."""
    path = settings.location()
    revision.refuse_unwritable(path)
    given = {place: value for flag, place in FLAGS.items() if (value := getattr(chosen, _attribute(flag))) is not None}
    with revision.alone(path), terminal.hangup_interrupts():
        if given or chosen.provider or chosen.password_stdin:
            return _without_questions(path, chosen, given)
        if not terminal.is_answered():
            raise UsageError("nobody can be asked here; give options, as in  pbxnotify setup --help")
        return _with_questions(path, chosen)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "--provider", choices=[one.key for one in PROVIDERS], help="fills in host, port and encryption", metavar="NAME"
    )
    for flag, place in FLAGS.items():
        option = _option(place)
        parser.add_argument(flag, metavar="VALUE", help=option.write.replace("%", "%%"))
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.add_argument("--no-test", action="store_true", help="write the settings without trying them")


def _attribute(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _without_questions(path: Path, chosen: argparse.Namespace, given: Answers) -> int:
    """Take what the options say and leave all else as it is; returns why nothing is written, 0 if it is."""
    answers: Answers = {}
    if chosen.provider:
        answers.update(_relay_of(next(one for one in PROVIDERS if one.key == chosen.provider)))
    answers.update(given)
    if chosen.password_stdin:
        if given.get(PASSWORD_COMMAND):
            raise UsageError("--password-stdin or --password-command: take one of them")
        answers.update({PASSWORD: _password_from_stdin(), PASSWORD_COMMAND: ""})
    elif given.get(PASSWORD_COMMAND):
        answers[PASSWORD] = ""
    _, configured = _revised(path, answers)
    status = os.EX_OK if chosen.no_test else _try(configured)
    if status:
        print("nothing is changed")
        return status
    return _write(path, answers, chosen, tested=True)


def _password_from_stdin() -> str:
    if sys.stdin is None:
        raise UsageError("there is no standard input to read the password from")
    line = terminal.ask_secretly("Password") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError("no password came from standard input: nothing is changed")
    return line


def _relay_of(provider: Provider) -> Answers:
    """Return what a provider wants of the relay; what was meant for another relay goes."""
    return {HOST: provider.host, PORT: "", VERIFY: "yes", CA_FILE: "", SENDER: ""}


def _revised(path: Path, answers: Answers) -> tuple[str, Settings]:
    """Return the new text of the file as it is now, and what it means. Raises SettingsError."""
    text = revision.read(path if path.exists() else installation.shipped("pbxnotify.ini"))
    written = revision.changed(text, {place: _value(place, answer) for place, answer in answers.items()})
    try:
        return written, settings.load(path, written.encode())
    except UnicodeEncodeError:
        raise SettingsError("what was given is no text in UTF-8") from None


def _try(configured: Settings) -> int:
    """Send a test mail to the administrator, or else only log in; returns why that failed, 0 if it did not."""
    if not configured.notifications.admin_email:
        print("no test mail: there is no administrator's address (--admin-email)")
    return trial.send_apart(configured)


def _write(path: Path, answers: Answers, chosen: argparse.Namespace, *, tested: bool) -> int:
    """Put the file in place, and look whether the owner of the spool can read it."""
    with changes.unnoticed():
        text, configured = _revised(path, answers)
        revision.put_in_place(path, text, _group_of_asterisk())
        chosen.interrupted = f"{path} is written already"
        print(terminal.coloured(f"{path}: written", "green"))
        for note in (*checkup.of_settings(configured), *surroundings.of_file(configured)):
            print(f"{terminal.coloured('NOTE', 'yellow')}  {note}")
        if tested:  # else the run of the queue tries it again
            changes.note(configured)
        settings.load(path)  # as the owner of the spool by now
    if not configured.employees:
        print("next: the employees and their addresses, with  pbxnotify edit  (below [employees])")
    print("then:  pbxnotify check  says what else this machine needs")
    return os.EX_OK


def _group_of_asterisk() -> int:
    """Return the group that may read a new file, the one of Asterisk's user; -1 for our own."""
    spool = location()
    places = [place for place in (spool, os.path.dirname(spool)) if os.path.isdir(place)]
    return os.stat(places[0]).st_gid if places and os.geteuid() == 0 else -1


def _with_questions(path: Path, chosen: argparse.Namespace) -> int:
    """Ask until the relay takes the test mail, or the admin wants to go on without."""
    print(f"{path}. Enter keeps what stands in [brackets], - empties it, Ctrl-C leaves all as it was.\n")
    current, answers = _current(path), Answers()
    while True:
        _ask_for_relay(current, answers)
        for place in PEOPLE:
            _ask(place, current, answers)
        choices = "a to answer again, q to leave all as it was"
        try:
            if not _try(_revised(path, answers)[1]):
                return _write(path, answers, chosen, tested=True)
            answer = terminal.ask_letter(f"{choices}, w to write it all the same", "aqw")
        except SettingsError as error:
            terminal.complain(error)
            answer = terminal.ask_letter(choices, "aq")
        if answer == "q":
            raise UsageError("nothing is changed")
        if answer == "w":
            return _write(path, answers, chosen, tested=False)


def _current(path: Path) -> Answers:
    """Return what stands in the file; nothing of a file that cannot be used, whose mistakes are shown."""
    shipped = revision.read(installation.shipped("pbxnotify.ini"))
    try:
        text = revision.read(path) if path.exists() else shipped
        settings.load(path, text.encode())
    except SettingsError as error:
        print(terminal.coloured(f"{error}\nThe file has these mistakes: its values are not offered.\n", "yellow"))
        return {}
    current = {place: value for place, value in revision.values_in(text, (*FLAGS.values(), PASSWORD)).items() if value}
    if text == shipped and os.environ.get("LANG", "").startswith("ru"):
        current[LANGUAGE] = "ru"  # an admin who reads Russian, and a file that nobody has touched so far
    return current


def _ask_for_relay(current: Answers, answers: Answers) -> None:
    """Ask for the provider, else for the relay; then for login, password and sender."""
    print("Who takes your mail?")
    now = {**current, **answers}
    number = terminal.choose("Number", [*(one.name for one in PROVIDERS), ANOTHER], _usual(now))
    provider = PROVIDERS[number] if number < len(PROVIDERS) else None
    if provider is None:
        for place in RELAY:
            _ask(place, current, answers)
    elif provider != providers.at(now.get(HOST, "")):
        answers.update(_relay_of(provider))
    if provider:
        print(f"\n{provider.name}: {answers.get(HOST) or current[HOST]}. Password: {provider.password}.\n")
    _ask(LOGIN, current, answers, whole_address=provider is not None)
    _ask_for_password(current, answers)
    _ask(SENDER, current, answers)
    sender = answers[SENDER] or answers[LOGIN]
    if "@" in sender:
        current.setdefault(ADMIN, sender)


def _usual(current: Answers) -> int:
    """Return which choice of a relay Enter means; -1 for none."""
    known = providers.at(current.get(HOST, ""))
    if known:
        return PROVIDERS.index(known)
    return -1 if current.get(HOST, "localhost") == "localhost" else len(PROVIDERS)


def _ask_for_password(current: Answers, answers: Answers) -> None:
    """Ask for the password, unless there is no login or a command gives it."""
    if not answers[LOGIN]:
        answers.update({PASSWORD: "", PASSWORD_COMMAND: ""})
        return
    kept = current.get(PASSWORD, "")
    how = "Enter keeps it" if kept or current.get(PASSWORD_COMMAND) else "it is not shown"
    while True:
        typed = terminal.ask_secretly(f"{_option(PASSWORD).label} ({how})")
        try:
            values.line(typed)
        except ValueError as error:
            print(terminal.coloured(f"  the password {error}", "red"))
            continue
        if typed:
            answers.update({PASSWORD: typed, PASSWORD_COMMAND: ""})
        if typed or kept or current.get(PASSWORD_COMMAND):
            return


def _ask(place: tuple[str, str], current: Answers, answers: Answers, *, whole_address: bool = False) -> None:
    """Ask for one option by its label on the screen, with what may be written."""
    option, usual = _option(place), _usual_value(place)

    def check(answer: str) -> None:
        if whole_address and "@" not in answer:
            raise ValueError(f"{answer!r} is no e-mail address; write the whole address of the account")
        for part in _parts(place, answer) or ([""] if usual else []):
            option.value(part)

    default = answers.get(place, current.get(place, usual))
    answers[place] = terminal.ask(f"{option.label or place[1]}\n  ({option.write})\n ", default, check)


def _usual_value(place: tuple[str, str]) -> str:
    """Return the default of an option as it is written; "" for none."""
    default = options(SECTIONS[place[0]])[place[1]].default
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default) if default else ""


def _parts(place: tuple[str, str], answer: str) -> list[str]:
    """Return the values in an answer; a list has several."""
    is_list = isinstance(options(SECTIONS[place[0]])[place[1]].default, tuple)
    parts = answer.split(",") if is_list else [answer]
    return [part.strip() for part in parts if part.strip()]


def _value(place: tuple[str, str], answer: str) -> revision.Value:
    """Return an answer as what the option is to be."""
    parts = _parts(place, answer)
    return tuple(parts) if isinstance(options(SECTIONS[place[0]])[place[1]].default, tuple) else answer


def _option(place: tuple[str, str]) -> Option:
    declared: Option = options(SECTIONS[place[0]])[place[1]].metadata["option"]
    return declared
