"""The sections of pbxnotify.ini as frozen types; each option is declared once."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timezone, tzinfo

from pbxnotify.languages.language import DEFAULT_LANGUAGE
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import SHORTEST_MOBILE, is_same_number, national
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.options import option
from pbxnotify.settings.smtp import Smtp
from pbxnotify.settings.validators import address, cause, line, lines, link, mobile, number, one_of, path, yes_or_no

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
FEW_INODES = 0.05  # the share of free inodes that is too small where the limit is given in bytes


class Least(NamedTuple):
    """The least free space allowed: a share of the filesystem, or a number of bytes."""

    share: float = 0.0
    bytes: int = 0

    @property
    def share_of_inodes(self) -> float:
        """Return the share of inodes that must be free."""
        return self.share or FEW_INODES


def least_room(text: str) -> Least:
    """Return the limit that ``10 %`` or ``2 GB`` stands for; raises ValueError."""
    found = re.fullmatch(r"(\d{1,6}(?:[.,]\d+)?)\s*(?:(%)|([KMGT]?)i?B?)", text.strip(), re.ASCII | re.IGNORECASE)
    if not found:
        raise ValueError("is neither a percentage nor a number of bytes")
    amount = float(found[1].replace(",", "."))
    if not found[2]:
        return Least(bytes=int(amount * UNITS[found[3].upper()]))
    if not 0 < amount < 100:
        raise ValueError("is not a percentage between 0 and 100")
    return Least(share=amount / 100)


class Check(NamedTuple):
    """A command that follows the conventions of monitoring plugins."""

    name: str
    command: str = option(
        validators.command, "", "a command; exit status 0 ok, 1 warning, 2 critical; first line: the message"
    )
    timeout: int = option(number(600), 30, "seconds before it is killed, 1 to 600")


class Disk(NamedTuple):
    """A path whose filesystem is watched, and its own limit if it has one."""

    path: str
    least: Least | None


def disk(value: str) -> Disk:
    """Return what ``/var/log 2 GB`` stands for: a path, and perhaps the space that must be free there."""
    pattern = r"(.+?)(?:\s+(\d[\d.,]*\s*(?:%|[KMGT]?i?B)))?"
    found = re.fullmatch(pattern, line(value), re.IGNORECASE)
    where, limit = found.groups() if found else (value, None)
    return Disk(path(where), least_room(limit) if limit else None)


class System(NamedTuple):
    """What ``pbxnotify monitor`` watches on this host."""

    disks: tuple[Disk, ...] = option(
        disk,
        (),
        "paths, each with its own disk_free if needed, as in /var/log 2 GB; empty: Asterisk's spool and log, and the"
        " spool of pbxnotify",
    )
    disk_free: Least = option(least_room, Least(share=0.1), "the least free space allowed, as in 10 % or 500 MB")
    asterisk: bool = option(yes_or_no, True, "yes to alert when Asterisk is not running or has restarted, or no")
    trunks: bool = option(yes_or_no, True, "yes to alert when a registration or fixed contact (PJSIP) is lost, or no")
    stuck_minutes: int = option(number(10000), 60, "minutes a mail may wait in the queue before an alert, 1 to 10000")
    certificate_days: int = option(number(365), 14, "days of warning before the relay's certificate expires, 1 to 365")
    remind_hours: int = option(number(720), 24, "hours between reminders of an unresolved problem, 1 to 720")
    checks: tuple[Check, ...] = ()


ADDRESSES = "name@example.com, several separated by commas"
LANGUAGES = "en, ru, or another file in pbxnotify/languages"
SUBJECT = "a text with {} variables; empty: the built-in text in the recipient's language"
TEXT = "a text or HTML in triple quotes; empty: the built-in text"


class Notifications(NamedTuple):
    """Settings of all mails."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send no mail at all")
    admin_email: tuple[str, ...] = option(address, (), f"{ADDRESSES}; receives the alerts")
    pbx_name: str = option(line, "", "the name of this PBX in mails; empty: the host name")
    language: str = option(validators.language, DEFAULT_LANGUAGE, LANGUAGES)
    timezone: str = option(validators.timezone, "", "a name such as Europe/Moscow; empty: the system's time zone")
    country: str = option(validators.country, "", "the office's, as in RU or US; empty: by time zone and language")
    date_format: str = option(
        validators.date_format, "%Y-%m-%d %H:%M:%S", "a strftime format, for NOTIFICATION_DATE and VM_DATE"
    )
    history_url: str = option(link, "", "https://..., with LINKEDID and UNIQUEID replaced by the call's; empty: none")
    phone_book: str = option(path, "", "the path of a CSV file of callers, number,name on each line; empty: none")
    show_private_numbers: bool = option(yes_or_no, False, "yes to show withheld numbers, or no")


class MissedCalls(NamedTuple):
    """Mails about missed calls; an empty template stands for the built-in text in the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send no mail about missed calls")
    email: tuple[str, ...] = option(address, (), f"{ADDRESSES}; for extensions without e-mail")
    causes: tuple[str, ...] = option(cause, validators.CAUSES, f"any of {', '.join(validators.DIAL_STATUSES)}")
    internal_calls: bool = option(yes_or_no, True, "yes, or no to ignore calls between employees")
    after_voicemail: bool = option(
        yes_or_no, False, "yes to mail about a missed call even if a voicemail was left, or no"
    )
    subject: str = option(line, "", SUBJECT.format("NOTIFICATION_"))
    body: str = option(lines, "", TEXT)
    footer: str = option(lines, "", TEXT)


class Voicemail(NamedTuple):
    """Mails about voicemail; an empty template stands for the built-in text in the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send a mail about the missed call instead")
    email: tuple[str, ...] = option(address, (), f"{ADDRESSES}; notified of every voicemail")
    attach: bool = option(yes_or_no, True, "yes to attach the recording, or no")
    audio: str = option(
        one_of("as-is", "mp3", "wav"), "wav", "as-is, mp3 (small; needs lame or ffmpeg) or wav (plays everywhere)"
    )
    max_attachment: int = option(number(100), 14, "the largest recording to attach, 1 to 100 MB")
    after_mailing: str = option(
        one_of("keep", "delete"), "keep", "keep, or delete to remove a message that was mailed with its recording"
    )
    subject: str = option(line, "", SUBJECT.format("VM_"))
    body: str = option(lines, "", TEXT)
    footer: str = option(lines, "", TEXT)


class Employee(NamedTuple):
    """Who has an extension or mobile number; an empty ``language`` stands for the one in [notifications]."""

    extension: str
    name: str = option(line, "", "the name shown in mails")
    emails: tuple[str, ...] = option(address, (), ADDRESSES, name="email")
    mobiles: tuple[str, ...] = option(
        mobile, (), "a number with at least 5 digits, several separated by commas", name="mobile"
    )
    language: str = option(validators.language, "", f"{LANGUAGES}; empty: as in [notifications]")
    missed_calls: bool = option(yes_or_no, True, "yes, or no to send this employee no mail about missed calls")
    voicemail: bool = option(yes_or_no, True, "yes, or no to send this employee no mail about voicemail")


class Group(NamedTuple):
    """Employees who are rung together under one number: a ring group or a queue."""

    extension: str
    name: str = option(line, "", "the name shown in mails")
    emails: tuple[str, ...] = option(address, (), f"{ADDRESSES}; notified like an employee", name="email")
    members: tuple[str, ...] = option(
        validators.extension, (), "extensions of employees, who are notified as well, separated by commas"
    )


class Settings(NamedTuple):
    """The whole ini file."""

    path: str
    smtp: Smtp = Smtp()
    notifications: Notifications = Notifications()
    missed_calls: MissedCalls = MissedCalls()
    voicemail: Voicemail = Voicemail()
    system: System = System()
    groups: tuple[Group, ...] = ()
    employees: tuple[Employee, ...] = ()

    @property
    def names_nobody(self) -> bool:
        """Return whether there is no address in the whole file, as in the one that is installed."""
        common = self.notifications.admin_email or self.missed_calls.email or self.voicemail.email
        return not (common or any(card.emails for card in self.employees) or any(one.emails for one in self.groups))

    @property
    def pbx_name(self) -> str:
        """Return the name of this PBX as configured, else the host name (without asking DNS)."""
        return self.notifications.pbx_name or socket.gethostname()

    @property
    def country(self) -> str:
        """Return the code of the country that the office is in as configured, else as guessed; empty if unknown."""
        from pbxnotify.settings.country import guessed_country

        one = self.notifications
        return one.country or guessed_country(one.timezone, one.language)

    def moment(self, epoch: float) -> datetime:
        """Return a time in the configured time zone, else in the system's; ``epoch`` is in seconds."""
        zone: tzinfo | None = None
        if self.notifications.timezone:
            from zoneinfo import ZoneInfo

            zone = ZoneInfo(self.notifications.timezone)
        return datetime.fromtimestamp(epoch, timezone.utc).astimezone(zone)

    def employee(self, number: str) -> Employee | None:
        """Return the employee with this extension, else with this mobile number in any notation.

        ``101@company-b`` is the employee of a mailbox in another context, if there is such a card.
        """
        by_extension = (one for one in self.employees if one.extension == number)
        with_mobiles = self.employees if len(national(number)) >= SHORTEST_MOBILE else ()
        by_mobile = (one for one in with_mobiles if any(is_same_number(number, mobile) for mobile in one.mobiles))
        return next(by_extension, None) or next(by_mobile, None)

    def group(self, number: str) -> Group | None:
        """Return the group with this number."""
        return next((one for one in self.groups if one.extension == number), None)

    def card(self, number: str) -> Group | Employee | None:
        """Return the card of a group or employee with this number."""
        return self.group(number) or self.employee(number)


SECTIONS = {
    "smtp": Smtp,
    "oauth2": OAuth2,
    "notifications": Notifications,
    "missed_calls": MissedCalls,
    "voicemail": Voicemail,
    "system": System,
    "groups": Group,
    "employees": Employee,
}
