"""Who picks up is asked first whether to take the call."""

from __future__ import annotations

from case_calls import Case, gives_up, waits
from sip_phone import answers, presses, rings

from call_cases.wording import BARE, IR, anna, hunt, ivan, one

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
