"""The far ends of OAuth 2 are as strict as real ones; and what a real Postfix with a real Dovecot says to tokens."""

from __future__ import annotations

import json
import smtplib
import ssl
import time
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import dovecot
import postfix
import pytest
from authorization_server import Answer, AuthorizationServer, RefusedError
from dovecot import Dovecot
from postfix import Postfix
from relay import Catcher, Certificates

ACCOUNT = "pbx@office.test"
CLIENT = {"client_id": "pbx-client"}
SECRET = "s3cret"  # noqa: S105
DEVICE = {**CLIENT, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}
VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
REDIRECT = "http://127.0.0.1:4711/"
ASKED = {
    **CLIENT,
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "scope": "mail.send",
    "state": "st4te",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
EXCHANGE = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER}

Start = Callable[..., AuthorizationServer]
Post = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def start(certificates: Certificates) -> Iterator[Start]:
    """Start an authorization server with options of its own."""
    with ExitStack() as started:
        yield lambda **options: started.enter_context(
            AuthorizationServer(certificates.server, ca_file=certificates.ca_file, **options)
        )


@pytest.fixture
def server(start: Start) -> AuthorizationServer:
    """Return an authorization server for a public client."""
    return start()


@pytest.fixture
def post(certificates: Certificates) -> Post:
    """Send a form to an endpoint; returns the status and the answer."""
    context = ssl.create_default_context(cafile=certificates.ca_file)

    def post(server: AuthorizationServer, path: str, **form: str) -> tuple[int, dict[str, Any]]:
        try:
            body = urlencode(form).encode()
            with urlopen(server.url + path, body, timeout=60, context=context) as response:  # noqa: S310
                return response.status, json.load(response)
        except HTTPError as error:
            return error.code, json.load(error)

    return post


def asked(server: AuthorizationServer, **changed: str) -> str:
    """Return the URL that a client opens in a browser; what is changed to nothing is left out."""
    wanted = {name: value for name, value in {**ASKED, **changed}.items() if value}
    return f"{server.url}/authorize?{urlencode(wanted)}"


def told(location: str) -> dict[str, str]:
    """Return the parameters that a browser brings back to the client."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def consented(server: AuthorizationServer) -> str:
    """Return a code."""
    return told(server.browse(asked(server)))["code"]


# The code in a browser


def test_a_code_gives_tokens(server: AuthorizationServer, post: Post) -> None:
    location = server.browse(asked(server))
    assert location.startswith(REDIRECT + "?")
    assert told(location)["state"] == "st4te"
    status, token = post(server, "/token", **EXCHANGE, code=told(location)["code"])
    assert (status, token["token_type"], token["expires_in"], token["scope"]) == (200, "Bearer", 3600, "mail.send")
    assert server.is_valid(ACCOUNT, token["access_token"])
    assert not server.is_valid("boss@office.test", token["access_token"])
    assert not server.is_valid(ACCOUNT, token["refresh_token"])


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"code_verifier": "w" * 43}, "invalid_grant", id="another verifier"),
        pytest.param({"code_verifier": CHALLENGE}, "invalid_grant", id="the challenge as verifier"),
        pytest.param({"code_verifier": ""}, "invalid_request", id="no verifier"),
        pytest.param({"code_verifier": "v" * 42}, "invalid_request", id="a short verifier"),
        pytest.param({"redirect_uri": "http://127.0.0.1:4712/"}, "invalid_grant", id="another redirect_uri"),
        pytest.param({"redirect_uri": ""}, "invalid_grant", id="no redirect_uri"),
        pytest.param({"code": "c0de"}, "invalid_grant", id="another code"),
        pytest.param({"client_id": "somebody"}, "invalid_client", id="another client"),
        pytest.param({"client_id": ""}, "invalid_client", id="no client"),
        pytest.param({"client_secret": SECRET}, "invalid_client", id="a secret"),
        pytest.param({"grant_type": "password"}, "unsupported_grant_type", id="another grant"),
    ],
)
def test_a_code_is_refused(server: AuthorizationServer, post: Post, changed: dict[str, str], error: str) -> None:
    form = {**EXCHANGE, "code": consented(server), **changed}
    status, answer = post(server, "/token", **form)
    assert (status in (400, 401), answer["error"]) == (True, error)


def test_a_code_is_good_once(server: AuthorizationServer, post: Post) -> None:
    code = consented(server)
    assert post(server, "/token", **EXCHANGE, code=code)[0] == 200
    assert post(server, "/token", **EXCHANGE, code=code)[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"code_challenge": ""}, "invalid_request", id="no challenge"),
        pytest.param({"code_challenge_method": ""}, "invalid_request", id="no method"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="a short challenge"),
        pytest.param({"scope": "mail.read"}, "invalid_scope", id="another scope"),
    ],
)
def test_the_client_learns_why_there_is_no_code(
    server: AuthorizationServer, changed: dict[str, str], error: str
) -> None:
    location = server.browse(asked(server, **changed))
    assert (told(location)["error"], told(location)["state"]) == (error, "st4te")


def test_the_client_learns_that_the_person_refused(server: AuthorizationServer) -> None:
    location = server.browse(asked(server), consents=False)
    assert (told(location)["error"], told(location)["state"]) == ("access_denied", "st4te")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        pytest.param({"redirect_uri": "http://elsewhere.test/"}, "invalid_request", id="elsewhere"),
        pytest.param({"redirect_uri": "https://127.0.0.1/"}, "invalid_request", id="TLS on the own machine"),
        pytest.param({"redirect_uri": ""}, "invalid_request", id="nowhere"),
        pytest.param({"client_id": "somebody"}, "invalid_client", id="another client"),
    ],
)
def test_a_browser_is_sent_nowhere(server: AuthorizationServer, changed: dict[str, str], error: str) -> None:
    with pytest.raises(RefusedError, match=error):
        server.browse(asked(server, **changed))


@pytest.mark.parametrize(
    ("secret", "status"),
    [
        pytest.param({"client_secret": SECRET}, 200, id="the secret"),
        pytest.param({"client_secret": "gue55"}, 401, id="another"),
        pytest.param({}, 401, id="none"),
    ],
)
@pytest.mark.parametrize("path", ["/token", "/device", "/revoke"])
def test_a_client_with_a_secret(start: Start, post: Post, secret: dict[str, str], status: int, path: str) -> None:
    server = start(client_secret=SECRET)
    token = server.issue()["refresh_token"]
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": token, "token": token, **secret}
    assert post(server, path, **form)[0] == status


# The code on a device


def ask_for_codes(server: AuthorizationServer, post: Post) -> tuple[str, dict[str, str]]:
    """Return the code for the person, and what the device asks with."""
    status, answer = post(server, "/device", **CLIENT, scope="mail.send")
    assert (status, answer["verification_uri"]) == (200, f"{server.url}/verify")
    return answer["user_code"], {**DEVICE, "device_code": answer["device_code"]}


@pytest.mark.parametrize(
    ("person", "error"),
    [
        pytest.param(lambda server, code: None, "authorization_pending", id="nothing"),
        pytest.param(lambda server, code: server.deny(code), "access_denied", id="denies"),
        pytest.param(lambda server, code: server.expire_device_codes(), "expired_token", id="is late"),
    ],
)
def test_a_device_gets_nothing(
    server: AuthorizationServer, post: Post, person: Callable[[AuthorizationServer, str], None], error: str
) -> None:
    user_code, form = ask_for_codes(server, post)
    person(server, user_code)
    status, answer = post(server, "/token", **form)
    assert (status, answer["error"]) == (400, error)


def test_a_device_that_is_allowed(server: AuthorizationServer, post: Post) -> None:
    user_code, form = ask_for_codes(server, post)
    assert post(server, "/token", **{**form, "client_id": "somebody"})[1]["error"] == "invalid_client"
    server.allow(user_code)
    status, token = post(server, "/token", **form)
    assert (status, server.is_valid(ACCOUNT, token["access_token"])) == (200, True)
    assert "refresh_token" in token
    assert post(server, "/token", **form)[0] == 400  # it is good once


def test_a_device_that_hurries_is_slowed_down(start: Start, post: Post) -> None:
    server = start(interval=0.3)
    _, form = ask_for_codes(server, post)
    answers = []
    for pause in (0, 0.3, 0, 0.3):
        time.sleep(pause)
        answers.append(post(server, "/token", **form)[1]["error"])
    assert answers == ["authorization_pending", "authorization_pending", "slow_down", "slow_down"]


def test_devices_and_scopes_that_are_unknown(server: AuthorizationServer, post: Post) -> None:
    assert post(server, "/device", client_id="somebody")[1]["error"] == "invalid_client"
    assert post(server, "/device", **CLIENT, scope="mail.read")[1]["error"] == "invalid_scope"
    assert post(server, "/token", **DEVICE, device_code="d3vice")[0] == 400


# What becomes of tokens


def refresh(server: AuthorizationServer, post: Post, token: dict[str, str]) -> dict[str, Any]:
    """Return what the endpoint says to a refresh token."""
    refresh_token = token["refresh_token"]
    return post(server, "/token", **CLIENT, grant_type="refresh_token", refresh_token=refresh_token)[1]


def is_active(server: AuthorizationServer, post: Post, access_token: str) -> bool:
    """Whether introspection says so; it and the mail server's question have one answer."""
    active = post(server, "/introspect", token=access_token)[1]["active"]
    assert active == server.is_valid(ACCOUNT, access_token)
    return active


def test_a_refresh_token_that_stays(server: AuthorizationServer, post: Post) -> None:
    token = server.issue()
    for _ in range(2):
        new = refresh(server, post, token)
        assert "refresh_token" not in new
        assert refresh(server, post, {"refresh_token": ""}) == {"error": "invalid_grant"}
        assert is_active(server, post, new["access_token"])


def test_a_refresh_token_that_changes(start: Start, post: Post) -> None:
    server = start(rotates=True)
    token = server.issue()
    new = refresh(server, post, refresh(server, post, token))
    assert server.newest(token["refresh_token"]) == new["refresh_token"]
    assert is_active(server, post, new["access_token"])


def test_a_refresh_token_that_is_used_twice_ends_the_login(start: Start, post: Post) -> None:
    server = start(rotates=True)
    token, another = server.issue(), server.issue()
    new = refresh(server, post, token)
    assert refresh(server, post, token) == {"error": "invalid_grant"}
    assert refresh(server, post, new) == {"error": "invalid_grant"}
    assert (is_active(server, post, new["access_token"]), is_active(server, post, another["access_token"])) == (
        False,
        True,
    )


@pytest.mark.parametrize(
    ("what", "active", "refreshable"),
    [
        pytest.param(lambda server, token: None, True, True, id="nothing"),
        pytest.param(lambda server, token: server.expire_access_tokens(), False, True, id="time"),
        pytest.param(lambda server, token: server.withdraw(), False, False, id="the person"),
    ],
)
def test_what_ends_tokens(
    server: AuthorizationServer,
    post: Post,
    what: Callable[[AuthorizationServer, dict[str, str]], None],
    active: bool,
    refreshable: bool,
) -> None:
    token = server.issue()
    what(server, token)
    assert is_active(server, post, token["access_token"]) is active
    assert ("access_token" in refresh(server, post, token)) is refreshable


@pytest.mark.parametrize(
    ("kind", "client", "status", "active", "refreshable"),
    [
        pytest.param("access_token", "pbx-client", 200, False, True, id="an access token"),
        pytest.param("refresh_token", "pbx-client", 200, False, False, id="a refresh token, and all from it"),
        pytest.param("scope", "pbx-client", 200, True, True, id="no token"),
        pytest.param("refresh_token", "somebody", 400, True, True, id="by another client"),
    ],
)
def test_revocation(
    server: AuthorizationServer, post: Post, kind: str, client: str, status: int, active: bool, refreshable: bool
) -> None:
    token = server.issue()
    newer = refresh(server, post, token)["access_token"]
    assert post(server, "/revoke", client_id=client, token=token[kind])[0] == status
    assert is_active(server, post, token["access_token"]) is active
    assert is_active(server, post, newer) is refreshable
    assert ("access_token" in refresh(server, post, token)) is refreshable


def test_introspection(server: AuthorizationServer, post: Post) -> None:
    token = server.issue()
    _, answer = post(server, "/introspect", token=token["access_token"])
    assert (answer["username"], answer["scope"]) == (ACCOUNT, "mail.send")
    assert 0 < answer["exp"] - time.time() <= 3600
    assert post(server, "/introspect", token=token["refresh_token"]) == (200, {"active": False})
    assert post(server, "/introspect", token="wr0ng") == (200, {"active": False})  # noqa: S106


def test_tokens_without_end(start: Start, post: Post) -> None:
    server = start(lifetime=0)
    token = server.issue()
    assert "expires_in" not in token
    assert is_active(server, post, token["access_token"])


def test_long_tokens(start: Start) -> None:
    assert len(start(token_length=4096).issue()["access_token"]) == 4096


# What it shows to tests


def test_answers_as_scripted_are_used_up(server: AuthorizationServer, post: Post) -> None:
    server.answer("/device", Answer(503, {"error": "temporarily_unavailable"}), Answer(200, '{"interval": 7}'))
    assert post(server, "/device", **CLIENT) == (503, {"error": "temporarily_unavailable"})
    assert post(server, "/device", **CLIENT) == (200, {"interval": 7})
    assert post(server, "/device", **CLIENT)[1]["interval"] == 1
    assert [(one.path, one.form) for one in server.requests] == [("/device", CLIENT)] * 3


def test_the_settings_of_a_client(start: Start) -> None:
    server = start(client_secret=SECRET)
    assert server.ini().splitlines()[:4] == [
        "[oauth2]",
        "provider = custom",
        "client_id = pbx-client",
        'client_secret = "s3cret"',
    ]


# A real mail server asks it


MECHANISMS = ["XOAUTH2", "OAUTHBEARER"]
INVALID = {
    "XOAUTH2": {"status": "401", "schemes": "bearer", "scope": "mail"},
    "OAUTHBEARER": {"status": "invalid_token"},
}
"""Dovecot's reasons."""
LONGEST_LINE = 2048
"""Postfix's: what is more of a command is not read, and nobody is told."""
LONGEST_RESPONSE = 12287
"""Postfix's, in answer to 334."""

Converse = Callable[[AuthorizationServer], smtplib.SMTP_SSL]


@pytest.fixture
def converse(catcher: Catcher, certificates: Certificates) -> Iterator[Converse]:
    """Begin a conversation with a Postfix whose Dovecot asks an authorization server."""
    postfix.require()
    dovecot.require()
    context = ssl.create_default_context(cafile=certificates.ca_file)
    login, certificate = (ACCOUNT, ""), certificates.server_file

    with ExitStack() as begun:

        def converse(server: AuthorizationServer) -> smtplib.SMTP_SSL:
            judge = begun.enter_context(Dovecot(f"{server.url}/introspect", certificates.ca_file))
            relay = begun.enter_context(Postfix(catcher.port, login, certificate, sender=ACCOUNT, dovecot=judge.socket))
            smtp = begun.enter_context(smtplib.SMTP_SSL("localhost", relay.tls_port, context=context, timeout=60))
            smtp.ehlo()
            return smtp

        yield converse


def response_of(mechanism: str, token: str) -> str:
    """Return what a client says in a mechanism."""
    who = f"user={ACCOUNT}" if mechanism == "XOAUTH2" else f"n,a={ACCOUNT},\x01host=localhost\x01port=465"
    return b64encode(f"{who}\x01auth=Bearer {token}\x01\x01".encode()).decode()


def token_for(mechanism: str, size: int) -> int:
    """Return the length of the longest token whose response has at most so many bytes."""
    return next(one for one in range(size, 0, -1) if len(response_of(mechanism, "t" * one)) <= size)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("at_once", [pytest.param(True, id="with AUTH"), pytest.param(False, id="after 334")])
def test_a_token_opens_a_real_postfix(
    converse: Converse, server: AuthorizationServer, catcher: Catcher, mechanism: str, at_once: bool
) -> None:
    smtp = converse(server)
    assert smtp.esmtp_features["auth"].split() == MECHANISMS
    response = response_of(mechanism, server.issue()["access_token"])
    if at_once:
        said = smtp.docmd("AUTH", f"{mechanism} {response}")
    else:
        assert smtp.docmd("AUTH", mechanism) == (334, b"")
        said = smtp.docmd(response)
    assert said == (235, b"2.7.0 Authentication successful")
    smtp.sendmail(ACCOUNT, ["ivan@office.test"], b"Subject: by token\r\n\r\n")
    assert catcher.wait(1)[0].message["Subject"] == "by token"


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        pytest.param("", 535, "5.7.8 Error: authentication failed", id="empty"),
        pytest.param("AQ==", 535, "5.7.8 Error: authentication failed", id="understood"),
        pytest.param("*", 501, "5.7.0 Authentication aborted", id="given up"),
    ],
)
def test_a_real_postfix_refuses_a_token_that_was_withdrawn(
    converse: Converse, server: AuthorizationServer, mechanism: str, answer: str, code: int, text: str
) -> None:
    smtp = converse(server)
    token = server.issue()["access_token"]
    server.withdraw()
    status, reason = smtp.docmd("AUTH", f"{mechanism} {response_of(mechanism, token)}")
    assert (status, json.loads(b64decode(reason))) == (334, INVALID[mechanism])
    refused = smtp.docmd(answer)
    assert (refused[0], refused[1].decode()[: len(text)]) == (code, text)
    good = response_of(mechanism, server.issue()["access_token"])
    assert smtp.docmd("AUTH", f"{mechanism} {good}")[0] == 235  # in the same conversation


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_real_postfix_without_its_authorization_server(
    converse: Converse, server: AuthorizationServer, mechanism: str
) -> None:
    smtp = converse(server)
    response = response_of(mechanism, server.issue()["access_token"])
    server.answer("/introspect", *[Answer(503, "")] * 10)
    assert smtp.docmd("AUTH", f"{mechanism} {response}")[0] == 535  # no reason first, and nothing temporary


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize(
    ("at_once", "longer", "code"),
    [
        pytest.param(True, 0, 235, id="the longest with AUTH"),
        pytest.param(True, 4, 535, id="one too long with AUTH"),
        pytest.param(False, 0, 235, id="the longest after 334"),
        pytest.param(False, 4, 500, id="one too long after 334"),
    ],
)
def test_how_long_a_token_a_real_postfix_takes(
    converse: Converse, start: Start, mechanism: str, at_once: bool, longer: int, code: int
) -> None:
    command = f"AUTH {mechanism} " if at_once else ""
    size = (LONGEST_LINE if at_once else LONGEST_RESPONSE) - len(command) + longer
    server = start(token_length=token_for(mechanism, size))
    smtp = converse(server)
    if not at_once:
        smtp.docmd("AUTH", mechanism)
    assert smtp.docmd(command + response_of(mechanism, server.issue()["access_token"]))[0] == code
