"""The ini file: what is accepted, what it means, and what the admin reads after a mistake."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from checkout import ROOT
from golden import Golden
from hypothesis import given, strategies

from pbxnotify.errors import SettingsError
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings
from pbxnotify.settings.options import Option, options
from pbxnotify.settings.sections import SECTIONS, Check, Employee, Least, Settings
from pbxnotify.settings.validators import complete_name

SAMPLE = ROOT / "etc" / "pbxnotify.ini"
SECRET = "Hunter2" * 2


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    """Return where a test writes its ini file."""
    return tmp_path / "pbxnotify.ini"


def loaded(ini: Path, text: str) -> Settings:
    """Return the settings in a text."""
    ini.write_bytes(text.encode())
    return load_settings(ini)


def problems(ini: Path, text: str) -> list[str]:
    """Return what is wrong with a text, without the file's name."""
    with pytest.raises(SettingsError) as caught:
        loaded(ini, text)
    assert all(problem.startswith(f"{ini}:") for problem in caught.value.problems)
    return [problem[len(f"{ini}:") :] for problem in caught.value.problems]


# The sample file


def sample_lines() -> list[str]:
    """Return the sample's lines, the commented example of an employee included."""
    general, employees = SAMPLE.read_text(encoding="utf-8").split("\n[employees]\n")
    general, groups = general.split("\n[groups]\n")
    general, _, checks = general.partition("# [[web certificate]]")
    check = [line[2:] for line in checks.partition("# [[load]]")[0].splitlines()]
    example = employees.partition("# [[101]]")[2].partition("# [[102]]")[0]
    group = groups.partition("# [[600]]")[2]
    sections = (("[checks]", check), ("[groups]", _shown(group)), ("[employees]", _shown(example)))
    return [*general.splitlines(), *(line for header, lines in sections for line in (header, *lines))]


def _shown(example: str) -> list[str]:
    """Return an example with its "# " removed."""
    return [line[2:] for line in example.splitlines()]


def test_the_sample_file_equals_the_defaults(ini: Path) -> None:
    sample, empty = load_settings(SAMPLE), loaded(ini, "")
    assert (sample.smtp, sample.notifications, sample.missed_calls, sample.employees) == (
        empty.smtp,
        empty.notifications,
        empty.missed_calls,
        (),
    )


def test_the_example_of_an_employee_equals_the_defaults(ini: Path) -> None:
    text = "\n".join(["[employees]", "[[101]]", *sample_lines()[sample_lines().index("[employees]") + 1 :]])
    assert loaded(ini, text).employees == (Employee("101"),)


def test_the_smallest_file_of_the_sample_works(ini: Path) -> None:
    smallest = SAMPLE.read_text(encoding="utf-8").partition("these 9 lines:\n#\n")[2].partition("\n#\n")[0]
    settings = loaded(ini, re.sub("(?m)^#", "", smallest))
    assert len(smallest.splitlines()) == 9
    assert (settings.smtp.security, settings.employees[0].emails) == ("tls", ("alexey@example.com",))


@pytest.mark.parametrize(
    ("section", "name", "declared"),
    [
        pytest.param(section, name, field, id=f"{section}-{name}")
        for section, kind in {**SECTIONS, "checks": Check}.items()
        for name, field in options(kind).items()
    ],
)
def test_the_sample_file_shows_each_option_with_its_label_and_comment(
    section: str, name: str, declared: Option
) -> None:
    lines = sample_lines()
    lines = lines[lines.index(f"[{section}]") :]
    place = next(number for number, line in enumerate(lines) if line.startswith(f"{name} ="))
    above = "\n".join(lines[:place]).rpartition("\n\n")[2].splitlines()
    comment = " ".join(line[2:] for line in above)
    assert comment.startswith(f"{declared.label} {declared.expected}".lstrip())


def test_the_sample_file_fits_a_terminal() -> None:
    labels = {option.label for kind in SECTIONS.values() for option in options(kind).values()}
    assert [line for line in SAMPLE.read_text(encoding="utf-8").splitlines() if len(line) > 80] == [
        f"# {label}" for label in labels if len(label) > 78
    ]


def test_the_sample_file_shows_nothing_else() -> None:
    shown: dict[str, list[str]] = {}
    for line in sample_lines():
        if line.startswith("["):
            section = shown.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            section.append(line.partition(" =")[0])
    assert {name: sorted(written) for name, written in shown.items()} == {
        name: sorted(options(kind)) for name, kind in {**SECTIONS, "checks": Check}.items()
    }


def test_the_example_of_a_check_equals_the_defaults(ini: Path) -> None:
    lines = sample_lines()
    text = "\n".join(["[system]", "[[web]]", *lines[lines.index("[checks]") + 1 : lines.index("[groups]")]])
    (check,) = loaded(ini, text).system.checks
    assert (check.name, check.timeout) == ("web", Check("").timeout)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("[[a]]\n", "2: [system] [[a]]", id="no command"),
        pytest.param("[[a]]\ncommand = x\nwarn = 5\n", "4: [system] [[a]] warn", id="another option"),
        pytest.param("[[a]]\ncommand = 'x\n", "3: [system] [[a]] command", id="a quote"),
        pytest.param("[[disks]]\n", "2: [system] [[disks]]", id="named as an option"),
    ],
)
def test_mistakes_in_a_check(ini: Path, golden: Golden, text: str, place: str) -> None:
    first = problems(ini, f"[system]\n{text}")[0]
    assert first.startswith(f"{place}: ")
    golden(first)


@pytest.mark.parametrize(
    ("text", "disks"),
    [
        ("", ()),
        ("/", (("/", None),)),
        ("/var/log 2 GB, /", (("/var/log", Least(bytes=2 * 1024**3)), ("/", None))),
        ('"/my disk 5 %"', (("/my disk", Least(share=0.05)),)),
        ("/disk 5", (("/disk 5", None),)),
    ],
)
def test_disks(ini: Path, text: str, disks: object) -> None:
    assert loaded(ini, f"[system]\ndisks = {text}\n").system.disks == disks


# Where the file is, and whether it changed


@pytest.mark.parametrize(
    ("option", "variable", "directory", "expected"),
    [
        pytest.param("/a.ini", "/b.ini", "/c", "/a.ini", id="the option first"),
        pytest.param(None, "/b.ini", "/c", "/b.ini", id="then the variable"),
        pytest.param(None, "", "/c", "/c/pbxnotify.ini", id="then Asterisk's directory"),
        pytest.param(None, "", "", "/etc/asterisk/pbxnotify.ini", id="at last the usual one"),
    ],
)
def test_location(
    option: str | None, variable: str, directory: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBXNOTIFY_CONFIG", variable)
    monkeypatch.setenv("AST_CONFIG_DIR", directory)
    assert ini_path(option) == expected


def write_the_same_size(ini: Path) -> None:
    ini.write_text("b")


def replace_by_another_file(ini: Path) -> None:
    other = ini.with_suffix(".new")
    other.write_text("a")
    os.utime(other, ns=(ini.stat().st_atime_ns, ini.stat().st_mtime_ns))
    other.replace(ini)


@pytest.mark.parametrize(
    "change",
    [write_the_same_size, replace_by_another_file, Path.unlink, lambda ini: ini.chmod(0o600)],
    ids=["written", "replaced", "removed", "made readable"],
)
def test_fingerprint_changes_with_the_file(ini: Path, change: Any) -> None:
    ini.write_text("a")
    ini.chmod(0o644)
    os.utime(ini, ns=(1, 1))
    before = ini_fingerprint(ini)
    assert ini_fingerprint(ini) == before
    change(ini)
    assert ini_fingerprint(ini) != before


def test_fingerprint_of_a_missing_file(ini: Path) -> None:
    assert ini_fingerprint(ini) == "missing"


# What is accepted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ("localhost", 25, "none"), id="nothing"),
        pytest.param("host = mx.example.com", ("mx.example.com", 25, "none"), id="bare"),
        pytest.param("host = mx.example.com:2525", ("mx.example.com", 2525, "none"), id="with a port"),
        pytest.param("host = mx\nport = 2525", ("mx", 2525, "none"), id="port beside it"),
        pytest.param("host = mx:2525\nport = 2525", ("mx", 2525, "none"), id="the same port twice"),
        pytest.param("host = mx\nuse_tls = yes", ("mx", 587, "starttls"), id="use_tls"),
        pytest.param("host = mx\nuse_tls = yes\nport = 25", ("mx", 25, "starttls"), id="use_tls, port 25"),
        pytest.param("host = mx\nport = 465", ("mx", 465, "tls"), id="port 465"),
        pytest.param("host = mx\nport = 465\nuse_tls = yes", ("mx", 465, "tls"), id="port 465 and use_tls"),
        pytest.param("host = ssl://mx", ("mx", 465, "tls"), id="ssl://"),
        pytest.param("host = SSL://MX\nuse_tls = no", ("mx", 465, "tls"), id="ssl:// in capitals, without use_tls"),
        pytest.param("host = ssl://mx:2465\nuse_tls = yes", ("mx", 2465, "tls"), id="ssl:// wins over use_tls"),
        pytest.param("host = tls://mx", ("mx", 587, "starttls"), id="tls://"),
        pytest.param("host = tls://mx:465", ("mx", 465, "starttls"), id="tls:// wins over port 465"),
        pytest.param("host = ::1", ("::1", 25, "none"), id="IPv6"),
        pytest.param("host = [::1]", ("::1", 25, "none"), id="IPv6 in brackets"),
        pytest.param("host = ssl://[2001:db8::1]:25", ("2001:db8::1", 25, "tls"), id="IPv6 with everything"),
        pytest.param("host = 192.0.2.1", ("192.0.2.1", 25, "none"), id="IPv4"),
        pytest.param("host = почта.рф", ("xn--80a1acny.xn--p1ai", 25, "none"), id="IDN"),
    ],
)
def test_host_port_and_security(ini: Path, text: str, expected: tuple[str, int, str]) -> None:
    smtp = loaded(ini, f"[smtp]\n{text}").smtp
    assert (smtp.host, smtp.port, smtp.security) == expected


@pytest.mark.parametrize("word", ["no", "No", "false", "off", "0", "нет", "НЕТ"])
def test_words_for_no(ini: Path, word: str) -> None:
    assert loaded(ini, f"[notifications]\nenabled = {word}").notifications.enabled is False


@pytest.mark.parametrize("word", ["yes", "YES", "true", "on", "1", "да"])
def test_words_for_yes(ini: Path, word: str) -> None:
    assert loaded(ini, f"[smtp]\nuse_tls = {word}").smtp.use_tls is True


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("", (), id="none"),
        pytest.param(",", (), id="configobj's none"),
        pytest.param("a@example.com", ("a@example.com",), id="one"),
        pytest.param("a@example.com,", ("a@example.com",), id="a comma at the end"),
        pytest.param("a@example.com, root@localhost", ("a@example.com", "root@localhost"), id="two"),
        pytest.param("हिन्दी@example.com", ("हिन्दी@example.com",), id="a script with marks"),
        pytest.param("анна@почта.рф", ("анна@xn--80a1acny.xn--p1ai",), id="a name in another script"),
        pytest.param("o'neil+pbx@почта.рф", ("o'neil+pbx@xn--80a1acny.xn--p1ai",), id="IDN"),
        pytest.param("анна.к@example.com", ("анна.к@example.com",), id="SMTPUTF8"),
        pytest.param("संपर्क@डाटामेल.भारत", ("संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c",), id="SMTPUTF8, with marks"),
    ],
)
def test_addresses(ini: Path, written: str, expected: tuple[str, ...]) -> None:
    assert loaded(ini, f"[missed_calls]\nemail = {written}").missed_calls.email == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("sender = b@example.com\nlogin = a@example.com", "b@example.com", id="the sender"),
        pytest.param("login = a@example.com", "a@example.com", id="else the login"),
        pytest.param("login = a", "asterisk@box", id="a login that is no address"),
        pytest.param("", "asterisk@box", id="else this host"),
    ],
)
def test_sender_address(ini: Path, text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    password = "password = x" if "login" in text else ""
    assert loaded(ini, f"[smtp]\n{text}\n{password}").smtp.sender_address == expected


@pytest.mark.parametrize(
    ("host_name", "is_complete"),
    [
        ("pbx.example.com", True),
        ("PBX-1.office.example.co.uk", True),
        ("xn--80a1acny.xn--p1ai", True),
        ("pbx", False),
        ("", False),
        ("localhost.localdomain", False),
        ("localhost.example.com", False),
        ("freepbx.sangoma.local", False),
        ("pbx.LAN", False),
        ("ip-10-0-0-1.ec2.internal", False),
        ("192.0.2.1", False),
        ("my_pbx.example.com", False),
        ("-pbx.example.com", False),
        ("pbx..com", False),
        ("pbx.example.com.", False),
        ("атс.example.com", False),
        (".".join(["a" * 60] * 5), False),
    ],
)
def test_a_host_name_that_is_complete(host_name: str, is_complete: bool) -> None:
    assert complete_name(host_name) == (host_name if is_complete else "")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("pbx.example.com", "pbx.example.com"), ("атс.рф", "xn--80a8ac.xn--p1ai"), ("[IPv6:::1]", "[IPv6:::1]")],
)
def test_a_name_for_ehlo(ini: Path, written: str, expected: str) -> None:
    assert loaded(ini, f"[smtp]\nhelo = {written}").smtp.greeting_name == expected


@pytest.mark.parametrize("written", ["'a#b'", '"a#b"', "'''a#b'''", "'a#b' # mine", "'a#b'# mine"])
def test_a_quoted_password_keeps_its_hash(ini: Path, written: str) -> None:
    assert loaded(ini, f"[smtp]\nlogin = a\npassword = {written}").smtp.password == "a#b"  # noqa: S105


def test_a_semicolon_and_a_percent_sign_are_ordinary(ini: Path) -> None:
    assert loaded(ini, "[smtp]\nlogin = a\npassword = a;b%(c)s").smtp.password == "a;b%(c)s"  # noqa: S105


def test_a_comment_beside_a_value(ini: Path) -> None:
    assert loaded(ini, "[smtp]\nhost = mx # mine").smtp.host == "mx"


def test_line_breaks_of_a_body_are_kept(ini: Path) -> None:
    assert loaded(ini, "[missed_calls]\nbody = '''a\n\n# b'''").missed_calls.body == "a\n\n# b"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["Unix", "Windows", "old Mac"])
def test_any_line_end_and_a_byte_order_mark(ini: Path, line_end: str) -> None:
    text = "\ufeff# mine\n[smtp]\nhost = mx\n[employees]\n[[101]]\nname = Анна\n"
    settings = loaded(ini, text.replace("\n", line_end))
    assert (settings.smtp.host, settings.employees[0].name) == ("mx", "Анна")


def test_employees_keep_what_is_written(ini: Path) -> None:
    text = "[employees]\n[[101]]\nemail = a@x, b@x\nmobile = +7 (916) 123-45-67, 12345\nlanguage = ru\nvoicemail = no"
    assert loaded(ini, text).employees == (
        Employee("101", "", ("a@x", "b@x"), ("+7 (916) 123-45-67", "12345"), "ru", True, False),
    )


def test_causes_in_small_letters(ini: Path) -> None:
    assert loaded(ini, "[missed_calls]\ncauses = busy, noanswer").missed_calls.causes == ("BUSY", "NOANSWER")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "ssl://mx", "tls://mx", "mx:465"])
def test_a_login_over_tls_or_to_this_host(ini: Path, host: str) -> None:
    assert loaded(ini, f"[smtp]\nhost = {host}\nlogin = a\npassword = b").smtp.login == "a"


def test_a_plaintext_login_that_is_allowed(ini: Path) -> None:
    text = "[smtp]\nhost = mx\nlogin = a\npassword = b\nallow_plaintext_login = yes"
    assert loaded(ini, text).smtp.security == "none"


@pytest.mark.parametrize("path", ["/nowhere/phones.csv", "/", "'/a, b/phones #1.csv'"])
def test_a_phone_book_that_may_be_missing(ini: Path, path: str) -> None:
    assert loaded(ini, f"[notifications]\nphone_book = {path}").notifications.phone_book == path.strip("'")


# What is refused


@pytest.mark.parametrize(
    ("section", "text", "place"),
    [
        pytest.param("smtp", "port = 0", "port", id="port 0"),
        pytest.param("smtp", "port = 65536", "port", id="port too high"),
        pytest.param("smtp", "port = abc", "port", id="port of letters"),
        pytest.param("smtp", "port = ٢٥", "port", id="port in other digits"),
        pytest.param("smtp", "timeout =", "timeout", id="empty number"),
        pytest.param("smtp", "host =", "host", id="empty host"),
        pytest.param("smtp", "host = http://mx", "host", id="protocol"),
        pytest.param("smtp", "host = mx:x", "host", id="host's port"),
        pytest.param("smtp", "host = [::x]:25", "host", id="IPv6"),
        pytest.param("smtp", "host = a b", "host", id="host with a space"),
        pytest.param("smtp", "host = mx:25\nport = 26", "port", id="two ports"),
        pytest.param("smtp", "use_tls = maybe", "use_tls", id="yes or no"),
        pytest.param("smtp", "use_tls = yes, no", "use_tls", id="list"),
        pytest.param("smtp", "host = mx1.example.com, mx2.example.com", "host", id="two relays with a comma"),
        pytest.param("smtp", "host = mx1.example.com;mx2.example.com", "host", id="two relays with a semicolon"),
        pytest.param("smtp", "sender = атс@example.com", "sender", id="a sender beyond ASCII"),
        pytest.param("smtp", "helo = my pbx", "helo", id="no name for EHLO"),
        pytest.param("smtp", "helo = [my pbx]", "helo", id="no address for EHLO"),
        pytest.param("smtp", "ca_file = /nowhere", "ca_file", id="file"),
        pytest.param("smtp", "login = a", "login", id="login without password"),
        pytest.param("smtp", "password = b", "password", id="password without login"),
        pytest.param("smtp", "password_command = b", "password_command", id="command, no login"),
        pytest.param("smtp", "password_command = 'a \"'", "password_command", id="command"),
        pytest.param("smtp", "login = a\npassword = b\npassword_command = c", "password_command", id="both"),
        pytest.param("smtp", "host = mx\nlogin = a\npassword = b", "login", id="plain text"),
        pytest.param("smtp", "password = a,b", "password", id="comma"),
        pytest.param("smtp", "password = a#b", "password", id="cut"),
        pytest.param("smtp", "password = a #b", "password", id="cut after a space"),
        pytest.param("smtp", "password = #b", "password", id="cut at the start"),
        pytest.param("smtp", "login = a#b", "login", id="login cut"),
        pytest.param("missed_calls", "subject = Call#1", "subject", id="subject cut"),
        pytest.param("voicemail", "subject = Call #VM_MSGNUM", "subject", id="number cut"),
        pytest.param("missed_calls", "subject = a, b", "subject", id="comma in a text"),
        pytest.param("missed_calls", "subject = '''a\nb'''", "subject", id="two lines"),
        pytest.param("missed_calls", "causes = ANSWER", "causes", id="ANSWER"),
        pytest.param("missed_calls", "causes = BSY", "causes", id="BSY"),
        pytest.param("notifications", "language = de", "language", id="language"),
        pytest.param("notifications", "timezone = europe/mosco", "timezone", id="time zone"),
        pytest.param("notifications", "timezone = ../x", "timezone", id="path as zone"),
        pytest.param("notifications", "timezone = Europe", "timezone", id="folder as zone"),
        pytest.param("notifications", "date_format =", "date_format", id="date format"),
        pytest.param("notifications", "history_url = pbx", "history_url", id="link"),
        pytest.param("notifications", "phone_book = a.csv", "phone_book", id="relative path"),
        pytest.param("smtp", "hots = a", "hots", id="typo"),
        pytest.param("smtp", "email = a", "email", id="lost"),
        pytest.param("smtp", "[[host]]", "[[host]]", id="section for an option"),
        pytest.param("smtp", "port = 25 ; smtp", "port", id="semicolon behind a value"),
        pytest.param("smtp", "[[x]]", "[[x]]", id="section too deep"),
        pytest.param("employees", "name = a", "name", id="no extension"),
        pytest.param("employees", "[[1 1]]", "[[1 1]]", id="extension"),
        pytest.param("employees", "[[1]]\nmobile = 1-23", "[[1]] mobile", id="mobile"),
        pytest.param("employees", "[[1]]\nmobile = +", "[[1]] mobile", id="no digits"),
        pytest.param(
            "employees",
            "[[1]]\nmobile = +7 916 123-45-67\n[[2]]\nmobile = 89161234567",
            "[[2]] mobile",
            id="mobile of two",
        ),
    ],
)
def test_a_problem(ini: Path, golden: Golden, section: str, text: str, place: str) -> None:
    (only,) = problems(ini, f"[{section}]\n{text}")
    option = place.rpartition("]] ")[2]
    line = 1 + max(number for number, line in enumerate(text.splitlines(), 1) if line.split(" =")[0] == option)
    assert only.startswith(f"{line}: [{section}] {place}: ")
    assert "; " in only
    golden(only)


@pytest.mark.parametrize(
    "written",
    [
        "b@x> NOTIFY=NEVER <q",
        "'''a@x\nBcc: b@x'''",
        "a b@x",
        "a@",
        "@x",
        "a",
        "a@b@x",
        "'a@x, b@x'",
        "a@x; b@x",
        "Anna <a@x>",
        ".a@x",
        "“анна@x”",
        "анна\u200b@x",
        "анна\u00a0к@x",
        "анна＠x",
        "“a@x",
        "a@x”",
        f"{'я' * 33}@x",
        "a@-x",
        "a@x..y",
        f"a@{'x' * 64}",
        f"{'a' * 65}@x",
        "анна@.x",
        "“anna”@example.com",
        "anna@“example.com”",
        "a@[127.0.0.1]",
    ],
)
def test_an_address_that_is_none(ini: Path, golden: Golden, written: str) -> None:
    (only,) = problems(ini, f"[missed_calls]\nemail = {written}")
    assert only.startswith("2: [missed_calls] email: ")
    golden(only)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("host = a", "1: host: ", id="no section"),
        pytest.param("smtp = a", "1: smtp: ", id="no brackets"),
        pytest.param("[smpt]\nx = y", "1: [smpt]: ", id="typo"),
        pytest.param("[smtp]\n[[host", "2: malformed", id="cut in a header"),
        pytest.param("[smtp]\n[host]]", "2: [host]: ", id="unequal brackets"),
        pytest.param("[smtp]\nhos", "2: neither", id="cut in a name"),
        pytest.param("[smtp]\nhost = 'a", "2: [smtp] host: ", id="quote open"),
        pytest.param("[missed_calls]\nbody = '''a\n\nb", "2: [missed_calls] body: ", id="cut"),
        pytest.param("[smtp]\nhost = a\nhost = b", "3: [smtp] host: ", id="option twice"),
        pytest.param(
            "[employees]\n[[101]]\nname = a\n[['101']]\nname = b", "4: [employees] [[101]]: ", id="extension twice"
        ),
    ],
)
def test_a_broken_line(ini: Path, golden: Golden, text: str, place: str) -> None:
    (only,) = problems(ini, text)
    assert only.startswith(place)
    golden(only)


def test_all_problems_come_at_once_in_the_order_of_their_lines(ini: Path, golden: Golden) -> None:
    text = """\
[notifications]
enabled = maybe
[employees]
[[101]]
email = a
[smtp]
login = a
body = '''
port = 1
'''
port = x
pasword = b
"no value"
"""
    found = problems(ini, text)
    assert [int(problem.partition(":")[0]) for problem in found] == [2, 5, 8, 11, 12, 13]
    golden("\n".join(found))


def test_a_password_that_cannot_be_read_is_not_missed_as_well(ini: Path) -> None:
    (only,) = problems(ini, "[smtp]\nlogin = a\npassword b")
    assert only.startswith("3: neither ")


def test_a_mistyped_password_is_not_missed_as_well(ini: Path) -> None:
    (only,) = problems(ini, "[smtp]\nlogin = a\npasword = b")
    assert only.startswith("3: [smtp] pasword")


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param("[smtp]\n".encode("utf-16"), ":1: ", id="UTF-16"),
        pytest.param("[smtp]\n".encode("utf-16-le"), ":1: ", id="UTF-16 without its mark"),
        pytest.param("[smtp]\n# Анна".encode("cp1251"), ":2: ", id="Windows-1251"),
        pytest.param(b"[smtp]\nhost = a\0b", ":2: [smtp] host: ", id="NUL"),
        pytest.param(b"[notifications]\npbx_name = a\0b", ":2: [notifications] pbx_name: ", id="NUL in a line"),
        pytest.param("[smtp]\nhost = a".encode("utf-16-le"), ":1: ", id="UTF-16 in one line"),
    ],
)
def test_a_file_that_is_no_text(ini: Path, golden: Golden, content: bytes, place: str) -> None:
    ini.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(ini)
    assert str(caught.value).startswith(f"{ini}{place}")
    golden(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("missing.ini", id="missing"),
        pytest.param(".", id="directory"),
        pytest.param("file/below", id="below a file"),
        pytest.param("a\0b", id="NUL in its name"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, golden: Golden, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    golden(caught.value, nul="\0")


@contextmanager
def nobody() -> Iterator[None]:
    """Give up root's rights for a while: root may read everything."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_that_must_not_be_read(ini: Path, golden: Golden) -> None:
    ini.touch(0o000)
    with nobody(), pytest.raises(SettingsError) as caught:
        load_settings(ini)
    assert str(caught.value).startswith(f"{ini}: ")
    golden(caught.value)


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"password {SECRET}", id="no equals sign"),
        pytest.param(f"password = '{SECRET}", id="no closing quote"),
        pytest.param(f"password = '''{SECRET}", id="no closing triple quote"),
        pytest.param(f"password = {SECRET},x", id="a comma"),
        pytest.param(f"password = x#{SECRET}", id="a hash"),
        pytest.param(f"password = '''{SECRET}\n'''", id="a line break"),
        pytest.param(f"pasword = {SECRET}", id="a typo"),
        pytest.param(f"password: {SECRET} = x", id="a colon"),
        pytest.param(f"password = x\npassword = {SECRET}", id="twice"),
        pytest.param(f"password = {SECRET}", id="no login"),
        pytest.param(f"password_command = echo '{SECRET}\"'", id="no command"),
        pytest.param(f"host = ssl://me:{SECRET}@mx", id="in the host"),
        pytest.param(f"host = mx password = {SECRET}", id="on the line before"),
        pytest.param(f"host = '''mx\npassword = {SECRET}\n'''", id="inside another value"),
    ],
)
def test_no_problem_shows_a_secret(ini: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(ini, f"[smtp]\n{text}")
    error = caught.value
    assert SECRET not in "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert error.__context__ is None


def test_the_settings_show_no_secret(ini: Path) -> None:
    assert SECRET not in repr(loaded(ini, f"[smtp]\nlogin = a\npassword = {SECRET}"))
    assert SECRET not in repr(loaded(ini, f"[smtp]\nlogin = a\npassword_command = echo {SECRET}"))


# Whatever is in the file

WORDS = ["[", "]", "smtp", "employees", "[[101]]", "host", "password", "port", "email", "body", "=", "#", ",", "@"]
WORDS += ["'", '"', "'''", '"""', "\n", "\n", " ", ":", "://", "é", "\t", "\x0b", "\u2028", "1", "yes", "%(a)s"]
anything = strategies.one_of(
    strategies.lists(strategies.sampled_from(WORDS), max_size=40).map(lambda words: "".join(words).encode()),
    strategies.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    strategies.binary(max_size=60),
)


@given(before=anything, after=anything)
def test_nothing_raises_anything_else_or_shows_the_password(ini: Path, before: bytes, after: bytes) -> None:
    ini.write_bytes(before + b"\n[smtp]\nlogin = a\npassword = " + SECRET.encode() + after)
    try:
        assert SECRET not in repr(load_settings(ini))
    except SettingsError as error:
        assert error.problems
        assert SECRET not in str(error)


@given(end=strategies.integers(0, len(SAMPLE.read_bytes())))
def test_a_half_written_file(ini: Path, end: int) -> None:
    ini.write_bytes(SAMPLE.read_bytes()[:end])
    try:
        load_settings(ini)
    except SettingsError as error:
        lines = SAMPLE.read_bytes()[:end].count(b"\n") + 1
        assert [problem.startswith(f"{ini}:{lines}: ") for problem in error.problems] == [True]


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        pytest.param("[smtp]\n;login = x", "2: [smtp]: ", id="an option"),
        pytest.param("[smtp]\n; the relay", "2: ", id="a remark"),
        pytest.param("; settings\n[smtp]\nhost = mx\n", "1: ", id="before all sections"),
    ],
)
def test_a_semicolon_starts_no_comment(ini: Path, text: str, begin: str, golden: Golden) -> None:
    (only,) = problems(ini, text)
    assert only.startswith(begin)
    golden(only)


@pytest.mark.parametrize("name", ["use-tls", "USE_TLS", "Use-Tls"])
def test_an_option_that_is_spelt_otherwise(ini: Path, name: str, golden: Golden) -> None:
    (only,) = problems(ini, f"[smtp]\nhost = mx\n{name} = yes")
    assert only.startswith("3: [smtp] use_tls: ")
    golden(only)
