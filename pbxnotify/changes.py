"""What a saved change of the ini file leads to: it is checked, and a test mail goes to the administrator, once.

Whoever changed it: ``edit`` and ``setup`` do so themselves and note it here, for all other programs ``queue run`` does.
"""

from __future__ import annotations

import hashlib
import os
import syslog
from contextlib import suppress
from dataclasses import astuple

from pbxnotify import log, records, settings, trial
from pbxnotify.errors import PbxnotifyError, SettingsError, SpoolError
from pbxnotify.records import Seen
from pbxnotify.settings import Settings
from pbxnotify.spool import Spool, open_spool


def mail_settings(configured: Settings) -> tuple[object, ...]:
    """Return what decides how a test mail leaves, and for whom: a change in it is worth one."""
    return (*astuple(configured.smtp), configured.notifications.admin_email, configured.notifications.enabled)


def notice(spool: Spool) -> None:
    """Look whether the ini file was changed: say in the log what is wrong with it, or queue a test mail.

    The first look on a box only notes what is there.
    """
    path = settings.location()
    fingerprint, seen = settings.fingerprint(path), records.settings(spool.directory)
    if fingerprint == seen.fingerprint:
        return
    try:
        configured = settings.load(path)
    except SettingsError as error:
        for problem in error.problems:
            log.write(syslog.LOG_ERR, f"settings: {problem}")
        records.note_settings(spool.directory, seen._replace(fingerprint=fingerprint))
        return
    salt = seen.salt or os.urandom(16).hex()
    digest, test = _digest(configured, salt), seen.test
    if seen.fingerprint:
        log.write(syslog.LOG_NOTICE, f"settings: {path} was changed: no mistakes found")
        if digest != seen.digest:
            test = _queue_test(spool, configured, seen.test)
    records.note_settings(spool.directory, Seen(fingerprint, digest, salt, test))


def note(configured: Settings) -> None:
    """Note that these settings, just put in place, were checked and tested before the admin's eyes. As the owner."""
    with suppress(SpoolError):
        spool = open_spool()
        seen = records.settings(spool.directory)
        salt = seen.salt or os.urandom(16).hex()
        digest = _digest(configured, salt)
        fingerprint = settings.fingerprint(configured.path)
        records.note_settings(spool.directory, Seen(fingerprint, digest, salt, seen.test))


def _queue_test(spool: Spool, configured: Settings, waiting: str) -> str:
    """Queue a test mail; returns its item. One that still waits will leave with the new settings."""
    if not configured.notifications.admin_email:
        log.write(syslog.LOG_WARNING, "settings: no test mail can be sent: [notifications] admin_email is empty")
        return ""
    if waiting in spool.identifiers():
        return waiting
    try:
        entry = spool.add(trial.event(configured.notifications.language))
    except PbxnotifyError as error:
        log.write(syslog.LOG_ERR, f"settings: no test mail: {error}")
        return ""
    if entry is None:
        return ""
    entry.release()
    return entry.item.id


def _digest(configured: Settings, salt: str) -> str:
    return hashlib.blake2b(repr(mail_settings(configured)).encode(), key=salt.encode()[:64]).hexdigest()
