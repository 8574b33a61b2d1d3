"""``pbxnotify check``: what it prints, and its exit statuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from relay import Catcher, Certificates

from pbxnotify.settings.sections import SECTIONS
from pbxnotify.settings.validators import options


def test_check_says_what_follows_from_the_ini_file(run, relay: Catcher) -> None:
    status, said, _ = run("check")
    assert status == os.EX_OK
    assert "no mistakes found" in said
    assert f"127.0.0.1:{relay.port}, not encrypted" in said
    assert "employees        1, with an e-mail: 1" in said


def test_check_names_every_mistake(run, write_ini) -> None:
    write_ini("[smtp]\nhots = x\nport = 99999\npassword = abc#def\n")
    status, _, said = run("check")
    assert status == os.EX_CONFIG
    assert [word in said for word in ("did you mean host", "99999", "cut off at its #")] == [True] * 3
    assert "abc" not in said


def test_check_says_that_all_is_switched_off(run, write_ini) -> None:
    write_ini("[notifications]\nenabled = no\n")
    assert "notifications are switched off" in run("check")[1]


def test_check_notes_what_was_hardly_meant(run, write_ini) -> None:
    write_ini("")
    assert "NOTE             nobody will be told" in run("check")[1]


def test_every_mistake_begins_with_our_name(run, write_ini) -> None:
    write_ini("[smtp]\nport = a\ntimeout = b\n")
    assert [line.partition(":")[0] for line in run("check")[2].splitlines()] == ["pbxnotify"] * 2


def test_check_says_where_voicemail_goes(run, write_ini) -> None:
    write_ini("[voicemail]\nemail = voicemail@example.com\n")
    assert "voicemail        on; common address: voicemail@example.com" in run("check")[1]


def test_the_spool_is_said_to_be_unusable_beside_the_rest(run, relay: Catcher, box: Path) -> None:
    (box / "spool").touch()
    status, said, _ = run("check")
    assert status == os.EX_IOERR
    assert "NOTE             the spool cannot be used" in said
    assert "no mistakes found" in said


def test_what_asterisk_says_cannot_paint_the_terminal(run, relay: Catcher, box: Path, monkeypatch) -> None:
    command = box / "asterisk"
    command.write_text("#!/bin/sh\nprintf '\\033]0;title\\007\\033[31mred'; exit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PBXNOTIFY_ASTERISK", str(command))
    _, said, _ = run("check")
    assert "the running Asterisk was not asked: asterisk -rx exited with status 1:" in said
    assert said.isprintable() or set(filter(lambda sign: not sign.isprintable(), said)) == {"\n"}


# Each option with a wrong value: the whole sentence that an admin reads

YES_OR_NO = "'perhaps' is neither yes nor no; write "
ADDRESSES = "name@example.com, several with commas between; "
TWO_LINES = "'''a\nb'''"
SPANS = "the value spans several lines or holds a control character; write "
COMMA = "the value holds a comma; put it in quotes"
NO_ENDPOINT = "is no address that begins with https:// and a host's name; write https://..."
WRONG = {
    ("smtp", "host"): (
        "http://mx",
        "'http://mx' starts with an unknown protocol; write the mail relay: name, name:port, ssl://name (TLS) or"
        " tls://name (STARTTLS)",
    ),
    ("smtp", "port"): (
        "70000",
        "'70000' is no number from 1 to 65535; write a number from 1 to 65535; empty: 465, 587 or 25, as the"
        " encryption needs",
    ),
    ("smtp", "login"): (TWO_LINES, f"{SPANS}the account's name; empty: no login"),
    ("smtp", "password"): ("abc#def", "the value is cut off at its #; put it in quotes"),
    ("smtp", "password_command"): (
        "'cat \"'",
        "the value is no command line; write a command whose first line of output is the password, instead of password",
    ),
    ("smtp", "auth"): (
        "oauth",
        "'oauth' is none of password, oauth2 (did you mean oauth2?); write password, or oauth2: with a token of"
        " the provider in [oauth2], or one that password_command prints",
    ),
    ("oauth2", "provider"): (
        "gogle",
        "'gogle' is none of google, microsoft, yandex, custom (did you mean google?); write google, microsoft, yandex"
        " or custom",
    ),
    ("oauth2", "client_id"): (
        TWO_LINES,
        f"{SPANS}the id of the application that you have registered with the provider",
    ),
    ("oauth2", "client_secret"): ("abc#def", "the value is cut off at its #; put it in quotes"),
    ("oauth2", "tenant"): (
        "a/b",
        "'a/b' is no name or id of a tenant; write Microsoft's directory: its id or domain, consumers for Outlook.com;"
        " empty: common",
    ),
    ("oauth2", "scope"): (
        TWO_LINES,
        f"{SPANS}what the token is to be good for; empty: as the provider wants it for mail",
    ),
    ("oauth2", "authorization_url"): (
        "http://a.example/",
        f"'http://a.example/' {NO_ENDPOINT}, where a browser asks you; empty: the provider's",
    ),
    ("oauth2", "token_url"): ("a.example", f"'a.example' {NO_ENDPOINT}, where tokens come from; empty: the provider's"),
    ("oauth2", "device_url"): (
        "ftp://a/",
        f"'ftp://a/' {NO_ENDPOINT}, where codes for another device come from; empty: the provider's, if any",
    ),
    ("oauth2", "revocation_url"): (
        "https:///x",
        f"'https:///x' {NO_ENDPOINT}, where tokens end; empty: the provider's, if any",
    ),
    ("smtp", "sender"): (
        "pbx",
        "'pbx' is no e-mail address; write name@example.com; empty: the login if it is an address, else asterisk@ this"
        " host's name",
    ),
    ("smtp", "sender_name"): (TWO_LINES, f"{SPANS}the name shown with the sender's address; empty: pbx_name"),
    ("smtp", "use_tls"): ("perhaps", f"{YES_OR_NO}yes for STARTTLS, which never falls back to plain text, or no"),
    ("smtp", "verify_certificate"): (
        "perhaps",
        f"{YES_OR_NO}yes, or no for a self-signed certificate (ca_file is safer)",
    ),
    ("smtp", "ca_file"): (
        "ca.pem",
        "'ca.pem' is no file that can be read, with its whole path; write the path of a PEM file of certificates to"
        " trust; empty: the system's",
    ),
    ("smtp", "timeout"): ("0", "'0' is no number from 1 to 600; write seconds without progress, 1 to 600"),
    ("smtp", "allow_plaintext_login"): (
        "perhaps",
        f"{YES_OR_NO}yes to send the login over the network unencrypted, or no",
    ),
    ("notifications", "enabled"): ("perhaps", f"{YES_OR_NO}yes, or no to send no mail at all"),
    ("notifications", "admin_email"): (
        "admin",
        f"'admin' is no e-mail address; write {ADDRESSES}gets the alerts",
    ),
    ("notifications", "pbx_name"): (TWO_LINES, f"{SPANS}the name of this PBX in mails; empty: the host's name"),
    ("notifications", "language"): (
        "xx",
        "'xx' is no language of ours; write en, ru, or another file in pbxnotify/languages",
    ),
    ("notifications", "timezone"): (
        "Europe/Mosco",
        "'Europe/Mosco' is no time zone of this host (did you mean Europe/Moscow?); write a name such as Europe/Moscow;"
        " empty: the system's time zone",
    ),
    ("notifications", "date_format"): (
        '""',
        "'' renders nothing; write a date as strftime takes it, for NOTIFICATION_DATE and VM_DATE",
    ),
    ("notifications", "history_url"): (
        "pbx/cdr",
        "'pbx/cdr' is no address of a web page; write https://..., LINKEDID and UNIQUEID in it become the call's;"
        " empty: there is no call history",
    ),
    ("notifications", "phone_book"): (
        "phones.csv",
        "'phones.csv' does not begin with /; write the path of a CSV file, number,name in each line, which names"
        " callers; empty: there is no phone book",
    ),
    ("notifications", "show_private_numbers"): (
        "perhaps",
        f"{YES_OR_NO}yes to show numbers that callers withhold, or no",
    ),
    ("missed_calls", "enabled"): ("perhaps", f"{YES_OR_NO}yes, or no to send no mail about missed calls"),
    ("missed_calls", "email"): (
        "a@b@c",
        f"'a@b@c' is no e-mail address; write {ADDRESSES}gets what fits no employee with an e-mail",
    ),
    ("missed_calls", "causes"): (
        "BUZY",
        "'BUZY' is no DIALSTATUS of Asterisk (did you mean BUSY?); write words out of NOANSWER, CANCEL, BUSY,"
        " CHANUNAVAIL, CONGESTION, DONTCALL, TORTURE, INVALIDARGS",
    ),
    ("missed_calls", "internal_calls"): ("perhaps", f"{YES_OR_NO}yes, or no to leave out calls between employees"),
    ("missed_calls", "after_voicemail"): (
        "perhaps",
        f"{YES_OR_NO}yes to tell of a missed call although a voicemail was left, or no",
    ),
    ("missed_calls", "subject"): (
        TWO_LINES,
        f"{SPANS}a text with NOTIFICATION_ parameters in it; empty: the text of the recipient's language",
    ),
    ("missed_calls", "body"): ("Hello, you", COMMA),
    ("missed_calls", "footer"): ("Yours, the PBX", COMMA),
    ("voicemail", "enabled"): ("perhaps", f"{YES_OR_NO}yes, or no to send a mail about the missed call instead"),
    ("voicemail", "email"): (
        "office",
        f"'office' is no e-mail address; write {ADDRESSES}always gets it, whoever missed the call",
    ),
    ("voicemail", "attach"): ("perhaps", f"{YES_OR_NO}yes to attach the recording, or no"),
    ("voicemail", "audio"): (
        "mp4",
        "'mp4' is none of as-is, mp3, wav (did you mean mp3?); write as-is, mp3 (small; needs lame or ffmpeg) or wav"
        " (plays everywhere)",
    ),
    ("voicemail", "max_attachment"): (
        "14MB",
        "'14MB' is no number from 1 to 100; write a number from 1 to 100: the largest recording that is attached, in"
        " MB",
    ),
    ("voicemail", "after_mailing"): (
        "remove",
        "'remove' is none of keep, delete; write keep, or delete to empty the mailbox of what was mailed with its"
        " recording",
    ),
    ("voicemail", "subject"): (
        TWO_LINES,
        f"{SPANS}a text with VM_ parameters in it; empty: the text of the recipient's language",
    ),
    ("voicemail", "body"): ("Hello, you", COMMA),
    ("voicemail", "footer"): ("Yours, the PBX", COMMA),
    ("system", "disks"): (
        "/var, log 5 %",
        "'log 5 %' does not begin with /; write paths, each with its own disk_free if need be, as in /var/log 2 GB;"
        " empty: Asterisk's spool and log, and ours",
    ),
    ("system", "disk_free"): (
        "ten",
        "'ten' is neither a percentage nor a number of bytes; write the room that must be free: 10 % or 500 MB",
    ),
    ("system", "asterisk"): ("perhaps", f"{YES_OR_NO}yes to tell when Asterisk does not run or was restarted, or no"),
    ("system", "trunks"): (
        "perhaps",
        f"{YES_OR_NO}yes to tell of registrations and fixed contacts (PJSIP) that are lost, or no",
    ),
    ("system", "stuck_minutes"): (
        "1 h",
        "'1 h' is no number from 1 to 10000; write minutes that a mail may wait before it is told, 1 to 10000",
    ),
    ("system", "certificate_days"): (
        "400",
        "'400' is no number from 1 to 365; write days before the end of the relay's certificate that it is told, 1 to"
        " 365",
    ),
    ("system", "remind_hours"): (
        "0",
        "'0' is no number from 1 to 720; write hours after which a problem that is still there is told again, 1 to 720",
    ),
    ("employees", "name"): (TWO_LINES, f"{SPANS}the name shown in mails"),
    ("employees", "email"): (
        "ivan@",
        "'ivan@' holds no valid domain name; write name@example.com, several with commas between",
    ),
    ("employees", "mobile"): (
        "101",
        "'101' is no mobile number; write a number with at least 5 digits, several with commas between",
    ),
    ("employees", "language"): (
        "rus",
        "'rus' is no language of ours; write en, ru, or another file in pbxnotify/languages; empty: language of"
        " [notifications]",
    ),
    ("employees", "missed_calls"): (
        "perhaps",
        f"{YES_OR_NO}yes, or no to tell this employee of no missed call",
    ),
    ("employees", "voicemail"): ("perhaps", f"{YES_OR_NO}yes, or no to send this employee no voicemail"),
}


def test_there_is_a_wrong_value_for_each_option() -> None:
    assert set(WRONG) == {(section, name) for section, kind in SECTIONS.items() for name in options(kind)}


@pytest.mark.parametrize(("section", "name"), sorted(WRONG), ids=str)
def test_a_wrong_value(run, write_ini: Callable[[str], Path], section: str, name: str) -> None:
    value, sentence = WRONG[section, name]
    header, shown = ("[employees]\n[[101]]", "[employees] [[101]]") if section == "employees" else (f"[{section}]",) * 2
    path = write_ini(f"{header}\n{name} = {value}\n")
    line = header.count("\n") + 2
    assert run("check") == (os.EX_CONFIG, "", f"pbxnotify: {path}:{line}: {shown} {name}: {sentence}\n")


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


def test_a_password_command_that_fails_is_a_stage_too(run, write_ini, catcher: Catcher) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nlogin = me\npassword_command = false\n")
        status, said, _ = run("check", "--connect")
    assert (status, said.splitlines()[-1].split(":")[0]) == (os.EX_CONFIG, "AUTH             stops here")
    assert "password_command: it ended with exit status 1" in said


def test_a_way_that_ends(run, write_ini) -> None:
    with Catcher(login=("me", "right")) as catcher:
        write_ini(f"[smtp]\nhost = 127.0.0.1:{catcher.port}\nlogin = me\npassword = wr0ng\n")
        status, said, _ = run("check", "--connect")
    assert status == os.EX_CONFIG
    assert "AUTH             stops here: 127.0.0.1:" in said.splitlines()[-1]
    assert "app password" in said
