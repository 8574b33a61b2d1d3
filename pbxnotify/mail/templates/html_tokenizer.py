"""HTML taken apart into tags, text and code, as browsers do it; in linear time, whatever is written.

The rules are those of https://html.spec.whatwg.org/multipage/parsing.html#tokenization, but for one: what never ends (a
tag, a comment, a ``<style>``) is text, so that a slip hides no words. Python's html.parser would not do: it reads
attributes otherwise than browsers, and takes minutes for 400 KB of ``<!--`` (3.11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pbxnotify.namedtuple import NamedTuple

RAW = ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
"""Elements in which a tag is no tag."""

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
    """What stands before it in the tag, behind the value before it; its own opening quote included."""
    name: str
    """Of the attribute, in small letters."""
    text: str


class Token(NamedTuple):
    """A piece of a template. They are many: a dataclass would take twice the time."""

    kind: str
    """text, tag, end (of an element), code (in an element of RAW), comment, declaration; stray: what never ends."""
    source: str
    begin: int
    name: str = ""
    """Of the element, in small letters; ``/p`` if it ends here, ``!doctype`` of a declaration."""
    values: tuple[Value, ...] = ()
    quote: str = ""
    """What is missing at the end of the last value."""
    tail: str = ""
    """What stands in a tag behind the last value."""

    @property
    def end(self) -> int:
        """Return where the next one begins."""
        return self.begin + len(self.source)


def html_tokens(template: str) -> Iterator[Token]:
    """Yield all that a template consists of, in its order."""
    text, position, endless = 0, 0, set[str]()
    while begin := BEGIN.search(template, position):
        kind = begin.lastgroup or ""
        name = begin[kind].lower()
        position = begin.end()
        # What never ended once is not tried again: that would take the square of the time.
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
    """Return what begins here: a token, or an element of RAW up to its end; nothing if it never ends."""
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
    """Return a tag with the values of its attributes; a quote that never ends does so where the tag ends."""
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
