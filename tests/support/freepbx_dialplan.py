"""A dialplan in the shape of FreePBX's: 16's with macros, 17's with Gosubs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from checkout import ROOT

MACRO = re.compile(r"Macro\(([\w-]+),?(.*)\)$", re.MULTILINE)


def extensions_conf(version: int) -> Mapping[str, str]:
    """Return the files of FreePBX 16, or of 17, whose Asterisk has no macros."""
    generated = (ROOT / "tests" / "support" / "asterisk" / "freepbx.conf").read_text()
    if version > 16:
        generated = MACRO.sub(r"Gosub(macro-\1,s,1(\2))", generated).replace("MacroExit()", "Return()")
    files = ("override_freepbx", "additional", "custom")
    return {
        "extensions.conf": "".join(f"#include extensions_{name}.conf\n" for name in files),
        "extensions_override_freepbx.conf": '#tryinclude "extensions_pbxnotify_freepbx.conf"\n',
        "extensions_additional.conf": generated,
        "extensions_custom.conf": "",
        "modules_more.conf": "load = func_lock.so\nload = res_pjsip_refer.so\n",
    }
