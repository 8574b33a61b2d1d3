"""Mistakes in a dialplan: calls that are dropped, and calls of which nobody is notified."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden

from pbxnotify.asterisk.dialplan import Line, written_dialplan
from pbxnotify.errors import DialplanError
from pbxnotify.health.dialplan_lint import dialplan_mistakes
from pbxnotify.settings.sections import Employee, Group, MissedCalls, Settings

INCLUDE = '#tryinclude "extensions_pbxnotify.conf"\n'
WATCHED = "Gosub(pbxnotify,watch,1(101))"
SETTINGS = Settings("", employees=(Employee("101"), Employee("102")), groups=(Group("600"),))


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Asterisk's configuration directory, with our dialplan in it."""
    monkeypatch.setenv("AST_CONFIG_DIR", str(tmp_path))
    shutil.copy(ROOT / "etc" / "extensions_pbxnotify.conf", tmp_path)
    return tmp_path


@pytest.fixture
def mistakes(etc: Path) -> Callable[..., list[str | DialplanError]]:
    """Return the mistakes in an extensions.conf; Asterisk runs all of it, unless ``runs`` tells lines apart."""

    def mistakes(
        text: str, settings: Settings = SETTINGS, runs: Callable[[Line], object] | None = None
    ) -> list[str | DialplanError]:
        (etc / "extensions.conf").write_text(text)
        written = written_dialplan()
        return [*dialplan_mistakes(tuple(filter(runs, written.lines)) if runs else written.lines, written, settings)]

    return mistakes


def office(*lines: str) -> str:
    """Return an extensions.conf in which 101 has these lines, and is watched elsewhere."""
    first, *others = (f"n,{line}\n" for line in lines)
    return f"{INCLUDE}[watched]\nexten => 9,1,{WATCHED}\n[office]\nexten => 101,1,{first[2:]}" + "".join(
        f" same => {line}" for line in others
    )


# What Gosub does not find (tried on Asterisk 22 and 16), beside what works

DROPPED = {
    "misspelt": "Gosub(pbxnotify,wach,1(101))",
    "upper case": "Gosub(pbxnotify,Watch,1(101))",
    "context in upper case": "Gosub(PBXNOTIFY,watch,1(101))",
    "misspelt context": "Gosub(pbx-notify,watch,1(101))",
    "a blank": "Gosub(pbxnotify, watch,1(101))",
    "no priority": "Gosub(pbxnotify,watch(101))",
    "no such priority": "Gosub(pbxnotify,watch,900(101))",
    "GosubIf": 'GosubIf($["${CALLERID(num)}" = "1"]?pbxnotify,wach,1(101))',
    "GosubIf, the other branch": "GosubIf($[1]?pbxnotify,watch,1(101):pbxnotify,wach,1(101))",
    "a bracket too many": "Gosub((pbxnotify,watch,1(101)))",
    "as in Asterisk 1.4": "Gosub(pbxnotify|watch|1(101))",
    "a macro": "Gosub(macro-pbxnotify,s,1(101))",
    "quoted": 'Gosub("pbxnotify",watch,1(101))',
    "ExecIf": "ExecIf($[${A} = 1]?Gosub(pbxnotify,wach,1(101)))",
}


@pytest.mark.parametrize("line", [pytest.param(line, id=name) for name, line in DROPPED.items()])
def test_calls_that_are_dropped(mistakes, golden: Golden, line: str) -> None:
    (error,) = mistakes(office("NoOp()", line))
    assert isinstance(error, DialplanError)
    assert "office,101,2 (extensions.conf:6)" in str(error)
    golden(str(error))


@pytest.mark.parametrize(
    "line",
    [
        WATCHED,
        "Gosub(pbxnotify,watch,1 (101))",
        "Gosub(pbxnotify,watch,settle(101))",
        "Gosub(pbxnotify,watch,1(${EXTEN}&PJSIP/102))",
        "Gosub(pbxnotify,watch,1(${QUEUE_MEMBER_LIST(${QUEUE})}))",
        "Gosub(pbxnotify,${X},1(101))",
        'GosubIf($["${X:1:2}" = "1"]?pbxnotify,watch,1(101):other,s,1)',
        "ExecIf($[1]?Gosub(pbxnotify,watch,1(101)))",
        "Set(CHANNEL(hangup_handler_push)=pbxnotify,hangup,1)",
        "AGI(pbxnotify-missed.agi,101)",
        "ExecIf($[1]?AGI(pbxnotify-missed.agi,101))",
    ],
)
def test_lines_that_are_right(mistakes, line: str) -> None:
    assert mistakes(office(line)) == []


def test_a_dialplan_without_ours(mistakes, golden: Golden) -> None:
    lines = "".join(f"exten => {number},1,{WATCHED}\n" for number in range(101, 114))
    (error,) = mistakes(f"[office]\n{lines}")
    assert isinstance(error, DialplanError)
    assert all(f"office,{number},1 (extensions.conf:{number - 99})" in str(error) for number in range(101, 111))
    assert "3 more" in str(error)
    assert INCLUDE.strip() in str(error)
    golden(str(error))


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(lambda line: line.context != "pbxnotify", id="ours"),
        pytest.param(lambda line: (line.context, line.extension) != ("pbxnotify", "watch"), id="an older one"),
    ],
)
def test_an_include_that_was_not_reloaded(mistakes, golden: Golden, runs: Callable[[Line], object]) -> None:
    (error,) = mistakes(office("NoOp()"), runs=runs)
    assert isinstance(error, DialplanError)
    assert "dialplan reload" in str(error)
    golden(str(error))


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(lambda line: line.context != "office", id="a watch"),
        pytest.param(lambda line: "AGISIGHUP" not in line.data, id="a new version of ours"),
    ],
)
def test_what_was_not_reloaded(mistakes, golden: Golden, runs: Callable[[Line], object]) -> None:
    (note,) = mistakes(office(WATCHED, "NoOp()"), runs=runs)
    assert isinstance(note, str)
    assert "dialplan reload" in note
    golden(note)


def test_a_line_that_moved_is_not_new(mistakes) -> None:
    def runs(line: Line) -> bool:
        moved.append(line._replace(place="extensions.conf:77"))
        return False

    moved: list[Line] = []
    mistakes(office(WATCHED), runs=runs)
    assert [*dialplan_mistakes(moved, written_dialplan(), SETTINGS)] == []


@pytest.mark.parametrize("line", ['#include "gone.conf"', "#include gone-*.conf"])
def test_a_file_that_is_missing(mistakes, golden: Golden, line: str) -> None:
    (error,) = mistakes(f"{office(WATCHED)}{line}\n")
    assert isinstance(error, DialplanError)
    assert "extensions.conf:6" in str(error)
    golden(str(error))


def test_nothing_of_ours(mistakes, golden: Golden) -> None:
    (note,) = mistakes("[office]\nexten => 101,1,Dial(PJSIP/101)\n")
    assert INCLUDE.strip() in note
    golden(note)


def test_nobody_calls_us(mistakes, golden: Golden) -> None:
    (note,) = mistakes(f"{INCLUDE}[office]\nexten => 101,1,Dial(PJSIP/101)\n")
    golden(note)


# Cards


@pytest.mark.parametrize(
    ("argument", "unknown"),
    [
        ("101&102,600", []),
        ("${EXTEN}", []),
        ("${MEMBERS}&103", ["103"]),
        ("103&Local/104@x,PJSIP/105", ["103", "104", "105"]),
    ],
)
@pytest.mark.parametrize("email", [(), ("all@example.com",)], ids=["nobody", "a common address"])
def test_a_watch_without_a_card(mistakes, golden: Golden, argument: str, unknown: list[str], email) -> None:
    settings = SETTINGS._replace(missed_calls=MissedCalls(email=email))
    found = mistakes(office(WATCHED.replace("101", argument)), settings)
    assert [re.findall(r"(\d+) in office,101,1 \(", note) for note in found] == ([unknown] if unknown else [])
    if found:
        golden(found[0])


def test_an_office_without_cards(mistakes) -> None:
    assert mistakes(office(WATCHED.replace("101", "103")), Settings("", missed_calls=MissedCalls(email=("a@b",)))) == []


@pytest.mark.parametrize("call", ["watch,1", "watch,1()", "watch,1,101", "watch,1,(101)"])
def test_a_watch_without_an_extension(mistakes, golden: Golden, call: str) -> None:
    (note,) = mistakes(office(f"Gosub(pbxnotify,{call})"))
    assert "office,101,1 (extensions.conf:5)" in note
    golden(note)


# Lines without a watch


@pytest.mark.parametrize(
    "lines",
    [
        ["Dial(PJSIP/101,20)"],
        ["Dial(PJSIP/${EXTEN})"],
        ["Dial(SIP/9&SIP/102,20,tT)"],
        ["Dial(IAX2/102)"],
        ["Dial(DAHDI/102)"],
        ["Dial(${PJSIP_DIAL_CONTACTS(101)},20)"],
        ["Dial(Local/101@nowhere)"],
        ["Queue(sales)"],
        ["FollowMe(101)"],
        ["VoiceMail(101@default,u)"],
        ["Dial(PJSIP/101,20)", WATCHED],
        ["Goto(watched,9,1)", "Queue(q)"],
    ],
    ids=" ".join,
)
def test_a_line_without_a_watch(mistakes, lines: list[str]) -> None:
    (note,) = mistakes(office(*lines))
    place = f"office,101,{lines.index('Queue(q)') + 1 if 'Queue(q)' in lines else 1} "
    assert place in note


@pytest.mark.parametrize(
    "lines",
    [
        [WATCHED, "Dial(PJSIP/101,20)", "VoiceMail(101)"],
        ["Dial(PJSIP/101,20)", "AGI(pbxnotify-missed.agi,101)"],
        ["Dial(PJSIP/101@trunk)"],
        ["Dial(PJSIP/trunk/sip:101@example.com)"],
        ["Dial(SIP/provider/101)"],
        ["Dial(PJSIP/${EXTEN:1}@trunk)"],
        ["Dial(PJSIP/299)"],
        ["Dial(${TRUNK}/101)"],
        ["Dial(Local/9@watched)"],
        ["Dial(Console/101)"],
        ["VoiceMailMain(101)"],
        ["QueueLog(a)"],
    ],
    ids=" ".join,
)
def test_a_line_that_needs_no_watch_of_its_own(mistakes, lines: list[str]) -> None:
    assert mistakes(office(*lines)) == []


JUMPS = {
    "Goto": "Goto(queues,s,1)",
    "by a variable": "Goto(queues,${X},1)",
    "GotoIf": "GotoIf($[${X} > 1]?here:queues,s,1)",
    "GotoIfTime": "GotoIfTime(9:00-18:00,mon-fri,*,*?queues,s,1)",
    "Gosub": "Gosub(queues,s,1(${EXTEN}))",
    "twice": "Goto(between,s,1)",
}
PATTERNS = "[queues]\nexten => s,1,Queue(q)\n[between]\nexten => s,1,Goto(queues,s,1)\n"


@pytest.mark.parametrize("jump", [pytest.param(jump, id=name) for name, jump in JUMPS.items()])
def test_a_watch_before_the_call_goes_elsewhere(mistakes, jump: str) -> None:
    assert mistakes(f"{office(WATCHED, jump)}{PATTERNS}") == []
    assert len(mistakes(f"{office(jump, WATCHED)}{PATTERNS}")) == 1


def test_a_macro_that_goes_by_the_status(mistakes) -> None:
    macro = "[macro-ring]\nexten => s,1,Dial(PJSIP/101)\nexten => s,2,Goto(s-${DIALSTATUS},1)\n"
    macro += "exten => s-BUSY,1,VoiceMail(101)\nexten => _s-.,1,VoiceMail(101)\n"
    assert mistakes(f"{office(WATCHED, 'Macro(ring,101)')}{macro}") == []


@pytest.mark.parametrize(
    ("pattern", "is_rung"),
    [("_1XX", True), ("_[13]0[1-2]", True), ("_1.", True), ("_!", True), ("_2XX", False), ("_1X", False)],
)
def test_a_pattern_that_rings_somebody_with_a_card(mistakes, pattern: str, is_rung: bool) -> None:
    text = f"{office(WATCHED)}[phones]\nexten => {pattern},1,Dial(PJSIP/${{EXTEN}})\n"
    assert [pattern in note for note in mistakes(text)] == [True] * is_rung


def test_scripts_in_h(mistakes) -> None:
    assert mistakes(f"{office('Queue(q)')}exten => h,1,AGI(pbxnotify-missed.agi)\n") == []


def test_many_lines_without_a_watch(mistakes, golden: Golden) -> None:
    queues = "".join(f"exten => {number},1,Queue(q{number})\n" for number in range(601, 614))
    (note,) = mistakes(f"{office(WATCHED)}{queues}")
    assert "3 more" in note
    golden(note)


def test_voicemail_that_is_mailed_by_a_command_of_voicemail_conf(mistakes, etc: Path) -> None:
    (etc / "voicemail.conf").write_text("[general]\nexternnotify = /usr/local/bin/pbxnotify voicemail\n")
    assert mistakes(office("VoiceMail(101)")) == []
