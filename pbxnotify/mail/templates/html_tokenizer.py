"""HTML taken apart into tags, text and code as browsers do it, in linear time whatever is written.

The rules are those of https://html.spec.whatwg.org/multipage/parsing.html#tokenization, but for one: what never ends (a
tag, a comment, a ``<style>``) is text, so that a slip hides no words. Python's html.parser would not do: it reads
attributes differently from browsers, and takes minutes for 400 KB of ``<!--`` (3.11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify.namedtuple import NamedTuple

RAW = ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
"""Elements whose content is not HTML."""

BLANK = r" \t\n\f\r"
NAME = r"[a-z][a-z0-9]*(?:[:-][a-z0-9]+)*"
FLAGS = re.IGNORECASE | re.ASCII
BEGIN = re.compile(
    rf"<(?:(?P<comment>!--)|(?P<declaration>[!?][a-z\[]\w*)|(?P<end>/{NAME})(?=[{BLANK}/>])"
    rf"|(?P<tag>{NAME})(?=[{BLANK}/>]|\Z))",
    FLAGS,
)
REST = {
    "comment": re.compile(r"(?:-?>|.*?--!?>)", re.DOTALL),
    "declaration": re.compile("[^>]*>"),
    "end": re.compile("[^>]*>"),
    "tag": re.compile(rf"[{BLANK}/]*>"),
}
RAW_END = {name: re.compile(rf"</{name}(?=[{BLANK}/>])", FLAGS) for name in RAW}
ATTRIBUTE = re.compile(
    rf"[{BLANK}/]*(?P<name>=[^{BLANK}/>=]*|[^{BLANK}/>=]+)(?:[{BLANK}]*=[{BLANK}]*(?:"
    rf"""\"(?P<double>[^"]*)\"|'(?P<single>[^']*)'|(?P<quote>["'])(?P<endless>[^>]*)|(?P<bare>[^{BLANK}>"'][^{BLANK}>]*)"""
    "))?"
)


class Value(NamedTuple):
    """The value of an attribute."""

    before: str
    """What stands between it and the previous value, or the beginning of the tag; its opening quote included."""
    name: str  # of the attribute, in lower case
    text: str


class Token(NamedTuple):
    """A piece of a template."""

    kind: str
    """text, tag, end (tag), code (content of an element of RAW), comment, declaration, or stray: what never ends."""
    source: str
    begin: int
    name: str = ""  # of the element, in lower case; ``/p`` of its end tag, ``!doctype`` of a declaration
    values: tuple[Value, ...] = ()
    quote: str = ""  # the quote missing at the end of the last value
    tail: str = ""  # what stands in a tag after the last value

    @property
    def end(self) -> int:
        """Return where the next token begins."""
        return self.begin + len(self.source)


def html_tokens(template: str) -> Iterator[Token]:
    """Yield the whole template, token by token."""
    text, position, endless = 0, 0, set[str]()
    while begin := BEGIN.search(template, position):
        kind = begin.lastgroup or ""
        name = begin[kind].lower()
        position = begin.end()
        # What never ended once is not tried again: that would take quadratic time.
        what = name if name in RAW else kind
        if what in endless:
            continue
        found = _found(template, begin, kind, name)
        if not found:
            found = [Token("stray", begin[0], begin.start(), name)]
            endless.add(what)
        yield Token("text", template[text : begin.start()], text)
        yield from found
        text = position = found[-1].end
    yield Token("text", template[text:], text)


def _found(template: str, begin: re.Match[str], kind: str, name: str) -> list[Token]:
    """Return the token that begins here, or the three of an element of RAW; nothing if it never ends."""
    if kind != "tag":
        rest = REST[kind].match(template, begin.end())
        return [Token(kind, begin[0] + rest[0], begin.start(), name)] if rest else []
    tag = _tag(template, begin, name)
    if tag is None or name not in RAW:
        return [tag] if tag else []
    end = RAW_END[name].search(template, tag.end)
    rest = end and REST["end"].match(template, end.end())
    if not end or not rest:
        return []
    code = Token("code", template[tag.end : end.start()], tag.end, name)
    return [tag, code, Token("end", end[0] + rest[0], end.start(), f"/{name}")]


def _tag(template: str, begin: re.Match[str], name: str) -> Token | None:
    """Return a tag with the values of its attributes; a quote that never ends is ended by the tag."""
    values, quote, position, seen = [], "", begin.end(), begin.start()
    while attribute := ATTRIBUTE.match(template, position):
        position = attribute.end()
        kind = attribute.lastgroup or ""
        if kind != "name":
            first, last = attribute.span(kind)
            values.append(Value(template[seen:first], attribute["name"].lower(), template[first:last]))
            quote, seen = attribute["quote"] or "", last
    rest = REST["tag"].match(template, position)
    if not rest:
        return None
    source = template[begin.start() : rest.end()]
    return Token("tag", source, begin.start(), name, tuple(values), quote, template[seen : rest.end()])
