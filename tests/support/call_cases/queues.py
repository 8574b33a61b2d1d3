"""A queue, whose members are phones or Local channels."""

from __future__ import annotations

import time

from case_calls import Case, Expected, gives_up, waits
from sip_phone import OutgoingCall, answers, in_turn, refuses, rings, transfers_to

from call_cases.wording import AR, INSIDE, IR, anna, hunt, ivan, one, queue


def leaves_by_a_key(call: OutgoingCall) -> None:
    """Leave a queue by its key 1."""
    call.wait_until_answered()
    time.sleep(1.5)
    call.press("1")


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
        "an agent behind a Local channel transfers, the target rings out",
        INSIDE + one("Queue(support,t,,,9)", "Answer()"),
        {"101": answers(0.3, transfers_to("102")), "102": rings},
        waits,
        [anna()],
        queues=queue("support", "Local/101@from-internal/n"),
    ),
    Case(
        "an agent behind a Local channel transfers, the target answers",
        INSIDE + one("Queue(support,t,,,9)", "Answer()"),
        {"101": answers(0.3, transfers_to("102")), "102": answers(0.5, talks=1)},
        waits,
        [],
        queues=queue("support", "Local/101@from-internal/n"),
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
