"""What one run of ``pbxnotify monitor`` observes: disks, Asterisk, trunks, our own mail, the relay's certificate."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from pbxnotify.asterisk.config import log_directory, spool_directory
from pbxnotify.asterisk.console import started_between, trunks
from pbxnotify.errors import AsteriskMissing, AsteriskUnavailable
from pbxnotify.health import disk, plugin
from pbxnotify.health.disk import Disk
from pbxnotify.health.plugin import PluginStatus
from pbxnotify.health.problems import Known, Observation, State
from pbxnotify.health.relay_probe import certificate_end
from pbxnotify.health.status import mail_status
from pbxnotify.languages.language import Language
from pbxnotify.settings.sections import Least, Settings
from pbxnotify.spool.store import Spool

MARGIN = 1.2  # a full disk is ok again once this many times the limit is free: at the limit, files come and go
RESTART = 3.0  # seconds by which two runs may differ about when Asterisk was started: it says so in whole seconds
LONGEST_KEY = 200  # characters
HOUR, DAY = 3600.0, 86400.0


class Watch:
    """One run of the monitor on this machine, by the settings."""

    def __init__(
        self, settings: Settings, spool: Spool, words: Language, known: Known, problems: Collection[str] = ()
    ) -> None:
        self.known = known  # what the next run should know
        self._problems = problems  # the keys of those that there were before
        self._complete: set[str] = set()  # kinds of things of which every one was observed
        self._settings = settings
        self._system = settings.system
        self._spool = spool
        self._words = words
        self._status = mail_status(spool)

    def observations(self) -> list[Observation]:
        """Return what is observed, one observation for each key: the worst."""
        worst: dict[str, Observation] = {}
        for name, source in (
            ("disk", self._disks),
            ("asterisk", self._asterisk),
            ("mail", self._mail),
            ("certificate", self._certificate),
            ("check", self._checks),
        ):
            for seen in self._guarded(name, source):
                other = worst.get(seen.key)
                if other is None or other.state < seen.state:
                    worst[seen.key] = seen
        return list(worst.values())

    def has_observed_all(self, key: str) -> bool:
        """Return whether all things of this kind were observed: one that was not is no longer there."""
        return key.partition(":")[0] in self._complete

    def _guarded(self, name: str, source: Callable[[], Iterator[Observation]]) -> Iterator[Observation]:
        """Yield the observations of a source; a bug in one source must not silence the others."""
        key = f"fault:{name}"
        try:
            yield from source()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            yield Observation(key, State.PROBLEM, self._words.fault.format(name=name), reason)
        else:
            if key in self._problems:
                yield Observation(key, State.OK)

    def _disks(self) -> Iterator[Observation]:
        words, named = self._words, self._system.disks
        usual = (spool_directory(), log_directory(), str(self._spool.directory))
        disks: dict[int, Disk] = {}
        limits: dict[int, list[Least]] = {}
        is_complete = True
        for path, least in named or ((path, None) for path in usual):
            try:
                one = disk.look(path)
            except OSError as error:
                is_complete = False
                if named:
                    text = words.disk_gone_text.format(path=path, error=error.strerror)
                    yield Observation(f"disk:{path}", State.PROBLEM, words.disk_gone.format(path=path), text)
                continue
            disks.setdefault(one.device, one)
            limits.setdefault(one.device, []).append(least or self._system.disk_free)
        fullest = sorted(disks.values(), key=lambda one: one.share_free)
        text = "\n".join([*map(self._line, fullest), words.disk_advice])
        for one in fullest:
            state = max(_fullness(one, least) for least in limits[one.device])
            yield Observation(f"disk:{one.path}", state, words.disk_full.format(path=one.path), text, is_critical=True)
        if is_complete:
            self._complete.add("disk")

    def _line(self, one: Disk) -> str:
        words = self._words
        free, size = (
            disk.readable(count, words.bytes).replace(".", words.decimal_mark) for count in (one.free, one.size)
        )
        share = f"{100 * one.free / one.size:.0f}" if one.size else "0"
        inodes = f"{100 * one.free_inodes / one.inodes:.0f}" if one.inodes else "100"
        return words.disk_line.format(path=one.path, share=share, free=free, size=size, inodes=inodes)

    def _checks(self) -> Iterator[Observation]:
        for check in self._system.checks:
            result = plugin.run(check.command, check.timeout)
            yield Observation(
                f"check:{check.name}",
                _state(result.status == PluginStatus.OK),
                f"{check.name}: {result.message}",
                self._words.check_text.format(command=check.command),
                result.status == PluginStatus.CRITICAL,
            )
        self._complete.add("check")

    def _asterisk(self) -> Iterator[Observation]:
        words, before = self._words, self.known.started
        if not self._system.asterisk and not self._system.trunks:
            return
        try:
            earliest, latest = started_between()
        except AsteriskMissing:
            return
        except AsteriskUnavailable as error:
            if self._system.asterisk:
                text = words.asterisk_down_text.format(reason=error)
                patience = 2 if before and before < _system_start() else 1  # after a boot, it may be starting
                yield Observation("asterisk", State.PROBLEM, words.asterisk_down, text, True, patience)
            return
        self.known = replace(self.known, started=latest)
        if self._system.asterisk:
            yield Observation("asterisk", State.OK)
            if before and earliest > before + RESTART and "asterisk" not in self._problems:
                text = words.asterisk_restarted_text.format(now=self._moment(latest), before=self._moment(before))
                yield Observation("restart", State.PROBLEM, words.asterisk_restarted, text, happened=True)
        if self._system.trunks:
            yield from self._trunks()

    def _trunks(self) -> Iterator[Observation]:
        words = self._words
        try:
            found = list(trunks())
        except AsteriskUnavailable:
            return
        for trunk in found:
            state = State.UNKNOWN if trunk.is_up is None else _state(trunk.is_up)
            text = words.trunk_text.format(address=trunk.address, said=trunk.said)
            subject = words.trunk_down.format(name=trunk.name)
            key = f"trunk:{trunk.kind} {trunk.name} {trunk.address}"[:LONGEST_KEY]
            yield Observation(key, state, subject, text, is_critical=True, patience=2)
        self._complete.add("trunk")

    def _mail(self) -> Iterator[Observation]:
        words, status = self._words, self._status
        yield Observation(
            "mail:relay",
            _state(not (status.needs_mending or status.refused())),
            words.held,
            words.held_text.format(reason=status.relay_reason or status.refused()),
            is_critical=True,
            by_mail=False,  # the delivery that met it has queued an alert, which leaves once it is repaired
        )
        since = status.stuck_since
        is_ok = since is None or time.time() - since <= 60 * self._system.stuck_minutes
        text = words.stuck_text.format(count=status.waiting, moment=self._moment(since or 0.0))
        yield Observation("mail:stuck", _state(is_ok), words.stuck, text, by_mail=not status.relay_rests_until)

    def _certificate(self) -> Iterator[Observation]:
        """Observe when the relay's certificate expires; the relay is asked once a day, after a failure once an hour."""
        relay, now = self._settings.smtp, time.time()
        if relay.security == "none" or not relay.verify_certificate:
            return
        address = f"{relay.host}:{relay.port}"
        known = self.known if self.known.certificate_of == address else Known(certificate_of=address)
        if not (known.certificate_looked_at or 0.0) <= now < (known.certificate_looked_at or 0.0) + DAY:
            if self._status.relay_rests_until:
                return
            ends = certificate_end(self._settings)
            looked_at = now if ends else now - DAY + HOUR
            known = replace(known, certificate_looked_at=looked_at, certificate_ends=ends or known.certificate_ends)
        self.known = replace(known, started=self.known.started)
        if known.certificate_ends:
            is_ok = known.certificate_ends - now >= DAY * self._system.certificate_days
            text = self._words.certificate_text.format(host=relay.host, moment=self._moment(known.certificate_ends))
            yield Observation("certificate", _state(is_ok), self._words.certificate, text)

    def _moment(self, when: float) -> str:
        return self._words.moment(self._settings.moment(when))


def _system_start() -> float:
    """Return when this machine or container was started, in seconds since the epoch; 0.0 if that is unknown."""
    try:
        with open("/proc/1/stat", encoding="ascii", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0.0
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def _state(is_ok: bool) -> State:
    return State.OK if is_ok else State.PROBLEM


def _fullness(one: Disk, least: Least) -> State:
    return State.PROBLEM if one.is_full(least) else State.UNKNOWN if one.is_full(least, MARGIN) else State.OK
