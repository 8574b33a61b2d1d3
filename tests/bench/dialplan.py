"""For how long the dialplan of a real Asterisk stands still at each contender."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contender import CONTENDERS, HOLD, OURS, Box
from figures import WARM_UP, Rounds
from lab import Asterisk
from office import logged_at
from race import PATIENCE, Lost, Race

ASTERISK = 22
# 103 is never registered: Dial is over at once, and the call is missed. What pbxnotify does behind the call's back is
# over when the next one begins.
CALL = """\
exten => round-{number},1,Set(CALLERID(all)="Alexey Portnov" <74951234567>)
 same => n,Dial(PJSIP/103,1)
"""
TURN = """\
 same => n,Verbose(1,BEFORE {contender})
 same => n,AGI({script})
 same => n,Verbose(1,AFTER {contender})
 same => n,Wait(0.4)
"""


@dataclass(frozen=True)
class Held:
    """A call that a script has held."""

    let_go: float
    """Seconds between the lines in Asterisk's log before the script and after it."""


def measure(race: Race, environment: Mapping[str, str], directory: Path, rounds: int) -> tuple[Rounds, str]:
    """Place calls in which each contender has its turn, each call in another order; returns the version, too.

    Raises LabUnavailable, LabError and Lost.
    """
    orders = [random.sample(CONTENDERS, len(CONTENDERS)) for _ in range(WARM_UP + rounds)]
    # Asterisk hands its environment on to its scripts, so none of them needs a shell to set it.
    ours = {name: value for name, value in environment.items() if name.startswith("BENCH_")}
    asterisk = Asterisk(ASTERISK, directory, dialplan="".join(_dialplan(orders)), environment=ours)
    _place_scripts(race.box, asterisk.agi_bin)
    shutil.copy(Path(environment["AST_CONFIG_DIR"]) / "pbxnotify.ini", asterisk.etc)
    with asterisk:
        for number in range(len(orders)):
            asterisk.originate(f"round-{number}")
            asterisk.wait_for_log(re.compile(r"AFTER \d$"), count=(number + 1) * len(CONTENDERS), timeout=PATIENCE)
            _wait_for_mails(race, asterisk)
        asterisk.wait_until_idle()
        held = _held(asterisk.log_since_mark().splitlines())
        version = re.match(r"Asterisk [\d.]+", asterisk.command("core show version"))
    turns = [dict(held[at : at + len(CONTENDERS)]) for at in range(0, len(held), len(CONTENDERS))]
    kept = Rounds([{name: turn[name] for name in CONTENDERS} for turn in turns[WARM_UP:]])
    return kept, version[0] if version else ""


def _wait_for_mails(race: Race, asterisk: Asterisk) -> None:
    """Wait for one of each contender. Raises Lost."""
    try:
        race.far_end.stamps(len(CONTENDERS), PATIENCE)
    except TimeoutError as error:
        raise Lost(f"{error}\n{asterisk.log_since_mark()}") from None


def _dialplan(orders: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "[from-trunk]\n"
    for number, order in enumerate(orders):
        yield CALL.format(number=number)
        for contender in order:
            # A call is told once for each extension.
            argument = "102,hold" if contender == HOLD else "101"
            yield TURN.format(contender=CONTENDERS.index(contender), script=f"{_name(contender)},{argument}")


def _name(contender: str) -> str:
    """Return what the script of a contender is called in AGI."""
    return "pbxnotify-missed.agi" if contender in (OURS, HOLD) else f"contender-{CONTENDERS.index(contender)}.agi"


def _place_scripts(box: Box, directory: Path) -> None:
    """Put the scripts where Asterisk finds them, each beginning with how it is started."""
    for contender in CONTENDERS:
        *interpreter, script = box.command_of(contender, "missed")
        path = directory / _name(contender)
        if interpreter:
            path.write_text(f"#!{' '.join(interpreter)}\n{Path(script).read_text()}")
            path.chmod(0o755)
        elif not path.exists():
            path.symlink_to(script)


def _held(lines: Iterable[str]) -> list[tuple[str, Held]]:
    """Return who has held the call, and for how long, in the order of Asterisk's log."""
    held, before = [], 0.0
    for line in lines:
        found = re.search(r"(BEFORE|AFTER) (\d)$", line)
        if found and found[1] == "BEFORE":
            before = logged_at(line)
        elif found:
            held.append((CONTENDERS[int(found[2])], Held((logged_at(line) - before) / 1000)))
    return held
