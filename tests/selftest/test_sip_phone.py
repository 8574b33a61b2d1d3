"""Test the scriptable SIP phones: they call each other."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import groupby

import pytest
import sip_phone
from sip_phone import IncomingCall, OutgoingCall, Phones

CALLER, CALLEE = "127.0.0.4", "127.0.0.5"


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def far_end() -> Iterator[tuple[Phones, Phones]]:
    """Return a caller and the phones that are called."""
    here, there = (CALLER, free_port(CALLER)), (CALLEE, free_port(CALLEE))
    with (
        Phones(here, there) as caller,
        Phones(there, here, renumber=renumber) as phones,
    ):
        yield caller, phones


def place(far_end: tuple[Phones, Phones], behaviour: sip_phone.Behaviour) -> tuple[OutgoingCall, IncomingCall]:
    """Call a phone that behaves so; returns both ends."""
    caller, phones = far_end
    phones.behaviours["1171"] = behaviour
    call = caller.call("1171", caller_number="5551212", caller_name="Alice Smith")
    return call, phones.wait_for_ringing("101")


def renumber(keys: str) -> str:
    return keys.replace("101", "1171")


def test_it_rings_until_the_caller_gives_up(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.rings)
    call.wait_until_ringing()
    before = time.time()
    call.cancel()
    assert call.wait_for_end()
    ringing = phone.ringing()
    assert (call.status, ringing.status, ringing.answered, ringing.number) == (487, 487, False, "1171")
    assert ringing.began <= before <= ringing.ended
    assert phone.invite.header("From").startswith('"Alice Smith" <sip:5551212@')


def test_cancel_says_why(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.rings)
    call.wait_until_ringing()
    reason = 'SIP;cause=200;text="Call completed elsewhere"'
    call.phones.send_request(
        call, "CANCEL", call.invite_sequence, call.first_target, (f"Reason: {reason}",), branch=call.branch
    )
    assert call.wait_for_end()
    assert phone.ringing().reason == reason


@pytest.mark.parametrize("status", [404, 480, 486, 503, 603])
def test_it_refuses(far_end: tuple[Phones, Phones], status: int) -> None:
    call, phone = place(far_end, sip_phone.refuses(status))
    assert call.wait_for_end()
    assert (call.status, phone.ringing().status) == (status, status)
    assert phone.wait_for("ACK")


def test_it_is_declined_after_a_while(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.refuses_after(0.2, 603))
    call.wait_until_ringing()
    assert call.wait_for_end()
    assert phone.ringing().status == 603


def test_an_unknown_number(far_end: tuple[Phones, Phones]) -> None:
    call = far_end[0].call("1172", caller_number="5551212")
    assert call.wait_for_end()
    assert call.status == 404


def test_it_redirects(far_end: tuple[Phones, Phones]) -> None:
    call, _ = place(far_end, sip_phone.redirects("101"))
    response = call.wait_for("302 INVITE")
    assert response is not None
    assert response.header("Contact").startswith("<sip:1171@")


def test_early_media(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.plays_early_media)
    call.wait_until_ringing()
    call.cancel()
    assert call.wait_for_end()
    assert not phone.ringing().answered


def test_it_answers_and_the_caller_hangs_up(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.answers(after=0.1))
    call.wait_until_answered()
    call.hang_up()
    assert phone.wait_for_end()
    ringing = phone.ringing()
    assert (ringing.answered, ringing.status) == (True, 200)
    assert ringing.ended <= phone.ended_at


def test_it_answers_presses_keys_and_hangs_up(far_end: tuple[Phones, Phones]) -> None:
    call, _ = place(far_end, sip_phone.answers(after=0.1, then=sip_phone.presses("*2101", after=0.1), talks=0.1))
    assert call.wait_for_end()
    keys = [message.body.split()[0] for name, message in call._events if name == "INFO"]
    assert keys == [f"Signal={key}" for key in "*21171"]


@pytest.mark.parametrize("is_attended", [False, True], ids=["blind", "attended"])
def test_it_transfers(far_end: tuple[Phones, Phones], is_attended: bool) -> None:
    call, phone = place(far_end, sip_phone.answers(after=0))
    call.wait_until_answered()
    phone.transfer("101", replaces=phone if is_attended else None)
    request = call.wait_for("REFER")
    assert request is not None
    assert request.header("Refer-To").startswith("<sip:1171@")
    assert ("?Replaces=" in request.header("Refer-To")) == is_attended


def test_first_busy_then_it_rings(far_end: tuple[Phones, Phones]) -> None:
    behaviour = sip_phone.in_turn(sip_phone.refuses(486), sip_phone.answers(after=0))
    first, _ = place(far_end, behaviour)
    assert first.wait_for_end()
    second = first.phones.call("1171", caller_number="5551212")
    second.wait_until_answered()
    assert far_end[1].wait_for_ringing("101", times=2).ringing().answered


def test_it_speaks(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.answers(after=0))
    call.wait_until_answered()
    call.speak(800, 0.5)
    heard = b"".join(iter(lambda: phone._sound.hear(0.2), b""))
    assert len(heard) == 4000
    halves = len(list(groupby(heard, key=lambda sample: sample < 0x80)))
    assert halves / 2 / 0.5 == pytest.approx(800, abs=5)
    (speech,) = call.speeches
    assert speech.hertz == 800
    assert speech.seconds >= 0.4


def test_it_waits_for_the_end_of_a_beep(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.answers(after=0, then=lambda call: call.speak(1000, 0.4)))
    call.wait_until_answered()
    call.wait_for_quiet(0.3)
    assert phone.speeches


def test_what_a_phone_could_not_do_is_kept(far_end: tuple[Phones, Phones]) -> None:
    call, phone = place(far_end, sip_phone.answers(after=0, then=sip_phone.presses("1", after=30)))
    call.wait_until_answered()
    call.hang_up()
    assert phone.wait_for_end()
    deadline = time.monotonic() + sip_phone.PATIENCE
    while not far_end[1].faults and time.monotonic() < deadline:
        time.sleep(0.01)
    assert far_end[1].faults == ["phone 1171: the call ended before 30 s were over"]
