"""Who the caller is, and what other scripts have done to the channel."""

from __future__ import annotations

from case_calls import Case, speaks, waits
from sip_phone import rings

from call_cases.wording import AR, INSIDE, IR, LEFT, anna, hunt, ivan, one, voicemail

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
