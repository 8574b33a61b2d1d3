"""Secrets are redacted, in whatever form the other side repeats them, and nothing else is."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given, strategies

from pbxnotify.smtp.redaction import SHARED, Redactor

TOKEN = "ya29.a0Af/H6+SMBx_q-7tQ9=="  # noqa: S105 - made up


def redactor(*secrets: str) -> Redactor:
    """Return what redacts these."""
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a sentence": lambda secret: f"no such token: {secret}.",
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64 of more": lambda secret: b64encode(secret.encode() + b"\1\1").decode(),
    "wrapped": lambda secret: f"{secret[:13]} {secret[13:]}",
    "cut off": lambda secret: secret[:18],
    "in quotes": lambda secret: f'"{secret}"',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_that_is_repeated(form: str) -> None:
    said = FORMS[form](TOKEN)
    shown = redactor(TOKEN).redact(f"535 5.7.8 {said} is none of ours")
    windows = [said[place : place + SHARED + 4] for place in range(len(said) - SHARED - 3)]
    assert "***" in shown
    assert not any(window in shown for window in windows if " " not in window and "no such" not in window)
    assert shown.startswith("535 5.7.8 ")
    assert shown.endswith("is none of ours")


@pytest.mark.parametrize("secret", ["pin4", "пароль ✓ 42"])
def test_a_short_secret_is_redacted_as_it_is(secret: str) -> None:
    assert redactor(secret).redact(f"not {secret}, no") == "not ***, no"


def test_nothing_else_is_redacted() -> None:
    said = "5.7.26 Unauthenticated email from office.test is not accepted due to domain's DMARC policy"
    assert redactor(TOKEN, "s3cret", "", "пароль").redact(said) == said


def test_of_secrets_within_secrets_the_longer_one_is_redacted() -> None:
    assert redactor("abc", "abcdef").redact("x abcdef abc y") == "x *** *** y"


@given(strategies.text(max_size=40), strategies.text(max_size=200))
def test_any_text(secret: str, text: str) -> None:
    shown = redactor(secret).redact(text)
    assert shown == text or "***" in shown
    assert not secret or secret not in redactor(secret).redact(f"{text} {secret}").replace("***", "")
