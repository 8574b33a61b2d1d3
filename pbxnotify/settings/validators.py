"""What may be written for one option, and what it means: each check takes the text and returns the value.

A check raises ``ValueError`` with the end of a sentence that begins with what was written: ``is no e-mail address``.
It never repeats the text itself, which may be a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache

from pbxnotify.languages.language import LANGUAGE_CODES
from pbxnotify.namedtuple import TYPE_CHECKING, NamedTuple
from pbxnotify.phone_number import SHORTEST_MOBILE
from pbxnotify.text import did_you_mean

if TYPE_CHECKING:
    from typing import Any

CAUSES = ("NOANSWER", "CANCEL", "BUSY", "CHANUNAVAIL", "CONGESTION")
DIAL_STATUSES = (*CAUSES, "DONTCALL", "TORTURE", "INVALIDARGS")
AUTHENTICATION = ("password", "oauth2")
AUDIO = ("as-is", "mp3", "wav")
AFTER_MAILING = ("keep", "delete")
YES = ("yes", "true", "on", "1", "да")
NO = ("no", "false", "off", "0", "нет")
NOT_SHOWN = r"[=\n]|:.*@|.{60}"
"""Other options that got into the value by a lost quote or line end, or ``user:password@host``: not shown."""


class Option(NamedTuple):
    """What the ini file may say about one field, and the field's default."""

    check: Callable[[str], object]
    default: object
    """A tuple where several values may be written."""
    write: str
    """What may be written: the comment in the ini file, and the advice after a mistake."""
    label: str
    secret: bool
    name: str
    """The option's name where it is not the field's."""
    field: str = ""

    def value(self, text: str) -> object:
        """Return what a text means; raises ValueError with a whole sentence, which shows the text unless secret."""
        try:
            return self.check(text)
        except ValueError as error:
            what = "the value" if self.secret or re.search(NOT_SHOWN, text) else repr(text)
            comment = "; a comment begins with #" if " ;" in text else ""
            sentence = f"{what} {error}; write {self.write}{comment}"
        raise ValueError(sentence)


def option(
    check: Callable[[str], object],
    default: object,
    write: str,
    label: str = "",
    *,
    secret: bool = False,
    name: str = "",
) -> Any:
    """Declare a field that is an option of the ini file; a tuple as default makes it a list."""
    return Option(check, default, write, label, secret, name)


@cache  # each employee is a section
def options(kind: type) -> dict[str, Option]:
    """Return the options that the fields of a section are, by their names in the ini file."""
    declared: dict[str, object] = getattr(kind, "declared", {})
    return {
        option.name or field: option._replace(field=field)
        for field, option in declared.items()
        if isinstance(option, Option)
    }


def lines(value: str) -> str:
    """Take any text, line breaks included."""
    return value


def line(value: str) -> str:
    """Take a text that fits into a header or onto a command line."""
    if re.search("[\ud800-\udfff]", value):
        raise ValueError("is no text in UTF-8")
    if len(value.splitlines()) > 1 or re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("spans several lines or holds a control character")
    return value


def yes_or_no(value: str) -> bool:
    """Take a word for yes or no, English or Russian."""
    if value.lower() not in YES + NO:
        raise ValueError("is neither yes nor no")
    return value.lower() in YES


def number(value: str, highest: int) -> int:
    """Take a whole number from 1 on."""
    if not re.fullmatch("[0-9]{1,6}", value) or not 1 <= int(value) <= highest:
        raise ValueError(f"is no number from 1 to {highest}")
    return int(value)


def port(value: str) -> int:
    """Take a port; 0 stands for the usual one."""
    return number(value, 65535) if value else 0


def seconds(value: str) -> int:
    """Take a time-out in seconds."""
    return number(value, 600)


def minutes(value: str) -> int:
    """Take how long a mail may wait."""
    return number(value, 10000)


def hours(value: str) -> int:
    """Take the time between two reminders."""
    return number(value, 720)


def days(value: str) -> int:
    """Take how long before its end something is told."""
    return number(value, 365)


def megabytes(value: str) -> int:
    """Take a size that a mail may have."""
    return number(value, 100)


def authentication(value: str) -> str:
    """Take what we log in with."""
    return one_of(AUTHENTICATION, value)


def audio(value: str) -> str:
    """Take a way to attach a recording."""
    return one_of(AUDIO, value)


def after_mailing(value: str) -> str:
    """Take what becomes of a message once it is mailed."""
    return one_of(AFTER_MAILING, value)


def one_of(words: Collection[str], value: str) -> str:
    """Take one of some words, in whatever case."""
    if value.lower() not in words:
        raise ValueError(f"is none of {', '.join(words)}{did_you_mean(value, words)}")
    return value.lower()


def address(value: str) -> str:
    """Take an e-mail address and nothing beside it: it goes into the conversation with the relay as it is."""
    local_part, _, name = value.rpartition("@")
    atom = r"[\w!#$%&'*+/=?^`{|}~-]+"
    if len(local_part) > 64 or not re.fullmatch(rf"{atom}(\.{atom})*", local_part, re.ASCII):
        raise ValueError("is no e-mail address")
    return f"{local_part}@{domain(name)}"


def domain(value: str) -> str:
    """Take a host's or domain's name and return it as DNS knows it (IDNA, RFC 3490)."""
    label = r"(?!-)[\w-]{1,63}(?<!-)"
    try:
        name = value if value.isascii() else value.encode("idna").decode()
    except UnicodeError:
        name = ""
    if len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name, re.ASCII):
        raise ValueError("holds no valid domain name")
    return name


def relay(value: str) -> str:
    """Take a relay as the admin writes it: ``name``, ``name:port``, ``ssl://name``, ``tls://[::1]:25``."""
    relay_parts(value)
    return value


def relay_parts(value: str) -> tuple[str, str, int]:
    """Return protocol, host and port of a relay: "" and 0 for what is not written."""
    protocol, _, rest = value.lower().rpartition("://")
    if protocol not in ("", "ssl", "tls"):
        raise ValueError("starts with an unknown protocol")
    if rest.count(":") > 1 and "[" not in rest:
        rest = f"[{rest}]"
    match = re.fullmatch(r"(?:\[(?P<v6>.*)\]|(?P<name>[^:]*))(?::(?P<port>.*))?", rest)
    if match is None:
        raise ValueError("holds no valid host name")
    host = domain(match["name"]) if match["v6"] is None else _ip_version_6(match["v6"])
    return protocol, host, 0 if match["port"] is None else number(match["port"], 65535)


def _ip_version_6(value: str) -> str:
    from ipaddress import IPv6Address

    try:
        return str(IPv6Address(value))
    except ValueError:
        raise ValueError("holds no valid IPv6 address") from None


def command(value: str) -> str:
    """Take a command line whose quotes are closed."""
    import shlex

    try:
        if shlex.split(line(value)):
            return value
    except ValueError:
        pass
    raise ValueError("is no command line")


def file(value: str) -> str:
    """Take the absolute path of a file that can be read."""
    if not os.path.isabs(value) or not os.path.isfile(value) or not os.access(value, os.R_OK):
        raise ValueError("is no file that can be read, with its whole path")
    return value


def path(value: str) -> str:
    """Take an absolute path, whatever is there at the moment."""
    if not os.path.isabs(line(value)):
        raise ValueError("does not begin with /")
    return value


def language(value: str) -> str:
    """Take one of our languages."""
    if value not in LANGUAGE_CODES:
        raise ValueError("is no language of ours")
    return value


def timezone(value: str) -> str:
    """Take a time zone this host knows."""
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        known = zoneinfo.available_timezones()
        raise ValueError(f"is no time zone of this host{did_you_mean(value, known)}") from None
    return value


def date_format(value: str) -> str:
    """Take a format that ``strftime`` can render."""
    if not datetime(2000, 1, 2, 3, 4, 5).strftime(line(value)).strip():
        raise ValueError("renders nothing")
    return value


def link(value: str) -> str:
    """Take the address of a web page."""
    if not re.fullmatch(r"https?://[^\s<>\"]+", line(value)):
        raise ValueError("is no address of a web page")
    return value


def endpoint(value: str) -> str:
    """Take the address of something that is told secrets."""
    found = re.fullmatch(r"https://([^/:@]+)(?::([0-9]+))?/[!-~]*", value)
    if not found:
        raise ValueError("is no address that begins with https:// and a host's name")
    number(found[2] or "443", 65535)
    return f"https://{domain(found[1])}{value[found.end(1) :]}"


def tenant(value: str) -> str:
    """Take what names a tenant within an address."""
    if not re.fullmatch(r"[\w.-]+", value, re.ASCII):
        raise ValueError("is no name or id of a tenant")
    return value


def cause(value: str) -> str:
    """Take a DIALSTATUS that leaves a call unanswered."""
    word = value.upper()
    if word == "ANSWER":
        raise ValueError("means that somebody answered, and such a call is never missed")
    if word not in DIAL_STATUSES:
        raise ValueError(f"is no DIALSTATUS of Asterisk{did_you_mean(value, DIAL_STATUSES)}")
    return word


def mobile(value: str) -> str:
    """Take a telephone number however it is written."""
    if not re.fullmatch(r"[\d ()+./-]+", value, re.ASCII) or len(re.sub(r"\D", "", value)) < SHORTEST_MOBILE:
        raise ValueError("is no mobile number")
    return value


def extension(value: str) -> str:
    """Take an extension as the dialplan writes it."""
    if not re.fullmatch(r"[\w*#+.-]+", value, re.ASCII):
        raise ValueError("is no extension")
    return value
