"""Checks of option values: each takes the text in the ini file and returns the value.

A check raises ``ValueError`` with the end of a sentence that begins with the text: ``is not a valid e-mail address``.
It never repeats the text itself, which may be a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from pbxnotify.languages.language import LANGUAGE_CODES
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import SHORTEST_MOBILE
from pbxnotify.text import did_you_mean

CAUSES = ("NOANSWER", "CANCEL", "BUSY", "CHANUNAVAIL", "CONGESTION")
DIAL_STATUSES = (*CAUSES, "DONTCALL", "TORTURE", "INVALIDARGS")
DOTS = dict.fromkeys(map(ord, "\u3002\uff0e\uff61"), ".")
"""The dots of IDNA beyond ASCII (RFC 3490 section 3.1)."""
PRIVATE = (
    "localhost|localdomain|local|lan|home|corp|intranet|internal|private|domain|workgroup|test|example|invalid|arpa"
)
"""Top-level domains that no other host knows (RFC 6761; RFC 6762 appendix G; what routers and installers write)."""
YES = ("yes", "true", "on", "1", "да")
NO = ("no", "false", "off", "0", "нет")


def number(highest: int) -> Callable[[str], int]:
    """Return a check for a whole number from 1 to ``highest``."""

    def check(value: str) -> int:
        if not re.fullmatch("[0-9]{1,6}", value) or not 1 <= int(value) <= highest:
            raise ValueError(f"is not a number from 1 to {highest}")
        return int(value)

    return check


def one_of(*words: str) -> Callable[[str], str]:
    """Return a check for one of some words, in upper or lower case."""

    def check(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"is not one of {', '.join(words)}{did_you_mean(value, words)}")
        return value.lower()

    return check


def matching(pattern: str, wrong: str) -> Callable[[str], str]:
    """Return a check for a text that matches a pattern; ``wrong`` is what it raises otherwise."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(wrong)
        return value

    return check


extension = matching(r"[A-Za-z0-9_*#+.-]+(@[A-Za-z0-9_.-]+)?", "is not a valid extension")
link = matching(r"https?://[^\s<>\"\x00-\x1f\x7f\ud800-\udfff]+", "is not a valid web address")
mobile = matching(rf"[ ()+./-]*([0-9][ ()+./-]*){{{SHORTEST_MOBILE},}}", "is not a valid mobile number")
tenant = matching(r"[A-Za-z0-9_.-]+", "is not a valid tenant name or ID")
port_number = number(65535)
lines = str  # any text, line breaks included


def port(value: str) -> int:
    """Return a port; 0 if empty, for the default one."""
    return port_number(value) if value else 0


def line(value: str) -> str:
    """Accept a text that fits into a header or onto a command line."""
    if re.search("[\ud800-\udfff]", value):
        raise ValueError("is not valid UTF-8")
    if len(value.splitlines()) > 1 or re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("spans several lines or contains a control character")
    return value


def yes_or_no(value: str) -> bool:
    """Accept yes or no and their synonyms, English or Russian."""
    if value.lower() not in YES + NO:
        raise ValueError("is neither yes nor no")
    return value.lower() in YES


def address(value: str) -> str:
    """Accept a bare e-mail address, which goes into SMTP commands unchanged; beyond ASCII by SMTPUTF8 (RFC 6531)."""
    if re.match("mailto:", value, re.IGNORECASE):
        raise ValueError("begins with mailto:, which is for web pages; leave that out")
    if re.fullmatch(r"[^<>]*<[^<>]*>", value):
        raise ValueError("has more than the address; leave out the name and < >")
    local_part, _, name = value.rpartition("@")
    atom = r"[\w!#$%&'*+/=?^`{|}~-]+"
    shape = _in_ascii(local_part)
    if len(local_part.encode("utf-8", "replace")) > 64 or not re.fullmatch(rf"{atom}(\.{atom})*", shape, re.ASCII):
        raise ValueError("is not a valid e-mail address")
    return f"{local_part}@{domain(name)}"


def own_address(value: str) -> str:
    """Accept an e-mail address in ASCII: no relay without SMTPUTF8 would accept any mail from another one."""
    accepted = address(value)
    if not accepted.isascii():
        raise ValueError("is not a valid e-mail address in ASCII")
    return accepted


def _in_ascii(text: str) -> str:
    """Return a text with "x" for each letter, digit and mark beyond ASCII, and all other characters unchanged."""
    if text.isascii():  # as nearly all of ten thousand are, which are read for each mail
        return text
    from unicodedata import category

    return "".join("x" if one > "\x7f" and category(one)[0] in "LNM" else one for one in text)


def domain(value: str) -> str:
    """Return a host or domain name as DNS has it (IDNA, RFC 3490)."""
    label = r"(?!-)[\w-]{1,63}(?<!-)"
    try:
        name = value if value.isascii() else value.encode("idna").decode()
    except UnicodeError:
        name = ""
    if not (value.isascii() or _in_ascii(value).translate(DOTS).isascii()):  # IDNA lets quotes and dashes pass
        name = ""
    if len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name, re.ASCII):
        raise ValueError("does not contain a valid domain name")
    return name


def complete_name(value: str) -> str:
    """Return a host name if other hosts can take it for one, as RFC 5321 section 4.1.4 wants of EHLO; else ""."""
    label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    name = rf"(?!localhost\.)({label}\.)+(?!({PRIVATE}|[0-9]+)$){label}"
    return value if len(value) < 254 and re.fullmatch(name, value, re.ASCII | re.IGNORECASE) else ""


def greeting_name(value: str) -> str:
    """Accept a host name, or an address literal (RFC 5321 section 4.1.3)."""
    return value if re.fullmatch(r"\[(IPv6:)?[0-9A-Fa-f:.]+\]", value) else domain(value)


class Relay(NamedTuple):
    """The parts of option ``host``; None for what is not written."""

    protocol: str | None
    host: str
    port: int | None


def relay(value: str) -> str:
    """Accept a relay in any notation: ``name``, ``name:port``, ``ssl://name``, ``tls://[::1]:25``."""
    relay_parts(value)
    return value


def relay_parts(value: str) -> Relay:
    """Return the parts of a relay in any notation."""
    if re.search(r",|\S;", value):
        raise ValueError("names more than one relay")
    protocol, _, location = value.lower().rpartition("://")
    if protocol in ("smtp", "smtps"):
        raise ValueError(
            f"begins with {protocol}://; {'leave that out' if protocol == 'smtp' else 'write ssl:// instead'}"
        )
    if protocol not in ("", "ssl", "tls"):
        raise ValueError("starts with an unknown protocol")
    if location.count(":") > 1 and "[" not in location:
        location = f"[{location}]"
    match = re.fullmatch(r"(?:\[(?P<v6>.*)\]|(?P<name>[^:]*))(?::(?P<port>.*))?", location)
    if match is None:
        raise ValueError("does not contain a valid host name")
    host = domain(match["name"]) if match["v6"] is None else _ip_version_6(match["v6"])
    return Relay(protocol or None, host, None if match["port"] is None else port_number(match["port"]))


def _ip_version_6(value: str) -> str:
    from ipaddress import IPv6Address

    try:
        return str(IPv6Address(value))
    except ValueError:
        raise ValueError("does not contain a valid IPv6 address") from None


def command(value: str) -> str:
    """Accept a command line whose quotes are closed."""
    import shlex

    with suppress(ValueError):
        if shlex.split(line(value)):
            return value
    raise ValueError("is not a valid command line")


def file(value: str) -> str:
    """Accept the absolute path of a readable file."""
    if not os.path.isabs(value) or not os.path.isfile(value) or not os.access(value, os.R_OK):
        raise ValueError("is not the absolute path of a readable file")
    return value


def path(value: str) -> str:
    """Accept an absolute path, whether or not there is anything."""
    if not os.path.isabs(line(value)):
        raise ValueError("is not an absolute path")
    return value


def language(value: str) -> str:
    """Accept the code of an installed language."""
    if value not in LANGUAGE_CODES:
        raise ValueError("is not an available language")
    return value


def timezone(value: str) -> str:
    """Accept a time zone known to this host."""
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        known = zoneinfo.available_timezones()
        raise ValueError(f"is not a time zone known to this host{did_you_mean(value, known)}") from None
    return value


def country(value: str) -> str:
    """Accept the code of a country (ISO 3166-1 alpha-2), in upper or lower case."""
    if not re.fullmatch("[A-Za-z]{2}", value):
        raise ValueError("is not a country's code of two letters")
    return value.upper()


def date_format(value: str) -> str:
    """Accept a format for ``strftime``."""
    if not datetime(2000, 1, 2, 3, 4, 5).strftime(line(value)).strip():
        raise ValueError("produces an empty date")
    return value


def endpoint(value: str) -> str:
    """Accept the address of a server that is sent secrets."""
    found = re.fullmatch(r"https://(?:\[([^]]*)\]|([^][/:@?#]+))(?::([0-9]+))?([/?#][!-~]*)?", value)
    if not found:
        raise ValueError("is not a valid https:// address")
    version_6, name, port, rest = found.groups()
    if not (rest or "").startswith("/"):
        raise ValueError("has no path after the host")
    host = domain(name) if name else f"[{_ip_version_6(version_6)}]"
    return f"https://{host}{f':{port_number(port)}' if port else ''}{rest}"


def cause(value: str) -> str:
    """Accept a DIALSTATUS of a call that was not answered."""
    word = value.upper()
    if word == "ANSWER":
        raise ValueError("means that the call was answered, and an answered call is never missed")
    if word not in DIAL_STATUSES:
        raise ValueError(f"is not a DIALSTATUS of Asterisk{did_you_mean(value, DIAL_STATUSES)}")
    return word
