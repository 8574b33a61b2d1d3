"""The main job, shown: a call that nobody answers, a voicemail, and the mails as they arrived, English and Russian.

Where no Asterisk can be fetched, the same scripts are driven by the far end of a recorded call, and that is said.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import wave
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "support"))

from far_end import MISSED, RANG_OUT, VOICEMAIL, FarEnd, wait_for_released  # noqa: E402
from lab import CALLERS, PHONES, SERVER, Asterisk, LabUnavailable, fetch  # noqa: E402
from mailboxes import CHANNEL, message  # noqa: E402
from office import install  # noqa: E402
from relay import Catcher, Caught  # noqa: E402
from sip_phone import Phones, rings  # noqa: E402

BEGAN = time.monotonic()

SAVED = HERE.parent / "build" / "demo"
INI = """\
[smtp]
host = 127.0.0.1
port = {port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
pbx_name = Demo office
[employees]
[[101]]
name = Anna Smith
email = anna@example.com
[[102]]
name = Иван Петров
email = ivan@example.com
language = ru
"""
DIALPLAN = """\
#tryinclude "extensions_pbxnotify.conf"
[from-trunk]
exten => rings-out,1,Gosub(pbxnotify,watch,1(101&102))
 same => n,Dial(PJSIP/101&PJSIP/102,2)
exten => voicemail,1,Gosub(pbxnotify,watch,1(101&102))
 same => n,Dial(PJSIP/101&PJSIP/102,1)
 same => n,VoiceMail(101@default,s)
"""
NAME, NUMBER = "Алиса Смирнова", "+74951234567"
MAILS = 4  # of each call, to Anna in English and to Ivan in Russian
NEXT = """
Where to look next: open the saved mails in a mail program; README.md tells how to install it, docs/dialplan.md what to
write before which Dial, etc/pbxnotify.ini what can be set.
Что дальше: откройте сохранённые письма в почтовой программе; README.ru.md — об установке, docs/ru/ — об остальном.
"""


def calls_on_asterisk(directory: Path, port: int) -> None:
    """Place two calls on a real Asterisk that nobody answers; the second caller leaves a message."""
    step("fetching Asterisk 22, 17 MB, if it is not here yet")
    fetch(22)
    asterisk = Asterisk(22, directory / "lab", dialplan=DIALPLAN)
    step("installing pbxnotify for it, as make install does")
    install(asterisk, directory)
    (asterisk.etc / "pbxnotify.ini").write_text(INI.format(port=port), encoding="utf-8")
    step("starting Asterisk")
    with ExitStack() as stack:
        stack.enter_context(asterisk)
        server = (SERVER, asterisk.port)
        for number in (101, 102):
            stack.enter_context(Phones((PHONES, asterisk.port + number), server, {str(number): rings}))
        callers = stack.enter_context(Phones((CALLERS, 0), server))
        step(f"{NAME} calls 101 and 102; the phones ring, and nobody answers")
        callers.call("rings-out", caller_number=NUMBER, caller_name=NAME).wait_for_end()
        step("the same caller calls again, and leaves a message")
        call = callers.call("voicemail", caller_number=NUMBER, caller_name=NAME)
        call.wait_until_answered()
        call.wait_for_quiet(0.3)
        call.speak(500, 2)
        call.hang_up()
        asterisk.wait_until_idle()


def step(what: str) -> None:
    """Say what comes next, with the seconds since the start."""
    print(f"[{time.monotonic() - BEGAN:4.1f} s] {what} ...", flush=True)


def calls_recorded(directory: Path, port: int) -> None:
    """Drive both scripts by the far end of a call, as Asterisk would, with a mailbox as it would leave it."""
    ini = directory / "pbxnotify.ini"
    ini.write_text(INI.format(port=port), encoding="utf-8")
    environment = {"PBXNOTIFY_CONFIG": str(ini), "AST_SPOOL_DIR": str(directory)}
    call = {**RANG_OUT, "CALLERID(name)": NAME, "CALLERID(num)": NUMBER}
    missed = FarEnd(call)
    missed.run(["101&102"], environment=environment)
    left = {"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": message(directory, duration=5), "CHANNEL(name)": CHANNEL}
    voicemail = FarEnd({**call, **left})
    voicemail.run(["101&102"], VOICEMAIL, environment)
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
        mails = catcher.wait(MAILS, timeout=30)
        for script in (MISSED, VOICEMAIL):
            wait_for_released(script, mark="")  # they still note in the directory that the relay has the mail
    for caught in sorted(mails, key=lambda mail: mail.recipients):
        what = "voicemail" if list(caught.message.iter_attachments()) else "missed-call"
        show(caught, f"{what}-{caught.recipients[0].partition('@')[0]}")
    print(NEXT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
