"""One extension is rung."""

from __future__ import annotations

from case_calls import Case, gives_up, waits
from sip_phone import answers, is_dead, plays_early_media, redirects, refuses, refuses_after, rings

from call_cases.wording import INSIDE, IR, anna, ivan, one

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
