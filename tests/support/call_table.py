"""The table of real calls: the dialplan as an administrator writes it, what the phones do, and who is to be mailed."""

from __future__ import annotations

import time
from collections.abc import Callable

from case_calls import Case, Expected, gives_up, own, speaks, waits
from lab import Asterisk
from sip_phone import (
    IncomingCall,
    OutgoingCall,
    Phones,
    answers,
    in_turn,
    is_dead,
    plays_early_media,
    presses,
    redirects,
    refuses,
    refuses_after,
    rings,
    transfers_to,
)

INSIDE = """
[from-internal]
exten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))
 same => n,Dial(PJSIP/${EXTEN},3,tTkK)
 same => n,Hangup()
"""
"""What most offices have for calls between extensions."""
LUA = """
extensions = extensions or {{}}
extensions["from-lua-@CASE@"] = {{ go = function(context, extension) {} end }}
"""
BARE = """
[from-internal]
exten => _1XX,1,Dial(PJSIP/${EXTEN},3,tT)
"""


def one(dial: str, before: str = "") -> str:
    """Return a dialplan that watches 101, then does this."""
    first = f"exten => go,1,{before}\n same => n," if before else "exten => go,1,"
    return f"[from-trunk]\n{first}Gosub(pbxnotify,watch,1(101))\n same => n,{dial}\n"


def hunt(first: str, second: str, between: str = "") -> str:
    """Return a dialplan that rings 101, then 102."""
    middle = f" same => n,{between}\n" if between else ""
    return (
        f"[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101))\n same => n,{first}\n{middle}"
        f" same => n,Gosub(pbxnotify,watch,1(102))\n same => n,{second}\n"
    )


def queue(name: str, *members: str, strategy: str = "ringall", timeout: int = 3, more: str = "") -> str:
    """Return a queue of its own for a case."""
    lines = "".join(f"member => {member}\n" for member in members)
    return f"[{name}]\nstrategy={strategy}\ntimeout={timeout}\nretry=1\njoinempty=yes\n{more}{lines}"


def ivan(cause: str | None = "NOANSWER", seconds: str | int | None = "rang", **more: str | None) -> Expected:
    return Expected("ivan", "101", cause, seconds, **more)  # type: ignore[arg-type]


def anna(cause: str | None = "NOANSWER", seconds: str | int | None = "rang", **more: str | None) -> Expected:
    return Expected("anna", "102", cause, seconds, **more)  # type: ignore[arg-type]


def common(to: str, cause: str | None = "NOANSWER", seconds: str | int | None = "rang") -> Expected:
    return Expected("common", to, cause, seconds)


def voicemail(*who: str, box: str = "101@default") -> list[Expected]:
    return [Expected(name, box=box) for name in (*who, "voicemail")]


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


def leaves_by_a_key(call: OutgoingCall) -> None:
    """Leave a queue by its key 1."""
    call.wait_until_answered()
    time.sleep(1.5)
    call.press("1")


def speaks_twice(call: OutgoingCall) -> None:
    """Leave a message, end it with #, and leave another one."""
    speaks(2.5, key="#")(call)
    call.wait_for_quiet()  # its "thank you"; the dialplan waits before the second beep
    speaks(2.5)(call)


IR, AR = {"101": rings}, {"101": rings, "102": rings}

PLAIN = [
    Case("it rings out", one("Dial(PJSIP/101,2)"), IR, waits, [ivan()]),
    Case("the caller gives up", one("Dial(PJSIP/101,9)"), IR, gives_up(2), [ivan("CANCEL")]),
    Case("busy", one("Dial(PJSIP/101,9)"), {"101": refuses(486)}, waits, [ivan("BUSY")]),
    Case("declined", one("Dial(PJSIP/101,9)"), {"101": refuses_after(1, 603)}, waits, [ivan("CHANUNAVAIL")]),
    Case("480", one("Dial(PJSIP/101,9)"), {"101": refuses(480)}, waits, [ivan("NOANSWER")]),
    Case("503", one("Dial(PJSIP/101,9)"), {"101": refuses(503)}, waits, [ivan("CONGESTION")]),
    Case("404", one("Dial(PJSIP/101,9)"), {"101": refuses(404)}, waits, [ivan("CHANUNAVAIL")]),
    Case("unregistered", one("Dial(PJSIP/103,9)"), {}, waits, [ivan("CHANUNAVAIL", 0)]),
    Case("a phone without power", one("Dial(PJSIP/101,2)"), {"101": is_dead}, waits, [ivan("NOANSWER", 2)]),
    Case("early media", one("Dial(PJSIP/101,2)"), {"101": plays_early_media}, waits, [ivan("NOANSWER", 2)]),
    Case("answered", one("Dial(PJSIP/101,9)"), {"101": answers(0.5, talks=1)}, waits, []),
    Case("answered, the caller hangs up", one("Dial(PJSIP/101,9)"), {"101": answers(0.3)}, gives_up(2), []),
    Case("answered for a moment", one("Dial(PJSIP/101,9)"), {"101": answers(0.3, talks=0.05)}, waits, []),
    Case(
        "302 to 102, who rings out",
        INSIDE + one("Dial(PJSIP/101,4)"),
        {"101": redirects("102"), "102": rings},
        waits,
        [ivan(None, None), anna(None)],
    ),
    Case(
        "302 to 102, who answers",
        INSIDE + one("Dial(PJSIP/101,4)"),
        {"101": redirects("102"), "102": answers(0.3, talks=1)},
        waits,
        [],
    ),
    Case("twinned phones ring out", one("Dial(PJSIP/101&PJSIP/104,2)"), {"101": rings, "104": rings}, waits, [ivan()]),
    Case(
        "twinned, the mobile answers",
        one("Dial(PJSIP/101&PJSIP/104,5)"),
        {"101": rings, "104": answers(0.5, talks=1)},
        waits,
        [],
    ),
    Case("RetryDial", one("RetryDial(,1,1,PJSIP/101,1)"), IR, waits, [ivan("NOANSWER", None)]),
    Case(
        "Macro",
        "[macro-ring]\nexten => s,1,Gosub(pbxnotify,watch,1(${ARG1}))\n same => n,Dial(PJSIP/${ARG1},2)\n[from-trunk]\nexten => go,1,Macro(ring,101)\n",
        IR,
        waits,
        [ivan()],
        versions=[16],
    ),
    Case(
        "inside a Gosub",
        "[sub]\nexten => s,1,Gosub(pbxnotify,watch,1(${ARG1}))\n same => n,Dial(PJSIP/${ARG1},2)\n same => n,Return()\n[from-trunk]\nexten => go,1,Gosub(sub,s,1(101))\n same => n,Hangup()\n",
        IR,
        waits,
        [ivan()],
    ),
    Case(
        "apology after ringing",
        one("Dial(PJSIP/101,2)\n same => n,Answer()\n same => n,Playback(vm-intro)\n same => n,Playback(vm-intro)"),
        IR,
        waits,
        [ivan()],
    ),
    Case("no Dial: closed", one("Playback(vm-goodbye)", "Answer()"), {}, waits, [ivan("NOANSWER", None)]),
    Case("no Dial: gone in the welcome", one("Wait(20)", "Answer()"), {}, gives_up(1), [ivan("NOANSWER", None)]),
    Case(
        "ChanIsAvail says no",
        one(
            'ChanIsAvail(PJSIP/103)\n same => n,GotoIf($["${AVAILCHAN}" = ""]?over)\n same => n,Dial(PJSIP/101,2)\n same => n(over),Hangup()'
        ),
        {},
        waits,
        [ivan("NOANSWER", None)],
    ),
    Case(
        "an IVR, then it rings out",
        one("Dial(PJSIP/101,2)", "Answer()\n same => n,Playback(vm-goodbye)"),
        IR,
        waits,
        [ivan()],
    ),
]
GROUPS = [
    Case(
        "a group rings out",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101&102))\n same => n,Dial(PJSIP/101&PJSIP/102,2)\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "a group, one busy",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101&102))\n same => n,Dial(PJSIP/101&PJSIP/102,2)\n",
        {"101": refuses(486), "102": rings},
        waits,
        [ivan("BUSY"), anna()],
    ),
    Case(
        "a group, one declines",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101&102))\n same => n,Dial(PJSIP/101&PJSIP/102,3)\n",
        {"101": refuses(603), "102": rings},
        waits,
        [ivan("CHANUNAVAIL"), anna()],
    ),
    Case(
        "a group, one answers",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101&102))\n same => n,Dial(PJSIP/101&PJSIP/102,5)\n",
        {"101": rings, "102": answers(0.5, talks=1)},
        waits,
        [],
    ),
    Case(
        "watch,1(101,102)",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101,102))\n same => n,Dial(PJSIP/101&PJSIP/102,2)\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "a group with a card",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(600))\n same => n,Dial(PJSIP/101&PJSIP/102,2)\n",
        AR,
        waits,
        [
            Expected("ivan", "600", "NOANSWER", 2),
            Expected("anna", "600", "NOANSWER", 2),
            Expected("sales", "600", "NOANSWER", 2),
        ],
        cards="[groups]\n[[600]]\nname = Sales\nemail = sales-@CASE@@example.com\nmembers = 101, 102\n",
    ),
    Case(
        "a hunt, busy then ringing",
        hunt("Dial(PJSIP/101,9)", "Dial(PJSIP/102,2)"),
        {"101": refuses(486), "102": rings},
        waits,
        [ivan("BUSY", 0), anna()],
    ),
    Case("a hunt, each their own seconds", hunt("Dial(PJSIP/101,1)", "Dial(PJSIP/102,3)"), AR, waits, [ivan(), anna()]),
    Case(
        "a hunt, unregistered then ringing",
        hunt("Dial(PJSIP/103,9)", "Dial(PJSIP/102,2)"),
        {"102": rings},
        waits,
        [ivan("CHANUNAVAIL", 0), anna()],
    ),
    Case(
        "a hunt, the second answers",
        hunt("Dial(PJSIP/101,1)", "Dial(PJSIP/102,5)"),
        {"101": rings, "102": answers(0.3, talks=1)},
        waits,
        [],
    ),
    Case(
        "a hunt with music between",
        hunt("Dial(PJSIP/101,1)", "Dial(PJSIP/102,2)", "Playback(vm-goodbye)"),
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "a hunt in a loop",
        "[from-trunk]\nexten => go,1,Set(i=0)\n same => n(again),Gosub(pbxnotify,watch,1(101))\n same => n,Dial(PJSIP/101,1)\n same => n,Gosub(pbxnotify,watch,1(102))\n same => n,Dial(PJSIP/102,1)\n same => n,Set(i=$[${i} + 1])\n same => n,GotoIf($[${i} < 2]?again)\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "Local legs ring out",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n&Local/102@from-internal/n,10)\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "Local legs, one busy, a colleague answers",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n&Local/102@from-internal/n,10)\n",
        {"101": refuses(486), "102": answers(1, talks=1)},
        waits,
        [],
    ),
    Case(
        "Local legs, one busy, the other rings out",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n&Local/102@from-internal/n,10)\n",
        {"101": refuses(486), "102": rings},
        waits,
        [ivan("BUSY", 0), anna()],
    ),
    Case(
        "Local legs, one declines, the other answers",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n&Local/102@from-internal/n,10)\n",
        {"101": refuses(603), "102": answers(1, talks=1)},
        waits,
        [],
    ),
    Case(
        "Local legs, one not registered, the other answers",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/103@from-internal/n&Local/102@from-internal/n,10)\n",
        {"102": answers(1, talks=1)},
        waits,
        [],
    ),
    Case(
        "Local legs without /n, one answers",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal&Local/102@from-internal,10)\n",
        {"101": rings, "102": answers(1, talks=1)},
        waits,
        [],
    ),
    Case(
        "Local legs without /n ring out",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal&Local/102@from-internal,10)\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "a chain of Local channels rings out",
        INSIDE
        + "[outer]\nexten => _1XX,1,Dial(Local/${EXTEN}@from-internal/n,9)\n[from-trunk]\nexten => go,1,Dial(Local/101@outer/n,9)\n",
        IR,
        waits,
        [ivan()],
    ),
    Case(
        "a chain of Local channels is answered",
        INSIDE
        + "[outer]\nexten => _1XX,1,Dial(Local/${EXTEN}@from-internal/n,9)\n[from-trunk]\nexten => go,1,Dial(Local/101@outer/n,9)\n",
        {"101": answers(0.5, talks=1)},
        waits,
        [],
    ),
    Case(
        "Local legs, the caller gives up",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n&Local/102@from-internal/n,10)\n",
        AR,
        gives_up(1.5),
        [ivan("CANCEL"), anna("CANCEL")],
    ),
    Case(
        "Dial(,c), the caller gives up",
        INSIDE + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n,20,c)\n",
        IR,
        gives_up(1.5),
        [ivan("CANCEL")],
    ),
    Case(
        "a second round of legs answered",
        INSIDE
        + "[from-trunk]\nexten => go,1,Dial(Local/101@from-internal/n,1)\n same => n,Dial(Local/101@from-internal/n&Local/102@from-internal/n,9)\n",
        {"101": rings, "102": answers(0.5, talks=1)},
        waits,
        [],
    ),
]
QUEUES = [
    Case(
        "a queue is abandoned",
        one("Queue(support,,,,30)", "Answer()"),
        IR,
        gives_up(2.5),
        [ivan("ABANDONED", None)],
        queues=queue("support", "PJSIP/101"),
    ),
    Case(
        "a queue times out",
        one("Queue(support,,,,3)", "Answer()"),
        IR,
        waits,
        [ivan("TIMEOUT", None)],
        queues=queue("support", "PJSIP/101"),
    ),
    Case(
        "a queue is answered",
        one("Queue(support,,,,9)", "Answer()"),
        {"101": answers(0.5, talks=1)},
        waits,
        [],
        queues=queue("support", "PJSIP/101"),
    ),
    Case(
        "a queue is answered and continues",
        one("Queue(support,c,,,9)\n same => n,Playback(vm-goodbye)", "Answer()"),
        {"101": answers(0.5, talks=1)},
        waits,
        [],
        queues=queue("support", "PJSIP/101"),
    ),
    Case(
        "a queue after ringing, answered",
        hunt("Dial(PJSIP/101,1)", "Queue(support,,,,9)"),
        {"101": rings, "102": answers(0.5, talks=1)},
        waits,
        [],
        queues=queue("support", "PJSIP/102"),
    ),
    Case(
        "a queue after ringing, answered, without CDRs",
        one(
            "Dial(PJSIP/101,1)\n same => n,Gosub(pbxnotify,watch,1(102))\n same => n,Queue(support,,,,9)",
            "Set(CDR_PROP(disable)=1)",
        ),
        {"101": rings, "102": answers(0.5, talks=1)},
        waits,
        [],
        queues=queue("support", "PJSIP/102"),
    ),
    Case(
        "an agent does not answer three times, another does",
        "[agents]\nexten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))\n same => n,Dial(PJSIP/${EXTEN},3)\n[from-trunk]\nexten => go,1,Answer()\n same => n,Queue(support,,,,20)\n",
        {"101": rings, "102": in_turn(refuses(486), refuses(486), answers(0.5, talks=1))},
        waits,
        [],
        queues=queue("support", "Local/101@agents/n", "Local/102@agents/n", strategy="rrmemory", timeout=1),
    ),
    Case(
        "a queue with Local members is abandoned (C)",
        "[agents]\nexten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))\n same => n,Dial(PJSIP/${EXTEN},3)\n[from-trunk]\nexten => go,1,Answer()\n same => n,Queue(support,C,,,10)\n",
        AR,
        gives_up(2.5),
        [ivan("ABANDONED"), anna("ABANDONED")],
        queues=queue("support", "Local/101@agents/n", "Local/102@agents/n", timeout=5),
    ),
    Case(
        "a queue with Local members, one answers late",
        "[agents]\nexten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))\n same => n,Dial(PJSIP/${EXTEN},2)\n[from-trunk]\nexten => go,1,Answer()\n same => n,Queue(support,,,,20)\n",
        {"101": rings, "102": in_turn(refuses(486), answers(0.5, talks=1))},
        waits,
        [],
        queues=queue("support", "Local/101@agents/n", "Local/102@agents/n", strategy="rrmemory", timeout=4),
    ),
    Case(
        "a queue with Local members times out",
        "[agents]\nexten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))\n same => n,Dial(PJSIP/${EXTEN},9)\n[from-trunk]\nexten => go,1,Answer()\n same => n,Queue(support,,,,3)\n",
        AR,
        waits,
        [ivan("TIMEOUT", None), anna("TIMEOUT", None)],
        queues=queue("support", "Local/101@agents/n", "Local/102@agents/n", timeout=9),
    ),
    Case(
        "QUEUE_MEMBER_LIST",
        "[from-trunk]\nexten => go,1,Answer()\n same => n,Gosub(pbxnotify,watch,1(${QUEUE_MEMBER_LIST(support)}))\n same => n,Queue(support,,,,3)\n",
        AR,
        waits,
        [ivan("TIMEOUT", None), anna("TIMEOUT", None)],
        queues=queue("support", "PJSIP/101", "PJSIP/102"),
    ),
    Case(
        "a queue left by a key",
        "[leave]\nexten => 1,1,Playback(vm-goodbye)\n" + one("Queue(support,,,,9)", "Answer()"),
        IR,
        leaves_by_a_key,
        [ivan("NOANSWER", None)],
        queues=queue("support", "PJSIP/101", more="context=leave\n"),
    ),
    Case(
        "a queue with a card",
        "[from-trunk]\nexten => go,1,Answer()\n same => n,Gosub(pbxnotify,watch,1(600))\n same => n,Queue(support,,,,2)\n",
        AR,
        waits,
        [
            Expected("ivan", "600", "TIMEOUT", None),
            Expected("anna", "600", "TIMEOUT", None),
            Expected("sales", "600", "TIMEOUT", None),
        ],
        queues=queue("support", "PJSIP/101", "PJSIP/102"),
        cards="[groups]\n[[600]]\nname = Sales\nemail = sales-@CASE@@example.com\nmembers = 101, 102\n",
    ),
    Case(
        "an agent transfers, the target rings out",
        INSIDE + one("Queue(support,t,,,9)", "Answer()"),
        {"101": answers(0.3, transfers_to("102")), "102": rings},
        waits,
        [anna()],
        queues=queue("support", "PJSIP/101"),
    ),
    Case(
        "an empty queue",
        one("Queue(support,,,,9)", "Answer()"),
        {},
        waits,
        [ivan("JOINEMPTY", None)],
        queues="[support]\njoinempty=no\nleavewhenempty=no\n",
    ),
]
SCREENING = "[screen]\nexten => s,1,Wait(0.5)\n same => n,Set(GOSUB_RESULT={})\n same => n,Return()\n"
SCREENED = [
    Case(
        "U() refuses, then 102 rings out",
        SCREENING.format("CONTINUE") + hunt("Dial(PJSIP/101,9,U(screen))", "Dial(PJSIP/102,2)"),
        {"101": answers(0.5), "102": rings},
        waits,
        [ivan("NOANSWER", None), anna()],
    ),
    Case(
        "U() aborts",
        SCREENING.format("ABORT") + one("Dial(PJSIP/101,9,U(screen))"),
        {"101": answers(0.5)},
        waits,
        [ivan("NOANSWER", None)],
    ),
    Case(
        "U() accepts",
        SCREENING.format("") + one("Dial(PJSIP/101,9,U(screen))"),
        {"101": answers(0.5, talks=2)},
        waits,
        [],
    ),
    Case(
        "the caller is gone while U() asks",
        "[screen]\nexten => s,1,Wait(5)\n same => n,Return()\n" + one("Dial(PJSIP/101,9,U(screen))"),
        {"101": answers(0.3)},
        gives_up(2),
        [ivan("NOANSWER", None)],
    ),
    Case(
        "M() refuses",
        "[macro-screen]\nexten => s,1,Wait(0.5)\n same => n,Set(MACRO_RESULT=CONTINUE)\n"
        + one("Dial(PJSIP/101,9,M(screen))"),
        {"101": answers(0.5)},
        waits,
        [ivan("NOANSWER", None)],
        versions=[16],
    ),
    Case(
        "p, refused by a key",
        one("Dial(PJSIP/101,20,p)", "Answer()"),
        {"101": answers(0.5, presses("5", 3))},
        waits,
        [ivan(None, None)],
    ),
    Case(
        "A(), the caller is gone in the announcement",
        one("Dial(PJSIP/101,9,A(vm-intro))"),
        {"101": answers(0.3)},
        gives_up(1.5),
        [ivan("NOANSWER", None)],
    ),
    Case(
        "FollowMe: nobody",
        BARE + one("FollowMe(@CASE@01,ds)"),
        IR,
        waits,
        [ivan("NOANSWER", None)],
        files={"followme.conf": "[@CASE@01]\ncontext=from-internal\nnumber=101,2\n"},
    ),
    Case(
        "FollowMe: taken",
        BARE + one("FollowMe(@CASE@01,d)"),
        {"101": answers(0.3, presses("1", 2.5), talks=2)},
        waits,
        [],
        files={"followme.conf": "[@CASE@01]\ncontext=from-internal\nnumber=101,9\ntakecall=1\n"},
    ),
    Case(
        "FollowMe after ringing: taken",
        BARE + hunt("Dial(PJSIP/101,1)", "FollowMe(@CASE@01,d)"),
        {"101": rings, "102": answers(0.3, presses("1", 2.5), talks=2)},
        waits,
        [],
        files={"followme.conf": "[@CASE@01]\ncontext=from-internal\nnumber=102,9\ntakecall=1\n"},
    ),
    Case(
        "it rings out without CDRs",
        one("Dial(PJSIP/101,2)", "Set(CDR_PROP(disable)=1)"),
        IR,
        waits,
        [ivan()],
    ),
]
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
]


PARKED = """
[from-internal]
exten => 9,1,Park(lot-@CASE@)
[parkedback]
"""
LOT = """
[lot-@CASE@]
context=parkedback
parkext=9
parkpos=71-79
parkingtime=2
comebackdialtime=2
comebacktoorigin={}
comebackcontext=unparked
"""


def calls_from_a_file(channel: str, then: str) -> Callable[[Phones, Asterisk, str], None]:
    """Return somebody who lays a call file into Asterisk's spool."""

    def lay(phones: Phones, asterisk: Asterisk, case: str) -> None:
        text = f"Channel: {channel}\nCallerID: Bob <5553434>\nWaitTime: 9\n{then}"
        file = asterisk.spool / f"call-{case}"
        file.write_text(own(text, int(case), ["from-internal", "from-trunk"]))
        file.rename(asterisk.spool / "outgoing" / file.name)

    return lay


ELSEWHERE = [
    Case(
        "parked, back to who parked it, who is out",
        PARKED + one("Dial(PJSIP/101,8,tT)"),
        {"101": in_turn(answers(0.3, transfers_to("9")), rings)},
        waits,
        [],
        files={"res_parking.conf": LOT.format("yes")},
    ),
    Case(
        "parked, then an unwatched 102 rings out",
        PARKED
        + "[unparked]\nexten => _[PLs].,1,Dial(PJSIP/102,2)\nexten => s,1,Dial(PJSIP/102,2)\n"
        + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("9")), "102": rings},
        waits,
        [],
        files={"res_parking.conf": LOT.format("no")},
    ),
    Case(
        "parked, then a watched 102 rings out",
        PARKED
        + "[unparked]\nexten => _[PLs].,1,Goto(s,1)\nexten => s,1,Gosub(pbxnotify,watch,1(102))\n same => n,Dial(PJSIP/102,2)\n"
        + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("9")), "102": rings},
        waits,
        [anna()],
        files={"res_parking.conf": LOT.format("no")},
    ),
    Case(
        "a customer after a colleague",
        INSIDE + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, asks_then_transfers("102")), "102": rings},
        waits,
        [anna(None, None, caller="101"), anna(None, None)],
    ),
    Case(
        "a conference counts as a conversation",
        one("Dial(PJSIP/101,1)\n same => n,Answer()\n same => n,ConfBridge(@CASE@)"),
        IR,
        gives_up(4),
        [],
        files={"confbridge.conf": "[general]\n"},
    ),
    Case(
        "AEL",
        "[from-trunk]\nexten => go,1,Goto(from-ael-@CASE@,go,1)\n",
        IR,
        waits,
        [ivan()],
        files={
            "extensions.ael": "context from-ael-@CASE@ {\n go => {\n  Gosub(pbxnotify,watch,1(101));\n  Dial(PJSIP/101,2);\n };\n};\n"
        },
    ),
    Case(
        "Lua: B()",
        "[from-trunk]\nexten => go,1,Goto(from-lua-@CASE@,go,1)\n",
        IR,
        waits,
        [ivan()],
        files={"extensions.lua": LUA.format('app.dial("PJSIP/101", 2, "B(pbxnotify^watch^1(101))")')},
    ),
    Case(
        "Lua: the script",
        "[from-trunk]\nexten => go,1,Goto(from-lua-@CASE@,go,1)\n",
        IR,
        waits,
        [ivan()],
        files={"extensions.lua": LUA.format('app.dial("PJSIP/101", 2); app.agi("pbxnotify-missed.agi", "101")')},
    ),
    Case(
        "a call file rings an extension",
        INSIDE + "[from-trunk]\nexten => go,1,Answer()\n same => n,Wait(7)\n",
        IR,
        waits,
        [ivan(caller="5553434")],
        also=calls_from_a_file("Local/101@from-internal/n", "Application: Wait\nData: 1\n"),
    ),
    Case(
        "a call file fetches a customer",
        "[from-trunk]\nexten => go,1,Answer()\n same => n,Wait(7)\nexten => back,1,Gosub(pbxnotify,watch,1(101))\n same => n,Dial(PJSIP/101,2)\n",
        {"101": rings, "104": answers(0.3)},
        waits,
        [ivan(caller=None)],
        also=calls_from_a_file("PJSIP/104", "Context: from-trunk\nExtension: back\nPriority: 1\n"),
    ),
]

OWN_MAILBOX = "[from-internal]\nexten => 98,1,VoiceMailMain(101@default,s)\n"


def forwards_it(phones: Phones) -> None:
    """Ivan listens to the first message in his mailbox, and forwards it to Anna's."""
    call = phones.call("98", caller_number=phones.renumber("101"))
    call.wait_until_answered()
    call.press("18", pause=1.5)
    call.press("102#")
    call.press("222222", pause=1.5)  # heard once her number has been said
    call.hang_up()


def leaves_one(phones: Phones) -> None:
    """Ivan leaves a message in Anna's mailbox from the menu of his own."""
    call = phones.call("98", caller_number=phones.renumber("101"))
    call.wait_until_answered()
    call.press("35", pause=1.5)
    call.press("102#")
    call.wait_for_quiet(1.5)
    call.speak(500, 2.5)
    call.press("#", pause=1)
    call.hang_up()


LEFT = "VoiceMail(101@default,s)"
MAILBOXES = [
    Case("a message after ringing", one(f"Dial(PJSIP/101,1)\n same => n,{LEFT}"), IR, speaks(), voicemail("ivan")),
    Case(
        "a message in another's mailbox",
        one("Dial(PJSIP/101,1)\n same => n,VoiceMail(102@default,s)"),
        IR,
        speaks(),
        voicemail("ivan", "anna", box="102@default"),
    ),
    Case(
        "a message for a group",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101&102))\n same => n,Dial(PJSIP/101&PJSIP/102,1)\n same => n,VoiceMail(101@default,s)\n",
        AR,
        speaks(),
        voicemail("ivan", "anna"),
    ),
    Case(
        "a message nobody was rung for",
        "[from-trunk]\nexten => go,1,Gosub(pbxnotify,watch,1(101))\n same => n,VoiceMail(101@default,s)\n",
        {},
        speaks(),
        voicemail("ivan"),
    ),
    Case(
        "VoiceMail(101&102)",
        one("Dial(PJSIP/103,1)\n same => n,VoiceMail(101@default&102@default,s)"),
        {},
        speaks(),
        voicemail("ivan", "anna"),
    ),
    Case(
        "no watch: externnotify",
        "[from-trunk]\nexten => go,1,VoiceMail(101@default,s)\n",
        {},
        speaks(),
        voicemail("ivan"),
    ),
    Case(
        "forwarded in VoiceMailMain",
        OWN_MAILBOX + one(f"Dial(PJSIP/103,1)\n same => n,{LEFT}"),
        {},
        speaks(),
        [*voicemail("ivan"), Expected("anna", box="102@default")],
        then=forwards_it,
    ),
    Case(
        "left from the menu of VoiceMailMain",
        OWN_MAILBOX + "[from-trunk]\nexten => go,1,Answer()\n",
        {},
        waits,
        [Expected(who, box="102@default", caller="101") for who in ("anna", "voicemail")],
        then=leaves_one,
    ),
    Case(
        "transferred into Anna's mailbox",
        "[from-internal]\nexten => _*1XX,1,VoiceMail(${EXTEN:1}@default,s)\n" + one("Dial(PJSIP/101,8,tT)"),
        {"101": answers(0.3, transfers_to("*102"))},
        speaks(),
        voicemail("anna", box="102@default"),
    ),
    Case(
        "gone in the greeting",
        one("Dial(PJSIP/101,1)\n same => n,VoiceMail(101@default,u)"),
        IR,
        gives_up(2.5),
        [ivan()],
    ),
    Case(
        "two messages in one call",
        hunt(
            "Dial(PJSIP/103,1)",
            "Dial(PJSIP/103,1)\n same => n,VoiceMail(102@default,s)",
            f"{LEFT}\n same => n,Wait(2)",
        ),
        {},
        speaks_twice,
        [*voicemail("ivan"), *voicemail("anna", box="102@default")],
    ),
    Case(
        "a message, then 102 rings out",
        hunt("Dial(PJSIP/103,1)", "Dial(PJSIP/102,2)", LEFT),
        {"102": rings},
        speaks(2.5, key="#"),
        [*voicemail("ivan"), anna()],
    ),
]
CALLERS = [
    Case(
        "the number is rewritten for a trunk",
        one(
            "Dial(PJSIP/101,1)\n same => n,Set(CALLERID(num)=74950000000)\n same => n,Set(CALLERID(name)=Our office)\n same => n,Dial(PJSIP/104,1)"
        ),
        {"101": rings, "104": rings},
        waits,
        [ivan(None, None)],
    ),
    Case(
        "withheld by CALLINGNUMPRES_SV",
        one("Dial(PJSIP/101,1)", "Set(CALLINGNUMPRES_SV=prohib_passed_screen)"),
        IR,
        waits,
        [ivan(caller="number withheld")],
    ),
    Case(
        "withheld by num-pres",
        one("Dial(PJSIP/101,1)", "Set(CALLERID(num-pres)=prohib)"),
        IR,
        waits,
        [ivan(caller="number withheld")],
    ),
    Case("no number", one("Dial(PJSIP/101,1)", "Set(CALLERID(all)=)"), IR, waits, [ivan(caller="number unknown")]),
    Case(
        "Originate on a Local channel",
        INSIDE + "[from-trunk]\nexten => go,1,Originate(Local/101@from-internal/n,app,Wait,1)\n",
        IR,
        waits,
        [ivan(caller=None)],
    ),
    Case(
        "handlers wiped, then another watch",
        hunt("Dial(PJSIP/101,1)", "Dial(PJSIP/102,1)", "Set(CHANNEL(hangup_handler_wipe)=mine,s,1)")
        + "[mine]\nexten => s,1,Return()\n",
        AR,
        waits,
        [ivan(), anna()],
    ),
    Case(
        "AGISIGHUP is left as it was",
        one(
            f"Dial(PJSIP/103,1)\n same => n,{LEFT}\n same => n,Gosub(pbxnotify,watch,1(102))\n same => n,Set(CALLERID(num)=${{AGISIGHUP}})\n same => n,Gosub(pbxnotify,watch,1(102))\n same => n,Dial(PJSIP/103,1)",
            "Set(AGISIGHUP=maybe)",
        ),
        {},
        speaks(2.5, key="#"),
        [*voicemail("ivan"), anna("CHANUNAVAIL", None)],
    ),
]

TABLE = [*PLAIN, *GROUPS, *QUEUES, *SCREENED, *TALKED, *ELSEWHERE, *MAILBOXES, *CALLERS]
