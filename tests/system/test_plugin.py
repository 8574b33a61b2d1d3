"""One run of a check command."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from golden import Golden
from skipping import unavailable

from pbxnotify.health import plugin
from pbxnotify.health.plugin import PluginStatus, Result

OK, WARNING, CRITICAL, UNKNOWN = PluginStatus
CHECK_DUMMY = "/usr/lib/nagios/plugins/check_dummy"


def script(tmp_path: Path, text: str, mode: int = 0o755) -> str:
    """Return the path of a shell script."""
    path = tmp_path / "check it"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return f"'{path}'"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("echo all is well", Result(OK, "all is well"), id="ok"),
        pytest.param("echo LOAD WARNING; exit 1", Result(WARNING, "LOAD WARNING"), id="warning"),
        pytest.param("echo RAID broken; exit 2", Result(CRITICAL, "RAID broken"), id="critical"),
        pytest.param("echo who knows; exit 3", Result(UNKNOWN, "who knows"), id="unknown"),
        pytest.param("echo 'load 3 | load=3;4;5'; exit 1", Result(WARNING, "load 3"), id="performance data"),
        pytest.param("printf 'first\\nsecond\\n'", Result(OK, "first"), id="several lines"),
        pytest.param("echo to stderr >&2; exit 2", Result(CRITICAL, "to stderr"), id="standard error"),
        pytest.param(
            "printf 'br\\377oken \\033[31mred'; exit 1", Result(WARNING, "br\ufffdoken [31mred"), id="not UTF-8"
        ),
        pytest.param("head -c 1000000 /dev/zero | tr '\\0' x", Result(OK, "x" * 500), id="a megabyte"),
    ],
)
def test_the_plugins_own_message(tmp_path: Path, text: str, result: Result) -> None:
    assert plugin.run(script(tmp_path, text), 20) == result


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("exit 2", CRITICAL, id="silent"),
        pytest.param("exit 7", UNKNOWN, id="another status"),
        pytest.param("echo oops; kill -9 $$", UNKNOWN, id="killed"),
        pytest.param("cat", OK, id="reads its input"),
    ],
)
def test_our_message(tmp_path: Path, text: str, status: PluginStatus, golden: Golden) -> None:
    result = plugin.run(script(tmp_path, text), 20)
    assert result.status == status
    golden(result.message)


@pytest.mark.parametrize("status", [OK, WARNING, CRITICAL, UNKNOWN])
def test_a_real_plugin(status: PluginStatus) -> None:
    if not os.path.exists(CHECK_DUMMY):
        unavailable("monitoring-plugins-basic is not installed")
    result = plugin.run(f"{CHECK_DUMMY} {status.value} 'all | is=5 well'", 20)
    assert (result.status, result.message.partition(": ")[2]) == (status, "all")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param("/nowhere/check", "No such file or directory", id="missing"),
        pytest.param("/tmp", "Permission denied", id="a directory"),  # noqa: S108
    ],
)
def test_a_command_that_cannot_be_started(command: str, why: str, golden: Golden) -> None:
    result = plugin.run(command, 5)
    assert (result.status, why in result.message) == (UNKNOWN, True)
    golden(result.message)


def test_a_script_that_may_not_be_executed(tmp_path: Path) -> None:
    result = plugin.run(script(tmp_path, "true", 0o644), 5)
    assert (result.status, "Permission denied" in result.message) == (UNKNOWN, True)


def test_a_script_without_an_interpreter(tmp_path: Path) -> None:
    path = tmp_path / "check"
    path.write_text("#!/nowhere/sh\n")
    path.chmod(0o755)
    result = plugin.run(str(path), 5)
    assert (result.status, "No such file or directory" in result.message) == (UNKNOWN, True)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("echo before; sleep 60", id="hangs"),
        pytest.param("trap '' TERM; sleep 60", id="ignores a signal"),
        pytest.param("sleep 60 & echo in the background", id="leaves something behind"),
        pytest.param("exec >&-; exec 2>&-; sleep 60", id="closes its output"),
    ],
)
def test_a_command_that_hangs_is_killed_with_all_it_has_started(tmp_path: Path, text: str, golden: Golden) -> None:
    group = tmp_path / "group"
    result = plugin.run(script(tmp_path, f"echo $$ > '{group}'\n{text}"), 1)
    assert result.status == UNKNOWN
    golden(result.message)
    with pytest.raises(ProcessLookupError):
        for _ in range(100):  # until init has reaped what was killed
            os.killpg(int(group.read_text()), 0)
            time.sleep(0.05)


def test_a_command_that_prints_for_ever(tmp_path: Path, golden: Golden) -> None:
    result = plugin.run(script(tmp_path, "yes"), 1)
    assert result.status == UNKNOWN
    golden(result.message)


def test_no_shell_runs_the_command() -> None:
    assert plugin.run(f"{sys.executable} -c 'import sys; print(sys.argv[1:])' $HOME ; exit 2", 20).message == (
        "['$HOME', ';', 'exit', '2']"
    )


def test_signals_are_as_usual() -> None:
    assert plugin.run("sh -c 'yes | head -n 1'", 20) == Result(OK, "y")
