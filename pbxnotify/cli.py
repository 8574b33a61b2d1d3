"""The command line: a table of commands, of which only the given one is imported."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple, NoReturn

from pbxnotify import __version__, log
from pbxnotify.asterisk.user import become_asterisk_user
from pbxnotify.commands import terminal
from pbxnotify.errors import PbxnotifyError

DONE, USAGE, WAITS, MISTAKES = "0 done", "64 usage error", "75 not possible now", "78 the ini file, login or sender"
REFUSED, SPOOL = "69 permanently refused", "74 the spool cannot be used"
SENDING = (DONE, USAGE, REFUSED, "75 deferred: it waits in the queue", MISTAKES)
PLUGIN = ("0 ok", "1 warning", "2 critical: mail is held up", "3 unknown")
TESTING = (DONE, USAGE, REFUSED, WAITS, MISTAKES)
AN_ITEM = "20261124-101522-9f3a1c00"
BESIDE_ROOT = ("setup", "edit")
"""Root stays behind these, to put the ini file in place: see ``settings.root``."""


SUMMARIES = {
    "setup": "ask for the settings, send a test mail, write the ini file",
    "edit": "edit the ini file; it is put in place only if it has no mistakes, then a test mail is sent",
    "check": "show what is wrong with the ini file, what follows from it, and what this machine lacks",
    "status": "show how the mail is doing, for people and for monitoring",
    "test": "send a test mail at once, to the administrator if no address is given",
    "preview": "show a mail as it would be, with sample values or those given; nothing is sent",
    "missed": "notify of a missed call from the shell",
    "voicemail": "mail a recording from the shell",
    "externnotify": "mail the new messages of a mailbox; for externnotify in voicemail.conf",
    "alert": "notify the administrator of anything",
    "monitor": "look for problems of disks, checks, Asterisk and the mail; mail them, and when they are resolved",
    "oauth": "log in without a password, with a token of the provider (OAuth 2)",
    "oauth login": "allow pbxnotify, in a browser on any device, to send mail; then send a test mail",
    "oauth status": "show the token, and how long it lasts",
    "oauth logout": "revoke the token at the provider, where that is possible, and remove it here",
    "queue": "list, show, send, retry or remove queue items",
    "queue list": "list what waits and what has failed",
    "queue run": "send what is due, and renew a login that would end unused; for cron or a systemd timer, every minute",
    "queue show": "show whole items",
    "queue retry": "put failed items back into the queue",
    "queue remove": "remove items unsent, or all that failed long ago",
}


class Command(NamedTuple):
    """How one command is run, and the rest of its help."""

    run: str  # ``module.function``: a module of ``commands`` and the function in it that takes the options
    example: str
    statuses: Sequence[str]
    options: str = ""  # the function of that module that declares the options, if the command has any
    opens: str = ""  # the function that opens the file named on the command line, as who has named it
    interrupted: str = "what is in the queue stays there"  # what Ctrl-C leaves behind


COMMANDS = {
    "setup": Command(
        "setup.setup",
        "setup --provider gmail --login office@gmail.com --password-stdin --admin-email me@example.com < password",
        TESTING,
        "add_options",
        interrupted="the ini file is as it was",
    ),
    "edit": Command(
        "edit.edit", "edit", TESTING, interrupted="pbxnotify check  shows whether the ini file can be used"
    ),
    "check": Command("check.check", "check --connect", (DONE, SPOOL, WAITS, MISTAKES), "add_options"),
    "status": Command("status.status", "status --json", PLUGIN, "add_options"),
    "test": Command("testmail.test", "test -v you@example.com", TESTING, "add_options"),
    "preview": Command(
        "preview.preview",
        "preview missed --language ru --html missed.html",
        (DONE, USAGE, MISTAKES),
        "add_options",
        opens="open_file",
    ),
    "missed": Command(
        "send.missed", "missed --from 5551212 --name 'Alice Smith' --to 101 --dry-run", SENDING, "add_missed_options"
    ),
    "voicemail": Command(
        "send.voicemail",
        "voicemail --recording msg0000.wav --from 5551212 --to 101",
        SENDING,
        "add_voicemail_options",
        opens="open_file",
    ),
    "externnotify": Command("send.externnotify", "externnotify default 101 1 0 0", SENDING, "add_externnotify_options"),
    "alert": Command(
        "send.alert", "alert 'backup failed' --key backup --body - < backup.log", SENDING, "add_alert_options"
    ),
    "monitor": Command("monitor.monitor", "monitor", (DONE, SPOOL, "75 another one is running", MISTAKES)),
    "oauth": Command("", "oauth login", (DONE, USAGE, WAITS, MISTAKES)),
    "oauth login": Command(
        "oauth.login",
        "oauth login",
        (DONE, USAGE, REFUSED, SPOOL, WAITS, MISTAKES),
        "add_login_options",
        interrupted="nothing is changed",
    ),
    "oauth status": Command("oauth.status", "oauth status", (DONE, USAGE, SPOOL, MISTAKES)),
    "oauth logout": Command("oauth.logout", "oauth logout", (DONE, USAGE, SPOOL, WAITS, MISTAKES)),
    "queue": Command("", "queue list", (DONE, USAGE, SPOOL, "75 something waits")),
    "queue list": Command("queue.list_items", "queue list", (DONE, SPOOL), "add_list_options"),
    "queue run": Command(
        "queue.run", "queue run --all", ("0 nothing waits any more", SPOOL, "75 something waits"), "add_run_options"
    ),
    "queue show": Command("queue.show", f"queue show {AN_ITEM}", (DONE, USAGE, SPOOL), "add_ids"),
    "queue retry": Command("queue.retry", f"queue retry {AN_ITEM}", (DONE, USAGE, SPOOL), "add_retry_options"),
    "queue remove": Command(
        "queue.remove", "queue remove --failed --older-than 30", (DONE, USAGE, SPOOL), "add_remove_options"
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status (sysexits). The only place where errors are printed."""
    terminal.guard()
    given = sys.argv[1:] if arguments is None else arguments
    options = parser(_first_word(given)).parse_args(given)
    log.open_syslog(to_stderr=True)
    if options.config:
        os.environ["PBXNOTIFY_CONFIG"] = os.path.abspath(options.config)
    try:
        if options.open_file:
            options.open_file(options)
        if not options.is_beside_root:
            become_asterisk_user()
        status = int(options.command(options))
        print(end="", flush=True)  # a write error comes up here, not later; a stdout that was closed before is None
    except PbxnotifyError as error:
        terminal.complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"\npbxnotify: interrupted; {options.interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader is gone, as in `pbxnotify queue list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:  # of our output; a command reports its own files itself
        terminal.complain(OSError(f"{error.filename or 'standard output'}: {error.strerror}"))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return os.EX_IOERR
    return status


class Parser(argparse.ArgumentParser):
    """A parser that exits with EX_USAGE after a usage error."""

    def error(self, message: str) -> NoReturn:
        """Exit with EX_USAGE; argparse's own status of 2 is not among sysexits. Without a command, list them all."""
        if re.search(r"required: (COMMAND|ACTION)$", message):
            self.print_help(sys.stderr)
        else:
            self.print_usage(sys.stderr)
        without_password = re.sub(r"(--(?:pass|client-s)[a-z-]*[= ])\S+", r"\1***", message)
        self.exit(os.EX_USAGE, f"{self.prog}: {without_password}\n")


def parser(*wanted: str) -> Parser:
    """Return the parser of the command line; only the wanted commands have their options declared.

    `queue run` and `monitor` start in half the time if the modules of all other commands are not imported.
    """
    whole = Parser(
        prog="pbxnotify",
        description="Mails people about missed calls and voicemail on an Asterisk server.",
        epilog="To begin:  pbxnotify setup, then  pbxnotify check.  Help on a command:  pbxnotify COMMAND --help",
    )
    whole.add_argument("--version", action="version", version=f"pbxnotify {__version__}")
    whole.add_argument("--config", metavar="FILE", help="the ini file (default: pbxnotify.ini beside asterisk.conf)")
    actions = {"": whole.add_subparsers(metavar="COMMAND", required=True)}
    for name, command in COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if not group or group in wanted:
            added = _add(actions[group], name, command)
            if not command.run:
                actions[word] = added.add_subparsers(metavar="ACTION", required=True)
            elif name.partition(" ")[0] in wanted:
                _declare_options(added, command)
                added.set_defaults(interrupted=command.interrupted, is_beside_root=name in BESIDE_ROOT)
    return whole


def _declare_options(parser: Parser, command: Command) -> None:
    """Import the module of a command, and declare its options and what runs it."""
    module, _, function = command.run.partition(".")
    room = import_module(f"pbxnotify.commands.{module}")
    if command.options:
        getattr(room, command.options)(parser)
    open_file = getattr(room, command.opens) if command.opens else None
    parser.set_defaults(command=getattr(room, function), open_file=open_file)


def _add(actions: argparse._SubParsersAction[Parser], name: str, command: Command) -> Parser:
    summary = SUMMARIES[name]
    added = actions.add_parser(
        name.rpartition(" ")[2],
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  pbxnotify {command.example}\n\nexit status:\n  {'; '.join(command.statuses)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    added.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the ini file")
    return added


def _first_word(arguments: Sequence[str]) -> str:
    words = zip(("", *arguments), arguments)
    return next((word for before, word in words if before != "--config" and not word.startswith("-")), "")


if __name__ == "__main__":
    sys.exit(main())
