# SPDX-License-Identifier: GPL-2.0-only
"""What the analysis of a profile and admission say of profiles that differ in one thing each.

`python -m tests.analysis.told` writes tests/golden/admission.txt anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from schedctl.analysis.admission import admit, analyze_profile, profile_changes, profile_cpus
from schedctl.analysis.model import TestResult
from schedctl.resolve.assignment import Assignment
from tests.analysis.profiles import FIXED, classes, profile

TOLD = Path(__file__).parents[1] / "golden" / "admission.txt"
TWO = {
    "motor": "level: 7, period: 20ms, runtime: 2ms, threads: 1",
    "video": "level: 5, period: 40ms, runtime: 5ms, threads: 2",
}
# By deadline both are in time, in the order of their releases the short one is not.
EQUALS = {
    "hand": "level: 5, period: 60ms, deadline: 14ms, runtime: 4ms, threads: 1",
    "slow": "level: 5, period: 60ms, deadline: 50ms, runtime: 12ms, threads: 1",
}
LATE = {
    "one": "level: 7, period: 20ms, deadline: 10ms, runtime: 6ms, threads: 1",
    "two": "level: 6, period: 20ms, deadline: 10ms, runtime: 6ms, threads: 2",
}
BLOCKED = {
    "hand": "level: 7, period: 100ms, deadline: 8ms, runtime: 3ms, threads: 1",
    "bulk": "level: 6, period: 100ms, runtime: 20ms, threads: 1",
}
HOLD = "resources: {r: {hold: {hand: 1ms, bulk: 15ms}}}\n"
HEAVY = dict.fromkeys(("a", "b", "c"), "level: 5, period: 20ms, runtime: 12ms, threads: 1")
PROVEN = {f"p{i}": f"level: {7 - i}, period: 90ms, runtime: 1ms, threads: 1" for i in range(3)}
MOST = "level: 5, period: 20ms, runtime: 19ms, threads: "
SHORT = "level: 7, period: 1100us, deadline: 1ms, runtime: 200us, threads: 6"
# The lines behind `name`, and the CPUs of each cache.
CASES: dict[str, tuple[str, tuple[int, ...]]] = {
    "two classes": (classes(**TWO), (1,)),
    "by fixed priority": (FIXED + classes(**TWO), (1,)),
    "equals by deadline": (classes(**EQUALS), (1,)),
    "equals in the order of release": (FIXED + classes(**EQUALS), (1,)),
    "late on a whole CPU": (classes(**LATE), (1,)),
    "late on a whole CPU, fixed": (FIXED + classes(**LATE), (1,)),
    "late, but there is another CPU": (classes(**LATE), (1, 1)),
    "late with jitter": (classes(one="jitter: 1us, " + LATE["one"], two=LATE["two"]), (1,)),
    "late by what blocks it": (FIXED + classes(**BLOCKED) + HOLD, (1,)),
    "blocked beside another CPU": (FIXED + classes(**BLOCKED) + HOLD, (1, 1)),
    "half of it says nothing": (classes(**TWO, noise="level: 6", more="level: 5"), (1,)),
    "the most urgent says nothing": (classes(**TWO, noise="level: 7"), (1,)),
    "nothing is urgent after what says nothing": (classes(quiet=TWO["motor"], noise="level: 6"), (1,)),
    "three proven classes": (FIXED + classes(**PROVEN, noise="level: 3"), (1,)),
    "too much for one CPU": (classes(a=MOST + "1", z=TWO["motor"]), (1,)),
    "too much for two CPUs": (classes(a=MOST + "2", z=TWO["motor"]), (2,)),
    "too much for three CPUs": (FIXED + classes(many=MOST + "4"), (3,)),
    "no single change": (classes(**HEAVY), (1,)),
    "on four CPUs": (FIXED + classes(**HEAVY), (4,)),
    "on four CPUs, silent": (classes(**HEAVY, noise="level: 5"), (4,)),
    "on four CPUs, one thread in doubt": (
        FIXED + classes(wide="level: 5, period: 40ms, deadline: 30ms, runtime: 14ms, threads: 5"),
        (4,),
    ),
    "on eight CPUs": (classes(**HEAVY), (8,)),
    "on nine CPUs": (classes(**HEAVY), (9,)),
    "on two caches": (classes(**HEAVY), (4, 4)),
    "only possible": (classes(motor=SHORT), (1,)),
    "says nothing": (classes(game="level: 5"), (1,)),
}


# To look for changes takes seconds.
UNCHANGED = ("equals by deadline", "too much for three CPUs", "on four CPUs, one thread in doubt")


def told(assignment: Assignment, changed: bool) -> Iterator[str]:
    found = analyze_profile(assignment)
    yield found.verdict.value
    yield from (f"  assumes: {text}" for text in found.result.assumptions)
    for test, threads in zip(found.result.tests, found.of_threads.tests, strict=True):
        yield f"  {test.name} {test.strength.value} {test.verdict.value}: {test.detail}{times(test)}"
        if threads.tasks != test.tasks:
            yield f"    threads:{times(threads)}"
    if not changed:
        return
    for problem in admit(assignment):
        yield f"  {problem.severity}: {problem.message} | {problem.hint}"
    options = profile_changes(found.domain)
    yield from (f"  change: {change.text}" for change in options.found)
    yield f"  all tried: {options.all_tried}, proven: {options.proven}"
    yield from (f"  CPUs: {text}" for text in profile_cpus(found.domain))


def times(test: TestResult) -> str:
    return "".join(f" {task.name}={task.response_time_ns}/{task.deadline_ns}" for task in test.tasks)


def of_case(name: str) -> str:
    text, caches = CASES[name]
    return "\n".join([f"# {name}", *told(profile(text, caches), name not in UNCHANGED), ""])


def golden() -> dict[str, str]:
    """Per case, as it stands in the file."""
    parts = TOLD.read_text().split("# ")[1:]
    return {part.splitlines()[0]: f"# {part}" for part in parts}


if __name__ == "__main__":
    TOLD.write_text("".join(map(of_case, CASES)))
