"""The admin's commands: check, test, missed, voicemail; and the way to those for the queue."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from typing import NoReturn

from pbxnotify import __version__, checkup, events, log, message, notify, queue, settings, smtp, templates
from pbxnotify.attachment import prepare
from pbxnotify.errors import PbxnotifyError, UsageError
from pbxnotify.message_left import by_hand
from pbxnotify.recipients import Recipient, told_of
from pbxnotify.spool import open_spool
from pbxnotify.values import DIAL_STATUSES
from pbxnotify.voicemail import Unreadable

EXIT_STATUS = {"SENT": os.EX_OK, "SKIPPED": os.EX_OK, "QUEUED": os.EX_TEMPFAIL, "FAILED": os.EX_UNAVAILABLE}
SECURITY = {"none": "not encrypted", "starttls": "STARTTLS", "tls": "TLS from the first byte"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status (sysexits). The one place where errors become sentences."""
    options = _parser().parse_args(arguments)
    log.open_syslog(to_stderr=True)
    if options.config:
        os.environ["PBXNOTIFY_CONFIG"] = options.config
    try:
        return int(options.command(options))
    except PbxnotifyError as error:
        for sentence in str(error).splitlines():
            print(f"pbxnotify: {sentence}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("pbxnotify: interrupted; what is in the queue stays there", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `pbxnotify queue list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


def check(options: argparse.Namespace) -> int:
    """Say whether the ini file can be used by the owner of the spool, and what follows from it."""
    spool = open_spool()
    configured = settings.load(settings.location())
    relay, notifications = configured.smtp, configured.notifications
    encryption = SECURITY[relay.security]
    if relay.security != "none" and not relay.verify_certificate:
        encryption += ", the certificate is not verified"
    print(f"{configured.path}: no mistakes found")
    print(f"relay            {relay.host}:{relay.port}, {encryption}, login {relay.login or 'none'}")
    print(f"sender           {relay.sender_address}")
    print(f"administrator    {', '.join(notifications.admin_email) or 'nobody: admin_email is empty'}")
    print(f"missed calls     {_switch(configured.missed_calls.enabled)}; common address: ", end="")
    print(", ".join(configured.missed_calls.email) or "none, so a call that fits no employee is not mailed")
    print(f"voicemail        {_switch(configured.voicemail.enabled)}; common address: ", end="")
    print(", ".join(configured.voicemail.email) or "none, so only employees with an e-mail get it")
    print(f"employees        {len(configured.employees)}, with an e-mail: ", end="")
    print(sum(1 for employee in configured.employees if employee.emails))
    print(f"spool            {spool.directory}")
    for note in checkup.notes(configured):
        print(f"NOTE             {note}")
    return os.EX_OK


def _switch(enabled: bool) -> str:
    return "on" if enabled else "off"


def test(options: argparse.Namespace) -> int:
    """Send a test mail at once, and show what the relay says."""
    configured = settings.load(settings.location())
    addresses = [options.address] if options.address else list(configured.notifications.admin_email)
    if not addresses:
        raise UsageError("admin_email is empty: name an address, as in  pbxnotify test you@example.com")
    language = configured.notifications.language
    words = templates.TEST[language]
    event = events.Alert(time=time.time(), subject=words.subject, body=words.body)
    transcript = print if options.verbose else None
    print(f"connecting to {configured.smtp.host}:{configured.smtp.port} ({SECURITY[configured.smtp.security]})")
    with smtp.Relay(configured.smtp, transcript) as relay:
        for address in addresses:
            identifier = f"test-{time.time_ns():x}"
            mail = message.compose(event, identifier, Recipient(address, language), configured)
            print(f"{address}: the relay said: {relay.send(address, mail, lambda: None)}")
    if not configured.notifications.enabled:
        print("NOTE: notifications are switched off ([notifications] enabled = no): only this test was sent")
    return os.EX_OK


def missed(options: argparse.Namespace) -> int:
    """Tell of a missed call by hand, the same way as from the dialplan."""
    call = events.MissedCall(
        time=time.time() - options.duration,
        duration=options.duration,
        extensions=events.extensions_in(options.to),
        caller_number=events.clean(options.caller),
        caller_name=events.clean(options.name),
        dial_status=options.cause,
    )
    return _show_mails(call) if options.dry_run else _tell(call)


def voicemail(options: argparse.Namespace) -> int:
    """Tell of a recording by hand, the same way as from the dialplan."""
    told = events.Voicemail(
        duration=options.duration,
        extensions=events.extensions_in(options.to),
        caller_number=events.clean(options.caller),
        caller_name=events.clean(options.name),
        mailbox=events.clean(options.mailbox),
    )
    try:
        event, descriptor = by_hand(options.recording, told)
    except Unreadable as error:
        raise UsageError(str(error)) from None
    return _show_mails(event, options.recording) if options.dry_run else _tell(event, descriptor)


def _tell(event: events.Event, recording: int = -1) -> int:
    """Make an event durable and deliver it; returns the exit status."""
    status, _, deliver = notify.tell(event, recording)
    outcome = [status]
    if deliver:
        deliver(outcome.append)
    print(f"pbxnotify: {outcome[-1]}")
    return EXIT_STATUS[outcome[-1]]


def _show_mails(event: events.Event, recording: str = "") -> int:
    """Print the mails of an event, decoded for reading."""
    configured = settings.load(settings.location())
    told = told_of(event, configured)
    attachment = prepare(recording, event, configured.voicemail) if isinstance(event, events.Voicemail) else None
    for recipient in told.recipients:
        content = message.compose(event, "dry-run", recipient, configured, attachment)
        mail = message_from_bytes(content, policy=policy.default)
        body = mail.get_body(("plain",))
        text = str(body.get_content()).replace("\r\n", "\n") if body else ""
        print("".join(f"{name}: {value}\n" for name, value in mail.items()), text, sep="\n")
        for part in mail.iter_attachments():
            print(f"[{part.get_filename()}, {part.get_content_type()}, {len(part.get_payload(decode=True))} bytes]\n")
    if attachment and attachment.remark:
        print(f"NOTE: {attachment.remark}")
    if not told.recipients:
        print(f"nobody would be told: {told.reason}")
    return os.EX_OK


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to 99999")
    return int(text)


def _extensions(text: str) -> str:
    if not events.extensions_in(text):
        raise argparse.ArgumentTypeError("names no extension")
    return text


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with EX_USAGE; argparse's own 2 is no sysexits status."""
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="pbxnotify", description="Mails people about missed calls and voicemail on Asterisk.")
    parser.add_argument("--version", action="version", version=f"pbxnotify {__version__}")
    parser.add_argument("--config", metavar="FILE", help="the ini file (default: pbxnotify.ini beside asterisk.conf)")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _command(commands, "check", check, "say whether the ini file can be used")
    sub = _command(commands, "test", test, "send a test mail, to the administrator if no address is named")
    sub.add_argument("address", nargs="?", metavar="ADDRESS")
    sub.add_argument("-v", "--verbose", action="store_true", help="show the conversation with the relay")
    sub = _call_command(commands, "missed", missed, "tell of a missed call by hand")
    sub.add_argument("--cause", type=str.upper, default="NOANSWER", choices=DIAL_STATUSES, metavar="DIALSTATUS")
    sub.add_argument("--duration", type=_seconds, default=0, metavar="SECONDS", help="how long it rang")
    sub = _call_command(commands, "voicemail", voicemail, "tell of a recording by hand")
    sub.add_argument("--recording", required=True, metavar="FILE", help="the recording, such as msg0000.wav")
    sub.add_argument("--mailbox", default="", help="the mailbox it lies in (default: the first extension)")
    sub.add_argument(
        "--duration",
        type=_seconds,
        default=events.UNKNOWN_LENGTH,
        metavar="SECONDS",
        help="its length (default: measured)",
    )
    _queue_commands(_command(commands, "queue", None, "list, show, send, retry or remove what waits"))
    return parser


def _call_command(commands: argparse._SubParsersAction[_Parser], name: str, command: object, text: str) -> _Parser:
    """Add a command that tells of a call by hand."""
    sub = _command(commands, name, command, text)
    sub.add_argument("--from", dest="caller", required=True, metavar="NUMBER")
    sub.add_argument("--name", default="", help="the caller's name")
    sub.add_argument("--to", type=_extensions, required=True, metavar="EXT[&EXT]", help="the extensions that missed it")
    sub.add_argument("--dry-run", action="store_true", help="print the mails instead of sending them")
    return sub


def _queue_commands(parser: _Parser) -> None:
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    _command(commands, "list", queue.list_items, "list what waits and what has failed")
    sub = _command(commands, "run", queue.run, "send what is due; for cron or a systemd timer, each minute")
    sub.add_argument("--all", action="store_true", help="send everything, due or not")
    for name, command, text in (
        ("show", queue.show, "show items whole"),
        ("retry", queue.retry, "put failed items back into the queue"),
        ("remove", queue.remove, "remove items unsent"),
    ):
        _command(commands, name, command, text).add_argument("id", nargs="+", metavar="ID")


def _command(commands: argparse._SubParsersAction[_Parser], name: str, command: object, text: str) -> _Parser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="the ini file")
    if command:
        parser.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
