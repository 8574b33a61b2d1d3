"""The main job, shown: a call that nobody answers, a voicemail, and both mails as they arrived.

Where no Asterisk can be fetched, the same scripts are driven by the far end of a recorded call, and that is said.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import wave
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "support"))

from far_end import MISSED, RANG_OUT, VOICEMAIL, FarEnd, wait_for_released  # noqa: E402
from lab import Asterisk, LabUnavailable, sipp_missing  # noqa: E402
from mailboxes import CHANNEL, message  # noqa: E402
from office import install  # noqa: E402
from relay import Catcher, Caught  # noqa: E402

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
#tryinclude "extensions_pbxnotify.conf"
[from-trunk]
exten => 101,1,Gosub(pbxnotify,watch,1(101))
 same => n,Dial(PJSIP/101,3)
exten => 102,1,Gosub(pbxnotify,watch,1(101))
 same => n,Dial(PJSIP/101,2)
 same => n,VoiceMail(101@default,s)
; without sipp: calls from inside, with a caller ID of our own
exten => _*X.,1,Set(CALLERID(all)="Алиса Смирнова" <+74951234567>)
 same => n,Goto(${EXTEN:1},1)
"""
CALLER = {"caller_name": '"Алиса Смирнова"', "caller_number": "+74951234567"}


def calls_on_asterisk(directory: Path, port: int) -> None:
    """Place two calls on a real Asterisk that 101 does not answer; the second caller leaves a message."""
    asterisk = Asterisk(22, directory / "lab", dialplan=DIALPLAN)
    install(asterisk, directory)
    (asterisk.etc / "pbxnotify.ini").write_text(INI.format(port=port, language="ru"), encoding="utf-8")
    with asterisk:
        if sipp_missing():
            print(f"({sipp_missing()}: the calls come from inside, and nothing is at the phone's address)")
        print("A real Asterisk 22 runs. Somebody calls 101 ...")
        place_call(asterisk, "101", "Wait", "5")
        print("Nobody answered, and the call is over. Somebody calls again, and leaves a message ...")
        place_call(asterisk, "102", "Playback", "vm-options")
        print("The message is left, and the call is over.")


def place_call(asterisk: Asterisk, extension: str, application: str, data: str) -> None:
    """Place one call; without sipp, what the caller does is an application of Asterisk's."""
    if sipp_missing():
        asterisk.originate(f"*{extension}", application=application, data=data)
    else:
        with asterisk.phone(101, "uas_ring"):
            scenario = "uac_noanswer" if application == "Wait" else "uac_vm_bye"
            asterisk.call(scenario, extension, duration_ms=5000, **CALLER)
    asterisk.wait_until_idle()


def calls_recorded(directory: Path, port: int) -> None:
    """Drive both scripts by the far end of a call, as Asterisk would, with a mailbox as it would leave it."""
    ini = directory / "pbxnotify.ini"
    ini.write_text(INI.format(port=port, language="ru"), encoding="utf-8")
    environment = {"PBXNOTIFY_CONFIG": str(ini), "AST_SPOOL_DIR": str(directory)}
    call = {**RANG_OUT, "CALLERID(name)": "Алиса Смирнова", "CALLERID(num)": "+74951234567"}
    missed = FarEnd(call)
    missed.run(environment=environment)
    left = {"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": message(directory, duration=5), "CHANNEL(name)": CHANNEL}
    voicemail = FarEnd({**call, **left})
    voicemail.run(script=VOICEMAIL, environment=environment)
    print(f"The scripts set PBXNOTIFYSTATUS={missed.status} and {voicemail.status}, and the calls were let go.")


def show(caught: Caught, name: str) -> None:
    """Print a mail as it arrived, save it, and play what is attached."""
    SAVED.mkdir(parents=True, exist_ok=True)
    path = SAVED / f"{name}.eml"
    path.write_bytes(caught.content)
    body = caught.message.get_body(("plain",))
    print("\nThe mail that arrived:\n")
    for header in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        print(f"    {header}: {caught.message[header]}")
    print()
    text = str(body.get_content()) if body else ""
    for line in text.splitlines():
        print(f"    {line}".rstrip())
    print(f"\nSaved as {os.path.relpath(path)}")
    for part in caught.message.iter_attachments():
        play(part.get_filename() or name, part.get_content(), str(caught.message["Subject"]))


def play(name: str, recording: bytes, subject: str) -> None:
    """Save a recording, and compare its length with what the mail says."""
    path = SAVED / name
    path.write_bytes(recording)
    with wave.open(BytesIO(recording)) as file:
        seconds = file.getnframes() / file.getframerate()
    told = re.search(r"\((\d+):(\d\d)\)$", subject)
    said = int(told[1]) * 60 + int(told[2]) if told else -1
    print(f"Attached: {os.path.relpath(path)}, which plays for {seconds:.1f} s; the mail says {said} s.")
    if abs(seconds - said) > 1:
        raise SystemExit("these differ")


def main() -> int:
    """Show it; returns the exit status."""
    with tempfile.TemporaryDirectory() as name, Catcher() as catcher:
        try:
            calls_on_asterisk(Path(name), catcher.port)
        except LabUnavailable as error:
            print(f"No real Asterisk here ({error}): the same scripts are driven by a recorded call.")
            calls_recorded(Path(name), catcher.port)
        mails = catcher.wait(2, timeout=30)
        for script in (MISSED, VOICEMAIL):
            wait_for_released(script, mark="")  # they still note in the directory that the relay has the mail
    for caught in mails:
        show(caught, "voicemail" if list(caught.message.iter_attachments()) else "missed-call")
    return 0


if __name__ == "__main__":
    sys.exit(main())
