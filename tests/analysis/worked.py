# SPDX-License-Identifier: GPL-2.0-only
"""The worked sets, the tests by name, and their table: `python -m tests.analysis.worked`."""

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
from schedctl.analysis.model import Scheduler, Task, TestResult, Verdict
from schedctl.analysis.supply import DEDICATED, Periodic, Supply
from tests.analysis.sets import tasks_of

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "analysis.md"
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


def worked_sets() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((HERE / "vectors" / "worked.yaml").read_text())
    return found


def shared_sets() -> list[dict[str, Any]]:
    vectors: dict[str, Any] = json.loads((HERE / "vectors" / "schedulability.json").read_text())
    return [
        {"name": f"EDF: {case['tasks']}", **case} if "name" not in case else case
        for kind in ("fixed_priority", "edf_demand", "edf_response")
        for case in vectors[kind]
    ]


def result(test: str, case: dict[str, Any]) -> TestResult:
    tasks = tasks_of(case["tasks"], case.get("blocking", ()), case.get("levels", ()))
    supply = Periodic(*case["supply"]) if "supply" in case else DEDICATED
    return TESTS[test](tasks, case.get("cpus", 1), supply)


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


def with_table(text: str) -> str:
    before, rest = text.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
