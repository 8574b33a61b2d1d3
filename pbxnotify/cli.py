"""The admin's command line: which command there is, what it takes, and how its errors become sentences."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from pbxnotify import __version__, log
from pbxnotify.asterisk.call import extensions_in
from pbxnotify.commands import terminal
from pbxnotify.errors import PbxnotifyError
from pbxnotify.events import LEVELS, UNKNOWN_LENGTH
from pbxnotify.languages.language import LANGUAGE_CODES
from pbxnotify.text import clean

DONE, USAGE, WAITS, MISTAKES = "0 done", "64 the command line", "75 not now", "78 the ini file, login or sender"
REFUSED = "69 refused for good"
SPOOL = "74 the spool cannot be used"
BY_HAND = (DONE, USAGE, REFUSED, "75 not now: it waits in the queue", MISTAKES)


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
        print(end="", flush=True)  # what fails to be written is known then; a stdout that was closed before is None
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


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 99999")
    return int(text)


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def _subject(text: str) -> str:
    if not clean(text):
        raise argparse.ArgumentTypeError("is blank")
    return text


def _extensions(text: str) -> str:
    if not extensions_in(text):
        raise argparse.ArgumentTypeError("names no extension")
    return text


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes have the exit status that sysexits has for them.

    What a command takes is declared when that one is given: `queue run` and `monitor` begin in half the time if the
    modules of all the others are not imported.
    """

    declare: Callable[[_Parser], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, once it is declared what may be there."""
        declare, self.declare = self.declare, None
        if declare:
            declare(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Exit with EX_USAGE; argparse's own 2 is no sysexits status."""
        self.print_usage(sys.stderr)
        without_password = re.sub(r"(--(?:pass|client-s)[a-z-]*[= ])\S+", r"\1***", message)
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
    text = "log in without a password, with a token of the provider (OAuth 2)"
    _command(commands, "oauth", _oauth, text, "oauth login", (DONE, USAGE, WAITS, MISTAKES))
    text = "list, show, send, retry or remove what waits"
    _command(commands, "queue", _queue, text, "queue list", (DONE, USAGE, SPOOL, "75 something waits"))
    return parser


def _settings_commands(commands: Commands[_Parser]) -> None:
    text = "ask for the settings, send a test mail, write the ini file"
    example = "setup --provider gmail --login office@gmail.com --password-stdin --admin-email me@example.com < password"
    _command(commands, "setup", _setup, text, example, (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    text = "edit the ini file; it is put in place only when it has no mistakes, then a test mail is sent"
    _command(commands, "edit", _edit, text, "edit", (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    text = "say what is wrong with the ini file, what follows from it, and what this machine lacks"
    _command(commands, "check", _check, text, "check --connect", (DONE, SPOOL, WAITS, MISTAKES))
    text = "say how the mail is doing, for people and for monitoring"
    statuses = ("0 all is well", "1 warning", "2 mail is held up", "3 unknown")
    _command(commands, "status", _status, text, "status --json", statuses)


def _mail_commands(commands: Commands[_Parser]) -> None:
    text = "send a test mail at once, to the administrator if no address is named"
    _command(commands, "test", _test, text, "test -v you@example.com", (DONE, USAGE, REFUSED, WAITS, MISTAKES))
    text = "show a mail as it would be, of samples or of what is given; nothing is sent"
    example = "preview missed --language ru --html missed.html"
    _command(commands, "preview", _preview, text, example, (DONE, USAGE, MISTAKES))
    example = "missed --from 5551212 --name 'Alice Smith' --to 101 --dry-run"
    _command(commands, "missed", _missed, "tell of a missed call by hand", example, BY_HAND)
    example = "voicemail --recording msg0000.wav --from 5551212 --to 101"
    _command(commands, "voicemail", _voicemail, "tell of a recording by hand", example, BY_HAND)


def _system_commands(commands: Commands[_Parser]) -> None:
    text = "tell the administrator of anything"
    example = "alert 'backup failed' --key backup --body - < backup.log"
    _command(commands, "alert", _alert, text, example, BY_HAND)
    text = "look at disks, checks, Asterisk and the mail; tell what is wrong, and when it is over"
    endings = (DONE, SPOOL, "75 another one is at work", MISTAKES)
    _command(commands, "monitor", _monitor, text, "monitor", endings)


def _setup(parser: _Parser) -> None:
    from pbxnotify.commands import setup

    setup.add_options(parser)
    parser.set_defaults(command=setup.setup, interrupted="the ini file is as it was")


def _edit(parser: _Parser) -> None:
    from pbxnotify.commands import edit

    parser.set_defaults(command=edit.edit, interrupted="see  pbxnotify check  for the ini file as it is")


def _check(parser: _Parser) -> None:
    from pbxnotify.commands import check

    parser.add_argument("--connect", action="store_true", help="go to the relay, stage by stage, and log in")
    parser.set_defaults(command=check.check)


def _status(parser: _Parser) -> None:
    from pbxnotify.commands.status import status

    parser.add_argument("--json", action="store_true", help="print one JSON object; times are seconds since the epoch")
    parser.set_defaults(command=status)


def _test(parser: _Parser) -> None:
    from pbxnotify.commands import testmail

    parser.add_argument("address", nargs="?", metavar="ADDRESS")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the conversation with the relay")
    parser.set_defaults(command=testmail.test)


def _preview(parser: _Parser) -> None:
    from pbxnotify.commands import preview

    parser.add_argument("kind", choices=preview.KINDS, metavar="|".join(preview.KINDS))
    parser.add_argument("--language", choices=LANGUAGE_CODES, help="of the mail (default: the recipient's)")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--html", metavar="FILE", help="write the page to a file, - for standard output")
    files.add_argument("--eml", metavar="FILE", help="write the whole mail to a file, as mail programs open it")
    parser.add_argument("--from", dest="caller", metavar="NUMBER")
    parser.add_argument("--name", help="the caller's name")
    parser.add_argument("--to", type=_extensions, metavar="EXT[&EXT]", help="the extensions that were called")
    parser.add_argument("--private", action="store_true", default=None, help="the caller withholds the number")
    parser.add_argument("--duration", type=_seconds, metavar="SECONDS", help="how long it rang, or the message is")
    causes = ", ".join(preview.CAUSES)
    parser.add_argument("--cause", type=str.lower, choices=preview.CAUSES, metavar="CAUSE", help=f"why: {causes}")
    parser.add_argument("--subject", help="of an alert")
    parser.add_argument("--body", help="of an alert")
    parser.set_defaults(command=preview.preview)


def _missed(parser: _Parser) -> None:
    from pbxnotify.commands import send
    from pbxnotify.settings.validators import DIAL_STATUSES

    _call_options(parser)
    parser.add_argument("--cause", type=str.upper, default="NOANSWER", choices=DIAL_STATUSES, metavar="DIALSTATUS")
    parser.add_argument("--duration", type=_seconds, default=0, metavar="SECONDS", help="how long it rang")
    parser.set_defaults(command=send.missed)


def _voicemail(parser: _Parser) -> None:
    from pbxnotify.commands import send

    _call_options(parser)
    parser.add_argument("--recording", required=True, metavar="FILE", help="the recording, such as msg0000.wav")
    parser.add_argument("--mailbox", default="", help="the mailbox it lies in (default: the first extension)")
    length, text = UNKNOWN_LENGTH, "its length (default: measured)"
    parser.add_argument("--duration", type=_seconds, default=length, metavar="SECONDS", help=text)
    parser.set_defaults(command=send.voicemail)


def _call_options(parser: _Parser) -> None:
    """Declare what tells of a call by hand."""
    parser.add_argument("--from", dest="caller", required=True, metavar="NUMBER")
    parser.add_argument("--name", default="", help="the caller's name")
    text = "the extensions that missed it"
    parser.add_argument("--to", type=_extensions, required=True, metavar="EXT[&EXT]", help=text)
    parser.add_argument("--dry-run", action="store_true", help="print the mails instead of sending them")


def _alert(parser: _Parser) -> None:
    from pbxnotify.commands import send

    parser.add_argument("subject", type=_subject, metavar="SUBJECT")
    parser.add_argument("--body", default="", metavar="TEXT", help="more of it, - for standard input")
    parser.add_argument("--key", default="", help="what it is about: the same is told once a day")
    parser.add_argument("--level", choices=LEVELS, default="warning")
    parser.set_defaults(command=send.alert)


def _monitor(parser: _Parser) -> None:
    from pbxnotify.commands import monitor

    parser.set_defaults(command=monitor.monitor)


def _oauth(parser: _Parser) -> None:
    from pbxnotify.commands import oauth

    commands = parser.add_subparsers(metavar="ACTION", required=True)
    text = "allow us in a browser, on whatever machine, to send mail; then send a test mail"
    statuses = (DONE, USAGE, REFUSED, SPOOL, WAITS, MISTAKES)
    login = _command(commands, "login", _runs(oauth.login), text, "oauth login", statuses)
    text = "device: a code to enter anywhere; code: the browser comes back here (default: device where there is that)"
    login.add_argument("--flow", choices=oauth.FLOWS, metavar="|".join(oauth.FLOWS), help=text)
    login.add_argument("--port", type=_port, default=0, help="where the browser comes back to (default: any)")
    login.add_argument("--no-test", action="store_true", help="send no test mail")
    login.set_defaults(interrupted="nothing is changed")
    text = "say what token we have, and how long it lasts"
    _command(commands, "status", _runs(oauth.status), text, "oauth status", (DONE, USAGE, SPOOL, MISTAKES))
    text = "end the token at the provider, where it has a way for that, and forget it here"
    _command(commands, "logout", _runs(oauth.logout), text, "oauth logout", (DONE, USAGE, SPOOL, WAITS, MISTAKES))


def _queue(parser: _Parser) -> None:
    from pbxnotify.commands import queue

    commands = parser.add_subparsers(metavar="ACTION", required=True)
    text = "list what waits and what has failed"
    _command(commands, "list", _runs(queue.list_items), text, "queue list", (DONE, SPOOL))
    text = "send what is due, and renew a login that would end unused; for cron or a systemd timer, each minute"
    statuses = ("0 nothing waits any more", SPOOL, "75 something waits")
    run = _command(commands, "run", _runs(queue.run), text, "queue run --all", statuses)
    run.add_argument("--all", action="store_true", help="send everything, due or not")
    for name, command, text in (
        ("show", queue.show, "show items whole"),
        ("retry", queue.retry, "put failed items back into the queue"),
        ("remove", queue.remove, "remove items unsent"),
    ):
        example = f"queue {name} 20261124-101522-9f3a1c00"
        sub = _command(commands, name, _runs(command), text, example, (DONE, USAGE, SPOOL))
        sub.add_argument("id", nargs="+", metavar="ID")


def _runs(command: Callable[[argparse.Namespace], int]) -> Callable[[_Parser], None]:
    """Return the declaration of an action that takes nothing else, or has been told what it takes."""
    return lambda parser: parser.set_defaults(command=command)


def _command(
    commands: Commands[_Parser],
    name: str,
    declare: Callable[[_Parser], None],
    text: str,
    example: str,
    statuses: Sequence[str],
) -> _Parser:
    """Add a command: what it does, an example, its exit statuses; ``declare`` tells what it takes, and runs it."""
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
    parser.declare = declare
    return parser


if __name__ == "__main__":
    sys.exit(main())
