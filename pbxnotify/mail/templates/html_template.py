"""The administrator's HTML: filled in so that no caller's text changes it, and its words as plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from urllib.parse import quote

from pbxnotify.mail.templates.html_tokenizer import Token, Value, html_tokens
from pbxnotify.mail.templates.placeholders import Filled, Placeholders
from pbxnotify.text import escape_html, html_of_text

ELEMENT = re.compile(
    "!doctype|a|abbr|address|article|b|big|blockquote|body|br|center|code|col|dd|del|div|dl|dt|em|font|footer|form|h[1-6]"
    "|head|header|hr|html|i|img|ins|kbd|li|link|main|meta|ol|p|pre|s|section|small|span|strike|strong|style|sub|sup"
    "|table|tbody|td|tfoot|th|thead|title|tr|tt|u|ul"
)
"""What makes a text HTML. Other elements do not, since <name>, <data> or <time> may be words of a plain text."""

URL_ATTRIBUTE = re.compile(
    "action|background|cite|classid|codebase|data|dynsrc|formaction|href|icon|longdesc|lowsrc|manifest|ping|poster"
    "|profile|src|srcset|usemap|xlink:href"
)
CODE_ATTRIBUTE = re.compile("on.*|content|srcdoc|style", re.DOTALL)
"""Attributes in a language of their own; ``content`` may be the address of a refresh."""
SCRIPT = re.compile(r"(?:java|vb)script:|data:(?!image/)", re.IGNORECASE)
DIALLED = re.compile(r"\s*(?:tel|sms):", re.IGNORECASE)

PARAGRAPH = re.compile("blockquote|dl|h[1-6]|hr|p|pre")
LINE = re.compile(
    "address|article|body|caption|center|dd|div|dt|fieldset|footer|form|header|li|main|nav|ol|section|table|tr|ul"
)
NEW_LINE, NEW_PARAGRAPH, HARD_SPACE = "\v", "\f", "\x1f"  # stand in a text until it is known what surrounds them


def is_html(template: str) -> bool:
    """Return whether a template is HTML, not plain text."""
    return any(ELEMENT.fullmatch(token.name.lstrip("/")) for token in html_tokens(template) if token.kind != "stray")


def fill_template(template: str, variables: Mapping[str, str]) -> Filled:
    """Return a template as plain text and as HTML, in whichever of them it is written."""
    if is_html(template):
        return Filled(text_of_html(template, variables), fill_html(template, variables), is_html=True)
    text = Placeholders(variables).fill(template)
    page, url = html_of_text(text), escape_html(variables.get("HISTORY_URL", ""))
    return Filled(text, page.replace(url, f'<a href="{url}">{url}</a>') if url else page)


def fill_html(template: str, variables: Mapping[str, str]) -> str:
    """Return an HTML template with its values, each escaped for its place; in a tag that is an attribute's value."""
    placeholders = Placeholders(variables)
    return "".join(_filled(token, placeholders) for token in html_tokens(template))


def _filled(token: Token, placeholders: Placeholders) -> str:
    if token.kind in ("stray", "text"):
        return placeholders.fill(token.source.replace("<", "&lt;"), lambda name, value: html_of_text(value))
    if token.kind == "tag":
        values = "".join(value.before + _quoted(value, _attribute(value, placeholders)) for value in token.values)
        return f"{values}{token.quote}{token.tail}"
    if token.kind == "end":
        return f"<{token.name}>"
    return token.source if token.kind == "declaration" else _code(token, placeholders)


def _code(token: Token, placeholders: Placeholders) -> str:
    """Return a comment or the content of <style> and the like, filled in unless that would end it, as in </NAME>."""
    filled = placeholders.fill(token.source, _in_code)
    around = filled if token.kind == "comment" else f"<{token.name}>{filled}</{token.name}>"
    if not any(again.kind == token.kind and again.source == filled for again in html_tokens(around)):
        filled = token.source
    # A comment that begins in a script hides the </script>; // means the same and does not.
    return filled.replace("<!--", "//") if token.name == "script" else filled


def _quoted(value: Value, filled: str) -> str:
    """Return a value, "" in quotes of its own if it has none: else the next attribute would be taken for it."""
    return filled or ("" if value.before.endswith(("'", '"')) else '""')


def _attribute(value: Value, placeholders: Placeholders) -> str:
    """Return the value of an attribute, filled in; "" for a script, which no mail program runs."""
    if not URL_ATTRIBUTE.fullmatch(value.name):
        return placeholders.fill(value.text, _in_code_of_attribute if is_code(value.name) else _in_attribute)
    path = re.split("[?#]", value.text, maxsplit=1)[0]
    in_path = _in_number if DIALLED.match(path) else _in_path
    filled = placeholders.fill(path, in_path) + placeholders.fill(value.text[len(path) :], _in_query)
    # Browsers ignore line breaks and tabs in an address.
    return "" if SCRIPT.match(re.sub(r"[\x00-\x20]", "", html.unescape(filled))) else filled


def is_code(attribute: str) -> bool:
    """Return whether an attribute has a language of its own, in which a value can only be a word."""
    return CODE_ATTRIBUTE.fullmatch(attribute) is not None


def _in_attribute(name: str, value: str) -> str:
    """Return references for all that ends a value, quoted or not, or that some program might take for its end."""
    return re.sub(r"[^\w%+./:?~-]", lambda match: f"&#{ord(match[0])};", value)


def _in_code(name: str, value: str) -> str:
    """Return what has no meaning in any language: letters, digits, spaces and + . -."""
    return re.sub(r"[^\w +.-]", "", " ".join(value.split()))


def _in_code_of_attribute(name: str, value: str) -> str:
    return _in_attribute(name, _in_code(name, value))


def _in_path(name: str, value: str) -> str:
    """Return it percent-encoded, unless it is a whole address, written by the administrator."""
    return _in_attribute(name, value) if name == "HISTORY_URL" else quote(value, "+", errors="replace")


def _in_query(name: str, value: str) -> str:
    """Return it percent-encoded, + as well, which means a space after a ?."""
    return quote(value, "", errors="replace")


def _in_number(name: str, value: str) -> str:
    """Return the last number in a value as it is dialled: a phone would dial 6862379 for "number withheld"."""
    numbers = re.findall(r"[+*#0-9][-+*#0-9 .()]*", value)
    return quote(re.sub(r"[- .()]", "", numbers[-1] if numbers else ""), "+*")


def text_of_html(template: str, variables: Mapping[str, str]) -> str:
    """Return the words of an HTML template with their values, for programs that show no HTML."""
    text = _PlainText(Placeholders(variables))
    for token in html_tokens(template.replace("\0", "")):
        text.add(token)
    return text.finished()


class _PlainText:
    """Puts plain text together; a value is its number between two NULs until spaces and lines are tidied up."""

    def __init__(self, placeholders: Placeholders) -> None:
        self._placeholders = placeholders
        self._pieces: list[str] = []
        self._values: list[str] = []
        self._address = ""
        self._link = 0  # the first piece of the link that has this address
        self._is_preformatted = False

    def add(self, token: Token) -> None:
        """Add what a token shows."""
        name = token.name.lstrip("/")
        if token.kind in ("stray", "text"):
            self._pieces.append(self._shown(token.source))
        elif token.kind in ("tag", "end"):
            if name == "a":
                self._end_link()
            if name == "pre":
                self._is_preformatted = token.kind == "tag"
            self._pieces.append(_break(name))
            self._pieces.append(self._opened(token) if token.kind == "tag" else "")

    def finished(self) -> str:
        """Return the text, with at most one empty line between two others."""
        self._end_link()
        text = "".join(self._pieces).replace("\xa0", " ")
        text = re.sub(rf"(?<={NEW_LINE}-{HARD_SPACE})[ \n\v\f]+", "", text)
        text = re.sub(r"[ \n\v\f]+", _gap, text).strip(" \n")
        return self._with_values(text.replace(HARD_SPACE, " "))

    def _opened(self, token: Token) -> str:
        """Return what the beginning of an element adds; remember a link."""
        values = {value.name: value for value in reversed(token.values)}
        if token.name == "a" and "href" in values:
            self._address = html.unescape(_attribute(values["href"], self._placeholders))
            self._link = len(self._pieces)
        if token.name == "img" and "alt" in values:
            return self._shown(values["alt"].text)
        return {"br": "\n", "li": f"-{HARD_SPACE}", "td": " ", "th": " "}.get(token.name, "")

    def _end_link(self) -> None:
        """Add the address of a link, unless it is a number, a mail address, or the text of the link."""
        words = self._with_values("".join(self._pieces[self._link :])).strip() if self._address else ""
        if "://" in self._address and self._address != words:
            self._pieces.append(f" ({self._kept('', self._address)})")
        self._address = ""

    def _shown(self, source: str) -> str:
        source = source.replace(" ", HARD_SPACE) if self._is_preformatted else re.sub(r"[ \t\n\f\r]+", " ", source)
        return html.unescape(self._placeholders.fill(source, self._kept))

    def _kept(self, name: str, value: str) -> str:
        self._values.append(value)
        return f"\0{len(self._values) - 1}\0"

    def _with_values(self, text: str) -> str:
        return re.sub("\0([0-9]+)\0", lambda match: self._values[int(match[1])], text)


def _break(element: str) -> str:
    return NEW_PARAGRAPH if PARAGRAPH.fullmatch(element) else NEW_LINE if LINE.fullmatch(element) else ""


def _gap(spaces: re.Match[str]) -> str:
    least = 2 if NEW_PARAGRAPH in spaces[0] else 1 if NEW_LINE in spaces[0] else 0
    return "\n" * min(max(spaces[0].count("\n"), least), 2) or " "
