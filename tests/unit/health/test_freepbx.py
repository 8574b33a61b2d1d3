"""Notes on a dialplan that FreePBX has written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden

from pbxnotify.asterisk.dialplan import written_dialplan
from pbxnotify.errors import DialplanError
from pbxnotify.health.dialplan_lint import dialplan_mistakes
from pbxnotify.settings.sections import Employee, Settings

ADDITIONAL = """\
[macro-user-callerid]
include => macro-user-callerid-custom
exten => lang-playback,1,Return()
exten => s,1,Set(TOUCH_MONITOR=${UNIQUEID})
exten => s,n,Set(CHANCONTEXT=${CUT(CHANNEL,@,2)})
[followme-sub]
exten => _X!,1,GotoIf($[${LEN(${BLINDTRANSFER})} > 0 | ${LEN(${ATTENDEDTRANSFER})} > 0]?skipclid)
exten => _X!,n(skipclid),Return()
[ext-local]
exten => 101,1,Gosub(macro-user-callerid,s,1())
exten => 101,n,Dial(PJSIP/101)
"""
LINE = '#tryinclude "extensions_pbxnotify_freepbx.conf"\n'
HOOK = "[macro-dialout-one-predial-hook]\nexten => s,1,{}\n same => n,{}\n"
OURS = "Gosub(pbxnotify,watch,1(${EXTTOCALL}))"


@pytest.fixture
def mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str | DialplanError]]:
    """Return the mistakes on a FreePBX where the admin has written these files."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))

    def mistakes(
        override: str = LINE, additional: str = ADDITIONAL, custom: str = "", *, has_ours: bool = True
    ) -> list[str | DialplanError]:
        for name in ("extensions_pbxnotify.conf", "extensions_pbxnotify_freepbx.conf") if has_ours else ():
            shutil.copy(ROOT / "etc" / name, tmp_path)
        files = {"override_freepbx": override, "additional": additional, "custom": custom}
        for name, text in files.items():
            (tmp_path / f"extensions_{name}.conf").write_text(text)
        (tmp_path / "extensions.conf").write_text("".join(f"#include extensions_{name}.conf\n" for name in files))
        written = written_dialplan()
        return [*dialplan_mistakes(written.lines, written, Settings("", employees=(Employee("101"),)))]

    return mistakes


def test_nothing_is_wrong(mistakes) -> None:
    assert mistakes() == []


def test_its_own_hooks_are_not_ours(mistakes) -> None:
    assert mistakes(custom=HOOK.format("NoOp()", "Return()")) == []


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"override": ""}, id="not written"),
        pytest.param({"override": "", "custom": LINE}, id="included too late"),
        pytest.param({"has_ours": False}, id="not installed"),
        pytest.param({"override": LINE.replace("_freepbx", "")}, id="the file for other dialplans"),
    ],
)
def test_a_freepbx_that_does_not_call_us(mistakes, golden: Golden, files: dict[str, str]) -> None:
    (note,) = mistakes(**files)
    assert isinstance(note, str)
    assert "extensions_override_freepbx.conf" in note
    golden(note)


def test_a_hook_that_calls_what_is_not_there(mistakes, golden: Golden) -> None:
    error = mistakes(override="", custom=HOOK.format(OURS, "Return()"), has_ours=False)[0]
    assert isinstance(error, DialplanError)
    assert "macro-dialout-one-predial-hook,s,1 (extensions_custom.conf:2)" in str(error)
    assert "extensions_override_freepbx.conf" in str(error)
    golden(str(error))


def test_a_hook_of_an_older_version(mistakes, golden: Golden) -> None:
    (note,) = mistakes(custom=HOOK.format(OURS, "Return()"))
    assert "macro-dialout-one-predial-hook,s,1 (extensions_custom.conf:2)" in note
    golden(note)


def test_a_hook_that_ends_a_macro(mistakes, golden: Golden) -> None:
    """On 17 each call that comes to it is dropped; on 16 it is right."""
    custom = HOOK.format("NoOp()", "MacroExit()")
    (error,) = mistakes(custom=custom)
    assert isinstance(error, DialplanError)
    assert "macro-dialout-one-predial-hook,s,2 (extensions_custom.conf:3)" in str(error)
    golden(str(error))
    of_16 = re.sub(r"Gosub\(macro-(\S+),s,1\(\)\)", r"Macro(\1)", ADDITIONAL)
    of_16 += "exten => 101,n,Gosub(macro-user-callerid,lang-playback,1(hook_0))\n"
    assert mistakes(additional=of_16, custom=custom) == []


def test_without_the_module_follow_me_nothing_is_wrong(mistakes) -> None:
    assert mistakes(additional=ADDITIONAL.replace("[followme-sub]", "[other]")) == []


@pytest.mark.parametrize(
    "additional",
    [
        pytest.param(ADDITIONAL.replace("TOUCH_MONITOR=${UNIQUEID}", "X=1"), id="another first line"),
        pytest.param(ADDITIONAL.replace("exten => s,1,Set(TOUCH_MONITOR=${UNIQUEID})\n", ""), id="no such line"),
        pytest.param(ADDITIONAL.replace("exten => s,", "exten => t,"), id="gone"),
        pytest.param(ADDITIONAL.replace("?skipclid", "?elsewhere"), id="another first line of follow me"),
    ],
)
def test_an_update_that_changes_what_we_rely_on(mistakes, golden: Golden, additional: str) -> None:
    note = mistakes(additional=additional)[-1]
    assert "update" in note
    golden(note)
