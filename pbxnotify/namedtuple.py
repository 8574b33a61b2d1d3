"""``NamedTuple`` as in ``typing``, without importing ``typing``.

A call waits while these classes are made. ``typing`` takes 4 ms (from Python 3.10 on; in 3.9 pyst2 imports it anyway),
a dataclass 0.7 ms each besides 9 ms for importing ``dataclasses``, such a class 0.1 ms (Python 3.11, where a script
lets its call go after 20 ms).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:
    from collections import namedtuple

    class _Maker(type):
        """Makes a named tuple of a class: annotations are its fields, values their defaults."""

        def __new__(cls, name, bases, given):
            if not bases:
                return super().__new__(cls, name, bases, given)
            fields = given.pop("__annotations__")
            declared = {field: given.pop(field) for field in fields if field in given}
            if tuple(declared) != tuple(fields)[len(fields) - len(declared) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            # A value may declare more than the default: see ``settings.validators.option``.
            defaults = [getattr(value, "default", value) for value in declared.values()]
            made = namedtuple(name, fields, defaults=defaults, module=given["__module__"])
            for attribute, value in given.items():
                if attribute not in ("__module__", "__qualname__", "__classcell__"):
                    setattr(made, attribute, value)
            made.declared = declared
            return made

    class NamedTuple(metaclass=_Maker):
        """See ``typing.NamedTuple``."""
