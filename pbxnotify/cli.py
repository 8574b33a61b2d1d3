"""The admin's command line: which command there is, what it takes, and how its errors become sentences."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from pbxnotify import __version__, by_hand, edit, events, log, monitor, preview, queue, settings, setup, terminal, trial
from pbxnotify import check as checking
from pbxnotify import status as mail_status
from pbxnotify.errors import PbxnotifyError, UsageError
from pbxnotify.language import CODES
from pbxnotify.values import DIAL_STATUSES

DONE, USAGE, WAITS, MISTAKES = "0 done", "64 the command line", "75 not now", "78 the ini file, login or sender"
REFUSED = "69 refused for good"
SPOOL = "74 the spool cannot be used"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status (sysexits). The one place where errors become sentences."""
    options = _parser().parse_args(arguments)
    log.open_syslog(to_stderr=True)
    if options.config:
        os.environ["PBXNOTIFY_CONFIG"] = os.path.abspath(options.config)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that knows no Russian gets \\u043f, and not an error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = int(options.command(options))
        sys.stdout.flush()
    except PbxnotifyError as error:
        terminal.complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"\npbxnotify: interrupted; {options.interrupted}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `pbxnotify queue list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except OSError as error:  # what a command itself reads and writes has sentences of its own
        terminal.complain(OSError(f"{error.filename or 'standard output'}: {error.strerror}"))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return os.EX_IOERR
    return status


def test(options: argparse.Namespace) -> int:
    """Send a test mail at once, and show what the relay says."""
    configured = settings.load(settings.location())
    addresses = [options.address] if options.address else list(configured.notifications.admin_email)
    if not addresses:
        raise UsageError("admin_email is empty: name an address, as in  pbxnotify test you@example.com")
    trial.send(configured, addresses, print if options.verbose else None)
    return os.EX_OK


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 99999")
    return int(text)


def _subject(text: str) -> str:
    if not events.clean(text):
        raise argparse.ArgumentTypeError("is blank")
    return text


def _extensions(text: str) -> str:
    if not events.extensions_in(text):
        raise argparse.ArgumentTypeError("names no extension")
    return text


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes have the exit status that sysexits has for them."""

    def error(self, message: str) -> NoReturn:
        """Exit with EX_USAGE; argparse's own 2 is no sysexits status."""
        self.print_usage(sys.stderr)
        without_password = re.sub(r"(--pass[a-z-]*[= ])\S+", r"\1***", message)
        self.exit(os.EX_USAGE, f"{self.prog}: {without_password}\n")


Commands = argparse._SubParsersAction


def _parser() -> _Parser:
    parser = _Parser(
        prog="pbxnotify",
        description="Mails people about missed calls and voicemail on Asterisk.",
        epilog="A new box:  pbxnotify setup, then  pbxnotify check.  Help of a command:  pbxnotify COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"pbxnotify {__version__}")
    parser.add_argument("--config", metavar="FILE", help="the ini file (default: pbxnotify.ini beside asterisk.conf)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _settings_commands(commands)
    _mail_commands(commands)
    _system_commands(commands)
    text = "list, show, send, retry or remove what waits"
    _queue_commands(_command(commands, "queue", None, text, "queue list", (DONE, USAGE, SPOOL, "75 something waits")))
    return parser


def _settings_commands(commands: Commands[_Parser]) -> None:
    text = "ask for the settings, send a test mail, write the ini file"
    example = "setup --provider gmail --login office@gmail.com --password-stdin --admin-email me@example.com < password"
    sub = _command(commands, "setup", setup.setup, text, example, (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    setup.add_options(sub)
    sub.set_defaults(interrupted="the ini file is as it was")
    text = "edit the ini file; it is put in place only when it has no mistakes, then a test mail is sent"
    sub = _command(commands, "edit", edit.edit, text, "edit", (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    sub.set_defaults(interrupted="see  pbxnotify check  for the ini file as it is")
    text = "say what is wrong with the ini file, what follows from it, and what this machine lacks"
    sub = _command(commands, "check", checking.check, text, "check --connect", (DONE, SPOOL, WAITS, MISTAKES))
    sub.add_argument("--connect", action="store_true", help="go to the relay, stage by stage, and log in")
    text = "say how the mail is doing, for people and for monitoring"
    statuses = ("0 all is well", "1 warning", "2 mail is held up", "3 unknown")
    sub = _command(commands, "status", mail_status.status, text, "status --json", statuses)
    sub.add_argument("--json", action="store_true", help="print one JSON object; times are seconds since the epoch")


def _mail_commands(commands: Commands[_Parser]) -> None:
    text = "send a test mail at once, to the administrator if no address is named"
    sub = _command(commands, "test", test, text, "test -v you@example.com", (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    sub.add_argument("address", nargs="?", metavar="ADDRESS")
    sub.add_argument("-v", "--verbose", action="store_true", help="show the conversation with the relay")
    _preview_command(commands)
    example = "missed --from 5551212 --name 'Alice Smith' --to 101 --dry-run"
    sub = _call_command(commands, "missed", by_hand.missed, "tell of a missed call by hand", example)
    sub.add_argument("--cause", type=str.upper, default="NOANSWER", choices=DIAL_STATUSES, metavar="DIALSTATUS")
    sub.add_argument("--duration", type=_seconds, default=0, metavar="SECONDS", help="how long it rang")
    example = "voicemail --recording msg0000.wav --from 5551212 --to 101"
    sub = _call_command(commands, "voicemail", by_hand.voicemail, "tell of a recording by hand", example)
    sub.add_argument("--recording", required=True, metavar="FILE", help="the recording, such as msg0000.wav")
    sub.add_argument("--mailbox", default="", help="the mailbox it lies in (default: the first extension)")
    length, text = events.UNKNOWN_LENGTH, "its length (default: measured)"
    sub.add_argument("--duration", type=_seconds, default=length, metavar="SECONDS", help=text)


def _preview_command(commands: Commands[_Parser]) -> None:
    text = "show a mail as it would be, of samples or of what is given; nothing is sent"
    example = "preview missed --language ru --html missed.html"
    sub = _command(commands, "preview", preview.preview, text, example, (DONE, USAGE, MISTAKES))
    sub.add_argument("kind", choices=preview.KINDS, metavar="|".join(preview.KINDS))
    sub.add_argument("--language", choices=CODES, help="of the mail (default: the recipient's)")
    files = sub.add_mutually_exclusive_group()
    files.add_argument("--html", metavar="FILE", help="write the page to a file, - for standard output")
    files.add_argument("--eml", metavar="FILE", help="write the whole mail to a file, as mail programs open it")
    sub.add_argument("--from", dest="caller", metavar="NUMBER")
    sub.add_argument("--name", help="the caller's name")
    sub.add_argument("--to", type=_extensions, metavar="EXT[&EXT]", help="the extensions that were called")
    sub.add_argument("--private", action="store_true", default=None, help="the caller withholds the number")
    sub.add_argument("--duration", type=_seconds, metavar="SECONDS", help="how long it rang, or the message is")
    causes = ", ".join(preview.CAUSES)
    sub.add_argument("--cause", type=str.lower, choices=preview.CAUSES, metavar="CAUSE", help=f"why: {causes}")
    sub.add_argument("--subject", help="of an alert")
    sub.add_argument("--body", help="of an alert")


def _call_command(commands: Commands[_Parser], name: str, command: object, text: str, example: str) -> _Parser:
    """Add a command that tells of a call by hand."""
    statuses = (DONE, USAGE, REFUSED, "75 not now: it waits in the queue", MISTAKES)
    sub = _command(commands, name, command, text, example, statuses)
    sub.add_argument("--from", dest="caller", required=True, metavar="NUMBER")
    sub.add_argument("--name", default="", help="the caller's name")
    sub.add_argument("--to", type=_extensions, required=True, metavar="EXT[&EXT]", help="the extensions that missed it")
    sub.add_argument("--dry-run", action="store_true", help="print the mails instead of sending them")
    return sub


def _system_commands(commands: Commands[_Parser]) -> None:
    text = "tell the administrator of anything"
    example = "alert 'backup failed' --key backup --body - < backup.log"
    statuses = (DONE, USAGE, REFUSED, "75 not now: it waits in the queue", MISTAKES)
    sub = _command(commands, "alert", by_hand.alert, text, example, statuses)
    sub.add_argument("subject", type=_subject, metavar="SUBJECT")
    sub.add_argument("--body", default="", metavar="TEXT", help="more of it, - for standard input")
    sub.add_argument("--key", default="", help="what it is about: the same is told once a day")
    sub.add_argument("--level", choices=events.LEVELS, default="warning")
    text = "look at disks, checks, Asterisk and the mail; tell what is wrong, and when it is over"
    endings = (DONE, SPOOL, "75 another one is at work", MISTAKES)
    _command(commands, "monitor", monitor.monitor, text, "monitor", endings)


def _queue_commands(parser: _Parser) -> None:
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    _command(commands, "list", queue.list_items, "list what waits and what has failed", "queue list", (DONE, SPOOL))
    text = "send what is due; for cron or a systemd timer, each minute"
    statuses = ("0 nothing waits any more", SPOOL, "75 something waits")
    sub = _command(commands, "run", queue.run, text, "queue run --all", statuses)
    sub.add_argument("--all", action="store_true", help="send everything, due or not")
    for name, command, text in (
        ("show", queue.show, "show items whole"),
        ("retry", queue.retry, "put failed items back into the queue"),
        ("remove", queue.remove, "remove items unsent"),
    ):
        sub = _command(commands, name, command, text, f"queue {name} 20261124-101522-9f3a1c00", (DONE, USAGE, SPOOL))
        sub.add_argument("id", nargs="+", metavar="ID")


def _command(
    commands: Commands[_Parser], name: str, command: object, text: str, example: str, statuses: Sequence[str]
) -> _Parser:
    """Add a command: what it does, an example, its exit statuses."""
    parser = commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=f"example:\n  pbxnotify {example}\n\nexit status:\n  {'; '.join(statuses)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the ini file")
    parser.set_defaults(interrupted="what is in the queue stays there")
    if command:
        parser.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
