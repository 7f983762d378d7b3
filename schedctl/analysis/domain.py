# SPDX-License-Identifier: GPL-2.0-only
"""A resolved profile as tasks on the CPUs of one last-level cache, and what they are supplied.

docs/analysis.md has the reasons. The constants are those of bpf/sched_math.h; a test compares them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schedctl.analysis.blocking import Protocol, Resource, blocking, urgencies, with_blocking
from schedctl.analysis.model import Placement, Scheduler, Task
from schedctl.analysis.report import TaskSet
from schedctl.analysis.supply import BoundedDelay, Supply
from schedctl.analysis.text import duration, percent
from schedctl.profile.model import Order, Overrun, Policy, ThreadClass
from schedctl.resolve.assignment import Assignment
from schedctl.resolve.facts import HostFacts

OWED_QUANTUM_NS = 1_000_000
MAX_WAIT_NS = 7_500_000_000
TICK_MAX_NS = 4_000_000
NR_CANDIDATES = 8
TIMER_LATE_NS = 250_000
"""How much longer than its quantum a thread runs at most: measured 256 to 512 µs for 300 µs."""
SLOWEST_HZ = 100
MAX_THREADS = 1000


@dataclass(frozen=True, slots=True)
class Domain:
    """`owners` has for each task its class; `silent` are classes with a level that do not say enough."""

    found: TaskSet
    owners: tuple[str, ...]
    silent: tuple[ThreadClass, ...]
    all_cpus: int
    """Of the host, where `found` is about the smallest of its caches."""
    unproven_level: int
    """Nothing can be claimed for tasks of this level and below; 0 = for all something can."""
    assumptions: tuple[str, ...]


def domain_of(assignment: Assignment) -> Domain:
    """The profile's tasks on the smallest last-level cache of the host."""
    urgent = [cls for cls in assignment.classes if cls.levels]
    told = [cls for cls in urgent if cls.runtime_ns and cls.period_ns and cls.threads]
    silent = tuple(cls for cls in urgent if cls not in told)
    threads = sum(cls.threads or 0 for cls in told)
    if threads > MAX_THREADS:  # a name for it: too many to be analyzed
        told, silent = [], tuple(urgent)
    scheduler = Scheduler.EDF if assignment.policy.order is Order.EDF else Scheduler.FIXED_PRIORITY
    tasks, owners = [], []
    for cls in told:
        for number in range(cls.threads or 0):
            tasks.append(_task(cls, number))
            owners.append(cls.name)
    cpus = smallest_cache(assignment.facts)
    placement = Placement.UNIPROCESSOR if cpus == 1 else Placement.GLOBAL
    found = TaskSet(
        _blocked(assignment, tasks, owners, scheduler),
        cpus,
        scheduler,
        placement,
        supply_of(assignment.policy, assignment.facts),
    )
    assumptions = tuple(_assumptions(assignment, found, told, silent))
    all_cpus = max(cpus, len(assignment.facts.cpus))
    return Domain(found, tuple(owners), silent, all_cpus, _unproven_level(urgent, silent), assumptions)


def _task(cls: ThreadClass, number: int) -> Task:
    assert cls.runtime_ns
    assert cls.period_ns
    assert cls.deadline_ns
    assert cls.level
    name = cls.name if cls.threads == 1 else f"{cls.name}[{number + 1}]"
    return Task(name, cls.runtime_ns, cls.period_ns, cls.deadline_ns, cls.jitter_ns, 0, cls.level)


def smallest_cache(facts: HostFacts) -> int:
    """How many CPUs it has; threads may go to each, so that the others have no less."""
    usable = [cpu.llc for cpu in facts.cpus if not cpu.isolated] or [cpu.llc for cpu in facts.cpus]
    return min(Counter(usable).values(), default=1)


def supply_of(policy: Policy, facts: HostFacts) -> Supply:
    """What the levels get of each CPU at least, while no thread is overdue."""
    tick_ns = -(-1_000_000_000 // (facts.kernel.hz or SLOWEST_HZ))
    shares = (policy.fair_share, policy.background_share)
    rate = Fraction(1) - policy.fair_share - policy.background_share
    taken = sum(OWED_QUANTUM_NS + part * tick_ns + TIMER_LATE_NS for part in shares)
    return BoundedDelay(rate, Fraction(taken) / rate)


def _blocked(
    assignment: Assignment, tasks: Sequence[Task], owners: Sequence[str], scheduler: Scheduler
) -> tuple[Task, ...]:
    """Each thread of a class may hold what the class holds; of a silent class one thread per resource may."""
    if not assignment.resources:
        return tuple(tasks)
    names: dict[str, list[str]] = {}
    for task, owner in zip(tasks, owners, strict=True):
        names.setdefault(owner, []).append(task.name)
    # In the kernel deadlines count from the release: jitter does not let a longer one go first.
    levels, _ = urgencies([replace(task, jitter_ns=0) for task in tasks], scheduler)
    silent = [cls.name for cls in assignment.classes if cls.levels and cls.name not in names]
    resources = []
    for resource in assignment.resources:
        names |= {name: [f"{name} in {resource.name}"] for name in silent}
        levels |= {name: -1 for user in silent for name in names[user]}  # below all: they can block every one
        held = {name: ns for user, ns in resource.hold_ns for name in names[user]}
        reached = (levels[task.name] for task in tasks if task.level <= (resource.ceiling or 0))
        resources.append(Resource(resource.name, held, resource.inside, max(reached, default=-1)))
    return with_blocking(tasks, resources, blocking(resources, levels, Protocol.INHERITANCE))


def _unproven_level(urgent: Sequence[ThreadClass], silent: Sequence[ThreadClass]) -> int:
    """Recovery may lift the threads of a class that misses, and those of one that is not proven may miss."""
    level, before = max((_reach(cls) for cls in silent), default=0), -1
    while level != before:
        before = level
        level = max([level, *(_reach(cls) for cls in urgent if max(cls.levels) <= level)])
    return level


def _reach(cls: ThreadClass) -> int:
    return max(*cls.levels, cls.max_level) if cls.recovery else max(cls.levels)


def _assumptions(
    assignment: Assignment, found: TaskSet, told: Sequence[ThreadClass], silent: Sequence[ThreadClass]
) -> Iterator[str]:
    policy, hz = assignment.policy, assignment.facts.kernel.hz
    for cls in told:
        if cls.overrun in (Overrun.IGNORE, Overrun.POSTPONE):
            yield f"{cls.name} keeps its runtime by itself: 'overrun: {cls.overrun}' protects no lower level"
    if silent:
        names = ", ".join(f"{cls.name} ({missing(cls)})" for cls in silent)
        yield f"nothing is claimed for {names}, nor for levels that are not above"
    if not hz:
        yield f"the host's HZ is not known: a tick takes at most {duration(10**9 // SLOWEST_HZ)}"
    if found.cpus > 1:
        caches = len(assignment.facts.llcs)
        where = "the last-level cache" if caches == 1 else f"the smallest of {caches} last-level caches"
        yield f"all threads may be on {where}, {found.cpus} CPUs"
    waiting = int(MAX_WAIT_NS * policy.fair_share / TICK_MAX_NS)
    yield f"fewer than {waiting} ordinary threads are runnable per CPU: none waits until it is overdue"
    yield "no SCHED_FIFO, SCHED_RR or SCHED_DEADLINE threads, interrupts or per-CPU kernel threads run"
    fair, background = percent(policy.fair_share), percent(policy.background_share)
    yield f"the fair tier takes {fair} of each CPU, the background {background}"


def missing(cls: ThreadClass) -> str:
    """Why nothing can be said of a class with a level."""
    said = {"runtime": cls.runtime_ns, "period": cls.period_ns, "threads": cls.threads}
    missing = [key for key, value in said.items() if value is None]
    return f"no {', '.join(missing)}" if missing else "too many threads"
