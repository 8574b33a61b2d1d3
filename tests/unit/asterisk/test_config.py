"""What is installed here: Asterisk, as its configuration and its command line tell, and the files that we ship."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import ROOT

from pbxnotify.asterisk import console
from pbxnotify.asterisk.config import config_setting, spool_directory
from pbxnotify.asterisk.console import console_answer
from pbxnotify.errors import AsteriskUnavailable
from pbxnotify.settings.rewrite import shipped_file

ASTERISK_CONF = """\
[directories](!)
astspooldir => /template
[files]
astspooldir => /another/section
[directories]
astetcdir => /etc/asterisk
astspooldir => /srv/asterisk ; on the large disk
[options]
lockmode = flock
"""


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of an asterisk.conf that is there."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("AST_SPOOL_DIR", raising=False)
    path = tmp_path / "asterisk.conf"
    path.write_text(ASTERISK_CONF)
    return path


def test_settings(conf: Path) -> None:
    assert spool_directory() == "/srv/asterisk"
    assert config_setting("options", "lockmode") == "flock"
    assert config_setting("options", "verbose") == ""


def test_what_asterisk_tells_its_scripts_comes_first(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AST_SPOOL_DIR", "/told")
    assert spool_directory() == "/told"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b""], ids=["missing", "binary", "empty"])
def test_no_asterisk_conf(conf: Path, content: bytes | None) -> None:
    conf.unlink()
    if content is not None:
        conf.write_bytes(content)
    assert spool_directory() == "/var/spool/asterisk"


@pytest.mark.parametrize("name", ["pbxnotify.ini", "extensions_pbxnotify.conf"])
def test_what_is_shipped(name: str) -> None:
    """In the checkout; tests/test_install.py asks what is installed."""
    assert shipped_file(name).read_bytes() == (ROOT / "etc" / name).read_bytes()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        pytest.param(None, "cannot be run: No such file or directory", id="no command"),
        pytest.param("echo 'Unable to connect' >&2; exit 1", "ended with 1: Unable to connect", id="not running"),
        pytest.param("exec sleep 60", "did not answer within 0.1 s", id="hangs"),
    ],
)
def test_an_asterisk_that_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, why: str
) -> None:
    command = tmp_path / "asterisk"
    if script:
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))
    monkeypatch.setattr(console, "COMMAND_TIMEOUT", 0.1)
    with pytest.raises(AsteriskUnavailable, match=why):
        console_answer("core show version")


def test_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "asterisk"
    command.write_text('#!/bin/sh\necho "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", f"'{command}' -C /etc/other.conf")
    assert console_answer("core show version") == "-C /etc/other.conf -rx core show version\n"


@pytest.mark.parametrize(
    ("command", "why"), [("'", "is no command line"), (" ", "the command asterisk")], ids=["quote", "blank"]
)
def test_a_command_that_is_none(monkeypatch: pytest.MonkeyPatch, command: str, why: str) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", command)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(console, "SBIN", "/nowhere")
    with pytest.raises(AsteriskUnavailable, match=why):
        console_answer("core show version")
