"""`make uninstall` while the dialplan still names pbxnotify: Asterisk starts with its dialplan, and calls go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from freepbx_dialplan import extensions_conf
from lab import SUITES, Asterisk, require
from office import Office, install
from relay import Catcher

DIALPLAN = """\
#{} "extensions_pbxnotify.conf"
[from-trunk]
exten => 101,1,Gosub(pbxnotify,watch,1(101))
 same => n,Set(CHANNEL(hangup_handler_push)=pbxnotify,hangup,1)
 same => n,AGI(pbxnotify-missed.agi,101)
 same => n,AGI(pbxnotify-voicemail.agi,101,hold)
 same => n,Verbose(1,CALLS GO ON)
exten => h,1,AGI(pbxnotify-missed.agi,101)
 same => n,Verbose(1,AND END AS BEFORE)
"""
OF_THE_ADMIN = """\
[ext-local]
exten => 108,1,Gosub(pbxnotify,watch,1(101))
 same => n,Goto(101,1)
"""


@pytest.fixture(params=SUITES, ids=lambda version: f"Asterisk {version}")
def version(request: pytest.FixtureRequest) -> int:
    """Return each version of Asterisk."""
    require(request.param)
    return int(request.param)


@pytest.mark.parametrize("directive", ["include", "tryinclude"])
def test_calls_go_on(tmp_path: Path, version: int, directive: str) -> None:
    """With the dialplan as it was loaded, and with what Asterisk finds at its next start."""
    asterisk = Asterisk(version, tmp_path / "lab", dialplan=DIALPLAN.format(directive))
    install(asterisk, tmp_path)
    with Catcher() as catcher, asterisk:
        install(asterisk, tmp_path, "uninstall")
        for begin in (asterisk.mark, lambda: restart(asterisk)):
            begin()
            Office(asterisk, catcher, tmp_path).call("101")
            asterisk.wait_for_log("CALLS GO ON")
            asterisk.wait_for_log("AND END AS BEFORE")
            assert "non-existent" not in asterisk.log_since_mark()


@pytest.mark.parametrize("directive", ["include", "tryinclude"])
def test_calls_go_on_with_freepbx(tmp_path: Path, version: int, directive: str) -> None:
    """Its override file still includes ours, and a line of the admin's calls it."""
    files = dict(extensions_conf(version))
    name = "extensions_override_freepbx.conf"
    files[name] = files[name].replace("tryinclude", directive)
    files["extensions_custom.conf"] = OF_THE_ADMIN
    asterisk = Asterisk(version, tmp_path / "lab", dialplan=files["extensions.conf"])
    for name, text in files.items():
        (asterisk.etc / name).write_text(text)
    install(asterisk, tmp_path)
    with Catcher() as catcher, asterisk:
        install(asterisk, tmp_path, "uninstall")
        for begin in (asterisk.mark, lambda: restart(asterisk)):
            begin()
            office = Office(asterisk, catcher, tmp_path)
            with office.phone(101, "uas_ring"):
                office.call("108", "uac_cancel")
            asterisk.wait_for_log("is ringing")
            assert "non-existent" not in asterisk.log_since_mark()


def restart(asterisk: Asterisk) -> None:
    """Let Asterisk load its dialplan anew, as after a crash."""
    asterisk.kill()
    asterisk.start()
