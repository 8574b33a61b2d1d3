"""Who called: the name, the number as it is read, and what a phone dials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.events import MissedCall, Voicemail
from pbxnotify.languages.language import load_language
from pbxnotify.mail.caller import Caller, caller_in
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.sections import Settings
from pbxnotify.text import clean

ENGLISH = load_language("en")
CALL = MissedCall(caller_number="+74951234567", caller_name="Alice Smith")
INI = """\
[notifications]
phone_book = {book}
[employees]
[[102]]
name = Anna
mobile = +7 916 123-45-67
[[103]]
"""


@pytest.fixture
def settings(write_ini: Callable[[str], Path], tmp_path: Path) -> Settings:
    """Return settings with a card and a phone book."""
    book = tmp_path / "book.csv"
    book.write_text(
        "number,name\n+7 (495) 123-45-67,Ромашка\n102,not Anna\n103,The Kitchen\n+44 20 7946 0000,London\n"
        "+44 20 7946 0001,London Jane Иван Пётр\n"
    )
    return load_settings(write_ini(INI.format(book=book)))


@pytest.mark.parametrize("kind", [MissedCall, Voicemail])
@pytest.mark.parametrize(
    ("number", "name", "known"),
    [
        pytest.param("102", "", "Anna", id="the card first"),
        pytest.param("8 (916) 123-45-67", "", "Anna", id="by the mobile number"),
        pytest.param("102", "Reception", "Anna (Reception)", id="with the caller's own name beside it"),
        pytest.param("102", "ANNA", "Anna", id="not in another case"),
        pytest.param("84951234567", "", "Ромашка", id="then the phone book"),
        pytest.param("+74951234567", "Alice Smith", "Ромашка (Alice Smith)", id="with the caller's own beside it"),
        pytest.param("+442079460001", "Jane LONDON", "London Jane Иван Пётр", id="not the same words in another order"),
        pytest.param("+442079460001", "Петр Иван", "London Jane Иван Пётр", id="not a part, nor е for ё"),
        pytest.param("+442079460001", "Out-Of-Area", "London Jane Иван Пётр", id="not a word for no name"),
        pytest.param("+442079460001", "44 20 7946 0001", "London Jane Иван Пётр", id="not the number"),
        pytest.param("+442079460001", "Ив\ufffd\ufffdов", "London Jane Иван Пётр", id="not what is half missing"),
        pytest.param("+15550000000", "M\ufffdller", "M\ufffdller", id="a letter is missing and nobody knows it"),
        pytest.param("+15550000000", "\ufffd\ufffd \ufffd", "", id="no letter is left"),
        pytest.param("+15550000000", "(", "(", id="no letter at all"),
        pytest.param("+74951234567", "x" * 99, "Ромашка", id="a long name beside it"),
        pytest.param("+15550000000", "Alice Smith", "Alice Smith", id="the caller's own name alone"),
        pytest.param("103", "", "The Kitchen", id="a card without a name"),
        pytest.param("+15550000000", "", "", id="nobody knows"),
        pytest.param("74951234567", "74951234567", "Ромашка", id="a name that is the number"),
        pytest.param("+74951234567", "8 495 123-45-67", "Ромашка", id="the number in another form"),
        pytest.param("+15550000000", "Studio 54", "Studio 54", id="a name with digits"),
        pytest.param("", "", "", id="neither"),
        pytest.param("", "Alice", "Alice", id="a name alone"),
        pytest.param("", "123", "123", id="digits for a name"),
        pytest.param("alice", "Alice", "", id="a number that is the name"),
        pytest.param("+15550000000", "Anonymous", "", id="a word for no name"),
        pytest.param("102", "unknown", "Anna", id="another word for none"),
        pytest.param("+15550000000", "x" * 200, "x" * 100, id="a long name"),
    ],
)
def test_the_name(settings: Settings, kind: type, number: str, name: str, known: str) -> None:
    call = kind(caller_number=number, caller_name=name)
    assert caller_in(call, ENGLISH, settings).name == known


def test_a_phone_book_that_cannot_be_read_costs_the_name(write_ini, logged, tmp_path: Path) -> None:
    settings = load_settings(write_ini(INI.format(book=tmp_path / "none.csv")))
    for _ in range(3):
        assert caller_in(CALL._replace(caller_name=""), ENGLISH, settings).in_one_line == "+7 495 123-45-67"
    assert logged().count("none.csv") == 1


@pytest.mark.parametrize(
    ("call", "number", "is_shown"),
    [
        pytest.param(CALL, "+74951234567", True, id="a number"),
        pytest.param(CALL._replace(caller_number=""), ENGLISH.unknown, False, id="none"),
        pytest.param(CALL._replace(private=True), ENGLISH.private, False, id="withheld"),
        pytest.param(CALL._replace(caller_number="Anonymous"), ENGLISH.private, False, id="anonymous"),
        pytest.param(CALL._replace(caller_number="unknown"), ENGLISH.unknown, False, id="unknown"),
    ],
)
def test_the_number(settings: Settings, call: MissedCall, number: str, is_shown: bool) -> None:
    caller = caller_in(call, ENGLISH, settings)
    assert (caller.number, caller.is_shown, bool(caller.telephone)) == (number, is_shown, is_shown)


@pytest.mark.parametrize(
    ("caller", "in_subject"),
    [
        pytest.param(Caller("Ромашка (Alice)", "1", known="Ромашка"), "Ромашка (Alice)", id="both"),
        pytest.param(Caller(f"Ромашка ({'x' * 60})", "1", known="Ромашка"), "Ромашка", id="too long together"),
        pytest.param(Caller("x" * 61, "1"), "x" * 59 + "…", id="too long alone"),
    ],
)
def test_the_name_in_a_subject(caller: Caller, in_subject: str) -> None:
    assert caller.in_subject.name == in_subject


def test_who_withholds_the_number_has_no_name_either(settings: Settings) -> None:
    assert caller_in(CALL._replace(private=True), ENGLISH, settings).in_one_line == ENGLISH.private


@pytest.mark.parametrize(
    ("number", "readable", "telephone"),
    [
        ("+74951234567", "+7 495 123-45-67", "+74951234567"),
        ("74951234567", "+7 495 123-45-67", "+74951234567"),
        ("84951234567", "8 495 123-45-67", "+74951234567"),
        ("+12125550123", "+1 212 555-0123", "+12125550123"),
        ("12125550123", "12125550123", "12125550123"),
        ("+49301234567", "+49301234567", "+49301234567"),
        ("4951234567", "4951234567", "4951234567"),
        ("5551212", "5551212", "5551212"),
        ("+7 (495) 123-45-67", "+7 (495) 123-45-67", "+74951234567"),
        ("123456789012345678", "123456789012345678", "123456789012345678"),
        pytest.param("101", "101", "", id="101 is the fire brigade"),
        pytest.param("112", "112", "", id="112 is the emergency number"),
        pytest.param("00112", "00112", "", id="a prefix before it"),
        pytest.param("*100#", "*100#", "", id="a USSD code"),
        pytest.param("anonymous", "anonymous", "", id="a word"),
        pytest.param("+7495123456789012345678", "+7495123456789012345678", "", id="too long"),
        pytest.param("+74951234567;phone-context=evil", "+74951234567;phone-context=evil", "", id="a parameter"),
        pytest.param("١٢٣٤٥٦٧٨", "١٢٣٤٥٦٧٨", "", id="other digits"),
    ],
)
def test_how_a_number_is_read_and_dialled(number: str, readable: str, telephone: str) -> None:
    caller = Caller("", number, country="RU")
    assert (caller.readable, caller.telephone) == (readable, telephone)


@pytest.mark.parametrize(
    ("number", "telephone"),
    [
        ("74951234567", "74951234567"),
        ("84951234567", "84951234567"),
        ("+74951234567", "+74951234567"),
        ("+7 (495) 123-45-67", "+74951234567"),
    ],
)
def test_elsewhere_a_number_is_read_and_dialled_as_it_came(number: str, telephone: str) -> None:
    caller = Caller("", number, country="US")
    assert caller.telephone == telephone
    assert caller.readable.replace(" ", "").replace("-", "") == number.replace(" ", "").replace("-", "")


@given(st.text(st.sampled_from("0123456789+ -()./*#;=&\"'<>абв")).map(clean))
def test_nothing_but_digits_is_ever_dialled(number: str) -> None:
    assert set(Caller("", number).telephone) <= set("+0123456789")
    assert set(Caller("", number, country="RU").telephone) <= set("+0123456789")
