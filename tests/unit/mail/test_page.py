"""How a mail looks: the parts of the page, and the administrator's text in it."""

from __future__ import annotations

import re
from typing import Any

import html5lib
import pytest

from pbxnotify.mail.caller import Caller
from pbxnotify.mail.content import Content
from pbxnotify.mail.page import ACCENTS, page_of_content, page_of_own_text
from pbxnotify.mail.templates.placeholders import Filled

CONTENT = Content(
    subject="Missed call: Alice, 5551212",
    kind="Missed call",
    accent="missed",
    lead="Nobody answered.",
    caller=Caller("Alice", "5551212"),
    paragraphs=("The caller left a message.",),
    rows=(("For", "Ivan (101)"), ("When", "today")),
    link="https://pbx.example.com/?a=1&b=2",
    link_text="See the call history",
)


def rendered(content: Content = CONTENT, footer: str = "office") -> str:
    """Return the page of a mail."""
    return page_of_content(content, "en", footer)


def visible(html: str) -> list[str]:
    """Return the lines that are seen, in the order in which a screen reader says them."""
    body = re.sub(r'(?s)<div style="display:none.*?</div>|.*<body[^>]*>', "", html)
    return [line.strip() for line in re.sub("<[^>]*>", "\n", body).split("\n") if line.strip()]


def test_what_is_read_in_which_order() -> None:
    assert visible(rendered()) == [
        *("Missed call", "Alice", "5551212", "Nobody answered.", "The caller left a message."),
        *("For", "Ivan (101)", "When", "today", "See the call history", "office"),
    ]


def test_what_phones_show_below_the_subject() -> None:
    body = rendered().partition("<body")[2].partition(">")[2]
    words = " ".join(re.sub("<[^>]*>", " ", body).split())
    assert words.startswith("Nobody answered. For: Ivan (101). When: today. Missed call")


def test_the_preview_is_not_seen() -> None:
    assert 'style="display:none' in rendered().partition("Nobody answered. For")[0][-80:]


def test_without_a_name_the_number_is_the_title() -> None:
    html = rendered(CONTENT._replace(caller=Caller("", "5551212")))
    assert re.search(r"<h1[^>]*><a href=\"tel:5551212\"[^>]*>5551212</a></h1>", html)
    assert visible(html).count("5551212") == 1


def test_a_number_that_is_not_dialled_is_no_link() -> None:
    assert "tel:" not in rendered(CONTENT._replace(caller=Caller("Alice", "101")))


def test_words_for_a_number_begin_a_heading() -> None:
    html = rendered(CONTENT._replace(caller=Caller("", "number withheld", is_shown=False)))
    assert re.search("<h1[^>]*>Number withheld</h1>", html)


def test_what_nobody_called_about_has_a_title() -> None:
    html = rendered(CONTENT._replace(caller=None, title="Disk full"))
    assert re.search("<h1[^>]*>Disk full</h1>", html)
    assert "5551212" not in html.partition("<main")[2]


def test_a_link_is_escaped() -> None:
    assert 'href="https://pbx.example.com/?a=1&amp;b=2"' in rendered()


HOSTILE = "<b>&\"'"


@pytest.mark.parametrize(
    "parts",
    [
        *({part: HOSTILE} for part in ("subject", "kind", "lead", "link_text")),
        {"caller": None, "title": HOSTILE},
        {"caller": Caller(HOSTILE, "1")},
        {"caller": Caller("", HOSTILE)},
    ],
    ids=str,
)
def test_no_part_becomes_markup(parts: dict[str, Any]) -> None:
    html = rendered(CONTENT._replace(**parts))
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;&quot;&#x27;" in html


def test_rows_and_paragraphs_are_escaped_and_keep_their_lines() -> None:
    html = rendered(CONTENT._replace(paragraphs=("a <i>\nb",), rows=(("<u>", "<s>"),)))
    assert "a &lt;i&gt;<br>\nb" in html
    assert not re.search("<[ius]>", html)


def test_there_is_no_footer_where_none_is_wanted() -> None:
    assert visible(rendered(footer=""))[-1] == "See the call history"


def test_each_row_is_named_for_screen_readers() -> None:
    assert re.findall(r'<th scope="row"[^>]*>(\w+)</th>', rendered()) == ["For", "When"]


@pytest.mark.parametrize("accent", ACCENTS)
def test_both_modes_have_their_colours(accent: str) -> None:
    light, dark = ACCENTS[accent]
    html = page_of_content(CONTENT._replace(accent=accent), "en", "")
    head, _, body = html.partition("<body")
    assert light in body
    assert dark in head.partition("prefers-color-scheme:dark")[2]
    assert dark not in body


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_colour_can_be_read(accent: str) -> None:
    head, _, body = page_of_content(CONTENT._replace(accent=accent), "en", "office").partition("<body")
    background = re.search("background:(#[0-9a-f]{6})", body)
    dark_background = re.search("background:(#[0-9a-f]{6})", head)
    assert background
    assert dark_background
    for colour in re.findall("[^-]color:(#[0-9a-f]{6})", body):
        assert contrast(colour, background[1]) >= 6
    for colour in re.findall("[^-]color:(#[0-9a-f]{6})", head):
        assert contrast(colour, dark_background[1]) >= 6


def test_the_admins_text_is_on_a_page_of_ours() -> None:
    html = page_of_own_text(Filled("a\nb", "a<br>\nb"), CONTENT, "ru", "too large", "office")
    assert '<html lang="ru">' in html
    assert "<title>Missed call: Alice, 5551212</title>" in html
    assert visible(html) == ["a", "b", "too large", "office"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param("<html><body>x</body></html>", "<html><body>xNF</body></html>", id="a whole page"),
        pytest.param("<html><body>x", "<html><body>xNF", id="no end"),
        pytest.param("<HTML><BODY>x</BODY></HTML>", "<HTML><BODY>xNF</BODY></HTML>", id="in capitals"),
        pytest.param("<html>x</html>", "<html>xNF</html>", id="no body"),
    ],
)
def test_a_whole_page_of_the_admins_stays_as_it_is(own: str, expected: str) -> None:
    html = page_of_own_text(Filled("", own, is_html=True), CONTENT, "en", "N", "F")
    assert re.sub(r"<(p|div)[^>]*>|</(p|div)>|\n", "", html) == expected


@pytest.mark.parametrize(("is_html", "schemes"), [(False, "light dark"), (True, "light")])
def test_the_admins_own_colours_are_not_put_on_dark(is_html: bool, schemes: str) -> None:
    html = page_of_own_text(Filled("x", "<p>x</p>", is_html), CONTENT, "en", "", "")
    assert f'<meta name="color-scheme" content="{schemes}">' in html
    assert f":root{{color-scheme:{schemes}}}" in html
    assert ("prefers-color-scheme:dark" in html) != is_html


def test_it_fits_narrow_and_wide_screens() -> None:
    html = rendered()
    assert "max-width:560px" in html
    assert "overflow-wrap:anywhere" in html
    assert "@media (max-width:300px){th,td{display:block}a{white-space:normal!important}}" in html


@pytest.mark.parametrize(
    "content", [CONTENT, Content("s", "k", "info", "l", "t")], ids=["all parts", "the fewest parts"]
)
def test_the_page_is_html(content: Content) -> None:
    html5lib.HTMLParser(strict=True).parse(rendered(content))
