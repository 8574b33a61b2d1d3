"""Parking, conferences, AEL, Lua and call files."""

from __future__ import annotations

from collections.abc import Callable

from case_calls import Case, gives_up, own, waits
from lab import Asterisk
from sip_phone import Phones, answers, in_turn, rings, transfers_to

from call_cases.wording import INSIDE, IR, anna, ivan, one

LUA = """
extensions = extensions or {{}}
extensions["from-lua-@CASE@"] = {{ go = function(context, extension) {} end }}
"""
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
