"""The sections of pbxnotify.ini as frozen types; each option is declared once."""

from __future__ import annotations

import re
import socket
from datetime import datetime, timezone, tzinfo

from pbxnotify.languages.language import DEFAULT_LANGUAGE
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.phone_number import SHORTEST_MOBILE, national
from pbxnotify.settings import validators
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.smtp import Smtp
from pbxnotify.settings.validators import option, yes_or_no

UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
FEW_INODES = 0.05
"""The share of free inodes that is too small where the least room is given in bytes."""


class Least(NamedTuple):
    """The room that must be free: a share of the whole, or so many bytes."""

    share: float = 0.0
    bytes: int = 0

    @property
    def share_of_inodes(self) -> float:
        """Return the share of inodes that must be free."""
        return self.share or FEW_INODES


def least_room(text: str) -> Least:
    """Return what ``10 %`` or ``2 GB`` means; raises ValueError."""
    found = re.fullmatch(r"(\d{1,6}(?:[.,]\d+)?)\s*(?:(%)|([KMGT]?)i?B?)", text.strip(), re.ASCII | re.IGNORECASE)
    if not found:
        raise ValueError("is neither a percentage nor a number of bytes")
    number = float(found[1].replace(",", "."))
    if not found[2]:
        return Least(bytes=int(number * UNITS[found[3].upper()]))
    if not 0 < number < 100:
        raise ValueError("is no percentage between 0 and 100")
    return Least(share=number / 100)


A_TENTH = Least(share=0.1)
DISK = r"(.+?)(?:\s+(\d[\d.,]*\s*(?:%|[KMGT]?i?B)))?"
"""A path, and perhaps the room that must be free there."""


class Check(NamedTuple):
    """A command with the convention of monitoring plugins."""

    name: str
    command: str = option(
        validators.command,
        "",
        "a command line; exit status 0 well, 1 warning, 2 critical; its first line is the message",
    )
    timeout: int = option(validators.seconds, 30, "seconds after which it is killed, 1 to 600")


def path_and_least(value: str) -> tuple[str, Least | None]:
    """Take the path of a disk, and the room that must be free there if it is its own."""
    found = re.fullmatch(DISK, validators.line(value), re.IGNORECASE)
    path, room = found.groups() if found else (value, None)
    return validators.path(path), least_room(room) if room else None


class System(NamedTuple):
    """What the administrator is told of this machine."""

    disks: tuple[tuple[str, Least | None], ...] = option(
        path_and_least,
        (),
        "paths, each with its own disk_free if need be, as in /var/log 2 GB; empty: Asterisk's spool and log, and ours",
    )
    disk_free: Least = option(least_room, A_TENTH, "the room that must be free: 10 % or 500 MB")
    asterisk: bool = option(yes_or_no, True, "yes to tell when Asterisk does not run or was restarted, or no")
    trunks: bool = option(
        yes_or_no, True, "yes to tell of registrations and fixed contacts (PJSIP) that are lost, or no"
    )
    stuck_minutes: int = option(validators.minutes, 60, "minutes that a mail may wait before it is told, 1 to 10000")
    certificate_days: int = option(
        validators.days, 14, "days before the end of the relay's certificate that it is told, 1 to 365"
    )
    remind_hours: int = option(
        validators.hours, 24, "hours after which a problem that is still there is told again, 1 to 720"
    )
    checks: tuple[Check, ...] = ()


LANGUAGES = "en, ru, or another file in pbxnotify/languages"
HOW_TO_SUBJECT = "a text with NOTIFICATION_ parameters in it; empty: the text of the recipient's language"
HOW_TO_VOICEMAIL_SUBJECT = "a text with VM_ parameters in it; empty: the text of the recipient's language"
HOW_TO_DATE = "a date as strftime takes it, for NOTIFICATION_DATE and VM_DATE"
HOW_TO_TEXT = "a text or HTML between three quotes; empty: the built-in text"


class Notifications(NamedTuple):
    """What concerns all mails."""

    enabled: bool = option(
        yes_or_no, True, "yes, or no to send no mail at all", "Use notifications / Использовать оповещения"
    )
    admin_email: tuple[str, ...] = option(
        validators.address,
        (),
        "name@example.com, several with commas between; gets the alerts",
        "System administrator e-mail / Email системного администратора",
    )
    pbx_name: str = option(validators.line, "", "the name of this PBX in mails; empty: the host's name")
    language: str = option(validators.language, DEFAULT_LANGUAGE, LANGUAGES)
    timezone: str = option(validators.timezone, "", "a name such as Europe/Moscow; empty: the system's time zone")
    date_format: str = option(validators.date_format, "%Y-%m-%d %H:%M:%S", HOW_TO_DATE)
    history_url: str = option(
        validators.link,
        "",
        "https://..., LINKEDID and UNIQUEID in it become the call's; empty: there is no call history",
    )
    phone_book: str = option(
        validators.path,
        "",
        "the path of a CSV file, number,name in each line, which names callers; empty: there is no phone book",
    )
    show_private_numbers: bool = option(yes_or_no, False, "yes to show numbers that callers withhold, or no")


class MissedCalls(NamedTuple):
    """The mails about missed calls; an empty template is the built-in text of the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send no mail about missed calls")
    email: tuple[str, ...] = option(
        validators.address,
        (),
        "name@example.com, several with commas between; gets what fits no employee with an e-mail",
        "E-mail for missed calls / Email для уведомлений о пропущенных",
    )
    causes: tuple[str, ...] = option(
        validators.cause, validators.CAUSES, f"words out of {', '.join(validators.DIAL_STATUSES)}"
    )
    internal_calls: bool = option(yes_or_no, True, "yes, or no to leave out calls between employees")
    after_voicemail: bool = option(
        yes_or_no, False, "yes to tell of a missed call although a voicemail was left, or no"
    )
    subject: str = option(validators.line, "", HOW_TO_SUBJECT, "Subject / Тема")
    body: str = option(validators.lines, "", HOW_TO_TEXT, "Text / Текст")
    footer: str = option(validators.lines, "", HOW_TO_TEXT, "Footer / Подвал")


class Voicemail(NamedTuple):
    """The mails about voicemail; an empty template is the built-in text of the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send a mail about the missed call instead")
    email: tuple[str, ...] = option(
        validators.address,
        (),
        "name@example.com, several with commas between; always gets it, whoever missed the call",
        "Single e-mail for voicemail / Единый Email для отправки сообщений голосовой почты",
    )
    attach: bool = option(yes_or_no, True, "yes to attach the recording, or no")
    audio: str = option(validators.audio, "wav", "as-is, mp3 (small; needs lame or ffmpeg) or wav (plays everywhere)")
    max_attachment: int = option(
        validators.megabytes, 14, "a number from 1 to 100: the largest recording that is attached, in MB"
    )
    after_mailing: str = option(
        validators.after_mailing, "keep", "keep, or delete to empty the mailbox of what was mailed with its recording"
    )
    subject: str = option(validators.line, "", HOW_TO_VOICEMAIL_SUBJECT, "Subject / Тема")
    body: str = option(validators.lines, "", HOW_TO_TEXT, "Text / Текст")
    footer: str = option(validators.lines, "", HOW_TO_TEXT, "Footer / Подвал")


class Employee(NamedTuple):
    """Whom an extension or mobile number belongs to; ``language`` is empty for the installation's."""

    extension: str
    name: str = option(validators.line, "", "the name shown in mails")
    emails: tuple[str, ...] = option(
        validators.address, (), "name@example.com, several with commas between", name="email"
    )
    mobiles: tuple[str, ...] = option(
        validators.mobile, (), "a number with at least 5 digits, several with commas between", name="mobile"
    )
    language: str = option(validators.language, "", f"{LANGUAGES}; empty: language of [notifications]")
    missed_calls: bool = option(yes_or_no, True, "yes, or no to tell this employee of no missed call")
    voicemail: bool = option(yes_or_no, True, "yes, or no to send this employee no voicemail")


class Settings(NamedTuple):
    """The whole ini file."""

    path: str
    smtp: Smtp = Smtp()
    notifications: Notifications = Notifications()
    missed_calls: MissedCalls = MissedCalls()
    voicemail: Voicemail = Voicemail()
    system: System = System()
    employees: tuple[Employee, ...] = ()

    @property
    def pbx_name(self) -> str:
        """Return the name of this PBX: the admin's, else the host's (without asking DNS)."""
        return self.notifications.pbx_name or socket.gethostname()

    def moment(self, epoch: float) -> datetime:
        """Return a moment in the admin's time zone, else in the system's."""
        return datetime.fromtimestamp(epoch, timezone.utc).astimezone(self._zone())

    def employee(self, number: str) -> Employee | None:
        """Return the employee with this extension, else with this mobile number however it is written."""
        digits = national(number)
        by_mobile = None
        for employee in self.employees:
            if employee.extension == number:
                return employee
            if by_mobile is None and len(digits) >= SHORTEST_MOBILE and digits in map(national, employee.mobiles):
                by_mobile = employee
        return by_mobile

    def _zone(self) -> tzinfo | None:
        if not self.notifications.timezone:
            return None
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.notifications.timezone)


SECTIONS = {
    "smtp": Smtp,
    "oauth2": OAuth2,
    "notifications": Notifications,
    "missed_calls": MissedCalls,
    "voicemail": Voicemail,
    "system": System,
    "employees": Employee,
}
