"""The benchmark works: each contender's mails arrive, no more and no fewer, and the table names all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import logins
import pytest
import stamping_relay
from contender import CONTENDERS, Box
from figures import Rounds
from logins import Login
from race import Race, Situation
from report import render
from results import Results
from skipping import unavailable


def test_each_contender_tells_of_a_call(tmp_path: Path) -> None:
    if not shutil.which("msmtp"):
        unavailable("msmtp is not installed (Debian's package msmtp)")
    situation = Situation("missed", 3, "starttls")
    with stamping_relay.running(tmp_path) as far_end:
        race = Race(Box(tmp_path), far_end)
        environment = race.box.configure(far_end.ways[situation.mode])
        rounds = Rounds([{name: race.call(name, situation, environment) for name in CONTENDERS}])
    table = render(Results(race={situation: rounds}), [])
    assert [name for name in CONTENDERS if f"| {name} " not in table] == []


@pytest.fixture(scope="module")
def each_login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Login]]:
    """Return the logins that are compared, and run the servers for them."""
    directory = tmp_path_factory.mktemp("logins")
    with stamping_relay.running(directory, logins.servers) as far_end:
        yield logins.prepare(Race(Box(directory), far_end))


def test_a_call_is_told_of_after_each_login(each_login: dict[str, Login]) -> None:
    told = [name for name, login in each_login.items() if login.call().whole]
    assert told == [logins.PASSWORD, logins.VALID, logins.EXPIRED]


def test_a_valid_token_costs_one_file_and_the_module_that_reads_it(each_login: dict[str, Login]) -> None:
    if not shutil.which("strace"):
        unavailable("strace is not installed (Debian's package strace)")
    asked = {name: login.look(runs=1) for name, login in each_login.items()}
    more = asked[logins.VALID].more_than(asked[logins.PASSWORD])
    names = [Path(path).name.partition(".")[0] for path in more if not path.endswith("spool-valid-token")]
    assert names == ["oauth", "__init__", "token_store", "oauth2"]
    assert any("/oauthlib/" in path for path in asked[logins.EXPIRED].opened)
