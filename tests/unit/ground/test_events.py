"""Events to and from JSON, their keys, and the cleaning of their texts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.asterisk.call import caller_of
from pbxnotify.events import Alert, Event, MissedCall, Ring, Voicemail, event_from_json, event_to_json
from pbxnotify.text import clean


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
    assert clean(text) == cleaned


@given(st.binary())
def test_clean_text_is_one_printable_line(received: bytes) -> None:
    assert clean(received.decode("utf-8", "surrogateescape")).isprintable()


def test_quotes_in_a_name_are_unescaped() -> None:
    caller = caller_of({"CALLERID(name)": 'Bob \\"the\\" \\\\ Builder'})
    assert caller["caller_name"] == 'Bob "the" \\ Builder'


CALL = MissedCall(1795478867.0, 23, ("101", "102"), "555", "Иван", True, "BUSY", "1795478867.0")


MESSAGE = Voicemail(
    *(1795478867.0, 65, ("101",), "555", "Иван", True, "1.1", "1.2", "101", "default", 4),
    *("/var/spool/asterisk/voicemail/default/101/INBOX", "1795478867-00000001", "1.1-msg0003", "wav", "odd"),
)


EVENTS = {
    "missed": CALL,
    "voicemail": MESSAGE,
    "alert": Alert(1.0, "disk", "full", "disk-/"),
    "silent": MESSAGE._replace(duration=0),
    "nothing known": Voicemail(),
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_json_and_back(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_unknown_numbers_in_a_queue_file() -> None:
    record = {"event": "voicemail", "duration": -1, "number": 0}
    assert event_to_json(Voicemail()).items() >= record.items()
    read = event_from_json(record)
    assert isinstance(read, Voicemail)
    assert (read.duration, read.number) == (None, None)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({}, id="no kind"),
        pytest.param({"event": "fax"}, id="unknown kind"),
        pytest.param({"event": "missed", "duration": "long"}, id="text for a number"),
        pytest.param({"event": "missed", "extensions": "101"}, id="text for a list"),
        pytest.param({"event": "missed", "time": None}, id="null"),
        pytest.param({"event": "voicemail", "duration": True}, id="yes for a number"),
        pytest.param({"event": "voicemail", "number": False}, id="no for a number"),
        pytest.param({"event": "voicemail", "duration": "1"}, id="text for a length"),
    ],
)
def test_a_damaged_record(record: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        event_from_json(record)


def test_a_message_has_the_same_keys_whatever_becomes_of_its_file() -> None:
    gone = MESSAGE._replace(message_id="")
    assert MESSAGE.keys() == {
        "101": "voicemail-1795478867-00000001-101",
        "": "voicemail-1795478867-00000001-",
    }
    assert set(gone.keys().values()) == {"voicemail-1.1-msg0003-101", "voicemail-1.1-msg0003-"}
    assert MESSAGE.aliases() == ("voicemail-1795478867-00000001", "voicemail-1.1-msg0003")
    assert gone.aliases() == ("voicemail-1.1-msg0003",)
    assert MESSAGE._replace(linked_id="").aliases() == (), "externnotify notifies only of one mailbox"


def test_an_owner_has_the_same_key_as_the_extension_of_that_number() -> None:
    owned = MESSAGE._replace(extensions=("101",), owners=("102@default", "101@company-b"))
    assert list(owned.keys().values()) == [
        f"voicemail-1795478867-00000001-{who}" for who in ("101", "102", "101@company-b", "")
    ]
    assert owned.only(["102@default"]) == owned._replace(extensions=(), owners=("102@default",), common=False)


RINGS = (
    Ring("101", 100.0, 0, "BUSY"),
    Ring("102", 101.0, 6, "NOANSWER"),
    Ring("103", 107.0, 0, "CHANUNAVAIL", "declined"),
)
HUNT = MissedCall(100.0, 7, ("101", "102", "103"), "5551212", dial_status="CHANUNAVAIL", phone="declined", rings=RINGS)


def test_what_each_phone_did_is_kept_in_json() -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(HUNT)))) == HUNT


@pytest.mark.parametrize("rings", ["none", ["101"], [{"extension": 101}], [{"duration": "6"}]], ids=str)
def test_damaged_rings(rings: object) -> None:
    with pytest.raises(ValueError):
        event_from_json({"event": "missed", "rings": rings})


@pytest.mark.parametrize(
    ("extensions", "seen"),
    [
        pytest.param(["101"], (100.0, 0, "BUSY", ""), id="one"),
        pytest.param(["101", "102"], (100.0, 7, "NOANSWER", ""), id="several: from first to last"),
        pytest.param(["104"], (100.0, 7, "CHANUNAVAIL", "declined"), id="none of them: the call as a whole"),
    ],
)
def test_the_call_as_some_phones_saw_it(extensions: list[str], seen: tuple[object, ...]) -> None:
    call = HUNT.for_phones(extensions)
    assert (call.time, call.duration, call.dial_status, call.phone) == seen
