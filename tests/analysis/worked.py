# SPDX-License-Identifier: GPL-2.0-only
"""The worked sets, the tests by name, their table, and all that they say: `python -m tests.analysis.worked`
writes both anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from schedctl.analysis import (
    bcl,
    bertogna_cirinei,
    capacity,
    edf_response,
    edf_utilization,
    edf_within_priorities,
    gfb,
    guan,
    hyperbolic,
    liu_layland,
    partition,
    processor_demand,
    qpa,
    response_time,
)
from schedctl.analysis.blocking import Protocol, Resource, blocking
from schedctl.analysis.liu_layland import printed_bound
from schedctl.analysis.model import Scheduler, Task, TestResult, Verdict
from schedctl.analysis.supply import DEDICATED, Periodic, Supply
from tests.analysis.sets import tasks_of

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "analysis.md"
SAID = HERE.parent / "golden" / "analysis.txt"
BEGIN, END = "<!-- table: tests and vectors -->\n", "<!-- end -->\n"
SHORT = {Verdict.SCHEDULABLE: "S", Verdict.NOT_SCHEDULABLE: "N", Verdict.UNKNOWN: "U"}
Test = Callable[[Sequence[Task], int, Supply], TestResult]

FIXED, EDF = Scheduler.FIXED_PRIORITY, Scheduler.EDF
TESTS: dict[str, Test] = {
    "capacity": capacity.analyze,
    "liu_layland": lambda tasks, _, supply: liu_layland.analyze(tasks, supply),
    "hyperbolic": lambda tasks, _, supply: hyperbolic.analyze(tasks, supply),
    "response_time_analysis": lambda tasks, _, supply: response_time.analyze(tasks, supply),
    "edf_utilization": lambda tasks, _, supply: edf_utilization.analyze(tasks, supply),
    "processor_demand": lambda tasks, _, supply: processor_demand.analyze(tasks, supply),
    "qpa": lambda tasks, _, supply: qpa.analyze(tasks, supply),
    "edf_response_time": lambda tasks, _, supply: edf_response.analyze(tasks, supply),
    "edf_within_fixed_priorities": lambda tasks, _, supply: edf_within_priorities.analyze(tasks, supply),
    "gfb": lambda tasks, cpus, supply: gfb.analyze(flat(tasks), cpus, supply),
    "bcl": lambda tasks, cpus, supply: bcl.analyze(tasks, cpus, FIXED, supply),
    "bcl_edf": lambda tasks, cpus, supply: bcl.analyze(flat(tasks), cpus, EDF, supply),
    "bertogna_cirinei": lambda tasks, cpus, supply: bertogna_cirinei.analyze(tasks, cpus, FIXED, supply),
    "bertogna_cirinei_edf": lambda tasks, cpus, supply: bertogna_cirinei.analyze(
        flat(tasks), cpus, EDF, supply
    ),
    "guan": guan.analyze,
    "partitioned_first_fit": lambda tasks, cpus, supply: partition.analyze(tasks, cpus, FIXED, supply),
}


def flat(tasks: Sequence[Task]) -> list[Task]:
    """Without levels."""
    return [replace(task, level=0) for task in tasks]


VECTORS: dict[str, Any] = json.loads((HERE / "vectors" / "schedulability.json").read_text())


def worked_sets() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((HERE / "vectors" / "worked.yaml").read_text())
    return found


def shared_sets() -> list[dict[str, Any]]:
    return [
        {"name": f"EDF: {case['tasks']}", **case} if "name" not in case else case
        for kind in ("fixed_priority", "edf_demand", "edf_response")
        for case in VECTORS[kind]
    ]


def blocked(case: dict[str, Any], protocol: Protocol) -> dict[str, int]:
    """The bounds of a table of longest sections, a column per semaphore, the most urgent task first."""
    sections = case["sections"]
    levels = {name: len(sections) - i for i, name in enumerate(sections)}
    resources = [
        Resource(f"s{i}", {name: held[i] for name, held in sections.items() if held[i]})
        for i in range(len(next(iter(sections.values()))))
    ]
    return blocking(resources, levels, protocol)


def result(test: str, case: dict[str, Any]) -> TestResult:
    tasks = tasks_of(case["tasks"], case.get("blocking", ()), case.get("levels", ()))
    supply = Periodic(*case["supply"]) if "supply" in case else DEDICATED
    return TESTS[test](tasks, case.get("cpus", 1), supply)


# Where tests do not apply, and numbers that are too long to be printed.
STRANGE: tuple[dict[str, Any], ...] = (
    {"name": "jitter on two CPUs", "cpus": 2, "tasks": [[1, 4, 4, 1], [2, 5]]},
    {"name": "blocking on two CPUs", "cpus": 2, "tasks": [[1, 4], [2, 5]], "blocking": [1, 0]},
    {"name": "long deadlines on two CPUs", "cpus": 2, "tasks": [[1, 4, 9], [2, 5]]},
    {"name": "a part of two CPUs", "cpus": 2, "tasks": [[1, 40], [2, 50]], "supply": [10, 9]},
    {"name": "long numbers", "tasks": [[1_234_567, 33_333_333], [7_654_321, 100_000_007, 90_000_001]]},
    {"name": "more long numbers", "tasks": [[30_000_001, 33_333_333], [70_000_003, 100_000_007]]},
    {"name": "long numbers on two CPUs", "cpus": 2, "tasks": [[30_000_001, 33_333_333]] * 3},
    {"name": "born late", "tasks": [[1, 9, 4, 4], [1, 9]]},
    {"name": "three that are late", "tasks": [[5, 9, 4], [5, 12], [4, 50, 8]]},
    {"name": "nothing left over", "tasks": [[2, 4], [3, 6]], "levels": [1, 1]},
)


def said() -> str:
    """Per set and test what it says: strength, verdict, detail, response times."""
    lines = []
    for case in [*shared_sets(), *worked_sets(), *STRANGE]:
        lines.append(f"{case['name']}: {case['tasks']}")
        for name in TESTS:
            found = result(name, case)
            times = " ".join(f"{task.name}={task.response_time_ns}" for task in found.tasks)
            lines.append(f"  {found.name} {found.strength} {found.verdict}: {found.detail} {times}".rstrip())
    return "\n".join(lines) + "\n"


def table() -> str:
    """One row per set, one column per test: S, N, U, or a dot where it says nothing of a set like this."""
    heads = {name: name.replace("_", " ") for name in TESTS}
    lines = ["| set | " + " | ".join(heads.values()) + " |", "|---|" + "---|" * len(heads)]
    for case in [*shared_sets(), *worked_sets()]:
        several = case.get("cpus", 1) > 1
        cells = []
        for name in TESTS:
            of_several = name in ("gfb", "bcl", "bcl_edf", "bertogna_cirinei", "bertogna_cirinei_edf", "guan")
            of_all = name in ("capacity", "partitioned_first_fit")
            cells.append(SHORT[result(name, case).verdict] if of_all or of_several is several else "·")
        lines.append(f"| {case['name']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def bounds() -> str:
    """The printed bounds of Liu and Layland, and of what blocks."""
    numbers = VECTORS["liu_layland_bound"]
    lines = ["| tasks | " + " | ".join(numbers) + " |", "|---|" + "---|" * len(numbers)]
    lines.append("| Liu and Layland's bound | " + " | ".join(printed_bound(int(n)) for n in numbers) + " |")
    for case in VECTORS["blocking_bounds"]:
        names = list(case["sections"])
        lines += ["", f"| {case['name']} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        for what, protocol in (("inheritance", Protocol.INHERITANCE), ("ceilings", Protocol.CEILING)):
            found = blocked(case, protocol)
            lines.append(
                f"| blocked, under {what} | " + " | ".join(str(found[name]) for name in names) + " |"
            )
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + "\n" + bounds() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
    SAID.write_text(said())
