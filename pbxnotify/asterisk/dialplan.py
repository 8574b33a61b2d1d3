"""Asterisk's dialplan, line by line: as it runs (``dialplan show``), and as it is written in extensions.conf."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence

from pbxnotify.asterisk.config import configuration_directory
from pbxnotify.asterisk.console import console_answer
from pbxnotify.namedtuple import NamedTuple

CONTEXT = re.compile(r"\[ Context '(.+?)' created by ")
EXTENSION = re.compile(r"  '(.+?)'(?: \(CID match '.*?'\))? => ")
PRIORITY = re.compile(r" *(?:\[[^\]]*\])? *(\d+)\. (\w+) *\((.*)\) +\[([^\[\]]*)\]$")
"""What follows it in ``dialplan show``, Asterisk's main/pbx.c; a label of priority 1 is not shown."""
BLOCK_COMMENT = re.compile(r";--(?!-).*?--;", re.DOTALL)
INCLUDE = re.compile(r"#(try)?include\s+[\"<]?([^\">]+)[\">]?$", re.IGNORECASE)
SECTION = re.compile(r"\[([^\]]+)\]\s*(?:\((.*)\))?$")
WRITTEN = re.compile(r"(?:exten\s*=>?\s*([^,]+),|same\s*=>?)\s*(\w+)(?:\+(\d+))?[^,]*,\s*(\w+)(?:\s*\((.*)\))?")
MOST_INCLUDES = 10  # files within each other, Asterisk's include/asterisk/config.h


class Line(NamedTuple):
    """One priority of an extension; ``place`` is the file and line, ``extensions.conf:33``."""

    context: str
    extension: str
    priority: int
    application: str
    data: str
    place: str

    @property
    def text(self) -> str:
        """Return the application as it is written."""
        return f"{self.application}({self.data})"

    @property
    def name(self) -> str:
        """Return where the line is, for the administrator."""
        return f"{self.context},{self.extension},{self.priority} ({self.place})"


class Written(NamedTuple):
    """What extensions.conf and the files it includes say; ``missing`` are the lines that include a missing file."""

    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    files: tuple[str, ...]  # those that it consists of, by their paths


def running_dialplan() -> tuple[Line, ...]:
    """Return the dialplan that Asterisk runs. Raises AsteriskUnavailable."""
    return tuple(_shown(console_answer("dialplan show").splitlines()))


def _shown(answer: Sequence[str]) -> Iterator[Line]:
    context = extension = ""
    for line in answer:
        found = CONTEXT.match(line) or EXTENSION.match(line)
        if found and found.re is CONTEXT:
            context = found[1]
        elif found:
            extension = found[1]
        priority = PRIORITY.match(line, found.end() if found else 0)
        if priority:
            yield Line(context, extension, int(priority[1]), *priority.groups()[1:])


def written_dialplan() -> Written:
    """Return the dialplan in Asterisk's configuration directory; nothing where there is no extensions.conf."""
    reader = _Reader()
    reader.read("extensions.conf")
    contexts = (lines for name, lines in reader.contexts.items() if name not in reader.templates)
    return Written(tuple(line for lines in contexts for line in lines), tuple(reader.missing), tuple(reader.files))


class _Reader:
    """Reads files as pbx_config does, as far as their lines tell; what a template has is copied."""

    def __init__(self) -> None:
        self.contexts: dict[str, list[Line]] = {}
        self.templates: set[str] = set()
        self.missing: list[str] = []
        self.files: dict[str, None] = {}
        self._taken: set[tuple[str, str, int]] = set()
        self._context = self._extension = ""
        self._priority = 0

    def read(self, name: str, depth: int = 0) -> None:
        path = os.path.join(configuration_directory(), name)
        if not os.path.isfile(path):  # but a FIFO, which would be waited for
            return
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                text = BLOCK_COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), file.read())
        except OSError:
            return
        self.files[path] = None
        for number, line in enumerate(text.splitlines(), 1):
            self._take(re.sub(r"(?<!\\);.*", "", line).strip().replace("\\;", ";"), f"{name}:{number}", depth)

    def _take(self, line: str, place: str, depth: int) -> None:
        include, section, written = INCLUDE.match(line), SECTION.match(line), WRITTEN.match(line)
        if include:
            self._include(include[2].strip(), place, include[1] is not None, depth)
        elif section:
            self._context = section[1]
            lines = self.contexts.setdefault(self._context, [])
            for template in re.findall(r"[^,\s]+", section[2] or ""):
                if template == "!":
                    self.templates.add(self._context)
                lines += [line._replace(context=self._context) for line in self.contexts.get(template, ())]
        elif written and self._context:
            self._add(written, place)

    def _include(self, name: str, place: str, may_be_missing: bool, depth: int) -> None:
        directory = configuration_directory()
        files = sorted(glob.glob(os.path.join(directory, name)))
        if not files and not may_be_missing:
            self.missing.append(f"#include {name} ({place})")
        for file in files if depth < MOST_INCLUDES else ():
            self.read(os.path.relpath(file, directory) if file.startswith(directory) else file, depth + 1)

    def _add(self, written: re.Match[str], place: str) -> None:
        extension, priority, more, application, data = written.groups()
        self._extension = extension.strip() if extension else self._extension
        if priority == "hint":
            return
        self._priority = int(priority) if priority.isdigit() else self._priority + (priority == "n") + int(more or 0)
        data = re.sub(r"\)$", "", data) if data and data.count(")") > data.count("(") else data or ""
        key = self._context, self._extension, self._priority
        if key not in self._taken:  # the first one wins
            self._taken.add(key)
            number = self._extension.partition("/")[0]  # without the caller that it is for
            self.contexts[self._context].append(Line(self._context, number, self._priority, application, data, place))
