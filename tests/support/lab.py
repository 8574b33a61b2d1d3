"""A real Asterisk for tests and the demonstration, without installing it.

Just the Debian packages that are needed are downloaded through apt (signatures checked, the host's own packages
untouched), unpacked into a cache, and run from there as a private instance. Neither needs root. SIP calls are placed
and answered by sipp (Debian's package sip-tester).

    python3 tests/support/lab.py fetch 22        download and unpack; prints where
    python3 tests/support/lab.py run 22 DIR      an instance to play with, until Ctrl-C
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import fcntl
import hashlib
import itertools
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar, final

HERE = Path(__file__).resolve().parent / "asterisk"
SUITES = {22: "forky", 16: "bullseye"}

PATIENCE = 90
"""Seconds, on a busy machine; what is waited for usually takes less than one."""

T = TypeVar("T")


class LabUnavailable(Exception):
    """This machine cannot have that Asterisk; says why in one sentence."""


class LabError(Exception):
    """Asterisk or sipp did not do what was asked of it."""


# ---- policy for tests ------------------------------------------------------------------------------------------------


def unavailable(reason: str) -> NoReturn:
    """Skip the running test with the reason; fail it where an Asterisk is required."""
    import pytest  # the demonstration runs without it

    if os.environ.get("PBXNOTIFY_REQUIRE_ASTERISK") == "1":
        pytest.fail(f"required, but unavailable: {reason}", pytrace=False)
    pytest.skip(reason)


def require(version: int) -> Path:
    """fetch() for tests."""
    try:
        return fetch(version)
    except LabUnavailable as error:
        unavailable(str(error))


def require_sipp() -> None:
    """Skip or fail the running test unless SIP calls can be placed."""
    if sipp_missing():
        unavailable(sipp_missing())


def sipp_missing() -> str:
    """Why no SIP calls can be placed; empty when they can."""
    return "" if shutil.which("sipp") else "sipp is not installed (Debian's package sip-tester)"


# ---- the packages ----------------------------------------------------------------------------------------------------

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
WANTED = ("asterisk", "asterisk-modules", "asterisk-config", "asterisk-core-sounds-en-gsm")
# Of everything apt would install, what conf/modules.conf needs: 17 MB for 22, 29 MB for 16.
NEEDED = re.compile(
    r"asterisk(-.*)?|libbsd0|libc6|libcap2|libcrypt1|libedit2|libgcc-s1|libgcrypt20|libgpg-error0|libgsm1|libicu67"
    r"|libjansson4|liblua5\.[0-9]-0|liblz4-1|liblzma5|libmd0|libsqlite3-0|libssl[0-9.]+(t64)?|libstdc\+\+6|libsystemd0|libtinfo6"
    r"|liburiparser1|libuuid1|libxml2(-16)?|libxslt1\.1|libzstd1|zlib1g"
)
# apt with a state of its own: it neither reads nor changes what the host has installed.
APT_CONF = """\
Dir::State "{apt}/state";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "{apt}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Log "{apt}/log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";  // the Release of an old suite is never renewed
Acquire::Retries "2";
Debug::NoLocking "true";
"""
# How the host reaches its mirror: proxies, timeouts, address family, a clock not to be relied on.
HOST_SETTING = re.compile(r"Acquire::(https?|ftp|proxy|force|check-date)", re.IGNORECASE)


def fetch(version: int) -> Path:
    """The root folder of an unpacked Asterisk. Downloads it the first time; later calls ask no network."""
    if version not in SUITES:
        raise LabUnavailable(f"there is no Asterisk {version} here, only {' and '.join(map(str, SUITES))}")
    archive = os.environ.get(f"ASTERISK_{version}_ARCHIVE")
    place = _cache() / _place_name(version, archive)
    if not place.is_dir():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(f"{place}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise LabUnavailable(f"{error}: PBXNOTIFY_CACHE may name a folder to unpack Asterisk into") from None
        with os.fdopen(lock):
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.is_dir():  # another run may have been first
                _fill(place, version, archive)
    return place / "root"


def _cache() -> Path:
    own = os.environ.get("PBXNOTIFY_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pbxnotify"


def _place_name(version: int, archive: str | None) -> str:
    """The cache folder's name. Another archive, or a changed one, is another folder."""
    if not archive:
        return f"asterisk-{version}"
    try:
        about = Path(archive).stat()
    except OSError as error:
        raise LabUnavailable(f"ASTERISK_{version}_ARCHIVE: {archive}: {error.strerror}") from None
    identity = f"{Path(archive).resolve()} {about.st_size} {about.st_mtime_ns}"
    return f"asterisk-{version}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def _fill(place: Path, version: int, archive: str | None) -> None:
    """Make the cache folder beside its place and rename it, so that a half-filled one is never taken for whole."""
    part = Path(f"{place}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an interrupted run
    (part / "debs").mkdir(parents=True)
    try:
        if archive:
            _take_archive(Path(archive), part / "debs")
        else:
            _download(SUITES[version], part / "apt", part / "debs")
            shutil.rmtree(part / "apt")
        _unpack(part)
        _check_version(part / "root", version)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _take_archive(archive: Path, debs: Path) -> None:
    """Copy the .deb files of a folder or of a tar archive."""
    if archive.is_dir():
        for deb in archive.rglob("*.deb"):
            shutil.copy(deb, debs)
        return
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.name.endswith(".deb") else None
                if content:
                    (debs / Path(member.name).name).write_bytes(content.read())
    except (OSError, tarfile.TarError) as error:
        raise LabUnavailable(f"{archive} is neither a folder nor a tar archive: {str(error).splitlines()[0]}") from None


def _download(suite: str, apt: Path, debs: Path) -> None:
    """Download what is needed of the suite, through an apt of our own."""
    environment = _prepare_apt(suite, apt)
    _apt(["apt-get", "-q", "update"], environment, f"the suite {suite} cannot be had from the mirror")
    wanted = list(WANTED)
    policy = _apt(["apt-cache", "policy", "asterisk-voicemail"], environment, "apt-cache fails")
    if re.search(r"Candidate: \d", policy):  # before Debian 13, app_voicemail has a package of its own
        wanted.append("asterisk-voicemail")
    listing = _apt(
        ["apt-get", "-q", "-y", "--print-uris", "install", *wanted], environment, f"no Asterisk in the suite {suite}"
    )
    names = [name for name in re.findall(r"^'[^']*' ([^_ ]+)_", listing, re.MULTILINE) if NEEDED.fullmatch(name)]
    _apt(["apt-get", "-q", "download", *names], environment, "the packages cannot be downloaded", cwd=debs)


def _prepare_apt(suite: str, apt: Path) -> dict[str, str]:
    """Write the configuration of an apt of our own; returns the environment that makes apt use it."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise LabUnavailable("there is no apt here: Asterisk is fetched as Debian packages")
    if not KEYRING.exists():
        raise LabUnavailable(f"{KEYRING} is missing (Debian's package debian-archive-keyring)")
    for folder in ("state/lists/partial", "cache/archives/partial", "log"):
        (apt / folder).mkdir(parents=True)
    architecture = _output(["dpkg", "--print-architecture"]).strip()
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [arch={architecture} signed-by={KEYRING}] {_mirror()} {suite} main\n")
    host = [line for line in _output(["apt-config", "dump"]).splitlines() if HOST_SETTING.match(line)]
    own = APT_CONF.format(apt=apt, architecture=architecture)
    (apt / "apt.conf").write_text("\n".join([*host, own]))
    return {**os.environ, "APT_CONFIG": str(apt / "apt.conf"), "LC_ALL": "C.UTF-8"}


def _mirror() -> str:
    """The mirror the host's own packages come from, unless MIRROR names another."""
    if os.environ.get("MIRROR"):
        return os.environ["MIRROR"]
    for line in _output(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)"]).splitlines():
        label, _, address = line.partition("|")
        if label == "Debian" or re.search(r"/debian/?$", address):
            return address
    raise LabUnavailable("the host's apt knows no Debian mirror; MIRROR may name one")


def _apt(command: Sequence[str], environment: Mapping[str, str], complaint: str, cwd: Path | None = None) -> str:
    """The output of an apt command; its own first words about a failure."""
    done = subprocess.run(command, check=False, env=environment, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
        raise LabUnavailable(f"{complaint}: {errors[0][2:].strip() if errors else done.stderr.strip()}")
    return done.stdout


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def _unpack(place: Path) -> None:
    """Unpack debs/ into root/, and record what exactly it was: Debian's testing suite moves on."""
    debs = sorted((place / "debs").glob("*.deb"))
    if not shutil.which("dpkg-deb"):
        raise LabUnavailable("there is no dpkg-deb here to unpack Debian packages with")
    (place / "root").mkdir()
    for deb in debs:
        done = subprocess.run(["dpkg-deb", "-x", deb, place / "root"], check=False, capture_output=True, text=True)
        if done.returncode:
            raise LabUnavailable(f"{deb.name} cannot be unpacked: {done.stderr.strip()}")
    sums = [f"{hashlib.sha256(deb.read_bytes()).hexdigest()}  {deb.name}\n" for deb in debs]
    (place / "debs.sha256").write_text("".join(sums))


def _check_version(root: Path, version: int) -> None:
    """A suite moves on to the next Asterisk, an archive may hold anything: run it."""
    answer = subprocess.run([*_loader(root), "-V"], check=False, capture_output=True, text=True)
    if not answer.stdout.startswith(f"Asterisk {version}."):
        found = (answer.stdout or answer.stderr).strip()
        raise LabUnavailable(f"Asterisk {version} was to be found, but running it says: {found}")


def _loader(root: Path) -> list[str]:
    """The command that runs Asterisk with the packages' own loader and libraries.

    Nothing is exported, so that the AGI scripts Asterisk starts run with the host's own libraries.
    """
    folders = [*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*"), root / "usr/lib", root / "lib"]
    loader = next((found for folder in folders for found in folder.glob("ld-linux*.so.*")), None)
    if loader is None:
        raise LabUnavailable("the packages hold no loader for this architecture")
    command = [str(loader), "--inhibit-cache", "--library-path", ":".join(map(str, folders))]
    # Without --argv0 the process has the loader's name in its messages; glibc knows it from 2.33 on.
    if "--argv0" in _output([str(loader), "--help"]):
        command += ["--argv0", "asterisk"]
    return [*command, str(root / "usr/sbin/asterisk")]


# ---- processes -------------------------------------------------------------------------------------------------------


class _Process:
    """A child in a process group of its own, which never outlives this interpreter."""

    def __init__(
        self, command: Sequence[str | bytes], cwd: Path, env: Mapping[str, str], output: Path, user: str | None = None
    ) -> None:
        with open(output, "wb") as log:
            self._popen = subprocess.Popen(
                [*_privileges(user), *command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._popen.pid
        _running.add(self)

    def poll(self) -> int | None:
        return self._popen.poll()

    def wait(self, timeout: float) -> int:
        """The exit status; the process is killed when it takes longer."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout)
        self.kill()
        return self._popen.returncode

    def kill(self) -> None:
        """End the whole group. What it started itself may still be there when the process is not."""
        if self not in _running:
            return  # the number may be another process's by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        _running.discard(self)


_running: set[_Process] = set()


@atexit.register
def _kill_all() -> None:
    for process in list(_running):
        process.kill()


def _privileges(user: str | None) -> list[str]:
    """The prefix that runs a command as that user, and has the kernel kill it should we be killed ourselves."""
    if not shutil.which("setpriv"):
        return []
    command = ["setpriv", "--pdeathsig=KILL"]
    if user:
        command += [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
    return command


def _poll(probe: Callable[[], T], timeout: float, failure: Callable[[], str]) -> T:
    """Ask until there is an answer, less and less often: asking may start a process, which costs 20 ms."""
    deadline = time.monotonic() + timeout
    pause = 0.02
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise LabError(failure())
        time.sleep(pause)
        pause = min(1.5 * pause, 0.2)


# ---- addresses -------------------------------------------------------------------------------------------------------

SERVER, CALLERS, PHONES = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PROVIDERS = (110, 111)
"""Numbers for those who answer where no phone of ours is: the providers of trunks."""
FIXED_PHONES = (101, 102, 104, 105, 106, 107, 108, 109)  # 103 would have to register
RTP = range(200, 1000)
# Below the ports the kernel hands out. Each instance has a thousand: 0 for SIP, N for phone N, from 200 on for RTP.
BLOCKS = range(10000, 32000, 1000)
# What a sipp needs of the RTP ports, at its own address: SIP, audio, and video 2 above audio; what it plays lies above.
SIPP_PORTS = 10
SIPP_BINDS = (0, 1, 3)


def _reserve_ports() -> tuple[int, socket.socket]:
    """A block no other instance has. The socket is the reservation: it ends with the process that holds it."""
    for base in BLOCKS:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind((PHONES, base))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((SERVER, base))
            return base, reservation
        except OSError:
            reservation.close()
    raise LabError("no free ports for another instance")


def _is_bound(address: str, port: int) -> bool:
    """Whether somebody listens there; without binding it ourselves, which could come in between."""
    (number,) = struct.unpack("=I", socket.inet_aton(address))
    return f" {number:08X}:{port:04X} " in Path("/proc/net/udp").read_text()


# ---- SIP calls -------------------------------------------------------------------------------------------------------

PHRASES = {
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    410: "Gone",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}
REFUSALS = (*PHRASES, 400, 401, 405, 415, 482, 487, 488, 501, 502, 504, 604, 606)


def _fill_in(template: str, values: Mapping[str, object]) -> str:
    """Put values in the place of @NAME@, and the files of sipp/parts in the place of @file@."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in values:
            return str(values[name])
        part = HERE / "sipp" / "parts" / name
        return _fill_in(part.read_text(), values).rstrip("\n") if part.is_file() else match[0]

    return re.sub(r"@([A-Za-z_.]+)@", value, template)


def _speech(hertz: int, directory: Path) -> Path:
    """Write 6 s of a square tone for sipp to speak."""
    path = directory / f"speech-{hertz}.ulaw"
    half = 8000 // hertz // 2
    temporary = directory / f"{path.name}.{os.getpid()}"
    temporary.write_bytes((b"\x20" * half + b"\xa0" * half) * (48000 // half // 2))
    temporary.rename(path)  # another call may be speaking
    return path


def _scenario(name: str, directory: Path, hertz: int = 500) -> Path:
    """Write the whole scenario of that name for sipp; uas_486 and the like are made of uas_reject."""
    status = re.fullmatch(r"uas_(\d{3})", name)
    values: dict[str, object] = {
        "SPEECH": _speech(hertz, directory),
        "REFUSALS": "\n".join(f'<recv response="{code}" optional="true" next="refused"/>' for code in REFUSALS),
    }
    if status:
        values.update(STATUS=status[1], PHRASE=PHRASES.get(int(status[1]), "Refused"))
    template = HERE / "sipp" / ("uas_reject.xml" if status else f"{name}.xml")
    scenario = directory / f"{name}-{hertz}.xml"
    temporary = directory / f"{name}.{os.getpid()}"
    temporary.write_text(_fill_in(template.read_text(), values))
    temporary.rename(scenario)  # another call may be reading it
    return scenario


def _sipp(
    directory: Path, scenario: str, address: str, port: int, media_port: int, *arguments: str | bytes, hertz: int = 500
) -> tuple[_Process, Path]:
    """Start sipp on that address; returns it and the path its files share, but for their extension."""
    if sipp_missing():
        raise LabUnavailable(sipp_missing())
    trace = directory / f"{scenario}.{port}"
    for extension in ("errors", "messages"):  # of an earlier call or phone at that port
        Path(f"{trace}.{extension}").unlink(missing_ok=True)
    command: list[str | bytes] = ["sipp", "-sf", str(_scenario(scenario, directory, hertz)), "-nostdin"]
    command += ["-i", address, "-p", str(port), "-mi", address, "-mp", str(media_port)]
    command += ["-trace_err", "-error_file", f"{trace}.errors", "-trace_msg", "-message_file", f"{trace}.messages"]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "TERM": "xterm"}
    return _Process([*command, *arguments], directory, environment, Path(f"{trace}.output")), trace


def _final_status(messages: str) -> int:
    """How the INVITE of a sipp message trace was answered in the end; 0 if it was not."""
    answers = re.findall(r"^SIP/2\.0 (\d{3}) (?:.+\n)*?CSeq: \d+ INVITE", messages.replace("\r", ""), re.MULTILINE)
    return next((int(answer) for answer in answers if answer >= "200"), 0)


class Call:
    """A SIP call that is going on."""

    def __init__(self, process: _Process, trace: Path) -> None:
        self._process = process
        self._trace = trace

    def wait(self, timeout: float = PATIENCE) -> int:
        """Wait for the scenario's end. Returns the call's final SIP status; raises where the scenario went amiss."""
        failed = self._process.wait(timeout)
        if failed:
            how = "took too long" if failed < 0 else f"ended with {failed}"
            raise LabError(f"sipp {self._trace.name} {how}: {self.errors() or 'no error told'}")
        return _final_status(self.messages())

    def hang(self) -> None:
        """Be gone without a word, as a caller whose network breaks."""
        self._process.kill()

    def errors(self) -> str:
        return _read(Path(f"{self._trace}.errors"))

    def messages(self) -> str:
        """All SIP messages of the call so far."""
        return _read(Path(f"{self._trace}.messages"))


@final
class Phone:
    """A phone that answers calls as its scenario says, as long as the context lasts."""

    def __init__(self, directory: Path, number: int, port: int, media_port: int, scenario: str, delay_ms: int) -> None:
        self.number = number
        self.port = port
        self._media_port = media_port
        self._directory = directory
        self._scenario = scenario
        self._delay_ms = delay_ms

    def __enter__(self) -> Phone:
        self._process, self._trace = _sipp(
            self._directory, self._scenario, PHONES, self.port, self._media_port, "-d", str(self._delay_ms)
        )
        _poll(lambda: _is_bound(PHONES, self.port) or self._process.poll() is not None, PATIENCE, self._failure)
        if self._process.poll() is not None:
            raise LabError(self._failure())
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()

    def _failure(self) -> str:
        return f"phone {self.number} does not start: {_read(Path(f'{self._trace}.output'))[-500:]}"

    def messages(self) -> str:
        """All SIP messages of the phone so far."""
        return _read(Path(f"{self._trace}.messages"))


# ---- Asterisk --------------------------------------------------------------------------------------------------------

# Read at start by modules and the core, which complain when they are missing; nothing in them is needed.
EMPTY_CONF = [
    "acl",
    "ccss",
    "cel",
    "cli_aliases",
    "features",
    "http",
    "pjproject",
    "queuerules",
    "smdi",
    "sorcery",
    "udptl",
]
FOLDERS = ("etc", "lib", "run", "agi-bin", "cache", "sipp", "data/sounds", "log/cdr-csv", "log/cdr-custom")
SPOOL_FOLDERS = ("voicemail", "tmp", "outgoing", "system", "monitor", "recording")


@final
class Asterisk:
    """A private instance with folders of its own, running as long as the context lasts.

    Callers (sipp) reach the context from-trunk. Phones are 101, 102 and 105 to 109; 103 is never registered, nothing
    listens at the address of 104. The folders are there before the start, for scripts and files of etc/ to be put in.
    """

    def __init__(
        self,
        version: int,
        directory: Path,
        *,
        dialplan: str,
        environment: Mapping[str, str] = {},
        user: str | None = None,
    ) -> None:
        if user and user != pwd.getpwuid(os.geteuid()).pw_name and os.geteuid() != 0:
            raise LabUnavailable(f"only root can run Asterisk as {user}")
        self.version = version
        self.user = user if os.geteuid() == 0 else None
        self.directory = directory.resolve()
        self.etc = self.directory / "etc"
        self.spool = self.directory / "spool"
        self.agi_bin = self.directory / "agi-bin"
        self.log = self.directory / "log"
        self.port = 0
        self._dialplan = dialplan
        self._environment = environment
        self._process: _Process | None = None
        self._reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sipp_ports: Iterator[int] = iter(())
        self._mark = 0
        for folder in (*FOLDERS, *(f"spool/{name}" for name in SPOOL_FOLDERS)):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Asterisk:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- running

    def start(self) -> None:
        """Start, and wait until calls are taken. The first start of a version downloads it."""
        root = self._reachable(fetch(self.version))
        self.port, self._reservation = _reserve_ports()
        self._sipp_ports = itertools.cycle(range(self.port + RTP.start, self.port + RTP.stop, SIPP_PORTS))
        try:
            self._configure(root)
            self._hand_over()
            self._launch()
            _poll(self._booted, PATIENCE, lambda: f"Asterisk does not boot:\n{self._output()}")
            self.mark()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop as an administrator would; kill what does not."""
        if self._process and self._process.poll() is None:
            with contextlib.suppress(LabError):
                self.command("core stop now")
            self._process.wait(30)
        self.kill()

    def kill(self) -> None:
        """End Asterisk and what it started in its process group, at once."""
        if self._process:
            self._process.kill()
            self._process = None
        self._reservation.close()

    def is_running(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process, which is also its process group."""
        if self._process is None:
            raise LabError("Asterisk is not running")
        return self._process.pid

    def command(self, line: str) -> str:
        """What Asterisk's own command line answers (asterisk -rx)."""
        done = subprocess.run(
            [self._wrapper, "-rx", line], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        answer = done.stdout.decode("utf-8", "surrogateescape")
        if done.returncode:
            raise LabError(f"{line}: {answer.strip()}")
        return answer

    # -- its log

    def full_log(self) -> str:
        """Everything logged since the instance was made; bad UTF-8 as surrogates, newlines as they are."""
        return _read(self.log / "full")

    def mark(self) -> None:
        """wait_for_log() and log_since_mark() look at what is logged from now on."""
        full = self.log / "full"
        self._mark = full.stat().st_size if full.exists() else 0

    def log_since_mark(self) -> str:
        return _read(self.log / "full", self._mark)

    def wait_for_log(self, wanted: str | re.Pattern[str], count: int = 1, timeout: float = PATIENCE) -> str:
        """Wait for that many log lines since the mark (or the start) which hold the text; returns the last of them."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted

        def found() -> str:
            lines = [line for line in self.log_since_mark().split("\n")[:-1] if pattern.search(line)]
            return lines[count - 1] if len(lines) >= count else ""

        return _poll(found, timeout, lambda: f"not logged {count} times: {wanted!r}\n{self.log_since_mark()[-4000:]}")

    def wait_until_idle(self, timeout: float = PATIENCE) -> None:
        """Wait until no call is left."""

        def idle() -> bool:
            return "0 active channels" in self.command("core show channels count")

        _poll(idle, timeout, lambda: self.command("core show channels"))

    # -- calls

    def originate(
        self, extension: str, context: str = "from-trunk", application: str = "Wait", data: str = "30"
    ) -> None:
        """Place a call without SIP: the application runs at the caller's end once the extension answers."""
        self.command(f"channel originate Local/{extension}@{context} application {application} {data}")

    def phone(self, number: int, scenario: str, delay_ms: int = 1000) -> Phone:
        """A phone for a with statement: it listens from its beginning to its end.

        Scenarios: uas_ring, uas_answer (after the delay), uas_answer_bye (hangs up after the delay), uas_STATUS, which
        refuses with that SIP status; uas_registrar and uas_options for providers.
        """
        if number not in (*FIXED_PHONES, *PROVIDERS):
            raise ValueError(f"{number} has no fixed address; {FIXED_PHONES} have")
        media_port = self._free_ports(PHONES) + 1
        return Phone(self.directory / "sipp", number, self.port + number, media_port, scenario, delay_ms)

    def start_call(
        self,
        scenario: str,
        extension: str,
        *,
        caller_number: str | bytes = "5551212",
        caller_name: str | bytes = '"Alice Smith"',
        duration_ms: int = 1000,
        headers: Sequence[str] = (),
        hertz: int = 500,
    ) -> Call:
        """Place a SIP call. Number and name go out as they are given, byte for byte: quotes, %0a, bad UTF-8.

        Scenarios: uac_noanswer (wait for the end), uac_cancel (give up, the duration after the first ringing tone),
        uac_bye (hang up, the duration after the answer), uac_vm_bye, uac_vm_pound and uac_vm_pounds (speak, then hang
        up, press # once, or again and again).
        What is spoken is a tone of so many hertz.
        """
        extra = "".join(f"\r\n{header}" for header in headers)
        keys = {"caller_number": caller_number, "caller_name": caller_name, "extra_headers": extra}
        arguments: list[str | bytes] = ["-m", "1", "-l", "1", "-s", extension, "-d", str(duration_ms)]
        for key, value in keys.items():
            arguments += ["-key", key, value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value]
        if scenario == "uac_cancel":
            arguments += ["-default_behaviors", "all,-abortunexp"]
        arguments.append(f"{SERVER}:{self.port}")
        port = self._free_ports(CALLERS)
        return Call(*_sipp(self.directory / "sipp", scenario, CALLERS, port, port + 1, *arguments, hertz=hertz))

    def _free_ports(self, address: str) -> int:
        """Return the first of the ports of a sipp: nobody else has them, nor does the kernel hand them out."""
        return next(port for port in self._sipp_ports if not any(_is_bound(address, port + one) for one in SIPP_BINDS))

    def call(self, scenario: str, extension: str, **options: Any) -> int:
        """Place a SIP call and wait for its end; returns its final SIP status. Options as for start_call()."""
        return self.start_call(scenario, extension, **options).wait()

    # -- making the instance

    @property
    def _wrapper(self) -> Path:
        return self.directory / "asterisk"

    def _launch(self) -> None:
        for left in ("asterisk.ctl", "asterisk.pid"):  # of an instance that was killed
            (self.directory / "run" / left).unlink(missing_ok=True)
        environment = {"PATH": os.defpath, "HOME": str(self.directory), "TERM": "dumb", **self._environment}
        command = [str(self._wrapper), "-f"]
        self._process = _Process(command, self.directory, environment, self.log / "stdout", self.user)

    def _output(self) -> str:
        return _read(self.log / "stdout")[-2000:]

    def _booted(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise LabError(f"Asterisk ended at once:\n{self._output()}")
        if not (self.directory / "run" / "asterisk.ctl").exists():
            return False
        with contextlib.suppress(LabError):
            return "fully booted" in self.command("core waitfullybooted")
        return False

    def _reachable(self, root: Path) -> Path:
        """The packages; a copy in the instance where its user may not enter the cache, as /root/.cache."""
        if not self.user:
            return root
        if not _may_enter(self.directory, self.user):
            raise LabUnavailable(f"{self.user} may not enter {self.directory}")
        if _may_enter(root, self.user):
            return root
        copy = self.directory / "root"
        if not copy.exists():
            shutil.copytree(root, copy, symlinks=True)
        return copy

    def _configure(self, root: Path) -> None:
        """Write the files of etc/, the links and the command. Other files in etc/ stay as the test has put them."""
        modules = next(root.glob("usr/lib/**/asterisk/modules"))
        values = {
            "DIRECTORY": self.directory,
            "ROOT": root,
            "MODULES": modules,
            "PORT": self.port,
            "RTP_FIRST": self.port + RTP.start,
            "RTP_LAST": self.port + RTP.stop - 1,
            "PHONES": "\n".join(_endpoint(number, self.port + number) for number in FIXED_PHONES),
        }
        for template in (HERE / "conf").glob("*.conf"):
            (self.etc / template.name).write_text(_fill_in(template.read_text(), values))
        for name in EMPTY_CONF:
            (self.etc / f"{name}.conf").touch()
        lines = (self.etc / "modules.conf").read_text().splitlines()
        kept = [line for line in lines if "load = " not in line or (modules / line.split()[-1]).exists()]
        (self.etc / "modules.conf").write_text("\n".join(kept) + "\n")
        (self.etc / "extensions.conf").write_text(self._dialplan)
        self._lay_out(root)

    def _lay_out(self, root: Path) -> None:
        """The data of the packages by links, and the command."""
        data = self.directory / "data"
        links = {data / item.name: item for item in (root / "usr/share/asterisk").iterdir() if item.name != "sounds"}
        links[data / "sounds" / "en"] = root / "usr/share/asterisk/sounds/en_US_f_Allison"
        links[self.directory / "lib" / "documentation"] = data / "documentation"
        for link, target in links.items():
            if not link.is_symlink():
                link.symlink_to(target)
        command = shlex.join([*_loader(root), "-C", str(self.etc / "asterisk.conf")])
        self._wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        self._wrapper.chmod(0o755)

    def _hand_over(self) -> None:
        """Give the instance to its user; but not the sipp folder, which is ours, nor a copy of the packages."""
        if not self.user:
            return
        owner = pwd.getpwnam(self.user)
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        for item in self.directory.iterdir():
            if item.name not in ("root", "sipp"):
                for path in (item, *item.rglob("*")):
                    os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)


def _endpoint(number: int, port: int) -> str:
    """A phone with a fixed address, for pjsip.conf. That of 109 has a message waiting lamp."""
    lamp = "mailboxes=109@default\n" if number == 109 else ""
    return (
        f'[{number}](phone)\naors={number}\ncallerid="Phone {number}" <{number}>\n{lamp}'
        f"[{number}]\ntype=aor\ncontact=sip:{number}@{PHONES}:{port}\n"
    )


def _may_enter(path: Path, user: str) -> bool:
    return subprocess.run([*_privileges(user), "test", "-x", path], check=False).returncode == 0


def _read(path: Path, start: int = 0) -> str:
    """A file that may grow or be missing. Bytes that are no UTF-8 stay, and no newline is translated."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            return file.read().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


# ---- commands --------------------------------------------------------------------------------------------------------


def _run(version: int, directory: Path) -> None:
    """Run an instance until Ctrl-C."""
    dialplan = (HERE / "conf" / "extensions.conf").read_text()
    with contextlib.suppress(KeyboardInterrupt), Asterisk(version, directory, dialplan=dialplan) as asterisk:
        print(
            f"Asterisk {version} listens on {SERVER}:{asterisk.port}. Its console: {asterisk.directory}/asterisk -r",
            flush=True,
        )
        signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(description="A real Asterisk without installing it.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download and unpack; prints the folder")
    running = commands.add_parser("run", help="run an instance until Ctrl-C")
    for command in (fetching, running):
        command.add_argument("version", type=int, choices=SUITES)
    running.add_argument("directory", type=Path)
    arguments = parser.parse_args()
    try:
        if arguments.command == "fetch":
            print(fetch(arguments.version))
        else:
            _run(arguments.version, arguments.directory)
    except (LabUnavailable, LabError) as error:
        print(error, file=sys.stderr)
        return os.EX_UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
