"""Which numbers are the same, how they are read, and what is certain to be dialled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.phone_number import grouped, international, is_same_number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("+7 (916) 123-45-67", "89161234567", id="8 for +7"),
        pytest.param("+7 916 123-45-67", "79161234567", id="+ left out"),
        pytest.param("89161234567", "79161234567", id="8 and 7"),
        pytest.param("9161234567", "+79161234567", id="no prefix"),
        pytest.param("8 10 7 916 123-45-67", "+79161234567", id="from abroad, as Russia dials"),
        pytest.param("+8 916 123-45-67", "+79161234567", id="+8, which some write"),
        pytest.param("+49 30 1234567", "0301234567", id="0 in Germany"),
        pytest.param("+49 30 1234567", "0049301234567", id="00"),
        pytest.param("+49 1512 3456789", "01512 3456789", id="a German mobile of eleven digits"),
        pytest.param("+49 (0)30 1234567", "+49301234567", id="a 0 in brackets"),
        pytest.param("+33 1 23 45 67 89", "0123456789", id="0 in France, nine digits"),
        pytest.param("+44 20 7946 0000", "442079460000", id="+ left out in Britain"),
        pytest.param("+1 212 555 0123", "12125550123", id="1 in North America"),
        pytest.param("+1 212 555 0123", "(212) 555-0123", id="no 1"),
        pytest.param("+39 06 1234 5678", "0612345678", id="Italy keeps its 0"),
        pytest.param("+375 29 123-45-67", "291234567", id="Belarus"),
        pytest.param("12345", "12345", id="a short one"),
    ],
)
def test_the_same_number(one: str, other: str) -> None:
    assert is_same_number(one, other)
    assert is_same_number(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("+49 301 2345678", "+1 301 234 5678", id="ten digits of two countries"),
        pytest.param("+1 916 123 4567", "+7 916 123-45-67", id="ten digits of North America and Russia"),
        pytest.param("+1 916 123 4567", "89161234567", id="8 is no prefix of +1"),
        pytest.param("0049 301 2345678", "0013012345678", id="00 both times"),
        pytest.param("+49 301 2345678", "13012345678", id="1 is no prefix of +49"),
        pytest.param("+7 495 123-45-67", "0951234567", id="the last nine digits"),
        pytest.param("+380 44 123 45 67", "+7 044 123-45-67", id="Ukraine and +7"),
        pytest.param("1234567", "+74951234567", id="seven digits of eleven"),
        pytest.param("12345", "+112345", id="a short one and a country's code"),
        pytest.param("101", "0101", id="an extension and a zero"),
        pytest.param("", "", id="nothing"),
        pytest.param("anonymous", "private", id="words"),
    ],
)
def test_another_number(one: str, other: str) -> None:
    assert not is_same_number(one, other)
    assert not is_same_number(other, one)


@pytest.mark.parametrize(
    ("number", "country", "read", "dialled"),
    [
        ("74951234567", "RU", "+7 495 123-45-67", "+74951234567"),
        ("84951234567", "RU", "8 495 123-45-67", "+74951234567"),
        ("87011234567", "KZ", "8 701 123-45-67", "+77011234567"),
        ("88001234567", "RU", "8 800 123-45-67", "+78001234567"),
        ("+74951234567", "US", "+7 495 123-45-67", "+74951234567"),
        ("+12125550123", "RU", "+1 212 555-0123", "+12125550123"),
        pytest.param("74951234567", "", "74951234567", "74951234567", id="a country that is not known"),
        pytest.param("74951234567", "US", "74951234567", "74951234567", id="the United States"),
        pytest.param("84951234567", "VN", "84951234567", "84951234567", id="Vietnam"),
        pytest.param("81012345678", "RU", "81012345678", "81012345678", id="8 10, the way abroad"),
        pytest.param("4951234567", "RU", "4951234567", "4951234567", id="ten digits: perhaps +49"),
        pytest.param("12125550123", "US", "12125550123", "12125550123", id="as it came"),
        pytest.param("442079460000", "GB", "442079460000", "442079460000", id="as it came in Britain"),
        pytest.param("0912345678", "DE", "0912345678", "0912345678", id="as it came in Germany"),
        pytest.param("79161234567890", "RU", "79161234567890", "79161234567890", id="too long"),
        pytest.param("101", "RU", "101", "101", id="an extension"),
    ],
)
def test_how_it_is_read_and_dialled(number: str, country: str, read: str, dialled: str) -> None:
    assert (grouped(number, country), international(number, country)) == (read, dialled)


@given(st.text(st.sampled_from("0123456789+() -")), st.sampled_from(["", "RU", "KZ", "US", "VN"]))
def test_reading_changes_no_digit(number: str, country: str) -> None:
    assert [one for one in grouped(number, country) if one.isdecimal()] == [one for one in number if one.isdecimal()]
    assert is_same_number(number, number) == any(one.isdecimal() for one in number)
