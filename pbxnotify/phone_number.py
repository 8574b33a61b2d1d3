"""Telephone numbers: comparable however they are written, grouped for reading, and as a phone dials them."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Google's phonenumbers knows all plans, but needs 21 MB of disk, and 50 ms of CPU for each call that is mailed, nearly
# as much as the mail itself. Where there is no + it guesses too: 4930123456 may be of Berlin, or +7 493 of Russia.

SHORTEST_MOBILE = 5  # digits; a shorter number is an extension
NATIONAL_DIGITS = 10
SHORTEST_NATIONAL = 7  # digits of a number that may be written with and without its country's code
PLAN_7 = ("RU", "KZ")  # the countries of +7, where 8 is dialled before a national number
GROUPS = (
    (r"\+7(\d{3})(\d{3})(\d\d)(\d\d)", r"+7 \1 \2-\3-\4"),
    (r"\+1([2-9]\d\d)(\d{3})(\d{4})", r"+1 \1 \2-\3"),
)
"""Numbering plans whose groups depend on the number of digits alone: Russia and Kazakhstan, North America."""
GROUPS_IN_PLAN_7 = (
    (r"7([3-9]\d\d)(\d{3})(\d\d)(\d\d)", r"+7 \1 \2-\3-\4"),
    (r"8([3-9]\d\d)(\d{3})(\d\d)(\d\d)", r"8 \1 \2-\3-\4"),
)
"""What is a number of +7 only there: elsewhere 84951234567 may be one in Vietnam (+84)."""
CALLING_CODE = r"[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3}"
"""The countries' codes, of one, two and three digits (ITU-T E.164, annex)."""


def national(number: str) -> str:
    """Return the digits of the national number, which +7 916 123-45-67, 8 916 123-45-67 and 9161234567 share."""
    return re.sub(r"\D", "", number)[-NATIONAL_DIGITS:]


def is_same_number(one: str, other: str) -> bool:
    """Return whether two numbers are the same however they are written; without a country's code, in any country."""
    digits, others = (re.sub(r"\(0\)|\D", "", number) for number in (one, other))  # +49 (0)30 is +49 30
    if digits[-SHORTEST_NATIONAL:] != others[-SHORTEST_NATIONAL:] or not digits:
        return False
    return digits == others or any(
        national == other_national and (code == other_code or not (code and other_code))
        for code, national in _readings(one, digits)
        for other_code, other_national in _readings(other, others)
    )


def _readings(number: str, digits: str) -> Iterator[tuple[str, str]]:
    """Yield what a number may be: the country's code, empty if it is not in it, and the national number."""
    has_prefix = re.match(r"00|810(?=\d{10})", digits)
    is_whole = number.lstrip(" (").startswith("+") or bool(has_prefix)
    code = re.match(CALLING_CODE, digits[has_prefix.end() if has_prefix else 0 :])
    if code and len(code.string) - code.end() >= SHORTEST_NATIONAL and (is_whole or len(digits) > NATIONAL_DIGITS):
        yield code[0], code.string[code.end() :]
    if not is_whole:
        yield "", digits
        if digits.startswith("0") and len(digits) > SHORTEST_NATIONAL:  # dialled before a national number
            yield "", digits[1:]
    if re.fullmatch("8[3-9][0-9]{9}", digits):  # so is 8 in Russia and Kazakhstan; some write +8 495
        yield "7", digits[1:]


def grouped(number: str, country: str = "") -> str:
    """Return a number in groups if its plan is certain to be one of ``GROUPS``, else as it is.

    ``country`` is the code of the office's, empty if it is not known.
    """
    for pattern, groups in (*GROUPS, *(GROUPS_IN_PLAN_7 if country in PLAN_7 else ())):
        found = re.fullmatch(pattern, number)
        if found:
            return found.expand(groups)
    return number


def international(number: str, country: str) -> str:
    """Return a number in the office's country with + and the country's code if that is certain, else as it is."""
    is_certain = country in PLAN_7 and re.fullmatch("[78][3-9][0-9]{9}", number)
    return f"+7{number[1:]}" if is_certain else number
