"""Checks the ini file after each change of it, and has one test mail sent to the administrator.

``edit`` and ``setup`` do so themselves and record it here; changes by other programs are noticed by ``queue run``.
"""

from __future__ import annotations

import hashlib
import os
import syslog
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from pbxnotify import log
from pbxnotify.errors import NewerItem, PbxnotifyError, SettingsError, SpoolError
from pbxnotify.events import Alert, new_alert
from pbxnotify.files import Directory
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.settings.sections import Settings
from pbxnotify.spool import state
from pbxnotify.spool.directory import spool_path
from pbxnotify.spool.failed import list_failed
from pbxnotify.spool.queue_file import QueueFile
from pbxnotify.spool.state import SeenSettings
from pbxnotify.spool.store import Spool, open_spool


def notice(spool: Spool) -> None:
    """If the ini file has changed, log its mistakes, or queue a test mail; the first time on a host only record it.

    What cannot be recorded is not done: it would be done again each minute.
    """
    path = ini_path()
    fingerprint, seen = ini_fingerprint(path), state.read_settings(spool.directory)
    if fingerprint == seen.fingerprint or _is_being_saved(path):
        return
    try:
        settings = load_settings_as_of(path, fingerprint)
    except SettingsError as error:
        if state.write_settings(spool.directory, seen._replace(fingerprint=fingerprint)):
            for problem in error.problems:
                log.write(syslog.LOG_ERR, f"settings: {problem}")
        return
    found = _seen(settings, seen)
    if not state.write_settings(spool.directory, found) or not seen.fingerprint:
        return
    log.write(syslog.LOG_NOTICE, f"settings: {path} was changed: no mistakes found")
    _put_back(spool)
    if found.digest != seen.digest:
        state.write_settings(spool.directory, found._replace(test=_queue_test(spool, settings, seen.test)))


def is_news(settings: Settings, before: Settings | None) -> bool:
    """Return whether these mail settings differ from those last checked, or from those before if that is unknown."""
    seen = SeenSettings()
    with suppress(SpoolError):
        seen = state.read_settings(open_spool().directory)
    if seen.digest:
        return _seen(settings, seen).digest != seen.digest
    return before is None or _mail_settings(settings) != _mail_settings(before)


def note(settings: Settings) -> None:
    """Record that these settings, which are in place, were checked and tested while the admin was watching."""
    with suppress(SpoolError):
        spool = open_spool()
        seen = state.read_settings(spool.directory)
        state.write_settings(spool.directory, _seen(settings, seen))
        if seen.fingerprint and seen.fingerprint != ini_fingerprint(settings.path):
            _put_back(spool)


@contextmanager
def unnoticed() -> Iterator[None]:
    """Keep ``queue run`` from noticing what is changed and tested meanwhile."""
    path = spool_path()
    with Spool(Directory(path)).alone() if os.path.isdir(os.path.join(path, "queue")) else nullcontext():
        yield


def _put_back(spool: Spool) -> None:
    """Put back what has failed for what may be about the settings that were in place. Raises SpoolError."""
    for identifier in list_failed(spool.directory).items:
        with suppress(NewerItem, SpoolError):
            item = QueueFile.read(spool.directory, identifier, "failed")
            queue_file = spool.lock(identifier, "failed") if item and item.doubted else None
            if queue_file:
                queue_file.retry()
                queue_file.release()


def _is_being_saved(path: str) -> bool:
    """Return whether the file is empty: an editor that overwrites it has just begun."""
    with suppress(OSError):
        return os.stat(path).st_size == 0
    return False


def _mail_settings(settings: Settings) -> tuple[object, ...]:
    """Return the settings that decide how a test mail leaves, and for whom: a change of these is worth one."""
    notifications = settings.notifications
    return (*settings.smtp, *settings.smtp.oauth2, notifications.admin_email, notifications.enabled)


def _seen(settings: Settings, seen: SeenSettings) -> SeenSettings:
    """Return the record of settings, given the one before."""
    salt = seen.salt or os.urandom(16).hex()
    digest = hashlib.blake2b(repr(_mail_settings(settings)).encode(), key=salt.encode()[:64]).hexdigest()
    return SeenSettings(ini_fingerprint(settings.path), digest, salt, seen.test)


def _queue_test(spool: Spool, settings: Settings, waiting: str) -> str:
    """Queue a test mail; returns its identifier. One that is still waiting will leave with the new settings."""
    if not settings.notifications.admin_email:
        log.write(syslog.LOG_WARNING, "settings: no test mail is sent: [notifications] admin_email is empty")
        return ""
    if waiting in spool.identifiers():
        return waiting
    try:
        queue_file = spool.add(test_event(settings.notifications.language))
    except PbxnotifyError as error:
        log.write(syslog.LOG_ERR, f"settings: no test mail: {error}")
        return ""
    if queue_file is None:
        return ""
    queue_file.release()
    return queue_file.item.id


def test_event(code: str) -> Alert:
    """Return the event of a test mail, in a language."""
    words = load_language(code)
    return new_alert(words.test, words.test_text, level="info")
