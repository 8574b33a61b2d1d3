"""Hostile callers and files: whatever they hold, no crash, and no header, recipient, HTML or path of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from calls import CALL, INI, added, recipients_of
from extent import EXAMPLES, LONG, PATIENCE
from far_end import RANG_OUT, ROOT, FarEnd, environment_text
from hypothesis import given, settings
from hypothesis import strategies as st
from relay import Catcher

from pbxnotify.asterisk import agi
from pbxnotify.asterisk.agi import Channel
from pbxnotify.asterisk.audio import FORMATS
from pbxnotify.asterisk.call import caller_of
from pbxnotify.asterisk.mailbox import read_message
from pbxnotify.asterisk.missed_call import missed_call_on
from pbxnotify.asterisk.voicemail import voicemail_on
from pbxnotify.delivery.runner import run_queue
from pbxnotify.errors import NewerItem, SettingsError
from pbxnotify.events import Alert, Event, MissedCall, Voicemail
from pbxnotify.mail.compose import compose
from pbxnotify.mail.context import Recipient
from pbxnotify.settings.load import load_settings
from pbxnotify.settings.sections import MissedCalls, Settings
from pbxnotify.spool.item import Item, new_item
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.recording import recording_name
from pbxnotify.spool.store import Spool, _key

pytestmark = pytest.mark.timeout(PATIENCE, method="thread")  # a channel needs the alarm signal for itself

NASTY = (
    *(
        "\r",
        "\n",
        "\r\n",
        "\0",
        "\t",
        " ",
        ",",
        ";",
        ":",
        "<",
        ">",
        '"',
        "'",
        "\\",
        "@",
        "&",
        "=",
        "%",
        "$",
        "{",
        "}",
        ".",
    ),
    *("Bcc: evil@example.com", "From: boss@example.com", "\r\n.\r\n", "=?utf-8?q?a=0D=0ABcc:_evil@example.com?="),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td></table>", "--=_", "Content-Type: text/html"),
    *("NOTIFICATION_TO", "${NOTIFICATION_TO}", "VM_CALLERID", "HISTORY_URL", "PBX_NAME", "../", "/etc/passwd", "%0a"),
    *(
        "\u202e",
        "\u2028",
        "\u200b",
        "\ufeff",
        "\udc80",
        "\udcff",
        "Иван",
        "＜",
        "＞",
        "x" * 90,
        "101",
        "555",
        "\x1b[31m",
    ),
)
text = st.one_of(st.text(), st.lists(st.sampled_from(NASTY), max_size=12).map("".join))
SECRET = "correct-horse-battery"  # noqa: S105


# ---- callers

ADDRESS = "ivan@example.com"
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"),
    *("MIME-Version", "Content-Type"),
}
OWN_HTML = "<p>from <b>NOTIFICATION_NAME_FROM</b>, <i>VM_CALLERID</i>, <a href='tel:NOTIFICATION_CALLERID'>call</a></p>"


HARMLESS = (("Alice", "555"), ("Alice", "5551212"), ("", "555"), ("", "5551212"))
"""Callers with a name and without, with a number that a phone may dial and without: each has its own elements."""


class Tags(HTMLParser):
    """Collects the tags of a page and the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.found.append((tag, tuple(name for name, _ in attributes)))


@pytest.fixture(params=["", f'body = "{OWN_HTML}"\n'], ids=["built-in text", "own HTML"])
def configured(request: pytest.FixtureRequest, write_ini: Callable[[str], Path]) -> Settings:
    """Return settings with texts of both kinds."""
    sections = "".join(f"[{section}]\n{request.param}" for section in ("missed_calls", "voicemail"))
    return load_settings(write_ini(f"{INI.format(port=25, enabled='yes')}{sections}"))


def parsed(event: Event, configured: Settings) -> EmailMessage:
    """Return the mail about an event, as a mail program takes it apart."""
    content = compose(event, "1-1", Recipient(ADDRESS, "en", ("101",)), configured)
    assert re.search(rb"[^\r]\n|\r[^\n]", content) is None
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    """Return the text of a mail."""
    body = message.get_body((kind,))
    assert body
    return str(body.get_content())


@pytest.mark.parametrize("kind", [MissedCall, Voicemail], ids=["missed call", "voicemail"])
@given(name=text, number=text, private=st.booleans())
def test_a_caller_is_never_more_than_text(
    configured: Settings, kind: Callable[..., MissedCall | Voicemail], name: str, number: str, private: bool
) -> None:
    """A mail differs from that about a harmless caller in the caller alone: nobody can take it for another's."""
    caller = caller_of({"CALLERID(name)": name, "CALLERID(num)": number, "CALLERID(num-pres)": "prohib" * private})
    hostile = parsed(kind(time=1.0, extensions=("101",), **caller), configured)
    harmless, *others = [
        parsed(kind(time=1.0, extensions=("101",), caller_name=name, caller_number=number), configured)
        for name, number in HARMLESS
    ]
    assert re.fullmatch(r"(<thread-[0-9a-f]{20}@example\.com>)?", hostile["References"] or "")
    assert set(hostile.keys()) - {"References"} == HEADERS
    for header in HEADERS - {"Subject", "Date", "Content-Type"}:
        assert hostile[header] == harmless[header]
    assert hostile.defects == harmless.defects == []
    pages = [Tags(part(mail, "html")).found for mail in (harmless, *others)]
    assert Tags(part(hostile, "html")).found in pages
    assert len(part(hostile, "plain").splitlines()) == len(part(harmless, "plain").splitlines())
    assert str(hostile["Subject"]).isprintable()


@given(subject=text, body=text, footer=text, name=text)
def test_whatever_the_texts_are(configured: Settings, subject: str, body: str, footer: str, name: str) -> None:
    encodable = [value.encode("utf-8", "replace").decode() for value in (subject, body, footer)]
    texts = dict(zip(("subject", "body", "footer"), encodable))
    own = configured._replace(missed_calls=MissedCalls(**{**configured.missed_calls._asdict(), **texts}))
    message = parsed(MissedCall(time=1.0, **caller_of({"CALLERID(name)": name})), own)
    assert set(message.keys()) - {"References"} == HEADERS
    assert message["To"] == ADDRESS


@given(subject=text, body=text)
def test_whatever_an_alert_says(configured: Settings, subject: str, body: str) -> None:
    subject, body = (value.encode("utf-8", "replace").decode() for value in (subject, body))
    assert set(parsed(Alert(1.0, subject, body), configured).keys()) == HEADERS


# ---- dialogues

ANSWERS = re.compile(r'GET FULL VARIABLE "[^"]*"|SET VARIABLE "PBXNOTIFYSTATUS" "[A-Z]+"|VERBOSE "[^"\n]*" 1')


class Dialogue:
    """A far end in this process, whose every byte passes through a fault."""

    def __init__(self, fault: Callable[[bytes], bytes]) -> None:
        """``fault`` returns what becomes of a piece; b"" from it for a whole answer hangs up."""
        self._fault = fault
        self._answer = FarEnd().answer
        self.commands: list[str] = []

    def hold(self) -> MissedCall | None:
        """Let the channel be read; returns the call."""
        stdin, to_script = os.pipe()
        from_script, stdout = os.pipe()
        talking = threading.Thread(target=self._talk, args=(to_script, from_script))
        talking.start()
        try:
            return missed_call_on(Channel(["101"], stdin, stdout), "101")
        finally:
            os.close(stdout)
            talking.join()
            os.close(stdin)

    def _talk(self, to_script: int, from_script: int) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])  # it is for the script
        with open(from_script, encoding="utf-8", errors="surrogateescape") as commands:
            try:
                os.write(to_script, self._fault(environment_text()))
                for line in commands:
                    self.commands.append(line.rstrip("\n"))
                    answer = self._fault(self._answer(line.rstrip("\n")) or b"")
                    if not answer:
                        break
                    os.write(to_script, answer)
            except BrokenPipeError:
                pass
            os.close(to_script)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many bytes Asterisk sends in a dialogue without a fault; then do not wait long for it any more."""
    bytes_sent = whole_dialogue()
    monkeypatch.setattr(agi, "PATIENCE", 0.02)
    return bytes_sent


def is_sound(found: MissedCall | None, dialogue: Dialogue) -> bool:
    """Return whether the call is only text, for nobody but 101, and no command was made of it."""
    assert all(ANSWERS.fullmatch(command) for command in dialogue.commands), dialogue.commands
    return found is None or (found.extensions == ("101",) and all(str(field).isprintable() for field in found))


def whole_dialogue() -> int:
    """Return how many bytes Asterisk sends in a dialogue without a fault."""
    sent: list[int] = []

    def count(piece: bytes) -> bytes:
        sent.append(len(piece))
        return piece

    found = Dialogue(count).hold()
    assert found
    assert found.caller_number == RANG_OUT["CALLERID(num)"]
    return sum(sent)


def test_a_dialogue_that_ends_at_any_byte(whole: int, report: Callable[[str], None]) -> None:
    for end in range(0, whole, 1 if LONG else 17):
        left = end

        def cut(piece: bytes) -> bytes:
            nonlocal left
            kept = piece[:left]
            left -= len(kept)
            return kept

        dialogue = Dialogue(cut)
        found = dialogue.hold()
        assert found is not None, f"a call that says too little is notified, not lost (byte {end})"
        assert is_sound(found, dialogue)
    report(f"{whole} bytes, cut at each{'' if LONG else ' 17th'}: the call is notified, every time")


@pytest.mark.usefixtures("whole")
@given(
    at=st.integers(0, 1600),
    length=st.integers(0, 40),
    swapped=st.booleans(),
    inserted=st.one_of(st.binary(max_size=30), text.map(lambda value: value.encode("utf-8", "surrogateescape"))),
)
def test_a_dialogue_with_bytes_lost_added_or_swapped(at: int, length: int, swapped: bool, inserted: bytes) -> None:
    passed = 0

    def change(piece: bytes) -> bytes:
        nonlocal passed
        start = at - passed
        passed += len(piece)
        if not 0 <= start < len(piece):
            return piece
        before, after = piece[:start], piece[start + length :]
        return after + inserted + before if swapped else before + inserted + after

    dialogue = Dialogue(change)
    assert is_sound(dialogue.hold(), dialogue)


# ---- files

SAMPLE = (ROOT / "etc" / "pbxnotify.ini").read_text(encoding="utf-8")


def mutations(content: bytes) -> st.SearchStrategy[bytes]:
    """Return a file with some bytes lost and others in their place."""
    place = st.tuples(st.integers(0, len(content)), st.integers(0, 30), st.one_of(st.binary(max_size=20), nasty_bytes))

    def apply(places: list[tuple[int, int, bytes]]) -> bytes:
        mutated = content
        for start, length, inserted in places:
            mutated = mutated[:start] + inserted + mutated[start + length :]
        return mutated

    return st.lists(place, min_size=1, max_size=4).map(apply)


nasty_bytes = text.map(lambda value: value.encode("utf-8", "surrogatepass"))
ini_files = st.one_of(
    nasty_bytes,
    mutations(SAMPLE.replace('password = ""', f'password = "{SECRET}"').replace('login = ""', "login = a").encode()),
)


@given(content=ini_files)
def test_an_ini_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pbxnotify.ini"
    path.write_bytes(content)
    try:
        load_settings(path)
    except SettingsError as error:
        assert error.problems
        assert SECRET not in str(error)


MESSAGE = Voicemail(1.0, 3, ("101",), "555", "Alice", message_id="1-1", recording="wav", folder="/var/spool")
RECORDS = [new_item(CALL).to_json(), new_item(MESSAGE).to_json(), new_item(Alert(1.0, "a", "b", "c")).to_json()]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)


@st.composite
def records(draw: st.DrawFn) -> str:
    """Return an item's file with a field of another kind, or with other bytes."""
    original = draw(st.sampled_from(RECORDS))
    if draw(st.booleans()):
        return draw(mutations(original.encode())).decode("utf-8", "replace")
    record: dict[str, Any] = json.loads(original)
    part = record["event"] if draw(st.booleans()) else record
    part[draw(st.sampled_from(sorted(part)))] = draw(json_values)
    return json.dumps(record)


@given(content=records())
def test_an_items_file(content: str) -> None:
    try:
        item = Item.from_json(content)
    except (ValueError, NewerItem):
        return
    assert Item.from_json(item.to_json()) == item
    where = recording_name("queue", "1-1", item.event)
    assert not where or os.path.dirname(os.path.normpath(where)) == "queue"


@settings(max_examples=EXAMPLES // 10)
@given(content=st.one_of(records().map(str.encode), st.binary()))
def test_a_damaged_item_never_blocks_the_queue(
    use: Callable[..., None], catcher: Catcher, spool: Spool, content: bytes
) -> None:
    use(catcher.port)
    catcher.clear()
    for folder in ("done", "queue", "failed"):
        for name in os.listdir(os.path.join(spool.directory, folder)):
            os.unlink(os.path.join(spool.directory, folder, name))
    Path(spool.directory, "queue", "20200101-000000-00000000.json").write_bytes(content)
    queue_file = added(spool, CALL._replace(caller_number="behind it").only(["103"]))
    queue_file.release()
    run_queue(spool, everything=True)
    assert "c@example.com" in recipients_of(catcher)
    assert QueueFile.read(spool.directory, queue_file.item.id) is None


@given(
    content=st.one_of(
        st.binary(), nasty_bytes, mutations(b"[message]\norigtime=1\nduration=3\nmsg_id=1-1\ncallerchan=a\n")
    )
)
def test_a_message_information_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "msg0000.txt").write_bytes(content)
    message = read_message(str(tmp_path / "msg0000"), only_in_spool=False)
    assert re.fullmatch(r"[A-Za-z0-9.-]{0,64}", message.message_id)
    assert (message.duration or 0) >= 0 and (message.began or 0) >= 0


# ---- paths


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return Asterisk's spool, beside which lies what is no business of ours."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path / "asterisk"))
    (tmp_path / "asterisk" / "voicemail" / "default" / "101" / "INBOX").mkdir(parents=True)
    (tmp_path / "secret.wav").write_bytes(b"RIFF" + bytes(100))
    yield tmp_path / "asterisk"


steps = st.lists(st.sampled_from(("..", ".", "voicemail", "default", "101", "INBOX", "msg0000", "secret", "", *NASTY)))


@given(path=steps.map("/".join), call=text, message_id=text)
def test_no_path_leads_out(asterisk: Path, spool: Spool, path: str, call: str, message_id: str) -> None:
    found = voicemail_on(
        {"VM_MESSAGEFILE": f"{asterisk}/voicemail/{path}", "CHANNEL(linkedid)": call, "UNIQUEID": call}
    )
    assert found is None or found[1] == -1
    event = Voicemail(message_id=message_id, place=call, recording=path)
    for key in (*event.keys().values(), *event.aliases()):
        assert os.path.dirname(_key(key)) == "done"
    assert set(FORMATS).isdisjoint((".", "..", ""))
