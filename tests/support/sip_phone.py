"""Scriptable SIP phones: they ring, answer, refuse, transfer, press keys and speak, and remember when they did what.

``Phones`` are all the phones at one address: the number in an INVITE says which one is called, and its behaviour, a
function that is given the call, says what it does. The same address can place calls. SIP over UDP (RFC 3261) with
REFER (RFC 3515), Replaces (RFC 3891), Reason (RFC 3326), keys as SIP INFO, and ulaw sound over RTP.
"""

from __future__ import annotations

import math
import re
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple
from urllib.parse import quote, unquote

Address = tuple[str, int]
PATIENCE = 90
"""Seconds, on a busy machine."""
LONGEST_CALL = 240
ALLOW = "Allow: INVITE,ACK,BYE,CANCEL,REFER,INFO,NOTIFY,UPDATE"
PHRASES = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    302: "Moved Temporarily",
    486: "Busy Here",
}
PACKET_SECONDS = 0.02
PACKET_SAMPLES = 160
SAMPLES_PER_SECOND = 8000


# ---- messages --------------------------------------------------------------------------------------------------------


class Body(NamedTuple):
    """What follows the headers of a message."""

    kind: str = ""
    text: str = ""


NO_BODY = Body()


class SipMessage:
    """A request or a response."""

    def __init__(self, datagram: bytes) -> None:
        head, _, body = datagram.partition(b"\r\n\r\n")
        self.first_line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        self.body = body.decode("utf-8", "surrogateescape")
        self.lines = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        self.is_response = self.first_line.startswith("SIP/2.0 ")
        self.status = int(self.first_line.split()[1]) if self.is_response else 0
        self.sequence = int(self.header("CSeq").split()[0])
        self.method = self.header("CSeq").split()[1]

    def header(self, name: str) -> str:
        """Return the first header of that name, empty if there is none."""
        return next(iter(self.headers(name)), "")

    def headers(self, name: str) -> list[str]:
        """Return all headers of that name."""
        return [value for key, value in self.lines if key.lower() == name.lower()]

    def number(self) -> str:
        """Return the number that a request is addressed to."""
        found = re.search(r"sips?:([^@;>]*)@", self.first_line)
        return unquote(found[1]) if found else ""

    def media(self) -> Address | None:
        """Return where its session description (RFC 4566) wants the sound to be sent."""
        host = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        port = re.search(r"^m=audio ([1-9]\d*)", self.body, re.MULTILINE)
        return (host[1], int(port[1])) if host and port else None


def _uri_in(header: str) -> str:
    found = re.search(r"<([^>]*)>", header)
    return found[1] if found else header.partition(";")[0].strip()


def _tag_in(header: str) -> str:
    found = re.search(r";tag=([^;]+)", header)
    return found[1] if found else ""


def _new_branch() -> str:
    return "z9hG4bK" + secrets.token_hex(8)


# ---- sound -----------------------------------------------------------------------------------------------------------


class Speech(NamedTuple):
    """What was spoken into a call."""

    hertz: int
    seconds: float


def _ulaw(sample: int) -> int:
    """Return a sample of 16 bits as G.711 has it."""
    sign, magnitude = (0x80, -sample) if sample < 0 else (0, sample)
    magnitude = min(magnitude, 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> exponent + 3) & 0x0F) & 0xFF


@cache
def _tone(hertz: int) -> bytes:
    """Return a second of a tone, in ulaw."""
    waves = (math.sin(2 * math.pi * hertz * at / SAMPLES_PER_SECOND) for at in range(SAMPLES_PER_SECOND))
    return bytes(_ulaw(round(12000 * wave)) for wave in waves)


class _Sound:
    """The sound of one call, over RTP (RFC 3550)."""

    def __init__(self, host: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port = int(self._socket.getsockname()[1])
        self.to: Address | None = None
        self._source = secrets.randbits(31)

    def close(self) -> None:
        self._socket.close()

    def speak(self, hertz: int, seconds: float, is_over: Callable[[], bool]) -> Speech:
        """Speak a tone; stops when the call is over."""
        tone, began = _tone(hertz), time.monotonic()
        packets = 0
        while packets * PACKET_SECONDS < seconds and not is_over():
            time.sleep(max(0.0, began + packets * PACKET_SECONDS - time.monotonic()))
            self._send(packets, tone)
            packets += 1
        return Speech(hertz, time.monotonic() - began)

    def _send(self, packet: int, tone: bytes) -> None:
        at = packet * PACKET_SAMPLES % SAMPLES_PER_SECOND
        header = struct.pack("!BBHII", 0x80, 0, packet & 0xFFFF, packet * PACKET_SAMPLES & 0xFFFFFFFF, self._source)
        if self.to:
            with suppress(OSError):
                self._socket.sendto(header + tone[at : at + PACKET_SAMPLES], self.to)

    def hear(self, seconds: float) -> bytes:
        """Return the sound of the next packet, empty if none comes within so many seconds."""
        try:
            self._socket.settimeout(seconds)
            return self._socket.recv(2048)[12:]
        except OSError:  # none came, or it was closed meanwhile
            return b""


# ---- calls -----------------------------------------------------------------------------------------------------------


class Ringing(NamedTuple):
    """How a phone was called, and how that ended."""

    number: str
    began: float
    """Seconds since 1970, as all times here."""
    ended: float
    answered: bool
    status: int
    """What the phone replied in the end; 487 where the call was cancelled."""
    reason: str
    """What CANCEL gave as the Reason (RFC 3326), such as ``SIP;cause=200;text="Call completed elsewhere"``."""


class SipCall:
    """One leg of a call, from the view of the phone: a dialog."""

    def __init__(self, phones: Phones, call_id: str) -> None:
        self.phones = phones
        self.call_id = call_id
        self.began = time.time()
        self.answered_at = 0.0
        self.ended_at = 0.0
        """0 as long as the call goes on."""
        self.speeches: list[Speech] = []
        self.local_tag, self.remote_tag = secrets.token_hex(5), ""
        self.local = self.remote = self.target = ""
        self.sequence = 1 + secrets.randbelow(500)
        self._sound = _Sound(phones.host)
        self._changed = threading.Condition(threading.RLock())
        self._events: list[tuple[str, SipMessage]] = []

    # -- what happens

    def note(self, event: str, message: SipMessage) -> None:
        """Keep what has come: the method of a request, or status and method of a response."""
        with self._changed:
            self._events.append((event, message))
            self._changed.notify_all()

    def wait_for(self, event: str, seconds: float = PATIENCE) -> SipMessage | None:
        """Wait for a request (``BYE``) or response (``180 INVITE``); None if the call ends or time runs out first."""
        pattern = re.compile(event)

        def came() -> SipMessage | None:
            return next((message for name, message in self._events if pattern.fullmatch(name)), None)

        with self._changed:
            self._changed.wait_for(lambda: came() or self.ended_at, seconds)
            return came()

    def wait_for_end(self, seconds: float = LONGEST_CALL) -> bool:
        """Wait until the other side ends the call; whether it has ended after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.ended_at), seconds)

    def hold(self, seconds: float) -> None:
        """Let time go by, and fail if the call ends meanwhile."""
        if self.wait_for_end(seconds):
            raise CallOver(f"the call ended before {seconds} s were over")

    def end(self) -> None:
        """Take the call as over."""
        with self._changed:
            self.ended_at = self.ended_at or time.time()
            self._changed.notify_all()

    def close(self) -> None:
        """Free what the call holds."""
        self.end()
        self._sound.close()

    # -- sound

    def session_description(self) -> str:
        """Return where sound is wanted, as SIP says it."""
        host = self.phones.host
        return (
            f"v=0\r\no=phone 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {self._sound.port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        )

    def send_sound_to(self, address: Address | None) -> None:
        """Send the sound there from now on; None changes nothing."""
        self._sound.to = address or self._sound.to

    def speak(self, hertz: int, seconds: float) -> None:
        """Speak a tone, and remember for how long."""
        self.speeches.append(self._sound.speak(hertz, seconds, lambda: bool(self.ended_at)))

    def wait_for_quiet(self, quiet: float = 0.5) -> None:
        """Wait until the other side has made some sound and none for so many seconds: a beep is over."""
        deadline = time.monotonic() + PATIENCE
        while not self._sound.hear(0.2):
            if self.ended_at or time.monotonic() > deadline:
                raise CallOver("nothing was to be heard")
        while self._sound.hear(quiet):
            pass

    # -- what both sides may do

    def request(self, method: str, *headers: str, body: str = "", kind: str = "") -> None:
        """Send a request within the call."""
        self.sequence += 1
        self.phones.send_request(self, method, self.sequence, self.target, headers, Body(kind, body))

    def hang_up(self) -> None:
        """Say BYE, unless the other side has."""
        if not self.ended_at:
            self.request("BYE")
            self.end()

    def press(self, keys: str, pause: float = 0.25) -> None:
        """Press keys one after the other."""
        for key in self.phones.renumber(keys):
            self.request("INFO", body=f"Signal={key}\r\nDuration=160\r\n", kind="application/dtmf-relay")
            time.sleep(pause)

    def transfer(self, number: str, replaces: SipCall | None = None) -> None:
        """Ask for a blind transfer (REFER) to a number; an attended one where another call is to be replaced."""
        host, port = self.phones.server
        uri = f"sip:{self.phones.renumber(number)}@{host}:{port}"
        if replaces:
            dialog = f"{replaces.call_id};to-tag={replaces.remote_tag};from-tag={replaces.local_tag}"
            uri += f"?Replaces={quote(dialog, safe='')}"
        self.request("REFER", f"Refer-To: <{uri}>", f"Referred-By: <{_uri_in(self.local)}>")


class CallOver(Exception):
    """The call has ended before a phone could do what it was to do."""


class IncomingCall(SipCall):
    """A phone is called."""

    def __init__(self, phones: Phones, invite: SipMessage) -> None:
        super().__init__(phones, invite.header("Call-ID"))
        self.invite = invite
        self.number = invite.number()
        self.status = 0
        self.reason = ""
        self._rang_until = 0.0
        self._last_response = b""
        self.remote, self.remote_tag = invite.header("From"), _tag_in(invite.header("From"))
        self.local = f"{invite.header('To')};tag={self.local_tag}"
        self.target = _uri_in(invite.header("Contact"))
        self.send_sound_to(invite.media())

    def ringing(self) -> Ringing:
        """Return from when to when it rang."""
        ended = self._rang_until or time.time()
        return Ringing(self.number, self.began, ended, bool(self.answered_at), self.status, self.reason)

    def reply(self, status: int, *headers: str, with_sound: bool = False) -> bool:
        """Answer the INVITE; False, and nothing is said, when it was cancelled meanwhile."""
        body = Body("application/sdp", self.session_description()) if with_sound else Body()
        with self._changed:
            if self.ended_at or self.status:
                return False
            if status >= 200:
                self.status, self._rang_until = status, time.time()
                self.answered_at = self._rang_until if status < 300 else 0.0
            self._last_response = self.phones.send_response(self.invite, status, self.local_tag, headers, body)
        return True

    def reply_again(self) -> None:
        """The INVITE came again: so does the answer."""
        self.phones.send(self._last_response)

    def ring(self) -> None:
        """Say that the phone rings."""
        self.reply(180)

    def answer(self) -> bool:
        """Pick up; False if the call was over before."""
        return self.reply(200, with_sound=True) and self.wait_for("ACK", PATIENCE) is not None

    def refuse(self, status: int, *headers: str) -> None:
        """Refuse the call with a SIP status."""
        if self.reply(status, *headers):
            self.wait_for("ACK")
            self.end()

    def was_cancelled(self, cancel: SipMessage) -> None:
        """Stop ringing."""
        self.reason = cancel.header("Reason")
        if self.reply(487):
            self.end()


class OutgoingCall(SipCall):
    """A phone, or a caller from outside, calls."""

    def __init__(self, phones: Phones, number: str, caller: str) -> None:
        super().__init__(phones, f"{secrets.token_hex(8)}@{phones.host}")
        host, port = phones.server
        self.status = 0
        self.branch = _new_branch()
        self.invite_sequence = self.sequence
        self.target = self.first_target = f"sip:{number}@{host}:{port}"
        self.remote = self.first_remote = f"<{self.target}>"
        self.local = f"{caller};tag={self.local_tag}"

    def cancel(self) -> None:
        """Give up, before anybody has answered."""
        self.phones.send_request(
            self, "CANCEL", self.invite_sequence, self.first_target, branch=self.branch, to=self.first_remote
        )

    def wait_until_ringing(self) -> None:
        """Wait for the ringing tone."""
        self._must("18[03] INVITE", "nobody rang")

    def wait_until_answered(self) -> None:
        """Wait until somebody picks up, or the dialplan does."""
        self._must("200 INVITE", "nobody answered")

    def _must(self, event: str, otherwise: str) -> None:
        if self.wait_for(event) is None:
            raise CallOver(otherwise)

    def was_answered(self, response: SipMessage) -> None:
        """A response to the INVITE has come."""
        self.remote_tag = _tag_in(response.header("To")) or self.remote_tag
        self.remote = response.header("To") if self.remote_tag else self.remote
        self.target = _uri_in(response.header("Contact")) or self.target
        self.send_sound_to(response.media())
        if response.status >= 300:
            self.phones.acknowledge(self, response)
        elif response.status >= 200:
            self.phones.send_request(self, "ACK", response.sequence, self.target)
            self.answered_at = self.answered_at or time.time()
        if response.status >= 200:
            self.status = response.status


# ---- phones ----------------------------------------------------------------------------------------------------------


Behaviour = Callable[[IncomingCall], None]


class Phones:
    """All the phones at one address, for a with statement; ``server`` is the only one they talk to."""

    def __init__(
        self,
        address: Address,
        server: Address,
        behaviours: Mapping[str, Behaviour] | None = None,
        renumber: Callable[[str], str] = str,
    ) -> None:
        """A number without a behaviour is answered with 404. Port 0 is any free one.

        ``renumber`` translates what phones dial and press.
        """
        self.host, self.port = address
        self.server = server
        self.renumber = renumber
        self.behaviours = dict(behaviours or {})
        self.incoming: list[IncomingCall] = []
        self.faults: list[str] = []
        """What went wrong in a behaviour."""
        self._calls: dict[str, SipCall] = {}
        self._rings = threading.Condition()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __enter__(self) -> Phones:
        self._socket.bind((self.host, self.port))
        self.port = int(self._socket.getsockname()[1])  # where any was wanted
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes who listens
        self._thread.join()
        self._socket.close()
        for call in self._calls.values():
            call.close()

    def call(
        self, number: str, *, caller_number: str, caller_name: str = "", headers: Sequence[str] = ()
    ) -> OutgoingCall:
        """Place a call; number and name of the caller go out as they are given."""
        shown = f'"{caller_name}" ' if caller_name else ""
        call = OutgoingCall(self, self.renumber(number), f"{shown}<sip:{caller_number}@{self.host}>")
        self._calls[call.call_id] = call
        body = Body("application/sdp", call.session_description())
        self.send_request(call, "INVITE", call.sequence, call.target, (ALLOW, *headers), body=body, branch=call.branch)
        return call

    def wait_for_ringing(self, number: str, times: int = 1) -> IncomingCall:
        """Wait until that phone is called for so many times."""
        wanted = self.renumber(number)

        def calls() -> list[IncomingCall]:
            return [call for call in self.incoming if call.number == wanted]

        with self._rings:
            if not self._rings.wait_for(lambda: len(calls()) >= times, PATIENCE):
                raise CallOver(f"{number} does not ring")
            return calls()[times - 1]

    # -- what comes

    def _listen(self) -> None:
        while True:
            try:
                datagram = self._socket.recv(65535)
            except OSError:
                return
            if not datagram:
                return  # shut down
            if datagram.strip(b"\r\n\x00"):  # no keep-alive
                self._take(SipMessage(datagram))

    def _take(self, message: SipMessage) -> None:
        call = self._calls.get(message.header("Call-ID"))
        if message.is_response:
            self._take_response(call, message)
        elif message.method == "INVITE":
            self._take_invite(call, message)
        elif message.method == "ACK":
            if call:
                call.note("ACK", message)
        else:
            self._take_request(call, message)

    def _take_response(self, call: SipCall | None, response: SipMessage) -> None:
        if call is None:
            return
        is_final = isinstance(call, OutgoingCall) and response.method == "INVITE" and response.status >= 300
        if isinstance(call, OutgoingCall) and response.method == "INVITE":
            call.was_answered(response)
        call.note(f"{response.status} {response.method}", response)
        if is_final:
            call.end()

    def _take_invite(self, call: SipCall | None, invite: SipMessage) -> None:
        if call is None:
            new = IncomingCall(self, invite)
            self._calls[new.call_id] = new
            new.reply(100)
            with self._rings:
                self.incoming.append(new)
                self._rings.notify_all()
            threading.Thread(target=self._behave, args=(new,), daemon=True).start()
        elif _tag_in(invite.header("To")):
            call.send_sound_to(invite.media())
            self.send_response(invite, 200, body=Body("application/sdp", call.session_description()))
            call.note("INVITE", invite)
        elif isinstance(call, IncomingCall):
            call.reply_again()

    def _take_request(self, call: SipCall | None, request: SipMessage) -> None:
        self.send_response(request, 200 if call or request.method == "OPTIONS" else 481)
        if call is None:
            return
        if request.method == "CANCEL" and isinstance(call, IncomingCall):
            call.was_cancelled(request)
        call.note(request.method, request)
        if request.method == "BYE":
            call.end()

    def _behave(self, call: IncomingCall) -> None:
        try:
            self.behaviours.get(call.number, refuses(404))(call)
        except CallOver as over:
            self.faults.append(f"phone {call.number}: {over}")
        except Exception as error:
            self.faults.append(f"phone {call.number}: {error!r}")
            raise

    # -- what is sent

    def send(self, datagram: bytes) -> None:
        """Send a message as it is."""
        with suppress(OSError):  # closed meanwhile
            self._socket.sendto(datagram, self.server)

    def send_response(
        self, request: SipMessage, status: int, tag: str = "", headers: Sequence[str] = (), body: Body = NO_BODY
    ) -> bytes:
        """Answer a request; returns what was sent."""
        to = request.header("To")
        if status > 100 and not _tag_in(to):
            to += f";tag={tag or secrets.token_hex(5)}"
        lines = [f"SIP/2.0 {status} {PHRASES.get(status, 'Refused')}"]
        lines += [f"{name}: {value}" for name in ("Via", "Record-Route") for value in request.headers(name)]
        lines += [f"From: {request.header('From')}", f"To: {to}"]
        lines += [f"Call-ID: {request.header('Call-ID')}", f"CSeq: {request.header('CSeq')}", ALLOW]
        if not any(header.startswith("Contact:") for header in headers):
            lines.append(f"Contact: <sip:{request.number() or 'phone'}@{self.host}:{self.port}>")
        message = _put_together([*lines, *headers], body)
        self.send(message)
        return message

    def send_request(
        self,
        call: SipCall,
        method: str,
        sequence: int,
        uri: str,
        headers: Sequence[str] = (),
        body: Body = NO_BODY,
        branch: str = "",
        to: str = "",
    ) -> None:
        """Send a request of a call."""
        user = re.sub(r"^sips?:|@.*", "", _uri_in(call.local))
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={branch or _new_branch()};rport",
            *("Max-Forwards: 70", f"From: {call.local}", f"To: {to or call.remote}", f"Call-ID: {call.call_id}"),
            *(f"CSeq: {sequence} {method}", f"Contact: <sip:{user}@{self.host}:{self.port}>", *headers),
        ]
        self.send(_put_together(lines, body))

    def acknowledge(self, call: OutgoingCall, refusal: SipMessage) -> None:
        """Send the ACK that a refused INVITE wants: one of the same transaction (RFC 3261, 17.1.1.3)."""
        self.send_request(call, "ACK", refusal.sequence, call.first_target, branch=call.branch, to=refusal.header("To"))


def _put_together(lines: Sequence[str], body: Body) -> bytes:
    content = body.text.encode("utf-8", "surrogateescape")
    kind = [f"Content-Type: {body.kind}"] if content else []
    head = "\r\n".join([*lines, *kind, f"Content-Length: {len(content)}"])
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + content


# ---- behaviours ------------------------------------------------------------------------------------------------------


def rings(call: IncomingCall) -> None:
    """Ring until the caller or Asterisk gives up."""
    call.ring()
    call.wait_for_end()


def is_dead(call: IncomingCall) -> None:
    """Never ring, as a phone without power does not; unlike one, it says 100, or Asterisk sends the INVITE again."""
    call.wait_for_end()


def plays_early_media(call: IncomingCall) -> None:
    """Answer 183 with sound, as a provider's announcement does, and never more."""
    call.reply(183, with_sound=True)
    call.wait_for_end()


def refuses(status: int) -> Behaviour:
    """Refuse at once: 486 busy, 603 declined, 480 temporarily unavailable."""
    return lambda call: call.refuse(status)


def refuses_after(seconds: float, status: int) -> Behaviour:
    """Ring, then refuse: the person looks at the number and declines."""

    def behaviour(call: IncomingCall) -> None:
        call.ring()
        if not call.wait_for_end(seconds):
            call.refuse(status)

    return behaviour


def redirects(number: str) -> Behaviour:
    """Send the caller to another number (302)."""

    def behaviour(call: IncomingCall) -> None:
        host, port = call.phones.server
        call.refuse(302, f"Contact: <sip:{call.phones.renumber(number)}@{host}:{port}>")

    return behaviour


def answers(
    after: float = 0.5, then: Callable[[IncomingCall], None] | None = None, talks: float | None = None
) -> Behaviour:
    """Ring, answer after some seconds, do something, hang up after ``talks`` more; None: never hang up."""

    def behaviour(call: IncomingCall) -> None:
        call.ring()
        if call.wait_for_end(after) or not call.answer():
            return
        if then:
            then(call)
        if not call.wait_for_end(LONGEST_CALL if talks is None else talks):
            call.hang_up()

    return behaviour


def presses(keys: str, after: float = 0.5) -> Callable[[SipCall], None]:
    """Press keys, some seconds after the call was answered."""

    def action(call: SipCall) -> None:
        call.hold(after)
        call.press(keys)

    return action


def transfers_to(number: str, after: float = 0.5) -> Callable[[SipCall], None]:
    """Transfer the caller blindly (REFER), then hang up when Asterisk has taken it."""

    def action(call: SipCall) -> None:
        call.hold(after)
        call.transfer(number)
        call.wait_for("202 REFER")
        if not call.wait_for_end(2):
            call.hang_up()

    return action


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Treat a phone's first call so, the second so; all that follow as the last one."""

    def behaviour(call: IncomingCall) -> None:
        place = [one for one in call.phones.incoming if one.number == call.number].index(call)
        behaviours[min(place, len(behaviours) - 1)](call)

    return behaviour
