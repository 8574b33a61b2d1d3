"""The diagram holds: imports point downwards only, and nothing heavy is imported before an event is durable."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "pbxnotify"
SCRIPTS = PACKAGE.parent / "agi-bin"

MAY_IMPORT = {
    "__init__": set(),
    "frozen": set(),
    "errors": set(),
    "events": set(),
    "log": {"events"},
    "formats": {"events"},
    "agi": {"events", "log"},
    "missed_call": {"events"},
    "installation": {"errors"},
    "voicemail": {"events", "formats", "installation"},
    "message_left": {"events", "formats", "voicemail"},
    "recording": {"events"},
    "item": {"errors", "events"},
    "rest": {"records"},
    "entry": {"errors", "events", "item", "log", "recording"},
    "spool": {"errors", "events", "entry", "installation", "log", "records", "rest"},
    "language": {"errors", "log"},
    "values": {"events", "language"},
    "inifile": {"errors", "values"},
    "disk": set(),
    "system": {"disk", "values"},
    "oauth2": {"values"},
    "relay": {"errors", "oauth2", "values"},
    "settings": {"errors", "inifile", "installation", "language", "oauth2", "relay", "system", "values"},
    "recipients": {"events", "settings", "values"},
    "filling": set(),
    "tags": set(),
    "markup": {"filling", "page", "tags"},
    "proofreading": {"filling", "markup", "tags"},
    "phone_book": {"events", "values"},
    "templates": {"events", "filling", "markup", "page", "settings"},
    "caller": {"events", "language", "log", "phone_book", "recipients", "settings", "values"},
    "facts": {"caller", "events", "filling", "language", "recipients", "settings"},
    "reason": {"events", "language"},
    "parameters": {"events", "facts", "reason"},
    "letter": {"attachment", "caller", "events", "facts", "language", "reason"},
    "page": {"letter"},
    "attachment": {"events", "formats", "settings"},
    "message": {
        *("attachment", "events", "facts", "formats", "letter", "markup", "page", "parameters", "recipients"),
        *("settings", "templates", "values"),
    },
    "hints": set(),
    "secrecy": set(),
    "conversation": {"secrecy"},
    "security": {"relay"},
    "sasl": {"conversation", "relay"},
    "endpoint": {"conversation"},
    "authorization": {"conversation", "endpoint", "errors", "hints", "oauth2", "relay", "secrecy", "security"},
    "tokens": {"authorization", "errors", "oauth2", "records", "relay", "spool"},
    "renewal": {"authorization", "errors", "log", "relay", "tokens"},
    "smtp": {"conversation", "errors", "hints", "relay", "renewal", "sasl", "security", "tokens"},
    "mailbox": {"errors", "events", "installation", "voicemail"},
    "attempt": {
        *(
            "attachment",
            "errors",
            "entry",
            "events",
            "item",
            "language",
            "mailbox",
            "message",
            "recipients",
            "records",
            "rest",
            "settings",
            "smtp",
            "spool",
        ),
    },
    "notify": {
        "attempt",
        "entry",
        "errors",
        "events",
        "item",
        "log",
        "recipients",
        "rest",
        "settings",
        "smtp",
        "spool",
    },
    "terminal": {"errors"},
    "records": {"entry"},
    "memory": {"log", "records"},
    "course": {"facts", "finding", "language", "memory", "settings"},
    "providers": {"oauth2", "values"},
    "revision": {"entry", "errors", "inifile"},
    "trial": {
        *("errors", "events", "language", "message", "recipients", "relay", "rest", "settings", "smtp", "spool"),
        "terminal",
    },
    "changes": {"errors", "log", "records", "settings", "spool", "trial"},
    "queue": {
        "changes",
        "entry",
        "errors",
        "log",
        "notify",
        "records",
        "renewal",
        "rest",
        "settings",
        "spool",
        "terminal",
        "tokens",
    },
    "status": {
        "entry",
        "errors",
        "events",
        "item",
        "memory",
        "records",
        "rest",
        "settings",
        "spool",
        "terminal",
        "tokens",
    },
    "checkup": {
        "errors",
        "language",
        "markup",
        "parameters",
        "proofreading",
        "providers",
        "relay",
        "settings",
        "templates",
        "values",
    },
    "surroundings": {
        *("attachment", "errors", "formats", "installation", "mailbox", "phone_book", "settings", "spool", "status"),
        *("relay", "tokens"),
    },
    "stages": {"attachment", "conversation", "errors", "relay", "settings", "smtp", "terminal"},
    "check": {"checkup", "conversation", "errors", "settings", "spool", "stages", "surroundings", "terminal", "trial"},
    "edit": {"changes", "check", "errors", "revision", "settings", "terminal", "trial"},
    "redirect": {"errors"},
    "oauth": {
        *(
            "authorization",
            "changes",
            "conversation",
            "errors",
            "redirect",
            "relay",
            "rest",
            "settings",
            "spool",
            "status",
        ),
        *("terminal", "tokens", "trial"),
    },
    "questions": {"errors", "oauth2", "providers", "settings", "terminal", "values"},
    "setup": {
        *("changes", "check", "errors", "installation", "oauth", "providers", "questions", "relay", "revision"),
        *("settings", "spool", "terminal", "tokens", "trial"),
    },
    "plugin": {"events"},
    "pbx": {"errors", "events", "installation"},
    "finding": {
        *("conversation", "disk", "errors", "facts", "installation", "language", "memory", "pbx", "plugin"),
        *("settings", "smtp", "spool", "status"),
    },
    "monitor": {"course", "errors", "events", "finding", "language", "log", "memory", "notify", "settings", "spool"},
    "preview": {"attachment", "errors", "events", "language", "message", "reason", "recipients", "settings", "trial"},
    "by_hand": {
        *("attachment", "errors", "events", "message", "message_left", "notify", "preview", "recipients", "settings"),
        *("terminal", "voicemail"),
    },
    "cli": {
        *("__init__", "by_hand", "check", "edit", "errors", "events", "language", "log", "monitor", "oauth", "preview"),
        *("queue", "setup", "status", "terminal", "trial", "values"),
    },
}
FOR_ALL = {"frozen"}
"""What records are made with."""
SCRIPTS_IMPORT = {
    "pbxnotify-missed": {"agi", "missed_call", "notify"},
    "pbxnotify-voicemail": {"agi", "message_left", "notify"},
}
HEAVY = (
    *(
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
        "pprint",
    ),
    *(("typing",) if sys.version_info >= (3, 10) else ()),  # in 3.9 it comes with what pyst2 imports
)


def imported_by(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "pbxnotify":
            found |= {name.name if (PACKAGE / f"{name.name}.py").exists() else "__init__" for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pbxnotify."):
            found.add(node.module.partition(".")[2])
    return found


def test_every_module_is_in_the_diagram() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", sorted(MAY_IMPORT))
def test_imports_point_downwards(module: str) -> None:
    assert imported_by(PACKAGE / f"{module}.py") <= MAY_IMPORT[module] | FOR_ALL


def test_the_diagram_has_no_circle() -> None:
    reached: dict[str, set[str]] = {}

    def below(module: str) -> set[str]:
        if module not in reached:
            reached[module] = set().union(*({lower} | below(lower) for lower in MAY_IMPORT[module]))
        return reached[module]

    assert all(module not in below(module) for module in MAY_IMPORT)


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.agi")), ids=lambda path: path.name)
def test_a_script_imports_the_guard_and_the_way(script: Path) -> None:
    assert imported_by(script) == SCRIPTS_IMPORT[script.stem]


def test_nothing_heavy_before_the_event_is_durable() -> None:
    """The modules that are loaded when the call is let go, in a Python without a site."""
    script = f"""
import sys
sys.path[:0] = {[str(PACKAGE.parent), *(path for path in sys.path if path.endswith("-packages"))]!r}
from pbxnotify import agi, message_left, missed_call, notify
notify.missed_call(missed_call.on(dict(DIALSTATUS="NOANSWER"), "101"))
notify.voicemail(message_left.on(dict(VM_MESSAGEFILE="/nowhere/default/101/INBOX/msg0000")))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"asterisk.agi", "pbxnotify.spool", "pbxnotify.missed_call", "pbxnotify.voicemail"} <= loaded
    assert loaded.isdisjoint(HEAVY)
