"""The admin's texts: parameters put into subject, body and footer.

A template is plain text with bare names (``NOTIFICATION_CALLERID``), as on the settings screen; ``${VM_CALLERID}``
works too. It is filled in one pass, so a caller named ``NOTIFICATION_TO`` stays that.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbxnotify.events import Alert, Event, Voicemail

if TYPE_CHECKING:
    from pbxnotify.settings import Settings

HTML_TAG = re.compile(r"<(?:!doctype|html|body|p|div|table|br|b|i|a|h[1-6]|ul|span)\b[^>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Texts:
    """The admin's subject, body and footer for one kind of mail; what is empty is designed by us."""

    subject: str = ""
    body: str = ""
    footer: str = ""


def fill(template: str, parameters: Mapping[str, str], *, escape: bool = False) -> str:
    """Return the template with the values of its parameters; ``escape`` makes them safe inside HTML."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))

    def value(match: re.Match[str]) -> str:
        if match["other"]:
            return match["other"]
        text = parameters[match["braced"] or match["bare"]]
        return html.escape(text) if escape else text

    # A name within a longer one, or within ${...} of another name, is none of ours.
    bare = rf"(?<![A-Z_])(?P<bare>{names})(?![A-Z_])"
    return re.sub(rf"\$\{{(?P<braced>{names})\}}|(?P<other>\$\{{\w+\}})|{bare}", value, template)


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def as_text_and_html(template: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a body as plain text and as HTML; an HTML template is used as it is, with every value escaped."""
    if HTML_TAG.search(template):
        return fill(_without_tags(template), parameters), fill(template, parameters, escape=True)
    text = fill(template, parameters)
    page = html.escape(text).replace("\n", "<br>\n").replace("\t", "&nbsp;" * 4)
    url = html.escape(parameters.get("HISTORY_URL", ""))
    return text, page.replace(url, link(url, url)) if url else page


def link(url: str, words: str) -> str:
    """Return a link; both are escaped already."""
    return f'<a href="{url}">{words}</a>'


def _without_tags(text: str) -> str:
    """Return readable text of an HTML body, for programs that show no HTML."""
    lines = re.sub(r"(?i)\s*<(?:br|/p|/div|/tr|/h[1-6]|/li)\b[^>]*>\s*", "\n", text)
    return html.unescape(re.sub(r"(?is)<(style|script|head)\b.*?</\1>|<[^>]*>", "", lines)).strip()


def of(event: Event, settings: Settings) -> Texts:
    """Return the admin's texts for a mail about an event; one of nothing but blanks is none."""
    if isinstance(event, Alert):
        return Texts()
    own = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    written = map(readable, (own.subject, own.body, own.footer))
    if isinstance(event, Voicemail):
        written = map(unescaped, written)
    return Texts(*(text if text.strip() else "" for text in written))


def readable(text: str) -> str:
    """Return a text without control characters, which mail programs show as they like; lines and tabs stay."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", "", text)
