"""Text from outside: names stay as they are in every script, and nothing in them hides what comes after."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from checkout import ROOT
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.text import MOST_MARKS, clean, visible

OBEYED = [
    *(chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ud800\udcff\udfff",
]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Nguyễn Thị Phương", id="Vietnamese"),
        pytest.param("Nguye\u0302\u0303n Thi\u0323 Phu\u031bo\u031bng", id="Vietnamese, decomposed"),
        pytest.param("ज़ुबैदा श्रीनिवासन", id="Devanagari"),
        pytest.param("พิชญ์สินี น้ำทิพย์", id="Thai"),
        pytest.param("שִׁמְשׁוֹן הַכֹּהֵן", id="Hebrew with points"),
        pytest.param("بِسْمِ اللّٰهِ مُحَمَّدٌ", id="Arabic with harakat"),
        pytest.param("မင်းအောင်လှိုင် လှို့ရွှေ", id="Burmese"),
        pytest.param("བསྒྲུབས་རྒྱ་མཚོ", id="Tibetan"),
        pytest.param("ស៊ុំ ស្រីមុំ", id="Khmer"),
        pytest.param("김철수", id="Korean"),
        pytest.param("\u1100\u1175\u11b7", id="Korean, decomposed"),
        pytest.param("山田 太郎 ガギグ", id="Japanese"),
        pytest.param("தமிழ்ச்செல்வி", id="Tamil"),
        pytest.param("Й\u0306ошкар Ё\u0308", id="Cyrillic with marks"),
        pytest.param("👍🏽 Anna 😀", id="emoji"),
    ],
)
def test_a_name_stays_as_it_is(name: str) -> None:
    assert clean(name) == name


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        pytest.param("\u3164" * 20, "", id="Hangul fillers"),
        pytest.param("\u115f\u1160\uffa0\u2800\u034f\u17b4\u180b", "", id="other blanks"),
        pytest.param("A\u3164n\u2800n\ufe0fa", "Anna", id="between letters"),
        pytest.param("Anna\U000e0020\U000e0041\U000e007f\U000e0100", "Anna", id="tags"),
        pytest.param("❤\ufe0f", "❤", id="variation selector"),
        pytest.param("辻\U000e0100", "辻", id="variant of an ideograph"),
        pytest.param("e" + "\u0301" * 70, "e" + "\u0301" * MOST_MARKS, id="stack"),
        pytest.param("e" + "\u0301\u034f" * 70, "e" + "\u0301" * MOST_MARKS, id="stack with joiners between"),
        pytest.param("ab" + "\u0489" * 9, "ab" + "\u0489" * MOST_MARKS, id="enclosing marks"),
        pytest.param("\u0301" * 70, "\u0301" * MOST_MARKS, id="marks on nothing"),
    ],
)
def test_what_hides_the_rest_is_dropped(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_family_may_fall_apart_but_is_there() -> None:
    assert clean("👩\u200d👩\u200d👧") == "👩 👩 👧"


def test_an_ascii_name_costs_no_import() -> None:
    code = "import sys; from pbxnotify.text import clean; clean('Anna'); clean('Анна «Ё»'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "unicodedata" not in done.stdout.split()


@pytest.mark.parametrize("character", OBEYED, ids=lambda character: f"U+{ord(character):04X}")
def test_what_a_terminal_obeys_becomes_visible(character: str) -> None:
    assert visible(f"a{character}b") == f"a\\u{ord(character):04x}b"


@given(st.text())
def test_json_stays_the_same(text: str) -> None:
    assert json.loads(visible(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))))
def test_nothing_else_is_changed(text: str) -> None:
    assert visible(text) == text
