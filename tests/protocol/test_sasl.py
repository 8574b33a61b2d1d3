"""Logging in with a token: both mechanisms, short tokens and long ones, and a relay that says why it rejects one."""

from __future__ import annotations

import json
import os
import pwd
import socket
from base64 import b64encode
from typing import Any

import pytest
from golden import Golden
from relay import Catcher, Certificates, ScriptedRelay, Talk

from pbxnotify.errors import RelayError, RelayMisconfigured, RelayUnavailable, SettingsError
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.client import Relay
from pbxnotify.smtp.sasl import LONGEST_COMMAND

ACCOUNT = "pbx@office.test"
SHORT, LONG = "ya29.t0ken-of-the-office", "EwB4A8l6BAAU" * 300


def settings(port: int, token: str, **options: Any) -> Smtp:
    """Return settings for a relay on this host that takes tokens, which a command gives us."""
    usual = {"host": "localhost", "sender": ACCOUNT, "login": ACCOUNT, "auth": "oauth2", "timeout": 5}
    return Smtp(port=port, password_command=f"echo {token}", **{**usual, **options})


def log_in(port: int, token: str = SHORT, **options: Any) -> tuple[list[str], RelayError | None]:
    """Return the transcript of a login, and what it ended in."""
    lines: list[str] = []
    try:
        with Relay(settings(port, token, **options), lines.append):
            pass
    except RelayError as error:
        return lines, error
    return lines, None


def failure(port: int, **options: Any) -> RelayError:
    """Return the error that a login ends in."""
    error = log_in(port, **options)[1]
    assert error
    return error


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        pytest.param(("XOAUTH2",), "XOAUTH2", id="Microsoft, Yandex"),
        pytest.param(("XOAUTH2", "OAUTHBEARER"), "OAUTHBEARER", id="Gmail"),
        pytest.param(("OAUTHBEARER",), "OAUTHBEARER", id="the standard one alone"),
    ],
)
@pytest.mark.parametrize(("token", "at_once"), [(SHORT, True), (LONG, False)], ids=["short", "long"])
@pytest.mark.parametrize("login", [ACCOUNT, "a,b=c@office.test", "почта@office.test"], ids=["plain", "odd", "Russian"])
def test_a_login(
    certificates: Certificates, offered: tuple[str], taken: str, token: str, at_once: bool, login: str
) -> None:
    shown_tokens: list[tuple[str, str]] = []

    def takes(account: str, shown: str) -> bool:
        shown_tokens.append((account, shown))
        return True

    with Catcher(tls=certificates.server, implicit=True, tokens=takes, mechanisms=offered) as catcher:
        lines, error = log_in(catcher.port, security="tls", ca_file=certificates.ca_file, login=login, token=token)
        assert (error, catcher.logins, catcher.initial_responses) == (None, [taken], [at_once])
    assert shown_tokens == [(login, token)]
    assert token not in "\n".join(lines)


@pytest.mark.parametrize("over", [0, 1], ids=["512 octets with their end", "one more"])
def test_a_command_is_no_longer_than_a_relay_must_take(over: int) -> None:
    """RFC 5321 section 4.5.3.1.4, counted on the wire."""
    room = (LONGEST_COMMAND - len("AUTH XOAUTH2 ")) // 4 * 3
    token = "t" * (room - len(f"user={ACCOUNT}\1auth=Bearer \1\1") + over)

    def take(talk: Talk) -> None:
        if over:
            talk.say("334 ")
            talk.line()
        talk.say("235 2.7.0 Ok")

    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=take) as relay:
        assert log_in(relay.port, token=token)[1] is None
        (command,) = relay.commands("AUTH")
    assert (len(command) + 2 <= 512, command == b"AUTH XOAUTH2") == (True, bool(over))


# A token that is not taken


@pytest.mark.parametrize(
    ("mechanism", "status", "answer"), [("XOAUTH2", "401", b""), ("OAUTHBEARER", "invalid_token", b"\1")]
)
def test_the_reason_is_acknowledged_and_shown(
    certificates: Certificates, mechanism: str, status: str, answer: bytes, golden: Golden
) -> None:
    with Catcher(
        tls=certificates.server, implicit=True, tokens=lambda login, token: False, mechanisms=(mechanism,)
    ) as catcher:
        lines, error = log_in(catcher.port, security="tls", ca_file=certificates.ca_file)
    assert isinstance(error, RelayMisconfigured)
    assert (error.stage, error.code, f"(status {status})" in str(error)) == ("AUTH", 535, True)
    golden(error)
    assert f"> {b64encode(answer).decode()}".rstrip() in [line.rstrip() for line in lines]


def refuses(challenge: str) -> Any:
    """Return a relay that says a challenge, and then no."""

    def act(talk: Talk) -> None:
        talk.say(f"334 {challenge}")
        talk.line()
        talk.say("535 5.7.8 no")

    return act


@pytest.mark.parametrize(
    ("challenge", "shown"),
    [
        pytest.param(json.dumps({"status": "invalid_token"}).encode(), " (status invalid_token)", id="RFC 7628"),
        pytest.param(
            b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}', " (status 400)", id="Gmail"
        ),
        pytest.param(json.dumps({"status": "x" * 500}).encode(), f" (status {'x' * 40})", id="endless"),
        pytest.param(json.dumps({"status": "a\r\nb\x1b[2J"}).encode(), " (status a b [2J)", id="a terminal's"),
        pytest.param(json.dumps({"status": SHORT}).encode(), " (status ***)", id="the token"),
        pytest.param(b'{"scope": "mail"}', "", id="no status"),
        pytest.param(b"[]", "", id="a list"),
        pytest.param(b"5", "", id="a number"),
        pytest.param(b"[" * 3000, "", id="nested"),
        pytest.param(b"not json", "", id="no JSON"),
    ],
)
def test_a_reason_as_relays_give_it(challenge: bytes, shown: str) -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=refuses(b64encode(challenge).decode())) as relay:
        error = failure(relay.port)
    assert f"AUTH XOAUTH2{shown} with 535 5.7.8 no" in str(error)


@pytest.mark.parametrize("challenge", ["", "*", "====", "ÿ"], ids=["empty", "star", "no base64", "no ASCII"])
def test_a_reason_that_cannot_be_read(challenge: str) -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=refuses(challenge)) as relay:
        assert "AUTH XOAUTH2 with 535 5.7.8 no" in str(failure(relay.port))


def test_a_relay_that_never_comes_to_an_end_of_it() -> None:
    def always(talk: Talk) -> None:
        for _ in range(3):
            talk.say("334 e30=")
            talk.line()

    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=always) as relay:
        assert isinstance(failure(relay.port), RelayUnavailable)


def repeats(form: Any) -> Any:
    """Return a relay that repeats the token in its refusal, in some form."""

    def act(talk: Talk) -> None:
        talk.say(f"535 5.7.8 {form(SHORT)} is none of ours")

    return act


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda token: token, id="as it is"),
        pytest.param(lambda token: f"user=a auth=Bearer {token}", id="in a sentence"),
        *(
            pytest.param(lambda token, n=n: b64encode(b"x" * n + token.encode() + b"yz").decode(), id=f"base64 at {n}")
            for n in (0, 3)
        ),
    ],
)
def test_a_relay_that_repeats_the_token(form: Any) -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=repeats(form)) as relay:
        lines, error = log_in(relay.port)
    shown = "\n".join([*lines, str(error)])
    encoded = b64encode(SHORT.encode()).decode()
    assert "***" in str(error)
    assert not any(part in shown for part in (SHORT, SHORT[5:], encoded[4:-4], form(SHORT)[4:-6]))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param("454 4.7.0 Temporary authentication failure", RelayUnavailable, id="454"),
        pytest.param("421 4.3.2 going down", RelayUnavailable, id="421"),
        pytest.param("504 5.5.4 no such mechanism", RelayMisconfigured, id="504"),
        pytest.param("534 5.7.9 too weak", RelayMisconfigured, id="534"),
    ],
)
def test_other_answers(answer: str, kind: type[RelayError]) -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH=answer) as relay:
        assert isinstance(failure(relay.port), kind)
        assert len(relay.commands("AUTH")) == 1


def test_a_helper_that_prints_no_token(golden: Golden) -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"]) as relay, pytest.raises(SettingsError) as caught:
        log_in(relay.port, token="")
    golden(caught.value, user=pwd.getpwuid(os.geteuid()).pw_name)


def test_a_token_of_a_helper_is_not_renewed_by_us() -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2"], AUTH="535 5.7.8 no") as relay:
        failure(relay.port)
        assert len(relay.commands("AUTH")) == 1


# Where none may be shown


def test_a_relay_without_such_logins(golden: Golden) -> None:
    with ScriptedRelay(extensions=["AUTH PLAIN LOGIN"]) as relay:
        golden(failure(relay.port))
        assert relay.commands("AUTH") == []


def test_a_password_is_never_shown_as_a_token() -> None:
    with ScriptedRelay(extensions=["AUTH XOAUTH2 OAUTHBEARER"]) as relay:
        failure(relay.port, auth="password")
        assert relay.commands("AUTH") == []


def test_no_token_in_the_clear_over_a_network(monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("192.0.2.1", 25), raising=False)
    with ScriptedRelay(extensions=["AUTH XOAUTH2"]) as relay:
        golden(failure(relay.port))
        assert relay.commands("AUTH") == []
