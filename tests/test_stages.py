"""The way to the relay, stage by stage, against real relays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from relay import Catcher, Certificates, ScriptedRelay, close

from pbxnotify import settings, stages
from pbxnotify.errors import RelayError


@pytest.fixture
def walk(write_ini: Callable[[str], Path]) -> Callable[..., tuple[dict[str, str], RelayError | None]]:
    """Walk to a relay; returns what each stage found, and why it stopped."""

    def walk(host: str, **options: object) -> tuple[dict[str, str], RelayError | None]:
        written = "".join(f"{name} = {value}\n" for name, value in options.items() if name != "max_attachment")
        size = options.get("max_attachment", 14)
        path = write_ini(f"[smtp]\nhost = {host}\n{written}[voicemail]\nmax_attachment = {size}\n")
        found: dict[str, str] = {}
        stopped = stages.walk(settings.load(path), found.__setitem__)
        return found, stopped

    return walk


@pytest.mark.parametrize("security", ["ssl", "tls"])
def test_each_stage(walk, certificates: Certificates, security: str) -> None:  # type: ignore[no-untyped-def]
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
def test_size(walk, largest: int, max_attachment: int, words: str) -> None:  # type: ignore[no-untyped-def]
    with Catcher(largest=largest) as catcher:
        found, _ = walk(f"127.0.0.1:{catcher.port}", max_attachment=max_attachment)
    assert words in found["SIZE"]


def test_no_login(walk, catcher: Catcher) -> None:  # type: ignore[no-untyped-def]
    found, _ = walk(f"127.0.0.1:{catcher.port}")
    assert found["AUTH"] == "no login in the settings, none tried"


def test_a_certificate_that_is_not_verified(walk, certificates: Certificates) -> None:  # type: ignore[no-untyped-def]
    with Catcher(tls=certificates.self_signed) as catcher:
        found, stopped = walk(f"tls://localhost:{catcher.port}", verify_certificate="no")
    assert (stopped, "the certificate is not verified: anybody could pose" in found["STARTTLS"]) == (None, True)


def test_a_name_that_is_not_there(walk) -> None:  # type: ignore[no-untyped-def]
    found, stopped = walk("nowhere.invalid")
    assert list(found) == ["connect"]
    assert "nowhere.invalid:25 cannot be found" in str(stopped)


def test_nobody_listens(walk, catcher: Catcher) -> None:  # type: ignore[no-untyped-def]
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
def test_a_certificate_stops_it(walk, certificates: Certificates, server: str, authority: str, words: str) -> None:  # type: ignore[no-untyped-def]
    with Catcher(tls=getattr(certificates, server), implicit=True) as catcher:
        found, stopped = walk(f"ssl://localhost:{catcher.port}", ca_file=getattr(certificates, authority))
    assert list(found) == ["DNS", "connect", "TLS"]
    assert words in str(stopped)


@pytest.mark.parametrize(
    ("host", "script", "stage", "cure"),
    [
        pytest.param("ssl://127.0.0.1", {}, "TLS", "without ssl://, and use_tls = yes", id="465 against 587"),
        pytest.param("tls://127.0.0.1", {}, "STARTTLS", "if it speaks TLS from the first byte", id="no STARTTLS"),
        pytest.param("127.0.0.1", {"greeting": close}, "greeting", "closed the connection", id="hung up"),
    ],
)
def test_it_stops(walk, host: str, script: dict[str, Any], stage: str, cure: str) -> None:  # type: ignore[no-untyped-def]
    with ScriptedRelay(**script) as relay:
        found, stopped = walk(f"{host}:{relay.port}", timeout=5)
    assert list(found)[-1] == stage
    assert cure in str(stopped)


def test_microsoft_s_disabled_passwords(walk) -> None:  # type: ignore[no-untyped-def]
    said = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant"
    with ScriptedRelay(EHLO="250-x\r\n250 AUTH PLAIN", AUTH=said) as relay:
        found, stopped = walk(f"127.0.0.1:{relay.port}", login="me", password="x")  # noqa: S106
    assert list(found)[-1] == "AUTH"
    assert "Microsoft: an administrator must allow authenticated SMTP" in str(stopped)
