"""Asterisk's command line; here a script that answers ``-rx`` word for word as Asterisk 22 and 16 do."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden

from pbxnotify.asterisk import console
from pbxnotify.asterisk.console import Trunk, console_answer, started_between, trunks
from pbxnotify.errors import AsteriskMissing, AsteriskUnavailable

Says = Callable[..., None]

REGISTRATIONS = """
 <Registration/ServerURI..............................>  <Auth....................>  <Status.......>
==========================================================================================

 bad/sip:sip.nowhere.invalid                             n/a                         Unregistered      (exp. 6s)
 provider/sips:127.0.0.1:5998                            provider-auth               Registered        (exp. 52s)
 other/sip:provider.example.com:5061                     other                       Rejected          (exp. 1s)

Objects found: 3

"""
AORS = """
      Aor:  <Aor..............................................>  <MaxContact>
    Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

      Aor:  101                                                  0
    Contact:  101/sip:101@127.0.0.3:10101                  b60001669e NonQual        -nan

      Aor:  102                                                  2
    Contact:  102/sip:102@192.0.2.7:5060                   020eba1957 Unavail        -nan

      Aor:  103                                                  1

      Aor:  fixed                                                0
    Contact:  fixed/sip:127.0.0.1:5997                     c55f7865e8 Unavail        -nan

      Aor:  well                                                 0
    Contact:  well/sip:127.0.0.1:5996                      c55f7865e9 Avail         1.204

      Aor:  a-name-that-is-longer-than-its-column-would-  0
    Contact:  a-name-that-is-longer-than-its-column-would-allow/sip:127.0.0.1:5995  c55f7865e0 Avail  1.204


Objects found: 5

"""
NO_SUCH_COMMAND = (
    "No such command 'pjsip show registrations' (type 'core show help pjsip show registrations' for other possible"
    " commands)\n"
)


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Return a function that decides what Asterisk answers."""

    def says(uptime: str = "", registrations: str = "", aors: str = "", status: int = 0) -> None:
        command = tmp_path / "asterisk"
        command.write_text(
            f'#!/bin/sh\ncase "$2" in "core show uptime seconds") printf %s {shlex.quote(uptime)};;\n'
            f'"pjsip show registrations") printf %s {shlex.quote(registrations)};;\n'
            f'"pjsip show aors") printf %s {shlex.quote(aors)};; esac\nexit {status}\n'
        )
        command.chmod(0o755)

    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(tmp_path / "asterisk"))
    return says


def test_since_when_it_runs(says: Says) -> None:
    says("System uptime: 3600\nLast reload: 20\n")
    earliest, latest = started_between()
    assert earliest - 2 < time.time() - 3600 < latest + 2


@pytest.mark.parametrize(
    "uptime", ["", "System uptime: long\n", "No such command\n"], ids=["nothing", "no number", "no command"]
)
def test_no_uptime(says: Says, golden: Golden, uptime: str) -> None:
    says(uptime)
    with pytest.raises(AsteriskUnavailable) as caught:
        started_between()
    golden(caught.value)


def test_it_does_not_run(says: Says, golden: Golden) -> None:
    says("Unable to connect to remote asterisk (does /run/asterisk/asterisk.ctl exist?)\n", status=1)
    with pytest.raises(AsteriskUnavailable) as caught:
        started_between()
    assert not isinstance(caught.value, AsteriskMissing)
    golden(caught.value)


def test_it_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", "/nowhere/asterisk")
    with pytest.raises(AsteriskMissing):
        started_between()


def test_trunks(says: Says) -> None:
    says(registrations=REGISTRATIONS, aors=AORS)
    assert list(trunks()) == [
        Trunk("registration", "bad", "sip:sip.nowhere.invalid", False, "Unregistered"),
        Trunk("registration", "provider", "sips:127.0.0.1:5998", True, "Registered"),
        Trunk("registration", "other", "sip:provider.example.com:5061", False, "Rejected"),
        Trunk("contact", "101", "sip:101@127.0.0.3:10101", None, "NonQual"),
        Trunk("contact", "fixed", "sip:127.0.0.1:5997", False, "Unavail"),
        Trunk("contact", "well", "sip:127.0.0.1:5996", True, "Avail"),
        Trunk("contact", "a-name-that-is-longer-than-its-column-would-allow", "sip:127.0.0.1:5995", True, "Avail"),
    ]


@pytest.mark.parametrize(
    "answer",
    ["", NO_SUCH_COMMAND, "\0\xff" * 100, "Contact: a/b c Unavail\n"],
    ids=["nothing", "no such command", "binary", "a contact without a name"],
)
def test_no_trunks(says: Says, answer: str) -> None:
    says(registrations=answer.replace("\0", ""), aors=answer.replace("\0", ""))
    assert list(trunks()) == []


@pytest.mark.parametrize(
    ("script", "timeout"),
    [
        pytest.param(None, 60, id="no command"),
        pytest.param("echo 'Unable to connect' >&2; exit 1", 60, id="not running"),
        pytest.param("exec sleep 60", 0.1, id="hangs"),
    ],
)
def test_an_asterisk_that_cannot_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, golden: Golden, script: str | None, timeout: float
) -> None:
    command = tmp_path / "asterisk"
    if script:
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))
    monkeypatch.setattr(console, "COMMAND_TIMEOUT", timeout)
    with pytest.raises(AsteriskUnavailable) as caught:
        console_answer("core show version")
    golden(caught.value)


def test_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "asterisk"
    command.write_text('#!/bin/sh\necho "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", f"'{command}' -C /etc/other.conf")
    assert console_answer("core show version") == "-C /etc/other.conf -rx core show version\n"


@pytest.mark.parametrize("command", ["'", " "], ids=["quote", "blank"])
def test_an_invalid_command(monkeypatch: pytest.MonkeyPatch, golden: Golden, command: str) -> None:
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", command)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(console, "SBIN", "/nowhere")
    with pytest.raises(AsteriskUnavailable) as caught:
        console_answer("core show version")
    golden(caught.value)
