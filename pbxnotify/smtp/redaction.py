"""Redacts secrets in what the other side says, should it repeat what it was sent."""

from __future__ import annotations

import re
from base64 import b64encode

SHARED = 10  # characters that a word shares with a secret: more than chance, and fewer than help anybody


class Redactor:
    """Some secrets, as they are and in base64; another form in which one is sent is added as well."""

    def __init__(self) -> None:
        self._forms: set[str] = set()

    def add(self, secret: str) -> None:
        """Redact one more secret from now on."""
        if secret:
            self._forms |= {secret, b64encode(secret.encode("utf-8", "replace")).decode()}

    def redact(self, text: str) -> str:
        """Return a text without secrets, and without words that share a good part of one: it may be cut or wrapped."""
        for form in sorted(self._forms, key=len, reverse=True):  # of two that overlap, the longer one covers more
            text = text.replace(form, "***")
        return re.sub(rf"\S{{{SHARED},}}", lambda word: "***" if self._is_part(word[0]) else word[0], text)

    def _is_part(self, word: str) -> bool:
        parts = (word[start : start + SHARED] for start in range(len(word) - SHARED + 1))
        return any(part in form for part in parts for form in self._forms)
