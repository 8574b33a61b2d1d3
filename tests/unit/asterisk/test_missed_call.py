"""What counts as a missed call, for whom, and how long it rang."""

from __future__ import annotations

import pytest
from far_end import RANG_OUT

from pbxnotify.asterisk.missed_call import missed_call_on
from pbxnotify.events import MissedCall, Ring

NOW = 1795478890.4
BEGAN = "1795478867.0"
"""UNIQUEID of a channel that was created 23 s before."""
UNSET = dict.fromkeys(
    ("DIALSTATUS", "QUEUESTATUS", "HANGUPCAUSE", "ABANDONED", "VMSTATUS", "PBXNOTIFY_WATCHED", "FORWARDERNAME"), ""
)
"""Variables that Asterisk said are unset."""


def missed(argument: str = "101", **variables: str) -> MissedCall | None:
    channel = {**UNSET, **RANG_OUT, "UNIQUEID": BEGAN, **variables}
    return missed_call_on(channel, argument, NOW)


@pytest.mark.parametrize(
    ("variables", "dial_status"),
    [
        pytest.param({"DIALSTATUS": "NOANSWER"}, "NOANSWER", id="rang out"),
        pytest.param({"DIALSTATUS": "CANCEL"}, "CANCEL", id="caller gave up"),
        pytest.param({"DIALSTATUS": "BUSY"}, "BUSY", id="busy"),
        pytest.param({"DIALSTATUS": "CHANUNAVAIL"}, "CHANUNAVAIL", id="not registered"),
        pytest.param({"DIALSTATUS": "", "ABANDONED": "TRUE"}, "ABANDONED", id="queue abandoned"),
        pytest.param({"DIALSTATUS": "", "ABANDONED": "TRUE", "QUEUESTATUS": "TIMEOUT"}, "TIMEOUT", id="timed out"),
        pytest.param({"DIALSTATUS": "", "QUEUESTATUS": "JOINEMPTY"}, "JOINEMPTY", id="empty queue"),
        pytest.param({"DIALSTATUS": "", "VMSTATUS": "FAILED"}, "NOANSWER", id="night mode, gone in the greeting"),
    ],
)
def test_missed(variables: dict[str, str], dial_status: str) -> None:
    call = missed(**variables)
    assert call is not None
    assert call.dial_status == dial_status


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"DIALSTATUS": "ANSWER"}, id="answered"),
        pytest.param({"DIALSTATUS": "ANSWER", "QUEUESTATUS": "TIMEOUT"}, id="queue timed out, overflow answered"),
        pytest.param({"DIALSTATUS": "", "QUEUESTATUS": "CONTINUE"}, id="queue answered, call goes on"),
        pytest.param({"DIALSTATUS": "CANCEL", "HANGUPCAUSE": "26"}, id="answered elsewhere"),
        pytest.param({"DIALSTATUS": ""}, id="nobody was rung"),
    ],
)
def test_not_missed(variables: dict[str, str]) -> None:
    assert missed(**variables) is None


DIALLED, OTHER = "PJSIP/101-00000005", "PJSIP/101-00000006"


@pytest.mark.parametrize(
    ("variables", "phone"),
    [
        pytest.param({"HANGUPCAUSE_KEYS()": ""}, "not registered", id="no channel could be made"),
        pytest.param(
            {"HANGUPCAUSE_KEYS()": DIALLED, f"HANGUPCAUSE({DIALLED},ast)": "Call Rejected"}, "declined", id="rejected"
        ),
        pytest.param(
            {"HANGUPCAUSE_KEYS()": DIALLED, f"HANGUPCAUSE({DIALLED},ast)": "Network out of order"}, "", id="a fault"
        ),
        pytest.param({"HANGUPCAUSE_KEYS()": DIALLED}, "", id="a cause that could not be read"),
        pytest.param(
            {
                "HANGUPCAUSE_KEYS()": f"{DIALLED},{OTHER}",
                f"HANGUPCAUSE({DIALLED},ast)": "Call Rejected",
                f"HANGUPCAUSE({OTHER},ast)": "User busy",
            },
            "",
            id="two phones, one rejected",
        ),
        pytest.param(
            {
                "HANGUPCAUSE_KEYS()": f"{OTHER},{DIALLED}",
                f"HANGUPCAUSE({DIALLED},ast)": "Call Rejected",
                f"HANGUPCAUSE({OTHER},ast)": "Call Rejected",
            },
            "declined",
            id="two phones of one employee, both rejected",
        ),
        pytest.param({}, "", id="a channel that does not say"),
        pytest.param(
            {"HANGUPCAUSE_KEYS()": "x)} ${SHELL(id)", "HANGUPCAUSE(x)} ${SHELL(id),ast)": "Call Rejected"},
            "",
            id="a channel that cannot be",
        ),
    ],
)
def test_what_is_known_of_a_phone_that_is_not_available(variables: dict[str, str], phone: str) -> None:
    call = missed(DIALSTATUS="CHANUNAVAIL", **variables)
    assert call is not None
    assert call.phone == phone


@pytest.mark.parametrize("argument", ["101&102", "+79161234567"], ids=["several", "a mobile number"])
def test_nothing_is_known_of_one_phone_where_it_may_be_another(argument: str) -> None:
    call = missed(argument, DIALSTATUS="CHANUNAVAIL", **{"HANGUPCAUSE_KEYS()": ""})
    assert call is not None
    assert call.phone == ""


def test_a_phone_that_was_available_is_not_asked_about() -> None:
    call = missed(DIALSTATUS="NOANSWER", **{"HANGUPCAUSE_KEYS()": ""})
    assert call is not None
    assert call.phone == ""


def test_a_channel_that_could_not_be_asked_counts_as_missed() -> None:
    call = missed_call_on({"CALLERID(num)": "5551212", "UNIQUEID": "1795478867.0"}, "101", NOW)
    assert call == MissedCall(1795478867.0, 23, ("101",), "5551212", linked_id="1795478867.0", unique_id="1795478867.0")


@pytest.mark.parametrize(
    ("variables", "began", "duration"),
    [
        pytest.param({}, 1795478867.0, 23, id="channel's creation"),
        pytest.param(
            {"PBXNOTIFY_WATCHED": "|101", "FORWARDERNAME": "pbxnotify", "PBXNOTIFY_RANG_101": "1795478880-10-NOANSWER"},
            1795478880.0,
            10,
            id="noted by watch",
        ),
        pytest.param({"UNIQUEID": "pbx-1-1795478885.12"}, 1795478885.0, 5, id="with systemname"),
        pytest.param({"UNIQUEID": "my-own-id"}, NOW, 0, id="id given through ARI"),
        pytest.param({"UNIQUEID": "1995478885.12"}, NOW, 0, id="in the future"),
        pytest.param({"UNIQUEID": "1695478885.12"}, NOW, 0, id="older than a day"),
    ],
)
def test_when_it_began(variables: dict[str, str], began: float, duration: int) -> None:
    call = missed(**variables)
    assert call is not None
    assert (call.time, call.duration) == (began, duration)


@pytest.mark.parametrize(
    ("argument", "variables", "extensions"),
    [
        pytest.param("101&102", {}, ("101", "102"), id="argument"),
        pytest.param("", {"PBXNOTIFY_TO": "103&103"}, ("103",), id="PBXNOTIFY_TO, each once"),
        pytest.param("", {"CALLERID(dnid)": "74951234567"}, ("74951234567",), id="dialled number"),
        pytest.param("", {"CALLERID(dnid)": ""}, ("101",), id="extension"),
        pytest.param("PJSIP/101&Local/102@in/n&SIP/trunk/89161234567", {}, ("101", "102", "89161234567"), id="dial"),
        pytest.param("101, 102", {}, ("101", "102"), id="as people write it"),
        pytest.param("&&", {}, (), id="nothing named"),
    ],
)
def test_who_was_rung(argument: str, variables: dict[str, str], extensions: tuple[str, ...]) -> None:
    call = missed(argument, **variables)
    assert call is not None
    assert call.extensions == extensions


@pytest.mark.parametrize(
    ("variables", "left_a_message"),
    [
        pytest.param({}, False, id="no VoiceMail"),
        pytest.param({"VMSTATUS": "SUCCESS", "VM_MESSAGEFILE": "/x/msg0000"}, True, id="a message was left"),
        pytest.param({"VMSTATUS": "USEREXIT", "VM_MESSAGEFILE": "/x/msg0000"}, True, id="left, then 0 was pressed"),
        pytest.param({"VMSTATUS": "SUCCESS"}, False, id="a box that only plays its greeting"),
        pytest.param({"VMSTATUS": "FAILED"}, False, id="gone in the greeting"),
        pytest.param({"VMSTATUS": "FAILED", "VM_MESSAGEFILE": "/x/msg0000"}, False, id="stale, from an earlier one"),
    ],
)
def test_whether_a_voicemail_was_left(variables: dict[str, str], left_a_message: bool) -> None:
    call = missed(**variables)
    assert call is not None
    assert call.voicemail == left_a_message


@pytest.mark.parametrize(
    ("variables", "duration"),
    [
        pytest.param({"VMSTATUS": "FAILED", "CDR(start,u)": "1795478880.123456"}, 13, id="VoiceMail took the call"),
        pytest.param({"VMSTATUS": "FAILED", "CDR(start,u)": ""}, 23, id="no call detail records"),
        pytest.param({"VMSTATUS": "FAILED", "CDR(start,u)": "1795478000.000000"}, 23, id="before it rang"),
        pytest.param({"VMSTATUS": "FAILED", "CDR(start,u)": "1795479999.000000"}, 23, id="in the future"),
        pytest.param({"CDR(start,u)": "1795478880.123456"}, 23, id="no VoiceMail"),
    ],
)
def test_the_greeting_is_not_ringing(variables: dict[str, str], duration: int) -> None:
    call = missed(**variables)
    assert call is not None
    assert call.duration == duration


def watched(*rang: tuple[str, str], argument: str = "", **variables: str) -> MissedCall | None:
    """Return the call whose ``watch`` noted this of what it was given: SINCE-SECONDS-CAUSE."""
    noted = {f"PBXNOTIFY_RANG_{extension}": text for extension, text in rang}
    names = "".join(f"|{extension}" for extension, _ in rang)
    return missed(
        argument, **{"DIALSTATUS": "", "PBXNOTIFY_WATCHED": names, "FORWARDERNAME": "pbxnotify", **noted, **variables}
    )


RANG = "1795478880-3-NOANSWER"


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="no Dial"),
        pytest.param({"DIALSTATUS": "ANSWER"}, id="screened"),
        pytest.param({"QUEUESTATUS": "CONTINUE"}, id="a queue that says it was answered"),
        pytest.param({"HANGUPCAUSE": "26"}, id="answered elsewhere, by a leg"),
    ],
)
def test_a_watched_call_with_which_nobody_talked_is_missed(variables: dict[str, str]) -> None:
    call = watched(("101", "1795478880-3-ANSWER"), **variables)
    assert call == watched(("101", "1795478880-3-INVALIDARGS"), **variables)
    assert call is not None
    assert (call.extensions, call.dial_status, call.duration) == (("101",), "NOANSWER", 3)


@pytest.mark.parametrize("variables", [{}, {"DIALSTATUS": "NOANSWER"}, {"ABANDONED": "TRUE"}], ids=str)
def test_a_channel_that_has_been_in_a_bridge_has_talked(variables: dict[str, str]) -> None:
    assert watched(("101", RANG), FORWARDERNAME="", **variables) is None


def test_who_was_not_watched_is_notified_of_what_dial_says_after_a_conversation() -> None:
    call = watched(("101", RANG), argument="102", FORWARDERNAME="", DIALSTATUS="BUSY")
    assert call is not None
    assert (call.extensions, call.dial_status) == (("102",), "BUSY")


@pytest.mark.parametrize(
    ("rang", "variables", "rings"),
    [
        pytest.param(
            [("101", "1795478880-0-BUSY"), ("102", "1795478881-6-NOANSWER")],
            {},
            [Ring("101", 1795478880.0, 0, "BUSY"), Ring("102", 1795478881.0, 6, "NOANSWER")],
            id="one after the other",
        ),
        pytest.param(
            [("101", "1795478880-2-1795478886"), ("102", "1795478880-3-CANCEL")],
            {"ABANDONED": "TRUE"},
            [Ring("101", 1795478880.0, 6, "ABANDONED"), Ring("102", 1795478880.0, 3, "ABANDONED")],
            id="legs of a queue, one of which still rings",
        ),
        pytest.param(
            [("101", "1795478880-0-BUSY"), ("102", "1795478880-3-CANCEL")],
            {"DIALSTATUS": "BUSY"},
            [Ring("101", 1795478880.0, 0, "BUSY"), Ring("102", 1795478880.0, 3, "NOANSWER")],
            id="a busy phone forwards to one that rings",
        ),
        pytest.param(
            [("101&102", "1795478880-5-NOANSWER")],
            {"HANGUPCAUSE_KEYS()": "PJSIP/101-01,PJSIP/102-02", "HANGUPCAUSE(PJSIP/101-01,ast)": "User busy"},
            [Ring("101", 1795478880.0, 0, "BUSY"), Ring("102", 1795478880.0, 5, "NOANSWER")],
            id="a group, one of which was busy",
        ),
        pytest.param(
            [("101&102", "1795478880-5-NOANSWER")],
            {"HANGUPCAUSE_KEYS()": "PJSIP/101-01", "HANGUPCAUSE(PJSIP/101-01,ast)": "Call Rejected"},
            [
                Ring("101", 1795478880.0, 0, "CHANUNAVAIL", "declined"),
                Ring("102", 1795478880.0, 0, "CHANUNAVAIL", "not registered"),
            ],
            id="a group, one of which declined and one is not registered",
        ),
        pytest.param(
            [("101&102", "1795478880-5-NOANSWER")],
            {"HANGUPCAUSE_KEYS()": "PJSIP/desk-01,PJSIP/hall-02"},
            [Ring("101", 1795478880.0, 5, "NOANSWER"), Ring("102", 1795478880.0, 5, "NOANSWER")],
            id="a group whose channels have other names",
        ),
        pytest.param(
            [("101", "1795478880-900-NOANSWER"), ("102", "nonsense")],
            {},
            [Ring("101", 1795478880.0, 10, "NOANSWER"), Ring("102", NOW, 0, "NOANSWER")],
            id="no longer than the call, and a variable that somebody else wrote",
        ),
    ],
)
def test_each_hears_what_their_own_phone_did(
    rang: list[tuple[str, str]], variables: dict[str, str], rings: list[Ring]
) -> None:
    call = watched(*rang, **variables)
    assert call is not None
    assert list(call.rings) == rings


def test_the_caller_is_who_called_at_the_first_watch() -> None:
    first = {"PBXNOTIFY_PRES": "prohib", "PBXNOTIFY_NUMBER": "5551212", "PBXNOTIFY_NAME": "Alice"}
    now = {"CALLERID(num)": "74950000000", "CALLERID(name)": "Our office", "CALLERID(num-pres)": "allowed"}
    before, after = watched(("101", RANG), **first, **now), watched(("101", RANG), ATTENDEDTRANSFER="x", **first, **now)
    assert before and (before.caller_number, before.caller_name, before.private) == ("5551212", "Alice", True)
    assert after and (after.caller_number, after.caller_name, after.private) == ("74950000000", "Our office", False)


def test_a_number_that_freepbx_shows_stays_withheld() -> None:
    call = watched(("101", RANG), CALLINGNUMPRES_SV="prohib_passed_screen")
    assert call is not None
    assert call.private
