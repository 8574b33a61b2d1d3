"""The texts of mails in one language, and how it writes dates and lengths of time."""

from __future__ import annotations

import os
import re
import syslog
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from importlib import import_module

from pbxnotify import log
from pbxnotify.errors import LanguageError
from pbxnotify.namedtuple import NamedTuple

DIRECTORY = os.path.dirname(__file__)
LANGUAGE_CODES = tuple(sorted(name[:-3] for name in os.listdir(DIRECTORY) if re.fullmatch(r"[a-z]{2,3}\.py", name)))
"""The languages, one file each."""
DEFAULT_LANGUAGE = "en"

Forms = tuple[str, ...]  # the forms of a noun after a number, in the order of ``plural``


class Language(NamedTuple):
    """One language; a missing text is an error when its file is read."""

    weekdays: tuple[str, ...]  # Monday first
    months: tuple[str, ...]  # in the form used in a date
    months_alone: tuple[str, ...]  # in the form used without a day
    short_weekdays: tuple[str, ...]
    short_months: tuple[str, ...]
    date: str  # a moment, with {weekday}, {day}, {month}, {year} and {time} such as 15:04
    plural: Callable[[int], int]  # returns which form of a noun a number takes
    hours: Forms
    minutes: Forms
    seconds: Forms
    short_units: tuple[str, str, str]  # hours, minutes and seconds where space is short: ``1 min 5 s``
    decimal_mark: str
    bytes: tuple[str, ...]  # the unit, and its multiples of 1024

    missed_call: str
    missed_call_subject: str  # with {caller}
    why: Mapping[str, str]  # a sentence for each way to miss a call, some with {length}
    left_message: str  # for a missed call whose caller left a voicemail as well
    voicemail: str
    voicemail_subject: str  # with {caller}
    new_message: str  # with {length}

    whose: str  # the label of the caller; labels stand before a colon
    whom: str
    when: str
    rang: str
    mailbox: str
    see_history: str
    listen_in_history: str

    private: str  # in place of a withheld number
    unknown: str  # in place of a number that is not known
    nobody: str  # in place of the extension if it is not known who was called
    no_length: str
    no_mailbox: str

    silent: str
    too_large: str  # with {megabytes} and {mailbox}, which is `` (101)`` or empty, as in those below
    missing: str
    not_attached: str

    held: str  # the subject of an alert; subjects follow the name of the PBX and a colon
    held_text: str  # with {reason}, which is in English, as the replies of relays are
    failed_missed_call: str
    failed_voicemail: str
    failed_text: str  # with {reason} and {item}
    stuck: str
    stuck_text: str  # with {count} and {moment}
    certificate: str
    certificate_text: str  # with {host} and {moment}
    disk_full: str  # with {path}
    disk_line: str  # with {path}, {share} and {inodes} (percentages), {free} and {size}
    disk_advice: str
    disk_gone: str
    disk_gone_text: str  # with {path} and {error}
    check_text: str  # with {command}
    fault: str  # the subject of an alert about a bug, with the {name} of what could not be checked
    no_spool: str
    no_spool_text: str  # with {reason}
    asterisk_down: str
    asterisk_down_text: str  # with {reason}
    asterisk_restarted: str
    asterisk_restarted_text: str  # with {now} and {before}, moments
    trunk_down: str  # with {name}
    trunk_text: str  # with {address} and {said}, Asterisk's own word

    levels: Mapping[str, str]  # the kind of an alert: info, warning, critical
    still: str  # the subject of a reminder, with {subject}
    over: str  # the subject when a problem is resolved, with {subject}
    since: str  # with {moment}
    lasted: str  # with {length}
    several: str  # the subject about several problems, with {subject} of the first and the {count} of the others

    test: str
    test_text: str
    sample_caller: str  # the samples of ``pbxnotify preview``
    sample_alert: str
    sample_alert_text: str

    def moment(self, when: datetime) -> str:
        """Return a date and time in words; UTC is named, as hardly anybody lives by it."""
        weekday, month = self.weekdays[when.weekday()], self.months[when.month - 1]
        text = self.date.format(weekday=weekday, day=when.day, month=month, year=when.year, time=f"{when:%H:%M}")
        return f"{text} UTC" if when.tzname() == "UTC" else text

    def formatted(self, when: datetime, date_format: str) -> str:
        """Return a date and time in a format for ``strftime``, which has names in the C locale's English only."""
        has_day = re.search(r"%[-_0^#]*[cdDeFxvj]", date_format.replace("%%", ""))
        names = {
            "A": self.weekdays[when.weekday()],
            "a": self.short_weekdays[when.weekday()],
            "B": (self.months if has_day else self.months_alone)[when.month - 1],
            "b": self.short_months[when.month - 1],
        }

        def name(match: re.Match[str]) -> str:
            flags, what = match.groups()
            word = names.get("b" if what == "h" else what or "")
            return match[0] if word is None else word.upper() if flags else word

        with_names = re.sub("%(?:%|([#^]?)([AaBbh]))", name, date_format.replace("%c", "%a %b %e %H:%M:%S %Y"))
        return when.strftime(with_names)

    def duration(self, seconds: int) -> str:
        """Return a length of time in words: ``1 minute 5 seconds``."""
        units = (self.hours, self.minutes, self.seconds)
        return " ".join(f"{number} {units[which][self.plural(number)]}" for which, number in _parts(seconds))

    def short_duration(self, seconds: int) -> str:
        """Return a length of time in short form: ``1 min 5 s``."""
        return " ".join(f"{number} {self.short_units[which]}" for which, number in _parts(seconds))


def _parts(seconds: int) -> list[tuple[int, int]]:
    """Return hours (0), minutes (1) and seconds (2) without those that are zero; 0 seconds if all are."""
    seconds = max(seconds, 0)
    parts = enumerate((seconds // 3600, seconds // 60 % 60, seconds % 60))
    return [(which, number) for which, number in parts if number] or [(2, 0)]


@cache
def load_language(code: str) -> Language:
    """Return a language by its code; if its file is broken, English, with a line in the log."""
    try:
        return read_language(code)
    except LanguageError as error:
        if code == DEFAULT_LANGUAGE:
            raise
        log.write(syslog.LOG_ERR, f"{error}; mails are in English")
        return read_language(DEFAULT_LANGUAGE)


def read_language(code: str) -> Language:
    """Return the language in a file. Raises LanguageError."""
    try:
        language: Language = import_module(f"pbxnotify.languages.{code}").LANGUAGE
    except Exception as error:  # it may be wrong in any way
        raise LanguageError(f"{DIRECTORY}/{code}.py: {type(error).__name__}: {error}") from error
    return language
