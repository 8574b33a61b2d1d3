"""What must not be shown, in whatever form somebody on the other side repeats it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

TELLING = 10
"""Characters that a text shares with a secret: more than chance, and less than helps anybody."""
SHORTEST_FORM = 8
"""Characters of base64 that are a secret for certain, and no chance."""


class Redactor:
    """Some secrets, each in the forms in which it may show."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._forms: list[str] = []
        self._folded: list[str] = []

    def add(self, secret: str) -> None:
        """Hide one more from now on; its forms are made when there is a text to hide it in, as they take a while."""
        if secret not in self._secrets:
            self._secrets.add(secret)
            self._forms = []

    def hidden_in(self, text: str) -> str:
        """Return a text without secrets, nor any word that shares a good part with one: they may be cut, or wrapped."""
        if not self._forms:
            self._make_forms()
        for form in self._forms:
            text = text.replace(form, "***")

        def word(match: re.Match[str]) -> str:
            parts = match[0].lower()
            places = range(len(parts) - TELLING + 1)
            tells = any(parts[place : place + TELLING] in form for form in self._folded for place in places)
            return "***" if tells else match[0]

        return re.sub(rf"\S{{{TELLING},}}", word, text)

    def _make_forms(self) -> None:
        forms = {form for secret in self._secrets for form in _forms(secret) if form}
        self._forms = sorted(forms, key=len, reverse=True)  # of two that overlap, the longer one hides more
        self._folded = [form.lower() for form in self._forms if len(form) >= TELLING]


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, in hexadecimal, as a form of HTTP has it, and within base64 at any offset."""
    content = secret.encode("utf-8", "replace")
    yield secret
    yield content.hex()
    yield quote(content, safe="")
    yield quote_plus(content)
    for offset in range(3):
        encoded = b64encode(b"\0" * offset + content).decode()
        certain = encoded[-(-offset * 8 // 6) : (offset + len(content)) * 8 // 6]
        if len(certain) >= SHORTEST_FORM:
            yield certain
            yield certain.translate(str.maketrans("+/", "-_"))
