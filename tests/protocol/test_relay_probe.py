"""The way to the relay, stage by stage, against real relays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from relay import Catcher, Certificates, ScriptedRelay, close

from pbxnotify.errors import RelayError
from pbxnotify.health.relay_probe import probe
from pbxnotify.settings.load import load_settings
from pbxnotify.spool.store import Spool

NO_ONE: Mapping[str, str] = MappingProxyType({})


@pytest.fixture
def walk(write_ini: Callable[[str], Path]) -> Callable[..., tuple[dict[str, str], RelayError | None]]:
    """Walk to a relay; returns what each stage found, and why it stopped."""

    def walk(
        host: str, oauth2: Mapping[str, str] = NO_ONE, **options: object
    ) -> tuple[dict[str, str], RelayError | None]:
        tokens = "".join(f"{name} = {value}\n" for name, value in oauth2.items())
        written = "".join(f"{name} = {value}\n" for name, value in options.items() if name != "max_attachment")
        size = options.get("max_attachment", 14)
        path = write_ini(f"[smtp]\nhost = {host}\n{written}[oauth2]\n{tokens}[voicemail]\nmax_attachment = {size}\n")
        found: dict[str, str] = {}
        stopped = probe(load_settings(path), lambda stage: found.__setitem__(stage.name, stage.found))
        if stopped:
            found[getattr(stopped, "stage", "AUTH")] = f"stops here: {stopped}"
        return found, stopped

    return walk


@pytest.mark.parametrize("security", ["ssl", "tls"])
def test_each_stage(walk, certificates: Certificates, security: str) -> None:
    with Catcher(tls=certificates.server, implicit=security == "ssl", login=("me", "s3cret")) as catcher:
        options = {"login": "me", "password": "s3cret", "ca_file": certificates.ca_file}
        found, stopped = walk(f"{security}://localhost:{catcher.port}", **options)
    encryption = found.pop("TLS" if security == "ssl" else "STARTTLS")
    assert stopped is None
    assert list(found) == ["DNS", "connect", "EHLO", "SIZE", "AUTH"]
    assert found["DNS"].startswith("localhost is ")
    assert found["connect"] == f"to 127.0.0.1 port {catcher.port}"
    assert "certificate for localhost" in encryption
    assert "issued by trustme" in encryption
    assert re.search(r"valid until \d{4}-\d\d-\d\d$", encryption)
    assert found["EHLO"].startswith("login offered: ")
    assert found["AUTH"] == "me: accepted"


@pytest.mark.parametrize(
    ("largest", "max_attachment", "words"),
    [
        pytest.param(
            33554432, 14, "takes mails up to 32.0 MB: a recording of max_attachment = 14 MB fits in", id="fits"
        ),
        pytest.param(10240000, 14, "= 14 MB needs 19.2: write max_attachment = 7", id="Postfix's default"),
        pytest.param(0, 14, "no limit announced", id="no limit"),
    ],
)
def test_size(walk, largest: int, max_attachment: int, words: str) -> None:
    with Catcher(largest=largest) as catcher:
        found, _ = walk(f"127.0.0.1:{catcher.port}", max_attachment=max_attachment)
    assert words in found["SIZE"]


def test_no_login(walk, catcher: Catcher) -> None:
    found, _ = walk(f"127.0.0.1:{catcher.port}")
    assert found["AUTH"] == "no login in the settings, none tried"


def test_a_certificate_that_is_not_verified(walk, certificates: Certificates) -> None:
    with Catcher(tls=certificates.self_signed) as catcher:
        found, stopped = walk(f"tls://localhost:{catcher.port}", verify_certificate="no")
    assert (stopped, "the certificate is not verified: anybody could pose" in found["STARTTLS"]) == (None, True)


def test_a_name_that_is_not_there(walk) -> None:
    found, stopped = walk("nowhere.invalid")
    assert list(found) == ["connect"]
    assert "nowhere.invalid:25 cannot be found" in str(stopped)


def test_nobody_listens(walk, catcher: Catcher) -> None:
    catcher.stop()
    found, stopped = walk(f"127.0.0.1:{catcher.port}")
    assert list(found) == ["DNS", "connect"]
    assert found["connect"].startswith("stops here: 127.0.0.1:")
    assert "Connection refused (nothing listens there: the usual ports are 465" in str(stopped)


@pytest.mark.parametrize(
    ("server", "authority", "words"),
    [
        pytest.param("self_signed", "ca_file", "is self-signed", id="self-signed"),
        pytest.param("expired", "ca_file", "has expired", id="expired"),
        pytest.param("elsewhere", "ca_file", "is for another", id="another name"),
        pytest.param("server", "unknown_ca_file", "signed by an authority unknown here", id="unknown authority"),
    ],
)
def test_a_certificate_stops_it(walk, certificates: Certificates, server: str, authority: str, words: str) -> None:
    with Catcher(tls=getattr(certificates, server), implicit=True) as catcher:
        found, stopped = walk(f"ssl://localhost:{catcher.port}", ca_file=getattr(certificates, authority))
    assert list(found) == ["DNS", "connect", "TLS"]
    assert words in str(stopped)


@pytest.mark.parametrize(
    ("host", "script", "stage", "cure"),
    [
        pytest.param("ssl://127.0.0.1", {}, "TLS", "without ssl://, and use_tls = yes", id="465 against 587"),
        pytest.param("tls://127.0.0.1", {}, "STARTTLS", "if it starts with TLS", id="no STARTTLS"),
        pytest.param("127.0.0.1", {"greeting": close}, "greeting", "closed the connection", id="hung up"),
    ],
)
def test_it_stops(walk, host: str, script: dict[str, Any], stage: str, cure: str) -> None:
    with ScriptedRelay(**script) as relay:
        found, stopped = walk(f"{host}:{relay.port}", timeout=5)
    assert list(found)[-1] == stage
    assert cure in str(stopped)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
            "(Microsoft: an administrator must allow authenticated SMTP (Manage email apps)",
            id="Microsoft: the switch for SMTP",
        ),
        pytest.param(
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "(Microsoft requires OAuth 2: run  pbxnotify setup",
            id="Microsoft: passwords, since the end of 2026",
        ),
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "(Microsoft requires OAuth 2",
            id="Outlook.com",
        ),
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy",
            "(Microsoft: switch security defaults off, or use OAuth 2)",
            id="Microsoft: security defaults",
        ),
        pytest.param(
            "535 5.7.3 Authentication unsuccessful",
            "(check login and password; Microsoft: allow authenticated SMTP, or use OAuth 2)",
            id="Microsoft: anything",
        ),
        pytest.param("535 5.7.8 Bad credentials", "(check login and password; Gmail, Yandex and Mail.ru", id="others"),
        pytest.param("538 5.7.11 Encryption required", "(write use_tls = yes", id="538"),
        pytest.param("530 5.7.0 Must issue a STARTTLS command first", "(write use_tls", id="530"),
    ],
)
def test_a_login_that_is_refused(walk, said: str, advice: str) -> None:
    with ScriptedRelay(EHLO="250-x\r\n250 AUTH PLAIN", AUTH=said) as relay:
        found, stopped = walk(f"127.0.0.1:{relay.port}", login="me", password="x")  # noqa: S106
    assert list(found)[-1] == "AUTH"
    assert advice in str(stopped)


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        pytest.param("535 5.7.8 no", "(the token is for another account or was withdrawn: log in again", id="535"),
        pytest.param(
            "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox",
            "(Microsoft: an administrator must allow authenticated SMTP",
            id="Microsoft: the switch for SMTP",
        ),
        pytest.param("538 5.7.11 Encryption required", "(write use_tls = yes", id="538"),
        pytest.param("535", "(the token is for another account or was withdrawn: log in again", id="without a word"),
        pytest.param("534 5.7.9 Please log in", "(the token is for another account or was withdrawn", id="534"),
        pytest.param("530 5.7.0 Authentication required", "(the token is for another account", id="530"),
    ],
)
def test_a_token_that_is_refused(walk, said: str, advice: str) -> None:
    token = {"auth": "oauth2", "password_command": "echo t0ken"}
    with ScriptedRelay(EHLO="250-x\r\n250 AUTH XOAUTH2", AUTH=said) as relay:
        _, stopped = walk(f"127.0.0.1:{relay.port}", login="a@example.com", **token)
    assert advice in str(stopped)


def test_a_relay_that_stops_it_is_tried_once(walk) -> None:
    with ScriptedRelay(greeting="554 5.7.1 no") as relay:
        _, stopped = walk(f"127.0.0.1:{relay.port}")
        assert ("554 5.7.1 no" in str(stopped), relay.connections) == (True, 1)


def test_how_far_one_would_come_with_a_token(walk, spool: Spool, certificates: Certificates) -> None:
    oauth2 = {"provider": "microsoft", "client_id": "a"}
    with Catcher(tls=certificates.server, implicit=True, tokens=lambda account, token: False) as catcher:
        options = {"ca_file": certificates.ca_file, "login": "a@example.com", "auth": "oauth2"}
        found, stopped = walk(f"ssl://localhost:{catcher.port}", oauth2=oauth2, **options)
    assert list(found) == ["DNS", "connect", "TLS", "EHLO", "SIZE", "AUTH"]
    assert "there is no token yet" in str(stopped)
