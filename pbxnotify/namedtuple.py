"""Frozen records: what ``typing.NamedTuple`` makes, without importing ``typing``.

A call waits while records are made. ``typing`` is 4 ms of that (from Python 3.10 on; in 3.9 pyst2 comes with it) and a
dataclass 0.7 ms each, besides 9 ms for importing ``dataclasses``; such a record is 0.1 ms (Python 3.11, where a script
lets its call go after 20 ms).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    class _Maker(type):
        """Makes a named tuple of a class: its fields are what it annotates, what it gives them are their defaults."""

        def __new__(cls, name, bases, given):
            if not bases:
                return super().__new__(cls, name, bases, given)
            fields = given.pop("__annotations__")
            declared = {field: given.pop(field) for field in fields if field in given}
            if tuple(declared) != tuple(fields)[len(fields) - len(declared) :]:
                raise TypeError(f"{name}: a field without a default stands behind one with a default")
            # A default may be told together with what else is declared of a field: see ``values.option``.
            defaults = [getattr(value, "default", value) for value in declared.values()]
            made = namedtuple(name, fields, defaults=defaults, module=given["__module__"])
            for attribute, value in given.items():
                if attribute not in ("__module__", "__qualname__", "__classcell__"):
                    setattr(made, attribute, value)
            made.declared = declared
            return made

    class NamedTuple(metaclass=_Maker):
        """The base of frozen records; see ``typing.NamedTuple``."""
