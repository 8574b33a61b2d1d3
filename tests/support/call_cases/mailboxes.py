"""Messages that are left, forwarded and sent."""

from __future__ import annotations

from case_calls import Case, Expected, gives_up, speaks, waits
from sip_phone import OutgoingCall, Phones, answers, rings, transfers_to

from call_cases.wording import AR, IR, LEFT, anna, hunt, ivan, one, voicemail


def speaks_twice(call: OutgoingCall) -> None:
    """Leave a message, end it with #, and leave another one."""
    speaks(2.5, key="#")(call)
    call.wait_for_quiet()  # its "thank you"; the dialplan waits before the second beep
    speaks(2.5)(call)


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
