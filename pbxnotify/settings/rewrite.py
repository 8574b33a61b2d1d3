"""A new version of the ini file: options changed in its text, everything else kept, put in its place at once.

Root may do this in a directory of Asterisk's user, who must not make root open another file meanwhile: what is written
is held by its descriptor from its creation on, and has a name that cannot be foreseen.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Union

from pbxnotify.errors import SettingsError
from pbxnotify.files import sync_directory, try_lock
from pbxnotify.settings.inifile import extents, inline_comment

Value = Union[str, tuple[str, ...]]
"""What an option is to be; a tuple is a list with commas between."""

SIMPLE = re.compile(r"[\w@.:/+*%-]+")
"""A value that needs no quotes."""
QUOTES = ('"', "'", "'''", '"""')
BYTE_ORDER_MARK = "\ufeff"


def changed(text: str, values: Mapping[tuple[str, str], Value]) -> str:
    """Return the text of an ini file with the options of its sections changed; comments and all else stay.

    An option that is not there is added to its section, a section at the end, unless it would be empty. Raises
    SettingsError for a value that no quotes hold.
    """
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    lines = text[len(mark) :].split("\n")
    for (section, option), value in values.items():
        parts = (value,) if isinstance(value, str) else value
        _change(lines, section, option, ", ".join(map(quoted, parts)) or '""')
    return mark + "\n".join(lines)


def _change(lines: list[str], section: str, option: str, value: str) -> None:
    written = f"{option} = {value}"
    places = list(extents([line.rstrip("\r") for line in lines]))
    for first, last, place in places:
        if place == (section, option):
            line, end = lines[first - 1], "\r" if lines[last - 1].endswith("\r") else ""
            indent = line[: len(line) - len(line.lstrip())]
            lines[first - 1 : last] = [indent + written + inline_comment(line) + end]
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
    """Return a value as an ini file holds it. Raises SettingsError when no quotes hold it."""
    if SIMPLE.fullmatch(value):
        return value
    for quotes in QUOTES:
        if quotes not in value and not value.endswith(quotes[0]) and (len(quotes) == 3 or "\n" not in value):
            return f"{quotes}{value}{quotes}"
    raise SettingsError("a value with both kinds of three quotes in it cannot be written into an ini file")


def values_in(text: str, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return what is written for some options, lists with commas between; "" for what is not there.

    The text is one that ``settings.load`` has taken.
    """
    from configobj import ConfigObj

    config = ConfigObj(text.lstrip(BYTE_ORDER_MARK).replace("\r\n", "\n").split("\n"), interpolation=False)
    written = {place: config.get(place[0], {}).get(place[1], "") for place in places}
    return {place: value if isinstance(value, str) else ", ".join(value) for place, value in written.items()}


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
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise SettingsError(f"{path}: there is no directory {directory}; name another file, or install Asterisk first")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(f"{path}: it cannot be replaced, {directory} may not be written; run this as root (sudo)")
    if not os.path.exists(target):
        return
    status = os.stat(target)
    if os.geteuid() not in (0, status.st_uid):
        raise SettingsError(f"{path}: it belongs to user {status.st_uid}; run this as root (sudo)")
    if os.path.ismount(target) or status.st_nlink > 1:
        what = "a mount point of its own" if os.path.ismount(target) else "known by a second name (a hard link)"
        raise SettingsError(f"{path}: it is {what}, so it cannot be replaced; change it with another program")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep everybody else who edits the file with our commands away. Raises SettingsError."""
    if not path.exists():
        yield
        return
    with open(path, "rb") as file:
        if not try_lock(file.fileno()):
            raise SettingsError(f"{path}: it is being edited by somebody else: try again when they are done")
        yield


def put_in_place(path: Path, text: str, group: int = -1) -> None:
    """Replace the ini file at once, with its owner, group and mode; a new one is 0640 with this group.

    Nobody ever reads half of it. Where it is a symbolic link, what it points to is replaced. Raises SettingsError.
    """
    target = os.path.realpath(path)
    name = ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".pbxnotify-", suffix=".ini", dir=os.path.dirname(target))
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            _take_over(target, file.fileno(), group)
            os.fsync(file.fileno())
            if not os.path.samestat(os.lstat(name), os.fstat(file.fileno())):
                raise SettingsError(f"{path}: it is left as it is: the new one was exchanged by somebody")
            os.rename(name, target)
        sync_directory(os.path.dirname(target))
    except OSError as error:
        raise SettingsError(f"{path}: it is left as it is: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)


def _take_over(target: str, copy: int, group: int) -> None:
    """Give a new file what the old one has: owner, group, mode, access control list. Raises OSError."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        os.fchown(copy, -1, group)
        os.fchmod(copy, 0o640)
        return
    os.fchown(copy, status.st_uid if status.st_uid != os.geteuid() else -1, status.st_gid)
    with suppress(OSError):  # a filesystem without them
        for attribute in os.listxattr(target):
            with suppress(OSError):
                os.setxattr(copy, attribute, os.getxattr(target, attribute))
    os.fchmod(copy, stat.S_IMODE(status.st_mode))


class Copy:
    """A copy of the ini file for an editor, in a directory of its own that nobody else can look into."""

    def __init__(self, path: Path, text: str) -> None:
        self._directory = tempfile.mkdtemp(prefix="pbxnotify-")
        self.path = Path(self._directory, path.name)
        self._kept = False
        with open(
            os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
        ) as file:
            file.write(text)

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *error: object) -> None:
        if not self._kept:
            shutil.rmtree(self._directory, ignore_errors=True)

    def content(self) -> bytes:
        """Return what the editor has left. Raises SettingsError."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise SettingsError(f"the editor has left no file that can be read: {error.strerror}") from None

    def keep(self) -> str:
        """Keep it, for an admin whose work cannot be put in place; returns what to tell them."""
        self._kept = True
        return f"what you wrote is kept in {self.path}"


def shipped_file(name: str) -> Path:
    """Return where a file of ours is as it was installed: in the package, in a checkout beside it."""
    from pathlib import Path

    package = Path(__file__).parents[1]
    return next(path for path in (package / "etc" / name, package.parent / "etc" / name) if path.exists())
