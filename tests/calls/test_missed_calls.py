"""Real calls on a real Asterisk, and the mails that arrive: the table of what counts as a missed call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import login_office
import pytest
from lab import CALLERS, SERVER
from office import INI, Mail, Office, Span
from relay import Certificates, ScriptedRelay
from sip_phone import Phones

Report = Callable[[str], None]


COMMON = ("common@example.com", "")
IVAN = ("ivan@example.com", "Ivan Petrov")
ANNA = ("anna@example.com", "Anna")
"""Who a mail is for, and the name on the card."""


NOT_REGISTERED = "The phone is not registered."


def check(
    mail: Mail,
    person: tuple[str, str],
    called: str,
    call: Span,
    seconds: int,
    status: str,
    why: str = "Nobody answered.",
    after: float = 0,
) -> None:
    """Compare a mail about a call from 5551212, Alice Smith, field by field.

    The telephone rang for these seconds, and began to ring so many seconds after the call began.
    """
    to, called_name = person
    assert mail.to == to
    assert mail.subject == "missed Alice Smith"
    fields = dict(mail.fields)
    call.check_moment(fields.pop("date"), after)
    call.check_length(int(fields.pop("seconds")), seconds)
    assert fields == {
        "cause": "NOANSWER",
        "caller": "5551212",
        "called": called,
        "status": status,
        "why": why,
        "from": "Alice Smith",
        "to": called_name or called,
    }


def test_it_rings_out(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        call = office.call("ring-101")
    (mail,) = office.mails(1)
    check(mail, IVAN, "101", call, 3, "NOANSWER")


def test_the_caller_gives_up(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        call = office.call("ring-101-long", "uac_cancel", duration_ms=2000)
    (mail,) = office.mails(1)
    check(mail, IVAN, "101", call, 2, "CANCEL", f"The caller hung up after {mail.fields['seconds']} s.")


@pytest.mark.parametrize(
    ("phone", "status", "why"),
    [
        pytest.param("uas_486", "BUSY", "The line was busy.", id="busy"),
        pytest.param("uas_603", "CHANUNAVAIL", "The call was declined.", id="rejects"),
        pytest.param("uas_500", "CHANUNAVAIL", "The phone could not be reached.", id="has a fault"),
        pytest.param("uas_503", "CONGESTION", "The call could not be put through.", id="congestion"),
    ],
)
def test_the_phone_refuses(office: Office, phone: str, status: str, why: str) -> None:
    with office.phone(101, phone):
        call = office.call("ring-101")
    (mail,) = office.mails(1)
    check(mail, IVAN, "101", call, 0, status, why)


def test_the_phone_is_not_registered_and_has_no_card(office: Office) -> None:
    call = office.call("ring-103")
    (mail,) = office.mails(1)
    check(mail, COMMON, "103", call, 0, "CHANUNAVAIL", NOT_REGISTERED)


def test_a_card_without_an_email(office: Office) -> None:
    with office.phone(106, "uas_ring"):
        call = office.call("ring-106")
    (mail,) = office.mails(1)
    check(mail, ("common@example.com", "No Mail"), "106", call, 2, "NOANSWER")


def test_a_mobile_number_is_rung(office: Office) -> None:
    with office.phone(102, "uas_ring"):
        call = office.call("ring-mobile")
    (mail,) = office.mails(1)
    check(mail, ANNA, "89161234567", call, 2, "NOANSWER")


def test_both_ring_out(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_ring"):
        call = office.call("ring-both")
    anna, ivan = office.mails(2)
    check(anna, ANNA, "102", call, 3, "NOANSWER")
    check(ivan, IVAN, "101", call, 3, "NOANSWER")


def test_one_of_both_answers(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_answer_bye", 500):
        office.call("ring-both")
    office.no_mail()


def test_the_next_one_answers(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_answer_bye", 500):
        office.call("ring-101-then-102")
    office.no_mail()


def test_a_queue_answers_afterwards(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_answer_bye", 500):
        office.call("ring-101-then-queue")
    office.no_mail()


def test_a_queue_answers_afterwards_and_the_caller_hangs_up(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_answer", 300):
        office.call("ring-101-then-queue", "uac_bye", duration_ms=800)
    office.no_mail()


def test_one_answers_then_the_next_one_rings_out(office: Office) -> None:
    with office.phone(101, "uas_answer_bye", 1000), office.phone(102, "uas_ring"):
        call = office.call("answer-101-then-102")
    (mail,) = office.mails(1)
    check(mail, ANNA, "102", call, 2, "NOANSWER", after=1.5)  # the first one rings for half a second and talks for one


def test_the_caller_hangs_up_before_the_next_one_rings(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        office.call("ring-101-then-music", "uac_bye", duration_ms=500)
    mails = office.mails(2)
    assert [(mail.to, mail.fields["status"]) for mail in mails] == [
        ("anna@example.com", "NOANSWER"),
        ("ivan@example.com", "NOANSWER"),
    ]


def test_a_group_of_local_channels_answered(office: Office) -> None:
    with office.phone(101, "uas_answer_bye", 500), office.phone(102, "uas_ring"):
        office.call("group")
    office.no_mail()


def test_a_group_of_local_channels_rings_out(office: Office) -> None:
    with office.phone(101, "uas_ring"), office.phone(102, "uas_ring"):
        office.call("group")
    assert [(mail.to, mail.fields["called"]) for mail in office.mails(2)] == [
        ("anna@example.com", "102"),
        ("ivan@example.com", "101"),
    ]


def test_three_scripts_for_one_call(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        office.call("in-call")
    office.asterisk.wait_for_log(re.compile(r"AGI Script pbxnotify-missed.agi completed"), count=3)
    office.mails(1)


def test_a_queue_is_abandoned(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        call = office.call("queue-long", "uac_bye", duration_ms=2500)
    (mail,) = office.mails(1)
    check(mail, IVAN, "101", call, 2, "ABANDONED", f"The caller left the queue after {mail.fields['seconds']} s.")


def test_a_queue_times_out(office: Office) -> None:
    with office.phone(101, "uas_ring"):
        call = office.call("queue")
    (mail,) = office.mails(1)
    check(mail, IVAN, "101", call, 3, "TIMEOUT", "Nobody in the queue answered.")


LONG_ENOUGH = range(10, 101, 10)
DELAYS = [*range(1, 10), *LONG_ENOUGH]
"""Milliseconds until the call is hung up, counted from just before the script is started."""


def hang_up_while_the_script_runs(office: Office, kind: str) -> tuple[set[int], set[int]]:
    """Hang up after each of the delays; returns those whose script was started, and those of which a mail arrived."""
    started: set[int] = set()
    while not started >= set(LONG_ENOUGH):  # a busy Asterisk may come to the script only after that time
        for delay in [one for one in DELAYS if one not in started]:
            office.call(f"{kind}-{delay}")
        log = office.asterisk.log_since_mark()
        started = set(map(int, re.findall(r'Executing .* AGI\(".*", "pbxnotify-missed.agi,(\d+)"\)', log)))
    office.wait_until(lambda: not office.queue())
    told = [int(mail.fields["called"]) for mail in office.mails(len(office.catcher.mails))]
    assert len(told) == len(set(told))
    return started, set(told)


def test_hung_up_while_the_script_runs(office: Office) -> None:
    started, told = hang_up_while_the_script_runs(office, "safe")
    assert told == started


def test_hung_up_while_the_script_runs_without_agisighup(office: Office, report: Report) -> None:
    started, told = hang_up_while_the_script_runs(office, "bare")
    report(f"hang-up delays that lose the mail without AGISIGHUP=no: {sorted(started - told)} ms of {sorted(started)}")
    assert told  # how many are lost depends on how soon Python has begun


def test_switched_off(office: Office) -> None:
    office.write_ini(INI.format(port=office.catcher.port, enabled="no"))
    with office.phone(101, "uas_ring"):
        office.call("ring-101")
    office.wait_until(lambda: " skipped " in office.log())
    assert office.queue() == []
    assert office.catcher.mails == []


def held_status(office: Office) -> str:
    """Place a call whose dialplan waits for the outcome; returns PBXNOTIFYSTATUS."""
    with office.phone(101, "uas_ring"):
        office.call("held")
    return office.asterisk.wait_for_log(re.compile(r"AFTER status=\w+$")).rpartition("=")[2]


def test_held_and_sent(office: Office) -> None:
    assert held_status(office) == "SENT"
    office.mails(1)


def test_held_and_switched_off(office: Office) -> None:
    office.write_ini(INI.format(port=office.catcher.port, enabled="no"))
    assert held_status(office) == "SKIPPED"


def test_held_while_the_relay_is_down_then_up(office: Office) -> None:
    office.catcher.stop()
    try:
        assert held_status(office) == "QUEUED"
        office.asterisk.mark()
        assert held_status(office) == "QUEUED"
        assert "the relay is not tried until" in office.pbxnotify("queue", "list").stdout
        assert len(office.queue()) == 2
    finally:
        office.catcher.start()
    ran = office.run_queue("--all")
    assert (ran.stdout, ran.returncode) == ("pbxnotify: 2 sent\n", 0)
    office.mails(2)


def test_a_mail_leaves_by_itself_when_it_is_due(office: Office) -> None:
    office.catcher.stop()
    try:
        assert held_status(office) == "QUEUED"
    finally:
        office.catcher.start()
    assert office.run_queue().stdout.startswith("the relay is not tried until")
    rest = office.asterisk.spool / "pbxnotify" / "state" / "relay.json"
    rest.write_text(re.sub(r'"until": [\d.]+', '"until": 1.0', rest.read_text()))
    assert office.run_queue().stdout == "pbxnotify: 1 sent\n"
    office.mails(1)


def test_the_next_call_does_not_try_a_dead_relay(office: Office) -> None:
    with ScriptedRelay(greeting="421 4.3.2 not now") as relay:
        office.write_ini(INI.format(port=relay.port, enabled="yes"))
        assert held_status(office) == "QUEUED"
        office.asterisk.mark()
        assert held_status(office) == "QUEUED"
        assert relay.connections == 1


@pytest.mark.parametrize("is_withdrawn", [False, True], ids=["it has ended", "it was withdrawn"])
def test_a_token_that_lets_us_in_no_more(
    office: Office, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, is_withdrawn: bool
) -> None:
    """It is renewed behind the call's back; where it cannot be, the mail waits until the admin has logged in."""
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(office.asterisk.spool / "pbxnotify"))
    with login_office.running(office.asterisk.etc, certificates) as logged_in:
        logged_in.keep(expires=1.0)
        if is_withdrawn:
            logged_in.server.withdraw()
        assert held_status(office) == ("QUEUED" if is_withdrawn else "SENT")
        if is_withdrawn:
            logged_in.keep()
            assert office.run_queue("--all").returncode == 0
        mails = logged_in.catcher.wait(1 + is_withdrawn)
    admins = ["admin@example.com"] if is_withdrawn else []
    assert sorted(mail.recipients[0] for mail in mails) == [*admins, "ivan@example.com"]


def test_a_broken_ini_file_then_mended(office: Office) -> None:
    office.write_ini("[smtp\nhost = localhost\n")
    assert held_status(office) == "QUEUED"
    broken = office.run_queue()
    office.write_ini(INI.format(port=office.catcher.port, enabled="yes"))
    mended = office.run_queue()
    assert (broken.returncode, mended.returncode) == (75, 0)
    mails = office.mails(3)  # the administrator hears that mails were held up, and gets the test of what was saved
    assert [mail.to for mail in mails] == ["admin@example.com", "admin@example.com", "ivan@example.com"]


def test_the_dialplan_goes_on_before_the_relay_answers(office: Office, report: Report) -> None:
    calls = 9
    with office.phone(101, "uas_ring"), office.held_answers():
        for _ in range(calls):
            office.call("by-hand")
        report(office.held_for(calls))
        assert office.catcher.mails == []
    office.mails(calls)


@pytest.mark.parametrize(
    ("options", "caller", "name"),
    [
        pytest.param({"caller_name": '"Иван Сидоров"'}, "5551212", "Иван Сидоров", id="Cyrillic"),
        pytest.param({"caller_name": '"Anna 😀"'}, "5551212", "Anna 😀", id="emoji"),
        pytest.param({"caller_name": '"' + "Я" * 60 + '"'}, "5551212", "Я" * 39, id="79 bytes and more"),
        # Asterisk 16 passes the bytes on, 22 has replaced them.
        pytest.param(
            {"caller_name": b'"bad \xff\xfe byte"'}, "5551212", "bad яю byte|bad \ufffd\ufffd byte", id="bad UTF-8"
        ),
        pytest.param({"caller_name": ""}, "5551212", "5551212", id="no name"),
        pytest.param(
            {"caller_name": '"Anonymous"', "caller_number": "anonymous"},
            "number withheld",
            "number withheld",
            id="anonymous",
        ),
        pytest.param(
            {"headers": ["P-Asserted-Identity: <sip:74950001122@127.0.0.2>", "Privacy: id"]},
            "number withheld",
            "number withheld",
            id="withheld, P-Asserted-Identity",
        ),
    ],
)
def test_callers(office: Office, options: dict[str, Any], caller: str, name: str) -> None:
    office.call("ring-103", **options)
    (mail,) = office.mails(1)
    assert mail.fields["caller"] == caller
    assert mail.fields["from"] in name.split("|")
    assert "74950001122" not in mail.message.as_string()
    assert "74950001122" not in office.log()


def test_a_caller_without_a_number(office: Office) -> None:
    office.asterisk.originate("ring-103", application="Wait", data="1")
    (mail,) = office.mails(1)
    assert (mail.to, mail.fields["called"], mail.fields["caller"]) == ("common@example.com", "103", "number unknown")


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("555%0aagi_uniqueid: 1.1%0aagi_arg_1: 102%0aagi_extension: 102", id="plants variables"),
        pytest.param("555%0a200 result=1 (ANSWER)", id="forges an answer"),
        pytest.param("555%0a%0a200 result=1 (ANSWER)%0a200 result=1 (ANSWER)", id="ends the environment early"),
        pytest.param("555%0d%0aBcc: evil@example.com%0d%0a%0d%0aspam", id="plants a header"),
    ],
)
def test_a_hostile_number(office: Office, number: str) -> None:
    call = office.call("ring-103", caller_number=re.sub("[ :@=()]", lambda sign: f"%{ord(sign[0]):x}", number))
    (mail,) = office.mails(1)
    cleaned = " ".join(re.sub("%0[ad]", " ", number).split())
    assert mail.fields["caller"] == cleaned
    honest = Mail(mail.to, mail.subject, {**mail.fields, "caller": "5551212"}, mail.message)
    check(honest, COMMON, "103", call, 0, "CHANUNAVAIL", NOT_REGISTERED)
    assert mail.message["Bcc"] is None


def test_thirty_callers_at_once(office: Office) -> None:
    with Phones((CALLERS, 0), (SERVER, office.asterisk.port)) as callers:
        calls = [callers.call("ring-103", caller_number=f"55512{number}") for number in range(10, 40)]
        assert all(call.wait_for_end() for call in calls)
    mails = office.mails(30)
    assert sorted(mail.fields["caller"] for mail in mails) == [f"55512{number}" for number in range(10, 40)]
    assert {mail.fields["why"] for mail in mails} == {NOT_REGISTERED}
