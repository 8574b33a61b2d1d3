"""Lines of a dialplan, as the command ``dialplan show`` prints them, and as files have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pbxnotify.asterisk.dialplan import Line, running_dialplan, written_dialplan

# What Asterisk 22 and 16 print alike
SHOWN = r"""
[ Context 'night' created by 'pbx_config' ]
  Include =>        'from-trunk'                                  [pbx_config]
  Ignore pattern => '9'                                           [pbx_config]
  Alt. Switch =>    'Realtime/'                                   [pbx_config]

[ Context 'phones' created by 'pbx_config' ]
  '101' =>          hint: PJSIP/101                               [extensions.conf:32]
                    1. Gosub(pbxnotify,watch,1(${EXTEN}))         [extensions.conf:33]
     [vm]           2. VoiceMail(101@default,u)                   [extensions.conf:35]
  'h' =>            1. NoOp()                                     [extensions.conf:36]
  '_[2-4]XX' (CID match '_8.') =>  1. Dial(PJSIP/${EXTEN},20)                    [extensions.conf:39]

[ Context 'made' created by 'pbx_ael' ]
  's' =>            1. GotoIf($["${X}" = "1"]?night,s,1)          [extensions.ael:7]
                    2. Set(A=[b])                                 [pbx_ael]

-= 5 extensions (6 priorities) in 3 contexts. =-
"""


def test_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shown").write_text(SHOWN)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", f"sh -c 'cat {tmp_path}/shown'")
    assert running_dialplan() == (
        Line("phones", "101", 1, "Gosub", "pbxnotify,watch,1(${EXTEN})", "extensions.conf:33"),
        Line("phones", "101", 2, "VoiceMail", "101@default,u", "extensions.conf:35"),
        Line("phones", "h", 1, "NoOp", "", "extensions.conf:36"),
        Line("phones", "_[2-4]XX", 1, "Dial", "PJSIP/${EXTEN},20", "extensions.conf:39"),
        Line("made", "s", 1, "GotoIf", '$["${X}" = "1"]?night,s,1', "extensions.ael:7"),
        Line("made", "s", 2, "Set", "A=[b]", "pbx_ael"),
    )


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration directory of Asterisk."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    return tmp_path


def test_what_is_written_in_several_files(etc: Path) -> None:
    (etc / "sub").mkdir()
    (etc / "sub" / "more.conf").write_text("exten => 102,1,NoOp(more)\n")
    (etc / "extensions.conf").write_text("[a]\nexten => 101,1,NoOp\n#include sub/*.conf\n same => n,Hangup\n")
    assert written_dialplan().lines == (
        Line("a", "101", 1, "NoOp", "", "extensions.conf:2"),
        Line("a", "102", 1, "NoOp", "more", "sub/more.conf:1"),
        Line("a", "102", 2, "Hangup", "", "extensions.conf:4"),
    )


@pytest.mark.parametrize("name", ['"gone.conf"', "gone.conf", "<gone.conf>", '"gone.conf" ; since', "none-*.conf"])
def test_a_file_that_is_missing(etc: Path, name: str) -> None:
    (etc / "extensions.conf").write_text(f"[a]\n#tryinclude {name}\n  #INCLUDE {name}\n;#include {name}\n")
    (missing,) = written_dialplan().missing
    assert "extensions.conf:3" in missing


def test_files_that_include_each_other(etc: Path) -> None:
    (etc / "extensions.conf").write_text("[a]\nexten => 1,1,NoOp\n#include extensions.conf\n")
    assert len(written_dialplan().lines) == 1


def test_no_file(etc: Path) -> None:
    assert written_dialplan() == ((), (), ())
