"""Requests for tokens: over real HTTPS, to a real authorization server, and to one that refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import login_office
import pytest
from authorization_server import Answer
from checkout import ROOT
from golden import Golden
from login_office import ACCOUNT, LoginOffice
from relay import Certificates

from pbxnotify.errors import GrantRefused, LoginRefused, LoginUnavailable, PbxnotifyError, UsageError
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.oauth.authorization_server import AuthorizationServer
from pbxnotify.smtp.oauth.responses import DeviceCode, Grant
from pbxnotify.spool.store import Spool

BACK = "http://127.0.0.1:8899"
CLIENT_SECRET = "GOCSPX-s3cr+t/of&the_application"  # noqa: S105 - made up
PAGE = "https://ya.ru/device"
REFRESH = "1//0r3fresh-token+of/the-office"


@pytest.fixture
def office(spool: Spool, box: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return an office whose application has a secret."""
    with login_office.running(box, certificates, client_secret=CLIENT_SECRET) as office:
        yield office


@pytest.fixture
def public(spool: Spool, box: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return one whose application has none."""
    with login_office.running(box, certificates) as office:
        yield office


def server(office: LoginOffice) -> AuthorizationServer:
    """Return the authorization server as our application knows it."""
    return AuthorizationServer(office.relay)


def refusal(office: LoginOffice, *answers: Answer) -> PbxnotifyError:
    """Return what a renewal that is answered so ends in."""
    office.server.answer("/token", *answers)
    with pytest.raises(PbxnotifyError) as caught:
        server(office).refresh(REFRESH)
    return caught.value


def without_description(refused: GrantRefused) -> str:
    """Return what is said less the server's own words, which change with its version."""
    return re.sub(rf"(?<={refused.error}: ).* (?=\()", "DESCRIPTION ", str(refused))


# The ways to a token, for applications with and without a secret


@pytest.mark.parametrize("kind", ["office", "public"])
def test_by_a_browser_that_comes_back(kind: str, request: pytest.FixtureRequest) -> None:
    office: LoginOffice = request.getfixturevalue(kind)
    ours = server(office)
    question = ours.question(BACK)
    grant = ours.answer(question, office.server.browse(question.address))
    assert office.server.is_valid(ACCOUNT, grant.access)
    assert (bool(grant.refresh), grant.lifetime) == (True, 3600.0)


@pytest.mark.parametrize("kind", ["office", "public"])
def test_by_a_code_for_another_device(kind: str, request: pytest.FixtureRequest) -> None:
    office: LoginOffice = request.getfixturevalue(kind)
    ours = server(office)
    code = ours.ask_for_code()
    office.server.allow(code.shown)
    assert office.server.is_valid(ACCOUNT, ours.redeem(code).access)
    assert code.page == f"{office.server.url}/verify"


@pytest.mark.parametrize("kind", ["office", "public"])
def test_renewed_and_ended(kind: str, request: pytest.FixtureRequest) -> None:
    office: LoginOffice = request.getfixturevalue(kind)
    first = office.server.issue()
    fresh = server(office).refresh(first["refresh_token"])
    assert office.server.is_valid(ACCOUNT, fresh.access)
    server(office).revoke(first["refresh_token"])
    assert not office.server.is_valid(ACCOUNT, fresh.access)


def test_the_secret_goes_beside_the_form_as_every_server_must_take_it(office: LoginOffice) -> None:
    """RFC 6749 section 2.3.1; some take it in no other way."""
    server(office).ask_for_code()
    server(office).refresh(office.server.issue()["refresh_token"])
    server(office).revoke(office.server.issue()["refresh_token"])
    known = b64encode(f"pbx-client:{quote_plus(CLIENT_SECRET)}".encode()).decode()
    assert [one.authorization for one in office.server.requests] == [f"Basic {known}"] * 3
    assert all("client_secret" not in one.form for one in office.server.requests)


def test_the_header_is_redacted_like_the_secret(office: LoginOffice) -> None:
    known = b64encode(f"pbx-client:{quote_plus(CLIENT_SECRET)}".encode()).decode()
    said = str(refusal(office, Answer(400, {"error": "invalid_client", "error_description": f"Basic {known}"})))
    assert (known[24:] in said, known[20:40] in said) == (False, False)


def test_the_providers_that_we_know_take_it_within_the_form(office: LoginOffice) -> None:
    office.write_ini(own=office.server.ini().replace("provider = custom", "provider = microsoft"))
    server(office).refresh(office.server.issue()["refresh_token"])
    asked = office.server.requests[-1]
    assert (asked.authorization, asked.form["client_secret"]) == ("", CLIENT_SECRET)


def test_what_the_browser_is_asked(office: LoginOffice) -> None:
    asked = {name: value for name, (value,) in parse_qs(urlsplit(server(office).question(BACK).address).query).items()}
    challenge, state = asked.pop("code_challenge"), asked.pop("state")
    assert asked == {
        "response_type": "code",
        "client_id": "pbx-client",
        "redirect_uri": BACK,
        "scope": "mail.send",
        "code_challenge_method": "S256",
        "login_hint": ACCOUNT,
    }
    assert (len(challenge), len(state) >= 30) == (43, True)


def test_each_login_has_a_challenge_and_a_state_of_its_own(office: LoginOffice) -> None:
    first, second = (parse_qs(urlsplit(server(office).question(BACK).address).query) for _ in range(2))
    assert [name for name in first if first[name] == second[name]] == [
        *("response_type", "client_id", "redirect_uri", "scope", "code_challenge_method", "login_hint")
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda back: back.replace("state=", "state=x"), id="another state"),
        pytest.param(lambda back: re.sub("&?state=[^&]*", "", back), id="no state"),
        pytest.param(lambda back: re.sub("code=[^&]*", "", back), id="no code"),
        pytest.param(lambda back: "", id="nothing"),
        pytest.param(lambda back: "yes", id="a word"),
        pytest.param(lambda back: "http://[::1?code=1", id="no address at all"),
        pytest.param(lambda back: parse_qs(urlsplit(back).query)["code"][0], id="the code alone"),
        pytest.param(lambda back: "http://\ud800", id="no text"),
    ],
)
def test_an_address_that_does_not_answer_us(office: LoginOffice, spoil: Callable[[str], str], golden: Golden) -> None:
    ours = server(office)
    question = ours.question(BACK)
    back = office.server.browse(question.address)
    with pytest.raises(UsageError) as caught:
        ours.answer(question, spoil(back))
    golden(caught.value)
    assert office.asked() == 0
    assert office.server.is_valid(ACCOUNT, ours.answer(question, back).access)


def test_somebody_says_no_in_the_browser(office: LoginOffice, golden: Golden) -> None:
    ours = server(office)
    question = ours.question(BACK)
    with pytest.raises(GrantRefused) as caught:
        ours.answer(question, office.server.browse(question.address, consents=False))
    assert caught.value.error == "access_denied"
    golden(without_description(caught.value))


def test_a_code_is_good_once(office: LoginOffice) -> None:
    ours = server(office)
    question = ours.question(BACK)
    back = office.server.browse(question.address)
    ours.answer(question, back)
    with pytest.raises(GrantRefused) as caught:
        ours.answer(question, back)
    assert caught.value.error == "invalid_grant"


def test_the_code_of_another_login_is_none_of_ours(office: LoginOffice) -> None:
    """Its verifier is another (RFC 7636): who intercepts a code can do nothing with it."""
    ours = server(office)
    first, second = ours.question(BACK), ours.question(BACK)
    code = parse_qs(urlsplit(office.server.browse(first.address)).query)["code"][0]
    with pytest.raises(GrantRefused) as caught:
        ours.answer(second, f"{BACK}/?code={code}&state={second.state}")
    assert caught.value.error == "invalid_grant"


# What a server says that gives nothing


@pytest.mark.parametrize(
    "error",
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        pytest.param("interaction_required", id="Microsoft wants to see somebody"),
        pytest.param("", id="no error code"),
        pytest.param("my_own", id="an unknown one"),
    ],
)
@pytest.mark.parametrize("status", [400, 401])
def test_refused_for_good(office: LoginOffice, error: str, status: int, golden: Golden) -> None:
    """RFC 6749 section 5.2."""
    described = Answer(status, {"error": error, "error_description": "AADSTS70000: no more\r\nTrace ID: 1"})
    refused = refusal(office, described)
    assert isinstance(refused, GrantRefused)
    assert refused.error == (error or f"status {status}")
    golden(refused)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            {"error": "invalid_client", "error_description": "AADSTS7000218: The request body must contain: secret"},
            id="Microsoft: the switch, and no secret",
        ),
        pytest.param(
            {"error": "invalid_request", "error_description": "client_secret is missing."}, id="Google: no secret"
        ),
        pytest.param({"error": "deleted_client"}, id="Google: the application is gone"),
        pytest.param({"error": {"code": 403, "message": "no"}}, id="no code but more"),
    ],
)
def test_what_is_met_first(office: LoginOffice, answer: dict[str, Any], golden: Golden) -> None:
    golden(refusal(office, Answer(400, answer)))


@pytest.mark.parametrize(("kind", "is_taken"), [("bearer", True), ("Bearer", True), ("", True), ("mac", False)])
def test_the_type_of_a_token(office: LoginOffice, kind: str, is_taken: bool, golden: Golden) -> None:
    """RFC 6749 section 7.1: one that we do not understand is not used."""
    office.server.answer("/token", Answer(200, {**office.server.issue(), "token_type": kind}))
    if is_taken:
        assert server(office).refresh(REFRESH).access
    else:
        with pytest.raises(LoginUnavailable) as caught:
            server(office).refresh(REFRESH)
        golden(caught.value)


@pytest.mark.parametrize(
    ("allowed", "lacks"),
    [
        pytest.param("https://outlook.office.com/SMTP.Send", False, id="what was asked for"),
        pytest.param("openid https://OUTLOOK.office.com/smtp.send", False, id="more, written otherwise"),
        pytest.param("", False, id="not said: as asked for"),
        pytest.param("openid", True, id="something else"),
        pytest.param("openid offline_access profile", True, id="nothing for mail"),
    ],
)
def test_what_a_token_allows(allowed: str, lacks: bool) -> None:
    """That it can be renewed, and that there is an ID token, is not always said."""
    grant = Grant("a", "r", 1.0, None, allowed)
    assert grant.lacks("https://outlook.office.com/SMTP.Send offline_access") == lacks
    assert grant.lacks("openid https://outlook.office.com/SMTP.Send offline_access") == lacks


def test_a_wrong_secret_of_the_application_for_real(office: LoginOffice, golden: Golden) -> None:
    office.write_ini(own=office.server.ini().replace(CLIENT_SECRET, "wr0ng"))
    refused = refusal(office)
    assert isinstance(refused, GrantRefused)
    assert refused.error == "invalid_client"
    golden(without_description(refused))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(500, "<h1>Oops</h1>", "text/html"), id="500"),
        pytest.param(Answer(503, {"error": "server_error"}), id="503"),
        pytest.param(Answer(429, {"error": "too_many"}), id="429"),
        pytest.param(Answer(408, ""), id="408"),
        pytest.param(Answer(400, {"error": "temporarily_unavailable"}), id="temporarily_unavailable"),
        pytest.param(Answer(400, {"error": "server_error"}), id="server_error"),
        pytest.param(Answer(200, "<html>Please log in to the hotel", "text/html"), id="a captive portal"),
        pytest.param(Answer(302, "", headers=(("Location", "https://localhost:1/"),)), id="a redirection"),
        pytest.param(Answer(403, "<h1>Blocked by policy</h1>", "text/html"), id="a firewall"),
        pytest.param(Answer(200, ""), id="nothing"),
        pytest.param(Answer(200, "[]"), id="a list"),
        pytest.param(Answer(200, "[" * 60000), id="nested"),
        pytest.param(Answer(200, b"\xff\xfe"), id="no text"),
        pytest.param(Answer(200, {}), id="no token"),
        pytest.param(Answer(200, {"access_token": None}), id="null"),
        pytest.param(Answer(200, {"access_token": ["a"]}), id="a list of tokens"),
        pytest.param(Answer(200, {"access_token": ""}), id="an empty token"),
        pytest.param(Answer(200, {"access_token": "a\r\nRSET"}), id="two lines"),
        pytest.param(Answer(200, {"access_token": "a\x01b"}), id="a separator"),
        pytest.param(Answer(200, {"access_token": "ключ"}), id="Cyrillic"),
        pytest.param(Answer(200, {"access_token": "a" * 9000}), id="a token of 9 KB"),
        pytest.param(Answer(200, {"access_token": "a", "refresh_token": 5}), id="a number to refresh with"),
        pytest.param(Answer(200, "x" * 70000), id="70 KB"),
    ],
)
def test_not_now(office: LoginOffice, answer: Answer, golden: Golden) -> None:
    refused = refusal(office, answer)
    assert isinstance(refused, LoginUnavailable)
    golden(refused)


@pytest.mark.parametrize("status", [404, 405, 410])
def test_an_address_that_is_not_one_of_oauth(office: LoginOffice, status: int, golden: Golden) -> None:
    refused = refusal(office, Answer(status, "<h1>Not here</h1>", "text/html"))
    assert isinstance(refused, GrantRefused)
    assert refused.error == f"status {status}"
    golden(refused)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda secret: secret, id="as it is"),
        pytest.param(quote_plus, id="as the form had it"),
        pytest.param(lambda secret: quote(secret, safe="/"), id="as an address has it"),
        pytest.param(lambda secret: f"{secret[:14]}\r\n {secret[14:]}", id="wrapped"),
    ],
)
def test_a_server_that_repeats_secrets(office: LoginOffice, form: Callable[[str], str]) -> None:
    description = f"no token refresh_token={form(REFRESH)}&client_secret={form(CLIENT_SECRET)} here"
    said = str(refusal(office, Answer(400, {"error": "invalid_grant", "error_description": description})))
    assert re.search(r"\*\*\*.* here", said)
    for secret in (REFRESH, CLIENT_SECRET):
        shown = form(secret)
        assert not any(shown[place : place + 10] in said for place in range(len(shown) - 9))


# The code for another device


@pytest.mark.parametrize(
    "error", ["authorization_pending", "slow_down", "access_denied", "expired_token", "authorization_declined"]
)
def test_what_is_said_of_a_code(office: LoginOffice, error: str) -> None:
    """RFC 8628 section 3.5, and Microsoft's own."""
    office.server.answer("/token", Answer(400, {"error": error}))
    with pytest.raises(GrantRefused) as caught:
        server(office).redeem(DeviceCode("d", "u", "p", 600.0, 5.0))
    assert caught.value.error == error


def test_what_is_said_of_a_code_for_real(office: LoginOffice) -> None:
    ours = server(office)
    said = []
    code = ours.ask_for_code()
    for before in (
        lambda: None,
        lambda: None,
        lambda: office.server.deny(code.shown),
        office.server.expire_device_codes,
    ):
        before()
        with pytest.raises(GrantRefused) as caught:
            ours.redeem(code)
        said.append(caught.value.error)
        if said[-1] == "slow_down":
            next(iter(office.server._protocol.devices.values())).polled = 0.0
    assert said == ["authorization_pending", "slow_down", "access_denied", "expired_token"]


@pytest.mark.parametrize(
    ("changes", "lifetime", "interval"),
    [
        pytest.param({}, 900.0, 7.0, id="as it should be"),
        pytest.param({"interval": None}, 900.0, 5.0, id="no interval: five seconds, says the RFC"),
        pytest.param({"interval": 0}, 900.0, 5.0, id="no pause at all"),
        pytest.param({"interval": 86400}, 900.0, 900.0, id="a day"),
        pytest.param({"expires_in": None}, 600.0, 7.0, id="no end"),
        pytest.param({"expires_in": 10**9}, 3600.0, 7.0, id="for ever"),
        pytest.param({"verification_uri": None, "verification_url": PAGE}, 900.0, 7.0, id="Yandex's word for it"),
    ],
)
def test_a_code_as_servers_give_it(
    office: LoginOffice, changes: dict[str, object], lifetime: float, interval: float
) -> None:
    usual = {"device_code": "d", "user_code": "AB-CD", "verification_uri": PAGE}
    office.server.answer("/device", Answer(200, {**usual, "expires_in": 900, "interval": 7, **changes}))
    assert server(office).ask_for_code() == ("d", "AB-CD", PAGE, lifetime, interval)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"device_code": "d"}, id="nothing to enter"),
        pytest.param({"device_code": "d", "user_code": "a\x1b[2J", "verification_uri": "https://a"}, id="a terminal's"),
        pytest.param({"device_code": 5, "user_code": "a", "verification_uri": "https://a"}, id="a number"),
    ],
)
def test_a_code_that_is_not_valid(office: LoginOffice, answer: dict[str, object], golden: Golden) -> None:
    office.server.answer("/device", Answer(200, answer))
    with pytest.raises(LoginUnavailable) as caught:
        server(office).ask_for_code()
    golden(caught.value)


def test_yandex_has_names_of_its_own(office: LoginOffice) -> None:
    office.write_ini(own=office.server.ini().replace("provider = custom", "provider = yandex"))
    issued = {"access_token": "y0_token", "refresh_token": "1:r", "token_type": "bearer", "expires_in": 31536000}
    office.server.answer("/token", Answer(200, issued))
    grant = server(office).redeem(DeviceCode("d3vice", "u", "p", 600.0, 5.0))
    assert grant == Grant("y0_token", "1:r", 31536000.0, None)
    assert office.server.requests[-1].form == {
        "grant_type": "device_code",
        "code": "d3vice",
        "client_id": "pbx-client",
        "client_secret": CLIENT_SECRET,
    }


@pytest.mark.parametrize(
    ("provider", "wanted"),
    [
        pytest.param(
            "google",
            {"access_type": "offline", "prompt": "consent", "scope": "https://mail.google.com/"},
            id="google gives a refresh token when asked like that only",
        ),
        pytest.param(
            "microsoft",
            {"scope": "https://outlook.office.com/SMTP.Send offline_access"},
            id="microsoft wants a scope for that",
        ),
    ],
)
def test_what_a_provider_wants_beside_the_standard(provider: str, wanted: dict[str, str]) -> None:
    assert wanted.items() <= asked_with(OAuth2(provider=provider, client_id="a").with_defaults()).items()


@pytest.mark.parametrize(
    ("provider", "scope", "prompt"),
    [
        pytest.param("custom", "openid offline_access mail", "consent", id="custom, to be renewed"),
        pytest.param("custom", "mail", None, id="custom, another scope"),
        pytest.param("custom", "https://a.test/offline_access_mail", None, id="custom, a scope that looks like it"),
        pytest.param("microsoft", "", None, id="microsoft, where many may not consent themselves"),
    ],
)
def test_consent_is_wanted_for_a_login_that_can_be_renewed(provider: str, scope: str, prompt: str | None) -> None:
    """OpenID Connect Core section 11: without it there is no refresh token."""
    address = "https://a.test/"
    settings = OAuth2(provider, "a", scope=scope, authorization_url=address, token_url=address).with_defaults()
    assert asked_with(settings).get("prompt") == prompt


def asked_with(settings: OAuth2) -> dict[str, str]:
    """Return the parameters that a browser is sent to the provider with."""
    server = AuthorizationServer(Smtp(login=ACCOUNT, oauth2=settings))
    return {name: value for name, (value,) in parse_qs(urlsplit(server.question(BACK).address).query).items()}


# What else may be missing


def test_without_oauthlib(office: LoginOffice, box: Path, golden: Golden) -> None:
    (box / "oauthlib.py").write_text("raise ImportError")
    office.keep(expires=1.0)
    command = [sys.executable, "-m", "pbxnotify.cli", "test"]
    environment = {**os.environ, "PYTHONPATH": f"{box}:{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == os.EX_CONFIG
    golden(done.stderr)


def test_a_certificate_that_nobody_here_trusts(office: LoginOffice, certificates: Certificates, golden: Golden) -> None:
    text = office.ini.read_text().replace(certificates.ca_file, certificates.unknown_ca_file)
    office.ini.write_text(f"{text}".replace("[oauth2]", "verify_certificate = no\n[oauth2]"))
    refused = refusal(office)
    assert isinstance(refused, LoginUnavailable)
    golden(refused)
    assert office.server.requests == []


def test_an_authority_that_has_gone(office: LoginOffice, tmp_path: Path, golden: Golden) -> None:
    relay = office.relay._replace(ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(LoginRefused) as caught:
        AuthorizationServer(relay)
    golden(caught.value)


def test_secrets_are_in_no_repr(office: LoginOffice) -> None:
    assert CLIENT_SECRET not in repr(office.relay) + repr(office.relay.oauth2) + json.dumps(str(office.relay))
