"""What we log in to the relay with: a password, a command that prints it, or a token of a provider."""

from __future__ import annotations

import re

from pbxnotify.errors import SettingsError
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.programs import run_program
from pbxnotify.text import clean

if TYPE_CHECKING:
    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.oauth.token_store import Access

LONGEST_WORDS = 200  # characters of what it says that are shown
COMMAND_TIMEOUT = 10  # seconds for ``password_command``
APP_PASSWORD = re.compile(r"[a-z]{4}(\s[a-z]{4}){3}")
"""As Google shows it; the blanks do not count there, but pasted ones may be U+00A0, which do."""


def without_odd_blanks(password: str) -> str:
    """Return a password; one in four groups of four letters without its blanks."""
    return "".join(password.split()) if APP_PASSWORD.fullmatch(password) else password


class Credentials:
    """One face for every kind of login; this one is the password in the ini file."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings

    def secret(self, rejected: str = "") -> str:
        """Return the secret, or one other than the relay has rejected; "" if there is no other.

        Raises SettingsError, LoginUnavailable, LoginRefused.
        """
        return "" if rejected else without_odd_blanks(self._settings.password)

    def accepted(self) -> None:
        """Take note that the relay accepts the secret."""

    def rejected(self, why: str) -> None:
        """Take note that the relay rejects the secret for good."""


class PasswordCommand(Credentials):
    """A command whose first line of output is the password, or a token."""

    def secret(self, rejected: str = "") -> str:
        """Return what the command prints, which is not run again for another secret. Raises SettingsError."""
        if rejected:
            return ""
        import shlex
        from subprocess import PIPE, TimeoutExpired

        arguments, password, said = shlex.split(self._settings.password_command), "", ""
        try:
            done = run_program(arguments, COMMAND_TIMEOUT, stdout=PIPE, stderr=PIPE)
            why = f"ended with exit status {done.returncode}" if done.returncode else "printed no password"
            said = (done.stderr.decode(errors="replace").strip().splitlines() or [""])[-1]
            if not done.returncode:
                password = done.stdout.decode(errors="replace").partition("\n")[0].rstrip("\r")
        except TimeoutExpired:
            why = f"has not finished after {COMMAND_TIMEOUT} seconds"
        except OSError as error:
            why = f"cannot be started ({error.strerror})"
        if not password:
            last = f", its last words: {clean(said, LONGEST_WORDS)}" if said else ""
            how = "run it yourself as Asterisk's user, with  sudo -u USER COMMAND"
            raise SettingsError(f"[smtp] password_command: it {why}{last}; {how}")
        return password


class Token(Credentials):
    """A token of the provider: a valid one costs a small file and ``token_store``, and nothing else of oauth."""

    _access: Access

    def secret(self, rejected: str = "") -> str:
        """Return a token, renewed if need be; no other one where this one was issued for this very login."""
        if rejected and self._access.is_new:
            return ""
        from pbxnotify.smtp.oauth import token_store

        access = token_store.at_hand(self._settings, rejected)
        if access is None:
            from pbxnotify.smtp.oauth import refresh

            access = refresh.access(self._settings, rejected)
        self._access = access
        return access.token

    def accepted(self) -> None:
        """Take note if the relay has rejected one before: an admin has allowed it since."""
        if self._access.was_rejected:
            self._note_answer("")

    def rejected(self, why: str) -> None:
        """Take note if the token was new: another one would not help."""
        if self._access.is_new:
            self._note_answer(why)

    def _note_answer(self, rejected: str) -> None:
        from pbxnotify.smtp.oauth import refresh

        refresh.note_answer(self._settings, self._access.token, rejected)


def credentials_of(settings: Smtp) -> Credentials:
    """Return what these settings log in with."""
    kind = Token if settings.wants_token else PasswordCommand if settings.password_command else Credentials
    return kind(settings)
