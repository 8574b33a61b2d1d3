"""How a mail looks: an HTML page for light and dark mode, any width, and mail programs that show no images.

Colours for light mode stand in the elements, because some mail programs drop the style sheet, the only place for those
of dark mode. Nothing is loaded from the network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify.mail.content import Content
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.text import escape_html, html_of_text

if TYPE_CHECKING:
    from pbxnotify.mail.templates.placeholders import Filled

FONT = "font:16px/1.5 -apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
ACCENTS = {
    "missed": ("#b3261e", "#f2b8b5"),
    "voicemail": ("#1a56a8", "#a8c7fa"),
    "info": ("#1b6b2f", "#a5d6a7"),
    "warning": ("#8a5300", "#ffcc80"),
    "critical": ("#b3261e", "#f2b8b5"),
}
"""The colour of a mail in light and in dark mode, with a contrast of 6 to 1 or more (WCAG 2.2 asks for 4.5)."""
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


def page_of_content(content: Content, language: str, footer: str) -> str:
    """Return the page with the content of a mail; the footer is HTML."""
    accent, _ = ACCENTS[content.accent]
    preview = " ".join([content.lead, *(f"{label}: {value}." for label, value in content.rows)])
    paragraphs = (content.lead, *content.paragraphs)
    parts = [
        f'<div style="{HIDDEN}">{escape_html(preview)}</div>',
        f'<p class="accent" style="margin:0;color:{accent};font-size:14px;font-weight:600">'
        f"{escape_html(content.kind)}</p>",
        *_heading(content, accent),
        *(f'<p style="margin:12px 0 0">{html_of_text(text)}</p>' for text in paragraphs if text),
        _table(content.rows) if content.rows else "",
        f'<p style="margin:20px 0 0">{_link(content.link, content.link_text, accent)}</p>' if content.link else "",
    ]
    return _whole("\n".join(filter(None, parts)), content, language, footer)


def _heading(content: Content, accent: str) -> Iterator[str]:
    """Yield the caller's name with the number below it, the number alone, or the title where there is no caller."""
    heading = '<h1 style="margin:4px 0 0;font-size:26px;line-height:1.25">{}</h1>'
    caller = content.caller
    if not caller:
        yield heading.format(escape_html(content.title))
        return
    number = escape_html(caller.readable if caller.is_shown else caller.readable.capitalize())
    if caller.telephone:
        number = _link(f"tel:{caller.telephone}", caller.readable, f"{accent};white-space:nowrap")
    if caller.name:
        yield heading.format(escape_html(caller.name))
        yield f'<p style="margin:4px 0 0;font-size:20px">{number}</p>'
    else:
        yield heading.format(number)


def page_of_own_text(body: Filled, content: Content, language: str, note: str, footer: str) -> str:
    """Return the page with the administrator's text: a whole page is only added to; HTML has colours of its own."""
    note = f'<p style="margin:16px 0 0">{html_of_text(note)}</p>\n' if note else ""
    if "<html" not in body.html.lower():
        return _whole(f"<div>{body.html}</div>\n{note}", content, language, footer, is_dark=not body.is_html)
    added = f"{note}<div>{footer}</div>\n" if footer else note
    end = re.search(r"</(?:body|html)\s*>", body.html, re.IGNORECASE)
    place = end.start() if end else len(body.html)
    return body.html[:place] + added + body.html[place:]


def _whole(inside: str, content: Content, language: str, footer: str, *, is_dark: bool = True) -> str:
    accent, dark_accent = ACCENTS[content.accent]
    schemes, dark = ("light dark", DARK.replace("ACCENT", dark_accent)) if is_dark else ("light", "")
    end = f'<p class="grey" style="margin:24px 0 0;{GREY};font-size:14px">{footer}</p>\n' if footer else ""
    return f"""\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="{schemes}">
<title>{escape_html(content.subject)}</title>
<style>
:root{{color-scheme:{schemes}}}
@media (max-width:300px){{th,td{{display:block}}a{{white-space:normal!important}}}}
{dark}</style>
</head>
<body style="margin:0;padding:20px 16px;background:#ffffff;color:#1f1f1f;{FONT}">
<main style="{MAIN};border-left:4px solid {accent}">
{inside}
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


def _link(url: str, text: str, accent: str) -> str:
    return f'<a href="{escape_html(url)}" style="color:{accent}">{escape_html(text)}</a>'
