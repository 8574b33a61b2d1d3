"""The contenders in turn, in every situation that is compared."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from call import Cost, Script, play
from contender import CONTENDERS, Box
from figures import Rounds, interleave
from stamping_relay import MODES, FarEnd

COUNTER = itertools.count(int.from_bytes(os.urandom(3), "big") * 1000)
PATIENCE = 30.0
"""Seconds for a mail of a process that has ended: Postfix passes it on a little later."""
RECORDING_SECONDS = 65
"""A recording of 1 MB."""


class Lost(Exception):
    """A contender's mail did not come; says what the contender has said."""


@dataclass(frozen=True)
class Situation:
    """What is compared: a kind of call, how many are told, and the way to the relay."""

    kind: str
    recipients: int
    mode: str

    def __str__(self) -> str:
        what = "missed call" if self.kind == "missed" else "voicemail of 1 MB"
        return f"{what}, {self.recipients} recipient{'s' * (self.recipients > 1)}, {self.mode}"

    @property
    def extensions(self) -> str:
        """Return who is told, as the script's argument."""
        return "&".join(str(101 + number) for number in range(self.recipients))


MISSED, MISSED_STARTTLS, MISSED_TLS = (Situation("missed", 1, mode) for mode in MODES)
VOICEMAIL = Situation("voicemail", 1, "plain")
SITUATIONS = (
    *(Situation("missed", recipients, mode) for recipients in (1, 3) for mode in MODES),
    *(Situation("voicemail", 1, mode) for mode in MODES),
)


class Race:
    """A box with all contenders, and the relay that gets their mails."""

    def __init__(self, box: Box, far_end: FarEnd) -> None:
        self.box = box
        self.far_end = far_end
        self._message = box.leave_message(RECORDING_SECONDS)

    def measure(self, situation: Situation, environment: Mapping[str, str], rounds: int) -> Rounds:
        """Let all contenders run in one situation; ``environment`` says the way, as ``Box.configure`` does."""
        runs = {contender: partial(self.call, contender, situation, environment) for contender in CONTENDERS}
        self.box.clean()
        return interleave(runs, rounds)

    def call(self, contender: str, situation: Situation, environment: Mapping[str, str], at_once: int = 1) -> Cost:
        """Play calls of one contender at once. Raises Lost."""
        script = self.box.script(contender, situation.kind, situation.extensions, environment)
        return self.play([script] * at_once, situation, situation.recipients * at_once)

    def play(self, scripts: Sequence[Script], situation: Situation, mails: int) -> Cost:
        """Play calls at once, each to a script, that lead to so many mails. Raises Lost."""
        calls = [(script, self._variables(situation)) for script in scripts]
        self.box.stderr.unlink(missing_ok=True)
        try:
            cost = play(calls, self.box.stderr, lambda: self.far_end.stamps(mails, PATIENCE))
            if self.far_end.unexpected():
                raise TimeoutError(f"more mails came than {mails}")
        except TimeoutError as error:
            explained = self.box.explain(scripts[0].environment)
            raise Lost(f"{' '.join(scripts[0].command)}, {situation}: {error}\n{explained}") from None
        return cost

    def _variables(self, situation: Situation) -> dict[str, str]:
        """Return what a channel says of a call nobody answered, and of the message that was left."""
        identifier = f"{int(time.time())}.{next(COUNTER)}"
        known = {
            "UNIQUEID": identifier,
            "CHANNEL(linkedid)": identifier,
            "CHANNEL(name)": "PJSIP/trunk-00000001",
            "CALLERID(num)": "74951234567",
            "CALLERID(name)": "Alexey Portnov",
            "DIALSTATUS": "NOANSWER",
            "CDR(lastapp)": "Dial",
        }
        if situation.kind == "missed":
            return known
        self.box.inform(self._message, identifier)
        return {**known, "VM_MESSAGEFILE": self._message, "VMSTATUS": "SUCCESS"}
