"""What ``namedtuple`` makes is what ``typing.NamedTuple`` makes."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings import validators
from pbxnotify.settings.options import Option, option


class Ours(NamedTuple):
    """A call."""

    number: str
    seconds: int = 0
    extensions: tuple[str, ...] = ()

    @property
    def is_long(self) -> bool:
        """Return whether it rang for a minute."""
        return self.seconds >= 60

    def only(self, extension: str) -> Ours:
        """Return it for one extension."""
        return self._replace(extensions=(extension,))


OURS: Any = Ours
"""For what a type checker would not let pass."""


class Theirs(typing.NamedTuple):
    """A call."""

    number: str
    seconds: int = 0
    extensions: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "aspect", ["_fields", "_field_defaults", "__doc__", "__slots__", "__module__", "__match_args__"]
)
def test_a_record_is_what_typing_makes(aspect: str) -> None:
    assert getattr(Ours, aspect, None) == getattr(Theirs, aspect, None)


def test_its_fields_and_methods() -> None:
    call = Ours("101", seconds=61).only("102")
    assert (call.number, call.seconds, call.extensions, call.is_long) == ("101", 61, ("102",), True)
    assert repr(call) == "Ours(number='101', seconds=61, extensions=('102',))"
    assert call == ("101", 61, ("102",))


def test_a_field_without_a_default_must_be_given() -> None:
    with pytest.raises(TypeError, match="number"):
        OURS()


def test_it_is_frozen() -> None:
    with pytest.raises(AttributeError):
        OURS("101").number = "102"


def test_a_field_may_declare_more_than_its_default() -> None:
    class Section(NamedTuple):
        name: str = option(validators.line, "office", "a name")

    declared = vars(Section)["declared"]
    assert Section().name == "office"
    assert isinstance(declared["name"], Option)
    assert declared["name"].expected == "a name"


def test_a_field_without_a_default_stands_before_those_with_one() -> None:
    source = "class Wrong(NamedTuple):\n    number: str = ''\n    seconds: int"
    with pytest.raises(TypeError, match="Wrong"):
        exec(source, {"NamedTuple": NamedTuple, "__name__": __name__})  # noqa: S102
