"""The main job, shown: a call that nobody answers on a real Asterisk, and the mail as it arrived.

Where no Asterisk can be fetched, the same script is driven by the far end of a recorded call, and that is said.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "asterisk")]

from far_end import RANG_OUT, FarEnd  # noqa: E402
from lab import Asterisk, LabUnavailable, sipp_missing  # noqa: E402
from office import install  # noqa: E402
from relay import Catcher  # noqa: E402

SAVED = HERE.parent / "build" / "demo"
INI = """\
[smtp]
host = localhost
port = {port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
pbx_name = Demo office
language = {language}
[employees]
[[101]]
name = Иван Петров
email = ivan@example.com
"""
DIALPLAN = """\
#include "extensions_pbxnotify.conf"
[from-trunk]
exten => 101,1,Gosub(pbxnotify,watch,1(101))
 same => n,Dial(PJSIP/101,3)
; without sipp: a call from inside, with a caller ID of our own
exten => inside,1,Set(CALLERID(all)="Алиса Смирнова" <+74951234567>)
 same => n,Goto(101,1)
"""


def call_on_asterisk(directory: Path, port: int) -> None:
    """Place a call on a real Asterisk that 101 does not answer."""
    asterisk = Asterisk(22, directory / "lab", dialplan=DIALPLAN)
    install(asterisk, directory)
    (asterisk.etc / "pbxnotify.ini").write_text(INI.format(port=port, language="ru"), encoding="utf-8")
    with asterisk:
        print("A real Asterisk 22 runs. Somebody calls 101 ...")
        if sipp_missing():
            print(f"({sipp_missing()}: the call comes from inside, and nothing is at the phone's address)")
            asterisk.originate("inside", application="Wait", data="5")
        else:
            with asterisk.phone(101, "uas_ring"):
                name, number = '"Алиса Смирнова"', "+74951234567"
                asterisk.call("uac_noanswer", "101", caller_name=name, caller_number=number)
        asterisk.wait_until_idle()
        print("Nobody answered, and the call is over.")


def call_recorded(directory: Path, port: int) -> None:
    """Drive the script by the far end of a call, as Asterisk would."""
    ini = directory / "pbxnotify.ini"
    ini.write_text(INI.format(port=port, language="ru"), encoding="utf-8")
    far_end = FarEnd({**RANG_OUT, "CALLERID(name)": "Алиса Смирнова", "CALLERID(num)": "+74951234567"})
    far_end.run(environment={"PBXNOTIFY_SPOOL": str(directory / "spool"), "PBXNOTIFY_CONFIG": str(ini)})
    print(f"The script set PBXNOTIFYSTATUS={far_end.status}, and the call was let go.")


def main() -> int:
    """Show it; returns the exit status."""
    with tempfile.TemporaryDirectory() as name, Catcher() as catcher:
        try:
            call_on_asterisk(Path(name), catcher.port)
        except LabUnavailable as error:
            print(f"No real Asterisk here ({error}): the same script is driven by a recorded call.")
            call_recorded(Path(name), catcher.port)
        (caught,) = catcher.wait(1, timeout=30)
    SAVED.mkdir(parents=True, exist_ok=True)
    path = SAVED / "missed-call.eml"
    path.write_bytes(caught.content)
    body = caught.message.get_body(("plain",))
    print("\nThe mail that arrived:\n")
    for header in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        print(f"    {header}: {caught.message[header]}")
    print()
    for line in (body.get_content() if body else "").splitlines():
        print(f"    {line}".rstrip())
    print(f"\nSaved as {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
