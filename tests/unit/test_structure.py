"""The storeys hold: imports go down only, rooms of one storey do not know each other, nothing heavy delays a call."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

PACKAGE = ROOT / "pbxnotify"
STOREYS = "cli > commands > delivery health > mail smtp > settings spool > asterisk languages > log > events files"
STOREYS += " programs > errors links namedtuple phone_number text > mojibake"
"""The parts between two arrows do not import each other."""
DEPTH = {part: depth for depth, parts in enumerate(STOREYS.split(" > ")) for part in parts.split()}
HEAVY = {
    "configobj",
    "dataclasses",
    "oauthlib",
    "email",
    "smtplib",
    "ssl",
    "socket",
    "logging",
    "subprocess",
    "pathlib",
}
HEAVY |= {"pprint"} | ({"typing"} if sys.version_info >= (3, 10) else set())  # in 3.9 it comes with what pyst2 imports
CODE = f"""
import sys; sys.path[:0] = {[str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]!r}
from pbxnotify.asterisk import missed_call, script, voicemail
from pbxnotify.delivery import submit
submit.submit_missed_call(missed_call.missed_call_on(dict(DIALSTATUS="NOANSWER"), "101"))
submit.submit_voicemail(voicemail.voicemail_on(dict(VM_MESSAGEFILE="/nowhere/default/101/INBOX/msg0000")))
print(*sys.modules)
"""


def imported_by(path: Path) -> set[str]:
    """Return the parts of the package that a file imports, anywhere in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = [f"{node.module}.{name.name}".split(".") for node in nodes for name in node.names]
    return {name[1] for name in names if name[0] == "pbxnotify"} - {"__version__"}


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(module: Path) -> None:
    part = module.relative_to(PACKAGE).parts[0].replace(".py", "")
    assert [other for other in imported_by(module) - {part} if DEPTH[other] <= DEPTH.get(part, 99)] == []


@pytest.mark.parametrize("script", sorted((ROOT / "agi-bin").glob("*.agi")), ids=lambda path: path.name)
def test_a_script_imports_what_hears_of_a_call_and_what_makes_it_durable(script: Path) -> None:
    assert imported_by(script) == {"asterisk", "delivery"}


def test_nothing_heavy_before_the_event_is_durable() -> None:
    done = subprocess.run([sys.executable, "-S", "-c", CODE], capture_output=True, check=True)
    loaded = set(done.stdout.decode().split())
    assert {"asterisk.agi", "pbxnotify.spool.store", "pbxnotify.asterisk.missed_call"} <= loaded
    assert loaded.isdisjoint(HEAVY)
