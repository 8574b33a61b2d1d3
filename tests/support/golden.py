"""Whole sentences, kept in tests/golden/: what the program says may be reworded there, and nowhere else in the tests.

``pytest --update-golden`` (without -n) writes what is said now; the diff is to be read before it is committed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checkout import ROOT

GOLDEN = ROOT / "tests" / "golden"
VOLATILE = (
    (r"(?<=[\[\w.\]]):\d{4,5}\b", ":PORT"),
    (r"\bport \d{4,5}\b", "port PORT"),
    (r"\b\d{8}-\d{6}-[0-9a-f]{8}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b", "MOMENT"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r"\x1b\[\d+m", ""),
)
"""What differs from run to run."""


class Golden:
    """Compares what a test has seen with what is kept under its name."""

    def __init__(self, request: pytest.FixtureRequest, box: Path) -> None:
        module = Path(str(request.node.path)).relative_to(ROOT / "tests")
        self._path = GOLDEN / module.parent / f"{module.stem.replace('test_', '', 1)}.txt"
        self._name = request.node.nodeid.partition("::")[2]
        self._box = str(box)
        self._updates = bool(request.config.getoption("--update-golden"))

    def __call__(self, said: object, part: str = "", **volatile: object) -> None:
        """Compare a text, or an error's; ``part`` tells several of one test apart.

        The box's directory and ports, times and identifiers do not count, nor do the values of ``volatile``.
        """
        text = str(said).replace(self._box, "BOX")
        for name, value in volatile.items():
            text = text.replace(str(value), name.upper())
        for pattern, stand_in in VOLATILE:
            text = re.sub(pattern, stand_in, text)
        key, kept = f"{self._name} {part}".rstrip(), read(self._path)
        if self._updates:
            _write(self._path, {**kept, key: text.rstrip("\n")})
        else:
            assert text.rstrip("\n") == kept.get(key), f"{key}: see {self._path.relative_to(ROOT)}"


def read(path: Path) -> dict[str, str]:
    """Return the texts in a file, by the names of their tests."""
    if not path.exists():
        return {}
    sections = re.split(r"^## (.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    texts = (re.sub("^    ", "", text, flags=re.MULTILINE).rstrip("\n") for text in sections[1::2])
    return dict(zip(sections[::2], texts))


def _write(path: Path, texts: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sections = (
        f"## {key}\n{re.sub('^(?=.)', '    ', text, flags=re.MULTILINE)}\n" for key, text in sorted(texts.items())
    )
    path.write_text("\n".join(sections), encoding="utf-8")
