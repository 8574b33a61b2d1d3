"""Root's part of ``setup`` and ``edit``: the editor, and the ini file put in place; the rest is for Asterisk's user.

Root looks at nothing but what it is handed: texts. The process that asks for this has become Asterisk's user.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

from pbxnotify.asterisk.user import asterisk_account, become_asterisk_user
from pbxnotify.errors import PbxnotifyError, SettingsError, UsageError
from pbxnotify.settings.place import IniPlace

EDITORS = ("sensible-editor", "editor", "nano", "vi")  # tried in this order if neither $VISUAL nor $EDITOR is set
ERRORS = {error.__name__: error for error in (SettingsError, UsageError)}


class Root:
    """What only root may do, where Asterisk's user owns neither the terminal nor the ini file."""

    def __init__(self, place: IniPlace) -> None:
        self._place = place
        self._directory = ""
        account = asterisk_account()
        self._group = account.group if account and os.geteuid() == 0 else -1

    def replace(self, text: str) -> str:
        """Put a new ini file in place. Raises SettingsError."""
        self._place.replace(text, self._group)
        return ""

    def edit(self, text: str) -> str:
        """Return what an editor makes of a text, or of what it made before. Raises UsageError, SettingsError."""
        try:
            copy = self._copy(text)
        except OSError as error:
            raise UsageError(f"no copy can be made for the editor: {error.strerror}: nothing is changed") from None
        _run_editor(copy)
        try:
            return copy.read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise SettingsError(f"the editor left no readable file: {error.strerror}") from None

    def keep(self, text: str) -> str:
        """Keep the copy that was edited, and return its path."""
        kept, self._directory = self._copy(text), ""
        return str(kept)

    def clean_up(self) -> None:
        """Remove the copy that was edited."""
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _copy(self, text: str) -> Path:
        """Return the path of the copy for the editor, in a private directory, made if there is none yet."""
        name = os.path.basename(self._place.path)
        if not self._directory:
            self._directory = tempfile.mkdtemp(prefix="pbxnotify-")
            descriptor = os.open(Path(self._directory, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(text)
        return Path(self._directory, name)


class RemoteRoot:
    """Root in another process: has the methods of ``Root`` that a command calls."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def replace(self, text: str) -> str:
        """As ``Root.replace``."""
        return self._ask("replace", text)

    def edit(self, text: str) -> str:
        """As ``Root.edit``; Ctrl-C belongs to the editor meanwhile."""
        with _without_interrupt():
            return self._ask("edit", text)

    def keep(self, text: str) -> str:
        """As ``Root.keep``."""
        return self._ask("keep", text)

    def _ask(self, what: str, text: str) -> str:
        try:
            self._connection.send_bytes(json.dumps([what, text]).encode())
            error, answer = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError):
            raise UsageError("the part that stays root was killed: nothing is changed") from None
        if error:
            raise ERRORS[error](*answer.splitlines())
        return str(answer)


@contextmanager
def beside_root(path: str) -> Iterator[Root | RemoteRoot]:
    """Go on as Asterisk's user, with root behind us in another process; without root, or its need, in this one.

    Root's process never gets here: it does what it is asked for, and ends with the exit status of ours. Raises
    SettingsError if the ini file cannot be replaced, and UserError.
    """
    root, account = Root(IniPlace(path)), asterisk_account()
    try:
        if os.geteuid() != 0 or account is None or account.user == 0:
            yield root
            return
        ours, theirs = Pipe()
        if sys.stdout:  # None if it was closed before we began
            sys.stdout.flush()
        child = os.fork()
        if child:
            ours.close()
            sys.exit(_serve(root, theirs, child))
        theirs.close()
        become_asterisk_user()
        yield RemoteRoot(ours)
    finally:
        root.clean_up()


def _serve(root: Root, connection: Connection, child: int) -> int:
    """Do what Asterisk's user asks for until it has ended; returns its exit status. Signals are for that process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to both
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    does = {"replace": root.replace, "edit": root.edit, "keep": root.keep}
    with connection, suppress(EOFError, OSError):
        while True:
            what, text = json.loads(connection.recv_bytes())
            try:
                answer = ["", does[what](text)]
            except PbxnotifyError as error:
                answer = [type(error).__name__, str(error)]
            connection.send_bytes(json.dumps(answer).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status if status >= 0 else 128 - status


def _run_editor(path: Path) -> None:
    """Run the editor, which alone gets Ctrl-C, and wait for it. Raises UsageError."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    try:
        command = shlex.split(named) or [next((one for one in EDITORS if shutil.which(one)), "vi")]
    except ValueError:
        raise UsageError("$VISUAL or $EDITOR is not a valid command line; try  EDITOR=nano pbxnotify edit") from None
    try:
        default_sigint = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with _without_interrupt():
            status = subprocess.run([*command, str(path)], check=False, preexec_fn=default_sigint).returncode
    except OSError as error:
        why = f"{command[0]}: {error.strerror}; choose another one, as in  EDITOR=nano pbxnotify edit"
        raise UsageError(f"cannot run the editor: {why}") from None
    if status:
        raise UsageError(f"the editor {command[0]} failed with exit status {status}: nothing is changed")


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile."""
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, ours)
