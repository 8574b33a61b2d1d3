"""The manual page pbxnotify(1) says what the parser of the command line takes, and names nothing else."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest
from checkout import ROOT

from pbxnotify.cli import COMMANDS, parser

PAGE = (ROOT / "etc" / "pbxnotify.1").read_text(encoding="utf-8")
RUNS = [name for name, command in COMMANDS.items() if command.run]
EXAMPLES = [line for line in re.sub(r"\\e\n\.Dl", "", PAGE).splitlines() if line.startswith(".Dl pbxnotify ")]


def section(title: str) -> str:
    found = re.search(rf"^\.Sh {title}$(.*?)(?=^\.Sh |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def shown(line: str) -> str:
    """Return a line of mdoc as it is shown, but for fonts."""
    said, closing = "", ""
    for word in line.replace("Ns Op", "NsOp").lstrip(".").split():
        if word in ("Op", "NsOp"):
            said, closing = f"{said.rstrip() if word == 'NsOp' else said}[", f"]{closing}"
        elif word == "Oo":
            said += "["
        elif word == "Oc":
            said = f"{said.rstrip()}] "
        elif word == "Ns":
            said = said.rstrip()
        elif word == "Fl":
            said += "-"
        elif word not in ("Ar", "Cm", "Ic", "It", "Xo", "Xc"):
            said += f"{word} "
    return said.rstrip().replace(" | ", "|") + closing


def entries() -> dict[str, str]:
    """Return what the page says of each command, its synopsis first, by its name."""
    items = re.split(r"^\.It ", section("COMMANDS"), flags=re.MULTILINE)[1:]
    texts = [" ".join(map(shown, item.splitlines())).strip() for item in items]
    return {max((name for name in COMMANDS if f"{text} ".startswith(f"{name} ")), key=len): text for text in texts}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command."""
    found: dict[str, argparse.ArgumentParser] = {}

    def add(prefix: str, whole: argparse.ArgumentParser) -> None:
        for action in whole._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, one in action.choices.items():
                    found[f"{prefix}{name}"] = one
                    add(f"{prefix}{name} ", one)

    add("", parser(*(name.partition(" ")[0] for name in COMMANDS)))
    return found


def declared(name: str) -> list[argparse.Action]:
    """Return what a command takes, besides what all of them take."""
    return [one for one in commands()[name]._actions if one.dest not in ("help", "config")]


def value(action: argparse.Action) -> str:
    """Return what stands for the value of an option or of an argument."""
    if action.nargs == 0:
        return ""
    choices = "|".join(map(str, action.choices or ()))
    return str(action.metavar or choices or action.dest).lower()


def test_each_command_has_its_entry() -> None:
    assert list(entries()) == [name for name in commands() if name in RUNS] == RUNS


@pytest.mark.parametrize("name", RUNS)
def test_what_a_command_takes_stands_in_its_entry(name: str) -> None:
    text = entries()[name]
    for action in declared(name):
        flags = "|".join(action.option_strings)
        place = re.escape(f"{flags} {value(action)}".strip())
        optional = not action.required and (action.option_strings or action.nargs == "?")
        assert re.search(rf"[\[|]{place}[\]|]" if optional else rf"(?<![\[|]){place}(?![\]|])", text), place
        for choice in action.choices or ():
            assert re.search(rf"\b{re.escape(str(choice))}\b", text), choice
        if isinstance(action.default, str) and action.default:
            assert re.search(rf"\b{action.default}\b", text), action.default


@pytest.mark.parametrize("name", RUNS)
def test_an_entry_names_no_other_options(name: str) -> None:
    known = {flag for action in commands()[name]._actions for flag in action.option_strings}
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", entries()[name])) <= known


def test_the_page_names_no_other_options() -> None:
    known = {
        flag for one in (parser(), *commands().values()) for action in one._actions for flag in action.option_strings
    }
    named = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(shown(line) for line in PAGE.splitlines()))
    assert {*named} - {"-tag", "-width", "-offset", "-literal", "-column"} <= known
    assert {"--version", "--config", "--help"} <= {*named}


def test_exit_statuses() -> None:
    given = {int(status.split()[0]) for name, one in COMMANDS.items() if name != "status" for status in one.statuses}
    assert {int(number) for number in re.findall(r"^\.It (\d+)$", section("EXIT STATUS"), re.MULTILINE)} == given | {
        130
    }
    for status in COMMANDS["status"].statuses:
        assert re.search(rf"^{' '.join(status.split()[:2]).rstrip(':')}\b", section("EXIT STATUS"), re.MULTILINE)


@pytest.mark.parametrize("line", [*EXAMPLES, *(f".Dl pbxnotify {one.example}" for one in COMMANDS.values())])
def test_an_example_can_be_parsed(line: str) -> None:
    words = shlex.split(line.replace("\\ ", " ").partition(" < ")[0])[2:]
    if " ".join(words) not in ("queue", "oauth"):
        parser(words[0]).parse_args(words)
