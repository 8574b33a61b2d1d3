"""Mistakes in Asterisk's dialplan: calls that it drops at our lines, and calls of which nobody is notified."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pbxnotify.asterisk import config
from pbxnotify.asterisk.call import extensions_in
from pbxnotify.asterisk.dialplan import Line, Written
from pbxnotify.errors import DialplanError
from pbxnotify.health.freepbx import FREEPBX_INCLUDE, freepbx_mistakes, is_freepbx
from pbxnotify.namedtuple import NamedTuple
from pbxnotify.settings.sections import Settings
from pbxnotify.text import did_you_mean

MOST_NAMED = 10  # lines in one note
RELOAD = 'asterisk -rx "dialplan reload"'
INCLUDE = '#tryinclude "extensions_pbxnotify.conf"'
OUR_SCRIPT = re.compile(r"\bpbxnotify-(missed|voicemail)\.agi")
VARIABLE = re.compile(r"\$\{[^{}]*\}|\$\[[^\[\]]*\]")
TARGET = re.compile(r"(?<!\()[?:(]([^?:()]+)(?:\(([^()]*)\))?")
"""A place to go to and its arguments, in ``GosubIf($[...]?context,extension,1(argument):label)``."""
DEVICE = re.compile(r"\b(PJSIP|SIP|IAX2|DAHDI|SCCP|Local)/([^&,@/:]+)(?:@([^&,/]+))?|PJSIP_DIAL_CONTACTS\(([^),]+)")
RINGS = ("queue", "followme", "voicemail")
CLASSES = {"X": r"\d", "Z": "[1-9]", "N": "[2-9]", ".": ".+", "!": ".*"}


class Target(NamedTuple):
    """Where a line goes to; ``!`` stands for what a variable says."""

    context: str
    extension: str
    priority: str
    arguments: str


def dialplan_mistakes(lines: Sequence[Line], written: Written, settings: Settings) -> Iterator[str | DialplanError]:
    """Yield what is wrong with a dialplan: a sentence each, an error where calls are dropped.

    ``lines`` are those of the running one, or what is written where Asterisk does not run.
    """
    dropped = list(_dropped(lines, _extensions(written.lines)))
    yield from dropped or _not_reloaded(lines, written.lines)
    if written.missing:
        yield DialplanError(
            f"Asterisk keeps its old dialplan at a reload, and has none after a restart, as a file is missing:"
            f" {_listed(written.missing)}; correct the line, or write #tryinclude"
        )
    if is_freepbx(lines):
        yield from freepbx_mistakes(lines)
        return
    if "watch" not in _extensions(lines).get("pbxnotify", {}):
        if not dropped:
            yield f"the dialplan does not include ours: write {INCLUDE} into extensions.conf"
        return
    others = [line for line in lines if not line.context.startswith("pbxnotify")]
    if not any(map(_calls_us, others)):
        yield "no extension of the dialplan calls pbxnotify: write Gosub(pbxnotify,watch,1(101)) before Dial(PJSIP/101)"
        return
    yield from _watch_notes(others, settings)
    yield from _unwatched_notes(others, settings)


# ---- what a line does


def _targets(line: Line) -> Iterator[Target]:
    """Yield where a line may go to with Gosub, Goto or Macro."""
    text = line.text.replace("${EXTEN}", "!" if line.extension.startswith("_") else line.extension)
    while VARIABLE.search(text):
        text = VARIABLE.sub("!", text)
    for place, arguments in TARGET.findall(text):
        parts = place.split(",")
        if line.application.lower().startswith("macro"):
            yield Target(f"macro-{parts[0]}", "s", "1", "")
        elif len(parts) == 2:
            yield Target(line.context, parts[0], parts[1], arguments)
        elif len(parts) > 2:
            yield Target(parts[0], parts[1], parts[2], arguments if len(parts) == 3 else "")


def _gosubs(line: Line) -> Iterator[Target]:
    """Yield what a line calls of ours, or means to."""
    if not re.match("gosub|exec|tryexec", line.application, re.I) or "gosub" not in line.text.lower():
        return
    targets = list(_targets(line))
    yield from (one for one in targets if one.extension == "watch" or "pbxnotify" in "".join(one[:2]).lower())
    if not targets and "pbxnotify" in line.data.lower():  # "|" for a comma, a bracket too many
        yield Target(line.data, "", "", "")


def _calls_us(line: Line) -> bool:
    return bool(OUR_SCRIPT.search(line.text)) or any(_gosubs(line))


def _matches(pattern: str, number: str) -> bool:
    """Return whether an extension is a number, or is a pattern that matches it."""
    if not pattern.startswith("_"):
        return pattern == number
    parts = re.findall(r"\[[^\]]*\]|[^-]", pattern[1:])
    expression = "".join(part if len(part) > 1 else CLASSES.get(part.upper(), re.escape(part)) for part in parts)
    try:
        return bool(re.fullmatch(expression, number))
    except re.error:
        return False


# ---- calls that are dropped


Extensions = dict[str, dict[str, set[int]]]
"""The priorities of each extension of each context."""


def _extensions(lines: Iterable[Line]) -> Extensions:
    contexts: Extensions = {}
    for line in lines:
        contexts.setdefault(line.context, {}).setdefault(line.extension, set()).add(line.priority)
    return contexts


def _dropped(lines: Sequence[Line], written: Extensions) -> Iterator[DialplanError]:
    """Yield an error for each place that Gosub cannot reach: it hangs up then, Asterisk's apps/app_stack.c."""
    contexts, names = _extensions(lines), dict[Target, list[str]]()
    for line in lines:
        for target in _gosubs(line):
            priorities = contexts.get(target.context, {}).get(target.extension, set())
            exists = int(target.priority) in priorities if target.priority.strip().isdigit() else priorities
            if not exists and "!" not in target.context + target.extension:
                names.setdefault(target._replace(arguments=""), []).append(line.name)
    for target, places in names.items():
        called = ",".join(filter(None, target[:3]))
        if target.extension in written.get(target.context, {}) and target.extension not in contexts.get(target[0], {}):
            cure = f"run  {RELOAD}"
        elif "pbxnotify" in {**contexts, **written}:
            cure = f"correct it{did_you_mean(called, ('pbxnotify,watch,1',))}"
        else:
            where = FREEPBX_INCLUDE if is_freepbx(lines) else f"{INCLUDE} at the top of extensions.conf"
            cure = f"write {where}, and run  {RELOAD}"
        yield DialplanError(f"calls are dropped, as the dialplan has no {called}: {_listed(places)}; {cure}")


def _not_reloaded(lines: Sequence[Line], written: Sequence[Line]) -> Iterator[str]:
    """Note what is written of ours, but is not in the running dialplan."""

    def key(line: Line) -> tuple[str, str, str]:
        return line.context, line.extension, re.sub(r"[\s\\]", "", line.text)

    running = set(map(key, lines))
    ours = (line for line in written if line.context.startswith("pbxnotify") or _calls_us(line))
    new = [line for line in ours if key(line) not in running]
    names = [line.place.partition(":")[0] if line.context.startswith("pbxnotify") else line.name for line in new]
    if new:
        yield f"written, but not in the running dialplan: {_listed([*dict.fromkeys(names)])}; run  {RELOAD}"


# ---- calls of which nobody is notified


def _watch_notes(lines: Sequence[Line], settings: Settings) -> Iterator[str]:
    empty, unknown = [], {}
    for line in lines:
        for target in _gosubs(line):
            if target[:2] == ("pbxnotify", "watch"):
                named = extensions_in(target.arguments)
                unknown.update({one: line.name for one in named if "!" not in one and not settings.card(one)})
                if not named:
                    empty.append(line.name)
    if empty:
        yield f"watch without an extension notifies nobody: {_listed(empty)}; write Gosub(pbxnotify,watch,1(101))"
    if unknown and settings.employees:
        who = "only the common address is" if settings.missed_calls.email else "nobody is"
        places = _listed([f"{one} in {place}" for one, place in unknown.items()])
        yield f"{who} notified for an extension without a card in [employees] or [groups]: {places}"


def _unwatched_notes(lines: Sequence[Line], settings: Settings) -> Iterator[str]:
    watched = _Watched(lines)
    # Asterisk runs this command for each message.
    mails_all = "pbxnotify" in config.config_setting("general", "externnotify", "voicemail.conf")
    names = []
    for line in lines:
        application = line.application.lower()
        is_mailed = mails_all and application == "voicemail"
        rings = application in RINGS or (application == "dial" and _rings_employee(line, watched, settings))
        if rings and not is_mailed and not watched.before(line.context, line.extension, line.priority):
            names.append(f"{line.application} in {line.name}")
    if names:
        yield f"nobody is notified of calls without a watch in front: {_listed(names)}"


class _Watched:
    """Which lines come after a watch: in its extension, and where the call goes on to from there."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._since: dict[str, dict[str, int]] = {}  # by context and extension: the priority of the watch
        for line in lines:
            extensions = self._since.setdefault(line.context, {})
            if OUR_SCRIPT.search(line.text):  # for what comes before it
                extensions["!" if line.extension == "h" else line.extension] = 0
            elif any(_gosubs(line)):
                extensions.setdefault(line.extension, line.priority)
        jumps = [line for line in lines if re.match("go(to|sub)|macro|execif", line.application, re.I)]
        while True:
            watched = [line for line in jumps if self.before(line.context, line.extension, line.priority)]
            if not watched:
                return
            found = set(watched)
            jumps = [line for line in jumps if line not in found]
            for target in (target for line in watched for target in _targets(line)):
                self._since.setdefault(target.context, {})[target.extension] = 0

    def before(self, context: str, extension: str, priority: int) -> bool:
        """Return whether a watch comes before a line."""
        extensions = self._since.get(context, {})
        if extensions.get(extension, priority) < priority:
            return True
        is_pattern = extension.startswith("_")
        candidates = (name for name, since in extensions.items() if since == 0 and (is_pattern or "!" in name))
        return any(
            re.fullmatch(re.escape(name).replace("!", ".*"), extension) or _matches(extension, name)
            for name in candidates
        )


def _rings_employee(line: Line, watched: _Watched, settings: Settings) -> bool:
    """Return whether a Dial rings the phone of somebody with a card, and no Local channel of it has its own watch."""
    for technology, name, at, contact in DEVICE.findall(line.data.replace("${EXTEN}", line.extension)):
        if at and (technology != "Local" or watched.before(at, name, 1 << 30)):  # PJSIP/NUMBER@TRUNK
            continue
        if any(_matches(contact or name, one.extension) for one in settings.employees):
            return True
    return False


def _listed(names: Sequence[str]) -> str:
    others = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{others}"
