"""A new version of the ini file: what changes in its text, and how it gets into its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden import Golden
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.errors import SettingsError
from pbxnotify.settings import rewrite
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.rewrite import shipped_file

HOST, PASSWORD, BODY = ("smtp", "host"), ("smtp", "password"), ("missed_calls", "body")


@pytest.mark.parametrize(
    ("before", "place", "value", "after"),
    [
        pytest.param("[smtp]\nhost = a\nport =\n", HOST, "b", "[smtp]\nhost = b\nport =\n", id="in its place"),
        pytest.param("[smtp]\n  host=a   # mine\n", HOST, "b", "[smtp]\n  host = b  # mine\n", id="comment, blanks"),
        pytest.param("[smtp]\n# host = x\nhost = a\n", HOST, "b", "[smtp]\n# host = x\nhost = b\n", id="no comment"),
        pytest.param("[smtp]\nport = 1\n\n[x]\n", HOST, "b", "[smtp]\nport = 1\nhost = b\n\n[x]\n", id="new option"),
        pytest.param("[smtp]\n", HOST, "b", "[smtp]\nhost = b\n", id="empty section"),
        pytest.param("[x]\n", HOST, "b", "[x]\n\n[smtp]\nhost = b\n", id="new section"),
        pytest.param("[smtp]\r\nhost = a\r\n", HOST, "b", "[smtp]\r\nhost = b\r\n", id="Windows"),
        pytest.param("\ufeff# mine\n[smtp]\nhost = a\n", HOST, "b", "\ufeff# mine\n[smtp]\nhost = b\n", id="BOM"),
        pytest.param(
            "[missed_calls]\nbody = '''a\nhost = x\n'''\nfooter = f\n",
            BODY,
            "b",
            "[missed_calls]\nbody = b\nfooter = f\n",
            id="several lines",
        ),
        pytest.param("[other]\nhost = a\n[smtp]\n", HOST, "b", "[other]\nhost = a\n[smtp]\nhost = b\n", id="namesake"),
        pytest.param('[smtp]\nhost = a\n', HOST, "", '[smtp]\nhost = ""\n', id="emptied"),
    ],
)  # fmt: skip
def test_changed(before: str, place: tuple[str, str], value: rewrite.Value, after: str) -> None:
    assert rewrite.with_values(before, {place: value}) == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("smtp.example.com", "smtp.example.com", id="a word"),
        pytest.param("a,b", '"a,b"', id="a comma"),
        pytest.param("a, b", '"a, b"', id="a comma and a blank"),
        pytest.param("two words", '"two words"', id="a blank"),
        pytest.param("a#b", '"a#b"', id="a hash"),
        pytest.param('a"b', "'a\"b'", id="a quote"),
        pytest.param("a\"b'c", "'''a\"b'c'''", id="both quotes"),
        pytest.param("", '""', id="nothing"),
    ],
)
def test_quoted(value: str, written: str) -> None:
    assert rewrite.quoted(value) == written


def test_a_value_that_cannot_be_quoted(golden: Golden) -> None:
    with pytest.raises(SettingsError) as caught:
        rewrite.quoted("'''\"\"\"")
    golden(caught.value)


@given(password=st.text(st.characters(min_codepoint=32, max_codepoint=1200, blacklist_categories=("Cs", "Cc", "Zl"))))
def test_any_password_comes_back_as_it_was_written(password: str) -> None:
    shipped = shipped_file("pbxnotify.ini").read_text(encoding="utf-8")
    try:
        text = rewrite.with_values(shipped, {PASSWORD: password, ("smtp", "login"): "me" if password else ""})
    except SettingsError:
        assert "'''" in password or '"""' in password or password.endswith(("'", '"'))
        return
    assert load_settings(Path("pbxnotify.ini"), text.encode()).smtp.password == password
    assert len(text.splitlines()) == len(shipped.splitlines())


@pytest.mark.parametrize("content", [pytest.param(None, id="missing"), pytest.param(b"\xff\xfe", id="no UTF-8")])
def test_a_file_that_cannot_be_read(box: Path, golden: Golden, content: bytes | None) -> None:
    if content is not None:
        (box / "pbxnotify.ini").write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        rewrite.read(box / "pbxnotify.ini")
    assert str(caught.value).startswith(f"{box}/pbxnotify.ini:")
    golden(caught.value)


def test_values_in() -> None:
    text = "\ufeff# a page\fbreak, \x85\r\n[smtp]\r\nhost = a\n[missed_calls]\nemail = a@x, b@x\n"
    wanted = {HOST: "a", PASSWORD: "", ("missed_calls", "email"): "a@x, b@x"}
    assert rewrite.values_in(text, wanted) == wanted
