"""The phone book: what admins export is understood, and whatever the file is, no mail waits for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from golden import Golden
from hypothesis import example, given
from hypothesis import strategies as st

from pbxnotify.errors import PhoneBookError
from pbxnotify.mail.phone_book import name_in_phone_book, phone_book_rows

NUMBER = "+74951234567"


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return where a test writes its phone book."""
    return tmp_path / "phones.csv"


# Whose number it is


@pytest.mark.parametrize(
    ("written", "number"),
    [
        pytest.param("+7 (495) 123-45-67", "84951234567", id="for people to read"),
        pytest.param("8 495 1234567", "+74951234567", id="with a trunk prefix"),
        pytest.param("4951234567", "74951234567", id="without any prefix"),
        pytest.param("74951234567", "4951234567", id="called without any prefix"),
        pytest.param('="84951234567"', "84951234567", id="a formula that keeps Excel from counting"),
        pytest.param('"8 (495) 123-45-67"', "84951234567", id="in quotes"),
        pytest.param("8\u00a0495\u00a0123\u201145\u201167", "84951234567", id="with unbreakable spaces and hyphens"),
        pytest.param("+33 1 23 45 67 89", "0123456789", id="of another country, as it is dialled there"),
        pytest.param("12345", "12345", id="five digits"),
        pytest.param("101", "101", id="an extension"),
        pytest.param("*45", "*45", id="a short number of another kind"),
    ],
)
def test_the_same_number(book: Path, written: str, number: str) -> None:
    book.write_text(f"{written},Анна\n", encoding="utf-8")
    assert name_in_phone_book(str(book), number) == "Анна"


@pytest.mark.parametrize(
    ("written", "number"),
    [
        pytest.param("84951234567", "84951234568", id="another one"),
        pytest.param("84951234567", "1234567", id="the end of one"),
        pytest.param("1234567", "84951234567", id="one that ends with it"),
        pytest.param("0101", "101", id="an extension with a zero in front"),
        pytest.param("1", "01", id="a zero in front of the caller's"),
        pytest.param("7.49512E+10", "749512", id="shortened by Excel"),
        pytest.param("7,49512E+10", "7", id="shortened by a Russian Excel"),
        pytest.param("84951234567 ext. 12", "95123456712", id="with words behind it"),
        pytest.param("8495,1234567", "84951234567", id="two columns"),
        pytest.param("", "", id="no number"),
        pytest.param("anonymous", "anonymous", id="a word"),
        pytest.param("+49 301 2345678", "+13012345678", id="the same ten digits in another country"),
    ],
)
def test_another_number(book: Path, written: str, number: str) -> None:
    book.write_text(f"{written};Анна\n", encoding="utf-8")
    assert name_in_phone_book(str(book), number) == ""


# How a name is written


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("84951234567,Anna", "Anna", id="comma, no line end"),
        pytest.param("84951234567;Anna\r\n", "Anna", id="semicolon, as a Russian Excel writes it"),
        pytest.param("84951234567\tAnna\n", "Anna", id="tab"),
        pytest.param("84951234567;Smith, Anna\n", "Smith, Anna", id="semicolon, and a comma in the name"),
        pytest.param('84951234567,"Smith, Anna"\n', "Smith, Anna", id="quotes"),
        pytest.param('84951234567, "Smith, Anna" \n', "Smith, Anna", id="quotes after a space"),
        pytest.param('84951234567;"Firma ""Sun"""\n', 'Firma "Sun"', id="quotes in quotes"),
        pytest.param('84951234567;Firma "Sun"\n', 'Firma "Sun"', id="quotes in the name only"),
        pytest.param('1;"Sun\n84951234567;Anna\n', "Anna", id="below a quote that is not closed"),
        pytest.param('84951234567;"Anna\n1;Sun\n', "Anna", id="a quote that is not closed"),
        pytest.param("number,name\n84951234567,Anna\n", "Anna", id="below a heading"),
        pytest.param("sep=;\nТелефон;Имя\n84951234567;Anna\n", "Anna", id="below two"),
        pytest.param("# 84951234567,Ivan\n #84951234567,Ivan\n84951234567,Anna\n", "Anna", id="below comments"),
        pytest.param("\ufeff# 84951234567,Ivan\n84951234567,Anna\n", "Anna", id="below a comment with a mark"),
        pytest.param("\n  \n ;;\n84951234567,Anna\n", "Anna", id="below blank rows"),
        pytest.param("84951234567,Anna,Smith,anna@example.com\n", "Anna", id="more columns"),
        pytest.param("1,A\r84951234567,Anna\r", "Anna", id="lines of an old Mac"),
        pytest.param("84951234567,  Anna \t Smith  \n", "Anna Smith", id="spaces"),
        pytest.param("84951234567;An\x1b[31mna\x07\n", "An [31mna", id="controls"),
        pytest.param("84951234567,An\u202ena\n", "An na", id="a mark that turns the text round"),
        pytest.param(f"84951234567,{'A' * 300}\n", "A" * 256, id="a name that is too long"),
        pytest.param(f"84951234567,{'A' * 300_000}\n", "A" * 256, id="a name that csv would refuse"),
        pytest.param(f"1{',' * 300_000}\n84951234567,Anna\n", "Anna", id="below a line that is too long"),
        pytest.param("84951234567,Anna\n84951234567,Ivan\n", "Anna", id="the first one counts"),
        pytest.param("+7 495 123-45-67;Anna\n84951234567,Ivan\n", "Anna", id="the first one, written otherwise"),
        pytest.param("84951234567,\n84951234567, \x07\n84951234567,Anna\n", "Anna", id="the first one with a name"),
        pytest.param("84951234567\n84951234567,\n", "", id="no name"),
        pytest.param("", "", id="an empty file"),
    ],
)
def test_the_name(book: Path, text: str, name: str) -> None:
    book.write_bytes(text.encode())
    assert name_in_phone_book(str(book), NUMBER) == name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_encodings(book: Path, encoding: str) -> None:
    book.write_bytes("84951234567;Ёжикова №1 «Анна»\r\n".encode(encoding))
    assert name_in_phone_book(str(book), NUMBER) == "Ёжикова №1 «Анна»"


def test_utf_16_of_the_other_byte_order(book: Path) -> None:
    book.write_bytes("\ufeff84951234567\tАнна\r\n".encode("utf-16-be"))
    assert name_in_phone_book(str(book), NUMBER) == "Анна"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_that_is_just_being_written(book: Path, encoding: str) -> None:
    book.write_bytes("84951234567;Анна\n84951234568;Жанна".encode(encoding)[:-1])
    assert [name_in_phone_book(str(book), number) for number in ("84951234567", "84951234568")] == ["Анна", "Жанн"]


def test_no_phone_book() -> None:
    assert name_in_phone_book("", NUMBER) == ""


def test_a_link_to_the_phone_book(book: Path, tmp_path: Path) -> None:
    book.write_text("84951234567,Anna\n")
    (tmp_path / "link").symlink_to(book)
    assert name_in_phone_book(str(tmp_path / "link"), NUMBER) == "Anna"


def test_a_large_phone_book(book: Path, report: Callable[[str], None]) -> None:
    rows = (f"+7 (900) {row // 10000:03}-{row // 100 % 100:02}-{row % 100:02};Имя {row}\n" for row in range(100_000))
    book.write_text("".join(rows), encoding="utf-8")
    began = time.monotonic()
    assert name_in_phone_book(str(book), "89000099999") == "Имя 99999"
    report(f"{(time.monotonic() - began) * 1000:.0f} ms for the last of 100 000 rows, {book.stat().st_size} bytes")


# What is not a phone book


@pytest.fixture
def nobody() -> Iterator[None]:
    """Have no right that only root has."""
    ours = os.geteuid()
    if not ours:
        os.seteuid(65534)
    yield
    os.seteuid(ours)


def loop(path: Path) -> None:
    path.symlink_to(path)


def one_long_line(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 << 20)


NO_PHONE_BOOKS: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": loop,
    "100 MB": one_long_line,
    "NULs": lambda path: path.write_bytes(b"84951234567,An\0na\n"),
    "UTF-16 without its mark": lambda path: path.write_bytes("1,A".encode("utf-16-le")),
    "no encoding": lambda path: path.write_bytes(b"84951234567,\x98\n"),
    "no UTF-16": lambda path: path.write_bytes(b"\xff\xfe\x00\xdc1\0"),
}


@pytest.mark.parametrize("make", NO_PHONE_BOOKS.values(), ids=NO_PHONE_BOOKS)
def test_what_cannot_be_used(book: Path, golden: Golden, make: Callable[[Path], object]) -> None:
    make(book)
    with pytest.raises(PhoneBookError) as caught:
        name_in_phone_book(str(book), NUMBER)
    golden(caught.value)


def test_a_file_that_we_may_not_read(nobody: None) -> None:
    with pytest.raises(PhoneBookError, match=r"/etc/shadow .*Permission denied"):
        name_in_phone_book("/etc/shadow", NUMBER)


def test_what_is_not_a_path_to_this_system() -> None:
    with pytest.raises(PhoneBookError, match="embedded null byte"):
        name_in_phone_book("/etc/\0", NUMBER)


ROW = st.builds(
    bytes.join,
    st.sampled_from([b",", b";", b"\t"]),
    st.lists(st.sampled_from([b"84951234567", b'"', b"#", "Анна".encode("cp1251"), b"\0"]) | st.binary(max_size=9)),
)


@given(st.binary() | st.lists(ROW).map(b"\n".join), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
@example(b'84951234567,"\r"\n', b"")
def test_whatever_the_file_holds(tmp_path: Path, content: bytes, mark: bytes) -> None:
    book = tmp_path / "phones.csv"
    book.write_bytes(mark + content)
    try:
        name = name_in_phone_book(str(book), NUMBER)
        entries = [row for row in phone_book_rows(str(book)) if row.is_entry]
    except PhoneBookError:
        return
    assert name.isprintable()
    assert bool(name) <= bool(entries)
