"""What ``pbxnotify monitor`` finds: for each thing it watches, whether it is well, in the administrator's words."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from pbxnotify.asterisk.config import log_directory, spool_directory
from pbxnotify.asterisk.console import started_between, trunks
from pbxnotify.errors import AsteriskMissing, AsteriskUnavailable
from pbxnotify.health import disk, plugin
from pbxnotify.health.disk import Disk
from pbxnotify.health.problems import ILL, UNSURE, WELL, Finding, Known
from pbxnotify.health.relay_probe import certificate_end
from pbxnotify.health.status import mail_status
from pbxnotify.languages.language import Language
from pbxnotify.settings.sections import Least, Settings
from pbxnotify.spool.store import Spool

MARGIN = 1.2
"""A disk is well again only when so much more is free than must be: files come and go at the limit."""
RESTART = 3.0
"""Seconds by which the time of a start may differ between two looks: Asterisk tells it in whole seconds."""
LONGEST_KEY = 200
"""Characters."""
HOUR, DAY = 3600.0, 86400.0


class Watch:
    """One look at this machine, by the settings."""

    def __init__(
        self, settings: Settings, spool: Spool, words: Language, known: Known, problems: Collection[str] = ()
    ) -> None:
        """``problems`` are the keys of those that were there before."""
        self.known = known
        """What the next look should know."""
        self._problems = problems
        self._looked_at: set[str] = set()
        self._settings = settings
        self._system = settings.system
        self._spool = spool
        self._words = words
        self._status = mail_status(spool)

    def findings(self) -> list[Finding]:
        """Return what is found, each thing once: what has two states is as ill as the worse one."""
        found: dict[str, Finding] = {}
        for name, source in (
            ("disk", self._disks),
            ("asterisk", self._asterisk),
            ("mail", self._mail),
            ("certificate", self._certificate),
            ("check", self._checks),
        ):
            for finding in self._guarded(name, source):
                other = found.get(finding.key)
                if other is None or other.state < finding.state:
                    found[finding.key] = finding
        return list(found.values())

    def has_looked_at(self, key: str) -> bool:
        """Return whether the kind of thing was looked at: what was not found then is not there any more."""
        return key.partition(":")[0] in self._looked_at

    def _guarded(self, name: str, source: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """Yield what a source finds; a fault of ours in one must not silence the others."""
        try:
            yield from source()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            yield Finding(f"fault:{name}", ILL, self._words.fault.format(name=name), reason)
        else:
            if f"fault:{name}" in self._problems:
                yield Finding(f"fault:{name}", WELL)

    def _disks(self) -> Iterator[Finding]:
        words, named = self._words, self._system.disks
        usual = (spool_directory(), log_directory(), self._spool.directory)
        seen: dict[int, Disk] = {}
        limits: dict[int, list[Least]] = {}
        is_complete = True
        for path, least in named or ((path, None) for path in usual):
            try:
                found = disk.look(path)
            except OSError as error:
                is_complete = False
                if named:
                    text = words.disk_gone_text.format(path=path, error=error.strerror)
                    yield Finding(f"disk:{path}", ILL, words.disk_gone.format(path=path), text)
                continue
            seen.setdefault(found.device, found)
            limits.setdefault(found.device, []).append(least or self._system.disk_free)
        fullest = sorted(seen.values(), key=lambda one: one.share_free)
        text = "\n".join([*map(self._line, fullest), words.disk_advice])
        for one in fullest:
            state = max(_fullness(one, least) for least in limits[one.device])
            yield Finding(f"disk:{one.path}", state, words.disk_full.format(path=one.path), text, is_critical=True)
        if is_complete:
            self._looked_at.add("disk")

    def _line(self, one: Disk) -> str:
        """Return a disk with its figures."""
        words = self._words
        free, size = (
            disk.readable(count, words.bytes).replace(".", words.decimal_mark) for count in (one.free, one.size)
        )
        share = f"{100 * one.free / one.size:.0f}" if one.size else "0"
        inodes = f"{100 * one.free_inodes / one.inodes:.0f}" if one.inodes else "100"
        return words.disk_line.format(path=one.path, share=share, free=free, size=size, inodes=inodes)

    def _checks(self) -> Iterator[Finding]:
        for check in self._system.checks:
            result = plugin.run(check.command, check.timeout)
            subject = f"{check.name}: {result.message}"
            state = WELL if result.status == plugin.OK else ILL
            is_critical = result.status == plugin.CRITICAL
            yield Finding(
                f"check:{check.name}", state, subject, self._words.check_text.format(command=check.command), is_critical
            )
        self._looked_at.add("check")

    def _asterisk(self) -> Iterator[Finding]:
        words, before = self._words, self.known.started
        if not self._system.asterisk and not self._system.trunks:
            return
        try:
            earliest, latest = started_between()
        except AsteriskMissing:
            return
        except AsteriskUnavailable as error:
            if self._system.asterisk:
                yield Finding("asterisk", ILL, words.asterisk_down, words.asterisk_down_text.format(reason=error), True)
            return
        self.known = replace(self.known, started=latest)
        if self._system.asterisk:
            yield Finding("asterisk", WELL)
            if before and earliest > before + RESTART and "asterisk" not in self._problems:
                text = words.asterisk_restarted_text.format(now=self._moment(latest), before=self._moment(before))
                yield Finding("restart", ILL, words.asterisk_restarted, text, passes=True)
        if self._system.trunks:
            yield from self._trunks()

    def _trunks(self) -> Iterator[Finding]:
        words = self._words
        try:
            found = list(trunks())
        except AsteriskUnavailable:
            return
        for trunk in found:
            text = words.trunk_text.format(address=trunk.address, said=trunk.said)
            state = UNSURE if trunk.is_up is None else WELL if trunk.is_up else ILL
            subject = words.trunk_down.format(name=trunk.name)
            key = f"trunk:{trunk.kind} {trunk.name} {trunk.address}"[:LONGEST_KEY]
            yield Finding(key, state, subject, text, is_critical=True, patience=2)
        self._looked_at.add("trunk")

    def _mail(self) -> Iterator[Finding]:
        words, found = self._words, self._status
        yield Finding(
            "mail:relay",
            ILL if found.needs_mending else WELL,
            words.held,
            words.held_text.format(reason=found.relay_reason),
            is_critical=True,
            by_mail=False,  # what has met it has queued an alert about it, which leaves when it is mended
        )
        age = time.time() - found.stuck_since if found.stuck_since else 0.0
        text = words.stuck_text.format(count=found.waiting, moment=self._moment(found.stuck_since))
        state = ILL if age > 60 * self._system.stuck_minutes else WELL
        yield Finding("mail:stuck", state, words.stuck, text, by_mail=not found.relay_rests_until)

    def _certificate(self) -> Iterator[Finding]:
        """Look once a day when the relay's certificate ends, and each hour where that could not be found out."""
        relay, now = self._settings.smtp, time.time()
        if relay.security == "none" or not relay.verify_certificate:
            return
        address = f"{relay.host}:{relay.port}"
        known = self.known if self.known.certificate_of == address else Known(certificate_of=address)
        if not known.certificate_looked_at <= now < known.certificate_looked_at + DAY:
            if self._status.relay_rests_until:
                return
            ends = certificate_end(self._settings)
            looked_at = now if ends else now - DAY + HOUR
            known = replace(known, certificate_looked_at=looked_at, certificate_ends=ends or known.certificate_ends)
        self.known = replace(known, started=self.known.started)
        if not known.certificate_ends:
            return
        left = known.certificate_ends - now
        text = self._words.certificate_text.format(host=relay.host, moment=self._moment(known.certificate_ends))
        state = ILL if left < DAY * self._system.certificate_days else WELL
        yield Finding("certificate", state, self._words.certificate, text)

    def _moment(self, when: float) -> str:
        return self._words.moment(self._settings.moment(when))


def _fullness(one: Disk, least: Least) -> int:
    """Return the state of a disk by one limit."""
    return ILL if one.is_full(least) else UNSURE if one.is_full(least, MARGIN) else WELL
