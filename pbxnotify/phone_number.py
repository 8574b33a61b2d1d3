"""Telephone numbers: comparable however they are written, and grouped for reading."""

from __future__ import annotations

import re

SHORTEST_MOBILE = 5  # digits; a shorter number is an extension
NATIONAL_DIGITS = 10
GROUPS = (
    (r"\+?7(\d{3})(\d{3})(\d\d)(\d\d)", r"+7 \1 \2-\3-\4"),
    (r"8(\d{3})(\d{3})(\d\d)(\d\d)", r"8 \1 \2-\3-\4"),
    (r"\+1([2-9]\d\d)(\d{3})(\d{4})", r"+1 \1 \2-\3"),
)
"""Numbering plans whose groups depend on the number of digits alone: Russia and Kazakhstan, North America."""


def national(number: str) -> str:
    """Return the digits of the national number, which +7 916 123-45-67, 8 916 123-45-67 and 9161234567 share."""
    return re.sub(r"\D", "", number)[-NATIONAL_DIGITS:]


def grouped(number: str) -> str:
    """Return a number in groups if its numbering plan is one of ``GROUPS``, else as it is."""
    for pattern, groups in GROUPS:
        found = re.fullmatch(pattern, number)
        if found:
            return found.expand(groups)
    return number
