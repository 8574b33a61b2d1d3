"""Secrets are not shown, in whatever form the other side repeats them, and nothing else is hidden."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, strategies

from pbxnotify.smtp.redaction import TELLING, Redactor

TOKEN = "ya29.a0Af/H6+SMBx_q-7tQ9=="  # noqa: S105 - made up


def secrets(*known: str) -> Redactor:
    """Return what hides these."""
    hiding = Redactor()
    for one in known:
        hiding.add(one)
    return hiding


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a sentence": lambda secret: f"no such token: {secret}.",
    "as a form has it": quote_plus,
    "as an address has it": lambda secret: quote(secret, safe="/"),
    "in small letters": str.lower,
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64, one further": lambda secret: b64encode(b"a" + secret.encode()).decode(),
    "base64, two further": lambda secret: b64encode(b"ab" + secret.encode()).decode(),
    "base64 for addresses": lambda secret: urlsafe_b64encode(b"a" + secret.encode()).decode(),
    "base64 of JSON": lambda secret: b64encode(json.dumps({"token": secret}).replace("/", "\\/").encode()).decode(),
    "wrapped": lambda secret: f"{secret[:13]} {secret[13:]}",
    "cut off": lambda secret: secret[:18],
    "in quotes": lambda secret: f'"{secret}"',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_that_is_repeated(form: str) -> None:
    shown = secrets(TOKEN).hidden_in(f"535 5.7.8 {FORMS[form](TOKEN)} is none of ours")
    said = FORMS[form](TOKEN)
    windows = [said[place : place + TELLING + 4] for place in range(len(said) - TELLING - 3)]
    assert "***" in shown
    assert not any(window in shown for window in windows if " " not in window and "no such" not in window)
    assert shown.startswith("535 5.7.8 ")
    assert shown.endswith("is none of ours")


@pytest.mark.parametrize("secret", ["pin4", "пароль ✓ 42"])
def test_a_short_secret_is_hidden_as_it_is(secret: str) -> None:
    assert secrets(secret).hidden_in(f"not {secret}, no") == "not ***, no"


def test_nothing_else_is_hidden() -> None:
    said = "5.7.26 Unauthenticated email from office.test is not accepted due to domain's DMARC policy"
    assert secrets(TOKEN, "s3cret", "", "пароль").hidden_in(said) == said


def test_of_secrets_within_secrets_the_longer_one_is_hidden() -> None:
    assert secrets("abc", "abcdef").hidden_in("x abcdef abc y") == "x *** *** y"


@given(strategies.text(max_size=40), strategies.text(max_size=200))
def test_any_text(secret: str, text: str) -> None:
    hiding = secrets(secret)
    assert hiding.hidden_in(text) == text or "***" in hiding.hidden_in(text)
    assert not secret or secret not in hiding.hidden_in(f"{text} {secret}").replace("***", "")
