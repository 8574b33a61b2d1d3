"""A voicemail from its channel and the mailbox on disk, as app_voicemail leaves it, damaged, or changing meanwhile."""

from __future__ import annotations

import os
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden import Golden
from hypothesis import given
from hypothesis import strategies as st
from mailboxes import CHANNEL, message, renumber, six_messages, sound
from voicemails import CALLER, left

from pbxnotify.asterisk import voicemail
from pbxnotify.asterisk.recordings import Recording, open_recording
from pbxnotify.asterisk.voicemail import open_recording_file, voicemail_from_file, voicemail_on
from pbxnotify.events import Voicemail

MESSAGE_ID = "1795478867-00000001"


@pytest.fixture
def asterisk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return Asterisk's spool directory."""
    monkeypatch.setenv("AST_SPOOL_DIR", str(tmp_path / "asterisk"))
    (tmp_path / "asterisk" / "voicemail").mkdir(parents=True)
    return tmp_path / "asterisk"


def test_a_message(asterisk: Path) -> None:
    path = message(asterisk)
    event, content = left(path, "101&102")
    assert event == Voicemail(
        time=1795478867.0,
        duration=3,
        extensions=("101", "102"),
        caller_number="5551212",
        caller_name="Alice Smith",
        linked_id="1795478850.0",
        unique_id="1795478850.0",
        mailbox="101",
        context="default",
        number=1,
        folder=os.path.dirname(path),
        message_id=MESSAGE_ID,
        place="1795478850.0-default/101/INBOX/msg0000-",
        recording="wav",
    )
    assert content == Path(f"{path}.wav").read_bytes()


def test_no_message_was_left() -> None:
    assert voicemail_on({**CALLER, "VM_MESSAGEFILE": ""}) is None


@pytest.mark.parametrize(
    ("argument", "variables", "extensions"),
    [
        pytest.param("101&102", {"PBXNOTIFY_TO": "103"}, ("101", "102"), id="argument"),
        pytest.param("", {"PBXNOTIFY_TO": "103&104"}, ("103", "104"), id="PBXNOTIFY_TO"),
        pytest.param("", {}, (), id="nobody, so it is for the mailbox's owner"),
        pytest.param(
            "", {"PBXNOTIFY_WATCHED": "|101|102&103", "FORWARDERNAME": "pbxnotify"}, ("101", "102", "103"), id="watched"
        ),
        pytest.param("", {"PBXNOTIFY_WATCHED": "|101", "FORWARDERNAME": ""}, (), id="watched before a conversation"),
    ],
)
def test_who_missed_the_call(
    asterisk: Path, argument: str, variables: dict[str, str], extensions: tuple[str, ...]
) -> None:
    assert left(message(asterisk, mailbox="200"), argument, **variables)[0].extensions == extensions


@pytest.mark.parametrize(
    ("formats", "best"),
    [
        pytest.param(("WAV", "gsm", "wav"), "wav", id="as Asterisk's default is"),
        pytest.param(("gsm", "WAV"), "WAV", id="wav49 before gsm"),
        pytest.param(("gsm", "ulaw"), "ulaw", id="ulaw before gsm"),
        pytest.param(("gsm",), "gsm", id="gsm alone"),
    ],
)
def test_the_best_recording(asterisk: Path, formats: tuple[str, ...], best: str) -> None:
    path = message(asterisk)
    Path(f"{path}.wav").unlink()
    for format_ in formats:
        Path(f"{path}.{format_}").write_bytes(bytes(100))
    assert left(path)[0].recording == best


# ---- a damaged message


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(os.urandom(5000), id="binary"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[message]\norigmailbox=101\norigtime=17954", id="truncated"),
        pytest.param("[message]\norigtime=1795478867\nduration=3\n".encode("utf-16"), id="UTF-16"),
        pytest.param(b"[message]\norigtime=yesterday\nduration=long\nmsg_id=../../x\n", id="nonsense"),
        pytest.param(b"[message]\n" + b"x" * 10_000_000, id="10 MB"),
        pytest.param(None, id="missing"),
    ],
)
def test_an_odd_information_file(asterisk: Path, content: bytes | None, golden: Golden) -> None:
    path = message(asterisk)
    Path(f"{path}.txt").unlink()
    if content is not None:
        Path(f"{path}.txt").write_bytes(content)
    event, recording = left(path, "101")
    assert recording == Path(f"{path}.wav").read_bytes()
    assert (event.duration, event.message_id) == (3, "")  # the length is measured
    assert set(event.keys().values()) == {f"voicemail-{event.place}-101", f"voicemail-{event.place}-"}
    golden(event.trouble)


def test_the_information_of_a_caller_who_plants_lines(asterisk: Path) -> None:
    path = message(asterisk)
    file = Path(f"{path}.txt")
    planted = '"x\nmsg_id=evil\norigtime=1000000000\nduration=99\ncallerchan=PJSIP/other" <666>'
    file.write_text(file.read_text().replace('"Alice Smith" <5551212>', planted))
    event, _ = left(path)
    assert (event.message_id, event.time, event.duration) == (MESSAGE_ID, 1795478867.0, 3)


def test_a_message_that_is_gone(asterisk: Path, golden: Golden) -> None:
    gone = str(asterisk / "voicemail" / "default" / "101" / "INBOX" / "msg0000")
    event, content = left(gone, "102")
    assert (event.extensions, event.mailbox, event.duration, content) == (("102",), "101", None, None)
    golden(event.trouble)


def test_a_mailbox_on_an_imap_server(golden: Golden) -> None:
    event, content = left("IMAP_STORAGE", "101")
    assert (event.extensions, content) == (("101",), None)
    golden(event.trouble)


def test_another_callers_message_has_taken_the_place(asterisk: Path, golden: Golden) -> None:
    path = message(asterisk, channel="PJSIP/trunk-00000099", message_id="1795478868-00000002")
    event, content = left(path, "101")
    assert (event.message_id, content) == ("", None)
    golden(event.trouble)


@pytest.mark.parametrize("folder", ["INBOX", "Urgent", "Old"])
def test_a_message_that_was_renumbered_or_moved_is_found(asterisk: Path, folder: str) -> None:
    named = message(asterisk, number=3, message_id="1795478867-00000007", hertz=800)
    own = Path(f"{named}.wav").read_bytes()
    target = asterisk / "voicemail" / "default" / "101" / folder
    target.mkdir(exist_ok=True)
    for extension in ("txt", "wav"):
        Path(f"{named}.{extension}").rename(target / f"msg0001.{extension}")
    message(asterisk, number=3, channel="PJSIP/trunk-00000099", message_id="1795478868-00000008")
    event, content = left(named)
    assert (event.message_id, event.number, content) == ("1795478867-00000007", 2, own)


def test_a_channel_that_cannot_be_asked_any_more(asterisk: Path) -> None:
    message(asterisk, mailbox="102", channel="PJSIP/trunk-00000099", message_id="1795478868-00000008")
    message(asterisk, mailbox="103")
    found = voicemail_on({"CHANNEL(name)": CHANNEL, "UNIQUEID": "1795478850.0"}, "101")
    assert found is not None
    event, descriptor = found
    os.close(descriptor)
    assert (event.mailbox, event.message_id, event.extensions) == ("103", MESSAGE_ID, ("101",))


def test_a_channel_that_never_answered() -> None:
    assert voicemail_on({}, "101") is None


# ---- files that are not to be read


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.wav"
    path.write_bytes(b"secret" * 100)
    return path


def test_no_path_leads_out(asterisk: Path, secret: Path, golden: Golden) -> None:
    (asterisk / "voicemail" / "default" / "101" / "INBOX").mkdir(parents=True)
    event, content = left(f"{asterisk}/voicemail/default/101/INBOX/../../../../../secret")
    assert (event.recording, content) == ("", None)
    golden(event.trouble)


def test_no_link_leads_out(asterisk: Path, secret: Path) -> None:
    path = message(asterisk)
    Path(f"{path}.wav").unlink()
    Path(f"{path}.wav").symlink_to(secret)
    assert left(path)[1] is None


def test_no_directory_leads_out(asterisk: Path, tmp_path: Path) -> None:
    message(tmp_path / "elsewhere")
    (asterisk / "voicemail" / "default").symlink_to(tmp_path / "elsewhere" / "voicemail" / "default")
    event, content = left(f"{asterisk}/voicemail/default/101/INBOX/msg0000")
    assert (event.message_id, content) == ("", None)


def test_a_mailbox_may_be_a_link_to_another(asterisk: Path) -> None:
    message(asterisk)
    (asterisk / "voicemail" / "device").symlink_to(asterisk / "voicemail" / "default")
    assert left(f"{asterisk}/voicemail/device/101/INBOX/msg0000")[1] is not None


def _device(path: str) -> None:
    if os.geteuid():
        pytest.skip("only root can make a device")
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which never ends


NO_FILES: dict[str, Callable[[str], None]] = {"FIFO": os.mkfifo, "directory": os.mkdir, "device": _device}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_not_opened(asterisk: Path, make: Callable[[str], None], golden: Golden) -> None:
    path = message(asterisk)
    Path(f"{path}.wav").unlink()
    make(f"{path}.wav")
    Path(f"{path}.gsm").write_bytes(bytes(100))
    event, content = left(path)
    assert (event.recording, content) == ("gsm", bytes(100))
    golden(event.trouble)


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_information_file_is_not_opened(asterisk: Path, make: Callable[[str], None], golden: Golden) -> None:
    path = message(asterisk)
    Path(f"{path}.txt").unlink()
    make(f"{path}.txt")
    event, content = left(path)
    assert (event.duration, content) == (3, Path(f"{path}.wav").read_bytes())
    golden(event.trouble)


@given(st.text())
def test_whatever_the_variable_says(named: str) -> None:
    found = voicemail_on({**CALLER, "VM_MESSAGEFILE": named})
    assert found is None or found.recording == -1


# ---- a mailbox that changes meanwhile


@pytest.fixture
def six(asterisk: Path) -> str:
    """Return the path of the channel's own message, the third of six."""
    return six_messages(asterisk)


def test_renumbered_between_the_information_and_the_sound(six: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(f"{six}.wav").read_bytes()
    folder = Path(six).parent
    really = open_recording

    def just_too_late(path: str) -> Recording:
        if (folder / "msg0005.txt").exists():
            renumber(folder)
        return really(path)

    monkeypatch.setattr(voicemail, "open_recording", just_too_late)
    event, content = left(six)
    assert (event.message_id, event.number, content) == ("1795478867-00000002", 2, own)


def test_half_moved_for_a_moment(six: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(f"{six}.wav").read_bytes()
    Path(f"{six}.wav").rename(f"{six}.moving")
    monkeypatch.setattr(time, "sleep", lambda seconds: Path(f"{six}.moving").rename(f"{six}.wav"))
    event, content = left(six)
    assert (event.message_id, content) == ("1795478867-00000002", own)


def test_a_mailbox_that_is_renumbered_all_the_time(six: str, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    really = open_recording

    def restless(path: str) -> Recording:
        found = really(path)
        file = Path(f"{path}.txt")
        file.write_text(file.read_text().replace("duration=1", "duration=11"))
        return found

    monkeypatch.setattr(voicemail, "open_recording", restless)
    event, content = left(six)
    assert (event.owners, content) == (("101@default",), None)
    golden(event.trouble)


def test_a_caller_who_names_anothers_channel_is_not_found_in_its_place(asterisk: Path) -> None:
    path = Path(message(asterisk, number=3, channel="PJSIP/evil", message_id="1795478868-00000009"))
    file = path.with_suffix(".txt")
    file.write_text(file.read_text().replace('"Alice Smith"', f'"x\ncallerchan={CHANNEL}\n"'))
    event, content = left(f"{path.parent}/msg0000")
    assert (event.message_id, content) == ("", None)


def test_without_proc(asterisk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = message(asterisk)

    def readlink(path: str) -> str:
        raise FileNotFoundError(2, "No such file or directory", path)

    monkeypatch.setattr(os, "readlink", readlink)
    event, content = left(path, "101")
    assert (event.extensions, content) == (("101",), None)


def test_an_information_file_that_is_too_long_says_nothing(asterisk: Path) -> None:
    path = message(asterisk)
    file = Path(f"{path}.txt")
    file.write_text(file.read_text().replace("category=\n", f"msg_id=evil\ncategory={'x' * 70000}\n"))
    assert left(path)[0].message_id == ""


# ---- a recording that the administrator names


def from_file(path: Path, **options: Any) -> Voicemail:
    """Return the event of a recording."""
    given = Voicemail(extensions=("101",), caller_number="5551212", caller_name="Alice")
    event, descriptor = voicemail_from_file(str(path), open_recording_file(str(path)), given._replace(**options))
    os.close(descriptor)
    return event


def test_from_a_file_the_information_beside_it_is_used(asterisk: Path) -> None:
    event = from_file(Path(f"{message(asterisk, mailbox='200', number=12, duration=7)}.wav"))
    assert (event.time, event.duration, event.mailbox, event.number) == (1795478867.0, 7, "200", 13)
    assert event.message_id == "", "it stays in its mailbox"


def test_from_a_file_a_recording_from_anywhere(tmp_path: Path) -> None:
    event = from_file(sound(tmp_path / "a" / "b" / "c" / "x.wav", 7))
    assert (event.duration, event.mailbox, event.context, event.number) == (7, "101", "", None)


def test_from_a_file_a_recording_of_another_rate(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(b"\1\0\1\0" * 44100 * 5)
    assert from_file(path).duration == 5


@pytest.mark.parametrize(
    ("name", "format_"),
    [("x.wav49", "WAV"), ("x.Wav", "wav"), ("x.WAV", "WAV"), ("x.GSM", "gsm"), ("x.Mp3", "mp3")],
)
def test_from_a_file_extensions_as_people_write_them(tmp_path: Path, name: str, format_: str) -> None:
    made = sound(tmp_path / "made.wav", 2)
    assert from_file(made.rename(tmp_path / name)).recording == format_


def test_from_a_file_an_empty_recording(tmp_path: Path, golden: Golden) -> None:
    event = from_file(sound(tmp_path / "x.wav", 0))
    assert (event.recording, event.duration) == ("", 0)
    golden(event.trouble)
