"""The admin's texts: parameters put into subject, body and footer.

A template is plain text with bare names (``NOTIFICATION_CALLERID``), as on the settings screen; ``${VM_CALLERID}``
works too. It is filled in one pass, so a caller named ``NOTIFICATION_TO`` stays that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pbxnotify import markup
from pbxnotify.events import Alert, Event, Voicemail
from pbxnotify.filling import Filling
from pbxnotify.frozen import TYPE_CHECKING, NamedTuple
from pbxnotify.page import escape, of_text

if TYPE_CHECKING:
    from pbxnotify.settings import Settings

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What no template should hold; mail programs show it in any way, or not at all."""


class Texts(NamedTuple):
    """The admin's subject, body and footer for one kind of mail; what is empty is designed by us."""

    subject: str = ""
    body: str = ""
    footer: str = ""


def fill(template: str, parameters: Mapping[str, str]) -> str:
    """Return a template of plain text with the values of its parameters."""
    return Filling(parameters).into(template)


def unescaped(template: str) -> str:
    """Return a text of voicemail.conf with its line breaks and tabs, which are written \\n and \\t there."""
    return re.sub(r"\\([nrt])", lambda escape: {"n": "\n", "r": "", "t": "\t"}[escape[1]], template)


def as_text_and_html(template: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return a body as plain text and as HTML; an HTML template is used as it is, with every value escaped."""
    if markup.is_html(template):
        return markup.as_text(template, parameters), markup.fill(template, parameters)
    text = fill(template, parameters)
    page, url = of_text(text), escape(parameters.get("HISTORY_URL", ""))
    return text, page.replace(url, f'<a href="{url}">{url}</a>') if url else page


def of(event: Event, settings: Settings) -> Texts:
    """Return the admin's texts for a mail about an event; one of nothing but blanks is none."""
    if isinstance(event, Alert):
        return Texts()
    own = settings.voicemail if isinstance(event, Voicemail) else settings.missed_calls
    written: Iterable[str] = (CONTROL.sub("", text) for text in (own.subject, own.body, own.footer))
    if isinstance(event, Voicemail):
        written = map(unescaped, written)
    return Texts(*(text if text.strip() else "" for text in written))
