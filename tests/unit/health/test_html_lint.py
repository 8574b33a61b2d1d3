"""What is noted of HTML that mail programs would not show, or not as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.health.settings_lint import html_faults

PARAMETERS = ("VM_FROM", "VM_NAME")


@pytest.mark.parametrize(
    ("template", "noted"),
    [
        pytest.param("<p>a<b>b</b><br><ul><li>c</ul><hr/>", [], id="all is well"),
        pytest.param("<p>\n<b>a", ["<b> in line 2 is not closed"], id="not closed"),
        pytest.param("<b><i>a</b>", ["<i> in line 1 is not closed"], id="not closed within another"),
        pytest.param("<p>a</i>", ["</i> in line 1 closes nothing"], id="an end without a begin"),
        pytest.param("<p>a\n<a href=", ["<a in line 2 never ends, and is sent as text"], id="an endless tag"),
        pytest.param("<p>a<!-- b", ["<!-- in line 1 never ends, and is sent as text"], id="an endless comment"),
        pytest.param("<p><style>a", ["<style in line 1 never ends, and is sent as text"], id="an endless style"),
        pytest.param('<p title="a>b', ["<p> in line 1 lacks a quote"], id="an endless quote"),
        pytest.param('<i id="a>b</i><i id="c">d</i>', ["<i> in line 1 lacks a quote"], id="a quote that ends too late"),
        pytest.param("<script>VM_FROM</script>", ["<script> in line 1 is taken out by mail programs"], id="a script"),
        pytest.param(
            '<img src="https://a/b.png"><img src="//a/c.png"><img src="cid:d">',
            ["mail programs show no image from the network unless asked"],
            id="images from the network",
        ),
        pytest.param(
            '<style>VM_FROM</style><p style="${VM_NAME} VM_OTHER">',
            [
                "VM_FROM in <style> keeps only letters, digits, blanks and + . -",
                "VM_NAME in style= keeps only letters, digits, blanks and + . -",
            ],
            id="parameters in code",
        ),
        pytest.param(
            "<p VM_FROM>",
            ["VM_FROM in <p> in line 1 is no attribute's value, and is sent as it is written"],
            id="a parameter in a tag",
        ),
        pytest.param("<b>" * 9, ["<b> in line 1 is not closed"] * 5, id="not more than five"),
    ],
)
def test_faults(template: str, noted: list[str]) -> None:
    assert list(html_faults(template, PARAMETERS)) == noted


@given(st.text() | st.text("<>/!-'\"= abip\n"))
def test_any_text_can_be_looked_at(template: str) -> None:
    assert len(list(html_faults(template, PARAMETERS))) <= 5


@pytest.mark.parametrize("piece", ["<b>", "</b>", "<p>", "<li><b></b>", "<a b='\">", "<!--", "<b id=VM_FROM />"])
def test_a_megabyte_is_looked_at_in_linear_time(piece: str) -> None:
    """What took the square of the time would not end before the time limit of a test."""
    assert len(list(html_faults("<p>" + piece * (1_000_000 // len(piece)), PARAMETERS))) <= 5
