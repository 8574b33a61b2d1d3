"""What a saved change of the ini file leads to: it is checked, and a test mail goes to the administrator, once.

Whoever changed it: ``edit`` and ``setup`` do so themselves and note it here, for all other programs ``queue run`` does.
"""

from __future__ import annotations

import hashlib
import os
import syslog
from collections.abc import Iterator
from contextlib import contextmanager

from pbxnotify import log
from pbxnotify.errors import PbxnotifyError, SettingsError, SpoolError
from pbxnotify.events import Alert, new_alert
from pbxnotify.languages.language import load_language
from pbxnotify.settings.load import ini_fingerprint, ini_path, load_settings_as_of
from pbxnotify.settings.sections import Settings
from pbxnotify.spool import state
from pbxnotify.spool.owner import spool_path
from pbxnotify.spool.state import SeenSettings
from pbxnotify.spool.store import Spool, open_spool


def notice(spool: Spool) -> None:
    """Look whether the ini file was changed: say in the log what is wrong with it, or queue a test mail.

    The first look on a box only notes what is there. What cannot be noted is not done either: it would be done again
    each minute.
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
    found = _look(settings, seen)
    if not state.write_settings(spool.directory, found) or not seen.fingerprint:
        return
    log.write(syslog.LOG_NOTICE, f"settings: {path} was changed: no mistakes found")
    if found.digest != seen.digest:
        state.write_settings(spool.directory, found._replace(test=_queue_test(spool, settings, seen.test)))


def is_news(settings: Settings, before: Settings | None) -> bool:
    """Return whether these mail settings are others than those last looked at; else than those before. As the owner."""
    try:
        seen = state.read_settings(open_spool().directory)
    except SpoolError:
        seen = SeenSettings()
    if seen.digest:
        return _look(settings, seen).digest != seen.digest
    return before is None or _mail_settings(settings) != _mail_settings(before)


def note(settings: Settings) -> None:
    """Note that these settings, which are in place, were checked and tested before the admin's eyes. As the owner."""
    try:
        spool = open_spool()
    except SpoolError:
        return
    state.write_settings(spool.directory, _look(settings, state.read_settings(spool.directory)))


@contextmanager
def unnoticed() -> Iterator[None]:
    """Keep the run of the queue from noticing what is going to be changed and tested here."""
    directory = spool_path()
    if os.path.isdir(os.path.join(directory, "queue")):
        with Spool(directory).alone():
            yield
    else:
        yield


def _is_being_saved(path: str) -> bool:
    """Return whether the file is empty: an editor that writes it over has just begun."""
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return False


def _mail_settings(settings: Settings) -> tuple[object, ...]:
    """Return what decides how a test mail leaves, and for whom: a change in it is worth one."""
    return (
        *settings.smtp,
        *settings.smtp.oauth2,
        settings.notifications.admin_email,
        settings.notifications.enabled,
    )


def _look(settings: Settings, seen: SeenSettings) -> SeenSettings:
    """Return what there is to remember of settings."""
    salt = seen.salt or os.urandom(16).hex()
    digest = hashlib.blake2b(repr(_mail_settings(settings)).encode(), key=salt.encode()[:64]).hexdigest()
    return SeenSettings(ini_fingerprint(settings.path), digest, salt, seen.test)


def _queue_test(spool: Spool, settings: Settings, waiting: str) -> str:
    """Queue a test mail; returns its item. One that still waits will leave with the new settings."""
    if not settings.notifications.admin_email:
        log.write(syslog.LOG_WARNING, "settings: no test mail can be sent: [notifications] admin_email is empty")
        return ""
    if waiting in spool.identifiers():
        return waiting
    try:
        entry = spool.add(test_event(settings.notifications.language))
    except PbxnotifyError as error:
        log.write(syslog.LOG_ERR, f"settings: no test mail: {error}")
        return ""
    if entry is None:
        return ""
    entry.release()
    return entry.item.id


def test_event(code: str) -> Alert:
    """Return what a test mail tells, in a language."""
    words = load_language(code)
    return new_alert(words.test, words.test_text, level="info")
