"""The state that one run of the monitor leaves to the next."""

from __future__ import annotations

import json

import pytest
from golden import Golden
from hypothesis import given
from hypothesis import strategies as st

from pbxnotify.health.problems import Known, MonitorState, Problem
from pbxnotify.spool import state
from pbxnotify.spool.store import Spool


def test_it_survives(spool: Spool) -> None:
    problems = {"check:диск": Problem("диск", 5.0, 6.0, True, 1, 1, True)}
    assert MonitorState(Known(1.0, "relay:25", 2.0, 3.0), problems).write(spool.directory)
    again = MonitorState.read(spool.directory)
    assert (again.problems, again.known) == (problems, Known(1.0, "relay:25", 2.0, 3.0))


OLD_KEYS = {"subject": "x", "since": 1.0, "told": 2.0, "is_critical": True, "ill": 3, "well": 1, "mailed": True}


def test_the_keys_of_the_file_stay_so_that_an_upgrade_forgets_nothing(spool: Spool) -> None:
    unknown = {"started": 0.0, "certificate_of": "", "certificate_looked_at": 0.0, "certificate_ends": 0.0}
    record = {"known": unknown, "problems": {"a": OLD_KEYS, "b": {**OLD_KEYS, "told": 0.0}}}
    state.write(spool.directory, state.MONITOR, json.dumps(record))
    kept = MonitorState.read(spool.directory)
    assert kept.known == Known()
    assert kept.problems["a"] == Problem("x", 1.0, 2.0, True, problem_runs=3, ok_runs=1, mailed=True)
    assert kept.problems["b"].notified is None
    kept.write(spool.directory)
    assert json.loads(state.read(spool.directory, state.MONITOR).text) == record


def test_there_is_room_to_grow_on_a_full_disk(spool: Spool) -> None:
    MonitorState().write(spool.directory)
    with open(f"{spool.directory}/state/{state.MONITOR}", encoding="utf-8") as file:
        assert len(file.read()) == state.ROOM


def test_a_hundred_long_problems_can_be_read_again(spool: Spool) -> None:
    problems = {f"{number:0200}": Problem("ы" * 256, 1.0, 2.0) for number in range(100)}
    MonitorState(problems=problems).write(spool.directory)
    assert MonitorState.read(spool.directory).problems == problems


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="half"),
        pytest.param("[]", id="a list"),
        pytest.param('{"problems": {"x": {}}, "known": {}}', id="nothing of a problem"),
        pytest.param('{"problems": {"x": 1}, "known": {}}', id="a number for a problem"),
        pytest.param('{"problems": {}, "known": {"started": "x"}}', id="a word for a time"),
        pytest.param('{"problems": {}, "known": {"started": NaN}}', id="no number"),
        pytest.param('{"problems": {}, "known": {"started": 1e300}}', id="too late"),
        pytest.param('{"problems": {}, "known": {"started": -1}}', id="too early"),
        pytest.param('{"problems": {}, "known": {"other": 1}}', id="an unknown field"),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_a_damaged_state_is_an_empty_one(spool: Spool, logged, text: str, golden: Golden) -> None:
    state.write(spool.directory, state.MONITOR, text)
    assert MonitorState.read(spool.directory).problems == {}
    assert logged() == ""
    MonitorState.read(spool.directory, complains=True)
    golden(logged().split("pbxnotify: ")[1])


def test_a_new_state_is_not_damaged(spool: Spool, logged) -> None:
    assert MonitorState.read(spool.directory, complains=True).problems == {}
    assert logged() == ""


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_anything_can_be_read(spool: Spool, record: object) -> None:
    state.write(spool.directory, state.MONITOR, json.dumps({"problems": record, "known": record}))
    assert isinstance(MonitorState.read(spool.directory), MonitorState)
