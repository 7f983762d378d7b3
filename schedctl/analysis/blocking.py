# SPDX-License-Identifier: GPL-2.0-only
"""How long declared critical sections can delay a task: priority inheritance, and immediate ceilings.

L. Sha, R. Rajkumar, J. P. Lehoczky, "Priority inheritance protocols", IEEE Trans. Computers 39(9),
1990. A section can delay a task where its resource's ceiling (the highest level of its users) is at
least the task's level and its holder's level is lower. Inheritance, theorem 6: the smaller of two sums,
one section per less urgent task and one per resource. Ceilings, theorem 12: the longest single section.

Under EDF a job can be delayed by one that took something before it was released and is due later. With
jitter J, counted from an arrival, that is any with a longer deadline than D - J, also where it is
shorter than D. So each task has two places: D - J where it waits, D where it holds (without jitter they
are T. Baker's preemption level, "Stack-based scheduling of realtime processes", RTS 3, 1991). Ceilings
are of those who wait.

A resource that is taken inside another has at least that one's ceiling: who waits for the outer one
waits for the inner one too. The outer section's duration contains the inner one's. Durations in ns;
sufficient, as blocking may never happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from schedctl.analysis.model import Scheduler, Task


class Protocol(StrEnum):
    INHERITANCE = "pip"
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True)
class Resource:
    """`hold_ns`: user -> its longest section; `inside`: the resource held already when this one is taken."""

    name: str
    hold_ns: Mapping[str, int]
    inside: str | None = None
    ceiling: int = 0
    """At least this one, whoever uses it."""


class CycleError(Exception):
    """Resources that are taken inside each other; the argument is the chain."""

    def __init__(self, chain: tuple[str, ...]) -> None:
        super().__init__(" inside ".join(chain))
        self.chain = chain


def ceilings(resources: Sequence[Resource], levels: Mapping[str, int]) -> dict[str, int]:
    """The ceiling of each resource; `levels` has every user's level. Raises CycleError."""
    known = {resource.name: resource for resource in resources}
    found: dict[str, int] = {}
    for resource in resources:
        chain = [resource.name]
        while (outer := known[chain[-1]].inside) is not None:
            chain.append(outer)
            if outer in chain[:-1]:
                raise CycleError(tuple(chain[chain.index(outer) :]))
        users = (levels[user] for name in chain for user in known[name].hold_ns)
        found[resource.name] = max([*users, *(known[name].ceiling for name in chain)])
    return found


def blocking(
    resources: Sequence[Resource],
    levels: Mapping[str, int],
    protocol: Protocol,
    holding: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """User -> how long sections of less urgent ones can delay one job of it, in ns. Raises CycleError.

    `holding`: the places of those who hold something, where they differ from `levels`.
    """
    ceiling, below = ceilings(resources, levels), levels if holding is None else holding
    bound = _inheritance if protocol is Protocol.INHERITANCE else _ceiling
    found = {}
    for user, level in levels.items():
        relevant = [
            {other: ns for other, ns in resource.hold_ns.items() if other != user and below[other] < level}
            for resource in resources
            if ceiling[resource.name] >= level
        ]
        found[user] = bound(relevant)
    return found


def _inheritance(sections: Sequence[Mapping[str, int]]) -> int:
    by_resource = sum(max(held.values(), default=0) for held in sections)
    longest: dict[str, int] = {}
    for held in sections:
        for other, ns in held.items():
            longest[other] = max(longest.get(other, 0), ns)
    return min(by_resource, sum(longest.values()))


def _ceiling(sections: Sequence[Mapping[str, int]]) -> int:
    return max((ns for held in sections for ns in held.values()), default=0)


def with_blocking(
    tasks: Sequence[Task], resources: Sequence[Resource], bounds: Mapping[str, int]
) -> tuple[Task, ...]:
    """The tasks with what resources add to the blocking they declare; `bounds` has all of them."""
    users = {user for resource in resources for user in resource.hold_ns}
    return tuple(
        replace(task, blocking_ns=task.blocking_ns + bounds[task.name], locks=task.name in users)
        for task in tasks
    )


def urgencies(tasks: Sequence[Task], scheduler: Scheduler) -> tuple[dict[str, int], dict[str, int]]:
    """Task name -> its place among those that can delay each other by locks, larger = more urgent.

    First where it waits, then where it holds something: `levels` and `holding` of blocking().
    """
    waits = {task.name: (task.level, task.jitter_ns - task.deadline_ns) for task in tasks}
    holds = {task.name: (task.level, -task.deadline_ns) for task in tasks}
    if scheduler is Scheduler.FIXED_PRIORITY:
        waits = holds = {task.name: (task.level, 0) for task in tasks}
    places = {key: place for place, key in enumerate(sorted({*waits.values(), *holds.values()}))}
    return (
        {name: places[key] for name, key in waits.items()},
        {name: places[key] for name, key in holds.items()},
    )
