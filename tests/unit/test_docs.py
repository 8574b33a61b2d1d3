"""The documentation: Russian pages have what the English ones have, links lead somewhere, README stays short."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENGLISH_ONLY = "Эта страница есть только по-английски"
IN_RUSSIAN_MAILS = {"`language = ru`", "`[notifications]`"}  # what a Russian page may have to say in addition


class Section(NamedTuple):
    """What stands from one heading to the next: code blocks, an empty line before each, and everything else."""

    anchor: str
    blocks: list[str]
    prose: list[str]

    def code(self) -> set[str]:
        return {" ".join(code.split()) for code in re.findall(r"`[^`]+`", "\n".join(self.prose))}

    def links(self, page: str) -> set[str]:
        """Return where the links lead: addresses, and files as seen from the root."""
        prose = re.sub(r"`[^`]+`", "", "\n".join(self.prose))
        found = re.findall(r"https?://[^\s)]*[^\s).,:;]", prose)
        for target in re.findall(r"\]\((?!http)([^)]+)\)", prose):
            name, _, anchor = target.partition("#")
            path = (ROOT / page).parent / (name or Path(page).name)
            found.append(f"{path.resolve().relative_to(ROOT)}#{anchor}")
        return set(found)


def russian(page: str) -> str:
    return "README.ru.md" if page == "README.md" else page.replace("docs/", "docs/ru/")


def english(link: str) -> str:
    return link.replace("README.ru.md", "README.md").replace("docs/ru/", "docs/")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8") if (ROOT / page).is_file() else ""


def sections(page: str) -> list[Section]:
    """Read a page; its anchors are those that GitHub makes of headings, or ``<a id>`` on the line before."""
    found: list[Section] = []
    anchor, fenced, inside, blank = "", False, False, True
    for line in text_of(page).splitlines():
        if line.startswith("```"):
            fenced, inside = not fenced, False
        elif line and (fenced or (line.startswith("    ") and (inside or blank))):
            found[-1].blocks.extend([line.strip()] if inside else ["", line.strip()])
            inside = True
        elif own := re.fullmatch(r'<a id="(.+)"></a>', line):
            anchor = own[1]
        elif heading := re.fullmatch("#+ (.+)", line):
            slug = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            found.append(Section(anchor or slug, [], []))
            anchor, inside = "", False
        elif line:
            found[-1].prose.append(line)
            inside = False
        blank = not line
    return found


def shared(line: str, other: str) -> str:
    """Return what a code line has in both languages: not comments, nor text after two spaces, nor translated words."""
    lines = [re.sub(r"(^|\s)(;|#(?!(?:try)?include)).*|  .*", "", text) for text in (line, other)]
    for words in ('(?<=")[^"]*(?=")', r"(?<=^client_id = ).*|(?<=^name = ).*", r"[^\W\d_]|[\s.]"):
        if re.search("[а-яё]", "".join(lines), re.IGNORECASE):
            lines = [re.sub(words, "", text) for text in lines]
    return lines[0]


PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
TRANSLATED = [page for page in PAGES if ENGLISH_ONLY not in text_of(russian(page))]


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same(page: str) -> None:
    ours, theirs = sections(page), sections(russian(page))
    if page not in TRANSLATED:
        assert f"{page}#" in theirs[0].links(russian(page)), "leads to the English page"
        return
    assert [section.anchor for section in theirs] == [section.anchor for section in ours]
    for our, their in zip(ours, theirs):
        assert len(their.blocks) == len(our.blocks), our.anchor
        assert [*map(shared, their.blocks, our.blocks)] == [*map(shared, our.blocks, their.blocks)]
        assert their.code() == our.code() | (their.code() & IN_RUSSIAN_MAILS), our.anchor
        links = their.links(russian(page))
        assert {english(link) for link in links} == {english(link) for link in our.links(page)}, our.anchor
        assert not {link.partition("#")[0] for link in links} & set(TRANSLATED[1:]), "lead to the Russian page"


@pytest.mark.parametrize("page", [*PAGES, *map(russian, PAGES)])
def test_links_lead_somewhere(page: str) -> None:
    for link in {link for section in sections(page) for link in section.links(page) if not link.startswith("http")}:
        target, _, anchor = link.partition("#")
        assert (ROOT / target).exists(), link
        assert not anchor or [section.anchor for section in sections(target)].count(anchor) == 1, link


def test_each_russian_page_has_its_english_one() -> None:
    assert sorted(f"docs/{page.name}" for page in (ROOT / "docs/ru").iterdir()) == PAGES[1:]


def test_readme_is_short() -> None:
    text = text_of("README.md")
    assert len(text.encode()) <= 6500
    assert len(text.splitlines()) <= 120
