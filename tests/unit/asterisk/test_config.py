"""Asterisk's directories and settings as its configuration files have them, and the files that come with pbxnotify."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import ROOT

from pbxnotify.asterisk.config import config_setting, spool_directory
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
    """Write an asterisk.conf; return its path."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("AST_SPOOL_DIR", raising=False)
    path = tmp_path / "asterisk.conf"
    path.write_text(ASTERISK_CONF)
    return path


def test_settings(conf: Path) -> None:
    assert spool_directory() == "/srv/asterisk"
    assert config_setting("options", "lockmode") == "flock"
    assert config_setting("options", "verbose") == ""


def test_the_environment_of_a_script_comes_first(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AST_SPOOL_DIR", "/srv/other")
    assert spool_directory() == "/srv/other"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b""], ids=["missing", "binary", "empty"])
def test_no_asterisk_conf(conf: Path, content: bytes | None) -> None:
    conf.unlink()
    if content is not None:
        conf.write_bytes(content)
    assert spool_directory() == "/var/spool/asterisk"


@pytest.mark.parametrize("name", ["pbxnotify.ini", "extensions_pbxnotify.conf", "extensions_pbxnotify_freepbx.conf"])
def test_what_is_shipped(name: str) -> None:
    """In the checkout; tests/system/test_install.py has what is installed."""
    assert shipped_file(name).read_bytes() == (ROOT / "etc" / name).read_bytes()
