"""The documentation: Russian pages have what the English ones have, links lead somewhere, README stays short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
ENGLISH_ONLY = "Эта страница есть только по-английски"
"""What a Russian page says that is not translated."""

IN_RUSSIAN_MAILS = {"`language = ru`", "`[notifications]`"}
"""What a Russian page may have to say in addition."""


class Section(NamedTuple):
    """What stands from one heading to the next: code blocks by line, and everything else."""

    anchor: str
    blocks: list[list[str]]
    prose: list[str]

    def code(self) -> set[str]:
        """Return the inline code."""
        return {" ".join(code.split()) for code in re.findall(r"`[^`]+`", "\n".join(self.prose))}

    def links(self, page: str) -> set[str]:
        """Return where the links lead: addresses, and files as seen from the root."""
        prose = re.sub(r"`[^`]+`", "", "\n".join(self.prose))
        targets = {target.partition("#") for target in re.findall(r"\]\((?!http)([^)]+)\)", prose)}
        files = {
            (((ROOT / page).parent / name).resolve() if name else ROOT / page, anchor) for name, _, anchor in targets
        }
        addresses = re.findall(r"https?://[^\s)]*[^\s).,:;]", prose)
        return {*addresses, *(f"{path.relative_to(ROOT)}#{anchor}" for path, anchor in files)}


def russian(page: str) -> str:
    """Return the Russian counterpart of an English page."""
    return "README.ru.md" if page == "README.md" else page.replace("docs/", "docs/ru/")


def english(link: str) -> str:
    """Return the English counterpart of a link."""
    return link.replace("README.ru.md", "README.md").replace("docs/ru/", "docs/")


def sections(page: str) -> list[Section]:
    """Read a page; its anchors are those that GitHub makes of headings, or ``<a id>`` on the line before."""
    found: list[Section] = []
    anchor, fenced, inside, blank = "", False, False, True
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fenced, inside = not fenced, False
        elif line.strip() and (fenced or (line.startswith("    ") and (inside or blank))):
            found[-1].blocks.extend([] if inside else [[]])
            found[-1].blocks[-1].append(line.strip())
            inside = True
        elif own := re.fullmatch(r'<a id="(.+)"></a>', line):
            anchor = own[1]
        elif heading := re.fullmatch("#+ (.+)", line):
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            found.append(Section(anchor or slug, [], []))
            anchor, inside = "", False
        elif line.strip():
            found[-1].prose.append(line)
            inside = False
        blank = not line.strip()
    return found


def shared(line: str, other: str) -> str:
    """Return what a code line has in both languages: not comments, nor text after two spaces, nor translated words."""
    line, other = (re.sub(r"(^|\s)(;|#(?!include)).*|  .*", "", text) for text in (line, other))
    if not re.search("[а-яё]", line + other, re.IGNORECASE):
        return line
    option = re.match(r"\w+ = ", line)
    return option[0] if option else re.sub(r"[^\W\d_]|[\s.'«»]", "", line)


def is_english_only(page: str) -> bool:
    """Return whether the Russian counterpart says so."""
    path = ROOT / russian(page)
    return path.is_file() and ENGLISH_ONLY in path.read_text(encoding="utf-8")


def pairs(page: str) -> list[tuple[Section, Section]]:
    """Return the sections of a page with their counterparts."""
    ours, theirs = sections(page), sections(russian(page))
    assert [section.anchor for section in theirs] == [section.anchor for section in ours]
    return list(zip(ours, theirs))


EVERY_PAGE = [*PAGES, *filter(lambda page: (ROOT / page).is_file(), map(russian, PAGES))]
translated = pytest.mark.parametrize("page", [page for page in PAGES if not is_english_only(page)])


def test_each_page_is_there_in_both_languages() -> None:
    assert {page.name for page in (ROOT / "docs/ru").iterdir()} == {Path(page).name for page in PAGES[1:]}


@translated
def test_code_blocks_are_the_same(page: str) -> None:
    for ours, theirs in pairs(page):
        assert list(map(len, theirs.blocks)) == list(map(len, ours.blocks)), ours.anchor
        for block, counterpart in zip(ours.blocks, theirs.blocks):
            lines = list(zip(block, counterpart))
            assert [shared(theirs, ours) for ours, theirs in lines] == [shared(*line) for line in lines]


@translated
def test_inline_code_is_the_same(page: str) -> None:
    for ours, theirs in pairs(page):
        assert theirs.code() == ours.code() | (theirs.code() & IN_RUSSIAN_MAILS), ours.anchor


@translated
def test_links_are_the_same(page: str) -> None:
    for ours, theirs in pairs(page):
        assert set(map(english, theirs.links(russian(page)))) == set(map(english, ours.links(page))), ours.anchor


@pytest.mark.parametrize("page", [page for page in PAGES if is_english_only(page)])
def test_a_page_in_english_only_leads_there(page: str) -> None:
    assert f"{page}#" in {link for section in sections(russian(page)) for link in section.links(russian(page))}


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_links_lead_somewhere(page: str) -> None:
    links = {link for section in sections(page) for link in section.links(page) if not link.startswith("http")}
    for target, anchor in (link.split("#") for link in links):
        assert (ROOT / target).exists(), target
        assert not anchor or anchor in {section.anchor for section in sections(target)}, f"{target}#{anchor}"


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_anchors_are_unique(page: str) -> None:
    anchors = [section.anchor for section in sections(page)]
    assert len(anchors) == len(set(anchors))


def test_readme_is_short() -> None:
    text = (ROOT / "README.md").read_bytes()
    assert len(text) <= 6500
    assert len(text.splitlines()) <= 120
