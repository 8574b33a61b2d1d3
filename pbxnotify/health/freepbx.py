"""Notes on FreePBX, which writes its dialplan itself: whether it leads calls to us, and what keeps it from that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pbxnotify.asterisk.config import config_lines
from pbxnotify.asterisk.dialplan import Line
from pbxnotify.errors import DialplanError

MACRO = "macro-user-callerid"
"""FreePBX runs it before whatever rings or records; ours takes the place of its first line."""
FIRST_LINES = {
    (MACRO, "s"): "Set(TOUCH_MONITOR=${UNIQUEID})",
    ("followme-sub", "_X!"): "GotoIf($[${LEN(${BLINDTRANSFER})} > 0 | ${LEN(${ATTENDEDTRANSFER})} > 0]?skipclid)",
}
"""What ours takes the place of in FreePBX 16 and 17: its module core, Dialplan/macroUserCallerid.php, and findmefollow,
functions.inc.php."""
OURS = "Gosub(pbxnotify-freepbx,stage,1("
FREEPBX_INCLUDE = '#tryinclude "extensions_pbxnotify_freepbx.conf" into extensions_override_freepbx.conf'


def is_freepbx(lines: Sequence[Line]) -> bool:
    """Return whether FreePBX has written a dialplan."""
    return any(line.context == MACRO for line in lines)


def freepbx_mistakes(lines: Sequence[Line]) -> Iterator[str | DialplanError]:
    """Yield what is wrong with FreePBX's dialplan: a sentence each, an error where calls are dropped."""
    hooks = [line for line in lines if re.fullmatch(r"macro-.*predial-hook", line.context)]
    ours = [line.name for line in hooks if "pbxnotify" in line.text]
    first = next((line.text for line in lines if line[:3] == (MACRO, "s", 1)), "")
    if not first.startswith(OURS):
        yield f"FreePBX does not call pbxnotify: write {FREEPBX_INCLUDE}, as what is included later comes too late"
    elif ours:
        yield f"pbxnotify is called twice: remove the hook of an older version, {', '.join(ours)}"
    yield from _update_notes()
    macros = [line.name for line in hooks if line.application.lower().startswith("macro")]
    if macros and any(f"Gosub({MACRO},s," in line.text for line in lines):  # 16 has one for its announcements
        yield DialplanError(
            f"calls are dropped, as FreePBX 17 does without macros: {', '.join(macros)}; remove the hook, or end it"
            " with Return()"
        )


def _update_notes() -> Iterator[str]:
    """Note what FreePBX's own file has where ours takes the place of a line, if it is not what was there so far."""
    context, first = "", dict[tuple[str, str], str]()
    lines = config_lines("extensions_additional.conf")
    for line in lines:
        context = line.strip("[]") if line.startswith("[") else context
        found = re.match(r"exten\s*=>?\s*([^,]+?)\s*,[^,]*,\s*(.*)", line)
        if found:
            first.setdefault((context, found[1]), found[2])
    for (context, extension), expected in FIRST_LINES.items() if lines else ():
        is_there = any(one == context for one, _ in first)
        if not is_there and context != MACRO:
            continue  # a module that is not installed
        begins = first.get((context, extension))
        if not begins or begins.replace(" ", "") != expected.replace(" ", ""):
            said = f"begins with {begins}, not with {expected}" if begins else "is gone"
            yield f"an update of FreePBX has changed what pbxnotify relies on: its {context} {said}; upgrade pbxnotify"
