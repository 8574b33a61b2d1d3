"""Every mail keeps to the standards, and each rule that it is held to is one that a mail or a page can break."""

from __future__ import annotations

import re

import pytest
from mails import MAILS, composed
from standards import page_in, violations_of_mail, violations_of_pages

MAIL = b"""\
Date: Tue, 24 Nov 2026 03:07:47 +0300
From: "Office" <pbx@example.com>
To: <ivan@example.com>
Subject: Missed call: =?utf-8?q?=D0=90=D0=BD=D0=BD=D0=B0?=
Message-ID: <1.2@example.com>
In-Reply-To: <1.1@example.com>
References: <1.0@example.com> <1.1@example.com>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_1"

--=_1
Content-Type: multipart/alternative; boundary="=_2"

--=_2
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

caf=C3=A9 =
au lait
--=_2
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: base64

PHA+0JDQvdC90LA8L3A+DQo=
--=_2--

--=_1
Content-Type: audio/x-wav
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="a.wav"

AAEC
--=_1--
""".replace(b"\n", b"\r\n")
Q = b"=?utf-8?q?=D0=90=D0=BD=D0=BD=D0=B0?="
NAME = b'"Office"'


def test_a_mail_that_breaks_no_rule() -> None:
    assert violations_of_mail(MAIL) == []


@pytest.mark.parametrize(
    ("written", "broken", "violation"),
    [
        # RFC 5322, section 2.1: lines
        pytest.param(b"au lait\r\n", b"au lait\n", "a line break that is not CRLF", id="LF"),
        pytest.param(b"au lait\r\n", b"au\rlait\r\n", "a line break that is not CRLF", id="CR"),
        pytest.param(b"au lait", b"x" * 999, "a line of more than 998 octets", id="longest line"),
        pytest.param(b"au lait", b"au\0lait", "an octet of 0", id="octet of 0"),
        pytest.param(b"Missed", b"Missed" + b" call" * 20, "more than 78 characters that could", id="unfolded"),
        # RFC 5322, section 3: fields
        pytest.param(b"Date: Tue, 24 Nov 2026 03:07:47 +0300\r\n", b"", "date: missing", id="no date"),
        pytest.param(b'From: "Office" <pbx@example.com>\r\n', b"", "from: missing", id="no sender"),
        pytest.param(b"To: <ivan@example.com>\r\n", b"", "to: missing", id="no recipient"),
        pytest.param(b"Message-ID: <1.2@example.com>\r\n", b"", "message-id: missing", id="no message id"),
        pytest.param(b"MIME-Version: 1.0\r\n", b"", "mime-version: missing", id="no MIME version"),
        pytest.param(b"To:", b"Subject: a\r\nTo:", "subject: more than once", id="two subjects"),
        pytest.param(b"MIME", b"MIME-Version: 1.0\r\nMIME", "mime-version: more than once", id="two MIME versions"),
        pytest.param(b"Missed call", b"Missed\r\n \r\n call", "grammar of subject", id="fold of nothing"),
        pytest.param(b"Auto-Submitted", b"X-\xd0\xb0", "Python: Missing", id="field name not ASCII"),
        pytest.param(b"Auto-Submitted", b"Auto Submitted", "Python: Missing", id="space in a field name"),
        pytest.param(b"+0300", b"GMT", "grammar of orig-date", id="obsolete zone"),
        pytest.param(b"Nov 2026", b"Nov 26", "grammar of orig-date", id="obsolete year"),
        pytest.param(b"Tue", b"Wed", "another day of the week", id="day of the week"),
        pytest.param(b"24 Nov", b"31 Nov", "no such date", id="day of the month"),
        pytest.param(NAME, b"St. John", "grammar of from", id="dot in a name"),
        pytest.param(NAME, b'"Off"ice"', "grammar of from", id="quote in a name"),
        pytest.param(NAME, b"a@b", "grammar of from", id="at in a name"),
        pytest.param(b"<ivan@example.com>", b"<iv..an@example.com>", "grammar of to", id="dots in an address"),
        pytest.param(b"<ivan@example.com>", b"<ivan>", "grammar of to", id="address without a domain"),
        pytest.param(b"<ivan@example.com>", b"<ivan@example.com>,", "grammar of to", id="nobody after a comma"),
        pytest.param(b"<ivan@example.com>", b'"', "Python: ", id="quote never closed"),
        pytest.param(b"<1.2@example.com>", b"1.2@example.com", "grammar of message-id", id="message id"),
        pytest.param(b"<1.2@example.com>", b"<1 2@example.com>", "grammar of message-id", id="space in a message id"),
        pytest.param(b"To: <1.1@", b"To: a <1.1@", "grammar of in-reply-to", id="in reply to"),
        pytest.param(b"> <1.1@", b">, <1.1@", "grammar of references", id="references"),
        # RFC 3834
        pytest.param(b"auto-generated", b"yes", "grammar of auto-submitted", id="automatic"),
        # RFC 2045: MIME
        pytest.param(b"MIME-Version: 1.0", b"MIME-Version: 1.1", "grammar of mime-version", id="MIME version"),
        pytest.param(b"audio/x-wav", b"audio", "grammar of content-type", id="type without a subtype"),
        pytest.param(b"audio/x-wav", b"audio/x-wav;", "grammar of content-type", id="no parameter after a semicolon"),
        pytest.param(b'"a.wav"', b"a b.wav", "grammar of content-disposition", id="space in a file name"),
        pytest.param(b"base64", b"base32", "grammar of content-transfer-encoding", id="encoding"),
        pytest.param(b"AAEC", b"AA EC", "no base64", id="character in base64"),
        pytest.param(b"AAEC", b"AAE", "no base64", id="base64 cut"),
        pytest.param(b"AAEC", b"AAF=", "no base64", id="bits after base64"),
        pytest.param(b"AAEC", b"AAEC" * 20, "more than 76 characters in base64", id="line of base64"),
        pytest.param(b"au lait", b"au=lait", "no quoted-printable", id="equals sign"),
        pytest.param(b"au lait", b"au lait ", "no quoted-printable", id="space at the end"),
        pytest.param(b"au lait", b"au lait=", "no quoted-printable", id="end in a soft line break"),
        pytest.param(b"caf=C3=A9", b"caf=c3=a9", "no quoted-printable", id="lower case"),
        pytest.param(b"au lait", b"x" * 77, "more than 76 characters in quoted-", id="line of quoted-printable"),
        pytest.param(b"caf=C3=A9", b"caf\xc3\xa9", "8-bit characters in what is quoted-", id="8 bits"),
        pytest.param(b"DQo=", b"Cgo=", "a line break in a text that is not CRLF", id="LF in base64"),
        pytest.param(b'"utf-8"', b'"us-ascii"', "a text that is not of its charset", id="charset"),
        pytest.param(b'"utf-8"', b'"utf-9"', "a text that is not of its charset", id="unknown charset"),
        # RFC 2046: multipart
        pytest.param(b'"=_1"', b'"=_3"', "Python: StartBoundaryNotFoundDefect", id="no part"),
        pytest.param(b"--=_1--", b"", "Python: CloseBoundaryNotFoundDefect", id="not closed"),
        pytest.param(b"=_2", b"=_1x", "a boundary that begins with another", id="boundary within a boundary"),
        pytest.param(b"=_2", b"=_" + b"x" * 69, "no boundary", id="long boundary"),
        pytest.param(b"=_2", b"=_*", "no boundary", id="character in a boundary"),
        pytest.param(
            b"MIME-V", b"Content-Transfer-Encoding: base64\r\nMIME-V", "InvalidMultipartCont", id="multipart in base64"
        ),
        # RFC 2047: encoded words
        pytest.param(Q, b"=?utf-8?q?" + b"a" * 64 + b"?=", "word of more than 75 characters", id="long word"),
        pytest.param(
            b"Missed call: " + Q, b"Missed call: abcd\r\n " + Q + b" " + Q + b" abcd", "76 characters with", id="line"
        ),
        pytest.param(Q, b"=?utf-8?q?=D0?= =?utf-8?q?=90?=", "not of whole characters", id="half a character"),
        pytest.param(Q, b"=?utf-9?q?a?=", "not of whole characters of its charset", id="charset of a word"),
        pytest.param(Q, b"=?utf-8?q?a b?=", "no encoded word", id="space in a word"),
        pytest.param(Q, b"=?utf-8?x?ab?=", "no encoded word", id="encoding of a word"),
        pytest.param(Q, b"=?utf-8?b?AAE?=", "no encoded word", id="base64 of a word"),
        pytest.param(Q, b"=?utf-8?q?=D?=", "no encoded word", id="Q of a word"),
        pytest.param(Q, b"=?utf-8?q?a?==?utf-8?q?b?=", "no encoded word", id="no space between words"),
        pytest.param(Q, b"Anna" + Q, "no encoded word", id="no space before a word"),
        pytest.param(Q, b"=?utf-8?q?a=0D=0ABcc:?=", "more than printable characters", id="line break in a word"),
        pytest.param(Q, b"\xd0\x90", "Subject: not ASCII", id="not encoded"),
        pytest.param(NAME, b"=?utf-8?q?a,b?=", "grammar of from", id="comma in a name's word"),
        pytest.param(NAME, b"=?utf-8?q?a$b?=", "no encoded word", id="character in a name's word"),
        pytest.param(NAME, b'"' + Q + b'"', "an encoded word in a quoted string", id="quoted word"),
        pytest.param(NAME, b'"Office ' + Q + b' 1"', "an encoded word in a quoted string", id="word in quotes"),
        pytest.param(NAME, Q + b"Office", "no encoded word", id="no space after a name's word"),
        pytest.param(b'"a.wav"', b'"' + Q + b'"', "an encoded word in a quoted string", id="file name"),
    ],
)
def test_a_mail_that_breaks_a_rule(written: bytes, broken: bytes, violation: str) -> None:
    assert written in MAIL
    assert violation in "\n".join(violations_of_mail(MAIL.replace(written, broken)))


PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>Missed call</title>
<style>
:root { color-scheme: light dark; }
body { background: #fff; color: #222; }
@media (prefers-color-scheme: dark) { body { background: #111 !important; color: #eee !important; } }
</style>
</head>
<body>
<div style="display:none; max-height:0; overflow:hidden">Anna, +7 495 123-45-67</div>
<h1 id="top">Missed call</h1>
<p>Anna &amp; Ivan called.</p>
<table role="presentation"><tr><td>
<table>
<tr><th scope="row">From</th><td><a href="tel:+74951234567">+7 495 123-45-67</a></td></tr>
</table>
</td></tr></table>
</body>
</html>
"""
BROKEN_PAGES = {
    "no doctype": ("<!DOCTYPE html>\n", "", "without seeing a doctype"),
    "no title": ("<title>Missed call</title>\n", "", "missing a required instance of child element “title”"),
    "empty title": ("<title>Missed call", "<title>", "Element “title” must not be empty"),
    "no language": (' lang="en"', "", "Consider adding a “lang” attribute"),
    "language": ('lang="en"', 'lang="english language"', "Bad value"),
    "charset": ('charset="utf-8"', 'charset="koi8-r"', "koi8-r"),
    "unknown element": ("<p>", "<p><caller>", "“caller” not allowed"),
    "unknown attribute": ("<p>", '<p number="1">', "“number” not allowed"),
    "obsolete element": ("<p>", "<center></center><p>", "“center” element is obsolete"),
    "obsolete attribute": (
        "<table>",
        '<table bgcolor="#fff">',
        "“bgcolor” attribute on the “table” element is obsolete",
    ),
    "element not closed": ("</h1>", "", "“h1”"),
    "element never opened": ("</p>", "</b></p>", "Stray end tag “b”"),
    "elements that overlap": ("<p>Anna", "<p><b><i>Anna</b></i>", "violates nesting rules"),
    "table in a text": ("Ivan called.", "<table></table>", "No “p” element in scope"),
    "row outside of a table": ("<p>", "<tr><p>", "Stray start tag “tr”"),
    "attribute twice": ('scope="row"', 'scope="row" scope="row"', "Duplicate attribute"),
    "same id twice": ("<p>", '<p id="top">', "Duplicate ID “top”"),
    "less-than sign": ("Anna &amp;", "Anna <", "Bad character"),
    "character reference": ("&amp;", "&#0;", "Character reference expands to zero"),
    "control character": ("Ivan", "Iv\x01an", "Forbidden code point"),
    "scope": ('scope="row"', 'scope="rows"', "Bad value “rows”"),
    "role": ('role="presentation"', 'role="layout"', "Bad value “layout”"),
    "space in a number to call": ("tel:+7495", "tel:+7 495", "Bad value “tel:"),
    "space in an address": ("tel:+74951234567", "https://exam ple.com/", "Bad value “https:"),
    "picture without words": ("Ivan", '<img src="cid:1@example.com">', "must have an “alt” attribute"),
    "empty heading": (">Missed call</h1>", "></h1>", "Empty heading"),
    "property in a style": ("max-height:0", "maximal-height:0", "Property “maximal-height” doesn't exist"),
    "value in a style": ("display:none", "display:never", "“never” is not a “display” value"),
    "property in the style sheet": ("color-scheme: light", "scheme: light", "Property “scheme” doesn't exist"),
    "brace in the style sheet": ("#222; }", "#222; }}", "CSS: Parse Error"),
    "color scheme": (": dark)", ": black)", "“black” is not a “prefers-color-scheme” value"),
    "rule in the style sheet": ("@media", "@medium", "Unrecognized at-rule “@medium”"),
    "zoom forbidden": ("initial-scale=1", "initial-scale=1, user-scalable=no", "prevent users from resizing"),
}
"""What each page has in the place of what, and what the checker says of it."""


@pytest.fixture(scope="session")
def mails(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return all mails."""
    return composed(tmp_path_factory.mktemp("mails"))


@pytest.fixture(scope="session")
def found(mails: dict[str, bytes]) -> dict[str, list[str]]:
    """Return what is wrong with each page, that of each mail and each broken one."""
    broken = {name: PAGE.replace(written, broken, 1) for name, (written, broken, _) in BROKEN_PAGES.items()}
    pages = {name: page_in(content) for name, content in mails.items()}
    return violations_of_pages({"good": PAGE, **broken, **pages})


def test_a_page_that_breaks_no_rule(found: dict[str, list[str]]) -> None:
    assert found["good"] == []


@pytest.mark.parametrize("name", BROKEN_PAGES)
def test_a_page_that_breaks_a_rule(found: dict[str, list[str]], name: str) -> None:
    written, _, violation = BROKEN_PAGES[name]
    assert written in PAGE
    assert violation in "\n".join(found[name])


@pytest.mark.parametrize("name", MAILS)
def test_a_mail(mails: dict[str, bytes], name: str) -> None:
    assert violations_of_mail(mails[name]) == []


@pytest.mark.parametrize("name", MAILS)
def test_the_page_in_a_mail(found: dict[str, list[str]], name: str) -> None:
    assert found[name] == []


DESIGNED = [name for name, mail in MAILS.items() if "body" not in mail.ini]


@pytest.mark.parametrize("name", DESIGNED)
def test_a_page_of_ours_is_small_and_loads_nothing(mails: dict[str, bytes], name: str) -> None:
    page = page_in(mails[name])
    assert len(page.encode()) < 15 * 1024
    assert not re.search(r"(?i)<(img|link|script|iframe|video|audio|form|object|embed)\b|url\(|@import|\ssrc=", page)
