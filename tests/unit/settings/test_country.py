"""The country that the office is in: as configured, else by time zone, else by language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zoneinfo import available_timezones

import pytest

from pbxnotify.settings import country
from pbxnotify.settings.load import load_settings


@pytest.mark.parametrize(
    ("ini", "code"),
    [
        pytest.param("country = ru\nlanguage = en\ntimezone = America/New_York", "RU", id="as configured"),
        pytest.param("country = US\nlanguage = ru", "US", id="not by language then"),
        pytest.param("timezone = Europe/Moscow", "RU", id="Moscow"),
        pytest.param("timezone = Asia/Almaty\nlanguage = ru", "KZ", id="Almaty"),
        pytest.param("timezone = Europe/Minsk\nlanguage = ru", "", id="Russian in Minsk"),
        pytest.param("timezone = Europe/Berlin\nlanguage = ru", "", id="Russian in Berlin"),
        pytest.param("timezone = America/New_York", "", id="New York"),
        pytest.param("timezone = UTC\nlanguage = ru", "RU", id="Russian by UTC"),
        pytest.param("timezone = Etc/GMT-3\nlanguage = ru", "RU", id="Russian by another zone of no place"),
        pytest.param("timezone = UTC", "", id="English by UTC"),
    ],
)
def test_the_country(write_ini: Callable[[str], Path], ini: str, code: str) -> None:
    assert load_settings(write_ini(f"[notifications]\n{ini}\n")).country == code


@pytest.mark.parametrize(
    ("environment", "link", "code"),
    [
        pytest.param("", "/usr/share/zoneinfo/Asia/Yekaterinburg", "RU", id="localtime"),
        pytest.param(":Asia/Almaty", "/usr/share/zoneinfo/Europe/Moscow", "KZ", id="$TZ"),
        pytest.param("", "/usr/share/zoneinfo/America/New_York", "", id="another place"),
        pytest.param("", "/usr/share/zoneinfo/Etc/UTC", "RU", id="by language"),
        pytest.param("", "/elsewhere", "RU", id="not a link into the database"),
    ],
)
def test_the_systems_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, link: str, code: str
) -> None:
    (tmp_path / "localtime").symlink_to(link)
    monkeypatch.setattr(country, "LOCALTIME", str(tmp_path / "localtime"))
    monkeypatch.setenv("TZ", environment)
    assert country.guessed_country("", "ru") == code


def test_these_are_time_zones() -> None:
    assert set(country.COUNTRIES) <= available_timezones() | {"W-SU"}
