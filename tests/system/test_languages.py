"""A language is one file in the package: another is added, or is broken, in a copy of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from golden import Golden

PACKAGE = ROOT / "pbxnotify"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the package; return the directory of its languages."""
    shutil.copytree(PACKAGE, tmp_path / "pbxnotify", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "pbxnotify" / "languages"


def preview(copied: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run ``pbxnotify preview`` of a copy, with one language for the installation."""
    ini = copied / "pbxnotify.ini"
    ini.write_text(f"[notifications]\nlanguage = {code}\ntimezone = UTC\n")
    command = [sys.executable, "-m", "pbxnotify.cli", "--config", str(ini), "preview", "missed"]
    environment = {**os.environ, "PYTHONPATH": str(copied.parent.parent), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)


def test_another_language_is_one_file(copied: Path) -> None:
    english = (copied / "en.py").read_text()
    german = english.replace("Missed call: {caller}", "Anruf in Abwesenheit: {caller}")
    (copied / "de.py").write_text(german)
    assert "Subject: Anruf in Abwesenheit: Alexey Portnov" in preview(copied, "de").stdout


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        pytest.param(
            ("(?m)^    (silent|when)=.*\n", ""),
            "TypeError: .*missing 2 required positional arguments: 'when' and 'silent'",
            id="lacks texts",
        ),
        pytest.param((r"LANGUAGE = Language\(", "LANGUAGE = Language(("), "SyntaxError", id="no Python"),
        pytest.param(("(?m)^LANGUAGE =", "OTHER ="), "AttributeError", id="no language"),
    ],
)
def test_a_broken_language_is_named_and_mails_are_in_english(
    copied: Path, golden: Golden, broken: tuple[str, str], error: str
) -> None:
    (copied / "de.py").write_text(re.sub(*broken, (copied / "en.py").read_text()))
    done = preview(copied, "de")
    assert "Subject: Missed call: Alexey Portnov" in done.stdout
    assert re.search(f"{copied}/de.py: {error}", done.stderr)
    golden(re.sub(error if ":" in error else f"{error}: .*(?=;)", "ERROR", done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("code", ["ru.bak", "xx"], ids=["a copy beside it", "no such file"])
def test_an_unknown_language(copied: Path, golden: Golden, code: str) -> None:
    shutil.copy(copied / "ru.py", copied / "ru.bak.py")
    done = preview(copied, code)
    assert done.returncode == os.EX_CONFIG
    golden(done.stderr)
