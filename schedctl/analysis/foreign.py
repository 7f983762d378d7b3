# SPDX-License-Identifier: GPL-2.0-only
"""Task sets as other tools write them, as one of ours.

rt-app: `tasks` is a mapping; its threads have `run` or `runtime` and a `timer` with a `period`, or
`dl-runtime`, `dl-period` and `dl-deadline`, all in µs. One with `phases` that have a `run` and a `timer` each
is taken as its longest run each shortest period, which it never needs more than. Priorities of SCHED_FIFO
are levels, equal ones equal levels: all that equals release counts against each other. That bounds every
order among them that leaves no CPU idle, Linux' first come first served included (and the turns of SCHED_RR:
a job waits for no more than all its equals' work), so what is proven holds; a miss is one of the worst order.
Other policies are refused, also beside these: SCHED_OTHER is below all of them, nothing bounds it.
SCHED_DEADLINE: tasks with
the names of struct sched_attr, `sched_runtime`, `sched_deadline`, `sched_period`, in ns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from schedctl.errors import Problem, ProfileError
from schedctl.profile.document import Document, Path_, problem_at
from schedctl.profile.model import Origin

_ATTRIBUTES = {"sched_runtime": "wcet", "sched_period": "period", "sched_deadline": "deadline"}
# Flags say what happens at a fork or an overrun, and who gets time that is left over.
_ATTRIBUTES_IGNORED = frozenset({"sched_policy", "sched_flags"})
_MAX_INSTANCES = 1000
_RT_APP_PRIORITY = 10
"""Of a thread that names none."""
_WORK = frozenset({"run", "runtime"})
_PHASE_KEYS = _WORK | {"timer"}
# What does not change when and how long a thread runs.
_RT_APP_IGNORED = frozenset(
    {"loop", "cpus", "policy", "priority", "instance", "delay", "lock_pages", "logdir", "name"}
)


def as_taskset(document: Document) -> Document:
    """The document as one of ours, places included; raises ProfileError where it cannot be understood."""
    root = document.value
    if not isinstance(root, dict):
        return document
    if isinstance(root.get("tasks"), dict):
        return _rt_app(document, root)
    tasks: Any = root.get("tasks")
    if isinstance(tasks, list) and any(isinstance(t, dict) and "sched_runtime" in t for t in tasks):
        return _sched_deadline(document, root)
    return document


def _sched_deadline(document: Document, root: dict[str, Any]) -> Document:
    tasks = [
        {_ATTRIBUTES.get(key, key): value for key, value in task.items() if not _ignored(key, value)}
        if isinstance(task, dict)
        else task
        for task in root["tasks"]
    ]
    for task in tasks:
        if isinstance(task, dict) and not task.get("period"):  # 0 or none: the deadline
            task["period"] = task.get("deadline")
    value: Any = {"scheduler": "edf", **root, "tasks": tasks}
    moved = {_renamed(path): origin for path, origin in document.origins.items()}
    return replace(document, value=value, origins={**document.origins, **moved})


def _ignored(key: str, value: Any) -> bool:
    """Another priority than 0 is no SCHED_DEADLINE's."""
    return key in _ATTRIBUTES_IGNORED or (key == "sched_priority" and value == 0)


def _renamed(path: Path_) -> Path_:
    if len(path) == 3 and path[2] in _ATTRIBUTES:
        return (*path[:2], _ATTRIBUTES[str(path[2])])
    return path


def _rt_app(document: Document, root: dict[str, Any]) -> Document:
    problems: list[Problem] = []
    rows: list[dict[str, Any]] = []
    origins: dict[Path_, Origin] = {}
    policies = set()
    common = root.get("global")
    default = common.get("default_policy", "") if isinstance(common, dict) else ""
    for name, thread in root["tasks"].items():
        path: Path_ = ("tasks", name)
        row = _thread(thread) if isinstance(thread, dict) else "it is no mapping"
        if isinstance(row, str):
            message = f"{name!r} is not a periodic task: {row}"
            problems.append(problem_at(document.key_origin(path), path, message))
            continue
        nr = thread.get("instance", 1)
        if not isinstance(nr, int) or not 1 <= nr <= _MAX_INSTANCES:
            problems.append(problem_at(document.key_origin(path), path, f"{nr} instances", "1 to 1000"))
            continue
        policies.add("SCHED_DEADLINE" if "dl-runtime" in thread else thread.get("policy", default))
        for i in range(nr):
            origins[("tasks", len(rows))] = document.key_origin(path)
            rows.append({"name": f"{name}-{i}" if nr > 1 else name, **row})
    problems += _masks(document, root)
    if not problems and policies not in ({"SCHED_DEADLINE"}, {"SCHED_FIFO"}):
        said = ", ".join(sorted(map(str, policies))) or "none"
        message = f"all threads must be SCHED_FIFO or all SCHED_DEADLINE, these are: {said}"
        problems.append(problem_at(document.key_origin(("tasks",)), ("tasks",), message))
    elif policies == {"SCHED_DEADLINE"}:
        for row in rows:
            del row["level"]
    if problems:
        raise ProfileError(tuple(problems))
    scheduler = "edf" if policies == {"SCHED_DEADLINE"} else "fixed_priority"
    value: Any = {"cpus": _cpus(root), "scheduler": scheduler, "tasks": rows}
    return replace(document, value=value, origins={**document.origins, **origins})


def _thread(thread: dict[str, Any]) -> dict[str, Any] | str:
    """One thread's task in ns, or why it is none."""
    known = _RT_APP_IGNORED | _PHASE_KEYS | {"dl-runtime", "dl-period", "dl-deadline"}
    if "phases" in thread:
        return _phased(thread)
    if strange := sorted(set(thread) - known):
        return f"{strange[0]!r} is not understood here"
    work = thread.get("dl-runtime", thread.get("run", thread.get("runtime")))
    timer = thread.get("timer")
    period = thread.get("dl-period", timer.get("period") if isinstance(timer, dict) else None)
    times = {"wcet": work, "period": period, "deadline": thread.get("dl-deadline", period)}
    for key, value in times.items():
        if not isinstance(value, int) or isinstance(value, bool):
            return f"it has no {key} in whole µs"
    row: dict[str, Any] = {key: value * 1000 for key, value in times.items() if isinstance(value, int)}
    priority = thread.get("priority", _RT_APP_PRIORITY)
    if not isinstance(priority, int) or isinstance(priority, bool):
        return f"its priority is no whole number: {priority!r}"
    row["level"] = priority  # of SCHED_FIFO: the larger the more urgent
    return row


def _masks(document: Document, root: dict[str, Any]) -> Iterator[Problem]:
    """`cpus` that are no CPUs, or not the same for all: the tests know one CPU, or CPUs that all may use."""
    first: tuple[str, Any] | None = None
    for name, thread in root["tasks"].items():
        if not isinstance(thread, dict):
            continue
        path: Path_ = ("tasks", name, "cpus")
        place = document.key_origin(path)
        cpus = thread.get("cpus")
        if "cpus" in thread and not (isinstance(cpus, list) and cpus and all(map(_is_cpu, cpus))):
            yield problem_at(place, path, f"{cpus!r} is no list of CPUs", "numbers, as in [0, 1]")
            continue
        mask = sorted(set(cpus or ()))
        first = first or (name, mask)
        if mask != first[1]:
            message = f"{name!r} may use other CPUs than {first[0]!r}"
            yield problem_at(place, path, message, "one file for each group of threads with the same 'cpus'")


def _is_cpu(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _phased(thread: dict[str, Any]) -> dict[str, Any] | str:
    """Its longest run each shortest period, where each phase runs once and all wait for one timer.

    With several timers one that is behind does not wait: runs of two phases can follow each other at once.
    """
    phases = thread["phases"]
    if not isinstance(phases, dict) or not phases:
        return "its phases are no mapping"
    common = {key: value for key, value in thread.items() if key != "phases"}
    if twice := sorted(_PHASE_KEYS & set(common)):
        return f"{twice[0]!r} is beside its phases, not in them"
    rows = []
    for name, phase in phases.items():
        if not isinstance(phase, dict) or set(phase) - _PHASE_KEYS - {"loop"} or set(phase) >= _WORK:
            return f"its phase {name!r} is more than one run and one timer"
        row = _thread({**common, **phase})
        if isinstance(row, str):
            return f"in its phase {name!r} {row}"
        rows.append(row)
    timers = [phase.get("timer") for phase in phases.values()]
    if len({str(timer.get("ref")) for timer in timers if isinstance(timer, dict)}) > 1:
        return "its phases wait for several timers"
    period = min(row["period"] for row in rows)
    deadline = min(row["deadline"] for row in rows)
    return {**rows[0], "wcet": max(row["wcet"] for row in rows), "period": period, "deadline": deadline}


def _cpus(root: dict[str, Any]) -> int:
    """All threads have the same mask; without any, one CPU."""
    return max(len(set(thread.get("cpus", ()))) for thread in root["tasks"].values()) or 1
