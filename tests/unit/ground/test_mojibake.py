"""Names that trunks send in another encoding than UTF-8, or have read in a wrong one."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.text import clean, mended


def received(raw: bytes) -> str:
    """Return bytes as the AGI connection does."""
    return raw.decode("utf-8", "surrogateescape")


def misread(name: str, encoding: str) -> str:
    """Return a name whose UTF-8 was taken for an encoding; what that does not have becomes a control."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in name.encode())


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        pytest.param(received("Иванов Пётр".encode("cp1251")), "Иванов Пётр", id="windows-1251"),
        pytest.param(received("ООО «Ромашка» №1".encode("cp1251")), "ООО «Ромашка» №1", id="windows-1251 with quotes"),
        pytest.param(received("ИП Smith".encode("cp1251")), "ИП Smith", id="windows-1251 and English"),
        pytest.param(received("Müller".encode("latin-1")), "Müller", id="Latin-1"),
        pytest.param(received("José Peña".encode("latin-1")), "José Peña", id="Latin-1, Spanish"),
        pytest.param(received("Ångström, Åke".encode("latin-1")), "Ångström, Åke", id="Latin-1, Swedish"),
        pytest.param(received("“Sun” – L’Été".encode("cp1252")), "“Sun” – L’Été", id="windows-1252"),
        pytest.param(misread("Иван Петров", "cp1251"), "Иван Петров", id="UTF-8 read as windows-1251"),
        pytest.param("РРІР°РЅ РџРµС‚СЂРѕРІ", "Иван Петров", id="what windows-1251 does not have was dropped"),
        pytest.param(misread("Сергей Рыжов", "latin-1"), "Сергей Рыжов", id="UTF-8 read as Latin-1"),
        pytest.param(misread("Сергей Рыжов", "cp1252"), "Сергей Рыжов", id="UTF-8 read as windows-1252"),
        pytest.param(misread("Müller", "cp1252"), "Müller", id="German UTF-8 read as windows-1252"),
        pytest.param(misread("João", "latin-1"), "João", id="Portuguese UTF-8 read as Latin-1"),
        pytest.param("Èâàíîâ Ï¸òð", "Иванов Пётр", id="windows-1251 read as Latin-1"),
        pytest.param("Èâàíîâ", "Иванов", id="one word of it"),
    ],
)
def test_what_was_meant(sent: str, meant: str) -> None:
    assert clean(mended(sent)) == meant


@pytest.mark.parametrize(
    "name",
    [
        *("Alice Smith", "Россия", "РОССИЯ", "Р", "Рё", "Сёмин", "Сергей", "Іван Сірко", "Юрій Їжак", "Jürgen Groß"),
        *("JOÃO", "São Paulo", "Ñandú", "naïve café", "ÅÄÖ", "Éé", "Ünal Öğe", "Đặng", "Łukasz", "张伟", "山田", "דוד"),
        *("Ελένη", "«Ромашка» №1", "50° С", "\ufffd\ufffd", ""),
    ],
)
def test_what_is_right_stays(name: str) -> None:
    assert mended(name) == name


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("Иван Петров".encode()[:-1], id="a last character that Asterisk has cut"),
        pytest.param(("Константин " * 5).encode()[:79], id="at 79 bytes"),
        pytest.param("Иван ".encode() + b"\xff", id="one bad byte in UTF-8"),
    ],
)
def test_utf_8_that_is_nearly_whole_stays(raw: bytes) -> None:
    assert mended(received(raw)) == received(raw)


@given(st.binary())
def test_any_bytes_become_text_that_can_be_sent(raw: bytes) -> None:
    clean(mended(received(raw))).encode()


@given(st.text(st.sampled_from("абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ -.")))
def test_no_russian_name_is_taken_for_another_encoding(name: str) -> None:
    assert mended(name) == name


@given(st.text(st.sampled_from("абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗ"), min_size=2))
@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "latin-1"])
def test_any_russian_name_that_was_misread_is_mended(encoding: str, name: str) -> None:
    name += "ов"  # two letters that are not letters of another language in any of the encodings
    assert mended(misread(name, encoding)) == name


def test_nothing_is_imported_for_a_name_that_is_right() -> None:
    sys.modules.pop("pbxnotify.mojibake", None)
    mended("Сергей Сёмин")
    assert "pbxnotify.mojibake" not in sys.modules
