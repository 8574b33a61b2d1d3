"""Notes on HTML that mail programs would not show, or not as it was meant."""

from __future__ import annotations

import pytest
from golden import Golden
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.health.settings_lint import html_notes

VARIABLES = ("VM_FROM", "VM_NAME")


@pytest.mark.parametrize(
    ("template", "places"),
    [
        pytest.param("<p>a<b>b</b><br><ul><li>c</ul><hr/>", [], id="nothing"),
        pytest.param("<p>\n<b>a", ["<b> in line 2"], id="not closed"),
        pytest.param("<b><i>a</b>", ["<i> in line 1"], id="not closed within another"),
        pytest.param("<p>a</i>", ["</i> in line 1"], id="an end without a begin"),
        pytest.param("<p>a\n<a href=", ["<a in line 2"], id="an endless tag"),
        pytest.param("<p>a<!-- b", ["<!-- in line 1"], id="an endless comment"),
        pytest.param("<p><style>a", ["<style in line 1"], id="an endless style"),
        pytest.param('<p title="a>b', ["<p> in line 1"], id="an endless quote"),
        pytest.param('<i id="a>b</i><i id="c">d</i>', ["<i> in line 1"], id="a quote that ends too late"),
        pytest.param("<script>VM_FROM</script>", ["<script> in line 1"], id="a script"),
        pytest.param(
            '<img src="https://a/b.png"><img src="//a/c.png"><img src="cid:d">', [""], id="images from the network"
        ),
        pytest.param(
            '<style>VM_FROM</style><p style="${VM_NAME} VM_OTHER">',
            ["VM_FROM in <style>", "VM_NAME in style="],
            id="variables in code",
        ),
        pytest.param("<p VM_FROM>", ["VM_FROM in <p> in line 1"], id="a variable in a tag"),
        pytest.param("<b>" * 9, ["<b> in line 1"] * 5, id="not more than five"),
    ],
)
def test_notes(template: str, places: list[str], golden: Golden) -> None:
    noted = list(html_notes(template, VARIABLES))
    assert len(noted) == len(places)
    assert all(note.startswith(place) for note, place in zip(noted, places))
    golden("\n".join(noted))


@given(st.text() | st.text("<>/!-'\"= abip\n"))
def test_any_text_can_be_looked_at(template: str) -> None:
    assert len(list(html_notes(template, VARIABLES))) <= 5


@pytest.mark.parametrize("piece", ["<b>", "</b>", "<p>", "<li><b></b>", "<a b='\">", "<!--", "<b id=VM_FROM />"])
def test_a_megabyte_is_looked_at_in_linear_time(piece: str) -> None:
    """What took the square of the time would not end before the time limit of a test."""
    assert len(list(html_notes("<p>" + piece * (1_000_000 // len(piece)), VARIABLES))) <= 5
