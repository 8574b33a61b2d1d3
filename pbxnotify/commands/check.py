"""``pbxnotify check``: every mistake in the ini file, what follows from it, and what this machine lacks."""

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
    """Print whether Asterisk's user can use the ini file and, with --connect, the relay."""
    status, spool = os.EX_OK, None
    try:
        spool = open_spool()
    except SpoolError as error:
        _note(str(error), "red")
        status = error.exit_status
    settings = load_settings(ini_path())
    _print_summary(settings, spool)
    for note in settings_notes(settings):
        _note(note)
    if spool:
        with terminal.waiting("Asterisk"):
            notes = list(host_notes(settings, spool))
        for found in notes:
            if isinstance(found, PbxnotifyError):
                _note(str(found), "red", "ERROR")
                status = status or found.exit_status
            else:
                _note(found)
    if options.connect:
        stopped = _probe(settings)
        status = stopped.exit_status if stopped else status
    return status


def _probe(settings: Settings) -> PbxnotifyError | None:
    """Print each stage on the way to the relay; returns the error that stopped it, if any."""

    def report(stage: Stage) -> None:
        found = terminal.coloured(stage.found, "yellow") if stage.is_warning else stage.found
        print(f"{stage.name:16} {found}", flush=True)

    with terminal.waiting(f"{settings.smtp.host}:{settings.smtp.port}"):
        error = probe(settings, report)
    if error:
        name = error.stage if isinstance(error, RelayError) else "AUTH"
        print(f"{name:16} {terminal.coloured('failed', 'red')}: {error}", flush=True)
    return error


def say_notes(settings: Settings) -> None:
    """Print the notes on an ini file that has just been written."""
    for note in (*settings_notes(settings), *ini_file_notes(settings)):
        terminal.note(note)


def _note(text: str, colour: str = "yellow", kind: str = "NOTE") -> None:
    print(f"{terminal.coloured(kind.ljust(16), colour)} {clean(text, None)}", flush=True)


def _print_summary(settings: Settings, spool: Spool | None) -> None:
    employees, admins = settings.employees, ", ".join(settings.notifications.admin_email)
    print(f"{settings.path}: {terminal.coloured('no mistakes found', 'green')}")
    for name, text in (
        ("relay", testmail.way_to(settings.smtp)),
        ("sender", settings.smtp.sender_address),
        ("administrator", admins or "nobody"),
        *(
            (name, f"{'on' if section.enabled else 'off'}; common address: {', '.join(section.email) or 'none'}")
            for name, section in (("missed calls", settings.missed_calls), ("voicemail", settings.voicemail))
        ),
        ("employees", f"{len(employees)}, with an e-mail address: {sum(1 for one in employees if one.emails)}"),
        ("spool", str(spool.directory) if spool else "cannot be used"),
    ):
        terminal.row(name, text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--connect", action="store_true", help="also probe the relay stage by stage, and log in")
