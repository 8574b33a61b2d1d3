"""Parameters put into texts, in one pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.mail.templates.html_template import as_text_and_html
from pbxnotify.mail.templates.placeholders import fill_text

PARAMETERS = {
    "NOTIFICATION_TO": "101",
    "NOTIFICATION_TOTAL": "9",
    "NOTIFICATION_CALLERID": "NOTIFICATION_TO",
    "VM_CALLERID": '"Alexey" <101>',
}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        pytest.param("to NOTIFICATION_TO.", "to 101.", id="bare name"),
        pytest.param("to ${NOTIFICATION_TO}s", "to 101s", id="as in voicemail.conf"),
        pytest.param("NOTIFICATION_TOTAL", "9", id="the longer name first"),
        pytest.param("NOTIFICATION_CALLERID", "NOTIFICATION_TO", id="a caller named as a parameter stays that"),
        pytest.param("NOTIFICATION_TOsec", "101sec", id="no blank behind it"),
        pytest.param("VM_CALLERIDS ORIG_VM_CALLERID", "VM_CALLERIDS ORIG_VM_CALLERID", id="a part of a longer name"),
        pytest.param("${ORIG_VM_CALLERID}", "${ORIG_VM_CALLERID}", id="another variable of voicemail.conf"),
        pytest.param("NOTIFICATION_NOTHING ${TODAY} $5 \\1", "NOTIFICATION_NOTHING ${TODAY} $5 \\1", id="no parameter"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    assert fill_text(template, PARAMETERS) == filled


def test_line_breaks_of_plain_text_are_kept() -> None:
    assert as_text_and_html("a\nb & c", {"X": ""}) == ("a\nb & c", "a<br>\nb &amp; c")


def test_plain_text_never_becomes_html() -> None:
    assert as_text_and_html("from VM_CALLERID", PARAMETERS)[1] == "from &quot;Alexey&quot; &lt;101&gt;"


def test_an_html_body_is_used_as_it_is_with_values_escaped() -> None:
    text, page = as_text_and_html("<p>from <b>VM_CALLERID</b></p>", PARAMETERS)
    assert page == "<p>from <b>&quot;Alexey&quot; &lt;101&gt;</b></p>"
    assert text == 'from "Alexey" <101>'


@given(st.text())
def test_caller_text_is_never_markup(caller: str) -> None:
    text, page = as_text_and_html("<p>CALLER</p>", {"CALLER": caller})
    assert text == caller
    assert page.replace("<br>\n", "").count("<") == 2
