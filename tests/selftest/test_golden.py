"""No text is kept for a test that is gone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checkout import ROOT
from golden import GOLDEN, read

KEPT = sorted(GOLDEN.rglob("*.txt"))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_each_text_has_a_test(path: Path) -> None:
    module = (ROOT / "tests" / path.relative_to(GOLDEN)).with_name(f"test_{path.stem}.py")
    functions = set(re.findall(r"^def (test_\w+)", module.read_text(encoding="utf-8"), re.MULTILINE))
    assert {re.split(r"[\[ ]", name)[0] for name in read(path)} <= functions
