"""A new version of the ini file: options changed in its text, everything else kept, put in its place at once."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pbxnotify.errors import SettingsError
from pbxnotify.inifile import extents, inline_comment

SIMPLE = re.compile(r"[\w@.:/+*%-]+(, [\w@.:/+*%-]+)*")
"""A value that needs no quotes: a word, or a list of words such as addresses."""
QUOTES = ('"', "'", "'''", '"""')


def changed(text: str, values: Mapping[tuple[str, str], str]) -> str:
    """Return the text of an ini file with the options of its sections changed; comments and all else stay.

    An option that is not there is added to its section, a section at the end. Raises SettingsError for a value that no
    quotes hold.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    for (section, option), value in values.items():
        _change(lines, section, option, value)
    return newline.join(lines)


def _change(lines: list[str], section: str, option: str, value: str) -> None:
    written = f"{option} = {quoted(value)}"
    places = list(extents(lines))
    for first, last, place in places:
        if place == (section, option):
            line = lines[first - 1]
            indent = line[: len(line) - len(line.lstrip())]
            lines[first - 1 : last] = [indent + written + inline_comment(line)]
            return
    in_section = [last for _, last, place in places if place[0] == section and len(place) == 2]
    if in_section:
        lines.insert(in_section[-1], written)
    else:
        lines[len(lines) - (lines[-1] == "") :] = ["", f"[{section}]", "", written, ""]


def quoted(value: str) -> str:
    """Return a value as an ini file holds it. Raises SettingsError when no quotes hold it."""
    if SIMPLE.fullmatch(value):
        return value
    for quotes in QUOTES:
        if quotes not in value and not value.endswith(quotes[0]) and (len(quotes) == 3 or "\n" not in value):
            return f"{quotes}{value}{quotes}"
    raise SettingsError("a value with both kinds of three quotes in it cannot be written into an ini file")


def read(path: Path) -> str:
    """Return the text of an ini file as it is. Raises SettingsError."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file;  pbxnotify setup  makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SettingsError(f"{path}: it cannot be read: {why}") from None


def refuse_unwritable(path: Path) -> None:
    """Raise SettingsError, before anybody has typed anything, where no new version could be put in place."""
    directory = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(directory):
        raise SettingsError(f"{path}: there is no directory {directory}; name another file, or install Asterisk first")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(f"{path}: it cannot be replaced, {directory} may not be written; run this as root (sudo)")


@contextmanager
def copy_of(path: Path, text: str) -> Iterator[Path]:
    """Yield a file beside the ini file that holds a text, for nobody else's eyes; afterwards it is gone."""
    copy = Path(os.path.dirname(os.path.realpath(path)), f".pbxnotify-{os.getpid()}.ini")
    try:
        copy.unlink(missing_ok=True)
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        yield copy
    except OSError as error:
        raise SettingsError(f"{path}: it is left as it is: {copy}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            copy.unlink()


def put_in_place(path: Path, text: str, group: int = -1) -> None:
    """Replace the ini file at once, with its owner, group and mode; a new one is 0640 with this group.

    Nobody ever reads half of it. Where it is a symbolic link, what it points to is replaced. Raises SettingsError.
    """
    target = os.path.realpath(path)
    with copy_of(path, text) as copy:
        _take_over(target, str(copy), group)
        with open(copy, "rb") as file:
            os.fsync(file.fileno())
        os.rename(copy, target)
        directory = os.open(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _take_over(target: str, copy: str, group: int) -> None:
    """Give a copy what the file has: owner, group, mode, access control lists. Raises OSError."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        os.chown(copy, -1, group)
        os.chmod(copy, 0o640)
        return
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.stat(copy).st_gid):
        os.chown(copy, status.st_uid if status.st_uid != os.geteuid() else -1, status.st_gid)
    shutil.copystat(target, copy)
    os.chmod(copy, stat.S_IMODE(status.st_mode))
    os.utime(copy)


def values_in(path: Path, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what is written for some options, lists with commas between; "" for what is not there."""
    from configobj import ConfigObj

    config = ConfigObj(read(path).lstrip("\ufeff").splitlines(), interpolation=False)
    written = {place: config.get(place[0], {}).get(place[1], "") for place in places}
    return {place: value if isinstance(value, str) else ", ".join(value) for place, value in written.items()}
