"""Where the spool is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxnotify.spool.directory import spool_path

CONF = "[directories]{mark}\nastspooldir => {directory} ; a comment\n[options]\n"


@pytest.mark.parametrize(
    ("environment", "conf", "place"),
    [
        pytest.param({"PBXNOTIFY_SPOOL": "/a"}, "", "/a", id="PBXNOTIFY_SPOOL"),
        pytest.param({"AST_SPOOL_DIR": "/b"}, "", "/b/pbxnotify", id="AST_SPOOL_DIR"),
        pytest.param({}, CONF.format(mark="", directory="/c"), "/c/pbxnotify", id="asterisk.conf"),
        pytest.param({}, CONF.format(mark="(!)", directory="/c"), "/var/spool/asterisk/pbxnotify", id="a template"),
        pytest.param({}, "astspooldir => /d\n", "/var/spool/asterisk/pbxnotify", id="no section"),
        pytest.param({}, None, "/var/spool/asterisk/pbxnotify", id="no asterisk.conf"),
    ],
)
def test_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], conf: str | None, place: str
) -> None:
    for name in ("PBXNOTIFY_SPOOL", "AST_SPOOL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if conf is not None:
        (tmp_path / "asterisk.conf").write_text(conf)
    assert spool_path() == place
