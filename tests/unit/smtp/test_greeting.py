"""The name that we greet a relay with."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pbxnotify.smtp.greeting import is_full_name, name_to_greet_with

LITERAL = "[192.0.2.1]"


@pytest.mark.parametrize("name", ["pbx.example.com", "mx1.a-b.co.uk", "pbx.xn--p1ai", "PBX.Example.COM"])
def test_a_full_name(name: str) -> None:
    assert is_full_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "pbx", "localhost", "localhost.localdomain", "pbx.local", "pbx.lan", "fritz.home", "pbx.internal"),
        *("192.0.2.1", "pbx.", ".example.com", "a_b.example.com", "-a.example.com", "пбх.рф", "a b.example.com"),
        f"{'a' * 64}.example.com",
    ],
)
def test_a_name_that_nobody_else_knows(name: str) -> None:
    assert not is_full_name(name)


@pytest.mark.parametrize(
    ("own", "hosts", "expected"),
    [
        pytest.param("pbx.example.com", None, "pbx.example.com", id="its own"),
        pytest.param("pbx", "127.0.1.1 pbx.example.com pbx\n", "pbx.example.com", id="as Debian's installer writes it"),
        pytest.param("pbx", "127.0.1.1 pbx pbx.example.com # mine\n", "pbx.example.com", id="the other way round"),
        pytest.param("pbx", "127.0.1.1 pbx.lan pbx\n", LITERAL, id="a name of the office"),
        pytest.param("pbx", "10.0.0.9 mail.example.com mail\n", LITERAL, id="another host's"),
        pytest.param("pbx", "# 127.0.1.1 pbx.example.com pbx\n", LITERAL, id="a comment"),
        pytest.param("pbx", None, LITERAL, id="no file"),
        pytest.param("pbx\r\nMAIL", "127.0.1.1 pbx\n", LITERAL, id="hostile"),
    ],
)
def test_the_name(own: str, hosts: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: own)
    monkeypatch.setattr("pbxnotify.smtp.greeting.HOSTS", str(tmp_path / "hosts"))
    if hosts is not None:
        (tmp_path / "hosts").write_text(hosts)
    assert name_to_greet_with(LITERAL) == expected
