"""Templates filled in with the values of variables, in one pass."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.mail.templates.html_template import fill_template
from pbxnotify.mail.templates.placeholders import Filled, Placeholders
from pbxnotify.mail.variables import unescaped

VARIABLES = {
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
        pytest.param("NOTIFICATION_CALLERID", "NOTIFICATION_TO", id="a caller named as a variable stays that"),
        pytest.param("NOTIFICATION_TOsec", "101sec", id="no space after it"),
        pytest.param("VM_CALLERIDS ORIG_VM_CALLERID", "VM_CALLERIDS ORIG_VM_CALLERID", id="a part of a longer name"),
        pytest.param("${ORIG_VM_CALLERID}", "${ORIG_VM_CALLERID}", id="another variable of voicemail.conf"),
        pytest.param("NOTIFICATION_NOTHING ${TODAY} $5 \\1", "NOTIFICATION_NOTHING ${TODAY} $5 \\1", id="no variable"),
        pytest.param("", "", id="nothing"),
        pytest.param("NOTIFICATION_TO~~${NOTIFICATION_TO}", "NOTIFICATION_TO~~101", id="a label"),
        pytest.param("NOTIFICATION_TO: ${NOTIFICATION_TO}", "NOTIFICATION_TO: 101", id="a label and a colon"),
        pytest.param("NOTIFICATION_TO: ${VM_CALLERID}", '101: "Alexey" <101>', id="no label of another variable"),
        pytest.param("NOTIFICATION_TO\n${NOTIFICATION_TO}", "101\n101", id="no label of another line"),
        pytest.param("NOTIFICATION_TO or ${NOTIFICATION_TO}", "101 or 101", id="no label before a word"),
        pytest.param("NOTIFICATION_TO: NOTIFICATION_TO", "101: 101", id="a bare label cannot be known from a variable"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    assert Placeholders(VARIABLES).fill(template) == filled


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param(
            r"Hello,\n\n\tFrom:\t${VM_CALLERID}", "Hello,\n\n\tFrom:\t${VM_CALLERID}", id="line breaks and tabs"
        ),
        pytest.param(r"one\r\ntwo", "one\ntwo", id="a carriage return"),
        pytest.param(
            r'<p style="color:#333\;margin:0\;">Dear&nbsp\;', '<p style="color:#333;margin:0;">Dear&nbsp;', id="HTML"
        ),
        pytest.param("a; b", "a; b", id="a semicolon that begins no comment here"),
        pytest.param(r"C:\data \x", r"C:\data \x", id="another backslash"),
        pytest.param(r"\\;", r"\;", id="one backslash before a semicolon, as Asterisk has it"),
    ],
)
def test_a_text_of_voicemail_conf(template: str, text: str) -> None:
    assert unescaped(template) == text


def test_line_breaks_of_plain_text_are_kept() -> None:
    assert fill_template("a\nb & c", {"X": ""}) == Filled("a\nb & c", "a<br>\nb &amp; c")


def test_plain_text_never_becomes_html() -> None:
    assert fill_template("from VM_CALLERID", VARIABLES).html == "from &quot;Alexey&quot; &lt;101&gt;"


def test_an_html_body_is_used_as_it_is_with_values_escaped() -> None:
    html = "<p>from <b>&quot;Alexey&quot; &lt;101&gt;</b></p>"
    filled = Filled('from "Alexey" <101>', html, is_html=True)
    assert fill_template("<p>from <b>VM_CALLERID</b></p>", VARIABLES) == filled


@given(st.text())
def test_caller_text_is_never_markup(caller: str) -> None:
    filled = fill_template("<p>CALLER</p>", {"CALLER": caller})
    assert filled.text == caller
    assert filled.html.replace("<br>\n", "").count("<") == 2
