"""Mails through a real Postfix, as a provider runs it: TLS, a login, an address that one may send from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import dovecot
import login_office
import pytest
from authorization_server import Answer
from dovecot import Dovecot, DovecotError
from golden import Golden
from login_office import LoginOffice
from postfix import Postfix, PostfixError, require
from relay import Catcher, Certificates
from shell import Shell

from pbxnotify.settings.providers import PROVIDERS
from pbxnotify.spool.store import Spool

LOGIN = ("pbx@office.test", "s3cret-w0rd")
OTHER_RELAY = str(len(PROVIDERS) + 1)
"""The choice of a relay that is no provider's."""
SECURITY = [pytest.param("ssl", id="TLS at once"), pytest.param("tls", id="STARTTLS")]

Run = Callable[..., tuple[int, str, str]]
Configure = Callable[..., int]


@pytest.fixture
def start(catcher: Catcher, certificates: Certificates) -> Callable[..., Postfix]:
    """Prepare a Postfix in front of the catcher."""
    require()

    def start(**options: Any) -> Postfix:
        return Postfix(catcher.port, LOGIN, certificates.server_file, **options)

    return start


@pytest.fixture
def postfix(start: Callable[..., Postfix]) -> Iterator[Postfix]:
    """Return a Postfix for an office of one employee, Ivan, where the PBX may send as itself."""
    with start(sender="pbx@office.test", recipients=["ivan@office.test"]) as postfix:
        yield postfix


@pytest.fixture
def configure(write_ini: Callable[[str], Path], certificates: Certificates) -> Configure:
    """Write an ini file for a Postfix, with settings of its own; returns the port in it."""

    def configure(postfix: Postfix, security: str = "ssl", **settings: str) -> int:
        port = postfix.tls_port if security == "ssl" else postfix.starttls_port
        login, password = LOGIN
        smtp = {
            "host": f"{security}://localhost:{port}",
            "sender": login,
            "login": login,
            "password": password,
            "ca_file": certificates.ca_file,
            **settings,
        }
        write_ini("[smtp]\n" + "".join(f"{name} = {value}\n" for name, value in smtp.items() if value))
        return port

    return configure


@pytest.mark.parametrize("security", SECURITY)
def test_a_mail_arrives(run: Run, configure: Configure, postfix: Postfix, catcher: Catcher, security: str) -> None:
    configure(postfix, security)
    status, said, _ = run("test", "ivan@office.test")
    assert (status, "the relay said: 250 2.0.0 Ok: queued as" in said) == (os.EX_OK, True)
    (mail,) = catcher.wait(1)
    assert (mail.sender, mail.recipients) == ("pbx@office.test", ("ivan@office.test",))
    assert "with ESMTPSA" in mail.message["Received"]  # S: over TLS, A: logged in


@pytest.mark.parametrize("security", SECURITY)
def test_a_wrong_password(run: Run, configure: Configure, postfix: Postfix, security: str, golden: Golden) -> None:
    configure(postfix, security, password="wr0ng-w0rd")  # noqa: S106
    status, said, error = run("test", "-v", "ivan@office.test")
    assert status == os.EX_CONFIG
    assert "535 5.7.8" in error
    golden(error.rpartition(" (")[2])
    assert "wr0ng" not in said + error


@pytest.mark.parametrize("security", SECURITY)
def test_an_untrusted_certificate(
    run: Run, configure: Configure, postfix: Postfix, security: str, golden: Golden
) -> None:
    configure(postfix, security, ca_file="")
    status, _, error = run("test", "ivan@office.test")
    assert status == os.EX_TEMPFAIL
    golden(error.partition(" (")[0])


@pytest.mark.parametrize(
    "account", [pytest.param({}, id="a login"), pytest.param({"login": "", "password": ""}, id="a mail")]
)
def test_nothing_goes_in_the_clear(
    run: Run, configure: Configure, postfix: Postfix, account: dict[str, str], golden: Golden
) -> None:
    configure(postfix, host=f"localhost:{postfix.starttls_port}", **account)
    status, _, error = run("test", "ivan@office.test")
    assert status == os.EX_CONFIG
    golden(re.sub("SIZE=[0-9]+", "SIZE=N", error))


@pytest.mark.parametrize(
    ("settings", "recipient", "answer", "status"),
    [
        pytest.param(
            {"sender": "boss@office.test"}, "ivan@office.test", "553 5.7.1 <boss@", 78, id="not its own sender"
        ),
        pytest.param({}, "nobody@office.test", "550 5.1.1 <nobody@", 69, id="an unknown recipient"),
        pytest.param({"login": "", "password": ""}, "ivan@office.test", "554 5.7.1 <ivan@", 69, id="no login"),
    ],
)
def test_what_is_refused(
    run: Run,
    configure: Configure,
    postfix: Postfix,
    settings: dict[str, str],
    recipient: str,
    answer: str,
    status: int,
    golden: Golden,
) -> None:
    configure(postfix, **settings)
    found, _, error = run("test", recipient)
    assert (found, f"RCPT TO:<{recipient}> with {answer}" in error) == (status, True)
    golden(re.sub("SIZE=[0-9]+", "SIZE=N", error))


# From nothing to a test mail, and what follows


@pytest.mark.parametrize("security", SECURITY)
def test_setup_at_a_terminal(
    postfix: Postfix, catcher: Catcher, box: Path, certificates: Certificates, security: str
) -> None:
    port = postfix.tls_port if security == "ssl" else postfix.starttls_port
    with Shell("setup", SSL_CERT_FILE=certificates.ca_file) as shell:
        shell.answer("Number", OTHER_RELAY)
        shell.answer("SMTP host", f"{security}://localhost:{port}")
        shell.answer("Verify", "")
        shell.answer("SMTP login", LOGIN[0])
        shell.answer("SMTP password", "wr0ng-w0rd")
        shell.answer("Sender", "")
        shell.answer("administrator", "ivan@office.test")
        for label in ("missed calls", "voicemail", "language", "Use notifications"):
            shell.answer(label, "")
        shell.wait_for("535 5.7.8")
        shell.answer("w to write it anyway [a]: ", "a")
        for label in ("Number", "SMTP host", "Verify", "SMTP login"):
            shell.answer(label, "")
        shell.answer("SMTP password", LOGIN[1])
        for label in ("Sender", "administrator", "missed calls", "voicemail", "language", "Use notifications"):
            shell.answer(label, "")
        status, said = shell.end()
    (mail,) = catcher.wait(1)
    assert (status, f"{box}/pbxnotify.ini: written" in said) == (0, True)
    assert (mail.sender, mail.recipients) == (LOGIN[0], ("ivan@office.test",))
    assert (LOGIN[1] in said, "wr0ng-w0rd" in said) == (False, False)


def test_edit_at_a_terminal(configure: Configure, postfix: Postfix, catcher: Catcher, spool: Spool) -> None:
    configure(postfix)
    change = "sed -i '$a [notifications]\\nadmin_email = ivan@office.test'"
    with Shell("edit", EDITOR=change) as shell:
        status, said = shell.end()
    assert (status, "ivan@office.test: the relay said: 250 2.0.0 Ok: queued as" in said) == (0, True)
    assert catcher.wait(1)[0].recipients == ("ivan@office.test",)


@pytest.mark.parametrize("security", SECURITY)
def test_the_way_to_it_stage_by_stage(
    run: Run, configure: Configure, start: Callable[..., Postfix], security: str, golden: Golden
) -> None:
    with start(message_size_limit=10240000) as postfix:
        configure(postfix, security)
        status, said, _ = run("check", "--connect")
    stages = dict(line.split(None, 1) for line in said.splitlines()[-6:])
    assert (status, stages["AUTH"]) == (0, f"{LOGIN[0]}: accepted")
    assert "localhost" in stages["TLS" if security == "ssl" else "STARTTLS"]
    golden(stages["SIZE"])


def test_a_mail_larger_than_it_takes(
    run: Run, configure: Configure, start: Callable[..., Postfix], golden: Golden
) -> None:
    with start(message_size_limit=200) as postfix:
        configure(postfix)
        status, _, error = run("test", "ivan@office.test")
    assert status == os.EX_UNAVAILABLE
    golden(re.sub("has [0-9]+", "has SIZE", error))


# ---- the Postfix itself


def working_in(directory: Path) -> set[str]:
    """Return the processes that have their working directory there, as all of Postfix's and Dovecot's have."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found |= {link.parent.name} if os.readlink(link).startswith(str(directory)) else set()
    return found


def test_two_at_once(start: Callable[..., Postfix]) -> None:
    with start() as one, start() as other:
        assert len({one.starttls_port, one.tls_port, other.starttls_port, other.tls_port}) == 4


def test_nothing_is_left(start: Callable[..., Postfix]) -> None:
    with start() as postfix:
        assert len(working_in(postfix.directory)) > 2  # its master, and a daemon for each port
    assert working_in(postfix.directory) == set()
    assert not postfix.directory.exists()


def test_a_failing_start_tells_the_log(certificates: Certificates) -> None:
    require()
    with pytest.raises(PostfixError, match="error opening chain file: /nowhere"), Postfix(1, LOGIN, "/nowhere"):
        pass


@pytest.fixture
def judge(certificates: Certificates) -> Callable[..., Dovecot]:
    """Prepare a Dovecot."""
    dovecot.require()
    return lambda url="https://localhost/": Dovecot(url, certificates.ca_file)


def test_nothing_is_left_of_its_dovecot(judge: Callable[..., Dovecot]) -> None:
    with judge() as one, judge() as other:
        assert one.directory != other.directory
        assert len(working_in(one.directory)) > 2
    assert working_in(one.directory) | working_in(other.directory) == set()
    assert not one.directory.exists()


def test_a_dovecot_that_fails_to_start_tells_the_log(
    judge: Callable[..., Dovecot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dovecot, "START_TIMEOUT", 1)
    with pytest.raises(DovecotError, match="line 3: Unexpected"), judge("https://localhost/\n}"):
        pass


def test_a_dovecot_that_ends_at_once_tells_why(judge: Callable[..., Dovecot], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dovecot, "DOVECOT_CONF", dovecot.DOVECOT_CONF + "nonsense = yes\n")
    with pytest.raises(DovecotError, match="Unknown setting: nonsense"), judge():
        pass


# With tokens, which a real Dovecot judges, who asks the authorization server


@pytest.fixture
def login_office_behind_postfix(
    spool: Spool,
    box: Path,
    certificates: Certificates,
    start: Callable[..., Postfix],
    request: pytest.FixtureRequest,
) -> Iterator[tuple[LoginOffice, Postfix]]:
    """Return an office, its authorization server, and a Postfix whose Dovecot takes that one's tokens.

    A parameter is the length of the tokens.
    """
    dovecot.require()
    with ExitStack() as stack:
        office = stack.enter_context(
            login_office.running(box, certificates, token_length=getattr(request, "param", 42))
        )
        judge = stack.enter_context(Dovecot(f"{office.server.url}/introspect", certificates.ca_file))
        postfix = stack.enter_context(start(sender=LOGIN[0], recipients=["ivan@office.test"], dovecot=judge.socket))
        yield office, postfix


@pytest.mark.parametrize("security", SECURITY)
@pytest.mark.parametrize(
    "login_office_behind_postfix", [42, 1500], ids=["a short token", "one like Microsoft's"], indirect=True
)
def test_a_mail_with_a_token(
    run: Run,
    login_office_behind_postfix: tuple[LoginOffice, Postfix],
    catcher: Catcher,
    security: str,
) -> None:
    office, postfix = login_office_behind_postfix
    office.write_ini(port=postfix.tls_port if security == "ssl" else postfix.starttls_port, security=security)
    kept = office.keep()
    status, said, _ = run("test", "-v", "ivan@office.test")
    assert (status, "< 235 2.7.0 Authentication successful" in said) == (os.EX_OK, True)
    (mail,) = catcher.wait(1)
    assert "with ESMTPSA" in mail.message["Received"]
    assert kept.access not in said


def test_a_token_that_a_real_server_no_longer_accepts_is_renewed(
    run: Run, login_office_behind_postfix: tuple[LoginOffice, Postfix], catcher: Catcher
) -> None:
    office, postfix = login_office_behind_postfix
    office.write_ini(port=postfix.tls_port)
    office.keep()
    office.server.expire_access_tokens()
    assert run("test", "ivan@office.test")[0] == os.EX_OK
    assert len(catcher.wait(1)) == 1
    assert sum(request.path == "/token" for request in office.server.requests) == 1


def test_a_withdrawn_login_at_a_real_server(run: Run, login_office_behind_postfix: tuple[LoginOffice, Postfix]) -> None:
    office, postfix = login_office_behind_postfix
    office.write_ini(port=postfix.tls_port)
    kept = office.keep()
    office.server.answer("/token", Answer(200, {**office.server.issue(), "access_token": "nobodys"}))
    office.server.withdraw()
    status, said, complained = run("test", "-v", "ivan@office.test")
    assert status == os.EX_CONFIG
    assert "AUTH OAUTHBEARER (status invalid_token) with 535 5.7.8" in complained
    assert [secret in said + complained for secret in (kept.access, kept.refresh, "nobodys")] == [False] * 3
