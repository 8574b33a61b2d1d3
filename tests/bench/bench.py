"""Compare what a mail about a call costs: pbxnotify, the floor, and what people write or use today."""

from __future__ import annotations

import argparse
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import far_end as relays
from call import SPARED, Cost, play
from contender import CONTENDERS, Box
from far_end import FarEnd

COUNTER = itertools.count(int.from_bytes(os.urandom(3), "big") * 1000)


@dataclass(frozen=True)
class Situation:
    """What is compared: a kind of call, how many are told, and the way to the relay."""

    kind: str
    recipients: int
    mode: str

    def __str__(self) -> str:
        return f"{self.kind}, {self.recipients} recipient{'s' * (self.recipients > 1)}, {self.mode}"

    @property
    def extensions(self) -> str:
        return "&".join(str(101 + number) for number in range(self.recipients))


SITUATIONS = [
    *(Situation("missed", recipients, mode) for recipients in (1, 3) for mode in relays.MODES),
    *(Situation("voicemail", 1, mode) for mode in relays.MODES),
]


def variables(message: str = "") -> dict[str, str]:
    """Return what a channel says of a call nobody answered, and of the message that was left."""
    identifier = f"1764115200.{next(COUNTER)}"
    known = {
        "UNIQUEID": identifier,
        "CHANNEL(linkedid)": identifier,
        "CHANNEL(name)": "PJSIP/trunk-00000001",
        "CALLERID(num)": "74951234567",
        "CALLERID(name)": "Alexey Portnov",
        "DIALSTATUS": "NOANSWER",
        "CDR(lastapp)": "Dial",
    }
    return {**known, "VM_MESSAGEFILE": message, "VMSTATUS": "SUCCESS"} if message else known


class Race:
    """The contenders in turn, each round in another order."""

    def __init__(self, box: Box, far_end: FarEnd) -> None:
        self.box = box
        self.far_end = far_end
        self._message = box.leave_message(65)

    def run(self, situation: Situation, contender: str, at_once: int = 1) -> list[Cost]:
        """Play calls of one contender at once."""
        script = self.box.script(contender, situation.kind, situation.mode, self.far_end, situation.extensions)
        calls = [(script, self._variables(situation)) for _ in range(at_once)]
        return play(calls, situation.recipients * at_once, self.far_end.stamps)

    def _variables(self, situation: Situation) -> Mapping[str, str]:
        if situation.kind == "missed":
            return variables()
        told = variables(self._message)
        self.box.inform(self._message, told["UNIQUEID"])
        return told

    def rounds(self, situation: Situation, count: int, contenders: tuple[str, ...]) -> Iterator[dict[str, Cost]]:
        """Yield what each contender costs, round for round; the first two rounds only warm the machine."""
        for number in range(-2, count):
            order = random.sample(contenders, len(contenders))
            costs = {contender: self.run(situation, contender)[0] for contender in order}
            if number >= 0:
                yield costs


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="pbxnotify-bench-"))
    far_end = relays.start(directory)
    SPARED.add(far_end.process.pid or 0)
    box = Box(directory)
    box.configure(far_end)
    race = Race(box, far_end)
    for situation in SITUATIONS:
        rounds = list(race.rounds(situation, options.rounds, CONTENDERS))
        print(situation)
        for contender in CONTENDERS:
            costs = [one[contender] for one in rounds]
            print(
                f"  {contender:18}",
                *(
                    f"{name} {median(getattr(c, name) for c in costs) * 1000:7.1f}"
                    for name in ("let_go", "whole", "cpu")
                ),
                costs[0].questions,
            )


if __name__ == "__main__":
    sys.exit(main())
