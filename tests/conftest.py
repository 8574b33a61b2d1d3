"""What several tests need: a box with a spool, a log and an ini file of its own."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import calls
import extent
import pytest
import side_by_side
from golden import Golden
from relay import Catcher, Certificates

from pbxnotify.cli import main
from pbxnotify.spool.store import Spool, open_spool

extent.load_profile()
# ``nohup`` and ``make test &`` have them ignored, also in the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

if TYPE_CHECKING:
    from login_office import LoginOffice
    from xdist.remote import Producer


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Take a measured figure, shown at the end of the run: tests assert no times."""
    what = request.node.name.replace("test_", "", 1).replace("_", " ").replace("[", ", ").rstrip("]")
    return lambda figure: request.node.user_properties.append((what, figure))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures, which come with the reports of the tests from whatever process has run them."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    figures = dict.fromkeys(tuple(figure) for one in reports for figure in getattr(one, "user_properties", ()))
    if figures:
        terminalreporter.section("measured")
        for what, figure in figures:
            terminalreporter.write_line(f"{what}\n    {figure}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden texts be written anew."""
    parser.addoption("--update-golden", action="store_true", help="write what is said now into tests/golden/")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, where tests run side by side."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: side_by_side.rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> side_by_side.ByFile:
    """Keep together what shares fixtures."""
    return side_by_side.ByFile(config, log)


@pytest.fixture
def golden(request: pytest.FixtureRequest, box: Path) -> Golden:
    """Return what compares a text with the one kept for this test in tests/golden/."""
    return Golden(request, box)


MOST_OPEN = 200  # descriptors; select(), which pexpect uses, can wait for 1024


@pytest.fixture(autouse=True)
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a box: nothing that a test does reaches the host's Asterisk or its log."""
    monkeypatch.setenv("PBXNOTIFY_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("PBXNOTIFY_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PBXNOTIFY_CONFIG", str(tmp_path / "pbxnotify.ini"))
    return tmp_path


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Undo what a delivery does to a process that is about to end: garbage with open directories would stay."""
    yield
    gc.unfreeze()
    if len(os.listdir("/proc/self/fd")) > MOST_OPEN:
        gc.collect()


@pytest.fixture
def office(spool: Spool, box: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return an office that logs in with tokens, and has none yet."""
    import login_office  # with Flask and Authlib, which most tests do without

    with login_office.running(box, certificates) as office:
        yield office


@pytest.fixture
def rotating(spool: Spool, box: Path, certificates: Certificates) -> Iterator[LoginOffice]:
    """Return one whose refresh tokens are good for one renewal."""
    import login_office

    with login_office.running(box, certificates, rotates=True) as office:
        yield office


@pytest.fixture
def spool(box: Path) -> Spool:
    """Return an empty spool."""
    return open_spool()


@pytest.fixture
def logged(box: Path) -> Callable[[], str]:
    """Return what has been logged so far."""
    return lambda: (box / "log").read_text() if (box / "log").exists() else ""


@pytest.fixture
def write_ini(box: Path) -> Callable[[str], Path]:
    """Write the box's ini file."""

    def write(text: str) -> Path:
        path = box / "pbxnotify.ini"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    """Return a relay that accepts mails, in plain text and from everybody."""
    with Catcher() as catcher:
        yield catcher


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return the certificates of the relays."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def use(write_ini: Callable[[str], Path]) -> Callable[..., None]:
    """Make a relay the one in the ini file."""

    def use(port: int, enabled: str = "yes", timeout: int = 60) -> None:
        write_ini(calls.INI.format(port=port, enabled=enabled).replace("timeout = 60", f"timeout = {timeout}"))

    return use


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; returns its exit status, and what it said on stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        said = capfd.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def relay(catcher: Catcher, write_ini: Callable[[str], Path]) -> Catcher:
    """Return the relay that the ini file names, for an office of one employee."""
    write_ini(calls.ONE_EMPLOYEE.format(port=catcher.port))
    return catcher
