"""``make screenshots``: every mail in every language as Chromium shows it, light and dark, on phone and desktop.

The pictures go to build/screenshots; one that shows some of them side by side goes to etc/mails.png, for README.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pbxnotify.commands.preview import KINDS  # noqa: E402
from pbxnotify.languages.language import LANGUAGE_CODES  # noqa: E402  the path must be there first

PICTURES = ROOT / "build" / "screenshots"
MODES = {"dark": 0, "light": 1}
"""Blink's numbers for the colour scheme that a user prefers."""
SIZES = {"phone": (390, 760), "desktop": (680, 370)}
"""Width and height in CSS pixels."""
SHOWN = (
    ("missed-en-light-desktop", "voicemail-en-dark-desktop"),
    ("missed-ru-dark-phone",),
    ("voicemail-ru-light-phone",),
)
"""The columns of the picture for README."""
INI = """\
[smtp]
sender = pbx@example.com
[notifications]
pbx_name = Office
admin_email = admin@example.com
timezone = Europe/Moscow
history_url = https://pbx.example.com/calls?id=UNIQUEID
[employees]
[[101]]
name = {name}
email = ivan@example.com
"""
NAMES = {"ru": "Иван Петров"}


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for kind, code in product(KINDS, LANGUAGE_CODES):
        page = preview(kind, code)
        for mode, size in product(MODES, SIZES):
            picture = PICTURES / f"{kind}-{code}-{mode}-{size}.png"
            shoot(page, picture, *SIZES[size], MODES[mode])
            print(picture.relative_to(ROOT))
    shoot(gallery(), ROOT / "etc" / "mails.png", 1540, 800, MODES["light"])
    print("etc/mails.png")


def preview(kind: str, code: str) -> Path:
    """Return the page of a mail, made by the command itself."""
    ini, page = PICTURES / f"{code}.ini", PICTURES / f"{kind}-{code}.html"
    ini.write_text(INI.format(name=NAMES.get(code, "Ivan Petrov")))
    command = [sys.executable, "-m", "pbxnotify.cli", "--config", str(ini), "preview", kind, "--language", code]
    subprocess.run([*command, "--html", str(page)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return page


def gallery() -> Path:
    """Return a page with some of the pictures side by side."""
    page = PICTURES / "gallery.html"
    columns = "".join(f"<div>{''.join(f'<img src={name}.png>' for name in column)}</div>" for column in SHOWN)
    style = "body{margin:20px;background:#8a9099;display:flex;gap:20px}img{display:block;margin-bottom:20px}"
    page.write_text(f"<!DOCTYPE html><style>{style}</style>{columns}")
    return page


def shoot(page: Path, picture: Path, width: int, height: int, mode: int) -> None:
    """Let Chromium draw a page."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    options = ["--headless", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}", *sandbox]
    options += [f"--blink-settings=preferredColorScheme={mode}", f"--screenshot={picture}", page.as_uri()]
    subprocess.run(["chromium", *options], check=True, capture_output=True, timeout=60)


if __name__ == "__main__":
    main()
