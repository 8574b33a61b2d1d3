"""What counts as a missed call, what is kept of it, and how it is written down."""

from __future__ import annotations

import json

import pytest
from far_end import RANG_OUT
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify import events, log
from pbxnotify.events import Alert, MissedCall

NOW = 1795478890.4
UNSET = dict.fromkeys(
    ("DIALSTATUS", "QUEUESTATUS", "HANGUPCAUSE", "ABANDONED", "VMSTATUS", "CDR(lastapp)", "PBXNOTIFY_CAUSE"), ""
)
"""Variables that Asterisk answered for: they are unset."""


def missed(argument: str = "101", **variables: str) -> MissedCall | None:
    channel = {**UNSET, **RANG_OUT, **variables}
    return events.missed_call(channel, argument, NOW)


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
        pytest.param({"DIALSTATUS": "", "PBXNOTIFY_CAUSE": "BUSY"}, "BUSY", id="hung up before the next one rang"),
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
        pytest.param({"DIALSTATUS": "", "CDR(lastapp)": "Queue", "PBXNOTIFY_CAUSE": "NOANSWER"}, id="queue answered"),
        pytest.param({"DIALSTATUS": ""}, id="nobody was rung"),
    ],
)
def test_not_missed(variables: dict[str, str]) -> None:
    assert missed(**variables) is None


def test_a_channel_that_could_not_be_asked_is_told() -> None:
    call = events.missed_call({"CALLERID(num)": "5551212", "UNIQUEID": "1795478867.0"}, "101", NOW)
    assert call == MissedCall(
        1795478867.0, 23, ("101",), "5551212", linked_id="1795478867.0", unique_id="1795478867.0"
    )


@pytest.mark.parametrize(
    ("variables", "began", "duration"),
    [
        pytest.param({}, 1795478867.0, 23, id="channel's creation"),
        pytest.param({"PBXNOTIFY_SINCE": "1795478880"}, 1795478880.0, 10, id="noted by watch"),
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
    ("text", "cleaned"),
    [
        pytest.param("5551212\nagi_uniqueid: forged", "5551212 agi_uniqueid: forged", id="newline"),
        pytest.param("\x1b[2Jred\x00\x7f", "[2Jred", id="terminal escape"),
        pytest.param("Иван Петров", "Иван Петров", id="Cyrillic"),
        pytest.param("Anna 😀", "Anna 😀", id="emoji"),
        pytest.param("Ива\udcd0", "Ива", id="cut in half"),
        pytest.param("a\udcffb", "a\ufffdb", id="bad byte"),
        pytest.param("left\u202eright", "left right", id="direction override"),
        pytest.param("x" * 1000, "x" * 256, id="long"),
    ],
)
def test_clean(text: str, cleaned: str) -> None:
    assert events.clean(text) == cleaned


@given(st.binary())
def test_clean_text_is_one_printable_line(received: bytes) -> None:
    assert events.clean(received.decode("utf-8", "surrogateescape")).isprintable()


def test_quotes_in_a_name_are_unescaped() -> None:
    call = missed(**{"CALLERID(name)": 'Bob \\"the\\" \\\\ Builder'})
    assert call is not None
    assert call.caller_name == 'Bob "the" \\ Builder'


def test_a_withheld_number_is_not_in_the_log() -> None:
    call = missed(**{"CALLERID(num-pres)": "prohib_passed_screen"})
    assert call is not None
    assert call.private
    assert "5551212" not in log.state("queued", "1", call)


CALL = MissedCall(1795478867.0, 23, ("101", "102"), "555", "Иван", True, "BUSY", "1795478867.0")


@pytest.mark.parametrize("event", [CALL, Alert(1.0, "disk", "full", "disk-/")], ids=["missed", "alert"])
def test_json_and_back(event: events.Event) -> None:
    assert events.from_json(json.loads(json.dumps(events.to_json(event)))) == event


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({}, id="no kind"),
        pytest.param({"event": "fax"}, id="unknown kind"),
        pytest.param({"event": "missed", "duration": "long"}, id="text for a number"),
        pytest.param({"event": "missed", "extensions": "101"}, id="text for a list"),
        pytest.param({"event": "missed", "time": None}, id="null"),
    ],
)
def test_a_damaged_record(record: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        events.from_json(record)


def test_a_log_line_stays_one_line(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PBXNOTIFY_LOG", str(tmp_path / "log"))
    call = CALL._replace(caller_number="5\n6 state=sent", private=False)
    assert log.state("queued", "1", call, 'said "no"\r\nand left') == (
        "pbxnotify: queued id=1 event=missed from=5_6_state_sent to=101&102 reason=\"said 'no' and left\""
    )
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_a_log_file_that_cannot_be_written_raises_nothing(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PBXNOTIFY_LOG", str(tmp_path / "missing" / "log"))
    assert log.state("queued", "1", CALL)
