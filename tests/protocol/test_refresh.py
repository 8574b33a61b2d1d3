"""A token is renewed in time, by one process at a time, and by the administrator where nothing else helps."""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from authorization_server import Answer
from golden import Golden
from login_office import ACCOUNT, LoginOffice
from relay import Certificates, ScriptedRelay

from pbxnotify.errors import GrantRefused, LoginError, LoginRefused, LoginUnavailable
from pbxnotify.settings.smtp import Smtp
from pbxnotify.smtp.client import Relay
from pbxnotify.smtp.oauth import refresh, token_store
from pbxnotify.smtp.oauth.token_store import Access

HOUR = 3600.0


def refused(office: LoginOffice, kind: type[LoginError] = LoginRefused, rejected: str = "") -> LoginError:
    """Return why there is no token."""
    with pytest.raises(kind) as caught:
        refresh.access(office.relay, rejected)
    return caught.value


# Its end, by the clock here


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({"expires": HOUR}, 0, id="an hour left"),
        pytest.param({"expires": 70.0}, 0, id="a little more than the margin left"),
        pytest.param({"expires": 50.0}, 1, id="a little less"),
        pytest.param({"expires": -1.0}, 1, id="over"),
        pytest.param({"expires": None}, 0, id="no end known"),
        pytest.param({"obtained": 30.0}, 0, id="the clock was set back by half a minute"),
        pytest.param({"obtained": HOUR, "expires": 2 * HOUR}, 1, id="the clock was set back by an hour"),
        pytest.param({"access": ""}, 1, id="a refresh token only"),
    ],
)
def test_when_a_token_is_renewed(office: LoginOffice, changes: dict[str, Any], asked: int) -> None:
    now = time.time()
    moments = {name: value if value in (None, "") else now + value for name, value in changes.items()}
    office.keep(**moments)
    assert office.server.is_valid(ACCOUNT, refresh.access(office.relay).token)
    assert office.asked() == asked


def test_a_lifetime_counts_by_the_clock_here(office: LoginOffice) -> None:
    office.keep(expires=1.0)
    before = time.time()
    refresh.access(office.relay)
    assert before + HOUR <= (office.kept.expires or 0.0) <= time.time() + HOUR


@pytest.mark.parametrize(
    ("written", "lifetime"),
    [
        pytest.param(1800, 1800.0, id="a number"),
        pytest.param("1800", 1800.0, id="in quotes"),
        pytest.param(1800.9, 1800.9, id="with a fraction"),
        pytest.param(None, None, id="none"),
        pytest.param("soon", None, id="a word"),
        pytest.param(-5, None, id="negative"),
        pytest.param([1], None, id="a list"),
        pytest.param("nan", None, id="not a number"),
        pytest.param(1e300, 10 * 366 * 86400.0, id="for ever"),
    ],
)
def test_a_lifetime_as_servers_write_it(office: LoginOffice, written: object, lifetime: float | None) -> None:
    office.keep(expires=1.0)
    office.server.answer("/token", Answer(200, {"access_token": "a1", "token_type": "Bearer", "expires_in": written}))
    refresh.access(office.relay)
    found = office.kept
    assert found.obtained
    assert (found.expires and found.expires - found.obtained) == pytest.approx(lifetime, abs=0.01)


# Renewal


def test_a_renewed_token_is_kept_for_the_next_call(office: LoginOffice) -> None:
    office.keep(expires=1.0)
    first = refresh.access(office.relay)
    assert (first.is_new, refresh.access(office.relay), office.asked()) == (True, Access(first.token, is_new=False), 1)


def test_without_a_new_refresh_token_the_old_one_goes_on(office: LoginOffice) -> None:
    before = office.keep(expires=1.0, ends=time.time() + HOUR)
    refresh.access(office.relay)
    assert (office.kept.refresh, office.kept.ends) == (before.refresh, office.kept.ends)
    assert (office.kept.ends or 0.0) > time.time()


def test_a_new_refresh_token_takes_the_place_of_the_old_one(rotating: LoginOffice) -> None:
    before = rotating.keep(expires=1.0)
    refresh.access(rotating.relay)
    after = rotating.kept
    assert after.refresh != before.refresh
    token_store.write(rotating.relay, after._replace(expires=1.0))
    assert rotating.server.is_valid(ACCOUNT, refresh.access(rotating.relay).token)


def test_a_rejected_token_is_renewed_although_it_seems_valid(office: LoginOffice) -> None:
    valid = office.keep()
    fresh = refresh.access(office.relay, rejected=valid.access)
    assert (fresh.is_new, fresh.token != valid.access, office.asked()) == (True, True, 1)


def test_who_comes_with_a_rejected_token_takes_what_another_has_renewed(office: LoginOffice) -> None:
    office.keep()
    assert refresh.access(office.relay, rejected="an older one").is_new is False
    assert office.server.requests == []


def _access_in_a_process(relay: Smtp, start: Any, answers: Any) -> None:
    start.wait()
    answers.put(refresh.access(relay).token)


@pytest.mark.parametrize("count", [2, 12])
def test_processes_at_once_renew_it_once(rotating: LoginOffice, count: int) -> None:
    """Where a refresh token is good for one renewal, a second one would end the login."""
    rotating.keep(expires=1.0)
    context = multiprocessing.get_context("fork")
    start, answers = context.Event(), context.Queue()
    processes = [
        context.Process(target=_access_in_a_process, args=(rotating.relay, start, answers)) for _ in range(count)
    ]
    for process in processes:
        process.start()
    start.set()
    given = {answers.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    assert (len(given), rotating.asked()) == (1, 1)
    assert rotating.server.is_valid(ACCOUNT, given.pop())


def test_whoever_waited_for_a_refusal_does_not_ask_again(office: LoginOffice, golden: Golden) -> None:
    office.keep(expires=1.0)
    office.server.withdraw()
    context = multiprocessing.get_context("fork")
    is_locked, answers = context.Event(), context.SimpleQueue()

    def wait() -> None:
        is_locked.wait()
        answers.put(str(refused(office)))

    waiting = [context.Process(target=wait) for _ in range(3)]
    for process in waiting:  # begun before there is a lock that they would inherit
        process.start()
    with token_store.alone():
        is_locked.set()
        time.sleep(0.2)  # all of them have begun, and wait for the lock
    given = {answers.get() for _ in waiting}
    for process in waiting:
        process.join()
    assert (len(given), office.asked()) == (1, 1)
    golden(given.pop())


def test_a_process_that_never_ends_its_renewal_is_not_waited_for(
    office: LoginOffice, monkeypatch: pytest.MonkeyPatch, golden: Golden
) -> None:
    monkeypatch.setattr(token_store, "PATIENCE", 0.3)
    office.keep(expires=1.0)
    with token_store.alone():
        golden(refused(office, LoginUnavailable))


def test_a_process_that_dies_in_the_middle_of_it_holds_up_nobody(office: LoginOffice) -> None:
    office.keep(expires=1.0)
    ready, process = multiprocessing.Event(), multiprocessing.get_context("fork")

    def hold() -> None:
        with token_store.alone():
            ready.set()
            time.sleep(60)

    holder = process.Process(target=hold)
    holder.start()
    ready.wait()
    holder.kill()
    holder.join()
    assert refresh.access(office.relay).is_new


# A login that no mail uses

DAY = 86400.0


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        pytest.param({"obtained": -29 * DAY}, 0, id="29 days"),
        pytest.param({"obtained": -31 * DAY}, 1, id="31 days"),
        pytest.param({"obtained": -31 * DAY, "expires": 300 * DAY}, 1, id="31 days, and 300 to come: Yandex"),
        pytest.param({"obtained": -31 * DAY, "tended": -DAY / 2}, 0, id="asked in vain half a day ago"),
        pytest.param({"obtained": -31 * DAY, "tended": -DAY - 1}, 1, id="asked in vain a day ago"),
        pytest.param({"obtained": -31 * DAY, "refused": "no"}, 0, id="refused"),
        pytest.param({"obtained": -31 * DAY, "rejected": "no"}, 1, id="rejected by the relay"),
        pytest.param({"obtained": -31 * DAY, "refresh": ""}, 0, id="nothing to renew it with"),
    ],
)
def test_a_login_that_no_mail_uses_is_renewed(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], changes: dict[str, Any], asked: int
) -> None:
    """Google ends it after half a year, Microsoft after 90 days, Yandex a year after it was renewed."""
    now = time.time()
    moments = {name: now + value for name, value in changes.items() if isinstance(value, float)}
    before = office.keep(**{**changes, **moments})
    assert [run("queue", "run")[0] for _ in range(3)] == [0, 0, 0]
    assert office.asked() == asked
    assert ((office.kept.obtained or 0.0) > (before.obtained or 0.0)) == bool(asked)


@pytest.mark.parametrize(("status", "error", "is_refused"), [(503, "", False), (400, "invalid_grant", True)])
def test_a_login_that_cannot_be_renewed_in_time_is_logged_once_a_day(
    office: LoginOffice,
    run: Callable[..., tuple[int, str, str]],
    logged: Callable[[], str],
    status: int,
    error: str,
    is_refused: bool,
    golden: Golden,
) -> None:
    before = office.keep(obtained=time.time() - 31 * DAY)
    office.server.answer("/token", Answer(status, {"error": error}))
    assert [run("queue", "run")[0] for _ in range(3)] == [0, 0, 0]
    assert office.asked() == 1
    golden(logged())
    assert (office.kept.access, bool(office.kept.refused)) == (before.access, is_refused)
    assert (run("status")[0] == 2) == is_refused


def test_what_is_wrong_here_is_logged_once_a_day_too(
    office: LoginOffice,
    run: Callable[..., tuple[int, str, str]],
    logged: Callable[[], str],
    tmp_path: Path,
    golden: Golden,
) -> None:
    office.keep(obtained=time.time() - 31 * DAY)
    (tmp_path / "none.pem").write_text("no certificate")
    office.ini.write_text(re.sub("ca_file = .*", f"ca_file = {tmp_path}/none.pem", office.ini.read_text()))
    assert [run("queue", "run")[0] for _ in range(3)] == [0, 0, 0]
    golden(logged().partition(": [")[0])
    assert logged().count(str(tmp_path / "none.pem")) == 1


# What cannot be renewed


def test_a_withdrawn_login_says_what_to_do(office: LoginOffice, golden: Golden) -> None:
    office.keep(expires=1.0)
    office.server.withdraw()
    error = refused(office, GrantRefused)
    assert isinstance(error, GrantRefused)
    assert error.error == "invalid_grant"
    golden(error)


def test_a_token_without_a_refresh_token_ends(office: LoginOffice, golden: Golden) -> None:
    office.keep(expires=1.0, refresh="")
    golden(refused(office))


@pytest.mark.parametrize(
    ("answer", "kind"), [({"error": "invalid_grant"}, GrantRefused), ({"error": "server_error"}, LoginUnavailable)]
)
def test_a_token_that_the_relay_rejects_is_not_shown_again(
    office: LoginOffice, answer: dict[str, str], kind: type[LoginError]
) -> None:
    valid = office.keep()
    office.server.answer("/token", Answer(400, answer))
    refused(office, kind, rejected=valid.access)
    assert office.kept.access == ""


def test_a_new_token_that_is_the_rejected_one_is_not_shown_again(office: LoginOffice, golden: Golden) -> None:
    """Yandex may give the same one."""
    same = office.keep()
    office.server.expire_access_tokens()
    answer = {"access_token": same.access, "refresh_token": "another", "token_type": "bearer", "expires_in": 3600}
    office.server.answer("/token", Answer(200, answer))
    with pytest.raises(GrantRefused) as caught:
        Relay(office.relay).__enter__()
    golden(caught.value)
    assert len(office.catcher.logins) == 1
    assert (office.kept.access, office.kept.refresh) == ("", "another")


def test_what_the_relay_says_of_a_new_token_is_known_until_it_takes_one(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], golden: Golden
) -> None:
    """As with Microsoft, where authenticated SMTP is another switch."""
    office.keep(expires=1.0)
    office.server.answer("/token", *(Answer(200, {**office.server.issue(), "access_token": f"no-{n}"}) for n in "ab"))
    assert run("test")[0] == os.EX_CONFIG
    golden(office.kept.rejected)
    assert run("status")[0] == 2
    assert " ".join(office.kept.rejected.split()) in " ".join(run("status")[1].split())
    assert " ".join(office.kept.rejected.split()) in " ".join(run("check")[1].split())
    token_store.write(office.relay, office.kept._replace(access=office.server.issue()["access_token"]))
    assert run("test")[0] == 0
    assert office.kept.rejected == ""


def test_a_rejected_token_that_cannot_be_renewed_may_be_taken_later(
    office: LoginOffice, run: Callable[..., tuple[int, str, str]], certificates: Certificates, golden: Golden
) -> None:
    given = office.keep(refresh="")
    down = "535 5.7.0 our directory is down"
    with ScriptedRelay(tls=certificates.server, extensions=["AUTH XOAUTH2"], AUTH=down) as relay:
        office.write_ini(port=relay.port, security="tls")
        assert run("test")[0] == os.EX_CONFIG
    golden(office.kept.rejected)
    assert office.kept.rejected in run("status")[1]
    office.write_ini()
    assert run("test")[0] == 0
    assert (office.kept.access, office.kept.rejected) == (given.access, "")


def test_the_relays_yes_is_not_the_providers(office: LoginOffice, run: Callable[..., tuple[int, str, str]]) -> None:
    """A token that is good for months, of a login that has ended."""
    office.keep(obtained=time.time() - 31 * DAY)
    office.server.answer("/token", Answer(400, {"error": "invalid_grant"}))
    run("queue", "run")
    assert run("test")[0] == 0
    assert (office.kept.refused != "", run("status")[0]) == (True, 2)
    run("queue", "run")
    assert office.asked() == 1


def test_what_is_wrong_here_is_not_a_refusal(office: LoginOffice, tmp_path: Path) -> None:
    office.keep(expires=1.0)
    relay = office.relay._replace(ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(LoginRefused, match="No such file") as caught:
        refresh.access(relay)
    assert not isinstance(caught.value, GrantRefused)
    assert office.kept.refused == ""


def test_a_login_that_was_refused_is_tried_again_later(office: LoginOffice) -> None:
    """Providers have been known to refuse for a while what they have given for good."""
    office.keep(expires=1.0)
    office.server.answer("/token", Answer(400, {"error": "invalid_grant"}))
    refused(office)
    assert refresh.access(office.relay).is_new
    assert office.kept.refused == ""
