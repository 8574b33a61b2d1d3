"""The catcher takes a token as strictly as the RFCs let a server do."""

from __future__ import annotations

import json
import smtplib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from relay import Catcher

GOOD = "g00d-t0ken"
LOGIN = "pbx@office.test"
ODD_LOGIN = "a,b=c@office.test"
BEARER = f"auth=Bearer {GOOD}\x01\x01"
MECHANISMS = ["XOAUTH2", "OAUTHBEARER"]
SUCCESS = (235, b"2.7.0 Authentication successful")
ERRORS = {
    "XOAUTH2": {"status": "401", "schemes": "bearer", "scope": "mail.send"},
    "OAUTHBEARER": {"status": "invalid_token", "scope": "mail.send"},
}
UNDERSTOOD = {"XOAUTH2": "", "OAUTHBEARER": "AQ=="}

Talk = Callable[..., list[tuple[int, bytes]]]


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """Return a relay that wants a token."""
    with Catcher(tokens=lambda login, token: login in {LOGIN, ODD_LOGIN} and token.startswith(GOOD)) as catcher:
        yield catcher


@pytest.fixture
def talk(catcher: Catcher) -> Talk:
    """Say lines; returns what is answered to each."""

    def talk(*lines: str) -> list[tuple[int, bytes]]:
        with smtplib.SMTP("127.0.0.1", catcher.port, timeout=60) as smtp:
            smtp.ehlo()
            return [smtp.docmd(line) for line in lines]

    return talk


def encoded(text: str) -> str:
    """Return it as SASL has it on a line."""
    return b64encode(text.encode()).decode()


def response_of(mechanism: str, token: str) -> str:
    """Return what a client says in a mechanism."""
    who = f"user={LOGIN}" if mechanism == "XOAUTH2" else f"n,a={LOGIN},\x01host=localhost\x01port=465"
    return encoded(f"{who}\x01auth=Bearer {token}\x01\x01")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_token_with_auth_or_after_334(talk: Talk, catcher: Catcher, mechanism: str) -> None:
    response = response_of(mechanism, GOOD)
    assert talk(f"AUTH {mechanism} {response}") == [SUCCESS]
    assert talk(f"AUTH {mechanism}", response) == [(334, b""), SUCCESS]
    assert (catcher.logins, catcher.initial_responses) == ([mechanism] * 2, [True, False])


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_long_token_comes_after_334(talk: Talk, mechanism: str) -> None:
    response = response_of(mechanism, GOOD + "x" * 4096)
    assert talk(f"AUTH {mechanism} {response}", f"AUTH {mechanism}", response) == [
        (500, b"Command line too long"),
        (334, b""),
        SUCCESS,
    ]


@pytest.mark.parametrize(("size", "code"), [(512, 235), (516, 500)])
def test_how_long_a_line_with_auth_may_be(talk: Talk, size: int, code: int) -> None:
    command = "AUTH XOAUTH2 "
    lines = (command + response_of("XOAUTH2", GOOD + "x" * more) for more in range(512))
    assert talk(next(line for line in lines if len(line + "\r\n") > size - 4))[0][0] == code


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(None, (535, b"5.7.8 Authentication credentials invalid"), id="understood"),
        pytest.param("*", (501, b"5.7.0 Auth aborted"), id="given up"),
        pytest.param("AA==", (501, b"5.5.2 Not the answer to an error"), id="something else"),
        pytest.param("?", (501, b"5.5.2 Can't decode base64"), id="no base64"),
    ],
)
def test_a_token_that_is_bad(talk: Talk, mechanism: str, answer: str | None, said: tuple[int, bytes]) -> None:
    answer = UNDERSTOOD[mechanism] if answer is None else answer
    refused, final = talk(f"AUTH {mechanism} {response_of(mechanism, 'bad')}", answer)
    assert (refused[0], json.loads(b64decode(refused[1]))) == (334, ERRORS[mechanism])
    assert final == said


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_other_mechanisms_answer_to_an_error(talk: Talk, mechanism: str) -> None:
    other = UNDERSTOOD["OAUTHBEARER" if mechanism == "XOAUTH2" else "XOAUTH2"]
    assert talk(f"AUTH {mechanism} {response_of(mechanism, 'bad')}", other)[1][0] == 501


@pytest.mark.parametrize(
    ("mechanism", "response", "code"),
    [
        pytest.param("XOAUTH2", f"user={LOGIN}\x01{BEARER}", 235, id="XOAUTH2"),
        pytest.param("XOAUTH2", f"user={LOGIN}\x01{BEARER}\x01", 501, id="one end too many"),
        pytest.param("XOAUTH2", f"user={LOGIN}\x01{BEARER[:-1]}", 501, id="one end too few"),
        pytest.param("XOAUTH2", f"user={LOGIN}\x01auth=bearer{BEARER[11:]}", 501, id="XOAUTH2 in lower case"),
        pytest.param("XOAUTH2", f"user=\x01{BEARER}", 501, id="XOAUTH2 without a user"),
        pytest.param("OAUTHBEARER", f"n,a={LOGIN},\x01host=h\x01port=465\x01{BEARER}", 235, id="OAUTHBEARER"),
        pytest.param(
            "OAUTHBEARER", f"n,a=a=2Cb=3Dc@office.test,\x01host=h\x01port=465\x01{BEARER}", 235, id="an odd login"
        ),
        pytest.param(
            "OAUTHBEARER", f"n,a={ODD_LOGIN},\x01host=h\x01port=465\x01{BEARER}", 501, id="an odd login as it is"
        ),
        pytest.param("OAUTHBEARER", f"n,a={LOGIN}\x01host=h\x01port=465\x01{BEARER}", 501, id="no comma"),
        pytest.param("OAUTHBEARER", f"y,a={LOGIN},\x01host=h\x01port=465\x01{BEARER}", 501, id="channel binding"),
        pytest.param("OAUTHBEARER", f"n,,\x01host=h\x01port=465\x01{BEARER}", 501, id="no login"),
        pytest.param("OAUTHBEARER", f"n,a={LOGIN},\x01{BEARER}", 501, id="no host"),
        pytest.param("OAUTHBEARER", f"n,a={LOGIN},\x01host=h\x01port=smtp\x01{BEARER}", 501, id="no number"),
        pytest.param("OAUTHBEARER", f"user={LOGIN}\x01{BEARER}", 501, id="XOAUTH2 as OAUTHBEARER"),
    ],
)
def test_how_a_response_is_written(talk: Talk, mechanism: str, response: str, code: int) -> None:
    assert talk(f"AUTH {mechanism} {encoded(response)}")[0][0] == code


def test_nothing_goes_without_a_token(talk: Talk) -> None:
    assert talk("MAIL FROM:<pbx@office.test>", "AUTH PLAIN AA==") == [
        (530, b"5.7.0 Authentication required"),
        (504, b"5.5.4 Unrecognized authentication type"),
    ]


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        pytest.param({"tokens": lambda login, token: True}, MECHANISMS, id="tokens"),
        pytest.param({"tokens": lambda login, token: True, "mechanisms": ["XOAUTH2"]}, ["XOAUTH2"], id="one of them"),
        pytest.param({"login": (LOGIN, "")}, ["CRAM-MD5", "LOGIN", "PLAIN"], id="passwords"),
        pytest.param(
            {"login": (LOGIN, ""), "tokens": lambda login, token: True, "mechanisms": ["PLAIN", "OAUTHBEARER"]},
            ["PLAIN", "OAUTHBEARER"],
            id="one of each",
        ),
    ],
)
def test_what_is_offered(options: dict[str, Any], offered: list[str]) -> None:
    with Catcher(**options) as catcher, smtplib.SMTP("127.0.0.1", catcher.port, timeout=60) as smtp:
        smtp.ehlo()
        assert set(smtp.esmtp_features["auth"].split()) == set(offered)
