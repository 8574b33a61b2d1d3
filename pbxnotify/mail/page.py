"""How a mail looks: an HTML page that is right in light and dark mode, at any width, and without images.

Colours stand in the elements for light mode, because some mail programs drop the style sheet; those for dark mode can
only stand there. Nothing is loaded from the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify.mail.content import Content
from pbxnotify.text import escape_html, html_of_text

FONT = "font:16px/1.5 -apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
ACCENTS = {
    "missed": ("#b3261e", "#f2b8b5"),
    "voicemail": ("#1a56a8", "#a8c7fa"),
    "info": ("#1b6b2f", "#a5d6a7"),
    "warning": ("#8a5300", "#ffcc80"),
    "critical": ("#b3261e", "#f2b8b5"),
}
"""The colour of a mail in light and in dark mode: a contrast of 6 to 1 or more (WCAG 2.2 asks for 4.5)."""
END = r"</(?:body|html)\s*>"
HIDDEN = "display:none;max-height:0;overflow:hidden"
GREY = "color:#5f6368"
LABEL = f"padding:2px 16px 2px 0;{GREY};font-weight:400;text-align:left;white-space:nowrap"
DARK = """\
@media (prefers-color-scheme:dark){
body{background:#121212!important;color:#e8eaed!important}
main{border-color:ACCENT!important}
.accent,a{color:ACCENT!important}
.grey{color:#a8adb3!important}
}
"""
MAIN = "display:block;max-width:560px;padding:2px 0 2px 16px;overflow-wrap:anywhere"


def page_of_content(letter: Content, language: str, footer: str) -> str:
    """Return the page of a letter; the footer is HTML."""
    accent, _ = ACCENTS[letter.accent]
    preview = " ".join([letter.lead, *(f"{label}: {value}." for label, value in letter.rows)])
    parts = [
        f'<div style="{HIDDEN}">{escape_html(preview)}</div>',
        f'<p class="accent" style="margin:0;color:{accent};font-size:14px;font-weight:600">'
        f"{escape_html(letter.kind)}</p>",
        *_heading(letter, accent),
        *(f'<p style="margin:12px 0 0">{html_of_text(text)}</p>' for text in (letter.lead, *letter.paragraphs) if text),
        _table(letter.rows) if letter.rows else "",
        f'<p style="margin:20px 0 0">{_link(letter.link, letter.link_words, accent)}</p>' if letter.link else "",
    ]
    return _whole("\n".join(filter(None, parts)), letter.subject, letter.accent, language, footer)


def _heading(letter: Content, accent: str) -> Iterator[str]:
    """Yield the caller's name with the number below it; without a name the number, else what it is about."""
    heading = '<h1 style="margin:4px 0 0;font-size:26px;line-height:1.25">{}</h1>'
    caller = letter.caller
    if not caller:
        yield heading.format(escape_html(letter.title))
        return
    number = escape_html(caller.readable if caller.is_shown else caller.readable.capitalize())
    if caller.telephone:
        number = _link(f"tel:{caller.telephone}", caller.readable, f"{accent};white-space:nowrap")
    if caller.name:
        yield heading.format(escape_html(caller.name))
        yield f'<p style="margin:4px 0 0;font-size:20px">{number}</p>'
    else:
        yield heading.format(number)


def page_of_own_text(
    page: str, subject: str, colour: str, language: str, notes: str, footer: str, *, is_dark: bool
) -> str:
    """Return the page of the admin's own text, which is HTML here; a whole page of the admin's stays as it is.

    It may be shown in dark colours if it has none of its own.
    """
    note = f'<p style="margin:16px 0 0">{html_of_text(notes)}</p>\n' if notes else ""
    if "<html" not in page.lower():
        return _whole(f"<div>{page}</div>\n{note}", subject, colour, language, footer, is_dark=is_dark)
    added = f"{note}<div>{footer}</div>\n" if footer else note
    end = re.search(END, page, re.IGNORECASE)
    place = end.start() if end else len(page)
    return page[:place] + added + page[place:]


def _whole(content: str, subject: str, colour: str, language: str, footer: str, *, is_dark: bool = True) -> str:
    accent, dark_accent = ACCENTS[colour]
    schemes, dark = ("light dark", DARK.replace("ACCENT", dark_accent)) if is_dark else ("light", "")
    end = f'<p class="grey" style="margin:24px 0 0;{GREY};font-size:14px">{footer}</p>\n' if footer else ""
    return f"""\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="{schemes}">
<title>{escape_html(subject)}</title>
<style>
:root{{color-scheme:{schemes}}}
@media (max-width:300px){{th,td{{display:block}}a{{white-space:normal!important}}}}
{dark}</style>
</head>
<body style="margin:0;padding:20px 16px;background:#ffffff;color:#1f1f1f;{FONT}">
<main style="{MAIN};border-left:4px solid {accent}">
{content}
{end}</main>
</body>
</html>
"""


def _table(rows: tuple[tuple[str, str], ...]) -> str:
    """Return a table whose first column names the rows, for eyes and for screen readers."""
    table_rows = (
        f'<tr style="vertical-align:top"><th scope="row" class="grey" style="{LABEL}">{escape_html(label)}</th>'
        f'<td style="padding:2px 0">{escape_html(value)}</td></tr>'
        for label, value in rows
    )
    return "\n".join(['<table style="margin:16px 0 0;border-collapse:collapse">', *table_rows, "</table>"])


def _link(url: str, words: str, accent: str) -> str:
    return f'<a href="{escape_html(url)}" style="color:{accent}">{escape_html(words)}</a>'
