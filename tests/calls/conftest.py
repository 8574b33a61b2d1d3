"""The office that the tests of real calls share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from checkout import ROOT
from lab import SUITES, Asterisk, require
from office import Office, install
from relay import Catcher


@pytest.fixture(scope="session", params=SUITES, ids=lambda version: f"Asterisk {version}")
def running_office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Return an office that lives as long as the tests of one Asterisk."""
    require(request.param)
    directory = tmp_path_factory.mktemp(f"asterisk-{request.param}")
    asterisk = Asterisk(
        request.param,
        directory / "lab",
        dialplan=(ROOT / "tests" / "support" / "asterisk" / "extensions.conf").read_text(),
        environment={
            "PBXNOTIFY_LOG": str(directory / "pbxnotify.log"),
            "PBXNOTIFY_ASTERISK": str(directory / "lab" / "asterisk"),
        },
    )
    install(asterisk, directory)
    with Catcher() as catcher, asterisk:
        yield Office(asterisk, catcher, directory)


@pytest.fixture
def office(running_office: Office) -> Office:
    """Return the office with nothing in it of other tests."""
    running_office.reset()
    return running_office
