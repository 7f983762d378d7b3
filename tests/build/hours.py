# SPDX-License-Identifier: GPL-2.0-only
"""README's first hours: the commands that a person types, for the tests that type them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def first_hour(who: str) -> list[str]:
    """The indented lines below the heading `### First hour: WHO`."""
    text = README.read_text()
    found = re.search(rf"^### First hour: {who}$(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README.md has no first hour of a {who}"
    return re.findall(r"^    (.+)$", found[1], re.MULTILINE)


def commands(lines: list[str]) -> Iterator[str]:
    """Each with its here-document."""
    rest = iter(lines)
    for line in rest:
        command = line
        while "<<'END'" in line and not command.endswith("\nEND"):
            command += "\n" + next(rest)
        yield command
