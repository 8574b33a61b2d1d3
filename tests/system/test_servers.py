"""Real servers: what they refuse, in their own words, and how mails leave for them over one connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import dovecot
import pytest
from calls import CALL, added, queue, recipients_of, waiting
from far_away import FarAway
from mailboxes import sound
from relay import Catcher
from servers import Courier, DovecotSubmission, Exim, NameServer, OpenSmtpd, Postfix, Sendmail
from unpacked import ServerError, UnpackedServer

from pbxnotify.delivery.runner import run_queue
from pbxnotify.events import Voicemail
from pbxnotify.settings.load import ini_path, load_settings
from pbxnotify.smtp.client import Relay
from pbxnotify.spool.store import Spool

LOGIN = "pbx@office.test"
INI = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = {sender}
{login}
[notifications]
admin_email = admin@office.test
[employees]
[[101]]
email = {ivan}
[[102]]
email = {anna}
"""
EXIM_LOGIN = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{s3cret}}
  server_set_id = $auth2
  server_advertise_condition = yes
"""
MESSAGE = Voicemail(1795478867.0, 20, ("101",), "5551212", mailbox="101", recording="wav", place="1.1")


class Far(NamedTuple):
    """A server that runs, and the end to which it passes mails on."""

    server: UnpackedServer
    catcher: Catcher


Start = Callable[..., Far]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start servers, each once with the same settings."""
    running: dict[object, Far] = {}
    with ExitStack() as stack:
        name_server = stack.enter_context(NameServer())

        def start(kind: type[UnpackedServer], settings: dict[str, str]) -> Far:
            key = (kind, *settings.items())
            if key not in running:
                if kind is DovecotSubmission:  # whose words are those of the server behind it
                    dovecot.require()
                    behind, catcher = start(Exim, settings)
                    server: UnpackedServer = kind(behind.port, name_server.address)
                else:
                    catcher = stack.enter_context(Catcher())
                    server = kind(catcher.port, name_server.address, **settings)
                running[key] = Far(stack.enter_context(server), catcher)
            running[key].catcher.clear()
            return running[key]

        yield start


@pytest.fixture
def use(start: Start, write_ini: Callable[[str], Path]) -> Callable[..., Catcher]:
    """Make a server the relay; returns where its mails arrive."""

    def use(
        kind: type[UnpackedServer],
        settings: dict[str, str] | None = None,
        *,
        sender: str = "pbx@office.test",
        ivan: str = "ivan@office.test",
        anna: str = "anna@office.test",
        port: int = 0,
    ) -> Catcher:
        server, catcher = start(kind, settings or {})
        has_login = kind is DovecotSubmission or EXIM_LOGIN in (settings or {}).values()
        login = f"login = {LOGIN}\npassword = s3cret" if has_login else ""
        write_ini(INI.format(port=port or server.port, sender=sender, login=login, ivan=ivan, anna=anna))
        return catcher

    return use


US, LATER, RECIPIENT, DOUBT, THEIRS_LATER = (2, 0, 1, 0), (2, 0, 0, 0), (0, 1, 0, 2), (1, 0, 0, 2), (1, 0, 0, 1)
"""How many calls wait, have failed, alerts wait, mails have arrived. Everything waits, the administrator is alerted;
everything waits for a short while; this recipient's mail has failed; theirs waits, the administrator is alerted; theirs
waits for a short while. An alert is a mail, too."""
STRANGERS = {"ivan": "ivan@elsewhere.test", "anna": "anna@elsewhere.test"}
NOBODY = {"ivan": "nemo@local.test"}
UNKNOWN_DOMAIN, NO_DOMAIN = {"sender": "pbx@nowhere.invalid"}, {"sender": "asterisk@pbx"}
OTHERS = {"sender": "boss@office.test"}
TRUSTS_US = "smtpd_relay_restrictions = permit_mynetworks, reject\nmynetworks = 127.0.0.0/8\n"
TABLE = [
    # It relays for nobody, and we have no login
    ("Exim, relaying", Exim, {}, STRANGERS, "@elsewhere.test> with 550 relay not permitted", US),
    ("sendmail, relaying", Sendmail, {}, STRANGERS, "@elsewhere.test>... Relaying denied", US),
    ("Courier, relaying", Courier, {}, STRANGERS, "513 Relaying denied.", US),
    ("OpenSMTPD, relaying", OpenSmtpd, {}, STRANGERS, "550 Invalid recipient: <", US),
    ("Dovecot, relaying", DovecotSubmission, {}, STRANGERS, "@elsewhere.test> relay not permitted", US),
    ("Postfix, relaying", Postfix, {}, STRANGERS, "@elsewhere.test>: Relay access denied", US),
    # An unknown recipient
    ("Exim, a recipient", Exim, {}, NOBODY, "550 Unrouteable address", RECIPIENT),
    ("sendmail, a recipient", Sendmail, {}, NOBODY, "550 5.1.1 <nemo@local.test>... User unknown", RECIPIENT),
    ("Courier, a recipient", Courier, {}, NOBODY, "550 User <nemo> unknown", RECIPIENT),
    ("OpenSMTPD, a recipient", OpenSmtpd, {}, NOBODY, "550 Invalid recipient: <", DOUBT),
    ("Dovecot, a recipient", DovecotSubmission, {}, NOBODY, "550 5.0.0 <nemo@local.test> Unrouteable", RECIPIENT),
    ("Postfix, a recipient", Postfix, {}, NOBODY, "550 5.1.1 <nemo@local.test>: Recipient address rej", RECIPIENT),
    (
        "Postfix, a recipient without a domain",
        Postfix,
        {"main": f"{TRUSTS_US}smtpd_recipient_restrictions = reject_non_fqdn_recipient"},
        {"ivan": "ivan@office"},
        "504 5.5.2 <ivan@office>: Recipient address rejected: need fully-qualified address",
        RECIPIENT,
    ),
    (
        "Postfix, a recipient's domain",
        Postfix,
        {"main": f"{TRUSTS_US}smtpd_recipient_restrictions = reject_unknown_recipient_domain"},
        {"ivan": "ivan@nowhere.invalid"},
        "450 4.1.2 <ivan@nowhere.invalid>: Recipient address rejected: Domain not found",
        THEIRS_LATER,
    ),
    # A sender's domain that does not exist
    ("Exim, a domain", Exim, {}, UNKNOWN_DOMAIN, "Sender verify failed", US),
    ("sendmail, a domain", Sendmail, {}, UNKNOWN_DOMAIN, "MAIL FROM:<pbx@nowhere.invalid> SIZE=", US),
    (
        "sendmail, at RCPT",
        Sendmail,
        {"main": "FEATURE(`delay_checks')dnl"},
        UNKNOWN_DOMAIN,
        "@office.test> with 553 5.1.8 <",
        US,
    ),
    (
        "sendmail, localhost",
        Sendmail,
        {"main": "FEATURE(`delay_checks')dnl"},
        {"sender": "asterisk@localhost"},
        "Real domain name required for sender address",
        US,
    ),
    ("Courier, a domain", Courier, {}, UNKNOWN_DOMAIN, "517", US),
    ("Postfix, a domain", Postfix, {}, UNKNOWN_DOMAIN, "450 4.1.8 <pbx@nowhere.invalid>: Sender address", LATER),
    (
        "Postfix, a domain for good",
        Postfix,
        {"main": "unknown_address_reject_code = 550"},
        UNKNOWN_DOMAIN,
        "550 5.1.8 <pbx@nowhere.invalid>: Sender address rejected: Domain not found",
        US,
    ),
    # Its process crashes at an answer of two lines (2.3.19)
    ("Dovecot, a domain", DovecotSubmission, {}, UNKNOWN_DOMAIN, "closed the connection at ", LATER),
    # A sender made up from a host name
    ("Exim, a host name", Exim, {}, NO_DOMAIN, "Sender verify failed", US),
    ("sendmail, a host name", Sendmail, {}, NO_DOMAIN, "553 5.1.8 <asterisk@pbx>... Domain of sender", US),
    ("Courier, a host name", Courier, {}, NO_DOMAIN, "517 Syntax error.", US),
    ("Postfix, a host name", Postfix, {}, NO_DOMAIN, "504 5.5.2 <asterisk@pbx>: Sender address rejected", US),
    # Our address
    (
        "sendmail, a listed address",
        Sendmail,
        {"main": "FEATURE(`delay_checks')dnl\nFEATURE(`dnsbl', `bl.test')dnl"},
        {},
        "Rejected: 127.0.0.1 listed at bl.test",
        US,
    ),
    (
        "Postfix, a listed address",
        Postfix,
        {"main": "smtpd_client_restrictions = reject_rbl_client bl.test"},
        {},
        "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using bl.test",
        US,
    ),
    (
        "Postfix, an address without a name",
        Postfix,
        {"main": "smtpd_client_restrictions = reject_unknown_client_hostname"},
        {},
        "450 4.7.25 Client host rejected: cannot find your hostname",
        LATER,
    ),
    # A sender that is another's
    (
        "Exim, another's address",
        Exim,
        {
            "checks": "  deny authenticated = *\n    !condition = ${if eq{$sender_address}{$authenticated_id}}\n",
            "logins": EXIM_LOGIN,
        },
        OTHERS,
        "550 Administrative prohibition",
        US,
    ),
    (
        "Postfix, another's address",
        Postfix,
        {"main": "smtpd_sender_restrictions = check_sender_access inline:{boss@office.test=REJECT}"},
        OTHERS,
        "554 5.7.1 <boss@office.test>: Sender address rejected: Access denied",
        US,
    ),
]


@pytest.mark.parametrize(
    ("kind", "settings", "office", "says", "judgement"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_it_is_judged(
    use: Callable[..., Catcher],
    spool: Spool,
    logged: Callable[[], str],
    kind: type[UnpackedServer],
    settings: dict[str, str],
    office: dict[str, str],
    says: str,
    judgement: tuple[int, int, int, int],
) -> None:
    """Two calls wait, for two people; which of them is tried first is left open."""
    catcher = use(kind, settings, **office)
    for number in ("101", "102"):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only([number]))
    run_queue(spool)
    arrived = judgement[3]
    assert len(catcher.wait(arrived)) == arrived
    failed = len(spool.identifiers("failed"))
    assert says in logged(), logged()
    assert (len(waiting(spool)), failed, len(waiting(spool, "alert")), len(catcher.mails)) == judgement


# A recording that it does not take


NO_LARGE_ONES = "  deny condition = ${if >{$message_size}{50K}}"


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a recording of 20 s, 320 KB."""
    descriptor = os.open(sound(tmp_path / "msg0000.wav", 20), os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


SMALL = [
    pytest.param(Exim, {"main": "message_size_limit = 50K"}, "takes 51200 bytes at most", id="Exim"),
    pytest.param(Exim, {"data": NO_LARGE_ONES}, "550 Administrative prohibition", id="Exim, without a word of it"),
    pytest.param(Sendmail, {"main": "define(`confMAX_MESSAGE_SIZE', `50000')dnl"}, "takes 50000 bytes", id="sendmail"),
    pytest.param(Courier, {"size": "50000"}, "534 SIZE=Message too big.", id="Courier"),
    pytest.param(OpenSmtpd, {"main": "smtp max-message-size 50000"}, "takes 50000 bytes", id="OpenSMTPD"),
    pytest.param(Postfix, {"main": "message_size_limit = 50000"}, "takes 50000 bytes", id="Postfix"),
]


@pytest.mark.parametrize(("kind", "settings", "says"), SMALL)
def test_a_voicemail_arrives_without_its_recording(
    use: Callable[..., Catcher],
    spool: Spool,
    logged: Callable[[], str],
    recording: int,
    kind: type[UnpackedServer],
    settings: dict[str, str],
    says: str,
) -> None:
    catcher = use(kind, settings)
    added(spool, MESSAGE, recording).release()
    queue(spool, CALL._replace(linked_id="102.1").only(["102"]))
    run_queue(spool)
    mails = catcher.wait(2)
    assert recipients_of(catcher) == ["anna@office.test", "ivan@office.test"]
    assert "sent without the recording, because" in logged()
    assert says in logged()
    assert [part for mail in mails for part in mail.message.walk() if part.get_content_maintype() == "audio"] == []
    assert spool.identifiers() + spool.identifiers("failed") == []


# It takes some, and then no more


RATE = "  deny ratelimit = 1.5 / 1h / strict / $sender_address\n"
LIMITS = [
    pytest.param(Exim, {"checks": RATE}, "550 Administrative prohibition", 1, id="Exim, without a word of it"),
    pytest.param(
        Exim,
        {"checks": f"{RATE}    message = Sender rate overlimit - $sender_rate / $sender_rate_period\n"},
        "550 Sender rate overlimit - 2.0 / 1h",
        1,
        id="Exim, in the words of its manual",
    ),
    pytest.param(
        Exim,
        {"checks": f"{RATE.replace('deny', 'defer')}    message = Sorry, too busy. Try again later.\n"},
        "451 Sorry, too busy. Try again later.",
        0,
        id="Exim, for now",
    ),
    pytest.param(
        Postfix,
        {"main": "smtpd_client_message_rate_limit = 1"},
        "450 4.7.1 Error: too much mail from 127.0.0.1",
        0,
        id="Postfix, mails",
    ),
    pytest.param(
        Postfix,
        {"main": "smtpd_client_recipient_rate_limit = 1"},
        "450 4.7.1 Error: too many recipients from 127.0.0.1",
        0,
        id="Postfix, recipients",
    ),
]


@pytest.mark.parametrize(("kind", "settings", "says", "alerts"), LIMITS)
def test_a_limit_fails_nothing(
    use: Callable[..., Catcher],
    spool: Spool,
    logged: Callable[[], str],
    kind: type[UnpackedServer],
    settings: dict[str, str],
    says: str,
    alerts: int,
) -> None:
    catcher = use(kind, settings)
    for number in range(6):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only(["101" if number % 2 else "102"]))
    run_queue(spool)
    assert len(catcher.wait(1)) == 1
    assert says in logged(), logged()
    assert (len(waiting(spool)), spool.identifiers("failed")) == (5, [])
    assert len(waiting(spool, "alert")) == alerts


# A queue over one connection


SERVERS = [
    pytest.param(kind, id=kind.__name__) for kind in (Exim, Sendmail, Courier, OpenSmtpd, DovecotSubmission, Postfix)
]


@pytest.mark.parametrize("kind", SERVERS)
def test_a_queue_over_one_connection(
    use: Callable[..., Catcher], start: Start, spool: Spool, kind: type[UnpackedServer]
) -> None:
    between = FarAway(start(kind, {}).server.port, 0)
    catcher = use(kind, **NOBODY, port=between.port)
    queue_with_some_for_nobody(spool)
    run_queue(spool)
    between.close()
    is_in_doubt = kind is OpenSmtpd  # unknown, or a login is wanted: its words are the same
    assert_all_others_arrive(catcher)
    assert (len(waiting(spool)), len(spool.identifiers("failed"))) == ((4, 0) if is_in_doubt else (0, 4))
    assert between.connections == 1


def queue_with_some_for_nobody(spool: Spool) -> None:
    """Queue twenty mails, and between them four for somebody who does not exist."""
    for number in range(24):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only(["101" if number % 6 == 1 else "102"]))


def assert_all_others_arrive(catcher: Catcher) -> None:
    """Assert that the twenty arrive, each once, and an alert."""
    mails = catcher.wait(21)
    assert recipients_of(catcher) == ["admin@office.test"] + ["anna@office.test"] * 20
    assert len({mail.message["Message-ID"] for mail in mails}) == 21


HANGS_UP = [
    pytest.param(Exim, {"checks": "  drop ! verify = recipient\n"}, id="Exim"),
    pytest.param(Sendmail, {"main": "LOCAL_CONFIG\nO BadRcptShutdown=1"}, id="sendmail"),
    pytest.param(Postfix, {"main": "smtpd_hard_error_limit = 1"}, id="Postfix"),
]


@pytest.mark.parametrize(("kind", "settings"), HANGS_UP)
def test_a_server_that_hangs_up_after_a_refusal(
    use: Callable[..., Catcher], spool: Spool, kind: type[UnpackedServer], settings: dict[str, str]
) -> None:
    catcher = use(kind, settings, **NOBODY)
    queue_with_some_for_nobody(spool)
    run_queue(spool)
    assert_all_others_arrive(catcher)
    assert (len(waiting(spool)), len(spool.identifiers("failed"))) == (0, 4)


THREE = {"main": "smtp_accept_max_per_connection = 3"}
MOST = [
    pytest.param(Exim, THREE, id="Exim"),
    pytest.param(DovecotSubmission, THREE, id="Dovecot, because of the server behind it"),
    pytest.param(OpenSmtpd, {"main": "smtp limit max-mails 3"}, id="OpenSMTPD, with 452 at MAIL"),
]


@pytest.mark.parametrize(("kind", "settings"), MOST)
def test_a_connection_of_so_many_mails(
    use: Callable[..., Catcher],
    spool: Spool,
    logged: Callable[[], str],
    kind: type[UnpackedServer],
    settings: dict[str, str],
) -> None:
    catcher = use(kind, settings)
    for number in range(8):
        queue(spool, CALL._replace(linked_id=f"{number}.1").only(["102"]))
    run_queue(spool)
    assert waiting(spool) == [], logged()
    catcher.wait(8)
    assert recipients_of(catcher) == ["anna@office.test"] * 8


# From the first byte to the last


HEADER = b"""\
From: pbx@office.test
To: ivan@office.test
Subject: =?utf-8?b?0JrRgtC+?=
Date: Tue, 01 Dec 2026 10:00:00 +0000
Message-ID: <1@pbx.test>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

"""
BODY = b"".join(
    [
        b".\n..\n...\n. \n.x\n\n",
        b"x" * 998 + b"\n." + b"y" * 997 + b"\n",
        "Кто звонил? Ünïcödé.\n".encode() * 3,
        b"From here on\n \n\t\n" * 2,
        b"line\n" * 20000,
        b"\n.\n\n",
    ]
)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_mail_arrives_byte_for_byte(use: Callable[..., Catcher], kind: type[UnpackedServer]) -> None:
    catcher = use(kind)
    mail = (HEADER + BODY).replace(b"\n", b"\r\n")
    with Relay(load_settings(ini_path()).smtp) as relay:
        for _ in range(2):
            relay.send("ivan@office.test", mail)
    for arrived in catcher.wait(2):
        header, _, body = arrived.content.partition(b"\r\n\r\n")
        assert set(HEADER.decode().splitlines()) - {""} <= set(header.decode().splitlines())
        assert body == BODY.replace(b"\n", b"\r\n")


# ---- the servers themselves


def test_nothing_is_left() -> None:
    with OpenSmtpd() as server:
        pass
    assert not server.directory.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_a_failing_start_tells_the_log() -> None:
    with pytest.raises(ServerError, match='main option "nonsense" unknown'), Exim(main="nonsense = yes"):
        pass
