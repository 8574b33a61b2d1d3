"""``pbxnotify check``: every mistake in the ini file, what follows from it, and what this machine lacks for it."""

from __future__ import annotations

import argparse
import os

from pbxnotify.commands import terminal, testmail
from pbxnotify.errors import PbxnotifyError, RelayError, SpoolError
from pbxnotify.health.host import host_notes, ini_file_notes
from pbxnotify.health.relay_probe import Stage, probe
from pbxnotify.health.settings_lint import settings_notes
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.spool.store import Spool, open_spool
from pbxnotify.text import clean


def check(options: argparse.Namespace) -> int:
    """Say whether the ini file can be used by the owner of the spool; with --connect whether the relay can be."""
    status, spool = os.EX_OK, None
    try:
        spool = open_spool()
    except SpoolError as error:
        _note(str(error), "red")
        status = error.exit_status
    settings = load_settings(ini_path())
    _say(settings, spool)
    for note in settings_notes(settings):
        _note(note)
    if spool:
        with terminal.waiting("Asterisk"):
            found = list(host_notes(settings, spool))
        for note in found:
            _note(note)
    if options.connect:
        stopped = _probe(settings)
        status = stopped.exit_status if stopped else status
    return status


def _probe(settings: Settings) -> PbxnotifyError | None:
    """Print each stage on the way to the relay; returns why it stopped, None if it did not."""

    def report(stage: Stage) -> None:
        found = terminal.coloured(stage.found, "yellow") if stage.is_warning else stage.found
        print(f"{stage.name:16} {found}", flush=True)

    with terminal.waiting(f"{settings.smtp.host}:{settings.smtp.port}"):
        error = probe(settings, report)
    if error:
        name = error.stage if isinstance(error, RelayError) else "AUTH"
        print(f"{name:16} {terminal.coloured('stops here', 'red')}: {error}", flush=True)
    return error


def say_notes(settings: Settings) -> None:
    """Print what is to be noted of an ini file that has just been put in place."""
    for note in (*settings_notes(settings), *ini_file_notes(settings)):
        terminal.note(note)


def _note(text: str, colour: str = "yellow") -> None:
    print(f"{terminal.coloured('NOTE'.ljust(16), colour)} {clean(text, None)}", flush=True)


def _say(settings: Settings, spool: Spool | None) -> None:
    """Print what follows from the settings."""
    missed, voicemail, employees = settings.missed_calls, settings.voicemail, settings.employees
    admins = ", ".join(settings.notifications.admin_email)
    print(f"{settings.path}: {terminal.coloured('no mistakes found', 'green')}")
    for name, text in (
        ("relay", testmail.way_to(settings.smtp)),
        ("sender", settings.smtp.sender_address),
        ("administrator", admins or "nobody"),
        ("missed calls", f"{_switch(missed.enabled)}; common address: {', '.join(missed.email) or 'none'}"),
        ("voicemail", f"{_switch(voicemail.enabled)}; common address: {', '.join(voicemail.email) or 'none'}"),
        ("employees", f"{len(employees)}, with an e-mail: {sum(1 for one in employees if one.emails)}"),
        ("spool", spool.directory if spool else "cannot be used"),
    ):
        print(f"{name:16} {text}")


def _switch(enabled: bool) -> str:
    return "on" if enabled else "off"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--connect", action="store_true", help="go to the relay, stage by stage, and log in")
