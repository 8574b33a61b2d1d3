"""A relay that misbehaves at every stage: what becomes of a call, and who gets how many mails."""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import relay as far_end
from calls import ALL, CALL, INI, added, queue, recipients_of, tell, waiting
from extent import LONG, PATIENCE
from golden import Golden
from relay import Catcher, Certificates, Fault, ScriptedRelay, close, drip, endless, garbage, huge, reset, silence

from pbxnotify.delivery.runner import deliver, run_queue
from pbxnotify.events import Voicemail
from pbxnotify.languages.language import load_language
from pbxnotify.smtp.client import Relay
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.store import Spool

pytestmark = pytest.mark.timeout(PATIENCE)

SECRET = "correct horse battery"  # noqa: S105
SHORT, LONG_ENOUGH = 1, 60
"""Seconds without progress; of a relay that keeps the client waiting, and of one that answers on a busy machine."""
REPLIES = {"4xx": "451 4.3.0 later", "5xx": "554 5.5.1 no", "421": "421 4.3.2 closing"}
BREAKS: dict[str, Fault] = {
    "closed": close,
    "reset": reset,
    "silence": silence,
    "drip": drip(0.3 if LONG else 0.05),
    "endless reply": endless,
    "10 MB line": huge,
    "garbage": garbage,
}
Use = Callable[..., None]
WriteIni = Callable[[str], Path]
FAULTS: dict[str, Fault] = {**REPLIES, **BREAKS}
KEEP_WAITING = ("silence", "drip", "endless reply")
BEFORE_RECIPIENTS = ("greeting", "EHLO", "STARTTLS", "handshake", "AUTH", "MAIL")
FOR_EACH = ("RCPT", "DATA", "message")
CASES = [
    (stage, fault)
    for stage in (*BEFORE_RECIPIENTS, *FOR_EACH, "QUIT")
    for fault in FAULTS
    if (stage, fault in REPLIES) != ("handshake", True)
]


@pytest.fixture
def use_tls(write_ini: Callable[[str], Path], certificates: Certificates) -> Callable[..., None]:
    """Make a relay with STARTTLS and a login the one in the ini file."""

    def use_tls(
        port: int, authority: str = certificates.ca_file, scheme: str = "tls://", timeout: int = LONG_ENOUGH
    ) -> None:
        smtp = f'host = {scheme}localhost\nlogin = pbx\npassword = "{SECRET}"\nca_file = {authority}\n'
        text = INI.format(port=port, enabled="yes").replace("host = 127.0.0.1\n", smtp)
        write_ini(text.replace("timeout = 60", f"timeout = {timeout}"))

    return use_tls


def recipients_in(relay: ScriptedRelay) -> list[str]:
    """Return whose mails came as far as the final dot."""
    found = (re.search(rb"^To: <(.*)>\r$", content, re.MULTILINE) for content in relay.messages)
    return [match[1].decode() for match in found if match]


def finish(spool: Spool, use: Callable[..., None], certificates: Certificates) -> list[str]:
    """Send what waits to a relay that works; returns who got a mail about the call there."""
    with Catcher(tls=certificates.server, login=("pbx", SECRET)) as catcher:
        use(catcher.port)
        run_queue(spool, everything=True)
        return [recipient for recipient in recipients_of(catcher) if recipient in ALL]


def reason_of(spool: Spool) -> str:
    """Return why the call waits or has failed."""
    for folder in ("queue", "failed"):
        for identifier in spool.identifiers(folder):
            item = QueueFile.read(spool.directory, identifier, folder)
            if item and item.event.kind == "missed":
                return item.reason
    return ""


def without_details(reason: str) -> str:
    """Return a reason without what libraries say and without the next attempt."""
    return re.split(r"; | \(|: ", reason)[0]


@pytest.mark.parametrize(("stage", "name"), CASES, ids=[f"{stage}, {fault}" for stage, fault in CASES])
def test_a_fault(
    stage: str,
    name: str,
    use_tls: Use,
    spool: Spool,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relay that keeps its client waiting never ends the conversation: the delivery does."""
    faults: dict[str, Any] = {stage: [FAULTS[name], ScriptedRelay.REPLIES.get(stage, "250 ok")]}
    timeout = SHORT if name in KEEP_WAITING and stage != "QUIT" else LONG_ENOUGH
    with ScriptedRelay(tls=certificates.server, extensions=["AUTH PLAIN"], **faults) as relay:
        use_tls(relay.port, timeout=timeout)
        with monkeypatch.context() as impatience:
            impatience.setattr(Relay, "ANSWER_TIMEOUT", float(timeout))  # ten minutes in real life
            (_, state) = tell()
        first = recipients_in(relay)
        assert not [line for line in relay.in_clear if line.startswith((b"AUTH", b"MAIL"))]
    refused = name == "5xx" and stage in FOR_EACH
    assert state == ("SENT" if stage == "QUIT" else "FAILED" if refused else "QUEUED")
    reason = reason_of(spool)
    assert (f"localhost:{relay.port} " in reason) == (stage != "QUIT")
    assert stage == "QUIT" or name in BREAKS or str(FAULTS[name]) in reason
    copies = Counter(first + finish(spool, use_tls, certificates))
    came_whole_and_was_not_accepted = stage == "message" and ALL[0] in first
    assert timeout == SHORT or came_whole_and_was_not_accepted == (stage == "message")
    expected = 1 + came_whole_and_was_not_accepted - refused
    assert [copies[recipient] for recipient in ALL] == [expected, 1, 1]
    assert spool.identifiers() == []


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]], ids=["one by one", "pipelined"])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("stage", ["MAIL", *FOR_EACH])
def test_a_fault_after_three_mails_over_the_same_connection(
    stage: str,
    name: str,
    extensions: list[str],
    use: Use,
    use_tls: Use,
    spool: Spool,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two calls wait for the same three people; each gets each mail once, or once more where it may have been lost."""
    usual = ScriptedRelay.REPLIES[stage]
    faults: dict[str, Any] = {stage: [usual, usual, usual, FAULTS[name], usual]}
    timeout = SHORT if name in KEEP_WAITING else LONG_ENOUGH
    with ScriptedRelay(extensions=extensions, **faults) as relay:
        use(relay.port, timeout=timeout)
        for number in range(2):
            queue(spool, CALL._replace(linked_id=f"{number}.1"))
        with monkeypatch.context() as impatience:
            impatience.setattr(Relay, "ANSWER_TIMEOUT", float(timeout))
            run_queue(spool)
        first = recipients_in(relay)
        assert relay.connections <= 2
    refused = name == "5xx" and stage in FOR_EACH
    came_whole_and_was_not_accepted = stage == "message"
    copies = Counter(first + finish(spool, use_tls, certificates))
    expected = 2 + came_whole_and_was_not_accepted - refused
    assert [copies[recipient] for recipient in ALL] == [expected, 2, 2]
    assert spool.identifiers() == []


@pytest.fixture(params=["nothing listens", "nobody answers"])
def unreachable(request: pytest.FixtureRequest) -> Iterator[int]:
    """Return a port where no connection comes about."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting_in_vain:
        port = server.getsockname()[1]
        if request.param == "nothing listens":
            server.close()
        else:
            for _ in range(3):  # more than the backlog takes: the next one gets no answer
                caller = waiting_in_vain.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(("127.0.0.1", port))
        yield port


def test_no_connection(use_tls: Use, spool: Spool, certificates: Certificates, unreachable: int) -> None:
    use_tls(unreachable)
    assert tell() == ["QUEUED", "QUEUED"]
    assert re.search(f"localhost:{unreachable} (cannot be reached|gave no answer)", reason_of(spool))
    assert finish(spool, use_tls, certificates) == ALL


@pytest.mark.parametrize("answer", ["451 4.2.0 later", "550 5.1.1 no such user"], ids=["4xx", "5xx"])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["first", "second", "third"])
def test_those_who_have_it_get_no_second_one(use: Use, catcher: Catcher, spool: Spool, which: int, answer: str) -> None:
    use(catcher.port)
    catcher.answers[ALL[which]] = answer
    tell()
    for _ in range(3):
        run_queue(spool, everything=True)
    others = [recipient for recipient in ALL if recipient != ALL[which]]
    assert [recipient for recipient in recipients_of(catcher) if recipient in ALL] == others


@pytest.mark.parametrize("scheme", ["tls://", "ssl://"])
@pytest.mark.parametrize("server", ["server", "expired", "self_signed", "elsewhere"])
def test_a_certificate_that_proves_nothing(
    use_tls: Use, spool: Spool, certificates: Certificates, scheme: str, server: str, golden: Golden
) -> None:
    authority = certificates.unknown_ca_file if server == "server" else certificates.ca_file
    context, implicit = getattr(certificates, server), scheme == "ssl://"
    with ScriptedRelay(tls=context, implicit=implicit, extensions=["AUTH PLAIN"]) as relay:
        use_tls(relay.port, authority, scheme)
        assert tell() == ["QUEUED", "QUEUED"]
        assert {line.split()[0] for line in relay.lines} <= {b"EHLO", b"STARTTLS"}
    golden(without_details(reason_of(spool)).partition(" that ")[0])
    assert finish(spool, use_tls, certificates) == ALL


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"EHLO": "250-scripted.test\r\n250 AUTH PLAIN"}, id="stripped"),
        pytest.param({"STARTTLS": "502 5.5.1 no"}, id="refused"),
        pytest.param({"STARTTLS": "220 go\r\n235 2.7.0 welcome"}, id="plain text injected"),
        pytest.param({"handshake": "220 no TLS here"}, id="no TLS after all"),
    ],
)
def test_no_login_without_tls(
    use_tls: Use, spool: Spool, certificates: Certificates, faults: dict[str, Any], golden: Golden
) -> None:
    with ScriptedRelay(tls=certificates.server, **faults) as relay:
        use_tls(relay.port)
        assert tell() == ["QUEUED", "QUEUED"]
        assert {line.split()[0] for line in relay.lines} <= {b"EHLO", b"STARTTLS"}
    golden(without_details(reason_of(spool)))
    assert finish(spool, use_tls, certificates) == ALL


@pytest.mark.parametrize("offered", [[], ["AUTH GSSAPI NTLM"]], ids=["no AUTH", "nothing usable"])
def test_no_login_that_can_be_used(
    use_tls: Use, spool: Spool, certificates: Certificates, offered: list[str], golden: Golden
) -> None:
    with ScriptedRelay(tls=certificates.server, extensions=offered) as relay:
        use_tls(relay.port)
        assert tell() == ["QUEUED", "QUEUED"]
    golden(without_details(reason_of(spool)))
    assert len(waiting(spool, "alert")) == 1
    assert finish(spool, use_tls, certificates) == ALL


def test_a_relay_that_thinks_after_the_final_dot(
    write_ini: WriteIni, spool: Spool, report: Callable[[str], None]
) -> None:
    """Far longer than the whole time for everything else: its answer is waited for, and nobody gets a second copy."""
    seconds = 120 if LONG else 8
    with ScriptedRelay(message=[far_end.after(seconds, "250 2.0.0 Ok"), "250 2.0.0 Ok"]) as relay:
        write_ini(INI.format(port=relay.port, enabled="yes").replace("timeout = 30", "timeout = 5"))
        assert tell() == ["QUEUED", "SENT"]
        assert recipients_in(relay) == ALL
    report(f"an answer after {seconds} s was waited for; 3 recipients, 3 mails")


def deliver_recording(write_ini: Callable[[str], Path], spool: Spool, directory: Path, port: int) -> str:
    """Deliver a voicemail of 3 MB, which makes a mail of 4 MB; returns its state."""
    write_ini(f"{INI.format(port=port, enabled='yes')}[voicemail]\naudio = as-is\n".replace("= 30", "= 5"))
    (directory / "msg0000.wav").write_bytes(os.urandom(3 * 1024 * 1024))
    descriptor = os.open(directory / "msg0000.wav", os.O_RDONLY)
    queue_file = added(spool, Voicemail(time.time(), 190, ("101",), "5551212", recording="wav"), descriptor)
    os.close(descriptor)
    return deliver(queue_file, spool)


def test_four_megabytes_over_a_slow_line(
    write_ini: WriteIni, spool: Spool, tmp_path: Path, report: Callable[[str], None]
) -> None:
    """It takes longer than the timeout, and each piece is progress."""
    began = time.monotonic()
    with ScriptedRelay(content=far_end.slowly(0.4 if LONG else 0.08, 32768)) as relay:
        assert deliver_recording(write_ini, spool, tmp_path, relay.port) == "sent"
        (mail,) = relay.messages
    assert spool.identifiers() == []
    report(f"{len(mail) / 1024 / 1024:.1f} MB in {time.monotonic() - began:.0f} s with a timeout of 5 s: sent")


def test_a_relay_that_says_why_before_it_hangs_up(write_ini: WriteIni, spool: Spool, tmp_path: Path) -> None:
    """It takes no more of a large mail, but what it said first is an answer: too large, not a line that broke."""

    def refuse(talk: far_end.Talk) -> None:
        talk.say("552 5.3.4 too much")
        close(talk)

    with ScriptedRelay(content=[refuse, lambda talk: None]) as relay:
        assert deliver_recording(write_ini, spool, tmp_path, relay.port) == "sent"
        (mail,) = relay.messages
    assert load_language("en").too_large.partition("{")[0].encode() in mail
