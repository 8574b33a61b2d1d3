"""From pbxnotify.ini to frozen Settings: where the file is, what is wrong with it, whether it has changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache

from pbxnotify.asterisk.config import configuration_directory
from pbxnotify.phone_number import SHORTEST_NATIONAL, is_same_number, national
from pbxnotify.settings import sections, validators
from pbxnotify.settings.inifile import IniFile
from pbxnotify.settings.oauth2 import OAuth2
from pbxnotify.settings.sections import SECTIONS, Check, Employee, Group, Settings
from pbxnotify.settings.smtp import Smtp


def ini_path(option: str | None = None) -> str:
    """Return the path of the ini file: ``--config``, $PBXNOTIFY_CONFIG, or in Asterisk's configuration directory."""
    return option or os.environ.get("PBXNOTIFY_CONFIG") or f"{configuration_directory()}/pbxnotify.ini"


def ini_fingerprint(path: str | os.PathLike[str]) -> str:
    """Return a text that changes whenever the file, its owner or its permissions do."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}-{status.st_ino}"


def load_settings(path: str | os.PathLike[str], content: bytes | None = None) -> Settings:
    """Return the settings in a file, or in its future content; raises SettingsError with all mistakes."""
    ini = IniFile(os.fspath(path), SECTIONS, content)
    oauth2 = ini.fill(OAuth2, "oauth2")
    smtp = ini.fill(Smtp, "smtp")._replace(oauth2=oauth2.with_defaults())
    for conflict in smtp.conflicts():
        ini.conflict("smtp", conflict)
    for conflict in oauth2.conflicts() if smtp.wants_token else ():
        ini.conflict("oauth2", conflict)
    notifications = ini.fill(sections.Notifications, "notifications")
    missed_calls = ini.fill(sections.MissedCalls, "missed_calls")
    voicemail = ini.fill(sections.Voicemail, "voicemail")
    system = ini.fill(sections.System, "system", checks=tuple(_checks(ini)), with_sections=True)
    employees = tuple(_employees(ini))
    groups = tuple(_groups(ini, employees))
    ini.raise_problems()
    return Settings(ini.path, smtp.connection(), notifications, missed_calls, voicemail, system, groups, employees)


@lru_cache(maxsize=1)  # sending a queue of thousands reads the file once, and so does the monitor
def load_settings_as_of(path: str, fingerprint: str) -> Settings:
    """Return the settings in a file with this fingerprint; raises SettingsError as ``load_settings`` does."""
    return load_settings(path)


def _checks(ini: IniFile) -> Iterator[Check]:
    for name in ini.sections("system"):
        check = ini.fill(Check, "system", name, name=name)
        if not check.command:
            ini.missing(("system", name), "command", "command is missing; write command = ...")
        yield check


def _employees(ini: IniFile) -> Iterator[Employee]:
    owners: dict[str, list[tuple[str, str]]] = {}  # mobile numbers and extensions, by what the same ones have in common
    for extension in ini.sections("employees", only=True):
        employee = ini.fill(Employee, "employees", extension, extension=extension)
        _check_number(ini, "employees", extension)
        for mobile in employee.mobiles:
            alike = owners.setdefault(national(mobile)[-SHORTEST_NATIONAL:], [])
            owner = next((other for number, other in alike if is_same_number(number, mobile)), extension)
            alike.append((mobile, extension))
            if owner != extension:
                what = f"{mobile!r} already belongs to [[{owner}]]; remove it from one of them"
                ini.problem(("employees", extension, "mobile"), what)
        yield employee


def _groups(ini: IniFile, employees: tuple[Employee, ...]) -> Iterator[Group]:
    known = {employee.extension for employee in employees}
    for number in ini.sections("groups", only=True):
        group = ini.fill(Group, "groups", number, extension=number)
        _check_number(ini, "groups", number)
        if number in known:
            ini.problem(("groups", number, ""), f"[[{number}]] is an employee as well; remove one of the two cards")
        yield group


def _check_number(ini: IniFile, section: str, number: str) -> None:
    try:
        validators.extension(number)
    except ValueError as error:
        ini.problem((section, number, ""), f"this {error}; write the dialled number, such as [[101]]")
