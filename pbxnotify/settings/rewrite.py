"""A new version of the ini file: options changed in its text, all else kept, and the file replaced atomically.

Root may do this in a directory of Asterisk's user, who must not make root open another file meanwhile: the new file is
held by its descriptor from its creation on, and has an unpredictable name.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Union

from pbxnotify.errors import SettingsError
from pbxnotify.files import sync_directory, try_lock
from pbxnotify.settings import ini_lines

Value = Union[str, tuple[str, ...]]  # the new value of an option; a tuple is a list, separated by commas

SIMPLE = re.compile(r"[\w@.:/+*%-]+")  # a value that needs no quotes
QUOTES = ('"', "'", "'''", '"""')
BYTE_ORDER_MARK = "\ufeff"


def with_values(text: str, values: Mapping[tuple[str, str], Value]) -> str:
    """Return the text of an ini file with some options changed; comments and all else stay.

    A missing option is added to its section, a missing section at the end, unless the value is empty. Raises
    SettingsError for a value that cannot be quoted.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    lines = text[len(mark) :].split("\n")
    for (section, option), value in values.items():
        parts = (value,) if isinstance(value, str) else value
        _change(lines, section, option, ", ".join(map(quoted, parts)) or '""')
    return mark + "\n".join(lines)


def _change(lines: list[str], section: str, option: str, value: str) -> None:
    written = f"{option} = {value}"
    places = list(ini_lines.extents([line.rstrip("\r") for line in lines]))
    for first, last, place in places:
        if place == (section, option):
            line, end = lines[first - 1], "\r" if lines[last - 1].endswith("\r") else ""
            indent = line[: len(line) - len(line.lstrip())]
            lines[first - 1 : last] = [indent + written + ini_lines.inline_comment(line) + end]
            return
    if value == '""':
        return
    in_section = [last for _, last, place in places if place[0] == section and len(place) == 2]
    end = "\r" if lines[0].endswith("\r") else ""
    if in_section:
        lines.insert(in_section[-1], written + end)
    else:
        lines[len(lines) - (lines[-1] == "") :] = [end, f"[{section}]{end}", written + end, ""]


def quoted(value: str) -> str:
    """Return a value as it is written in an ini file. Raises SettingsError if it cannot be quoted."""
    if SIMPLE.fullmatch(value):
        return value
    for quotes in QUOTES:
        if quotes not in value and not value.endswith(quotes[0]) and (len(quotes) == 3 or "\n" not in value):
            return f"{quotes}{value}{quotes}"
    raise SettingsError("a value that contains both kinds of triple quotes cannot be written to an ini file")


def values_in(text: str, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return some options of a text without mistakes: lists separated by commas, "" for what is not there."""
    from configobj import ConfigObj

    config = ConfigObj(text.lstrip(BYTE_ORDER_MARK).replace("\r\n", "\n").split("\n"), interpolation=False)
    written = {place: config.get(place[0], {}).get(place[1], "") for place in places}
    return {place: value if isinstance(value, str) else ", ".join(value) for place, value in written.items()}


def read(path: Path) -> str:
    """Return the text of an ini file, unchanged. Raises SettingsError."""
    content = ini_lines.read(str(path))
    ini_lines.decoded(str(path), content)
    return content.decode()


def refuse_unwritable(path: Path) -> None:
    """Raise SettingsError, before anybody has typed anything, if the file cannot be replaced."""
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise SettingsError(f"{path}: there is no directory {directory}; name another file, or install Asterisk first")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(f"{path}: cannot be replaced: {directory} is not writable; run this as root (sudo)")
    if not os.path.exists(target):
        return
    status = os.stat(target)
    if os.geteuid() not in (0, status.st_uid):
        raise SettingsError(f"{path}: belongs to user {status.st_uid}; run this as root (sudo)")
    if os.path.ismount(target) or status.st_nlink > 1:
        what = "a mount point" if os.path.ismount(target) else "a hard link to another name"
        raise SettingsError(f"{path}: cannot be replaced: it is {what}; edit it with another program")


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Keep other commands of ours from changing the file meanwhile. Raises SettingsError."""
    with open(path, "rb") if path.exists() else nullcontext() as file:
        if file and not try_lock(file.fileno()):
            raise SettingsError(f"{path}: is being edited by somebody else; try again when they are done")
        yield


def replace(path: Path, text: str, group: int | None = None) -> None:
    """Replace the ini file atomically, keeping its owner, group and mode; a new one is 0640 with this group.

    If it is a symbolic link, its target is replaced. Raises SettingsError.
    """
    target, name = os.path.realpath(path), ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".pbxnotify-", suffix=".ini", dir=os.path.dirname(target))
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            _copy_permissions(target, file.fileno(), group)
            os.fsync(file.fileno())
            if not os.path.samestat(os.lstat(name), os.fstat(file.fileno())):
                raise SettingsError(f"{path}: unchanged: somebody replaced the new file before it was in place")
            os.rename(name, target)
        sync_directory(os.path.dirname(target))
    except OSError as error:
        raise SettingsError(f"{path}: unchanged: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)


def _copy_permissions(target: str, copy: int, group: int | None) -> None:
    """Give a new file owner, group, mode and access control list of the old one, if any. Raises OSError."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        os.fchown(copy, -1, -1 if group is None else group)
        os.fchmod(copy, 0o640)
        return
    os.fchown(copy, status.st_uid if status.st_uid != os.geteuid() else -1, status.st_gid)
    with suppress(OSError):  # a filesystem without them
        for attribute in os.listxattr(target):
            with suppress(OSError):
                os.setxattr(copy, attribute, os.getxattr(target, attribute))
    os.fchmod(copy, stat.S_IMODE(status.st_mode))


@contextmanager
def private_copy(path: Path, text: str) -> Iterator[Path]:
    """Yield a copy of the ini file in a private directory, for an editor; only SettingsError lets it stay there."""
    directory = tempfile.mkdtemp(prefix="pbxnotify-")
    copy = Path(directory, path.name)
    with ExitStack() as unless_kept:
        unless_kept.callback(shutil.rmtree, directory, ignore_errors=True)
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        try:
            yield copy
        except SettingsError:
            unless_kept.pop_all()
            raise


def shipped_file(name: str) -> Path:
    """Return the path of a file shipped with us: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(path for path in (package / "etc" / name, package.parent / "etc" / name) if path.exists())
