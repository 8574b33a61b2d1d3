"""The manual page pbxnotify.ini(5), from the declared options; run as a script, this writes it anew."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pbxnotify.settings.options import Option, options  # noqa: E402
from pbxnotify.settings.sections import SECTIONS, Check, Least  # noqa: E402

PAGE = ROOT / "etc" / "pbxnotify.ini.5"
SAMPLE = ROOT / "etc" / "pbxnotify.ini"
HEAD = """
.Dd November 25, 2026
.Dt PBXNOTIFY.INI 5
.Os
.Sh NAME
.Nm pbxnotify.ini
.Nd settings of pbxnotify
.Sh DESCRIPTION
.Nm
says who is notified about missed calls and voicemail on an Asterisk server, and
how mail is sent.
Changes take effect at once.
.Ic pbxnotify check
reports every mistake with its line;
.Ic pbxnotify setup
and
.Ic pbxnotify edit
change the file and send a test mail.
.Pp
The file consists of sections and options, one option on each line, in UTF-8.
A comment starts with # and extends to the end of the line.
A text that contains # or a comma must be quoted; a text of several lines starts
and ends with three quotes.
The items of a list are separated by commas.
Synonyms of yes are true, on, 1 and да; synonyms of no are false,
off, 0 and нет.
An option that is not written has its default; an unknown one is a mistake.
.Sh OPTIONS
Each option is shown with its default, followed by the allowed values and its
label on the MikoPBX settings screen, if it has one (the comments of the
installed file show the Russian label as well).
""".lstrip()
SAID = {
    "smtp": "The mail relay, and how to log in to it.",
    "oauth2": "The provider of access tokens, if auth is oauth2 in [smtp].",
    "notifications": "Settings of all mails.",
    "missed_calls": "Mails about missed calls.\n"
    "The variables of subject, body and footer are listed in the comments of the\n"
    "installed file.",
    "voicemail": "Mails about voicemail.\n"
    "The variables of subject, body and footer are listed in the comments of the\n"
    "installed file.",
    "system": "What\n.Ic pbxnotify monitor\nchecks, and reports to admin_email.",
    "check": "A check of your own, with any name.\nPlugins for Nagios and Icinga work.",
    "groups": "A ring group or queue, named after its number.",
    "employees": "An employee, named after the extension.",
}
HEADERS = {
    "check": "[system] [[NAME]]",
    "groups": "[groups] [[NUMBER]]",
    "employees": "[employees] [[EXTENSION]]",
}
TAIL = """
.Sh FILES
The file is the one given with
.Fl -config ,
else the one named by
.Ev PBXNOTIFY_CONFIG ,
else
.Pa pbxnotify.ini
in the directory named by
.Ev AST_CONFIG_DIR ,
else
.Pa /etc/asterisk/pbxnotify.ini .
.Sh EXAMPLES
The smallest working file:
.Bd -literal -offset indent
{example}
.Ed
.Sh SEE ALSO
.Xr pbxnotify 1
""".lstrip()


def page() -> str:
    """Return the source of the page, in mdoc."""
    kinds = {**SECTIONS, "check": Check}
    sections = "".join(_section(name, kinds[name]) for name in SAID)
    return HEAD + sections + TAIL.replace("{example}", _smallest_file())


def _section(name: str, kind: type) -> str:
    items = "".join(_item(option_name, option) for option_name, option in options(kind).items())
    header = HEADERS.get(name, f"[{name}]")
    return f".Ss {header}\\&\n{SAID[name]}\n.Bl -tag -width Ds\n{items}.El\n"


def _item(name: str, option: Option) -> str:
    lines = [f".It Ic {name} = {_default(option.default)}".rstrip()]
    lines += textwrap.wrap(f"{option.expected}.", 80, break_on_hyphens=False)
    if option.label:
        lines.append(f"Label: {option.label.partition(' / ')[0]}.")
    return "\n".join([*lines, ""])


def _default(default: object) -> str:
    """Return a default as it is written in the ini file."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, Least):
        return f"{default.share:.0%}".replace("%", " %")
    if isinstance(default, tuple):
        return ", ".join(default)
    return str(default or "")


def _smallest_file() -> str:
    """Return the example at the top of the installed file."""
    lines = SAMPLE.read_text(encoding="utf-8").partition("these 9 lines:\n#\n")[2].partition("\n#\n")[0].splitlines()
    return "\n".join(line.lstrip("# ") for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
