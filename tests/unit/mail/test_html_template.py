"""The administrator's HTML: no caller changes it, whatever it looks like, and it can be read without HTML too."""

from __future__ import annotations

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.mail.templates.html_template import fill_html, is_html, text_of_html

HOSTILE = 'x onclick=a() "><script>'
VARIABLES = {
    "VM_FROM": HOSTILE,
    "VM_CALLERID": '"Alexey" <101>',
    "VM_CALLER_NUM": "+7 (495) 123-45-67",
    "VM_CALLER_NAME": "number withheld",
    "VM_MAILBOX": "101",
    "VM_CONTEXT": "VM_FROM",
    "VM_NAME": "",
    "VM_WHOM": "Anna\nIvan",
    "HISTORY_URL": "https://pbx.example.com/cdr?a=1&b=2",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("a<br>b", True, id="a line break"),
        pytest.param("<STRONG>a</STRONG>", True, id="capitals"),
        pytest.param('<img\nsrc="a.png">', True, id="over two lines"),
        pytest.param("<!DOCTYPE html>", True, id="doctype"),
        pytest.param("a<hr/>b", True, id="closed at once"),
        pytest.param("<style>p {}</style>", True, id="a style"),
        pytest.param("a</p>b", True, id="an end only"),
        pytest.param('<p title="a>b', True, id="a quote that never ends"),
        pytest.param("", False, id="nothing"),
        pytest.param('"Alexey" <101>', False, id="a caller ID"),
        pytest.param("<name@example.com>", False, id="an address"),
        pytest.param("<b@example.com> <i.petrov@example.com>", False, id="an address that begins as a tag"),
        pytest.param("<https://example.com/>", False, id="an address of the web"),
        pytest.param("a < b > c <3", False, id="comparisons"),
        pytest.param("<VM_CALLERID> ${VM_DUR}", False, id="a variable"),
        pytest.param("<Иван> <extension>", False, id="words"),
        pytest.param("<p", False, id="a tag that never ends"),
        pytest.param("<!-- <b> -->", False, id="a comment"),
    ],
)
def test_is_html(template: str, expected: bool) -> None:
    assert is_html(template) is expected


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        pytest.param("<b>VM_CALLERID</b>", "<b>&quot;Alexey&quot; &lt;101&gt;</b>", id="in text"),
        pytest.param("<b>VM_CONTEXT</b>", "<b>VM_FROM</b>", id="a caller named as a variable stays that"),
        pytest.param("<b>VM_MAILBOX</b>VM_MAILBOX", "<b>101</b>101", id="names divided by a tag"),
        pytest.param("${VM_MAILBOX}s ${OTHER}", "101s ${OTHER}", id="as in voicemail.conf"),
        pytest.param("<p>VM_WHOM", "<p>Anna<br>\nIvan", id="two lines"),
        pytest.param('<p title="VM_CALLERID">', '<p title="&#34;Alexey&#34;&#32;&#60;101&#62;">', id="in an attribute"),
        pytest.param(
            "<p title='VM_CALLERID'>", "<p title='&#34;Alexey&#34;&#32;&#60;101&#62;'>", id="in single quotes"
        ),
        pytest.param("<p title=VM_CALLERID>", "<p title=&#34;Alexey&#34;&#32;&#60;101&#62;>", id="without quotes"),
        pytest.param("<p title=VM_NAME id=a>", '<p title="" id=a>', id="nothing without quotes"),
        pytest.param('<a href="tel:VM_CALLER_NUM">', '<a href="tel:+74951234567">', id="a number to dial"),
        pytest.param("<a href=tel:VM_MAILBOX>", "<a href=tel:101>", id="an extension to dial"),
        pytest.param('<a href="tel:VM_CALLERID">', '<a href="tel:101">', id="a number behind a name"),
        pytest.param('<a href="tel:VM_CALLER_NAME">', '<a href="tel:">', id="no number to dial"),
        pytest.param('<a href="tel:VM_FROM">', '<a href="tel:">', id="nothing hostile to dial"),
        pytest.param(
            '<a href="https://crm/VM_CALLER_NUM?n=VM_CALLER_NUM">',
            '<a href="https://crm/+7%20%28495%29%20123-45-67?n=%2B7%20%28495%29%20123-45-67">',
            id="a plus is a space after ? only",
        ),
        pytest.param(
            "<a href=HISTORY_URL>", "<a href=https://pbx.example.com/cdr?a&#61;1&#38;b&#61;2>", id="the call history"
        ),
        pytest.param(
            '<a href="https://go/?to=HISTORY_URL">',
            '<a href="https://go/?to=https%3A%2F%2Fpbx.example.com%2Fcdr%3Fa%3D1%26b%3D2">',
            id="the call history within an address",
        ),
        pytest.param('<a href=" java&#10;script:f(VM_FROM)">', '<a href="">', id="a script as an address"),
        pytest.param(
            '<img src="data:image/png;base64,AA=="/>', '<img src="data:image/png;base64,AA=="/>', id="an image"
        ),
        pytest.param('<p onclick="f(VM_FROM)">', '<p onclick="f(x&#32;onclicka&#32;script)">', id="in onclick"),
        pytest.param("<p style=VM_FROM>", "<p style=x&#32;onclicka&#32;script>", id="in style="),
        pytest.param("<style>VM_FROM</style>", "<style>x onclicka script</style>", id="in a style"),
        pytest.param("<script>'VM_CALLER_NUM'</script>", "<script>'+7 495 123-45-67'</script>", id="in a script"),
        pytest.param("<style></${VM_MAILBOX}></style>", "<style></101></style>", id="no end of a style"),
        pytest.param("<!-- VM_FROM -->", "<!-- x onclicka script -->", id="in a comment"),
        pytest.param("<!--VM_NAME>-->", "<!--VM_NAME>-->", id="what would end a comment"),
        pytest.param("<p VM_MAILBOX>", "<p VM_MAILBOX>", id="in a tag, but in no value"),
        pytest.param("<b>Ivan</b> <VM_MAILBOX>", "<b>Ivan</b> &lt;101>", id="in brackets that are no tag"),
        pytest.param("<p>a < b", "<p>a &lt; b", id="a stray bracket"),
        pytest.param('<p>VM_MAILBOX<a href="', '<p>101&lt;a href="', id="a tag that never ends"),
        pytest.param('<a title="VM_MAILBOX>b</a>', '<a title="101">b</a>', id="a quote that never ends"),
        pytest.param("<p>a<!-- b</p>", "<p>a&lt;!-- b</p>", id="a comment that never ends"),
        pytest.param(
            "<style>a<p>VM_FROM", "&lt;style>a<p>x onclick=a() &quot;&gt;&lt;script&gt;", id="an endless style"
        ),
        pytest.param("<script><!-- <script>a</script>", "<script>// <script>a</script>", id="a comment in a script"),
        pytest.param("<?xml a?><![if !mso]>a</B >", "<?xml a?><![if !mso]>a</b>", id="of Word"),
    ],
)
def test_fill(template: str, filled: str) -> None:
    assert fill_html(template, VARIABLES) == filled


POSITIONS = [
    pytest.param("<p>CALLER</p>CALLER", id="text"),
    pytest.param('<p title="CALLER" class="b">a</p>', id="quotes"),
    pytest.param("<p title='CALLER' class='b'>a</p>", id="single quotes"),
    pytest.param("<p title=CALLER class=b>a</p>", id="no quotes"),
    pytest.param("<p title=a'CALLER\"CALLER class=b>a</p>", id="quotes within no quotes"),
    pytest.param('<a href="CALLER">a</a>', id="an address"),
    pytest.param("<a href=CALLER class=b>a</a>", id="an address without quotes"),
    pytest.param('<a href="tel:CALLER">a</a>', id="a number"),
    pytest.param("<a href=CALLERscript:a(CALLER) class=b>a</a>", id="a scheme"),
    pytest.param('<p onclick="CALLER" style="CALLER">a</p>', id="code"),
    pytest.param("<p onclick=CALLER style=CALLER>a</p>", id="code without quotes"),
    pytest.param('<meta http-equiv="refresh" content="CALLER">', id="refresh"),
    pytest.param("<script>a = 'CALLER'; <!CALLER-- <CALLER </CALLER> </CALLERscript></script><p>a</p>", id="script"),
    pytest.param("<style>p {CALLER} </CALLER></style><p>a</p>", id="style"),
    pytest.param("<title>CALLER</title><p>a</p>", id="title"),
    pytest.param("<!-- CALLER --><!--CALLER> -CALLER-> --><p>a</p>", id="comment"),
    pytest.param("<CALLER CALLER=a><p CALLER>a</p>", id="names"),
    pytest.param("<p>a<!CALLER b><?CALLER b>", id="declarations"),
    pytest.param("<p>a<CALLER", id="the name of an endless tag"),
    pytest.param("<p>a<a CALLER b=CALLER", id="an endless tag"),
    pytest.param('<p>a<a b="CALLER <i>CALLER</i>', id="an endless quote"),
    pytest.param("<p>a<!-- CALLER <i>CALLER</i>", id="an endless comment"),
    pytest.param("<p>a<style>CALLER <i>CALLER</i>", id="an endless style"),
    pytest.param("<p>&CALLER; &#CALLER; <CALLER@CALLER>", id="references"),
]
CALLERS = (
    st.text() | st.text("-<>/!\"'=&#;: \nscriptjava") | st.sampled_from((HOSTILE, "script", "--", "", "javascript:a()"))
)


def elements(page: str) -> list[tuple[str, list[str]]]:
    """Return the elements of a page with the names of their attributes, as a browser reads them."""
    found = html5lib.parse(page, namespaceHTMLElements=False).iter()
    return [(str(one.tag), sorted(one.attrib)) for one in found if isinstance(one.tag, str) and one.tag != "br"]


@pytest.mark.parametrize("template", POSITIONS)
@given(caller=CALLERS)
def test_no_caller_changes_the_elements(template: str, caller: str) -> None:
    filled = fill_html(template, {"CALLER": caller})
    assert elements(filled) == elements(fill_html(template, {"CALLER": "x"}))


@pytest.mark.parametrize("template", POSITIONS)
@given(caller=CALLERS)
def test_no_caller_makes_a_script_of_an_address(template: str, caller: str) -> None:
    page = html5lib.parse(fill_html(template, {"CALLER": caller}), namespaceHTMLElements=False)
    for address in (one.attrib["href"] for one in page.iter("a") if "href" in one.attrib):
        assert "javascript:" not in "".join(address.split()).lower()


PIECES = (
    *("<", ">", "</", "/>", '"', "'", "=", " ", "\n", "<!--", "-->", "--!>", "-", "/", "&", "a", "p", "<p", "<a href="),
    *(
        "<style>",
        "</style>",
        "<script",
        "</script ",
        "<title>",
        "</title>",
        "CALLER",
        "onclick",
        "<!a",
        "<?",
        "\0",
        "<b>",
    ),
)


BROKEN = st.lists(st.sampled_from(PIECES)).map(lambda pieces: "<p>a" + "".join(pieces))


@given(template=BROKEN, caller=CALLERS.filter(lambda caller: caller.strip(" \t\n\f\r\0")))
def test_no_caller_changes_broken_html(template: str, caller: str) -> None:
    """A caller of spaces alone is another matter: without a text a browser opens no <b> again."""
    filled = fill_html(template, {"CALLER": caller})
    assert elements(filled) == elements(fill_html(template, {"CALLER": "x"}))


@given(BROKEN)
def test_broken_html_hides_nothing_behind_it(template: str) -> None:
    page = html5lib.parse(fill_html(template, VARIABLES) + "<address>PBX</address>", namespaceHTMLElements=False)
    assert page.find(".//address") is not None


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("from <b>VM_CALLERID</b>", 'from "Alexey" <101>', id="a value is not escaped"),
        pytest.param("<b>VM_MAILBOX</b>VM_MAILBOX", "101101", id="names divided by a tag"),
        pytest.param("a<br>b<br/>c", "a\nb\nc", id="line breaks"),
        pytest.param("a\n  b", "a b", id="the source's own line breaks"),
        pytest.param("<div>a</div>\n<div>b<br></div><div>c</div>", "a\nb\nc", id="lines"),
        pytest.param("<h1>a</h1><p>b</p>\n\n<p>c</p><br><br><br>d", "a\n\nb\n\nc\n\nd", id="paragraphs"),
        pytest.param("a<ul><li>b</li>\n<li><p>c</p></ul>", "a\n- b\n- c", id="a list"),
        pytest.param("<table><tr><th>a<td>b</td><td>c</table>d", "a b c\nd", id="a table"),
        pytest.param("a<hr>b", "a\n\nb", id="a rule"),
        pytest.param("<pre>a\n  b</pre>c", "a\n  b\n\nc", id="as it is"),
        pytest.param("a&nbsp;&nbsp;b &lt;c&gt; &amp;amp;", "a b <c> &amp;", id="entities"),
        pytest.param(
            "<head><title>a</title><style>b</style></head><script>c</script><!-- d -->e", "e", id="what is not seen"
        ),
        pytest.param('<a href="https://a/?n=VM_MAILBOX&amp;b">w</a>', "w (https://a/?n=101&b)", id="a link"),
        pytest.param('<a href="HISTORY_URL">HISTORY_URL</a>', VARIABLES["HISTORY_URL"], id="an address as its words"),
        pytest.param('<a href="HISTORY_URL">a<a href="tel:1">b</a>', f"a ({VARIABLES['HISTORY_URL']})b", id="links"),
        pytest.param('<a href="tel:VM_CALLER_NUM">VM_CALLER_NUM</a>', VARIABLES["VM_CALLER_NUM"], id="a number"),
        pytest.param('<a href="mailto:a@example.com">a</a> <a name="b">c</a>', "a c", id="no address of the web"),
        pytest.param('<img src="a.png" alt="from VM_MAILBOX"><img src="b.png">', "from 101", id="an image"),
        pytest.param("<p>VM_WHOM</p>", "Anna\nIvan", id="two lines"),
        pytest.param("<p>VM_NAME</p>", "", id="nothing"),
        pytest.param("<p>a < b <VM_MAILBOX> <!-- c", "a < b <101> <!-- c", id="no markup"),
        pytest.param("<p>\x000\x00VM_MAILBOX", "0101", id="NULs"),
    ],
)
def test_as_text(template: str, text: str) -> None:
    assert text_of_html(template, VARIABLES) == text


@given(BROKEN | st.text())
def test_any_template_can_be_handled(template: str) -> None:
    assert is_html(template) in (True, False)
    assert "\0" not in text_of_html(template, VARIABLES)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<",
            "<a ",
            '<a "',
            "<a a a ",
            "<!--",
            "<!a",
            '<a b="',
            "<a b='\">",
            "<a-",
            "<b>",
            "</b>",
            "<style>",
            "<title><",
        ),
        *("<a href=VM_FROM>", "<a href='https://a'>b", "VM_FROM ", " "),
    ],
)
def test_a_megabyte_is_handled_in_linear_time(piece: str) -> None:
    """What took the square of the time would not end before the time limit of a test."""
    template = "<p>" + piece * (1_000_000 // len(piece))
    assert is_html(template)
    assert fill_html(template, VARIABLES)
    assert len(text_of_html(template, VARIABLES)) < 4_000_000
