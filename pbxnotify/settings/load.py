"""pbxnotify.ini -> frozen Settings; each option declared once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache

from pbxnotify.asterisk.config import configuration_directory
from pbxnotify.phone_number import national
from pbxnotify.settings import validators
from pbxnotify.settings.inifile import IniFile
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.sections import (
    SECTIONS,
    Check,
    Employee,
    MissedCalls,
    Notifications,
    Settings,
    System,
    Voicemail,
)
from pbxnotify.settings.smtp import Smtp


def ini_path(option: str | None = None) -> str:
    """Return where the ini file is: ``--config``, $PBXNOTIFY_CONFIG, or in Asterisk's configuration directory."""
    return option or os.environ.get("PBXNOTIFY_CONFIG") or f"{configuration_directory()}/pbxnotify.ini"


def ini_fingerprint(path: str | os.PathLike[str]) -> str:
    """Return a text that differs whenever the file was changed, or its owner or rights."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}-{status.st_ino}"


def load_settings(path: str | os.PathLike[str], content: bytes | None = None) -> Settings:
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
def load_settings_as_of(path: str, fingerprint: str) -> Settings:
    """Return the settings in a file with this fingerprint; raises SettingsError as ``load`` does."""
    return load_settings(path)


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
            validators.extension(extension)
        except ValueError as error:
            ini.problem(("employees", extension, ""), f"this {error}; write the number that rings, such as [[101]]")
        for mobile in employee.mobiles:
            owner = owners.setdefault(national(mobile), extension)
            if owner != extension:
                what = f"{mobile!r} belongs to [[{owner}]] already; remove it from one of them"
                ini.problem(("employees", extension, "mobile"), what)
        yield employee
