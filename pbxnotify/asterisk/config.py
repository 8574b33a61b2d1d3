"""Asterisk's configuration on disk: its directories, and single settings of its files."""

from __future__ import annotations

import os
import re

AGI_DIRECTORIES = ("/usr/share/asterisk/agi-bin", "/var/lib/asterisk/agi-bin")  # Debian's, and Asterisk's own


def configuration_directory() -> str:
    """Return the directory of asterisk.conf: $AST_CONFIG_DIR, which Asterisk gives its scripts, else /etc/asterisk."""
    return os.environ.get("AST_CONFIG_DIR") or "/etc/asterisk"


def spool_directory() -> str:
    """Return Asterisk's own spool: $AST_SPOOL_DIR, else what asterisk.conf says, else /var/spool/asterisk."""
    return os.environ.get("AST_SPOOL_DIR") or config_setting("directories", "astspooldir") or "/var/spool/asterisk"


def log_directory() -> str:
    """Return Asterisk's log directory: what asterisk.conf says, else /var/log/asterisk."""
    return config_setting("directories", "astlogdir") or "/var/log/asterisk"


def agi_directory() -> str:
    """Return the directory of AGI scripts: $AST_AGI_DIR, else what asterisk.conf says, else the first usual one."""
    configured = os.environ.get("AST_AGI_DIR") or config_setting("directories", "astagidir")
    return configured or next(filter(os.path.isdir, AGI_DIRECTORIES), AGI_DIRECTORIES[-1])


def config_setting(section: str, name: str, file: str = "asterisk.conf") -> str:
    """Return a setting in one of Asterisk's files; empty if it is not set. A section marked (!) is a template."""
    current = ""
    for line in config_lines(file):
        if line.startswith("["):
            current = line
        found = re.match(rf"{name}\s*=>?\s*(\S.*)", line)
        if found and current == f"[{section}]":
            return found[1]
    return ""


def config_lines(file: str) -> list[str]:
    """Return the lines of one of Asterisk's files, stripped and without comments; none if it cannot be read."""
    try:
        with open(os.path.join(configuration_directory(), file), encoding="utf-8", errors="replace") as opened:
            return [line.partition(";")[0].strip() for line in opened]
    except OSError:
        return []
