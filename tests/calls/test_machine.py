"""What the monitor observes of a real Asterisk: that it runs, that it was restarted, and the trunks that it loses."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from lab import SUITES, Asterisk, require
from office import Office, install
from relay import Catcher

from pbxnotify.languages.language import load_language

WORDS = load_language("en")
REGISTRAR, FIXED = 110, 111
"""Where the provider of each trunk listens, as a phone would."""
TRUNKS = """
[system]
type=system
timer_t1=100
timer_b=6400
[registered]
type=registration
transport=transport-udp
server_uri=sip:127.0.0.3:{registrar}
client_uri=sip:me@127.0.0.3:{registrar}
retry_interval=2
forbidden_retry_interval=2
expiration=60
[fixed]
type=aor
contact=sip:127.0.0.3:{fixed}
qualify_frequency=1
qualify_timeout=3
[fixed]
type=endpoint
transport=transport-udp
context=from-trunk
aors=fixed
disallow=all
allow=ulaw
"""
INI = """\
[smtp]
host = 127.0.0.1:{port}
sender = pbx@example.com
[notifications]
admin_email = admin@example.com
pbx_name = office
[system]
disks = / 1 B
"""


@pytest.fixture(scope="module", params=SUITES, ids=lambda version: f"Asterisk {version}")
def own_office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Return an office whose Asterisk may be killed."""
    require(request.param)
    directory = tmp_path_factory.mktemp(f"machine-{request.param}")
    asterisk = Asterisk(request.param, directory / "lab", dialplan="[from-trunk]\nexten => 1,1,NoOp()\n")
    install(asterisk, directory)
    with Catcher() as catcher, asterisk:
        yield Office(asterisk, catcher, directory)


@pytest.fixture
def office(own_office: Office) -> Office:
    """Return the office with nothing known of it and its Asterisk running."""
    if not own_office.asterisk.is_running():
        own_office.asterisk.start()
    own_office.reset()
    own_office.write_ini(INI.format(port=own_office.catcher.port))
    look(own_office)
    return own_office


def look(office: Office) -> dict[str, str]:
    """Run the monitor; returns the state of each thing."""
    done = office.pbxnotify("monitor")
    assert done.returncode == 0, done.stderr
    return {key: state for state, key in re.findall(r"(?m)^(\w+) +(\S+(?: \w+)?)", done.stdout)}


def mailed(office: Office) -> list[str]:
    """Return the subjects of the mails so far, and forget them."""
    subjects = [str(mail.message["Subject"]).replace("office: ", "") for mail in office.catcher.mails]
    office.catcher.clear()
    return subjects


def look_until(office: Office, key: str, state: str) -> None:
    """Run the monitor until something has a state."""
    office.wait_until(lambda: look(office).get(key) == state, timeout=180, pause=1)


def test_an_asterisk_that_runs(office: Office) -> None:
    assert look(office)["asterisk"] == "ok"
    assert mailed(office) == []


def test_an_asterisk_that_is_killed_and_started_again(office: Office) -> None:
    office.asterisk.kill()
    assert look(office)["asterisk"] == "PROBLEM"
    look(office)
    assert mailed(office) == [WORDS.asterisk_down]
    office.asterisk.start()
    look(office)
    look(office)
    assert mailed(office) == [WORDS.over.format(subject=WORDS.asterisk_down)]


def test_an_asterisk_that_was_restarted_between_two_runs(office: Office) -> None:
    office.asterisk.kill()
    time.sleep(4)  # it gives its start in whole seconds
    office.asterisk.start()
    look(office)
    look(office)
    assert mailed(office) == [WORDS.asterisk_restarted]


@pytest.fixture
def trunks(office: Office) -> Office:
    """Return the office with two trunks in its configuration."""
    asterisk = office.asterisk
    path = asterisk.etc / "pjsip.conf"
    before = path.read_text()
    text = TRUNKS.format(registrar=asterisk.port + REGISTRAR, fixed=asterisk.port + FIXED)
    path.write_text(before + text)
    asterisk.command("module load res_pjsip_outbound_registration.so")
    asterisk.command("module reload res_pjsip.so")
    return office


def test_a_trunk_that_stops_and_returns(trunks: Office) -> None:
    """One after the other: what is found in one look goes into one mail."""
    registered, fixed = "trunk:registration registered", "trunk:contact fixed"
    down = {name: WORDS.trunk_down.format(name=name) for name in ("fixed", "registered")}
    with trunks.phone(REGISTRAR, "uas_registrar"):
        with trunks.phone(FIXED, "uas_options"):
            look_until(trunks, registered, "ok")
            look_until(trunks, fixed, "ok")
            look(trunks)
            trunks.catcher.clear()
        assert mailed_when(trunks, fixed, "PROBLEM") == [down["fixed"]]
    assert mailed_when(trunks, registered, "PROBLEM") == [down["registered"]]
    with trunks.phone(REGISTRAR, "uas_registrar"):
        assert mailed_when(trunks, registered, "ok") == [WORDS.over.format(subject=down["registered"])]
        with trunks.phone(FIXED, "uas_options"):
            assert mailed_when(trunks, fixed, "ok") == [WORDS.over.format(subject=down["fixed"])]


def mailed_when(office: Office, key: str, state: str) -> list[str]:
    """Run the monitor until something has a state, and that is mailed; returns the subjects of the mails.

    Two runs have to see it, one after the other, and on a busy machine a trunk may miss its time between them.
    """
    office.wait_until(lambda: look(office).get(key) == state and office.catcher.mails, timeout=180, pause=1)
    return mailed(office)


def test_an_asterisk_that_is_not_monitored(office: Office) -> None:
    office.write_ini(INI.format(port=office.catcher.port) + "asterisk = no\ntrunks = no\n")
    assert not [key for key in look(office) if key.startswith(("asterisk", "trunk"))]
