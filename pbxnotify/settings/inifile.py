"""An ini file read by configobj: its sections as records, and each problem with its line and without secrets.

configobj parses the file but does not validate it: all checks would be ours anyway, its defaults would have to be
quoted for a language of their own, and importing its validation takes longer than reading the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pbxnotify.errors import SettingsError
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings import ini_lines, validators
from pbxnotify.settings.ini_lines import TRIPLE_QUOTES, Place
from pbxnotify.settings.options import Conflict, Option, options
from pbxnotify.text import did_you_mean

if TYPE_CHECKING:
    from typing import TypeVar

    from configobj import ConfigObj, ConfigObjError, Section

    Fields = TypeVar("Fields")

QUOTES = ("'", '"')
FREE_TEXT = (validators.line, validators.lines)  # the checks of options that take any text
NO_COMMENT = "a comment starts with #, not with ;"
A_HEADER = "[section], or [[101]] below [employees], on a line of its own"


class IniFile:
    """One reading of an ini file: its sections, and the problems found so far."""

    def __init__(self, path: str, kinds: Mapping[str, type], content: bytes | None = None) -> None:
        """Read a file, or its future content, with these sections; raises SettingsError unless it is UTF-8 text."""
        self.path, self.kinds = path, kinds
        self.lines = ini_lines.decoded(path, ini_lines.read(path) if content is None else content)
        self.place_of = {extent.first: extent.place for extent in ini_lines.extents(self.lines)}
        self.line_of = {place: line for line, place in reversed(self.place_of.items())}
        self.end = len(self.lines)
        """The last line whose place is certain: below a broken header or an unterminated text it is not."""
        self.complete = True  # whether every line could be parsed
        self._problems: list[tuple[int, str]] = []
        self._wrong: set[Place] = set()
        self.config = self._parse()
        self._check_sections()

    def raise_problems(self) -> None:
        """Raise SettingsError with all problems, if any, ordered by line."""
        problems = sorted(problem for problem in self._problems if problem[0] <= self.end)
        if problems:
            raise SettingsError(*(f"{self.path}:{line}: {what}" for line, what in problems))

    def problem(self, place: Place, what: str, line: int | None = None) -> None:
        """Add a problem with an option or a section."""
        self._wrong.add(place)
        line = line or self.line_of.get(place, self.end + 1)
        if self.complete and line > self.end:  # an option that is not written: the line of its section, if any
            line = self.line_of.get((*place[:-1], ""), 1)
        self._problems.append((line, ": ".join(filter(None, (ini_lines.shown(place), what)))))

    def conflict(self, section: str, conflict: Conflict) -> None:
        """Add a conflict between options, unless one of them is wrong by itself."""
        if self.complete and not any((section, name) in self._wrong for name in conflict.names):
            self.problem((section, conflict.names[0]), conflict.problem)

    def missing(self, place: Place, name: str, what: str) -> None:
        """Add that a section lacks an option, unless that is wrong by itself."""
        if self.complete and (*place, name) not in self._wrong:
            self.problem((*place, ""), what)

    def sections(self, name: str, *, only: bool = False) -> list[str]:
        """Return the names of the subsections of a section; ``only`` if it has no options of its own."""
        for option in self.config[name].scalars if only else ():
            self.problem((name, option), "is not in a subsection; write it below one such as [[101]]")
        return list(self.config[name].sections)

    def fill(self, kind: type[Fields], *place: str, with_sections: bool = False, **known: object) -> Fields:
        """Return a section as the record that declares its options; ``known`` are its other fields."""
        section, values = self.config, dict(known)
        declared = options(kind)  # type: ignore[arg-type]  # mypy takes no type[Fields] for hashable
        for name in place:
            section = section[name]
        for name in [] if with_sections else section.sections:
            misplaced = "there is no such section here; employees such as [[101]] go below [employees]"
            self.problem((*place, name, ""), f"is an option; write {name} = ..." if name in declared else misplaced)
        for name in section.scalars:
            if name not in declared:
                self._unknown_option(place, name, list(declared))
                continue
            try:
                values[declared[name].field] = self._value(section, (*place, name), declared[name])
            except ValueError as error:
                self.problem((*place, name), str(error))
        return kind(**values)

    def _unknown_option(self, place: Place, name: str, known: list[str]) -> None:
        """Add an option that does not exist; the one that was probably meant is not reported as missing as well."""
        line = self.line_of.get((*place, name))
        if name.startswith(";"):
            self.problem((*place, ""), NO_COMMENT, line)
            return
        meant = name.lower().replace("-", "_")
        if meant in known:
            self.problem((*place, meant), "the option is spelt so, in lower case and with _; correct its name", line)
            return
        guess = did_you_mean(ini_lines.first_word(name), known)
        self._wrong.update((*place, meant) for meant in known if f" {meant}?" in guess)
        homes = [f"[{section}]" for section, kind in self.kinds.items() if name in options(kind)]
        advice = f"write it below {' or '.join(homes)}" if homes else "correct its name or remove the line"
        self.problem((*place, name), f"there is no such option here{'' if homes else guess}; {advice}")

    def _check_sections(self) -> None:
        """Add what is not a known section; afterwards each known one is there."""
        for name in self.config.scalars[:]:
            if name in self.kinds:
                self.problem((name,), f"is a section; write [{name}] on a line of its own")
                del self.config[name]
            else:
                self._unknown_option((), name, [])
        for name in self.config.sections:
            if name not in self.kinds:
                guess = did_you_mean(name, self.kinds)
                advice = f"write [[{name}]] below [employees]" if name.isdigit() else "correct its name or remove it"
                self.problem((name, ""), f"there is no such section{guess}; {advice}")
        for name in self.kinds:
            self.config.setdefault(name, {})

    def _value(self, section: Section, place: Place, option: Option) -> object:
        written = section[place[-1]]
        if self._is_cut_off(section.inline_comments[place[-1]], place, option):
            raise ValueError("the value is cut off at its #; put it in quotes")
        if type(option.default) is tuple:
            texts = [written] if isinstance(written, str) else written
            return tuple(option.value(text) for text in texts if text)
        if not isinstance(written, str):
            option.value(", ".join(written))  # which may be wrong in quotes as well
            raise ValueError("the value contains a comma; put it in quotes")
        return "" if written == option.default == "" else option.value(written)

    def _is_cut_off(self, comment: str | None, place: Place, option: Option) -> bool:
        """Return whether a value is cut off: in a secret any # is suspect, in free text one such as #1."""
        line = self.lines[self.line_of.get(place, 1) - 1]
        if not comment or not line.endswith(comment):
            return False
        if option.secret:
            return not line.partition("=")[2].lstrip().startswith(QUOTES)
        before = line[: -len(comment)]
        if option.check in FREE_TEXT and re.match(r"#[^#\s]", comment):
            return not before.rstrip().endswith(QUOTES)
        return not before.endswith((" ", "\t", *QUOTES))

    def _parse(self) -> ConfigObj:
        from configobj import ConfigObj, ConfigObjError

        try:
            return ConfigObj(self.lines, interpolation=False)
        except ConfigObjError as error:  # nothing is raised in here: the text of this one quotes the line
            mistakes, understood = error.errors, error.config
        self.complete = False
        for mistake in mistakes:
            self._mistake(mistake)
            if self.end < len(self.lines):
                break
        return understood

    def _mistake(self, mistake: ConfigObjError) -> None:
        """Add a line that configobj cannot parse; its text is not shown, it may contain a secret."""
        from configobj import DuplicateError

        number = mistake.line_number
        line, place = self.lines[number - 1].strip(), self.place_of.get(number, ("",))
        twice = isinstance(mistake, DuplicateError)
        if line.startswith(";"):
            what = NO_COMMENT
        elif line.startswith("["):
            what = "this section is there twice; merge the two" if twice else f"malformed header; write {A_HEADER}"
            self.end = number
        elif line.partition("=")[2].lstrip().startswith(TRIPLE_QUOTES) and not twice:
            what = "the text is not terminated; end it with the three quotes it starts with, and nothing after them"
            self.end = number
        elif twice:
            what = "this option is there twice; remove one of the lines"
        elif number in self.place_of:
            what = "unbalanced quotes or misplaced commas; put the whole value in quotes"
        else:
            what = f"neither an option nor a section; write option = value, or {A_HEADER}"
        self.problem(place, what, number)
