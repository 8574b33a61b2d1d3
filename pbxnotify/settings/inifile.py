"""An ini file read by configobj; each problem in it with its line, and no secret in any of them.

configobj takes the file apart but does not validate it: all checks would be ours anyway, its defaults would have to be
quoted for a language of their own, and importing its validation takes longer than reading the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pbxnotify.errors import SettingsError
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.settings import validators
from pbxnotify.settings.validators import Option, options
from pbxnotify.text import did_you_mean

if TYPE_CHECKING:
    from typing import TypeVar

    from configobj import ConfigObj, ConfigObjError, Section

    Fields = TypeVar("Fields")


HEADER = re.compile(r"""\s*(\[[\[\s]*)(['"]?)(.*?)\2\s*\]""")
OPTION = re.compile(r"""\s*(['"]?)([^'"=\s].*?|)\1\s*=\s*(.*)""")
QUOTES = ("'", '"')
TRIPLE_QUOTES = ("'''", '"""')
TEXTS = (validators.line, validators.lines)
"""The checks of options that take any text."""
A_HEADER = "[section], or [[101]] below [employees], on a line of its own"


class IniFile:
    """One reading of a file: its sections, and the problems met so far.

    A place is ``("smtp", "host")`` or ``("employees", "101", "email")``; that of a section ends in an empty word.
    """

    def __init__(self, path: str, kinds: Mapping[str, type], content: bytes | None = None) -> None:
        """Read a file whose sections hold these options; raises SettingsError when it is no text.

        ``content`` is what the file is to hold, where that is not what it holds now.
        """
        self.path = path
        self.kinds = kinds
        self.lines = _text(path, _read(path) if content is None else content).split("\n")
        self.place_of = {first: place for first, _, place in extents(self.lines)}
        self.line_of = {place: line for line, place in reversed(self.place_of.items())}
        self.end = len(self.lines)
        """The last line whose place is sure: below a broken header or an unclosed text it is not."""
        self.complete = True
        """Whether every line could be taken apart."""
        self._problems: list[tuple[int, str]] = []
        self._wrong: set[tuple[str, ...]] = set()
        self.config = self._parse()
        self._check_sections()

    def raise_problems(self) -> None:
        """Raise SettingsError with all problems, in the order of their lines; does nothing when there are none."""
        problems = sorted(problem for problem in self._problems if problem[0] <= self.end)
        if problems:
            raise SettingsError(*(f"{self.path}:{line}: {what}" for line, what in problems))

    def problem(self, place: tuple[str, ...], what: str, line: int = 0) -> None:
        """Note what is wrong with an option or a section."""
        self._wrong.add(place)
        line = line or self.line_of.get(place, self.end + 1)
        if self.complete and line > self.end:  # an option that is not written: its section's line, if there is one
            line = self.line_of.get((*place[:-1], ""), 1)
        self._problems.append((line, ": ".join(filter(None, (_shown(place), what)))))

    def contradiction(self, section: str, names: tuple[str, ...], what: str) -> None:
        """Note that options do not go together, unless one is wrong by itself; the first of them is blamed."""
        if self.complete and not any((section, name) in self._wrong for name in names):
            self.problem((section, names[0]), what)

    def missing(self, place: tuple[str, ...], name: str, what: str) -> None:
        """Note that a section lacks an option, unless that is wrong by itself."""
        if self.complete and (*place, name) not in self._wrong:
            self.problem((*place, ""), what)

    def subsections(self, name: str) -> list[str]:
        """Return the names of the sections below one that has no options of its own."""
        for option in self.config[name].scalars:
            self.problem((name, option), "belongs to no section below this one; write it below one such as [[101]]")
        return self.sections(name)

    def sections(self, name: str) -> list[str]:
        """Return the names of the sections below one."""
        return list(self.config[name].sections)

    def fill(self, kind: type[Fields], *place: str, with_sections: bool = False, **known: object) -> Fields:
        """Return a section as the record whose fields are its options; ``known`` are its other fields.

        Sections below it are mistakes, unless ``with_sections``.
        """
        section, values = self.config, dict(known)
        declared = options(kind)  # type: ignore[arg-type]  # mypy takes no type[Fields] for hashable
        for name in place:
            section = section[name]
        for name in [] if with_sections else section.sections:
            what = (
                f"is an option; write {name} = ..."
                if name in declared
                else "there is no such section here; employees such as [[101]] stand below [employees]"
            )
            self.problem((*place, name, ""), what)
        for name in section.scalars:
            if name not in declared:
                self._unknown_option(place, name, list(declared))
                continue
            try:
                values[declared[name].field] = self._value(section, (*place, name), declared[name])
            except ValueError as error:
                self.problem((*place, name), str(error))
        return kind(**values)

    def _unknown_option(self, place: tuple[str, ...], name: str, known: list[str]) -> None:
        """Note an option that does not exist; the one that was probably meant is not missed as well."""
        if name.startswith(";"):
            line = self.line_of.get((*place, name), 0)
            self.problem((*place, ""), "; begins no comment here; write # instead", line)
            return
        guess = did_you_mean(_word(name), known)
        self._wrong.update((*place, meant) for meant in known if f" {meant}?" in guess)
        homes = [f"[{section}]" for section, kind in self.kinds.items() if name in options(kind)]
        advice = f"write it below {' or '.join(homes)}" if homes else "correct its name or remove the line"
        self.problem((*place, name), f"there is no such option here{'' if homes else guess}; {advice}")

    def _check_sections(self) -> None:
        """Note what is no section of ours; afterwards each of ours is there."""
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

    def _value(self, section: Section, place: tuple[str, ...], option: Option) -> object:
        """Return the value of an option; raises ValueError with a whole sentence."""
        written = section[place[-1]]
        if self._is_cut(section.inline_comments[place[-1]], place, option):
            raise ValueError("the value is cut off at its #; put it in quotes")
        if type(option.default) is tuple:
            texts = [written] if isinstance(written, str) else written
            return tuple(option.value(text) for text in texts if text)
        if not isinstance(written, str):
            raise ValueError("the value holds a comma; put it in quotes")
        return "" if written == option.default == "" else option.value(written)

    def _is_cut(self, comment: str | None, place: tuple[str, ...], option: Option) -> bool:
        """Return whether the end of a value was taken for a comment; in a secret any # is suspect, in a text any #1."""
        line = self.lines[self.line_of.get(place, 1) - 1]
        if not comment or not line.endswith(comment):
            return False
        if option.secret:
            return not line.partition("=")[2].lstrip().startswith(QUOTES)
        before = line[: -len(comment)]
        if option.check in TEXTS and re.match(r"#[^#\s]", comment):
            return not before.rstrip().endswith(QUOTES)
        return not before.endswith((" ", "\t", *QUOTES))

    def _parse(self) -> ConfigObj:
        """Return what configobj understands, and note what it does not."""
        from configobj import ConfigObj, ConfigObjError

        try:
            return ConfigObj(self.lines, interpolation=False)
        except ConfigObjError as error:  # and nothing is raised in here: its text quotes the line
            mistakes, understood = error.errors, error.config
        self.complete = False
        for mistake in mistakes:
            self._mistake(mistake)
            if self.end < len(self.lines):
                break
        return understood

    def _mistake(self, mistake: ConfigObjError) -> None:
        """Note a line that configobj cannot take apart; its text is not shown, it may hold a secret."""
        from configobj import DuplicateError

        number = mistake.line_number
        line, place = self.lines[number - 1].strip(), self.place_of.get(number, ("",))
        twice = isinstance(mistake, DuplicateError)
        if line.startswith("["):
            what = "this section is there twice; merge the two" if twice else f"this header is broken; write {A_HEADER}"
            self.end = number
        elif line.partition("=")[2].lstrip().startswith(TRIPLE_QUOTES) and not twice:
            what = "the text is not closed; end it with the three quotes it begins with, and nothing after them"
            self.end = number
        elif twice:
            what = "this option is there twice; remove one of the lines"
        elif number in self.place_of:
            what = "the value's quotes or commas do not fit; put the whole value in quotes"
        else:
            what = f"neither an option nor a section; write option = value, or {A_HEADER}"
        self.problem(place, what, number)


def _read(path: str) -> bytes:
    """Return what is in a file; raises SettingsError when there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file; put pbxnotify.ini there, or name yours") from None
    except IsADirectoryError:
        raise SettingsError(f"{path}: this is a directory; name the file in it") from None
    except PermissionError:
        raise SettingsError(f"{path}: reading it is not allowed; make it readable for Asterisk's user") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: it cannot be read: {error}; put a readable file there") from None


def _text(path: str, content: bytes) -> str:
    """Return the text of a file, with ``\\n`` for its line ends; raises SettingsError when it is none."""
    text = content.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    is_wide = text.count("\0") > len(text) / 8  # UTF-16 without a mark; a stray NUL is for the option it is in
    undecodable = re.search("[\x00\ud800-\udfff]" if is_wide else "[\ud800-\udfff]", text)
    if undecodable:
        line = text.count("\n", 0, undecodable.start()) + 1
        raise SettingsError(f"{path}:{line}: this is no text in UTF-8; save the file again as UTF-8")
    return text


def extents(lines: list[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the first and last line of each section header and option, and its place (configobj does not tell)."""
    sections: tuple[str, ...] = ()
    number = 0
    while number < len(lines):
        first, line = number + 1, lines[number]
        number += 1
        header, assignment = HEADER.match(line), OPTION.match(line)
        if line.lstrip().startswith("#"):
            continue
        if header:
            sections = (*sections[: header[1].count("[") - 1], header[3])
            yield first, first, (*sections, "")
        elif assignment:
            quotes = assignment[3][:3]
            if quotes in TRIPLE_QUOTES and quotes not in assignment[3][3:]:
                number = next((end + 1 for end in range(number, len(lines)) if quotes in lines[end]), len(lines))
            yield first, number, (*sections, assignment[2])


def inline_comment(line: str) -> str:
    """Return the comment behind a value, with the blanks before it; "" where there is none."""
    from configobj import ConfigObj, ConfigObjError

    try:
        comments = ConfigObj([line.strip()], interpolation=False).inline_comments.values()
    except ConfigObjError:  # the first line of a longer text
        return ""
    return "".join(f"  {comment}" for comment in comments if comment)


def _shown(place: tuple[str, ...]) -> str:
    """Return ``[employees] [[101]] email``."""
    *sections, name = place
    headers = (f"{'[' * depth}{section}{']' * depth}" for depth, section in enumerate(sections, 1))
    return " ".join(filter(None, (*headers, _word(name))))


def _word(name: str) -> str:
    """Return the first word of an option's name: ``password: secret=`` makes a name that holds a secret."""
    match = re.match(r"\w*", name)
    return match[0] if match else ""
