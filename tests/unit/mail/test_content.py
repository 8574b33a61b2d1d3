"""Why a call was missed, in words."""

from __future__ import annotations

import pytest

from pbxnotify.events import MissedCall
from pbxnotify.languages.language import LANGUAGE_CODES, load_language
from pbxnotify.mail.content import PHONE, REASONS, has_rung, reason_for
from pbxnotify.settings.validators import DIAL_STATUSES

QUEUE_STATUSES = ("ABANDONED", "TIMEOUT", "FULL", "JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL")


def why(status: str, duration: int = 12, phone: str = "", code: str = "en") -> str:
    """Return the sentence about a call."""
    return reason_for(MissedCall(dial_status=status, duration=duration, phone=phone), load_language(code))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("NOANSWER", "Nobody answered."),
        ("CANCEL", "The caller hung up after 12 s."),
        ("BUSY", "The line was busy."),
        ("CHANUNAVAIL", "The phone could not be reached."),
        ("CONGESTION", "The call could not be put through."),
        ("DONTCALL", "The call could not be put through."),
        ("TORTURE", "The call could not be put through."),
        ("INVALIDARGS", "The call could not be put through."),
        ("ABANDONED", "The caller left the queue after 12 s."),
        ("TIMEOUT", "Nobody in the queue answered."),
        ("FULL", "The queue was full."),
        ("JOINEMPTY", "Nobody was on duty in the queue."),
        ("LEAVEUNAVAIL", "Nobody was on duty in the queue."),
        ("", "Nobody answered."),
        ("SOMETHING NEW", "Nobody answered."),
    ],
)
def test_statuses(status: str, sentence: str) -> None:
    assert why(status) == sentence


@pytest.mark.parametrize(
    ("phone", "sentence"),
    [
        ("not registered", "The phone is not registered."),
        ("declined", "The call was declined."),
        ("", "The phone could not be reached."),
        ("queue full", "The phone could not be reached."),
    ],
)
def test_what_is_known_of_the_phone(phone: str, sentence: str) -> None:
    assert why("CHANUNAVAIL", phone=phone) == sentence


@pytest.mark.parametrize("status", ["BUSY", "CHANUNAVAIL", "CONGESTION", "NOANSWER"])
def test_what_the_last_of_several_phones_said_is_not_said_of_all(status: str) -> None:
    call = MissedCall(dial_status=status, extensions=("101", "102"), phone="declined")
    assert reason_for(call, load_language("en")) == "Nobody answered."


def test_the_caller_hung_up_whoever_was_called() -> None:
    call = MissedCall(dial_status="CANCEL", extensions=("101", "102"), duration=12)
    assert reason_for(call, load_language("en")) == "The caller hung up after 12 s."


@pytest.mark.parametrize(
    ("status", "phone", "duration", "expected"),
    [
        ("NOANSWER", "", 12, True),
        ("NOANSWER", "", 0, False),
        ("BUSY", "", 3, True),
        ("CHANUNAVAIL", "declined", 3, True),
        ("CHANUNAVAIL", "not registered", 13, False),
        ("CHANUNAVAIL", "", 13, False),
        ("CONGESTION", "", 13, False),
        ("CANCEL", "", 12, False),
        ("ABANDONED", "", 12, False),
        ("TIMEOUT", "", 30, True),
        ("FULL", "", 30, False),
        ("JOINEMPTY", "", 30, False),
    ],
)
def test_whether_it_has_rung(status: str, phone: str, duration: int, expected: bool) -> None:
    call = MissedCall(dial_status=status, phone=phone, duration=duration)
    assert has_rung(call) == expected


def test_the_phone_does_not_matter_otherwise() -> None:
    assert why("BUSY", phone="declined") == "The line was busy."


@pytest.mark.parametrize("status", ["CANCEL", "ABANDONED"])
@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_at_once(status: str, code: str) -> None:
    assert "0" not in why(status, 0, code=code)


@pytest.mark.parametrize("status", [*DIAL_STATUSES, *QUEUE_STATUSES])
def test_none_is_left_out(status: str) -> None:
    assert status in REASONS


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_every_sentence_is_used(code: str) -> None:
    used = {*REASONS.values(), *PHONE}
    assert {name.replace(" at once", "") for name in load_language(code).why} == used
