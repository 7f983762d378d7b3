# SPDX-License-Identifier: GPL-2.0-only
"""A task set file, JSON or YAML, as tasks: ours (schemas/taskset.schema.json) or another tool's
(foreign.py)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schedctl.analysis.blocking import (
    CycleError,
    Protocol,
    Resource,
    blocking,
    urgencies,
    with_blocking,
)
from schedctl.analysis.foreign import as_taskset
from schedctl.analysis.model import Placement, Scheduler, Task
from schedctl.analysis.report import TaskSet
from schedctl.analysis.supply import DEDICATED, Periodic
from schedctl.errors import Problem, ProfileError
from schedctl.profile.document import Document, Path_, load_bytes, load_document, problem_at
from schedctl.profile.schema import check_document
from schedctl.quantity import parse_duration_ns, parse_period_ns, parse_runtime_ns

MAX_TASKS = 1000
MAX_TIME_NS = 10**15
"""About eleven days."""
_TIMES = {
    "wcet": (parse_runtime_ns, 1),
    "period": (parse_period_ns, 1),
    "deadline": (parse_duration_ns, 1),
    "jitter": (parse_runtime_ns, 0),
    "blocking": (parse_runtime_ns, 0),
}


def load_taskset(path: Path, stdin: bytes | None = None) -> TaskSet:
    """Read and check a file; raises MissingError, or ProfileError with all problems."""
    document = load_document(path) if stdin is None else load_bytes(stdin, "<stdin>")
    return read_taskset(document)


def read_taskset(document: Document) -> TaskSet:
    """The set with its blocking; raises ProfileError with all problems."""
    document = as_taskset(document)
    _refuse(_too_many(document))
    hinted = [*_priorities(document)]
    known = {problem.path for problem in hinted}
    found = [problem for problem in check_document(document, "taskset") if problem.path not in known]
    _refuse([*hinted, *found])
    _refuse(_times(document))
    _refuse(_values(document))
    return _typed(document)


def _refuse(problems: list[Problem] | Iterator[Problem]) -> None:
    if found := tuple(problems):
        raise ProfileError(found)


def _too_many(document: Document) -> Iterator[Problem]:
    root: Any = document.value
    tasks = root.get("tasks") if isinstance(root, dict) else None
    if isinstance(tasks, list) and len(tasks) > MAX_TASKS:
        message = f"{len(tasks)} tasks, at most {MAX_TASKS}"
        yield problem_at(document.key_origin(("tasks",)), ("tasks",), message, "analyze a part of them")


def _priorities(document: Document) -> Iterator[Problem]:
    """Half of the world counts priorities upwards, half downwards: nobody can know."""
    root: Any = document.value
    tasks = root.get("tasks") if isinstance(root, dict) else None
    for i, task in enumerate(tasks if isinstance(tasks, list) else ()):
        if isinstance(task, dict) and "priority" in task:
            path: Path_ = ("tasks", i, "priority")
            hint = "write 'level': the larger the more urgent; or no levels, the most urgent task first"
            yield problem_at(document.key_origin(path), path, "'priority' can mean both directions", hint)


def _times(document: Document) -> Iterator[Problem]:
    root: Any = document.value
    places: list[tuple[Path_, Any, str]] = [
        (("tasks", i, key), task[key], key)
        for i, task in enumerate(root["tasks"])
        for key in _TIMES
        if key in task
    ]
    places += [(("supply", key), value, "wcet") for key, value in root.get("supply", {}).items()]
    for name, resource in root.get("resources", {}).items():
        for user, value in resource["hold"].items():
            places.append((("resources", name, "hold", user), value, "wcet"))
    for path, value, key in places:
        least = _TIMES[key][1]
        if not least <= _ns(value, key) <= MAX_TIME_NS:
            yield problem_at(
                document.origin(path), path, f"{value} is out of range", f"{least} to {MAX_TIME_NS} ns"
            )


def _ns(value: Any, key: str) -> int:
    return value if isinstance(value, int) else _TIMES[key][0](value)


def _values(document: Document) -> Iterator[Problem]:
    """What needs several values."""
    root: Any = document.value
    names: set[str] = set()
    with_level = sum("level" in task for task in root["tasks"])
    for i, task in enumerate(root["tasks"]):
        path: Path_ = ("tasks", i, "name")
        if task["name"] in names:
            message = f"the name {task['name']!r} occurs twice"
            yield problem_at(document.origin(path), path, message, "give each task a name of its own")
        names.add(task["name"])
        if with_level and "level" not in task:
            path = ("tasks", i)
            message = f"{task['name']!r} has no level, others have"
            yield problem_at(document.origin(path), path, message, "levels for all tasks, or for none")
    if root.get("placement") == "uniprocessor" and root.get("cpus", 1) > 1:
        path = ("placement",)
        message = f"uniprocessor, but there are {root['cpus']} cpus"
        yield problem_at(document.origin(path), path, message, "global or partitioned")
    supply = root.get("supply")
    if supply and _ns(supply["budget"], "wcet") > _ns(supply["period"], "wcet"):
        path = ("supply", "budget")
        message = "the budget is longer than its period"
        yield problem_at(document.origin(path), path, message, f"at most {supply['period']}")
    yield from _resources(document, names)


def _resources(document: Document, names: set[str]) -> Iterator[Problem]:
    root: Any = document.value
    resources = root.get("resources", {})
    for name, resource in resources.items():
        for user in resource["hold"]:
            if user not in names:
                path: Path_ = ("resources", name, "hold", user)
                yield problem_at(document.key_origin(path), path, f"no task is called {user!r}")
        path = ("resources", name, "inside")
        if resource.get("inside", name) not in resources:
            message = f"no resource is called {resource['inside']!r}"
            yield problem_at(document.origin(path), path, message)


def _typed(document: Document) -> TaskSet:
    root: Any = document.value
    rows = root["tasks"]
    tasks = tuple(_task(row, len(rows) - i) for i, row in enumerate(rows))
    scheduler = Scheduler(root["scheduler"])
    if scheduler is Scheduler.EDF and not any("level" in row for row in rows):
        tasks = tuple(Task(*_times_of(row)) for row in rows)
    cpus = root.get("cpus", 1)
    usual = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    supply = root.get("supply")
    return TaskSet(
        _blocked(document, tasks, scheduler),
        cpus,
        scheduler,
        Placement(root.get("placement", usual)),
        Periodic(_ns(supply["period"], "wcet"), _ns(supply["budget"], "wcet")) if supply else DEDICATED,
    )


def _task(row: Mapping[str, Any], place: int) -> Task:
    return Task(*_times_of(row), level=row.get("level", place))


def _times_of(row: Mapping[str, Any]) -> tuple[str, int, int, int, int, int]:
    times = {key: _ns(row[key], key) for key in _TIMES if key in row}
    deadline = times.get("deadline", times["period"])
    more = times.get("jitter", 0), times.get("blocking", 0)
    return (row["name"], times["wcet"], times["period"], deadline, *more)


def _blocked(document: Document, tasks: tuple[Task, ...], scheduler: Scheduler) -> tuple[Task, ...]:
    root: Any = document.value
    resources = [
        Resource(name, {user: _ns(ns, "wcet") for user, ns in keys["hold"].items()}, keys.get("inside"))
        for name, keys in root.get("resources", {}).items()
    ]
    if not resources:
        return tasks
    protocol = Protocol(root.get("protocol", "pip"))
    try:
        levels, holding = urgencies(tasks, scheduler)
        bounds = blocking(resources, levels, protocol, holding)
    except CycleError as error:
        path: Path_ = ("resources", error.chain[0], "inside")
        message = f"resources inside each other: {error}"
        problem = problem_at(document.origin(path), path, message, "take them in one order everywhere")
        raise ProfileError((problem,)) from None
    return with_blocking(tasks, resources, bounds)
