"""Several extensions are rung: at once, one after the other, through Local channels."""

from __future__ import annotations

from case_calls import Case, Expected, gives_up, waits
from sip_phone import answers, refuses, rings

from call_cases.wording import AR, INSIDE, IR, anna, hunt, ivan

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
