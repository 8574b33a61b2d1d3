"""``pbxnotify check``: every mistake in the ini file, what follows from it, and what this machine lacks for it."""

from __future__ import annotations

import argparse
import os

from pbxnotify import checkup, settings, stages, surroundings, terminal, trial
from pbxnotify.conversation import printable
from pbxnotify.errors import SpoolError
from pbxnotify.settings import Settings
from pbxnotify.spool import Spool, open_spool


def check(options: argparse.Namespace) -> int:
    """Say whether the ini file can be used by the owner of the spool; with --connect whether the relay can be."""
    status, spool = os.EX_OK, None
    try:
        spool = open_spool()  # from here on as Asterisk's user: what follows must hold for that one
    except SpoolError as error:
        _note(str(error), "red")
        status = error.exit_status
    configured = settings.load(settings.location())
    _say(configured, spool)
    for note in checkup.of_settings(configured):
        _note(note)
    if spool:
        with terminal.waiting("Asterisk"):
            found = list(surroundings.notes(configured, spool))
        for note in found:
            _note(note)
    if options.connect:
        stopped = stages.walk(configured, lambda stage, found: print(f"{stage:16} {found}", flush=True))
        status = stopped.exit_status if stopped else status
    return status


def say_notes(configured: Settings) -> None:
    """Print what is to be noted of an ini file that has just been put in place."""
    for note in (*checkup.of_settings(configured), *surroundings.of_file(configured)):
        terminal.note(note)


def _note(text: str, colour: str = "yellow") -> None:
    print(f"{terminal.coloured('NOTE'.ljust(16), colour)} {printable(text)}", flush=True)


def _say(configured: Settings, spool: Spool | None) -> None:
    """Print what follows from the settings."""
    missed, voicemail, employees = configured.missed_calls, configured.voicemail, configured.employees
    admins = ", ".join(configured.notifications.admin_email)
    print(f"{configured.path}: {terminal.coloured('no mistakes found', 'green')}")
    for name, text in (
        ("relay", trial.way_to(configured.smtp)),
        ("sender", configured.smtp.sender_address),
        ("administrator", admins or "nobody"),
        ("missed calls", f"{_switch(missed.enabled)}; common address: {', '.join(missed.email) or 'none'}"),
        ("voicemail", f"{_switch(voicemail.enabled)}; common address: {', '.join(voicemail.email) or 'none'}"),
        ("employees", f"{len(employees)}, with an e-mail: {sum(1 for one in employees if one.emails)}"),
        ("spool", spool.directory if spool else "cannot be used"),
    ):
        print(f"{name:16} {text}")


def _switch(enabled: bool) -> str:
    return "on" if enabled else "off"
