# SPDX-License-Identifier: GPL-2.0-only
"""schedctl list: the profiles of this machine, and which of them is standing, selected, running."""

from __future__ import annotations

import argparse
from typing import Any

from schedctl import paths
from schedctl.choice import library, settings
from schedctl.cli.report import Report
from schedctl.errors import ProfileError, SchedctlError
from schedctl.profile.library import Entry, Library
from schedctl.selected import Choice, read_selected


def run(args: argparse.Namespace) -> Report:
    profiles = library()
    standing, selected, running = settings().profile, _selected(), _running()
    rows = [
        {
            **_entry(profiles, entry),
            "standing": entry.name == standing,
            "selected": entry.name == (standing if selected is None else selected),
            "running": None if running is None else entry.name == running,
        }
        for entry in profiles.entries().values()
    ]
    return Report(text="\n".join(_table(rows)), data={"profiles": rows})


def _entry(profiles: Library, entry: Entry) -> dict[str, Any]:
    description: str | None = None
    problem: str | None = None
    if not entry.masked:
        try:
            value = profiles.read(entry.path).value
            said = value.get("description") if isinstance(value, dict) else None
            description = said if isinstance(said, str) else None
        except ProfileError as error:
            problem = error.problems[0].message
    return {
        "name": entry.name,
        "description": description,
        "file": str(entry.path),
        "layer": entry.directory.rank.value,
        "dropins": len(entry.dropins),
        "masked": entry.masked,
        "problem": problem,
    }


def _selected() -> str | None:
    """The name selected since the boot, "" for a copy and for nothing; None = the standing choice."""
    selected = read_selected(paths.selected_file())
    if selected.choice is Choice.STANDING:
        return None
    return selected.value if selected.choice is Choice.PROFILE else ""


def _running() -> str | None:
    """The name of the profile that the kernel runs, "" where none is; None where that may not be read."""
    from schedctl.kernel.real import RealKernel
    from schedctl.observe import Owner, observe

    try:
        observation = observe(RealKernel())
    except SchedctlError:
        return None
    if observation.owner is not Owner.SCHEDCTL:
        return ""
    return observation.image.profile if observation.image else None


def _table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["no profiles"]
    cells = [(row["name"], _marks(row), row["layer"], _about(row)) for row in rows]
    table = [("profile", "state", "layer", "description"), *cells]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = (zip(line, widths, strict=True) for line in table)
    return ["  ".join(cell.ljust(width) for cell, width in line).rstrip() for line in padded]


def _marks(row: dict[str, Any]) -> str:
    return ", ".join(mark for mark in ("standing", "selected", "running", "masked") if row[mark]) or "-"


def _about(row: dict[str, Any]) -> str:
    if row["problem"]:
        return f"(cannot be used: {row['problem']})"
    nr = row["dropins"]
    drop = f"({nr} drop-in{'s' if nr != 1 else ''})" if nr else ""
    return " ".join(filter(None, [row["description"], drop]))
