"""Real calls through a dialplan in the shape of FreePBX's: 16's with macros, 17's with Gosubs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from case_calls import speaks, waits
from freepbx_dialplan import extensions_conf
from lab import CALLERS, PHONES, SERVER, SUITES, Asterisk, require
from office import Mail, Office, install
from relay import Catcher
from sip_phone import Behaviour, OutgoingCall, Phones, answers, refuses, rings, transfers_to

QUEUES = """
[700](queue)
member => Local/101@from-queue/n
member => Local/102@from-queue/n
[701](queue)
"""
COMMON, VOICEMAIL, IVAN, ANNA = (f"{name}@example.com" for name in ("common", "voicemail", "ivan", "anna"))


@pytest.fixture(scope="module", params=SUITES, ids=lambda version: f"Asterisk {version}")
def freepbx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Return an office with FreePBX's dialplan."""
    require(request.param)
    directory = tmp_path_factory.mktemp(f"freepbx-{request.param}")
    files = extensions_conf(request.param)
    asterisk = Asterisk(
        request.param,
        directory / "lab",
        dialplan=files["extensions.conf"],
        environment={
            "PBXNOTIFY_LOG": str(directory / "pbxnotify.log"),
            "PBXNOTIFY_ASTERISK": str(directory / "lab" / "asterisk"),
        },
    )
    for name, text in files.items():
        (asterisk.etc / name).write_text(text)
    install(asterisk, directory)
    with Catcher() as catcher, asterisk:
        with open(asterisk.etc / "queues.conf", "a") as queues:
            queues.write(QUEUES)
        asterisk.command("queue reload all")
        yield Office(asterisk, catcher, directory)


@pytest.fixture
def office(freepbx: Office) -> Office:
    """Return it with nothing in it of other tests."""
    freepbx.reset()
    return freepbx


class Expected(NamedTuple):
    """A mail: to whom, of whose phone (else of whose mailbox), and how that ended."""

    to: str
    called: str
    status: str
    seconds: int = 0


RINGS = {101: "uas_ring", 102: "uas_ring"}
CASES: dict[str, tuple[str, dict[int, str], tuple[str, dict[str, object]], list[Expected]]] = {
    "an extension that rings out": (
        "101",
        RINGS,
        ("uac_noanswer", {}),
        [Expected(IVAN, "101", "NOANSWER", 3)],
    ),
    "an extension whose caller gives up": (
        "101",
        RINGS,
        ("uac_cancel", {"duration_ms": 1500}),
        [Expected(IVAN, "101", "CANCEL", 1)],
    ),
    "an extension that answers": ("101", {101: "uas_answer"}, ("uac_bye", {}), []),
    "an extension that is busy": (
        "101",
        {101: "uas_486"},
        ("uac_noanswer", {}),
        [Expected(IVAN, "101", "BUSY")],
    ),
    "a phone that is not registered": ("103", {}, ("uac_noanswer", {}), [Expected(COMMON, "103", "CHANUNAVAIL")]),
    "Do Not Disturb": ("105", {}, ("uac_noanswer", {}), [Expected(COMMON, "105", "BUSY")]),
    "a number on the blacklist": ("101", RINGS, ("uac_noanswer", {"caller_number": "666"}), []),
    "a group that nobody answers": (
        "600",
        RINGS,
        ("uac_noanswer", {}),
        [Expected(ANNA, "102", "NOANSWER", 3), Expected(IVAN, "101", "NOANSWER", 3)],
    ),
    "a group that somebody answers": ("600", {101: "uas_ring", 102: "uas_answer"}, ("uac_bye", {}), []),
    "a hunt that nobody answers": (
        "601",
        RINGS,
        ("uac_noanswer", {}),
        [Expected(ANNA, "102", "NOANSWER", 4), Expected(IVAN, "101", "NOANSWER", 4)],
    ),
    "a hunt whose caller gives up at the first": (
        "601",
        RINGS,
        ("uac_cancel", {"duration_ms": 700}),
        [Expected(IVAN, "101", "CANCEL")],
    ),
    "a hunt whose second answers": ("601", {101: "uas_ring", 102: "uas_answer"}, ("uac_bye", {}), []),
    "a group with a number outside": ("604", RINGS, ("uac_noanswer", {}), [Expected(IVAN, "101", "NOANSWER", 3)]),
    "a group, then a mailbox": (
        "602",
        RINGS,
        ("uac_vm_bye", {}),
        [
            Expected(ANNA, "107", "voicemail"),
            Expected(IVAN, "107", "voicemail"),
            Expected(VOICEMAIL, "107", "voicemail"),
        ],
    ),
    "a group, then an extension": (
        "603",
        {**RINGS, 106: "uas_ring"},
        ("uac_noanswer", {}),
        [
            Expected(ANNA, "102", "NOANSWER", 3),
            Expected(COMMON, "106", "NOANSWER", 2),
            Expected(IVAN, "101", "NOANSWER", 2),
        ],
    ),
    "a group, then an extension that answers": ("603", {101: "uas_ring", 102: "uas_answer"}, ("uac_bye", {}), []),
    "a queue that nobody answers": (
        "700",
        RINGS,
        ("uac_noanswer", {}),
        [Expected(ANNA, "102", "TIMEOUT", 4), Expected(IVAN, "101", "TIMEOUT", 4)],
    ),
    "a queue whose caller gives up": (
        "700",
        RINGS,
        ("uac_bye", {"duration_ms": 1500}),
        [Expected(ANNA, "102", "ABANDONED", 1), Expected(IVAN, "101", "ABANDONED", 1)],
    ),
    "a queue with a busy member that another answers": (
        "700",
        {101: "uas_486", 102: "uas_answer"},
        ("uac_bye", {"duration_ms": 2000}),
        [],
    ),
    "a queue without members": ("701", {}, ("uac_noanswer", {}), [Expected(COMMON, "701", "TIMEOUT", 4)]),
    "follow me, then a message": (
        "8102",
        {102: "uas_ring"},
        ("uac_vm_bye", {}),
        [Expected(ANNA, "102", "voicemail"), Expected(VOICEMAIL, "102", "voicemail")],
    ),
    "follow me that is answered": ("8102", {102: "uas_answer"}, ("uac_bye", {}), []),
    "follow me whose caller gives up while the first rings alone": (
        "8106",
        {102: "uas_ring", 106: "uas_ring"},
        ("uac_cancel", {"duration_ms": 700}),
        [Expected(COMMON, "106", "CANCEL")],
    ),
    "follow me whose caller gives up when all ring": (
        "8106",
        {102: "uas_ring", 106: "uas_ring"},
        ("uac_cancel", {"duration_ms": 3500}),
        [Expected(ANNA, "102", "CANCEL", 3), Expected(COMMON, "106", "CANCEL", 3)],
    ),
    "follow me that nobody answers": (
        "8106",
        {102: "uas_ring", 106: "uas_ring"},
        ("uac_noanswer", {}),
        [Expected(ANNA, "102", "NOANSWER", 5), Expected(COMMON, "106", "NOANSWER", 5)],
    ),
    "voicemail after an extension": (
        "109",
        {109: "uas_ring"},
        ("uac_vm_bye", {}),
        [Expected(VOICEMAIL, "109", "voicemail")],
    ),
    "voicemail dialled directly": (
        "*102",
        {},
        ("uac_vm_bye", {}),
        [Expected(ANNA, "102", "voicemail"), Expected(VOICEMAIL, "102", "voicemail")],
    ),
    "gone in the greeting of a mailbox dialled directly": (
        "*102",
        {},
        ("uac_bye", {"caller_number": "777", "duration_ms": 500}),
        [Expected(ANNA, "102", "NOANSWER")],
    ),
    "gone in the greeting after an extension": (
        "109",
        {109: "uas_ring"},
        ("uac_bye", {"caller_number": "777", "duration_ms": 500}),
        [Expected(COMMON, "109", "NOANSWER", 3)],
    ),
    "gone in a menu": ("300", RINGS, ("uac_bye", {"duration_ms": 500}), []),
    "a menu, then an extension": ("300", RINGS, ("uac_noanswer", {}), [Expected(IVAN, "101", "NOANSWER", 3)]),
    "an outbound call": ("9123", RINGS, ("uac_noanswer", {}), []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_call(office: Office, case: str) -> None:
    extension, phones, (scenario, options), expected = CASES[case]
    with ExitStack() as stack:
        for number, phone in phones.items():
            stack.enter_context(office.phone(number, phone, 500))
        office.call(extension, scenario, **options)
    mails = sorted(office.mails(len(expected)), key=lambda mail: (mail.to, called(mail)))
    assert [(mail.to, called(mail), ended(mail)) for mail in mails] == [tuple(one[:3]) for one in expected]
    for mail, one in zip(mails, expected):
        assert "seconds" not in mail.fields or 0 <= int(mail.fields["seconds"]) - one.seconds <= 2, mail.fields
    assert "already" not in office.asterisk.log_since_mark()


FORWARDED: dict[str, tuple[str, dict[int, str], tuple[str, dict[str, object]], list[Expected]]] = {
    "to an extension that rings out": (
        "102",
        {102: "uas_ring"},
        ("uac_noanswer", {}),
        [Expected(ANNA, "102", "NOANSWER", 3), Expected(COMMON, "106", "BUSY")],
    ),
    "to an extension that answers": ("102", {102: "uas_answer"}, ("uac_bye", {}), []),
    "to an extension whose mailbox takes a message": (
        "109",
        {109: "uas_ring"},
        ("uac_vm_bye", {}),
        [Expected(VOICEMAIL, "109", "voicemail")],
    ),
    "to a number outside": ("9123", RINGS, ("uac_noanswer", {}), [Expected(COMMON, "106", "BUSY")]),
}


@pytest.mark.parametrize("case", FORWARDED)
def test_a_busy_phone_forwards(office: Office, case: str) -> None:
    """Who it forwards to is rung as well, and who was busy has no more part in it."""
    to, phones, (scenario, options), expected = FORWARDED[case]
    office.asterisk.command(f"database put CFB 106 {to}")
    try:
        with ExitStack() as stack:
            for number, phone in {106: "uas_486", **phones}.items():
                stack.enter_context(office.phone(number, phone, 500))
            office.call("106", scenario, **options)
    finally:
        office.asterisk.command("database del CFB 106")
    mails = office.mails(len(expected))
    assert [(mail.to, called(mail), ended(mail)) for mail in mails] == [tuple(one[:3]) for one in expected]


Caller = Callable[[OutgoingCall], None]
TRANSFERRED: dict[str, tuple[str, Behaviour, Caller, list[Expected]]] = {
    "to an extension that rings out": ("106", rings, waits, [Expected(COMMON, "106", "NOANSWER")]),
    "to an extension that answers": ("106", answers(talks=1), waits, []),
    "to follow me": ("8106", rings, waits, [Expected(ANNA, "102", "BUSY"), Expected(COMMON, "106", "NOANSWER")]),
    "to an extension whose mailbox takes a message": (
        "109",
        rings,
        speaks(),
        [Expected(VOICEMAIL, "109", "voicemail")],
    ),
}


@pytest.mark.parametrize("case", TRANSFERRED)
def test_an_agent_transfers(office: Office, case: str) -> None:
    """The caller waits behind the agent's Local channel from then on, which runs FreePBX's dialplan."""
    number, target, caller, expected = TRANSFERRED[case]
    behaviours = {"101": answers(0.3, transfers_to(number)), "102": refuses(486), number[-3:]: target}
    server = (SERVER, office.asterisk.port)
    with ExitStack() as stack:
        for phone, behaviour in behaviours.items():
            address = (PHONES, office.asterisk.port + int(phone))
            stack.enter_context(Phones(address, server, {phone: behaviour}))
        outside = stack.enter_context(Phones((CALLERS, 0), server))
        call = outside.call("700", caller_number="5551212")
        if caller is not waits:
            office.asterisk.wait_for_log(re.compile(r"Executing .* VoiceMail\("))
        caller(call)
        assert call.wait_for_end()
        office.asterisk.wait_until_idle()
    mails = office.mails(len(expected))
    assert [(mail.to, called(mail), ended(mail)) for mail in mails] == [tuple(one[:3]) for one in expected]


def called(mail: Mail) -> str:
    return mail.fields.get("called") or mail.fields["mailbox"].partition("@")[0]


def ended(mail: Mail) -> str:
    return mail.fields.get("status") or mail.subject.partition(" ")[0]


def test_a_withheld_number_stays_withheld(office: Office) -> None:
    """Although an inbound route says that each number may be shown."""
    headers = ["Privacy: id", "P-Asserted-Identity: <sip:5559876@example.com>"]
    with office.phone(101, "uas_ring"):
        office.call("101", headers=headers)
    (mail,) = office.mails(1)
    assert "5559876" not in mail.message.as_string()
    assert "5551212" not in mail.message.as_string()


def test_a_paused_member_is_not_rung(office: Office) -> None:
    office.asterisk.command("queue pause member Local/102@from-queue/n queue 700")
    try:
        with office.phone(101, "uas_ring"), office.phone(102, "uas_ring"):
            office.call("700")
        assert [called(mail) for mail in office.mails(1)] == ["101"]
    finally:
        office.asterisk.command("queue unpause member Local/102@from-queue/n queue 700")


def test_who_talked_has_missed_nothing(office: Office) -> None:
    """Ivan has talked; then the call goes to Anna, who does not answer."""
    asterisk = office.asterisk
    with office.phone(101, "uas_answer"), office.phone(102, "uas_ring"):
        call = asterisk.start_call("uac_noanswer", "101")
        asterisk.wait_for_log("joined 'simple_bridge'", count=2)
        (channel,) = re.findall(r"PJSIP/trunk-\w+", asterisk.command("core show channels concise"))[:1]
        asterisk.command(f"channel redirect {channel} ext-local,102,1")
        call.wait()
        asterisk.wait_until_idle()
    assert [(mail.to, called(mail)) for mail in office.mails(1)] == [(ANNA, "102")]


@pytest.fixture
def without_our_dialplan(office: Office) -> Iterator[Path]:
    """Return what FreePBX's file would include, and is not there."""
    path = office.asterisk.etc / "extensions_pbxnotify.conf"
    away = path.with_name("away")
    path.rename(away)
    office.asterisk.command("dialplan reload")
    yield path
    away.rename(path)
    office.asterisk.command("dialplan reload")


def test_what_check_says(office: Office) -> None:
    done = office.pbxnotify("check")
    assert done.returncode == 0, done.stdout
    assert "dialplan" not in done.stdout
    assert "pbxnotify:" not in done.stdout
    assert "FreePBX" not in done.stdout


def test_what_check_says_when_our_line_comes_too_late(office: Office) -> None:
    etc = office.asterisk.etc
    line = (etc / "extensions_override_freepbx.conf").read_text()
    try:
        (etc / "extensions_override_freepbx.conf").write_text("")
        (etc / "extensions_custom.conf").write_text(line)
        office.asterisk.command("dialplan reload")
        assert "extensions_override_freepbx.conf" in office.pbxnotify("check").stdout
    finally:
        (etc / "extensions_override_freepbx.conf").write_text(line)
        (etc / "extensions_custom.conf").write_text("")
        office.asterisk.command("dialplan reload")


def test_calls_go_on_without_our_dialplan(office: Office, without_our_dialplan: Path) -> None:
    with office.phone(101, "uas_ring"):
        office.call("101")
    assert "Dial(" in office.asterisk.log_since_mark()
