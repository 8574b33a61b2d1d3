"""Why a call was missed, in words."""

from __future__ import annotations

import pytest
from golden import Golden

from pbxnotify.events import MissedCall
from pbxnotify.languages.language import LANGUAGE_CODES, load_language
from pbxnotify.mail.content import PHONE, REASONS, has_rung, reason_for
from pbxnotify.settings.validators import DIAL_STATUSES

QUEUE_STATUSES = ("ABANDONED", "TIMEOUT", "FULL", "JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL")


def why(status: str, duration: int = 12, phone: str = "", code: str = "en") -> str:
    """Return the sentence about a call."""
    return reason_for(MissedCall(dial_status=status, duration=duration, phone=phone), load_language(code))


def sentence(name: str) -> str:
    """Return a sentence by its name in the files of languages, about a call of 12 seconds."""
    return load_language("en").why[name].format(length="12 s")


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("NOANSWER", "no answer"),
        ("CANCEL", "hung up"),
        ("BUSY", "busy"),
        ("CHANUNAVAIL", "out of reach"),
        ("CONGESTION", "congestion"),
        ("DONTCALL", "congestion"),
        ("TORTURE", "congestion"),
        ("INVALIDARGS", "congestion"),
        ("ABANDONED", "left the queue"),
        ("TIMEOUT", "queue timeout"),
        ("FULL", "queue full"),
        ("JOINEMPTY", "queue empty"),
        ("LEAVEUNAVAIL", "queue empty"),
        ("", "no answer"),
        ("SOMETHING NEW", "no answer"),
    ],
)
def test_statuses(golden: Golden, status: str, name: str) -> None:
    assert why(status) == sentence(name)
    golden(why(status))


@pytest.mark.parametrize(
    ("phone", "name"),
    [
        ("not registered", "not registered"),
        ("declined", "declined"),
        ("", "out of reach"),
        ("queue full", "out of reach"),
    ],
)
def test_what_is_known_of_the_phone(golden: Golden, phone: str, name: str) -> None:
    assert why("CHANUNAVAIL", phone=phone) == sentence(name)
    golden(why("CHANUNAVAIL", phone=phone))


@pytest.mark.parametrize("status", ["BUSY", "CHANUNAVAIL", "CONGESTION", "NOANSWER"])
def test_what_the_last_of_several_phones_said_is_not_said_of_all(status: str) -> None:
    call = MissedCall(dial_status=status, extensions=("101", "102"), phone="declined")
    assert reason_for(call, load_language("en")) == sentence("no answer")


def test_the_caller_hung_up_whoever_was_called() -> None:
    call = MissedCall(dial_status="CANCEL", extensions=("101", "102"), duration=12)
    assert reason_for(call, load_language("en")) == sentence("hung up")


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
    assert why("BUSY", phone="declined") == sentence("busy")


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
