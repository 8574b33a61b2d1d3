"""`make uninstall` while the dialplan still names pbxnotify: Asterisk starts with its dialplan, and calls go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import SUITES, Asterisk, require
from office import Office, install
from relay import Catcher

DIALPLAN = """\
#{} "extensions_pbxnotify.conf"
[from-trunk]
exten => 101,1,Gosub(pbxnotify,watch,1(101))
 same => n,Set(CHANNEL(hangup_handler_push)=pbxnotify,hangup,1)
 same => n,Verbose(1,CALLS GO ON)
"""


@pytest.mark.parametrize("version", SUITES, ids=lambda version: f"Asterisk {version}")
@pytest.mark.parametrize("directive", ["include", "tryinclude"])
def test_calls_go_on(tmp_path: Path, version: int, directive: str) -> None:
    require(version)
    asterisk = Asterisk(version, tmp_path / "lab", dialplan=DIALPLAN.format(directive))
    install(asterisk, tmp_path)
    with Catcher() as catcher, asterisk:
        install(asterisk, tmp_path, "uninstall")
        asterisk.kill()
        asterisk.start()
        Office(asterisk, catcher, tmp_path).call("101")
        asterisk.wait_for_log("CALLS GO ON")
        assert "non-existent" not in asterisk.log_since_mark()
