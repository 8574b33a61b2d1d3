"""A login by token beside one by password: what each costs, and what it asks of the kernel."""

from __future__ import annotations

import logging
import re
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from call import Cost
from contender import OURS, PYTHON, Box
from figures import Rounds, interleave
from race import MISSED_TLS, Lost, Race
from stamping_relay import Stamping, Way
from usage import Look

# stamping_relay has put tests/ on the path
from authorization_server import AuthorizationServer  # isort: skip
from relay import Certificates  # isort: skip

PASSWORD, VALID, EXPIRED = "password", "valid token", "expired token"
LIFETIMES = {VALID: 3600, EXPIRED: -3600}
"""Seconds from now on."""
ACCOUNT, SECRET = "pbx@office.test", "s3cret-w0rd"
TOKEN_LENGTH = 2000
"""Characters, about those of Microsoft's: too many for one line with AUTH, so they follow its answer to that."""
KEEP = Path(__file__).resolve().parent / "keep_tokens.py"
PASSING_NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]+|\d{10}\.\d+|(?<=/proc/)\d+|(?<=\.)\d+$")
"""What a call names after itself: the id of its item, the id of the call, a process."""


@dataclass(frozen=True)
class Asked:
    """What a call asks of the kernel."""

    system_calls: float
    """Of all its processes; this and the next are the median of a few runs."""
    syncs: float
    opened: tuple[str, ...]
    """The files that were opened in one run, as often as they were; what a call names after itself is ``*`` there."""

    def more_than(self, other: Asked) -> list[str]:
        """Return the files that only this one has opened."""
        return sorted(set(self.opened) - set(other.opened))


class Login:
    """One way to log in, and a box's spool for it alone."""

    def __init__(self, race: Race, name: str, way: Way, environment: Mapping[str, str]) -> None:
        """``environment`` says the way, as ``Box.configure`` does."""
        self._race = race
        self._spool = race.box.directory / f"spool-{name.replace(' ', '-')}"
        self._spool.mkdir()
        self._environment = {**environment, "AST_SPOOL_DIR": str(self._spool)}
        self._renews = name == EXPIRED
        self._tokens = _keep(race.box, way, LIFETIMES[name], self._environment) if name in LIFETIMES else None
        self._kept = self._tokens.read_bytes() if self._tokens else b""

    def call(self) -> Cost:
        """Play a call that nobody answered. Raises Lost."""
        self._begin()
        cost = self._race.call(OURS, MISSED_TLS, self._environment)
        self._end()
        return cost

    def look(self, runs: int) -> Asked:
        """Return what such a call asks of the kernel. Raises Lost."""
        look = Look(self._race, OURS, MISSED_TLS, self._environment)
        counts = []
        for _ in range(runs):
            self._begin()
            counts.append(look.system_calls())
            self._end()
        calls, syncs, _ = map(median, zip(*counts))
        self._begin()
        opened = tuple(self._shown(path) for path in look.opened())
        return Asked(calls, syncs, opened)

    def _begin(self) -> None:
        """Have the tokens there that were kept first: a server that does not rotate takes a refresh token each time."""
        if self._renews and self._tokens:
            self._tokens.write_bytes(self._kept)

    def _end(self) -> None:
        """Be sure that it was the login that it is to be. Raises Lost."""
        if self._tokens and (self._tokens.read_bytes() != self._kept) != self._renews:
            raise Lost(f"{self._tokens}: the token was {'not ' * self._renews}renewed")

    def _shown(self, path: str) -> str:
        """Return a path as it is in any box and any call."""
        places = {
            str(self._spool): "SPOOL",
            self._environment["AST_CONFIG_DIR"]: "ETC",
            str(self._race.box.library.resolve()): "LIBRARY",
        }
        for place, name in places.items():
            path = path.replace(place, name)
        return PASSING_NAME.sub("*", path)


@contextmanager
def servers(certificates: Certificates, stamps: int) -> Iterator[dict[str, Way]]:
    """Run a relay that takes the account's password and tokens, and the server that gives the tokens."""
    logging.disable(logging.WARNING)  # in their own process: aiosmtpd would complain at each login by password
    warnings.simplefilter("ignore", UserWarning)
    issuer = AuthorizationServer(certificates.server, account=ACCOUNT, token_length=TOKEN_LENGTH)
    relay = Stamping(
        stamps,
        tls=certificates.server,
        implicit=True,
        login=(ACCOUNT, SECRET),
        tokens=issuer.is_valid,
        mechanisms=("PLAIN", "XOAUTH2"),
    )
    with issuer, relay:
        by_password = Way("tls", relay.port, certificates.ca_file, ACCOUNT, SECRET)
        issued = issuer.issue()
        by_token = replace(
            by_password,
            password="",
            oauth2=issuer.ini(),
            access=issued["access_token"],
            refresh=issued["refresh_token"],
        )
        yield {PASSWORD: by_password, VALID: by_token, EXPIRED: by_token}


def prepare(race: Race) -> dict[str, Login]:
    """Return each login; the far end of the race are the ``servers``."""
    ways = race.far_end.ways
    environments = {way: race.box.configure(way) for way in set(ways.values())}
    return {name: Login(race, name, way, environments[way]) for name, way in ways.items()}


def measure(logins: Mapping[str, Login], rounds: int, looks: int) -> tuple[Rounds, dict[str, Asked]]:
    """Let all log in, in turn; then look at what each asks of the kernel. Raises Lost."""
    costs = interleave({name: login.call for name, login in logins.items()}, rounds)
    return costs, {name: login.look(looks) for name, login in logins.items()}


def _keep(box: Box, way: Way, lifetime: int, environment: Mapping[str, str]) -> Path:
    """Keep the tokens of a way, which end so many seconds from now on; returns the file."""
    told = {**environment, "BENCH_ACCESS": way.access, "BENCH_REFRESH": way.refresh}
    command = [PYTHON, "-ES", str(KEEP), str(box.library), str(lifetime)]
    return Path(subprocess.run(command, env=told, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
