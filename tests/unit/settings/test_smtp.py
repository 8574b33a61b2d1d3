"""The name that the relay is greeted with, where the settings have none."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pbxnotify.settings.smtp import Smtp


@pytest.mark.parametrize(
    ("own", "hosts", "expected"),
    [
        pytest.param("pbx.example.com", None, "pbx.example.com", id="its own"),
        pytest.param("pbx", "127.0.1.1 pbx.example.com pbx\n", "pbx.example.com", id="as Debian's installer writes it"),
        pytest.param("pbx", "127.0.1.1 pbx pbx.example.com # mine\n", "pbx.example.com", id="the other way round"),
        pytest.param("pbx", "127.0.1.1 pbx.lan pbx\n", "", id="a name of the office"),
        pytest.param("pbx", "10.0.0.9 mail.example.com mail\n", "", id="another host's"),
        pytest.param("pbx", "# 127.0.1.1 pbx.example.com pbx\n", "", id="a comment"),
        pytest.param("pbx", None, "", id="no file"),
        pytest.param("pbx\r\nMAIL", "127.0.1.1 pbx\n", "", id="hostile"),
    ],
)
def test_the_name_in_ehlo(
    own: str, hosts: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: own)
    monkeypatch.setattr("pbxnotify.settings.smtp.HOSTS", str(tmp_path / "hosts"))
    if hosts is not None:
        (tmp_path / "hosts").write_text(hosts)
    assert Smtp().greeting_name == expected
    assert Smtp(helo="mx.example.org").greeting_name == "mx.example.org"
