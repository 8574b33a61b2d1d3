"""Placeholders, the names of variables in a template, are replaced by the variables' values, in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from pbxnotify.namedtuple import NamedTuple


class Filled(NamedTuple):
    """A template with its values, in both forms that a mail has."""

    text: str
    html: str
    is_html: bool = False  # whether the template is written in HTML


class OwnTexts(NamedTuple):
    """The administrator's texts, filled in; without a subject or body, the built-in ones are used."""

    subject: str
    body: Filled | None
    footer: Filled


class Placeholders:
    """The placeholders of some variables, ``NAME`` or ``${NAME}``; a caller named as a variable stays that."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables
        names = "|".join(sorted(map(re.escape, variables), key=len, reverse=True)) or "(?!)"
        # A name within a longer one, or within ${...} of another name, is not a placeholder; nor is the first name in
        # VM_DUR~~${VM_DUR}, a label in a text of voicemail.conf, where no bare name is a variable.
        bare = rf"(?<![A-Z_])(?P<bare>{names})(?![A-Z_])(?![^\w\n${{}}]*\$\{{(?P=bare)\}})"
        self._name = re.compile(rf"\$\{{(?P<braced>{names})\}}|(?P<other>\$\{{\w+\}})|{bare}")

    def fill(self, template: str, escape: Callable[[str, str], str] = lambda name, value: value) -> str:
        """Return a template, or a piece that cuts no name in two, filled in; ``escape`` gets a name and its value."""

        def value(match: re.Match[str]) -> str:
            name = match["braced"] or match["bare"]
            return escape(name, self.variables[name]) if name else match[0]

        return self._name.sub(value, template)

    def names_in(self, template: str) -> Iterator[str]:
        """Yield the variables whose placeholders stand in a template, each as often as it does."""
        return (name for match in self._name.finditer(template) if (name := match["braced"] or match["bare"]))
