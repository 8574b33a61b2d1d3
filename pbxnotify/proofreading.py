"""What ``pbxnotify check`` notes of the admin's HTML: what mail programs would not show, or not as it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from pbxnotify.filling import Filling
from pbxnotify.markup import is_code
from pbxnotify.tags import Token, tokens

EMPTY = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
"""Elements that have no end."""
END_OPTIONAL = re.compile("body|colgroup|d[dt]|head|html|li|opt(?:group|ion)|p|r[pt]|tbody|td|tfoot|th|thead|tr")
TAKEN_OUT = re.compile("embed|iframe|object|script")
MOST = 5
"""Notes on one template: what comes behind these is often their consequence."""


def faults(template: str, parameters: Iterable[str]) -> Iterator[str]:
    """Yield the first notes on an HTML template with these parameters, as ends of sentences."""
    return islice(_faults(template, Filling(dict.fromkeys(parameters, ""))), MOST)


def _faults(template: str, filling: Filling) -> Iterator[str]:
    opened: list[Token] = []
    remote = False
    for token in tokens(template):
        if token.kind == "stray":
            yield f"{_shown(token, template)} never ends, and is sent as text"
        elif token.kind == "end":
            yield from _ended(token, opened, template)
        elif token.kind == "code" and token.name == "style":
            yield from (_maimed(name, "<style>") for name in filling.names_in(token.source))
        elif token.kind == "tag":
            yield from _in_tag(token, filling, template)
            if _is_remote_image(token) and not remote:
                remote = True
                yield "mail programs show no image from the network unless asked"
            if not EMPTY.fullmatch(token.name) and not token.source.endswith("/>"):
                opened.append(token)
    yield from _not_closed(opened, template)


def _ended(end: Token, opened: list[Token], template: str) -> Iterator[str]:
    """Take what ends here from the open elements; note those inside of it that should have ended before."""
    name = end.name[1:]
    depth = next((depth for depth, token in enumerate(reversed(opened), 1) if token.name == name), 0)
    if not depth:
        yield f"{_shown(end, template)} closes nothing"
        return
    yield from _not_closed(opened[len(opened) - depth + 1 :], template)
    del opened[-depth:]


def _not_closed(opened: list[Token], template: str) -> Iterator[str]:
    for token in opened:
        if not END_OPTIONAL.fullmatch(token.name):
            yield f"{_shown(token, template)} is not closed"


def _in_tag(tag: Token, filling: Filling, template: str) -> Iterator[str]:
    if TAKEN_OUT.fullmatch(tag.name):
        yield f"{_shown(tag, template)} is taken out by mail programs"
    if tag.quote or any(0 <= value.text.find(">") < value.text.rfind("<") for value in tag.values):
        yield f"{_shown(tag, template)} lacks a quote"
    for outside in (*(value.before for value in tag.values), tag.tail):
        for name in filling.names_in(outside):
            yield f"{name} in {_shown(tag, template)} is no attribute's value, and is sent as it is written"
    for value in tag.values:
        if is_code(value.name):
            yield from (_maimed(name, f"{value.name}=") for name in filling.names_in(value.text))


def _maimed(name: str, where: str) -> str:
    return f"{name} in {where} keeps only letters, digits, blanks and + . -"


def _is_remote_image(tag: Token) -> bool:
    sources = (value.text.strip().lower() for value in tag.values if value.name == "src")
    return tag.name == "img" and any(source.startswith(("http:", "https:", "//")) for source in sources)


def _shown(token: Token, template: str) -> str:
    """Return how a note names a token."""
    line = template.count("\n", 0, token.begin) + 1
    return f"{token.source if token.kind == 'stray' else f'<{token.name}>'} in line {line}"
