"""What we log in to the relay with: a password, a command that prints it, or a token of a provider."""

from __future__ import annotations

import re

from pbxnotify.errors import SettingsError
from pbxnotify.namedtuple import TYPE_CHECKING
from pbxnotify.programs import run_program

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pbxnotify.settings.smtp import Smtp
    from pbxnotify.smtp.oauth.token_store import Access

COMMAND_TIMEOUT = 10  # seconds for ``password_command``
LONGEST_COMPLAINT = 200  # characters of what ``password_command`` says of its failure
SHORTEST_SECRET = 4  # characters of a word of ``password_command`` that is not shown
IN_GROUPS = r"{0}*[A-Za-z0-9]{{4}}({0}+[A-Za-z0-9]{{4}}){{3}}{0}*".format(r"[\s\u200b\u2060\ufeff]")
"""An app password as providers show it: 16 letters or digits in four groups."""


class Credentials:
    """One face for every kind of login; this one is the password in the ini file."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings

    def secret(self, rejected: str = "") -> str:
        """Return the secret, or one other than the relay has rejected; "" if there is no other.

        Raises SettingsError, LoginUnavailable, LoginRefused.
        """
        return "" if rejected else as_issued(self._settings.password)

    def accepted(self) -> None:
        """Take note that the relay accepts the secret."""

    def rejected(self, why: str) -> None:
        """Take note that the relay rejects the secret for good."""


def as_issued(password: str) -> str:
    """Return an app password without the blanks that were copied from the provider's page, any other as it is.

    Only where one of them is not U+0020: nobody types that, while a pass phrase may have four words of four letters.
    """
    if password.isascii() or not re.fullmatch(IN_GROUPS, password):
        return password
    return "".join(character for character in password if character.isalnum())


class PasswordCommand(Credentials):
    """A command whose first line of output is the password, or a token."""

    def secret(self, rejected: str = "") -> str:
        """Return what the command prints, which is not run again for another secret. Raises SettingsError."""
        if rejected:
            return ""
        import shlex
        from subprocess import PIPE, TimeoutExpired

        arguments, password, said = shlex.split(self._settings.password_command), "", b""
        try:
            done = run_program(arguments, COMMAND_TIMEOUT, stdout=PIPE, stderr=PIPE)
            password = done.stdout.decode(errors="replace").partition("\n")[0].rstrip("\r")
            if password and not done.returncode:
                return password
            why = f"ended with exit status {done.returncode}" if done.returncode else "printed no password"
            said = done.stderr
        except TimeoutExpired as error:
            why, said = f"has not finished after {COMMAND_TIMEOUT} seconds", error.stderr or b""
        except OSError as error:
            why = f"cannot be started ({error.strerror})"
        why += _complaint(said, [password, *arguments[1:]])
        raise SettingsError(f"[smtp] password_command: it {why}; to try it, put  sudo -H -u {_our_name()}  before it")


def _complaint(said: bytes, secrets: Iterable[str]) -> str:
    """Return the last line that a command wrote to standard error, for a sentence; its words may be secrets."""
    from pbxnotify.smtp.redaction import Redactor
    from pbxnotify.text import clean

    redactor = Redactor()
    for secret in secrets:
        for word in (secret, clean(secret, None), *re.split(r"[\s=:@,;'\"]+", secret)):
            redactor.add(word if len(word) >= SHORTEST_SECRET else "")
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
    return f": {redactor.redact(clean(lines[-1], None))[:LONGEST_COMPLAINT]}" if lines else ""


def _our_name() -> str:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"#{os.geteuid()}"


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
