"""Real calls to VoiceMail on a real Asterisk, with sound: what is mailed, and what becomes of the mailbox."""

from __future__ import annotations

import re
import shutil
import wave
from collections.abc import Callable
from io import BytesIO
from itertools import groupby
from pathlib import Path

import pytest
from lamp import Lamp
from mailboxes import length_of
from office import INI, Mail, Office, Span

from pbxnotify.asterisk import expunge
from pbxnotify.asterisk.expunge import _locked
from pbxnotify.errors import ExpungeError

Report = Callable[[str], None]

IVAN = ("ivan@example.com", "Ivan Petrov")
ANNA = ("anna@example.com", "Anna")
COMMON = ("voicemail@example.com", "Ivan Petrov")
"""Who a mail is for, and whose name it says."""


def check(mail: Mail, person: tuple[str, str], call: Span, box: str = "101", after: float = 0) -> None:
    """Compare a mail about a message from 5551212, Alice Smith, field by field, with its recording.

    The message was begun so many seconds, or more, after the call.
    """
    to, name = person
    assert mail.to == to
    assert mail.subject == "voicemail Alice Smith"
    fields = dict(mail.fields)
    call.check_moment(fields.pop("date"), after)
    assert mail.recording is not None
    assert length(fields.pop("length")) == pytest.approx(heard(mail.recording)[0], abs=1)
    assert fields == {
        "callerid": '"Alice Smith" <5551212>',
        "name": "Alice Smith",
        "number": "5551212",
        "for": name,
        "mailbox": f"{box}@default",
    }


def length(said: str) -> int:
    """Return the length of a message, in seconds, as a mail says it: not 0 where somebody spoke."""
    minutes, _, rest = said.partition(":")
    assert (int(minutes), int(rest)) > (0, 0)
    return int(minutes) * 60 + int(rest)


def heard(recording: bytes) -> tuple[float, int]:
    """Return length and pitch of a plain WAV file, in seconds and hertz."""
    with wave.open(BytesIO(recording)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        frames = file.readframes(file.getnframes())
    samples = memoryview(frames).cast("h")
    loud = [sample > 0 for sample in samples if abs(sample) > 500]
    turns = len(list(groupby(loud))) - 1
    return len(samples) / 8000, round(turns / 2 / (len(loud) / 8000)) if loud else 0


def in_mailbox(office: Office, box: str = "101") -> list[bytes]:
    """Return the recordings that lie in a mailbox, as plain WAV."""
    return [path.with_suffix(".wav").read_bytes() for path in office.messages(box)]


def without(*lines: str, port: int) -> str:
    """Return the office's ini file without some lines."""
    text = INI.format(port=port, enabled="yes")
    for line in lines:
        assert f"{line}\n" in text
        text = text.replace(f"{line}\n", "", 1)
    return text


def wait_for_deferred(office: Office, count: int) -> None:
    """Wait until so many mails wait for the relay."""
    office.wait_until(lambda: office.log().count(" deferred ") >= count)


def with_options(office: Office, **options: str) -> None:
    """Add options to the [voicemail] section."""
    added = "[voicemail]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    office.write_ini(INI.format(port=office.catcher.port, enabled="yes").replace("[voicemail]\n", added))


# ---- a message is left


def test_the_caller_hangs_up_after_speaking(office: Office) -> None:
    call = office.call("vm-101", "uac_vm_bye", duration_ms=3500)
    common, ivan = sorted(office.mails(2), key=lambda mail: mail.to != COMMON[0])
    check(ivan, IVAN, call)
    check(common, COMMON, call)
    assert [common.recording] == [ivan.recording] == in_mailbox(office)
    assert heard(ivan.recording or b"")[1] == pytest.approx(500, abs=10)


def test_the_caller_ends_with_a_hash(office: Office) -> None:
    call = office.call("vm-101", "uac_vm_pound", duration_ms=3500)
    ivan, common = office.mails(2)
    check(ivan, IVAN, call)
    check(common, COMMON, call)


def test_a_ring_group(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_ring"):
        call = office.call("vm-both", "uac_vm_bye", duration_ms=2500)
    anna, ivan, common = office.mails(3)
    check(anna, ANNA, call, after=1)
    check(ivan, IVAN, call, after=1)
    check(common, ("voicemail@example.com", "Ivan Petrov, Anna"), call, after=1)
    assert [mail.message["To"] for mail in (anna, ivan)] == ["anna@example.com", "ivan@example.com"]
    assert "anna" not in ivan.message.as_string()
    assert "ivan" not in anna.message.as_string()


def test_an_employee_without_an_email(office: Office) -> None:
    call = office.call("vm-106", "uac_vm_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    check(mail, ("voicemail@example.com", "No Mail"), call, "106")


def test_no_common_address(office: Office) -> None:
    office.write_ini(without("email = voicemail@example.com", port=office.catcher.port))
    call = office.call("vm-101", "uac_vm_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    check(mail, IVAN, call)


def test_a_message_that_would_reach_nobody(office: Office) -> None:
    office.write_ini(without("email = voicemail@example.com", port=office.catcher.port))
    call = office.call("vm-106", "uac_vm_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    check(mail, ("common@example.com", "No Mail"), call, "106")


def test_the_common_address_is_the_employees(office: Office) -> None:
    text = INI.format(port=office.catcher.port, enabled="yes")
    office.write_ini(text.replace("voicemail@example.com", "Ivan@example.com"))
    call = office.call("vm-101", "uac_vm_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    check(mail, IVAN, call)


def test_nobody_is_rung(office: Office) -> None:
    call = office.call("vm-night", "uac_vm_bye", duration_ms=2500)
    ivan, common = office.mails(2)
    check(ivan, IVAN, call)
    check(common, COMMON, call)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param(r'"Bob \"the\" \\ Builder"', r'"Bob "the" \ Builder" <5551212>', id="quotes and backslashes"),
        pytest.param('"Иван Сидоров"', '"Иван Сидоров" <5551212>', id="Cyrillic"),
        pytest.param('"O\'Neil, <x@y> & Sons"', '"O\'Neil, <x@y> & Sons" <5551212>', id="what HTML and mail mind"),
        pytest.param("", "5551212", id="no name"),
    ],
)
def test_callers(office: Office, name: str, shown: str) -> None:
    office.call("vm-101", "uac_vm_bye", duration_ms=1500, caller_name=name)
    for mail in office.mails(2):
        assert mail.fields["callerid"] == shown


def test_a_withheld_number(office: Office) -> None:
    headers = ["P-Asserted-Identity: <sip:74950001122@127.0.0.2>", "Privacy: id"]
    office.call("vm-101", "uac_vm_bye", duration_ms=1500, headers=headers)
    for mail in office.mails(2):
        assert mail.fields["callerid"] == "number withheld"
        assert "74950001122" not in mail.message.as_string()
    assert "74950001122" not in office.log()


def test_a_caller_who_plants_lines_in_the_message_information_file(office: Office) -> None:
    number = re.sub(
        "[ =]", lambda sign: f"%{ord(sign[0]):x}", "5%0aorigtime=1%0amsg_id=evil%0aduration=99%0acallerchan=x"
    )
    office.call("vm-101", "uac_vm_bye", duration_ms=2500, caller_number=number)
    (information,) = office.messages("101")
    assert "\nmsg_id=evil\n" in information.read_text()
    for mail in office.mails(2):
        assert mail.fields["date"].startswith("20")
        assert mail.recording is not None
        assert length(mail.fields["length"]) == pytest.approx(heard(mail.recording)[0], abs=1)


# ---- no message is left


@pytest.mark.parametrize(
    ("extension", "scenario", "duration", "called"),
    [
        pytest.param("vm-greeting", "uac_bye", 1500, "ivan@example.com", id="gone in the greeting"),
        pytest.param("vm-105", "uac_vm_bye", 1500, "common@example.com", id="too short"),
    ],
)
def test_a_missed_call(office: Office, extension: str, scenario: str, duration: int, called: str) -> None:
    with office.phone(101, "uas_ring"):
        office.call(extension, scenario, duration_ms=duration)
    (mail,) = office.mails(1)
    assert (mail.to, mail.subject) == (called, "missed Alice Smith")
    rang, greeted = map(office.executed_at, ("pbxnotify,watch", "VoiceMail"))
    assert int(mail.fields["seconds"]) <= greeted - rang + 1, "the greeting is no ringing"


def test_a_full_mailbox(office: Office) -> None:
    office.call("vm-108", "uac_vm_bye", duration_ms=1500)
    office.mails(1)
    office.catcher.clear()
    office.call("vm-108", "uac_noanswer")
    (mail,) = office.mails(1)
    assert (mail.to, mail.subject, mail.fields["called"]) == ("common@example.com", "missed Alice Smith", "108")


def test_no_sound(office: Office) -> None:
    office.call("vm-101", "uac_bye", duration_ms=2500)
    for mail in office.mails(2):
        assert (mail.subject, mail.fields["length"], mail.recording) == ("voicemail Alice Smith", "0:00", None)
        assert "The caller left an empty message" in mail.text
    assert re.search(r' queued .* reason="recording: .*msg0000.wav is empty', office.log())


def test_delete_yes_in_voicemail_conf(office: Office) -> None:
    office.call("vm-107", "uac_vm_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    assert (mail.to, mail.fields["mailbox"], mail.fields["length"]) == (COMMON[0], "107@default", "length unknown")
    assert mail.recording is None
    assert "could not be attached" in mail.text
    assert "delete=yes in voicemail.conf" in office.log()


# ---- more than one


def test_two_calls_at_once_do_not_mix(office: Office) -> None:
    lines = {"101": 500, "102": 1000}
    calls = [
        office.asterisk.start_call("uac_vm_bye", f"vm-{box}", duration_ms=3000, caller_number=box * 2, hertz=hertz)
        for box, hertz in lines.items()
    ]
    assert [call.wait() for call in calls] == [200, 200]
    office.asterisk.wait_until_idle()
    mails = office.mails(4)
    for box, hertz in lines.items():
        own = [mail for mail in mails if mail.fields["mailbox"] == f"{box}@default"]
        assert {mail.fields["number"] for mail in own} == {box * 2}
        assert [mail.recording for mail in own] == in_mailbox(office, box) * 2
        assert heard(own[0].recording or b"")[1] == pytest.approx(hertz, abs=20)


def test_two_callers_of_one_mailbox_at_once_do_not_mix(office: Office) -> None:
    lines = {"3333": 500, "4444": 1000}
    calls = [
        office.asterisk.start_call("uac_vm_bye", "vm-101", duration_ms=2500, caller_number=number, hertz=hertz)
        for number, hertz in lines.items()
    ]
    assert [call.wait() for call in calls] == [200, 200]
    office.asterisk.wait_until_idle()
    mails = office.mails(4)
    for number, hertz in lines.items():
        own = [mail for mail in mails if mail.fields["number"] == number]
        assert [heard(mail.recording or b"")[1] for mail in own] == pytest.approx([hertz] * 2, abs=20)


def test_two_messages_in_one_call(office: Office) -> None:
    office.call("vm-two", "uac_vm_pounds", duration_ms=2000)
    mails = office.mails(4)
    assert sorted((mail.to, mail.fields["mailbox"]) for mail in mails) == [
        ("anna@example.com", "102@default"),
        ("ivan@example.com", "101@default"),
        ("voicemail@example.com", "101@default"),
        ("voicemail@example.com", "102@default"),
    ]
    for mail in mails:
        assert [mail.recording] == in_mailbox(office, mail.fields["mailbox"][:3])


def test_two_messages_in_one_call_to_a_mailbox_that_deletes_them(office: Office) -> None:
    office.call("vm-two-deleted", "uac_vm_pounds", duration_ms=2000)
    assert [mail.fields["mailbox"] for mail in office.mails(2)] == ["107@default"] * 2


def test_a_message_then_another_one_rings_out(office: Office) -> None:
    with office.phone(102, "uas_ring"):
        office.call("vm-then-102", "uac_vm_pound", duration_ms=2000)
    assert [(mail.to, mail.subject.split()[0]) for mail in office.mails(3)] == [
        ("anna@example.com", "missed"),
        ("ivan@example.com", "voicemail"),
        ("voicemail@example.com", "voicemail"),
    ]


def test_after_voicemail_in_h_and_in_a_handler(office: Office) -> None:
    office.call("vm-by-hand", "uac_vm_pound", duration_ms=2000)
    office.asterisk.wait_for_log(re.compile(r"AGI Script pbxnotify-voicemail.agi completed"), count=3)
    office.asterisk.wait_for_log(re.compile(r"AGI Script pbxnotify-missed.agi completed"), count=3)
    assert [mail.subject for mail in office.mails(2)] == ["voicemail Alice Smith"] * 2


def test_a_stale_variable_is_no_second_message(office: Office) -> None:
    office.call("vm-stale", "uac_vm_pound", duration_ms=1500)
    assert [(mail.to, mail.subject.split()[0]) for mail in office.mails(3)] == [
        ("anna@example.com", "missed"),
        ("ivan@example.com", "voicemail"),
        ("voicemail@example.com", "voicemail"),
    ]
    assert re.search(r' skipped id=- event=voicemail .* reason="already notified"', office.log())


def test_the_admin_wants_both(office: Office) -> None:
    text = INI.format(port=office.catcher.port, enabled="yes")
    office.write_ini(text.replace("[missed_calls]\n", "[missed_calls]\nafter_voicemail = yes\n"))
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    assert [(mail.to, mail.subject.split()[0]) for mail in sorted(office.mails(3), key=lambda mail: mail.subject)] == [
        ("ivan@example.com", "missed"),
        ("ivan@example.com", "voicemail"),
        ("voicemail@example.com", "voicemail"),
    ]


# ---- the relay, the tools, the settings


def test_the_relay_is_down_and_the_mailbox_is_emptied_meanwhile(office: Office) -> None:
    office.catcher.stop()
    try:
        call = office.call("vm-101", "uac_vm_bye", duration_ms=2500)
        office.wait_until(lambda: " deferred " in office.log())
        (recording,) = in_mailbox(office)
        shutil.rmtree(office.asterisk.spool / "voicemail" / "default")
    finally:
        office.catcher.start()
    assert office.run_queue("--all").returncode == 0
    ivan, common = office.mails(2)
    check(ivan, IVAN, call)
    assert ivan.recording == common.recording == recording
    assert list((office.asterisk.spool / "pbxnotify").rglob("*.wav")) == []


def test_held_until_it_is_sent(office: Office) -> None:
    office.call("vm-held", "uac_vm_pound", duration_ms=1500)
    office.asterisk.wait_for_log("AFTER status=SENT")
    office.mails(2)


def test_mp3(office: Office, tmp_path: Path) -> None:
    with_options(office, audio="mp3")
    office.call("vm-101", "uac_vm_bye", duration_ms=2500)
    for mail in office.mails(2):
        (part,) = mail.message.iter_attachments()
        assert part.get_content_type() == "audio/mpeg"
        assert re.fullmatch(r"20\d\d-\d\d-\d\d_\d\d-\d\d-\d\d_5551212\.mp3", part.get_filename() or "")
        assert mail.recording is not None
        assert length_of(mail.recording, tmp_path) == pytest.approx(heard(*in_mailbox(office))[0], abs=1)


def test_no_attachment(office: Office) -> None:
    with_options(office, attach="no")
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    assert [mail.recording for mail in office.mails(2)] == [None, None]


def test_switched_off(office: Office) -> None:
    office.write_ini(INI.format(port=office.catcher.port, enabled="no"))
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    office.wait_until(lambda: office.log().count(" skipped ") == 2)
    assert (office.queue(), office.catcher.mails) == ([], [])


def test_the_call_goes_on_before_the_relay_answers(office: Office, report: Report) -> None:
    calls = 5
    with office.held_answers():
        for _ in range(calls):
            office.call("vm-let-go", "uac_vm_pound", duration_ms=1500)
        report(office.held_for(calls))
        assert office.catcher.mails == []
    office.mails(2 * calls)


# ---- the mailbox afterwards


def test_the_message_is_kept(office: Office) -> None:
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    office.mails(2)
    assert [path.name for path in office.messages("101")] == ["msg0000.txt"]


def test_a_mailed_message_leaves_the_mailbox_and_the_lamp_follows(office: Office) -> None:
    with Lamp(office.asterisk, 109) as lamp:
        office.call("vm-109", "uac_vm_bye", duration_ms=1500)
        lamp.wait_for("yes", "1/0")
        office.mails(1)
        with_options(office, after_mailing="delete")
        office.catcher.clear()
        office.call("vm-109", "uac_vm_bye", duration_ms=1500)
        lamp.wait_for("yes", "2/0")
        lamp.wait_for("yes", "1/0")
        office.mails(1)
    assert [path.name for path in office.messages("109")] == ["msg0000.txt"]
    assert 'reason="removed from the mailbox"' in office.log()


def test_messages_leave_from_the_middle_and_the_lamp_goes_out(office: Office) -> None:
    with_options(office, after_mailing="delete")
    office.catcher.stop()
    with Lamp(office.asterisk, 109) as lamp:
        try:
            for number in range(3):
                office.call("vm-109", "uac_vm_bye", duration_ms=1500)
                wait_for_deferred(office, number + 1)
            lamp.wait_for("yes", "3/0")
            middle = sorted(office.queue())[1].stem
        finally:
            office.catcher.start()
        office.pbxnotify("queue", "retry", middle)
        office.run_queue("--all")
        lamp.wait_for("no", "0/0")
        office.mails(3)
    assert office.messages("109") == []
    mailbox = office.asterisk.spool / "voicemail" / "default" / "109"
    assert list(mailbox.rglob("msg*")) == []
    office.wait_until(lambda: not list(mailbox.rglob(".lock*")))  # VoiceMailMain, for the lamp, locks it a while


def test_a_message_that_somebody_has_listened_to_leaves_too(office: Office) -> None:
    with_options(office, after_mailing="delete")
    office.catcher.stop()
    try:
        office.call("vm-109", "uac_vm_bye", duration_ms=1500)
        office.wait_until(lambda: " deferred " in office.log())
        inbox = office.messages("109")[0].parent
        inbox.rename(inbox.with_name("Old"))
    finally:
        office.catcher.start()
    office.run_queue("--all")
    office.mails(1)
    assert office.messages("109") == [], office.log()


def test_a_message_without_its_recording_in_the_mail_is_kept(office: Office) -> None:
    with_options(office, after_mailing="delete", attach="no")
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    office.mails(2)
    assert len(office.messages("101")) == 1
    assert "kept in the mailbox, because not every recipient has the recording" in office.log()


def test_a_message_that_one_was_not_told_of_is_kept(office: Office) -> None:
    with_options(office, after_mailing="delete")
    office.catcher.answers["ivan@example.com"] = "550 5.1.1 no such user"
    office.call("vm-101", "uac_vm_bye", duration_ms=1500)
    office.wait_until(lambda: re.search(" failed .*event=voicemail", office.log()))
    assert len(office.messages("101")) == 1


def test_what_check_says_of_it(office: Office) -> None:
    with_options(office, after_mailing="delete")
    said = office.pbxnotify("check").stdout
    way = "by Asterisk's own command" if office.asterisk.version > 16 else "under the mailbox's lock"
    assert f"after_mailing = delete: messages leave the mailbox {way}" in said


def test_the_lamp_leaves_no_call_detail_record(office: Office) -> None:
    with_options(office, after_mailing="delete")
    records = office.asterisk.log / "cdr-csv" / "Master.csv"
    with Lamp(office.asterisk, 109) as lamp:
        office.call("vm-109", "uac_vm_bye", duration_ms=1500)
        lamp.wait_for("yes", "1/0")
        lamp.wait_for("no", "0/0")
    office.asterisk.wait_until_idle()
    assert b"PJSIP/trunk-" in records.read_bytes()
    assert b"Local/lamp" not in records.read_bytes()


def test_app_voicemail_respects_our_lock(office: Office) -> None:
    office.call("vm-109", "uac_vm_bye", duration_ms=1500)
    office.mails(1)
    inbox = office.messages("109")[0].parent
    with _locked(str(inbox)):
        office.asterisk.call("uac_vm_bye", "vm-109", duration_ms=1500)
        assert len(office.messages("109")) == 1
    office.asterisk.wait_until_idle()
    assert len(office.messages("109")) == 2
    office.mails(2)


def test_we_respect_the_lock_of_app_voicemail(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.call("vm-109", "uac_vm_bye", duration_ms=1500)
    inbox = office.messages("109")[0].parent
    (inbox / ".lock").touch()
    monkeypatch.setattr(expunge, "LOCK_TIMEOUT", 0.1)
    with pytest.raises(ExpungeError, match="has been locked for"), _locked(str(inbox)):
        pass
    assert [path.name for path in Path(inbox).glob(".lock*")] == [".lock"]
