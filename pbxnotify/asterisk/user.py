"""Asterisk's user, noted at installation where only root writes: what root starts goes on as that user."""

from __future__ import annotations

import os
from contextlib import suppress

from pbxnotify.errors import UserError
from pbxnotify.namedtuple import NamedTuple

NOTE = "asterisk-user"
"""The file, beside the package: root runs the code there anyway, so whoever may write it is root already."""
KEPT = ("COLUMNS", "JOURNAL_STREAM", "LANG", "LANGUAGE", "NO_COLOR", "PATH", "RES_OPTIONS", "TERM", "TZ")
KEPT_KINDS = ("AST_", "LC_", "PBXNOTIFY_")
"""What of root's environment is for Asterisk's user, by name and by its beginning; there may be secrets in the rest."""


class Account(NamedTuple):
    """Who a process can become."""

    user: int
    group: int
    name: str = ""  # empty if it has none
    home: str = "/"


def asterisk_account() -> Account | None:
    """Return Asterisk's user; None for a package that was not installed with ``make install``. Raises UserError."""
    import pwd

    path = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), NOTE)
    try:
        with open(path, encoding="ascii") as file:
            noted = file.read().strip()
        user, _, group = noted.partition(":")
        if group:
            return Account(int(user), int(group))
        account = pwd.getpwnam(user)
        return Account(account.pw_uid, account.pw_gid, user, account.pw_dir)
    except FileNotFoundError:
        return None
    except KeyError:
        what = f"Asterisk's user is {noted}, says {path}, but there is no such user"
    except (OSError, ValueError) as error:
        what = f"{path} does not say who Asterisk's user is: {error}"
    raise UserError(f"{what}; run  make install ASTUSER=NAME  again")


def who_may() -> str:
    """Return whom an ordinary user is to run a command as: root, or Asterisk's user.

    Empty for these two, who may not do something for another reason, and where Asterisk's user is not known.
    """
    account = None
    with suppress(UserError):
        account = asterisk_account()
    if account is None or os.geteuid() in (0, account.user):
        return ""
    return (
        f"run this as root or as {account.name} (sudo)" if account.user and account.name else "run this as root (sudo)"
    )


def become_asterisk_user() -> None:
    """Let this process, if it is root's, go on as Asterisk's user, for good.

    Called at the front door, before the first look at anything that this user could have put there: the spool, the
    settings, the network. It cannot be traced from then on, as the kernel does not dump a process that has changed its
    user (prctl(2), PR_SET_DUMPABLE). Without a note root stays root, and uses what is root's only. Raises UserError.
    """
    if os.geteuid() != 0:
        return
    account = asterisk_account()
    if account is None or account.user == 0:
        return
    try:
        if account.name:
            os.initgroups(account.name, account.group)
        else:
            os.setgroups([account.group])
        os.setresgid(account.group, account.group, account.group)
        os.setresuid(account.user, account.user, account.user)
    except OSError as error:  # as in a container that lacks CAP_SETUID
        who = account.name or account.user
        raise UserError(f"root cannot become Asterisk's user {who}: {error.strerror}") from None
    for name in os.environ.copy():
        if name not in KEPT and not name.startswith(KEPT_KINDS):
            del os.environ[name]
    os.environ["HOME"] = account.home
