"""What the dialplans of many calls, and the mails about them, have in common."""

from __future__ import annotations

from case_calls import Expected
from sip_phone import rings

INSIDE = """
[from-internal]
exten => _1XX,1,Gosub(pbxnotify,watch,1(${EXTEN}))
 same => n,Dial(PJSIP/${EXTEN},3,tTkK)
 same => n,Hangup()
"""
"""What most offices have for calls between extensions."""
BARE = """
[from-internal]
exten => _1XX,1,Dial(PJSIP/${EXTEN},3,tT)
"""
LEFT = "VoiceMail(101@default,s)"


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


def ivan(
    cause: str | None = "NOANSWER", seconds: str | int | None = "rang", caller: str | None = "5551212"
) -> Expected:
    return Expected("ivan", "101", cause, seconds, caller)


def anna(
    cause: str | None = "NOANSWER", seconds: str | int | None = "rang", caller: str | None = "5551212"
) -> Expected:
    return Expected("anna", "102", cause, seconds, caller)


def voicemail(*who: str, box: str = "101@default") -> list[Expected]:
    return [Expected(name, box=box) for name in (*who, "voicemail")]


IR, AR = {"101": rings}, {"101": rings, "102": rings}
