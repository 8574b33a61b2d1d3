"""The relay probed stage by stage: real relays."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from golden import Golden
from relay import Catcher, Certificates, ScriptedRelay, close

from pbxnotify.errors import LoginRefused, PbxnotifyError, RelayUnavailable
from pbxnotify.health.relay_probe import Stage, probe
from pbxnotify.settings.load import load_settings
from pbxnotify.spool.store import Spool

NO_ONE: Mapping[str, str] = MappingProxyType({})


@pytest.fixture
def walk(write_ini: Callable[[str], Path]) -> Callable[..., tuple[dict[str, str], PbxnotifyError | None]]:
    """Probe a relay; returns what each stage found, and the error that stopped it."""

    def walk(
        host: str, oauth2: Mapping[str, str] = NO_ONE, **options: object
    ) -> tuple[dict[str, str], PbxnotifyError | None]:
        tokens = "".join(f"{name} = {value}\n" for name, value in oauth2.items())
        written = "".join(f"{name} = {value}\n" for name, value in options.items() if name != "max_attachment")
        size = options.get("max_attachment", 14)
        path = write_ini(f"[smtp]\nhost = {host}\n{written}[oauth2]\n{tokens}[voicemail]\nmax_attachment = {size}\n")
        found: dict[str, str] = {}
        stopped = probe(load_settings(path), lambda stage: found.__setitem__(stage.name, stage.found))
        if stopped:
            found[getattr(stopped, "stage", "AUTH")] = str(stopped)
        return found, stopped

    return walk


@pytest.mark.parametrize("security", ["ssl", "tls"])
def test_each_stage(walk, certificates: Certificates, golden: Golden, security: str) -> None:
    with Catcher(tls=certificates.server, implicit=security == "ssl", login=("me", "s3cret")) as catcher:
        options = {"login": "me", "password": "s3cret", "ca_file": certificates.ca_file}
        found, stopped = walk(f"{security}://localhost:{catcher.port}", **options)
    encryption = found.pop("TLS" if security == "ssl" else "STARTTLS")
    assert stopped is None
    assert list(found) == ["DNS", "connect", "EHLO", "SIZE", "AUTH"]
    assert f"port {catcher.port}" in found["connect"]
    assert "localhost" in encryption
    assert found["EHLO"].rpartition(": ")[2].split()
    assert "trustme" in encryption
    golden(re.sub(r"TLSv[\d.]+|v\d[\d.]+(?=,| )|\d{4}-\d\d-\d\d|::1, |, ::1", "*", encryption), "encryption")
    golden("\n".join(f"{name}: {text}" for name, text in found.items() if name not in ("DNS", "EHLO")), "others")


@pytest.mark.parametrize(
    ("largest", "figures"),
    [
        pytest.param(33554432, ["32.0", "14"], id="fits"),
        pytest.param(10240000, ["9.8", "14", "19.2", "7"], id="Postfix's default"),
        pytest.param(0, [], id="no limit"),
    ],
)
def test_size(walk, golden: Golden, largest: int, figures: list[str]) -> None:
    with Catcher(largest=largest) as catcher:
        found, _ = walk(f"127.0.0.1:{catcher.port}", max_attachment=14)
    assert re.findall(r"[\d.]+", found["SIZE"]) == figures
    golden(found["SIZE"])


def test_no_login(walk, catcher: Catcher, golden: Golden) -> None:
    found, _ = walk(f"127.0.0.1:{catcher.port}")
    golden(found["AUTH"])


def test_a_certificate_that_is_not_verified(walk, certificates: Certificates, golden: Golden) -> None:
    with Catcher(tls=certificates.self_signed) as catcher:
        found, stopped = walk(f"tls://localhost:{catcher.port}", verify_certificate="no")
    assert stopped is None
    golden(found["STARTTLS"].partition(", ")[2])


def test_a_name_that_is_not_there(walk) -> None:
    found, stopped = walk("nowhere.invalid")
    assert (list(found), type(stopped)) == (["connect"], RelayUnavailable)
    assert "nowhere.invalid:25 " in str(stopped)


def test_nobody_listens(walk, catcher: Catcher, golden: Golden) -> None:
    catcher.stop()
    found, stopped = walk(f"127.0.0.1:{catcher.port}")
    assert list(found) == ["DNS", "connect"]
    assert "Connection refused" in str(stopped)
    golden(stopped)


@pytest.mark.parametrize("closed", [1, 2], ids=["one of two", "both"])
def test_each_address_that_fails(write_ini, monkeypatch: pytest.MonkeyPatch, catcher: Catcher, closed: int) -> None:
    look_up, ends = socket.getaddrinfo, ["127.0.0.9", "127.0.0.8"][:closed] + ["127.0.0.1"] * (closed == 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more: [one for end in ends for one in look_up(end, *more)])
    stages: list[Stage] = []
    stopped = probe(load_settings(write_ini(f"[smtp]\nhost = both.test:{catcher.port}\n")), stages.append)
    failed = [stage.found.split(" ")[0] for stage in stages if stage.name == "connect" and stage.is_warning]
    assert (failed, stopped is None) == (ends[:closed], closed == 1)


@pytest.mark.parametrize(
    ("server", "authority"),
    [
        pytest.param("self_signed", "ca_file", id="self-signed"),
        pytest.param("expired", "ca_file", id="expired"),
        pytest.param("elsewhere", "ca_file", id="another name"),
        pytest.param("server", "unknown_ca_file", id="unknown authority"),
    ],
)
def test_a_certificate_stops_it(walk, certificates: Certificates, golden: Golden, server: str, authority: str) -> None:
    with Catcher(tls=getattr(certificates, server), implicit=True) as catcher:
        found, stopped = walk(f"ssl://localhost:{catcher.port}", ca_file=getattr(certificates, authority))
    assert list(found) == ["DNS", "connect", "TLS"]
    golden(str(stopped).replace("(self signed", "(self-signed"))  # OpenSSL 1.1.1 writes it so


@pytest.mark.parametrize(
    ("host", "script", "stage"),
    [
        pytest.param("ssl://127.0.0.1", {}, "TLS", id="465 against 587"),
        pytest.param("tls://127.0.0.1", {}, "STARTTLS", id="no STARTTLS"),
        pytest.param("127.0.0.1", {"greeting": close}, "greeting", id="hung up"),
    ],
)
def test_it_stops(walk, golden: Golden, host: str, script: dict[str, Any], stage: str) -> None:
    with ScriptedRelay(**script) as relay:
        found, stopped = walk(f"{host}:{relay.port}", timeout=5)
    assert list(found)[-1] == stage
    golden(re.sub("(?<=TLS: )[A-Z_]+", "REASON", str(stopped)))  # OpenSSL's word for it


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
            id="Microsoft: the switch for SMTP",
        ),
        pytest.param(
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            id="Microsoft: passwords, since the end of 2026",
        ),
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            id="Outlook.com",
        ),
        pytest.param(
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy",
            id="Microsoft: security defaults",
        ),
        pytest.param("535 5.7.3 Authentication unsuccessful", id="Microsoft: anything"),
        pytest.param("535 5.7.8 Bad credentials", id="others"),
        pytest.param("538 5.7.11 Encryption required", id="538"),
        pytest.param("530 5.7.0 Must issue a STARTTLS command first", id="530"),
    ],
)
def test_a_login_that_is_refused(walk, golden: Golden, said: str) -> None:
    with ScriptedRelay(EHLO="250-x\r\n250 AUTH PLAIN", AUTH=said) as relay:
        found, stopped = walk(f"127.0.0.1:{relay.port}", login="me", password="x")  # noqa: S106
    assert (list(found)[-1], stopped.code) == ("AUTH", int(said[:3]))
    golden(stopped)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("535 5.7.8 no", id="535"),
        pytest.param(
            "535 5.7.139 SmtpClientAuthentication is disabled for the Mailbox", id="Microsoft: the switch for SMTP"
        ),
        pytest.param("538 5.7.11 Encryption required", id="538"),
        pytest.param("535", id="without a word"),
        pytest.param("534 5.7.9 Please log in", id="534"),
        pytest.param("530 5.7.0 Authentication required", id="530"),
    ],
)
def test_a_token_that_is_refused(walk, golden: Golden, said: str) -> None:
    token = {"auth": "oauth2", "password_command": "echo t0ken"}
    with ScriptedRelay(EHLO="250-x\r\n250 AUTH XOAUTH2", AUTH=said) as relay:
        found, stopped = walk(f"127.0.0.1:{relay.port}", login="a@example.com", **token)
    assert (list(found)[-1], stopped.code) == ("AUTH", int(said[:3]))
    golden(stopped)


def test_a_relay_that_stops_it_is_tried_once(walk) -> None:
    with ScriptedRelay(greeting="554 5.7.1 no") as relay:
        _, stopped = walk(f"127.0.0.1:{relay.port}")
        assert ("554 5.7.1 no" in str(stopped), relay.connections) == (True, 1)


def test_the_stages_that_need_no_token(walk, spool: Spool, certificates: Certificates, golden: Golden) -> None:
    oauth2 = {"provider": "microsoft", "client_id": "a"}
    with Catcher(tls=certificates.server, implicit=True, tokens=lambda account, token: False) as catcher:
        options = {"ca_file": certificates.ca_file, "login": "a@example.com", "auth": "oauth2"}
        found, stopped = walk(f"ssl://localhost:{catcher.port}", oauth2=oauth2, **options)
    assert list(found) == ["DNS", "connect", "TLS", "EHLO", "SIZE", "AUTH"]
    assert isinstance(stopped, LoginRefused)
    golden(stopped)
