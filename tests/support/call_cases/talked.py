"""Somebody has talked, and the call goes on: transfers, Redirect, pickup."""

from __future__ import annotations

import time
from collections.abc import Callable

from case_calls import Case, waits
from lab import Asterisk
from sip_phone import IncomingCall, Phones, answers, rings, transfers_to

from call_cases.wording import BARE, INSIDE, IR, anna, hunt, ivan, one


def redirected(phones: Phones, asterisk: Asterisk, case: str) -> None:
    """The caller is taken elsewhere by a panel (AMI Redirect, here its console command) while they talk."""
    phone = phones.wait_for_ringing("101")
    phone.wait_for("ACK")
    time.sleep(1)
    _redirect(asterisk, case)


def _redirect(asterisk: Asterisk, case: str) -> None:
    channels = asterisk.command("core show channels concise").splitlines()
    caller = next(line.split("!")[0] for line in channels if f"!from-trunk-{case}!" in line)
    asterisk.command(f"channel redirect {caller} elsewhere-{case},s,1")


def consults(number: str, seconds: float) -> Callable[[IncomingCall], None]:
    """Talk, then ask a colleague by a second call, and put the two together (REFER with Replaces)."""

    def then(call: IncomingCall) -> None:
        call.hold(0.5)
        second = call.phones.call(number, caller_number=call.number)
        if seconds < 0:
            second.wait_until_answered()
        else:
            second.wait_until_ringing()
        time.sleep(0.5)
        call.transfer(number, second)
        call.wait_for("202 REFER")
        call.wait_for_end(2)
        call.hang_up()
        second.wait_for_end(8)
        second.hang_up()

    return then


def asks_then_transfers(number: str) -> Callable[[IncomingCall], None]:
    """Talk, ring a colleague by a second call in vain, and send the caller there all the same."""

    def then(call: IncomingCall) -> None:
        call.hold(0.5)
        second = call.phones.call(number, caller_number=call.number)
        second.wait_for_end()
        transfers_to(number)(call)

    return then


def redirected_while_ringing(phones: Phones, asterisk: Asterisk, case: str) -> None:
    """The caller is taken elsewhere before anybody has answered."""
    phones.wait_for_ringing("101")
    time.sleep(1)
    _redirect(asterisk, case)


def picks_up(phones: Phones, asterisk: Asterisk, case: str) -> None:
    """A colleague takes the call from the ringing phone."""
    phones.wait_for_ringing("101")
    time.sleep(0.7)
    call = phones.call(f"pick{case}", caller_number=phones.renumber("102"))
    call.wait_until_answered()
    time.sleep(1)
    call.hang_up()


TALKED = [
    Case(
        "g, then 102 rings out",
        hunt("Dial(PJSIP/101,9,g)", "Dial(PJSIP/102,2)"),
        {"101": answers(0.3, talks=1), "102": rings},
        waits,
        [anna()],
    ),
    Case(
        "g, then an unwatched Dial",
        one("Dial(PJSIP/101,9,g)\n same => n,Dial(PJSIP/102,2)"),
        {"101": answers(0.3, talks=1), "102": rings},
        waits,
        [],
    ),
    Case(
        "blind transfer, unwatched 102 rings out",
        BARE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("102")), "102": rings},
        waits,
        [],
    ),
    Case(
        "blind transfer, watched 102 rings out",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("102")), "102": rings},
        waits,
        [anna()],
    ),
    Case(
        "blind transfer, answered",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("102")), "102": answers(0.3, talks=1)},
        waits,
        [],
    ),
    Case(
        "attended transfer, 102 answers",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, consults("102", -1)), "102": answers(0.3, talks=4)},
        waits,
        [],
    ),
    Case(
        "attended transfer while 102 rings",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, consults("102", 0)), "102": rings},
        waits,
        [anna(None, None, caller=None), anna(None, None, caller=None)],
    ),
    Case(
        "Redirect while they talk, 102 rings out",
        "[elsewhere]\nexten => s,1,Gosub(pbxnotify,watch,1(102))\n same => n,Dial(PJSIP/102,2)\n"
        + one("Dial(PJSIP/101,8)", "Answer()"),
        {"101": answers(0.3), "102": rings},
        waits,
        [anna()],
        also=redirected,
    ),
    Case(
        "Redirect while they talk, unwatched",
        "[elsewhere]\nexten => s,1,Dial(PJSIP/102,2)\n" + one("Dial(PJSIP/101,8)", "Answer()"),
        {"101": answers(0.3), "102": rings},
        waits,
        [],
        also=redirected,
    ),
    Case(
        "Redirect while it rings",
        "[elsewhere]\nexten => s,1,Playback(vm-goodbye)\n" + one("Dial(PJSIP/101,8)", "Answer()"),
        IR,
        waits,
        [ivan(None, None)],
        also=redirected_while_ringing,
    ),
    Case(
        "pickup",
        one("Dial(PJSIP/101,9)"),
        IR,
        waits,
        [],
        also=picks_up,
    ),
    Case(
        "a customer after a colleague",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, asks_then_transfers("102")), "102": rings},
        waits,
        [anna(None, None, caller="101"), anna(None, None)],
    ),
]
