"""A table of real calls on a real Asterisk, many at once: who is mailed about each, and what the mails say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from call_table import TABLE
from case_calls import Case, CaseRun, Cases, Expected, own
from lab import SUITES, Asterisk, require
from office import Mail, Office, install
from relay import Catcher
from sip_phone import Ringing


@pytest.fixture(scope="session", params=SUITES, ids=lambda version: f"Asterisk {version}")
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, CaseRun]]:
    """Play all cases on one Asterisk; return what came of each, by its name."""
    version: int = request.param
    require(version)
    directory = tmp_path_factory.mktemp(f"table-{version}")
    with Cases(TABLE, version) as cases:
        environment = {
            "PBXNOTIFY_LOG": str(directory / "pbxnotify.log"),
            "PBXNOTIFY_ASTERISK": str(directory / "lab" / "asterisk"),
        }
        asterisk = Asterisk(version, directory / "lab", dialplan=cases.dialplan(), environment=environment)
        install(asterisk, directory)
        cases.configure(asterisk)
        # Of a watched call nobody hears twice.
        externnotify = f"externnotify={directory}/usr/bin/pbxnotify externnotify\nsendvoicemail=yes\n"
        (asterisk.etc / "voicemail_general.conf").write_text(externnotify)
        with Catcher() as catcher, asterisk:
            office = Office(asterisk, catcher, directory)
            office.reset()
            office.write_ini(cases.ini(catcher.port))
            runs = cases.run(office)
    yield {cases.numbered[number].name: run._replace(number=number) for number, run in runs.items()}


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_call(played: dict[str, CaseRun], case: Case) -> None:
    if case.name not in played:
        return  # this Asterisk lacks what the case is about
    run = played[case.name]
    assert not run.fault
    wanted = sorted(_as_expected(expected, run.number) for expected in case.expected)
    assert sorted(_as_mailed(mail) for mail in run.mails) == wanted
    for expected in case.expected:
        _check(expected, run)


def _as_expected(expected: Expected, number: int) -> str:
    address = f"{expected.who}@" if expected.who in ("common", "voicemail") else f"{expected.who}-{number}@"
    return f"{address}example.com {'voicemail ' + own(expected.box, number) if expected.box else 'missed'}"


def _as_mailed(mail: Mail) -> str:
    return f"{mail.to} {'voicemail ' + mail.fields['mailbox'] if 'mailbox' in mail.fields else 'missed'}"


def _check(expected: Expected, run: CaseRun) -> None:
    """Compare what a mail says."""
    mails = [mail for mail in run.mails if _as_mailed(mail) == _as_expected(expected, run.number)]
    caller = expected.caller and own(expected.caller, run.number)
    mail = next((mail for mail in mails if _caller_of(mail) == caller), mails[0])
    assert caller in (None, _caller_of(mail))
    if expected.box:
        assert bool(mail.recording) == expected.recording
        return
    if expected.to is not None:
        assert mail.fields["called"] == own(expected.to, run.number)
    if expected.cause is not None:
        assert mail.fields["status"] == expected.cause
    seconds = int(mail.fields["seconds"])
    if expected.seconds == "rang":
        assert abs(seconds - _rang(run.rang[expected.to or ""])) <= 1.5, run.rang
    elif expected.seconds is not None:
        assert abs(seconds - int(expected.seconds)) <= 1


def _caller_of(mail: Mail) -> str:
    return mail.fields["number" if "mailbox" in mail.fields else "caller"]


def _rang(ringing: list[Ringing]) -> float:
    return sum(one.ended - one.began for one in ringing)
