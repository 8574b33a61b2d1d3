"""The languages: each says everything, and writes dates and lengths of time as its readers do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from checkout import ROOT

from pbxnotify.languages.language import DEFAULT_LANGUAGE, LANGUAGE_CODES, Language, load_language

PACKAGE = ROOT / "pbxnotify"
TEXTS = Language._fields
WHOLE_TEXTS = [name for name in TEXTS if isinstance(getattr(load_language(DEFAULT_LANGUAGE), name), str)]


def test_these_are_the_languages() -> None:
    assert {"en", "ru"} <= set(LANGUAGE_CODES)


SAME_AS_IN_ENGLISH = {"decimal_mark"}
"""Texts that another language may have in common with English: others were forgotten."""


@pytest.mark.parametrize("code", [code for code in LANGUAGE_CODES if code != DEFAULT_LANGUAGE])
def test_everything_is_translated(code: str) -> None:
    english, language = load_language(DEFAULT_LANGUAGE), load_language(code)
    forgotten = {name for name in WHOLE_TEXTS if getattr(language, name) == getattr(english, name)}
    assert forgotten <= SAME_AS_IN_ENGLISH
    assert not set(language.why.values()) & set(english.why.values())
    assert not set(language.months) & set(english.months)


@pytest.mark.parametrize("code", LANGUAGE_CODES)
@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_missing(code: str, name: str) -> None:
    assert getattr(load_language(code), name)


@pytest.mark.parametrize("code", LANGUAGE_CODES)
@pytest.mark.parametrize("name", WHOLE_TEXTS)
def test_a_text_has_the_same_places_to_fill_in(code: str, name: str) -> None:
    def places(language: Language) -> list[str]:
        return sorted(re.findall(r"\{\w*\}", getattr(language, name)))

    assert places(load_language(code)) == places(load_language(DEFAULT_LANGUAGE))


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_every_reason_is_there_with_the_same_places(code: str) -> None:
    def places(language: Language) -> dict[str, list[str]]:
        return {reason: re.findall(r"\{\w*\}", sentence) for reason, sentence in language.why.items()}

    assert places(load_language(code)) == places(load_language(DEFAULT_LANGUAGE))
    assert all(sentence.endswith(".") for sentence in load_language(code).why.values())


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_the_calendar_is_complete(code: str) -> None:
    language = load_language(code)
    assert (len(set(language.weekdays)), len(set(language.months))) == (7, 12)


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_each_number_has_its_form(code: str) -> None:
    language = load_language(code)
    used = {language.plural(number) for number in range(200)}
    for forms in (language.hours, language.minutes, language.seconds):
        assert used == set(range(len(forms)))


@pytest.mark.parametrize(
    ("seconds", "english", "russian", "short"),
    [
        (-5, "0 seconds", "0 секунд", "0 s"),
        (0, "0 seconds", "0 секунд", "0 s"),
        (1, "1 second", "1 секунда", "1 s"),
        (4, "4 seconds", "4 секунды", "4 s"),
        (11, "11 seconds", "11 секунд", "11 s"),
        (21, "21 seconds", "21 секунда", "21 s"),
        (65, "1 minute 5 seconds", "1 минута 5 секунд", "1 min 5 s"),
        (122, "2 minutes 2 seconds", "2 минуты 2 секунды", "2 min 2 s"),
        (3600, "1 hour", "1 час", "1 h"),
        (7323, "2 hours 2 minutes 3 seconds", "2 часа 2 минуты 3 секунды", "2 h 2 min 3 s"),
    ],
)
def test_lengths_of_time(seconds: int, english: str, russian: str, short: str) -> None:
    assert load_language("en").duration(seconds) == english
    assert load_language("ru").duration(seconds) == russian
    assert load_language("en").short_duration(seconds) == short


@pytest.mark.parametrize(
    ("zone", "english", "russian"),
    [
        pytest.param(
            ZoneInfo("Europe/Moscow"),
            "Tuesday, 24 November 2026, 03:07",
            "вторник, 24 ноября 2026\N{NO-BREAK SPACE}г., 03:07",
            id="Moscow",
        ),
        pytest.param(
            timezone(timedelta(hours=-5)),
            "Monday, 23 November 2026, 19:07",
            "понедельник, 23 ноября 2026\N{NO-BREAK SPACE}г., 19:07",
            id="the day before",
        ),
        pytest.param(
            timezone.utc,
            "Tuesday, 24 November 2026, 00:07 UTC",
            "вторник, 24 ноября 2026\N{NO-BREAK SPACE}г., 00:07 UTC",
            id="UTC is named",
        ),
    ],
)
def test_moments(zone: timezone, english: str, russian: str) -> None:
    when = datetime.fromtimestamp(1795478867, zone)
    assert (load_language("en").moment(when), load_language("ru").moment(when)) == (english, russian)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return the languages of a copy of the package."""
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
    ("broken", "said"),
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
def test_a_broken_language_is_named_and_mails_are_in_english(copied: Path, broken: tuple[str, str], said: str) -> None:
    (copied / "de.py").write_text(re.sub(*broken, (copied / "en.py").read_text()))
    done = preview(copied, "de")
    assert "Subject: Missed call: Alexey Portnov" in done.stdout
    assert re.search(f"{copied}/de.py: {said}.*; mails are in English", done.stderr)


def test_a_copy_beside_is_no_language(copied: Path) -> None:
    shutil.copy(copied / "ru.py", copied / "ru.bak.py")
    assert "'ru.bak' is not an available language" in preview(copied, "ru.bak").stderr


def test_a_language_that_is_not_there(copied: Path) -> None:
    assert "'xx' is not an available language; expected en, ru, or another file" in preview(copied, "xx").stderr
