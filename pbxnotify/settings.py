"""pbxnotify.ini -> frozen Settings; each option declared once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache

from pbxnotify import values
from pbxnotify.frozen import NamedTuple
from pbxnotify.inifile import IniFile
from pbxnotify.installation import configuration_directory
from pbxnotify.language import DEFAULT
from pbxnotify.oauth2 import OAuth2
from pbxnotify.relay import Smtp
from pbxnotify.system import Check, System
from pbxnotify.values import option, yes_or_no

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
        values.address,
        (),
        "name@example.com, several with commas between; gets the alerts",
        "System administrator e-mail / Email системного администратора",
    )
    pbx_name: str = option(values.line, "", "the name of this PBX in mails; empty: the host's name")
    language: str = option(values.language, DEFAULT, LANGUAGES)
    timezone: str = option(values.timezone, "", "a name such as Europe/Moscow; empty: the system's time zone")
    date_format: str = option(values.date_format, "%Y-%m-%d %H:%M:%S", HOW_TO_DATE)
    history_url: str = option(
        values.link,
        "",
        "https://..., LINKEDID and UNIQUEID in it become the call's; empty: there is no call history",
    )
    phone_book: str = option(
        values.path,
        "",
        "the path of a CSV file, number,name in each line, which names callers; empty: there is no phone book",
    )
    show_private_numbers: bool = option(yes_or_no, False, "yes to show numbers that callers withhold, or no")


class MissedCalls(NamedTuple):
    """The mails about missed calls; an empty template is the built-in text of the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send no mail about missed calls")
    email: tuple[str, ...] = option(
        values.address,
        (),
        "name@example.com, several with commas between; gets what fits no employee with an e-mail",
        "E-mail for missed calls / Email для уведомлений о пропущенных",
    )
    causes: tuple[str, ...] = option(values.cause, values.CAUSES, f"words out of {', '.join(values.DIAL_STATUSES)}")
    internal_calls: bool = option(yes_or_no, True, "yes, or no to leave out calls between employees")
    after_voicemail: bool = option(
        yes_or_no, False, "yes to tell of a missed call although a voicemail was left, or no"
    )
    subject: str = option(values.line, "", HOW_TO_SUBJECT, "Subject / Тема")
    body: str = option(values.lines, "", HOW_TO_TEXT, "Text / Текст")
    footer: str = option(values.lines, "", HOW_TO_TEXT, "Footer / Подвал")


class Voicemail(NamedTuple):
    """The mails about voicemail; an empty template is the built-in text of the recipient's language."""

    enabled: bool = option(yes_or_no, True, "yes, or no to send a mail about the missed call instead")
    email: tuple[str, ...] = option(
        values.address,
        (),
        "name@example.com, several with commas between; always gets it, whoever missed the call",
        "Single e-mail for voicemail / Единый Email для отправки сообщений голосовой почты",
    )
    attach: bool = option(yes_or_no, True, "yes to attach the recording, or no")
    audio: str = option(values.audio, "wav", "as-is, mp3 (small; needs lame or ffmpeg) or wav (plays everywhere)")
    max_attachment: int = option(
        values.megabytes, 14, "a number from 1 to 100: the largest recording that is attached, in MB"
    )
    after_mailing: str = option(
        values.after_mailing, "keep", "keep, or delete to empty the mailbox of what was mailed with its recording"
    )
    subject: str = option(values.line, "", HOW_TO_VOICEMAIL_SUBJECT, "Subject / Тема")
    body: str = option(values.lines, "", HOW_TO_TEXT, "Text / Текст")
    footer: str = option(values.lines, "", HOW_TO_TEXT, "Footer / Подвал")


class Employee(NamedTuple):
    """Whom an extension or mobile number belongs to; ``language`` is empty for the installation's."""

    extension: str
    name: str = option(values.line, "", "the name shown in mails")
    emails: tuple[str, ...] = option(values.address, (), "name@example.com, several with commas between", name="email")
    mobiles: tuple[str, ...] = option(
        values.mobile, (), "a number with at least 5 digits, several with commas between", name="mobile"
    )
    language: str = option(values.language, "", f"{LANGUAGES}; empty: language of [notifications]")
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


SECTIONS = {
    "smtp": Smtp,
    "oauth2": OAuth2,
    "notifications": Notifications,
    "missed_calls": MissedCalls,
    "voicemail": Voicemail,
    "system": System,
    "employees": Employee,
}


def location(option: str | None = None) -> str:
    """Return where the ini file is: ``--config``, $PBXNOTIFY_CONFIG, or in Asterisk's configuration directory."""
    return option or os.environ.get("PBXNOTIFY_CONFIG") or f"{configuration_directory()}/pbxnotify.ini"


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Return a text that differs whenever the file was changed, or its owner or rights."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}-{status.st_ino}"


def load(path: str | os.PathLike[str], content: bytes | None = None) -> Settings:
    """Return the settings in a file, or in what it is to hold; raises SettingsError with everything that is wrong."""
    ini = IniFile(os.fspath(path), SECTIONS, content)
    oauth2 = ini.fill(OAuth2, "oauth2")
    smtp = ini.fill(Smtp, "smtp")._replace(oauth2=oauth2.filled())
    for names, what in smtp.contradictions():
        ini.contradiction("smtp", names, what)
    for names, what in oauth2.lacks() if smtp.wants_token else ():
        ini.contradiction("oauth2", names, what)
    notifications, missed_calls = ini.fill(Notifications, "notifications"), ini.fill(MissedCalls, "missed_calls")
    voicemail = ini.fill(Voicemail, "voicemail")
    system = ini.fill(System, "system", checks=tuple(_checks(ini)), with_sections=True)
    employees = tuple(_employees(ini))
    ini.raise_problems()
    return Settings(ini.path, smtp.connection(), notifications, missed_calls, voicemail, system, employees)


@lru_cache(maxsize=1)  # a queue of thousands is sent with one reading, and the monitor needs one
def load_as_of(path: str, fingerprint: str) -> Settings:
    """Return the settings in a file with this fingerprint; raises SettingsError as ``load`` does."""
    return load(path)


def _checks(ini: IniFile) -> Iterator[Check]:
    """Yield the checks, and note one without a command."""
    for name in ini.sections("system"):
        check = ini.fill(Check, "system", name, name=name)
        if not check.command:
            ini.missing(("system", name), "command", "there is no command here; write command = ...")
        yield check


def _employees(ini: IniFile) -> Iterator[Employee]:
    """Yield the employees, and note a mobile number that two of them have."""
    owners: dict[str, str] = {}
    for extension in ini.subsections("employees"):
        employee = ini.fill(Employee, "employees", extension, extension=extension)
        try:
            values.extension(extension)
        except ValueError as error:
            ini.problem(("employees", extension, ""), f"this {error}; write the number that rings, such as [[101]]")
        for mobile in employee.mobiles:
            owner = owners.setdefault(values.national(mobile), extension)
            if owner != extension:
                what = f"{mobile!r} belongs to [[{owner}]] already; remove it from one of them"
                ini.problem(("employees", extension, "mobile"), what)
        yield employee
