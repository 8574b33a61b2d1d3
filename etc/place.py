"""What `make install` does where Asterisk's user may write, and must not lead root to another file.

etc/place.py user SPOOL CONF...           print Asterisk's user, for the note beside the package; nothing if unknown
etc/place.py file MODE SOURCE PATH        place a copy of a file, unless it is there already
etc/place.py link TARGET PATH             place a link
etc/place.py settings SOURCE PATH USER    place the ini file; exit status 3 if there is one already
etc/place.py remove PATH...               remove files

No link but root's own is followed, and nothing is given away by its path.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from pbxnotify.errors import PbxnotifyError, UsageError
from pbxnotify.files import Directory, open_path
from pbxnotify.settings.place import IniPlace

THERE_IS_ONE = 3


def user(spool: str, *files: str) -> int:
    """Print who Asterisk is: $ASTUSER, else the owner of its spool, unless somebody else may decide what that is."""
    given = os.environ.get("ASTUSER", "")
    if given:
        print(_given(given))
    elif os.geteuid() != 0:
        print(_noted(os.geteuid(), os.getegid()))
    elif os.path.isdir(spool):
        owner = os.stat(spool)
        above = (os.path.dirname(spool), os.path.dirname(os.path.realpath(spool)))
        others = {other for path in (*above, *files) for other in _writers(path)} - {owner.st_uid}
        if others:
            who = " and ".join(sorted(_name(other) for other in others))
            what = f"{spool} belongs to {_name(owner.st_uid)}, but {who} may decide where Asterisk's spool is"
            raise UsageError(f"{what}: name the user that Asterisk runs as, as in  make install ASTUSER=asterisk")
        print(_noted(owner.st_uid, owner.st_gid))
    else:
        with suppress(KeyError):
            print(pwd.getpwnam("asterisk").pw_name)
    return os.EX_OK


def _given(name: str) -> str:
    try:
        account = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if name.isdigit():
            return f"{name}:{name}"
        if os.environ.get("DESTDIR"):  # a package is made where Asterisk is not installed
            return name
        raise UsageError(f"ASTUSER: there is no user {name}") from None
    return account.pw_name


def _noted(number: int, group: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"{number}:{group}"


def _name(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return "anybody" if number < 0 else f"user {number}"


def _writers(path: str) -> Iterator[int]:
    """Yield who, besides root, may change a file, or what its path leads to; -1 for anybody."""
    if os.path.realpath(path) != os.path.abspath(path):
        yield from _writers(os.path.realpath(path))
    path = os.path.abspath(path)
    while True:
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            if status.st_uid != 0:
                yield status.st_uid
            if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
                yield -1
        if path == "/":
            return
        path = os.path.dirname(path)


def file(mode: str, source: str, path: str) -> int:
    """Place a copy of a file atomically, unless it is there already."""
    with open(source, "rb") as opened:
        content = opened.read()
    directory, name = _directory(os.path.dirname(path)), os.path.basename(path)
    with suppress(OSError):
        if directory.read(name, len(content) + 1) == content:
            return os.EX_OK
    new = f".{name}.{os.urandom(8).hex()}"
    with open(directory.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as copy:
        copy.write(content)
        os.fchmod(copy.fileno(), int(mode, 8))
    directory.rename(new, name)
    return os.EX_OK


def link(target: str, path: str) -> int:
    """Place a link atomically."""
    parent, name = os.path.split(path)
    _directory(parent)
    place = open_path(parent, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(OSError):
        if os.readlink(name, dir_fd=place) == target:
            return os.EX_OK
    new = f".{name}.{os.urandom(8).hex()}"
    os.symlink(target, new, dir_fd=place)
    os.rename(new, name, src_dir_fd=place, dst_dir_fd=place)
    return os.EX_OK


def settings(source: str, path: str, user: str) -> int:
    """Place the ini file, for root and Asterisk's group, unless there is one already."""
    directory = _directory(os.path.dirname(path))
    if directory.has(os.path.basename(path)):
        return THERE_IS_ONE
    group = -1
    if os.geteuid() == 0 and user:
        number = user.partition(":")[2]
        group = int(number) if number else pwd.getpwnam(user).pw_gid
    with open(source, encoding="utf-8", newline="") as shipped:
        IniPlace(path).replace(shipped.read(), group)
    return os.EX_OK


def remove(*paths: str) -> int:
    """Remove files, which may be gone."""
    for path in paths:
        with suppress(FileNotFoundError):
            Directory(os.path.dirname(path)).remove(os.path.basename(path))
    return os.EX_OK


def _directory(path: str) -> Directory:
    """Return a directory, made with those above it if it is missing. Raises OSError."""
    try:
        return Directory(path)
    except FileNotFoundError:
        parent, name = os.path.split(path)
        _directory(parent).make(name, 0o755)
        return Directory(path)


def main() -> int:
    """Run one command."""
    try:
        commands = {"user": user, "file": file, "link": link, "settings": settings, "remove": remove}
        return commands[sys.argv[1]](*sys.argv[2:])
    except PbxnotifyError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return os.EX_CANTCREAT


if __name__ == "__main__":
    sys.exit(main())
