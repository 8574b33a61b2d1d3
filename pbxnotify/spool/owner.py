"""Where the spool is, and whose: root acts as its owner, who is Asterisk's user."""

from __future__ import annotations

import os

from pbxnotify.asterisk.config import spool_directory
from pbxnotify.errors import SpoolError
from pbxnotify.spool.queue_file import spool_errors


def spool_path() -> str:
    """Return the spool directory: $PBXNOTIFY_SPOOL, else pbxnotify/ in Asterisk's own spool."""
    return os.environ.get("PBXNOTIFY_SPOOL") or os.path.join(spool_directory(), "pbxnotify")


def become_spool_owner() -> None:
    """Let this process, if it is root's, go on as the owner of the spool, or of the directory it will be made in.

    There is no way back, so it is called once, before the spool is opened. Raises SpoolError.
    """
    directory = spool_path()
    if os.geteuid() != 0:
        return
    with spool_errors():
        owner = os.stat(directory if os.path.isdir(directory) else os.path.dirname(directory))
        if owner.st_uid != 0:
            _become(owner)


def _become(owner: os.stat_result) -> None:
    import pwd

    try:
        account = pwd.getpwuid(owner.st_uid)
        group = account.pw_gid
        os.initgroups(account.pw_name, group)
    except KeyError:
        group = owner.st_gid
        os.setgroups([group])
    os.setgid(group)
    os.setuid(owner.st_uid)


def refuse_other_owner(directory: str) -> None:
    """Raise SpoolError if the spool belongs to another user than the one this process runs as."""
    owner, ours = os.stat(directory).st_uid, os.geteuid()
    if owner != ours:
        whose = f"the spool {directory} belongs to user {owner}, not to {ours}"
        remedy = f"run this as its owner or as root (sudo); if Asterisk runs as {ours}: chown -R {ours} {directory}"
        raise SpoolError(f"{whose}: {remedy}")
