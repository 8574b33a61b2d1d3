"""A template filled: the names of parameters in it are replaced by their values, in one pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

Written = Callable[[str, str], str]
"""How a parameter is written, given its name and its value."""


def as_it_is(name: str, value: str) -> str:
    """Return the value."""
    return value


class Placeholders:
    """The parameters of a mail, to be put into its templates or into pieces of one.

    A name is written bare or as ``${NAME}``. What a value says is never looked at again: a caller named as a parameter
    stays that.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """Take the value of each parameter."""
        self.parameters = parameters
        names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True)) or "(?!)"
        # A name within a longer one, or within ${...} of another name, is none of ours.
        bare = rf"(?<![A-Z_])(?P<bare>{names})(?![A-Z_])"
        self._name = re.compile(rf"\$\{{(?P<braced>{names})\}}|(?P<other>\$\{{\w+\}})|{bare}")

    def into(self, template: str, written: Written = as_it_is) -> str:
        """Return a template, or a piece that cuts no name in two, with every parameter written in this way."""

        def value(match: re.Match[str]) -> str:
            name = match["braced"] or match["bare"]
            return written(name, self.parameters[name]) if name else match[0]

        return self._name.sub(value, template)

    def names_in(self, template: str) -> Iterator[str]:
        """Yield the parameters that stand in a template, each as often as it does."""
        return (name for match in self._name.finditer(template) if (name := match["braced"] or match["bare"]))


def fill_text(template: str, parameters: Mapping[str, str]) -> str:
    """Return a template of plain text with the values of its parameters."""
    return Placeholders(parameters).into(template)
