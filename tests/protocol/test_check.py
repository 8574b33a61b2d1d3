"""``pbxnotify check``: what it prints, and its exit statuses."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import Golden
from relay import Catcher, Certificates

from pbxnotify.settings.options import options
from pbxnotify.settings.sections import SECTIONS


def test_check_says_what_follows_from_the_ini_file(run, relay: Catcher, golden: Golden) -> None:
    status, said, _ = run("check")
    assert status == os.EX_OK
    assert f"127.0.0.1:{relay.port}" in said
    golden("\n".join(line for line in said.splitlines() if not line.startswith("NOTE ")))


def test_check_names_every_mistake(run, write_ini, golden: Golden) -> None:
    write_ini("[smtp]\nhots = x\nport = 99999\npassword = abc#def\n")
    status, _, said = run("check")
    assert status == os.EX_CONFIG
    assert "abc" not in said
    golden(said)


def test_check_says_that_all_is_switched_off(run, write_ini) -> None:
    write_ini("[notifications]\nenabled = no\n")
    assert any("[notifications] enabled" in note for note in notes(run("check")[1]))


def notes(said: str) -> list[str]:
    return [line.partition(" ")[2].strip() for line in said.splitlines() if line.startswith("NOTE ")]


def test_check_notes_what_is_probably_not_meant(run, write_ini) -> None:
    write_ini("")
    assert "[missed_calls] email" in notes(run("check")[1])[0]


def test_every_mistake_begins_with_our_name(run, write_ini) -> None:
    write_ini("[smtp]\nport = a\ntimeout = b\n")
    assert [line.partition(":")[0] for line in run("check")[2].splitlines()] == ["pbxnotify"] * 2


def test_check_says_where_voicemail_goes(run, write_ini) -> None:
    write_ini("[voicemail]\nemail = voicemail@example.com\n")
    (line,) = (line for line in run("check")[1].splitlines() if line.startswith("voicemail "))
    assert line.split()[1:] == ["on;", "common", "address:", "voicemail@example.com"]


def test_a_spool_that_cannot_be_used_is_noted_beside_everything_else(
    run, relay: Catcher, box: Path, golden: Golden
) -> None:
    (box / "spool").touch()
    status, said, _ = run("check")
    assert status == os.EX_IOERR
    golden(said, pid=os.getpid())


def test_what_asterisk_says_cannot_paint_the_terminal(run, relay: Catcher, box: Path, monkeypatch) -> None:
    command = box / "asterisk"
    command.write_text("#!/bin/sh\nprintf '\\033]0;title\\007\\033[31mred'; exit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))
    _, said, _ = run("check")
    assert any("asterisk -rx" in note and "title" in note for note in notes(said))
    assert said.isprintable() or set(filter(lambda sign: not sign.isprintable(), said)) == {"\n"}


# Each option with a wrong value; the whole sentence that an administrator reads is golden

TWO_LINES = "'''a\nb'''"
WRONG = {
    ("smtp", "host"): "http://mx",
    ("smtp", "port"): "70000",
    ("smtp", "login"): TWO_LINES,
    ("smtp", "password"): "abc#def",
    ("smtp", "password_command"): "'cat \"'",
    ("smtp", "auth"): "oauth",
    ("oauth2", "provider"): "gogle",
    ("oauth2", "client_id"): TWO_LINES,
    ("oauth2", "client_secret"): "abc#def",
    ("oauth2", "tenant"): "a/b",
    ("oauth2", "scope"): TWO_LINES,
    ("oauth2", "authorization_url"): "http://a.example/",
    ("oauth2", "token_url"): "a.example",
    ("oauth2", "device_url"): "ftp://a/",
    ("oauth2", "revocation_url"): "https:///x",
    ("smtp", "sender"): "pbx",
    ("smtp", "sender_name"): TWO_LINES,
    ("smtp", "use_tls"): "perhaps",
    ("smtp", "verify_certificate"): "perhaps",
    ("smtp", "ca_file"): "ca.pem",
    ("smtp", "helo"): "my pbx",
    ("smtp", "timeout"): "0",
    ("smtp", "allow_plaintext_login"): "perhaps",
    ("notifications", "enabled"): "perhaps",
    ("notifications", "admin_email"): "admin",
    ("notifications", "pbx_name"): TWO_LINES,
    ("notifications", "language"): "xx",
    ("notifications", "timezone"): "Europe/Mosco",
    ("notifications", "country"): "Russia",
    ("notifications", "date_format"): '""',
    ("notifications", "history_url"): "pbx/cdr",
    ("notifications", "phone_book"): "phones.csv",
    ("notifications", "show_private_numbers"): "perhaps",
    ("missed_calls", "enabled"): "perhaps",
    ("missed_calls", "email"): "a@b@c",
    ("missed_calls", "causes"): "BUZY",
    ("missed_calls", "internal_calls"): "perhaps",
    ("missed_calls", "after_voicemail"): "perhaps",
    ("missed_calls", "subject"): TWO_LINES,
    ("missed_calls", "body"): "Hello, you",
    ("missed_calls", "footer"): "Yours, the PBX",
    ("voicemail", "enabled"): "perhaps",
    ("voicemail", "email"): "office",
    ("voicemail", "attach"): "perhaps",
    ("voicemail", "audio"): "mp4",
    ("voicemail", "max_attachment"): "14MB",
    ("voicemail", "after_mailing"): "remove",
    ("voicemail", "subject"): TWO_LINES,
    ("voicemail", "body"): "Hello, you",
    ("voicemail", "footer"): "Yours, the PBX",
    ("system", "disks"): "/var, log 5 %",
    ("system", "disk_free"): "ten",
    ("system", "asterisk"): "perhaps",
    ("system", "trunks"): "perhaps",
    ("system", "stuck_minutes"): "1 h",
    ("system", "certificate_days"): "400",
    ("system", "remind_hours"): "0",
    ("groups", "name"): TWO_LINES,
    ("groups", "email"): "sales@",
    ("groups", "members"): "Ivan Petrov",
    ("employees", "name"): TWO_LINES,
    ("employees", "email"): "ivan@",
    ("employees", "mobile"): "101",
    ("employees", "language"): "rus",
    ("employees", "missed_calls"): "perhaps",
    ("employees", "voicemail"): "perhaps",
}


def test_there_is_a_wrong_value_for_each_option() -> None:
    assert set(WRONG) == {(section, name) for section, kind in SECTIONS.items() for name in options(kind)}


@pytest.mark.parametrize(("section", "name"), sorted(WRONG), ids=str)
def test_a_wrong_value(run, write_ini: Callable[[str], Path], golden: Golden, section: str, name: str) -> None:
    header, shown = ("[employees]\n[[101]]", "[employees] [[101]]") if section == "employees" else (f"[{section}]",) * 2
    path = write_ini(f"{header}\n{name} = {WRONG[section, name]}\n")
    line = header.count("\n") + 2
    status, said, complained = run("check")
    assert (status, said, complained.count("\n")) == (os.EX_CONFIG, "", 1)
    assert complained.startswith(f"pbxnotify: {path}:{line}: {shown} {name}: ")
    golden(complained)


# --connect


def test_the_way_to_the_relay(run, write_ini, certificates: Certificates) -> None:
    with Catcher(tls=certificates.server, login=("me", "s3cret")) as catcher:
        write_ini(
            f"[smtp]\nhost = tls://localhost:{catcher.port}\nlogin = me\npassword = s3cret\n"
            f"ca_file = {certificates.ca_file}\n"
        )
        status, said, _ = run("check", "--connect")
    stages = [line.split()[0] for line in said.splitlines()][-6:]
    assert (status, stages) == (os.EX_OK, ["DNS", "connect", "STARTTLS", "EHLO", "SIZE", "AUTH"])
    assert (catcher.mails, "s3cret" in said) == ([], False)


def test_a_password_command_that_fails_is_a_stage_too(run, write_ini, golden: Golden) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nlogin = me\npassword_command = false\n")
        status, said, _ = run("check", "--connect")
    last = said.splitlines()[-1]
    assert (status, last.split()[0]) == (os.EX_CONFIG, "AUTH")
    golden(last, user=pwd.getpwuid(os.geteuid()).pw_name)


def test_a_login_that_is_rejected(run, write_ini, golden: Golden) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nlogin = me\npassword = wr0ng\n")
        status, said, _ = run("check", "--connect")
    last = said.splitlines()[-1]
    assert (status, last.split()[0], "wr0ng" in said) == (os.EX_CONFIG, "AUTH", False)
    golden(last)
