"""Mails leave over real sockets, to a real SMTP server and to one that misbehaves at every stage."""

from __future__ import annotations

import errno
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import relay as far_end
import trustme
from golden import Golden
from relay import Catcher, Certificates, Fault, ScriptedRelay, close, drip, endless, garbage, huge, reset, silence

from pbxnotify.errors import (
    MailDeferred,
    MailRefused,
    OutcomeUnknown,
    RelayError,
    RelayMisconfigured,
    RelayUnavailable,
    SettingsError,
)
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp import connection
from pbxnotify.smtp.client import Relay
from pbxnotify.smtp.replies import TRANSACTION, Concern, concern_of

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

IVAN, OLGA = "ivan@example.com", "olga@example.com"
MAIL = b"Subject: missed call\r\n\r\n5551212 called\r\n"
SECRET = "пароль ✓ 42"  # noqa: S105
LOGIN: dict[str, Any] = {"login": "pbx@example.com", "password": SECRET}
BREAKS = {
    "closed": close,
    "reset": reset,
    "silence": silence,
    "drip": drip(0.02),
    "endless reply": endless,
    "10 MB line": huge,
    "garbage": garbage,
}
IMPATIENT = 0.7
"""Seconds without progress: enough for loopback, and soon over."""


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait no longer for the last answers than for the others."""
    monkeypatch.setattr(Relay, "ANSWER_TIMEOUT", IMPATIENT)
    monkeypatch.setattr(Relay, "QUIT_TIMEOUT", IMPATIENT)


def settings(port: int, **options: Any) -> Smtp:
    """Return settings for a relay on this host."""
    return Smtp(**{"host": "127.0.0.1", "port": port, "sender": "pbx@example.com", "timeout": 10, **options})


def send(port: int, recipient: str = IVAN, mail: bytes = MAIL, **options: Any) -> str:
    """Send one mail over a connection of its own."""
    with Relay(settings(port, **options)) as relay:
        return relay.send(recipient, mail)


def failure(port: int, recipient: str = IVAN, mail: bytes = MAIL, **options: Any) -> RelayError:
    """Return the error that sending one mail ends in."""
    with pytest.raises(RelayError) as caught:
        send(port, recipient, mail, **options)
    assert str(caught.value).startswith(f"{options.get('host', '127.0.0.1')}:{port} ")
    return caught.value


def copies(relay: ScriptedRelay) -> list[int]:
    """Return how often MAIL is in each mail that came whole."""
    return [message.count(b"Subject:") for message in relay.messages]


# What the relay says, and what it means


def test_the_relays_own_words_are_returned(catcher: Catcher) -> None:
    assert send(catcher.port) == "250 2.0.0 Ok: queued as 1"


def test_the_mail_arrives_as_it_was(catcher: Catcher) -> None:
    mail = b"Subject: dots\r\n\r\n.\r\n..two\r\n.leading\r\nend\r\n"
    send(catcher.port, mail=mail)
    assert catcher.mails[0].content == mail


def test_no_line_of_a_mail_can_end_it(catcher: Catcher) -> None:
    send(catcher.port, mail=b"Subject: smuggled\n\nfirst\n.\nMAIL FROM:<x@y>\r.\r\nlast")
    assert catcher.mails[0].content == b"Subject: smuggled\r\n\r\nfirst\r\n.\r\nMAIL FROM:<x@y>\r\n.\r\nlast\r\n"


def test_the_envelope(catcher: Catcher) -> None:
    send(catcher.port)
    assert (catcher.mails[0].sender, catcher.mails[0].recipients) == ("pbx@example.com", (IVAN,))


REFUSALS = [
    ("greeting", "421 4.3.2 shutting down", RelayUnavailable),
    ("greeting", "450 4.3.2 later", RelayUnavailable),
    ("greeting", "554 5.7.1 you are listed", RelayMisconfigured),
    ("EHLO", "451 4.3.0 later", RelayUnavailable),
    ("EHLO", "550 5.7.1 who are you", RelayMisconfigured),
    ("STARTTLS", "454 4.7.0 TLS not available", RelayUnavailable),
    ("STARTTLS", "502 5.5.1 not implemented", RelayUnavailable),
    ("AUTH", "421 4.7.0 too many", RelayUnavailable),
    ("AUTH", "454 4.7.0 Temporary authentication failure", RelayUnavailable),
    ("AUTH", "334 more?", RelayUnavailable),
    ("AUTH", "530 5.7.0 Authentication required", RelayMisconfigured),
    ("AUTH", "534 5.7.9 Application-specific password required", RelayMisconfigured),
    ("AUTH", "535 5.7.8 wrong", RelayMisconfigured),
    ("AUTH", "535 5.7.139 SmtpClientAuthentication is disabled", RelayMisconfigured),
    ("MAIL", "421 4.7.0 later", RelayUnavailable),
    ("MAIL", "451 4.3.0 later", RelayUnavailable),
    ("MAIL", "553 5.7.1 Sender address rejected: not owned by auth user", RelayMisconfigured),
    ("MAIL", "530 5.7.0 Must issue a STARTTLS command first", RelayMisconfigured),
    ("MAIL", "552 5.3.4 too big", MailRefused),
    ("RCPT", "421 4.7.0 later", RelayUnavailable),
    ("RCPT", "450 4.2.0 greylisted", MailDeferred),
    ("RCPT", "550 5.1.1 no such user", MailRefused),
    ("RCPT", "554 5.7.1 Relay access denied", RelayMisconfigured),
    ("RCPT", "454 4.7.1 Relay access denied", RelayUnavailable),
    ("RCPT", "554 5.7.1 Access denied", MailRefused),
    ("DATA", "421 4.7.0 later", RelayUnavailable),
    ("DATA", "451 4.3.0 later", MailDeferred),
    ("DATA", "554 5.5.1 no", MailRefused),
    ("DATA", "250 what?", RelayUnavailable),
    ("message", "421 4.7.0 later", RelayUnavailable),
    ("message", "452 4.3.1 disk full", MailDeferred),
    ("message", "554 5.7.1 spam", MailRefused),
    ("message", "354 go on", OutcomeUnknown),
]
PIPELINING = pytest.mark.parametrize("extensions", [[], ["PIPELINING"]], ids=["one by one", "pipelined"])
"""Whether the commands of a mail's envelope leave in one round trip."""


@pytest.mark.parametrize(("stage", "reply", "kind"), REFUSALS)
def test_a_refusal(stage: str, reply: str, kind: type[RelayError], certificates: Certificates) -> None:
    options: dict[str, Any] = {"security": "starttls", "ca_file": certificates.ca_file, **LOGIN}
    faults: dict[str, Any] = {stage: reply}
    with ScriptedRelay(tls=certificates.server, extensions=["AUTH PLAIN"], **faults) as relay:
        error = failure(relay.port, **options)
    code, _, words = reply.partition(" ")
    assert (type(error), error.stage, error.code, error.reply) == (kind, stage, int(code), words)
    assert reply in str(error)


@PIPELINING
@pytest.mark.parametrize(("stage", "reply", "kind"), [row for row in REFUSALS if row[0] in TRANSACTION])
def test_a_refusal_of_the_third_mail(stage: str, reply: str, kind: type[RelayError], extensions: list[str]) -> None:
    """It means the same; where the relay ends the connection, another one is tried before that counts."""
    usual = ScriptedRelay.REPLIES[stage]
    faults: dict[str, Any] = {stage: [usual, usual, reply]}
    with ScriptedRelay(extensions=extensions, **faults) as far, Relay(settings(far.port)) as relay:
        for _ in range(2):
            relay.send(IVAN, MAIL)
        with pytest.raises(kind) as caught:
            relay.send(OLGA, MAIL)
        accepted = far.messages[:2]
    assert (caught.value.stage, caught.value.code) == (stage, int(reply[:3]))
    is_about_the_connection = reply.startswith("421") or (stage, reply[0]) == ("MAIL", "4")
    assert (len(accepted), far.connections) == (2, 2 if is_about_the_connection else 1)


@PIPELINING
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_after_a_refusal_the_next_mail_leaves(stage: str, extensions: list[str]) -> None:
    faults: dict[str, Any] = {stage: ["550 5.6.0 no", ScriptedRelay.REPLIES[stage]]}
    with ScriptedRelay(extensions=extensions, **faults) as far, Relay(settings(far.port)) as relay:
        with pytest.raises(RelayError):
            relay.send(IVAN, MAIL)
        assert relay.send(OLGA, MAIL * 2)
    assert copies(far) == [2]


def test_an_envelope_leaves_in_one_round_trip() -> None:
    """The relay answers only when it has all three commands."""

    def answer(talk: far_end.Talk) -> None:
        assert talk.line().startswith(b"RCPT")
        assert talk.line() == b"DATA"
        talk.say("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go on")
        far.messages.append(talk.until(b"\r\n.\r\n"))
        talk.say("250 2.0.0 Ok")

    with ScriptedRelay(extensions=["PIPELINING"], MAIL=answer) as far:
        assert send(far.port) == "250 2.0.0 Ok"


ENDS: dict[str, Fault] = {"421": "421 4.7.0 too many messages", "closed": close, "reset": reset, "silence": silence}


@PIPELINING
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
@pytest.mark.usefixtures("impatience")
def test_a_relay_that_ends_a_connection_after_some_mails(stage: str, end: Fault, extensions: list[str]) -> None:
    """What it did not take comes over another one, once."""
    usual = ScriptedRelay.REPLIES[stage]
    faults: dict[str, Any] = {stage: [usual, usual, end, usual]}
    with ScriptedRelay(extensions=extensions, **faults) as far:
        with Relay(settings(far.port, timeout=IMPATIENT)) as relay:
            for count in range(1, 5):
                relay.send(IVAN, MAIL * count)
        assert (sorted(copies(far)), far.connections) == ([1, 2, 3, 4], 2)


def test_a_relay_that_ends_a_connection_in_the_middle_of_a_mail() -> None:
    def go_on(talk: far_end.Talk) -> None:
        pass

    with ScriptedRelay(content=[go_on, close, go_on]) as far, Relay(settings(far.port)) as relay:
        relay.send(IVAN, MAIL)
        relay.send(IVAN, MAIL * 200_000)
        assert (copies(far), far.connections) == ([1, 200_000], 2)


def test_smtputf8_that_is_refused_is_about_the_recipient() -> None:
    with ScriptedRelay(extensions=["SMTPUTF8"], MAIL="555 5.5.4 unsupported") as far:
        error = failure(far.port, recipient="иван@example.com")
    assert (type(error), concern_of(error)) == (MailRefused, Concern.RECIPIENT)


def test_a_relay_gets_fifty_mails_over_one_connection() -> None:
    with ScriptedRelay() as far, Relay(settings(far.port)) as relay:
        for _ in range(Relay.MOST_MAILS + 1):
            relay.send(IVAN, MAIL)
        assert (far.connections, len(far.commands("QUIT"))) == (2, 1)


@pytest.mark.parametrize("answer", ["250 2.0.0 Ok", "421 4.4.2 timeout", close], ids=["still there", "421", "closed"])
def test_a_connection_that_was_idle_is_asked_first(answer: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedRelay(RSET=answer) as far, Relay(settings(far.port)) as relay:
        relay.send(IVAN, MAIL)
        monkeypatch.setattr("pbxnotify.smtp.client.IDLE", 0.0)
        relay.send(IVAN, MAIL)
        assert (len(far.messages), far.connections) == (2, 1 if answer == "250 2.0.0 Ok" else 2)


def test_a_reply_of_several_lines_is_one_line() -> None:
    with ScriptedRelay(RCPT="550-5.7.1 listed,\r\n550 5.7.1 see \x1b[31m https://example.com") as relay:
        assert failure(relay.port).reply == "5.7.1 listed, 5.7.1 see [31m https://example.com"


def test_two_recipients_one_refused() -> None:
    with ScriptedRelay(RCPT=["550 5.1.1 no such user", "250 Ok"]) as far, Relay(settings(far.port)) as relay:
        with pytest.raises(MailRefused):
            relay.send(IVAN, MAIL)
        assert relay.send(OLGA, MAIL) == "250 2.0.0 Ok: queued as 1234"
        assert [
            line.split(b":")[0].split(b" ")[0] for line in far.lines
        ] == b"EHLO MAIL RCPT RSET MAIL RCPT DATA".split()


@pytest.mark.parametrize("reply", ["500 5.5.1 what?", "502 5.5.1 not implemented"])
def test_a_relay_that_knows_no_ehlo_is_greeted_with_helo(reply: str) -> None:
    with ScriptedRelay(EHLO=reply, HELO="250 scripted.test") as relay:
        assert send(relay.port)
        assert [line.split()[0].upper() for line in relay.lines[:3]] == [b"EHLO", b"HELO", b"MAIL"]


def test_helo_means_no_tls_and_no_login() -> None:
    with ScriptedRelay(EHLO="502 what?", HELO="250 scripted.test") as relay:
        assert failure(relay.port, security="starttls").stage == "STARTTLS"
        assert failure(relay.port, **LOGIN).stage == "AUTH"


def test_two_recipients_one_connection(catcher: Catcher) -> None:
    with Relay(settings(catcher.port)) as relay:
        relay.send(IVAN, MAIL)
        relay.send(OLGA, MAIL)
    assert [mail.recipients for mail in catcher.mails] == [(IVAN,), (OLGA,)]


# A connection that breaks, stalls or talks nonsense


@pytest.mark.parametrize("fault", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize(
    "stage", ["greeting", "EHLO", "STARTTLS", "handshake", "AUTH", "MAIL", "RCPT", "DATA", "message"]
)
@pytest.mark.usefixtures("impatience")
def test_a_break(stage: str, fault: Fault, certificates: Certificates) -> None:
    options: dict[str, Any] = {"security": "starttls", "ca_file": certificates.ca_file, "timeout": IMPATIENT, **LOGIN}
    faults: dict[str, Any] = {stage: fault}
    with ScriptedRelay(tls=certificates.server, extensions=["AUTH PLAIN"], **faults) as relay:
        error = failure(relay.port, **options)
    assert type(error) is (OutcomeUnknown if stage == "message" else RelayUnavailable)
    expected = {"handshake": "STARTTLS"}.get(stage, stage)
    # A reset right behind the handshake may reach this side before connect() has returned.
    assert error.stage in ((expected, "connect") if (stage, fault) == ("greeting", BREAKS["reset"]) else (expected,))


@pytest.mark.parametrize("fault", [close, reset, far_end.stall], ids=["closed", "reset", "not read any more"])
def test_a_break_before_the_final_dot(fault: Fault) -> None:
    with ScriptedRelay(content=fault) as relay:
        error = failure(relay.port, mail=MAIL * 200_000, timeout=IMPATIENT)
    assert (type(error), error.stage) == (RelayUnavailable, "message")


def hang_up_with(reply: str) -> Fault:
    """Say what is wrong in the middle of a mail, and hang up."""

    def fault(talk: far_end.Talk) -> None:
        talk.say(reply)
        close(talk)

    return fault


refuse = hang_up_with("554 5.7.1 enough")


def test_what_it_said_before_it_hung_up_is_its_answer() -> None:
    with ScriptedRelay(content=refuse) as relay:
        error = failure(relay.port, mail=MAIL * 200_000)
    assert (type(error), error.code, error.reply) == (MailRefused, 554, "5.7.1 enough")


def test_what_it_said_in_the_middle_of_a_small_mail_is_its_answer() -> None:
    """All of it fits on the line before anybody notices: only the final dot does not get through."""
    hung_up = threading.Event()

    def refuse_at_once(talk: far_end.Talk) -> None:
        talk.until(b"\r\n")
        talk.say("554 5.6.0 not such a subject")
        talk.sock.close()
        hung_up.set()
        raise far_end.Ended

    def wait() -> None:
        hung_up.wait()

    refused = pytest.raises(MailRefused, match="not such a subject")
    with ScriptedRelay(content=refuse_at_once) as far, Relay(settings(far.port)) as relay, refused:
        relay.send(IVAN, MAIL, wait)


def test_it_is_called_again_for_the_next_recipient() -> None:
    with ScriptedRelay(content=[refuse, lambda talk: None]) as far, Relay(settings(far.port)) as relay:
        with pytest.raises(MailRefused):
            relay.send(IVAN, MAIL * 200_000)
        assert relay.send(OLGA, MAIL)
        assert far.connections == 2


def test_a_relay_that_waits_before_each_reply_gets_its_mail() -> None:
    """As tarpits do: never longer than the timeout, but longer in all."""
    replies = {
        "EHLO": "250 scripted.test",
        **{stage: ScriptedRelay.REPLIES[stage] for stage in ("greeting", "MAIL", "RCPT")},
    }
    waits: dict[str, Any] = {stage: far_end.after(0.4 * IMPATIENT, reply) for stage, reply in replies.items()}
    with ScriptedRelay(**waits) as relay:
        assert send(relay.port, timeout=IMPATIENT)


def line_by_line(talk: far_end.Talk) -> None:
    """Send a greeting whose lines never end, each in time."""
    while not talk.stopped.wait(0.4 * IMPATIENT):
        talk.say("220-please wait")


def test_a_line_of_a_reply_is_progress() -> None:
    def greet(talk: far_end.Talk) -> None:
        for line in ("220-please", "220-wait", "220-until", "220 now"):
            talk.stopped.wait(0.4 * IMPATIENT)
            talk.say(line)

    with ScriptedRelay(greeting=greet) as relay:
        assert send(relay.port, timeout=IMPATIENT)


def test_a_reply_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_WAIT", 2 * IMPATIENT)
    with ScriptedRelay(greeting=line_by_line) as relay:
        error = failure(relay.port, timeout=IMPATIENT)
    assert (type(error), error.stage) == (RelayUnavailable, "greeting")


def test_a_slow_line_makes_progress() -> None:
    with ScriptedRelay(content=far_end.slowly()) as relay:
        assert send(relay.port, mail=MAIL * 100_000, timeout=IMPATIENT)


@pytest.mark.parametrize("fault", [*BREAKS.values(), "421 bye", "554 no"], ids=[*BREAKS, "421", "554"])
@pytest.mark.usefixtures("impatience")
def test_quit_changes_nothing(fault: Fault) -> None:
    with ScriptedRelay(QUIT=fault) as relay:
        assert send(relay.port) == "250 2.0.0 Ok: queued as 1234"


def test_accepted_and_closed_at_once_is_accepted() -> None:
    with ScriptedRelay(message=far_end.accept_and_close) as relay:
        assert send(relay.port)


def test_nothing_is_sent_over_a_lost_connection() -> None:
    with ScriptedRelay(message=far_end.accept_and_close) as far, Relay(settings(far.port)) as relay:
        relay.send(IVAN, MAIL)
        relay.send(OLGA, MAIL)
        assert (copies(far), far.connections) == ([1, 1], 2)


def test_the_wait_for_the_answer_is_not_counted() -> None:
    """It is longer than all the time there is for the rest of both mails."""
    thinking = far_end.after(4, "250 Ok")
    with ScriptedRelay(message=[thinking, "250 Ok"]) as far, Relay(settings(far.port, timeout=IMPATIENT)) as relay:
        assert relay.send(IVAN, MAIL) == relay.send(OLGA, MAIL) == "250 Ok"


def test_the_caller_is_called_before_the_final_dot() -> None:
    order: list[str] = []

    def answer(talk: far_end.Talk) -> None:
        order.append("dot")
        talk.say("250 Ok")

    with ScriptedRelay(message=answer) as far, Relay(settings(far.port)) as relay:
        relay.send(IVAN, MAIL, lambda: order.append("written"))
    assert order == ["written", "dot"]


def test_the_caller_is_not_called_when_nothing_is_sent() -> None:
    with ScriptedRelay(DATA="451 later") as far, Relay(settings(far.port)) as relay, pytest.raises(MailDeferred):
        relay.send(IVAN, MAIL, lambda: pytest.fail("the outcome is known"))


def test_no_final_dot_when_the_caller_fails() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with ScriptedRelay() as far, pytest.raises(KeyboardInterrupt), Relay(settings(far.port)) as relay:
        relay.send(IVAN, MAIL, fail)
    assert far.messages == []


# Where the relay is


def test_nothing_listens(golden: Golden) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(port)
    assert (type(error), error.stage) == (RelayUnavailable, "connect")
    golden(error)


def test_no_such_name(monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    def look_up(*arguments: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    error = failure(25, host="nowhere.test")
    assert (type(error), error.stage) == (RelayUnavailable, "connect")
    golden(error)


def test_each_address_of_a_name_is_tried(catcher: Catcher, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def look_up_both(host: str, *arguments: Any) -> list[Any]:
        return look_up("127.0.0.9", *arguments) + look_up("127.0.0.1", *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_both)
    assert send(catcher.port, host="both.test")


@pytest.mark.parametrize("before", [None, "timeout:5"])
def test_how_dns_is_asked_is_left_to_resolv_conf(
    before: str | None, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RES_OPTIONS", before or "")
    if not before:
        monkeypatch.delenv("RES_OPTIONS")
    send(catcher.port)
    assert os.environ.get("RES_OPTIONS") == before


def test_a_dead_dns_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: is_over.wait())
    monkeypatch.setattr(connection, "LOOKUP", 0.0)
    error = failure(25, host="nowhere.test", timeout=1)
    is_over.set()
    assert (type(error), error.stage) == (RelayUnavailable, "connect")
    golden(error)


def test_a_look_up_that_does_not_end_keeps_no_process_from_exiting() -> None:
    code = (
        "import socket, time; socket.getaddrinfo = lambda *arguments: time.sleep(600)\n"
        "from pbxnotify.smtp.connection import look_up\n"
        "try: look_up('nowhere.test', 25, 0.1)\n"
        "except OSError: print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "ended\n"


NO_IPV6 = (99, socket.SOCK_STREAM, 0, "", ("2001:db8::1", 25))
"""An address that cannot be reached from here: the kernel does not know its family."""


@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
def test_of_several_addresses_the_error_that_says_most_counts(order: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = (socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname())
    unreached: list[tuple[str, OSError]] = []
    with pytest.raises(ConnectionRefusedError):
        connection.connect([closed, NO_IPV6, NO_IPV6][::order], 5, unreached)
    assert [address for address, _ in unreached] == ["127.0.0.1", "2001:db8::1", "2001:db8::1"][::order]


def test_an_address_without_a_route_counts_where_there_is_no_other() -> None:
    with pytest.raises(OSError, match="not supported") as caught:
        connection.connect([NO_IPV6, NO_IPV6], 5)
    assert caught.value.errno == errno.EAFNOSUPPORT


@pytest.mark.parametrize(
    ("host_name", "option", "name"),
    [
        pytest.param("pbx", "", b"[127.0.0.1]", id="a host name that is none elsewhere"),
        pytest.param("pbx.example.com", "", b"pbx.example.com", id="the host name"),
        pytest.param("pbx.example.com", "office.example.net", b"office.example.net", id="the option"),
        pytest.param("pbx.example.com", "[192.0.2.1]", b"[192.0.2.1]", id="an address as option"),
    ],
)
def test_we_greet_with_a_name(host_name: str, option: str, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host_name)
    with ScriptedRelay() as relay:
        send(relay.port, helo=option)
        assert relay.lines[0] == b"EHLO " + name


@pytest.mark.parametrize(("address", "name"), [("127.0.0.1", b"[127.0.0.1]"), ("::1", b"[IPv6:::1]")])
def test_we_greet_with_our_address(address: str, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "pbx")
    try:
        relay = ScriptedRelay(address=address)
    except OSError:
        pytest.skip(f"no {address} here")
    with relay:
        with Relay(settings(relay.port, host=address)):
            pass
        assert relay.lines[0] == b"EHLO " + name


def test_a_plain_client_on_a_tls_port(certificates: Certificates, golden: Golden) -> None:
    with ScriptedRelay(tls=certificates.server, implicit=True) as relay:
        error = failure(relay.port, timeout=IMPATIENT)
        assert (type(error), error.stage) == (RelayUnavailable, "greeting")
        golden(error)


def test_a_tls_client_on_a_plain_port(golden: Golden) -> None:
    with ScriptedRelay() as relay:
        error = failure(relay.port, security="tls")
    assert (type(error), error.stage) == (RelayUnavailable, "TLS")
    golden(str(error).rpartition(" (")[2])


# TLS

BOTH_WAYS = pytest.mark.parametrize("security", ["starttls", "tls"])


def secure_catcher(context: Any, security: str, **options: Any) -> Catcher:
    """Return a catcher that offers STARTTLS, or begins with TLS."""
    return Catcher(tls=context, implicit=security == "tls", **options)


@BOTH_WAYS
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_certificate_is_verified(security: str, host: str, certificates: Certificates) -> None:
    with secure_catcher(certificates.server, security) as catcher:
        send(catcher.port, host=host, security=security, ca_file=certificates.ca_file)
        assert catcher.mails[0].encrypted


@BOTH_WAYS
@pytest.mark.parametrize(
    ("server", "authority"),
    [
        ("server", "unknown_ca_file"),
        ("self_signed", "ca_file"),
        ("expired", "ca_file"),
        ("elsewhere", "ca_file"),
    ],
    ids=["unknown authority", "self-signed", "expired", "another name"],
)
def test_a_bad_certificate(
    security: str, server: str, authority: str, certificates: Certificates, golden: Golden
) -> None:
    ca_file = getattr(certificates, authority)
    with secure_catcher(getattr(certificates, server), security) as catcher:
        error = failure(catcher.port, security=security, ca_file=ca_file, host="localhost")
        assert send(catcher.port, security=security, ca_file=ca_file, host="localhost", verify_certificate=False)
    assert (type(error), error.stage) == (RelayUnavailable, "TLS" if security == "tls" else "STARTTLS")
    golden(re.sub(r" \(.*?\)", "", str(error), count=1))  # less OpenSSL's own words


def test_an_unknown_authority_is_not_trusted_by_default(certificates: Certificates) -> None:
    with secure_catcher(certificates.server, "tls") as catcher:
        error = failure(catcher.port, security="tls")
    assert (type(error), error.stage, "ca_file" in str(error)) == (RelayUnavailable, "TLS", True)


def test_the_systems_bundle_is_trusted(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certificates.ca_file)
    with secure_catcher(certificates.server, "tls") as catcher:
        assert send(catcher.port, security="tls")


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is needed to hash a directory")
def test_the_systems_directory_is_trusted(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["openssl", "x509", "-noout", "-hash", "-in", certificates.ca_file]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copy(certificates.ca_file, tmp_path / f"{name}.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with secure_catcher(certificates.server, "tls") as catcher:
        assert send(catcher.port, security="tls")


def test_a_ca_file_without_a_certificate(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    error = failure(25, security="tls", ca_file=str(path))
    assert type(error) is RelayMisconfigured
    assert str(path) in str(error)


@pytest.mark.parametrize(("known", "is_accepted"), [("root", False), ("intermediate", True), ("leaf", True)])
def test_an_intermediate_authority_that_is_not_sent(known: str, is_accepted: bool, tmp_path: Path) -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    leaf, server = intermediate.issue_cert("localhost"), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.private_key_pem.write_to_path(str(tmp_path / "key"))
    for name, certificate in (("root", root.cert_pem), ("intermediate", intermediate.cert_pem)):
        certificate.write_to_path(str(tmp_path / name))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf"))
    server.load_cert_chain(tmp_path / "leaf", tmp_path / "key")
    options: dict[str, Any] = {"security": "tls", "host": "localhost", "ca_file": str(tmp_path / known)}
    with Catcher(tls=server, implicit=True) as catcher:
        if is_accepted:
            assert send(catcher.port, **options)
        else:
            assert "ca_file" in str(failure(catcher.port, **options))


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is needed to make a weak key")
@BOTH_WAYS
def test_a_weak_key(security: str, tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey rsa:1024 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run([*command.split(), *files], capture_output=True, check=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.set_ciphers("DEFAULT:@SECLEVEL=0")
    server.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    options: dict[str, Any] = {"security": security, "host": "localhost", "ca_file": str(tmp_path / "certificate")}
    with secure_catcher(server, security) as catcher:
        assert "verify_certificate = no" in str(failure(catcher.port, **options))
        assert send(catcher.port, verify_certificate=False, **options)


@BOTH_WAYS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_client_certificate_that_is_wanted(
    security: str, version: ssl.TLSVersion, certificates: Certificates
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.server_file)
    server.load_verify_locations(certificates.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = version
    with ScriptedRelay(tls=server, implicit=security == "tls") as relay:
        error = failure(relay.port, security=security, ca_file=certificates.ca_file)
    assert type(error) is RelayUnavailable
    assert "client certificate" in str(error)


def test_starttls_stripped_means_no_mail(golden: Golden) -> None:
    with ScriptedRelay(extensions=["AUTH PLAIN"]) as relay:
        error = failure(relay.port, security="starttls", **LOGIN)
        assert [line.split()[0] for line in relay.lines] == [b"EHLO"]
    assert (type(error), error.stage) == (RelayUnavailable, "STARTTLS")
    golden(error)


def test_plain_text_injected_before_tls_is_not_believed(certificates: Certificates) -> None:
    with ScriptedRelay(tls=certificates.server, STARTTLS="220 Ready\r\n250-scripted.test\r\n250 AUTH PLAIN") as relay:
        error = failure(relay.port, security="starttls", ca_file=certificates.ca_file)
        assert [line.split()[0] for line in relay.lines] == [b"EHLO", b"STARTTLS"]
    assert type(error) is RelayUnavailable


def test_what_was_offered_before_tls_is_forgotten(certificates: Certificates) -> None:
    first = "250-scripted.test\r\n250-AUTH PLAIN\r\n250 STARTTLS"
    with ScriptedRelay(tls=certificates.server, EHLO=[first, "250 scripted.test"]) as relay:
        error = failure(relay.port, security="starttls", ca_file=certificates.ca_file, **LOGIN)
        assert relay.commands("AUTH") == []
    assert (type(error), error.stage) == (RelayMisconfigured, "AUTH")


# Login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_login(mechanism: str, security: str, certificates: Certificates) -> None:
    context = None if security == "none" else certificates.server
    login = (LOGIN["login"], SECRET)
    with secure_catcher(context, security, login=login, mechanisms=[mechanism]) as catcher:
        send(catcher.port, security=security, ca_file=certificates.ca_file, **LOGIN)
        assert (len(catcher.mails), catcher.logins) == (1, [mechanism])


@pytest.mark.parametrize(("security", "chosen"), [("none", "CRAM-MD5"), ("starttls", "PLAIN"), ("tls", "PLAIN")])
@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_mechanism_is_tried_once(
    security: str, chosen: str, password: str, certificates: Certificates, golden: Golden
) -> None:
    options: dict[str, Any] = {
        "security": security,
        "ca_file": certificates.ca_file,
        "login": "pbx",
        "password": password,
    }
    with secure_catcher(
        None if security == "none" else certificates.server, security, login=("pbx", "right")
    ) as catcher:
        if password == "right":  # noqa: S105
            send(catcher.port, **options)
        else:
            error = failure(catcher.port, **options)
            assert (type(error), error.stage, error.code) == (RelayMisconfigured, "AUTH", 535)
            golden(error)
        is_followed = (chosen, password) == ("CRAM-MD5", "wrong")
        assert catcher.logins == [chosen, *(["PLAIN"] if is_followed else [])]


def refusing_cram_md5(reply: str) -> Fault:
    """Return a relay that offers CRAM-MD5 and cannot do it."""

    def act(talk: far_end.Talk) -> None:
        talk.say("334 PDEuMkByZWxheS50ZXN0Pg==")
        talk.line()
        talk.say(reply)

    return act


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(
            refusing_cram_md5("535 5.7.8 Error: authentication failed: no secret in database"), id="Cyrus SASL"
        ),
        pytest.param(refusing_cram_md5("454 4.7.0 Temporary authentication failure"), id="Dovecot"),
        pytest.param("504 5.5.4 Unrecognized authentication type", id="at once"),
    ],
)
@pytest.mark.parametrize("other", ["PLAIN", "LOGIN"])
def test_cram_md5_is_followed_by_another_mechanism(refusal: Fault, other: str) -> None:
    def accept(talk: far_end.Talk) -> None:
        for _ in range(2 if other == "LOGIN" else 0):
            talk.say("334 ")
            talk.line()
        talk.say("235 2.7.0 Ok")

    with ScriptedRelay(extensions=[f"AUTH CRAM-MD5 {other} LOGIN"], AUTH=[refusal, accept]) as relay:
        assert send(relay.port, **LOGIN)
        assert [line.split()[1].decode() for line in relay.commands("AUTH")] == ["CRAM-MD5", other]


@pytest.mark.parametrize(
    ("second", "code", "tried"),
    [
        pytest.param("535 5.7.8 nor that", 535, 2, id="refused as well"),
        pytest.param(close, 535, 2, id="hangs up"),
    ],
)
def test_cram_md5_is_followed_by_one_only(second: Fault, code: int, tried: int) -> None:
    first = refusing_cram_md5("535 5.7.8 no")
    with ScriptedRelay(extensions=["AUTH CRAM-MD5 PLAIN LOGIN"], AUTH=[first, second]) as relay:
        error = failure(relay.port, **LOGIN)
        assert (type(error), error.code, len(relay.commands("AUTH"))) == (RelayMisconfigured, code, tried)


@pytest.mark.parametrize("answer", ["421 4.7.0 too many", "334 more?"])
def test_cram_md5_is_not_followed_where_it_was_not_refused(answer: str) -> None:
    first = refusing_cram_md5(answer)
    with ScriptedRelay(extensions=["AUTH CRAM-MD5 PLAIN"], AUTH=first) as relay:
        assert type(failure(relay.port, **LOGIN)) is RelayUnavailable
        assert len(relay.commands("AUTH")) == 1


@pytest.mark.parametrize(
    "offered", [[], ["AUTH"], ["AUTH GSSAPI XOAUTH2"]], ids=["no AUTH", "nothing", "nothing usable"]
)
def test_no_login_that_can_be_used(offered: list[str], golden: Golden) -> None:
    with ScriptedRelay(extensions=offered) as relay:
        error = failure(relay.port, **LOGIN)
        assert relay.commands("AUTH") == []
    assert (type(error), error.stage) == (RelayMisconfigured, "AUTH")
    golden(error)


def test_no_login_in_the_clear_over_a_network(monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("192.0.2.1", 25), raising=False)
    with ScriptedRelay(extensions=["AUTH PLAIN"]) as relay:
        error = failure(relay.port, **LOGIN)
        assert relay.commands("AUTH") == []
        assert send(relay.port, allow_plaintext_login=True, **LOGIN)
    assert (type(error), error.stage) == (RelayMisconfigured, "AUTH")
    golden(error)


@pytest.mark.parametrize(
    "challenge",
    ["334", "334 ", "334 a", "334 =====", "334 \udcff\udcfe", "334-\r\n334 x", "334 " + "A" * 8000],
    ids=["none", "empty", "short", "padding", "binary", "two lines", "long"],
)
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_a_strange_challenge(mechanism: str, challenge: str) -> None:
    with ScriptedRelay(extensions=[f"AUTH {mechanism}"], AUTH=challenge) as relay:
        error = failure(relay.port, **LOGIN)
        assert len(relay.commands("AUTH")) == 1
    assert error.stage == "AUTH"
    assert SECRET not in str(error)


def test_a_failing_password_command_reaches_no_relay(golden: Golden) -> None:
    """It may take seconds, for which no relay would wait."""
    with ScriptedRelay(extensions=["AUTH PLAIN"]) as relay:
        with pytest.raises(SettingsError) as caught:
            send(relay.port, login="pbx", password_command="false")  # noqa: S106
        assert (relay.connections, relay.commands("AUTH")) == (0, [])
    golden(caught.value, user=pwd.getpwuid(os.geteuid()).pw_name)


# What is shown


def transcript(port: int, **options: Any) -> list[str]:
    """Return the transcript of one mail, or of what was said until it failed."""
    lines: list[str] = []
    try:
        with Relay(settings(port, **options), lines.append) as relay:
            relay.send(IVAN, MAIL)
    except RelayError as error:
        lines.append(f"{error} {error!r} {error.reply} {error.__cause__!r}")
    return lines


def test_the_transcript(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "pbx")
    with ScriptedRelay(extensions=["AUTH PLAIN", "SIZE"]) as relay:
        assert transcript(relay.port, **LOGIN) == [
            "< 220 scripted.test ESMTP",
            "> EHLO [127.0.0.1]",
            "< 250-scripted.test",
            "< 250-AUTH PLAIN",
            "< 250-SIZE",
            "< 250 HELP",
            "> AUTH PLAIN ***",
            "< 235 2.7.0 Authentication successful",
            f"> MAIL FROM:<pbx@example.com> SIZE={len(MAIL)}",
            "< 250 2.1.0 Ok",
            f"> RCPT TO:<{IVAN}>",
            "< 250 2.1.5 Ok",
            "> DATA",
            "< 354 End data with <CR><LF>.<CR><LF>",
            f"> (message, {len(MAIL)} bytes)",
            "< 250 2.0.0 Ok: queued as 1234",
            "> QUIT",
            "< 221 2.0.0 Bye",
        ]


def test_no_secret_is_shown_even_if_the_relay_repeats_it() -> None:
    with ScriptedRelay(extensions=["AUTH LOGIN"], AUTH=far_end.echo_login) as relay:
        shown = "\n".join(transcript(relay.port, **LOGIN))
    assert "535 5.7.8 nobody here is *** or *** or ***" in shown
    assert SECRET not in shown
    assert b64encode(SECRET.encode()).decode() not in shown


def test_nothing_is_written_to_a_stream(capfd: pytest.CaptureFixture[str], catcher: Catcher) -> None:
    send(catcher.port)
    assert capfd.readouterr() == ("", "")


# Addresses and sizes


def test_a_domain_beyond_ascii_is_encoded() -> None:
    with ScriptedRelay() as relay:
        send(relay.port, "ivan@пример.рф")
        assert relay.commands("RCPT") == [b"RCPT TO:<ivan@xn--e1afmkfd.xn--p1ai>"]


def test_a_name_beyond_ascii_needs_smtputf8(catcher: Catcher) -> None:
    send(catcher.port, "иван@пример.рф")
    (mail,) = catcher.mails
    assert mail.recipients == ("иван@xn--e1afmkfd.xn--p1ai",)
    assert "SMTPUTF8" in mail.parameters


@pytest.mark.parametrize(
    ("options", "kind", "stage"),
    [
        ({"recipient": "иван@example.com"}, MailRefused, "RCPT"),
        ({"sender": "атс@example.com"}, RelayMisconfigured, "MAIL"),
    ],
    ids=["recipient", "sender"],
)
def test_no_smtputf8(options: dict[str, Any], kind: type[RelayError], stage: str, golden: Golden) -> None:
    with Catcher(smtputf8=False) as catcher:
        error = failure(catcher.port, **options)
    assert (type(error), error.stage) == (kind, stage)
    golden(error)


NO_ADDRESSES = [
    "b@x> NOTIFY=NEVER <q",
    "a@b\r\nRCPT TO:<c@d>",
    "a@b\nDATA",
    "a b@c",
    "a@b c",
    "a@b\uff1e",
    "a@b\u3000c",
    "a@b\x85c",
    "a\x00@b",
    "a\ud800@b",
    "a@b@c",
    "a@..ы",
    "a@",
    "@b",
    "a",
    "",
]


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=ascii)
def test_nothing_is_injected_by_a_recipient(address: str) -> None:
    with ScriptedRelay(extensions=["SMTPUTF8"]) as relay:
        error = failure(relay.port, address)
        assert [line.split()[0] for line in relay.lines] == [b"EHLO"]
    assert type(error) is MailRefused
    assert re.search(r"[\x00-\x1f]", str(error)) is None


def test_nothing_is_injected_by_the_sender() -> None:
    with ScriptedRelay() as relay:
        assert type(failure(relay.port, sender="a@b> SIZE=1\r\nRSET <q")) is RelayMisconfigured
        assert [line.split()[0] for line in relay.lines] == [b"EHLO"]


def test_a_refused_address_does_not_hold_up_the_next(catcher: Catcher) -> None:
    with Relay(settings(catcher.port)) as relay:
        with pytest.raises(MailRefused):
            relay.send("nobody", MAIL)
        relay.send(OLGA, MAIL)
    assert len(catcher.mails) == 1


def test_a_mail_that_is_too_big_is_not_sent(golden: Golden) -> None:
    with ScriptedRelay(extensions=["SIZE 1000"]) as relay:
        error = failure(relay.port, mail=MAIL * 100)
        assert relay.commands("MAIL") == []
    assert (type(error), error.code) == (MailRefused, 552)
    golden(error)


@pytest.mark.parametrize("announced", ["SIZE", "SIZE 0", "SIZE 1000000", "SIZE -1", "SIZE \u00b2", "SIZE x"])
def test_the_size_is_announced(announced: str) -> None:
    with ScriptedRelay(extensions=[announced]) as relay:
        send(relay.port)
        assert relay.commands("MAIL") == [b"MAIL FROM:<pbx@example.com> SIZE=%d" % len(MAIL)]


# The catcher itself


def test_a_relay_down_then_up(catcher: Catcher) -> None:
    catcher.stop()
    assert type(failure(catcher.port)) is RelayUnavailable
    catcher.start()
    assert send(catcher.port)


def test_the_catcher_refuses_whom_it_should(catcher: Catcher) -> None:
    catcher.answers[IVAN] = "550 5.1.1 no such user"
    assert type(failure(catcher.port)) is MailRefused
    assert send(catcher.port, OLGA)


def test_the_catcher_holds_its_answer(catcher: Catcher) -> None:
    held = threading.Event()
    catcher.hold_answers(held)

    def let_go() -> None:
        assert catcher.mails == []
        held.set()

    with Relay(settings(catcher.port)) as relay:
        assert relay.send(IVAN, MAIL, let_go)
    assert len(catcher.wait(1)) == 1
