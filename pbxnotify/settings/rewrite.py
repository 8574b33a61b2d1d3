"""A new version of the ini file: options changed in its text, all else kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Union

from pbxnotify.errors import SettingsError
from pbxnotify.files import try_lock
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


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Keep other commands of ours from changing the file meanwhile. Raises SettingsError."""
    with ini_lines.opened(str(path)) if path.exists() else nullcontext() as file:
        if file and not try_lock(file.fileno()):
            raise SettingsError(f"{path}: is being edited by somebody else; try again when they are done")
        yield


def shipped_file(name: str) -> Path:
    """Return the path of a file shipped with us: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(path for path in (package / "etc" / name, package.parent / "etc" / name) if path.exists())
