"""The far end of SMTP: a relay that catches mails, one that misbehaves as scripted, and certificates for both.

As a command it shows each mail as it arrives: ``python tests/relay.py catch --port 2525 --save DIR``.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import itertools
import json
import re
import socket
import ssl
import struct
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar, Union

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

MECHANISMS = ("CRAM-MD5", "LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER")
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
LONGEST_RESPONSE = 12288
"""Bytes of a line in answer to 334 (RFC 4954, 4.3)."""
XOAUTH2 = re.compile(rb"user=([^\x01]+)\x01auth=Bearer ([\w.~+/-]+=*)\x01\x01", re.ASCII)
OAUTHBEARER = re.compile(
    rb"n,a=((?:[^\x00\x01,=]|=2C|=3D)+),\x01host=[^\x01]+\x01port=[0-9]+\x01auth=Bearer ([\w.~+/-]+=*)\x01\x01",
    re.ASCII,
)
"""As RFC 7628, 3.1, has it; a client here always tells host and port."""


@dataclass(frozen=True)
class Caught:
    """A mail that was accepted, and how it came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    parameters: tuple[str, ...]
    """What followed the address at MAIL, e.g. ``SIZE=1234``."""
    encrypted: bool

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        message = message_from_bytes(self.content, policy=default)
        assert isinstance(message, EmailMessage)
        return message


class Catcher:
    """A real SMTP server on 127.0.0.1 that accepts mails and keeps them; it can be stopped and started again."""

    def __init__(
        self,
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: tuple[str, str] | None = None,
        tokens: Callable[[str, str], bool] | None = None,
        mechanisms: Iterable[str] = MECHANISMS,
        smtputf8: bool = True,
        largest: int = 33554432,
    ) -> None:
        """``tls`` is offered as STARTTLS, or with ``implicit`` spoken at once; ``login`` is wanted from everybody.

        So is an account and its token, for which ``tokens`` is true.
        """
        self.port = port
        self.mails: list[Caught] = []
        self.logins: list[str] = []
        """The mechanism of each login tried."""
        self.initial_responses: list[bool] = []
        """Whether each login tried with a token came in one line with AUTH."""
        self.answers: dict[str, str] = {}
        """What is answered at RCPT to a recipient, instead of 250."""
        self._handler = _Handler(self, login, tokens)
        self.implicit = tls if implicit else None
        self._options: dict[str, Any] = {
            "hostname": "catcher.test",
            "tls_context": None if implicit else tls,
            "enable_SMTPUTF8": smtputf8,
            "data_size_limit": largest,
            "auth_required": login is not None or tokens is not None,
            "auth_require_tls": False,
            "auth_exclude_mechanism": [
                one
                for one in MECHANISMS
                if one not in mechanisms or (tokens if one in TOKEN_MECHANISMS else login) is None
            ],
            "authenticator": self._handler.authenticate,
        }
        self._arrived = threading.Condition()
        self._answer = threading.Event()
        """What its certificate is verified with, for those who are to know."""
        self.clear()

    def __enter__(self) -> Catcher:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after a ``stop`` on the same port as before."""
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections, and break those that are open."""
        if self._loop.is_closed():
            return
        self._answer.set()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, count: int, timeout: float = 60) -> list[Caught]:
        """Return the mails as soon as there are so many; fails if they do not come in time (seconds)."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.mails) >= count, timeout)
            assert came, f"{len(self.mails)} mails came instead of {count}"
            return list(self.mails)

    def clear(self) -> None:
        """Forget the mails and what was to be answered."""
        with self._arrived:
            self.mails.clear()
        self.logins.clear()
        self.initial_responses.clear()
        self.answers.clear()
        self.hold_answers(threading.Event())
        self._answer.set()

    def hold_answers(self, until: threading.Event) -> None:
        """Let everybody wait for the answer to the final dot."""
        self._answer = until

    def accept(self, mail: Caught) -> None:
        """Keep a mail once its answer may go out."""
        self._answer.wait()
        with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()

    def settle(self) -> None:
        """Wait until every conversation is over, also those whose client was killed."""
        while asyncio.run_coroutine_threadsafe(self._conversations(), self._loop).result():
            time.sleep(0.01)

    async def _conversations(self) -> int:
        return len(asyncio.all_tasks()) - 1

    async def _end(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: _Server(self._handler, loop=self._loop, **self._options),
            "127.0.0.1",
            self.port,
            ssl=self.implicit,
        )
        self.port = self._server.sockets[0].getsockname()[1]


class _Server(SMTP):
    """aiosmtpd, but it reads an answer to 334 of any length that is allowed; no other line may be longer for that."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.line_length_limit = LONGEST_RESPONSE
        super().__init__(*arguments, **options)
        del self.line_length_limit


class _Handler:
    """What aiosmtpd asks about each command."""

    def __init__(
        self, catcher: Catcher, login: tuple[str, str] | None, tokens: Callable[[str, str], bool] | None
    ) -> None:
        self._catcher = catcher
        self._tokens = tokens
        self._login = tuple(part.encode() for part in login or ())

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self._catcher.logins.append(mechanism)
        right = isinstance(data, LoginPassword) and (data.login, data.password) == self._login
        return AuthResult(success=right, handled=False)

    async def auth_CRAM__MD5(self, server: SMTP, arguments: list[str]) -> AuthResult:
        self._catcher.logins.append("CRAM-MD5")
        challenge = b"<1896.697170952@catcher.test>"
        answer = await server.challenge_auth(challenge)
        login, password = self._login
        right = login + b" " + hmac.new(password, challenge, "md5").hexdigest().encode()
        return AuthResult(success=answer == right, handled=False)

    async def auth_XOAUTH2(self, server: SMTP, arguments: list[str]) -> AuthResult:
        error = {"status": "401", "schemes": "bearer", "scope": "mail.send"}
        return await self._judge_token(server, arguments, XOAUTH2, error, b"")

    async def auth_OAUTHBEARER(self, server: SMTP, arguments: list[str]) -> AuthResult:
        error = {"status": "invalid_token", "scope": "mail.send"}
        return await self._judge_token(server, arguments, OAUTHBEARER, error, b"\x01")

    async def _judge_token(
        self, server: SMTP, arguments: list[str], form: re.Pattern[bytes], error: dict[str, str], understood: bytes
    ) -> AuthResult:
        """Answer a login; one that is refused learns why, and must say that it has ``understood``."""
        self._catcher.logins.append(arguments[0])
        self._catcher.initial_responses.append(len(arguments) > 1)
        response = await _initial_response(server, arguments)
        if not isinstance(response, bytes):
            return AuthResult(success=False)
        told = form.fullmatch(response)
        if not told:
            return AuthResult(success=False, handled=False, message="501 5.5.2 Not what this mechanism says")
        login, token = (part.decode(errors="replace") for part in told.groups())
        if arguments[0] == "OAUTHBEARER":
            login = login.replace("=2C", ",").replace("=3D", "=")
        if self._tokens and self._tokens(login, token):
            return AuthResult(success=True)
        answer = await server.challenge_auth(json.dumps(error))
        if not isinstance(answer, bytes):
            return AuthResult(success=False)
        message = None if answer == understood else "501 5.5.2 Not the answer to an error"
        return AuthResult(success=False, handled=False, message=message)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self._catcher.answers.get(address, "250 2.1.5 Ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        mail = Caught(
            str(envelope.mail_from),
            tuple(map(str, envelope.rcpt_tos)),
            content,
            tuple(envelope.mail_options),
            session.ssl is not None or self._catcher.implicit is not None,
        )
        await asyncio.get_running_loop().run_in_executor(None, self._catcher.accept, mail)
        return f"250 2.0.0 Ok: queued as {len(self._catcher.mails)}"


async def _initial_response(server: SMTP, arguments: list[str]) -> object:
    """Return what came with AUTH, or what is told when asked for it; no bytes if that is answered already."""
    if len(arguments) == 1:
        return await server.challenge_auth("")
    try:
        return b64decode(arguments[1], validate=True)
    except ValueError:
        await server.push("501 5.5.2 Can't decode base64")
        return None


class Ended(Exception):
    """A fault has ended the conversation."""


class Talk:
    """One connection of the scripted relay."""

    def __init__(self, sock: socket.socket, stopped: threading.Event) -> None:
        self.sock = sock
        self.stopped = stopped
        self.received = b""

    def say(self, line: str) -> None:
        """Send a reply; it may hold further lines."""
        self.sock.sendall(line.encode("utf-8", "surrogateescape") + b"\r\n")

    def line(self) -> bytes:
        """Return the next line without its end."""
        return self.until(b"\n").rstrip(b"\r")

    def until(self, end: bytes) -> bytes:
        """Return what comes before ``end``."""
        while end not in self.received:
            piece = self.sock.recv(65536)
            if not piece:
                raise Ended
            self.received += piece
        before, _, self.received = self.received.partition(end)
        return before


Fault = Union[str, Callable[[Talk], None]]
"""A reply instead of the usual one, or something done to the connection."""


def close(talk: Talk) -> None:
    """End the connection in an orderly way."""
    raise Ended


def reset(talk: Talk) -> None:
    """End the connection with RST."""
    talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Ended


def silence(talk: Talk) -> None:
    """Say nothing until the client has gone."""
    with suppress(OSError):
        while talk.sock.recv(65536):
            pass
    raise Ended


def drip(interval: float = 0.3) -> Fault:
    """Send a reply without end, one byte each ``interval`` seconds."""

    def fault(talk: Talk) -> None:
        while not talk.stopped.wait(interval):
            talk.sock.sendall(b"2")

    return fault


def endless(talk: Talk) -> None:
    """Send a reply of lines without end."""
    while not talk.stopped.is_set():
        talk.sock.sendall(b"250-more\r\n" * 1000)


def huge(talk: Talk) -> None:
    """Send a line of 10 MB."""
    talk.sock.sendall(b"250 " + b"x" * 10_000_000 + b"\r\n")
    silence(talk)


def garbage(talk: Talk) -> None:
    """Send every byte there is."""
    talk.sock.sendall(bytes(range(256)) * 4 + b"\r\n")
    silence(talk)


def stall(talk: Talk) -> None:
    """Read nothing any more."""
    talk.stopped.wait()
    raise Ended


def slowly(seconds: float = 0.01, piece: int = 65536) -> Fault:
    """Read a mail in small pieces (bytes), with a pause after each."""

    def fault(talk: Talk) -> None:
        talk.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, piece)
        while not talk.received.endswith(b"\r\n.\r\n"):
            talk.received += talk.sock.recv(piece)
            talk.stopped.wait(seconds)

    return fault


def accept_and_close(talk: Talk) -> None:
    """Accept, and end the connection at once."""
    talk.say("250 2.0.0 Ok: queued as 1234")
    raise Ended


def after(seconds: float, reply: str) -> Fault:
    """Think before replying."""

    def fault(talk: Talk) -> None:
        talk.stopped.wait(seconds)
        talk.say(reply)

    return fault


def echo_login(talk: Talk) -> None:
    """Ask for login and password, and refuse them in their own words."""
    told = []
    for prompt in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"):
        talk.say(prompt)
        told.append(talk.line().decode())
    talk.say(f"535 5.7.8 nobody here is {' or '.join(told)} or {b64decode(told[-1]).decode()}")


Misbehaving = TypeVar("Misbehaving", bound="MisbehavingServer")


class MisbehavingServer(ABC):
    """A server that converses with everybody in a thread, and breaks all conversations off when it ends."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listening = socket.create_server((address, 0), family=family)
        self.port: int = self._listening.getsockname()[1]
        self._stopped = threading.Event()
        self.connections = 0
        self.connected = threading.Event()
        """Set once somebody has connected."""
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True)]

    def __enter__(self: Misbehaving) -> Misbehaving:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for sock in [self._listening, *self._open]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    @abstractmethod
    def _converse(self, talk: Talk) -> None:
        """Do what there is to do with one connection; it is closed afterwards."""

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listening.accept()
                self._open.append(sock)
                self.connections += 1
                self.connected.set()
                thread = threading.Thread(target=self._serve_one, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve_one(self, sock: socket.socket) -> None:
        talk = Talk(sock, self._stopped)
        self._converse(talk)
        talk.sock.close()

    def _encrypt(self, talk: Talk, tls: ssl.SSLContext) -> None:
        talk.sock = tls.wrap_socket(talk.sock, server_side=True, do_handshake_on_connect=False)
        self._open.append(talk.sock)
        talk.sock.do_handshake()
        talk.received = b""


class ScriptedRelay(MisbehavingServer):
    """A relay on 127.0.0.1 whose part in the conversation is scripted, stage by stage.

    A stage is ``greeting``, ``EHLO``, ``STARTTLS``, ``handshake``, ``AUTH``, ``MAIL``, ``RCPT``, ``DATA``, ``content``
    (after 354, before the final dot), ``message`` (the answer to it), ``RSET`` or ``QUIT``; a list is used up one fault
    at a time, the last one stays.
    """

    REPLIES: Mapping[str, str] = {
        "greeting": "220 scripted.test ESMTP",
        "STARTTLS": "220 2.0.0 Ready to start TLS",
        "AUTH": "235 2.7.0 Authentication successful",
        "MAIL": "250 2.1.0 Ok",
        "RCPT": "250 2.1.5 Ok",
        "DATA": "354 End data with <CR><LF>.<CR><LF>",
        "message": "250 2.0.0 Ok: queued as 1234",
        "RSET": "250 2.0.0 Ok",
        "QUIT": "221 2.0.0 Bye",
    }

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        extensions: Sequence[str] = (),
        address: str = "127.0.0.1",
        most: int = 0,
        **faults: Fault | list[Fault],
    ) -> None:
        """``most`` connections are served at once, any number if it is 0; one more is turned away.

        One that its client has closed does not count, however late this process notices.
        """
        self.turned_away = 0
        self._most = most
        self._served: list[socket.socket] = []
        self._counting = threading.Lock()
        self.lines: list[bytes] = []
        """Every line received but those of mails."""
        self.in_clear: list[bytes] = []
        """Those that came before TLS."""
        self.messages: list[bytes] = []
        self.tls = tls
        self._implicit = implicit
        self._extensions = [*extensions, "STARTTLS"] if tls and not implicit else extensions
        self._faults = {stage: fault if isinstance(fault, list) else [fault] for stage, fault in faults.items()}
        super().__init__(address)

    def commands(self, verb: str) -> list[bytes]:
        """Return the commands received that begin with a verb."""
        return [line for line in self.lines if line.upper().startswith(verb.encode())]

    def _converse(self, talk: Talk) -> None:
        if not self._is_served(talk.sock):
            self.turned_away += 1
            talk.say("421 4.7.0 too many connections")
            return
        with suppress(Ended, OSError):
            if self._implicit:
                self._handshake(talk)
            self._answer(talk, "greeting")
            while True:
                line = talk.line()
                self.lines.append(line)
                if not isinstance(talk.sock, ssl.SSLSocket):
                    self.in_clear.append(line)
                self._act(talk, line.partition(b" ")[0].decode("ascii", "replace").upper())

    def _is_served(self, sock: socket.socket) -> bool:
        """Return whether there is room for one more connection, and count it."""
        with self._counting:
            self._served = [one for one in self._served if _is_established(one)]
            has_room = not self._most or len(self._served) < self._most
            self._served += [sock] if has_room else []
        return has_room

    def _act(self, talk: Talk, verb: str) -> None:
        if verb == "EHLO" and "EHLO" not in self._faults:
            talk.say("\r\n".join([*(f"250-{one}" for one in ("scripted.test", *self._extensions)), "250 HELP"]))
            return
        reply = self._answer(talk, verb)
        if verb == "STARTTLS":
            self._handshake(talk)
        elif reply.startswith("354"):
            self._take_message(talk)
        elif verb == "QUIT":
            raise Ended

    def _answer(self, talk: Talk, stage: str) -> str:
        """Say or do what is scripted; returns what was said."""
        faults = self._faults.get(stage)
        fault: Fault = self.REPLIES.get(stage, "500 5.5.2 what?") if not faults else faults[0]
        if faults and len(faults) > 1:
            faults.pop(0)
        if isinstance(fault, str):
            talk.say(fault)
            return fault
        fault(talk)
        return ""

    def _handshake(self, talk: Talk) -> None:
        if "handshake" in self._faults:
            self._answer(talk, "handshake")
        assert self.tls
        self._encrypt(talk, self.tls)

    def _take_message(self, talk: Talk) -> None:
        if "content" in self._faults:
            self._answer(talk, "content")
        talk.received = b"\r\n" + talk.received
        self.messages.append(talk.until(b"\r\n.\r\n")[2:])
        self._answer(talk, "message")


def _is_established(sock: socket.socket) -> bool:
    """Return whether neither end has closed a connection: its TCP state is TCP_ESTABLISHED, 1."""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\1"
    except OSError:
        return False


@dataclass
class Certificates:
    """An authority, and the servers whose certificates it has issued; it is one itself, too."""

    directory: Path
    ca_file: str = field(init=False)
    unknown_ca_file: str = field(init=False)
    server: ssl.SSLContext = field(init=False)
    server_file: str = field(init=False)
    """What ``server`` has, as a file: the key, then the certificate."""
    expired: ssl.SSLContext = field(init=False)
    ends_soon: ssl.SSLContext = field(init=False)
    """Within five days."""
    elsewhere: ssl.SSLContext = field(init=False)
    """For another name."""
    self_signed: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        import trustme

        authority, unknown = trustme.CA(), trustme.CA()
        self.ca_file, self.unknown_ca_file = str(self.directory / "ca.pem"), str(self.directory / "unknown.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        unknown.cert_pem.write_to_path(self.unknown_ca_file)
        past = datetime(2020, 1, 1, tzinfo=timezone.utc)
        self.server, self.expired, self.ends_soon, self.elsewhere, self.self_signed = (
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(5)
        )
        issued, self.server_file = authority.issue_cert("localhost", "127.0.0.1"), str(self.directory / "server.pem")
        issued.configure_cert(self.server)
        issued.private_key_and_cert_chain_pem.write_to_path(self.server_file)
        authority.issue_cert("localhost", "127.0.0.1", not_before=past, not_after=past).configure_cert(self.expired)
        soon = datetime.now(timezone.utc) + timedelta(days=5)
        authority.issue_cert("localhost", not_after=soon).configure_cert(self.ends_soon)
        authority.issue_cert("elsewhere.test").configure_cert(self.elsewhere)
        with unknown.private_key_pem.tempfile() as key:
            self.self_signed.load_cert_chain(self.unknown_ca_file, key)


def main() -> None:
    """Catch mails until interrupted."""
    parser = argparse.ArgumentParser(description="A relay that catches mails and shows them.")
    catch = parser.add_subparsers(required=True).add_parser("catch", help="print each mail as it arrives")
    catch.add_argument("--port", type=int, default=2525)
    catch.add_argument("--save", type=Path, metavar="DIR", help="and keep it there")
    options = parser.parse_args()
    with Catcher(options.port) as catcher, suppress(KeyboardInterrupt):
        print(f"catching mails on 127.0.0.1:{catcher.port}", flush=True)
        for number in itertools.count(1):
            mails = catcher.wait(number, timeout=threading.TIMEOUT_MAX)
            _show(mails[number - 1], number, options.save)


def _show(mail: Caught, number: int, directory: Path | None) -> None:
    body = mail.message.get_body(("plain",))
    print(f"\n--- mail {number}, from <{mail.sender}> to <{', '.join(mail.recipients)}>")
    print(f"Subject: {mail.message['Subject']}\n\n{body.get_content() if body else ''}", flush=True)
    if directory:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{number:03}.eml"
        path.write_bytes(mail.content)
        print(f"saved as {path}", flush=True)


if __name__ == "__main__":
    main()
