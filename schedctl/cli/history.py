# SPDX-License-Identifier: GPL-2.0-only
"""schedctl history: who changed what runs, when, and what became of it."""

from __future__ import annotations

import argparse
import os
import pwd
from contextlib import suppress
from datetime import datetime
from typing import Any

from schedctl.errors import PrivilegeError
from schedctl.history import Entry, read_history
from schedctl.printable import columns, shown
from schedctl.ran import HASH_SHOWN
from schedctl.report import Report

_HEADINGS = ("NUMBER", "WHEN", "WHO", "PROFILE", "HASH", "RESULT", "COMMAND")


def run(args: argparse.Namespace) -> Report:
    if os.geteuid() != 0:
        raise PrivilegeError("the history is root's", "run it as root, for example with sudo")
    found = read_history()
    rows = [_row(entry) for entry in found.entries]
    text = "\n".join(columns([_HEADINGS, *rows])) if rows else "nothing was applied yet"
    data = {"entries": [_document(entry) for entry in found.entries]}
    return Report(text=text, data=data, problems=found.problems)


def _document(entry: Entry) -> dict[str, Any]:
    who = entry.who
    return {
        "number": entry.number,
        "at": entry.at,
        "verb": entry.verb,
        "uid": who.uid,
        "login_uid": who.login_uid,
        "command": shown(who.command),
        "profile": entry.ran.profile,
        "hash": entry.ran.hash,
        "result": entry.result.value,
        "reason": shown(entry.reason) or None,
    }


def _row(entry: Entry) -> tuple[str, ...]:
    who = entry.who
    login = "" if who.login_uid in (None, who.uid) else f" ({_name(who.login_uid)})"
    return (
        str(entry.number),
        _when(entry.at),
        f"{_name(who.uid)}{login}",
        shown(entry.ran.profile or "-"),
        (entry.ran.hash or "-")[:HASH_SHOWN],
        entry.result.value,
        shown(who.command) or entry.verb,
    )


def _when(at: str) -> str:
    """In this machine's time zone."""
    with suppress(ValueError):
        return datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return shown(at)


def _name(uid: int | None) -> str:
    if uid is None:
        return "nobody"
    with suppress(KeyError, OverflowError):
        return shown(pwd.getpwuid(uid).pw_name)
    return str(uid)
