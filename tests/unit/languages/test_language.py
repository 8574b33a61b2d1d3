"""The languages: each is complete, and writes dates and lengths of time as its readers do."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from pbxnotify.languages.language import DEFAULT_LANGUAGE, LANGUAGE_CODES, Language, load_language

TEXTS = Language._fields
WHOLE_TEXTS = [name for name in TEXTS if isinstance(getattr(load_language(DEFAULT_LANGUAGE), name), str)]


def test_these_are_the_languages() -> None:
    assert {"en", "ru"} <= set(LANGUAGE_CODES)


SAME_AS_IN_ENGLISH = {"decimal_mark"}
"""Texts that another language may have in common with English; any other has been forgotten."""


@pytest.mark.parametrize("code", [code for code in LANGUAGE_CODES if code != DEFAULT_LANGUAGE])
def test_everything_is_translated(code: str) -> None:
    english, language = load_language(DEFAULT_LANGUAGE), load_language(code)
    forgotten = {name for name in WHOLE_TEXTS if getattr(language, name) == getattr(english, name)}
    assert forgotten <= SAME_AS_IN_ENGLISH
    assert not set(language.why.values()) & set(english.why.values())
    for calendar in ("weekdays", "months", "months_alone", "short_weekdays", "short_months"):
        assert not set(getattr(language, calendar)) & set(getattr(english, calendar))


@pytest.mark.parametrize("code", LANGUAGE_CODES)
@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_missing(code: str, name: str) -> None:
    assert getattr(load_language(code), name)


@pytest.mark.parametrize("code", LANGUAGE_CODES)
@pytest.mark.parametrize("name", WHOLE_TEXTS)
def test_a_text_has_the_same_placeholders(code: str, name: str) -> None:
    def placeholders(language: Language) -> list[str]:
        return sorted(re.findall(r"\{\w*\}", getattr(language, name)))

    assert placeholders(load_language(code)) == placeholders(load_language(DEFAULT_LANGUAGE))


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_every_reason_is_there_with_the_same_placeholders(code: str) -> None:
    def placeholders(language: Language) -> dict[str, list[str]]:
        return {reason: re.findall(r"\{\w*\}", sentence) for reason, sentence in language.why.items()}

    assert placeholders(load_language(code)) == placeholders(load_language(DEFAULT_LANGUAGE))
    assert all(sentence.endswith(".") for sentence in load_language(code).why.values())


@pytest.mark.parametrize("code", LANGUAGE_CODES)
def test_the_calendar_is_complete(code: str) -> None:
    language = load_language(code)
    assert (len(set(language.weekdays)), len(set(language.months))) == (7, 12)
    assert (len(set(language.short_weekdays)), len(set(language.short_months))) == (7, 12)
    assert len(set(language.months_alone)) == 12


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


@pytest.mark.parametrize(
    ("date_format", "english", "russian"),
    [
        pytest.param("%Y-%m-%d %H:%M:%S", "2026-05-06 07:08:09", "2026-05-06 07:08:09", id="digits"),
        pytest.param(
            "%A, %d %B %Y at %H:%M:%S",
            "Wednesday, 06 May 2026 at 07:08:09",
            "среда, 06 мая 2026 at 07:08:09",
            id="Asterisk's sample",
        ),
        pytest.param(
            "%A, %d %B %Y в %H:%M", "Wednesday, 06 May 2026 в 07:08", "среда, 06 мая 2026 в 07:08", id="MikoPBX"
        ),
        pytest.param(
            "%A, %B %d, %Y at %r",
            "Wednesday, May 06, 2026 at 07:08:09 AM",
            "среда, мая 06, 2026 at 07:08:09 AM",
            id="FreePBX",
        ),
        pytest.param("%-d %B", "6 May", "6 мая", id="no leading zero"),
        pytest.param("%e %b %H:%M", " 6 May 07:08", " 6 мая 07:08", id="short"),
        pytest.param("%a %h", "Wed May", "ср мая", id="another name of the month"),
        pytest.param("%B %Y", "May 2026", "май 2026", id="a month without a day"),
        pytest.param("%^a %^B %Y", "WED MAY 2026", "СР МАЙ 2026", id="capitals"),
        pytest.param("%c", "Wed May  6 07:08:09 2026", "ср мая  6 07:08:09 2026", id="%c"),
        pytest.param("%T %D", "07:08:09 05/06/26", "07:08:09 05/06/26", id="a pager's"),
        pytest.param("100 %% %%A %%d %B", "100 % %A %d May", "100 % %A %d май", id="percent signs"),
        pytest.param("à %H h %M", "à 07 h 08", "à 07 h 08", id="other letters"),
    ],
)
def test_a_date_format(date_format: str, english: str, russian: str) -> None:
    when = datetime(2026, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
    formatted = [load_language(code).formatted(when, date_format) for code in ("en", "ru")]
    assert formatted == [english, russian]
