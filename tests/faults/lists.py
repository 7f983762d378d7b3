# SPDX-License-Identifier: GPL-2.0-only
"""The steps of each scenario as they were last traced in the lab, one per line: what is tested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.faults.steps import Step

FOLDER = Path(__file__).parent / "traced"


def steps_of(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text().splitlines()


def write(name: str, steps: Sequence[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text("".join(f"{step}\n" for step in steps))


def on_files(steps: Sequence[str]) -> list[str]:
    """Without those that only a real kernel sees."""
    return [
        step for step in steps if not any(word in step for word in (" bpf ", " /sys/", " /proc/", " kernel "))
    ]


def files_of(name: str) -> list[Step]:
    """Those as steps."""
    found: list[Step] = []
    for line in on_files(steps_of(name)):
        number, call, target = line.split(" ", 2)
        found += [Step(call, target)] * int(number)
    return found


def difference(name: str, steps: Sequence[str]) -> list[str]:
    """What a trace has that the list lacks (+), and the other way round (-)."""
    from difflib import unified_diff

    return [
        line
        for line in unified_diff(steps_of(name), list(steps), n=0, lineterm="")
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
