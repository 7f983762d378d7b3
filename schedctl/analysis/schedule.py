# SPDX-License-Identifier: GPL-2.0-only
"""The schedule after the critical instant, for a picture: every task released at 0, as often as it may be.

The first job of each is as late as its jitter allows, the later ones are not. The jobs of one task run
one after the other, also where CPUs are idle. One task is looked at, the one with the least slack; what
can block it runs first. Under a supply of less than a whole CPU nothing runs during its longest delay,
and then everything as much slower as the rate says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from schedctl.analysis.model import Scheduler, Task
from schedctl.analysis.report import Analysis, TaskSet

MAX_JOBS = 400
_SPAN = 3
"""Periods of the rarest task that are shown, at most."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A task runs, on one CPU, from start to end; `blocking`: others hold what the looked-at task needs."""

    task: str
    start_ns: int
    end_ns: int
    blocking: bool = False
    preempted: bool = False
    """Its job is not done at the end."""
    late: bool = False
    """After its job's deadline."""


@dataclass(frozen=True, slots=True)
class Mark:
    task: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Schedule:
    segments: tuple[Segment, ...]
    releases: tuple[Mark, ...]
    deadlines: tuple[Mark, ...]
    focus: str
    until_ns: int


@dataclass(slots=True, eq=False)
class _Job:
    task: Task
    arrival_ns: int
    left_ns: int
    blocking: bool = False

    @property
    def release_ns(self) -> int:
        return max(0, self.arrival_ns)

    @property
    def due_ns(self) -> int:
        return self.arrival_ns + self.task.deadline_ns

    def urgency(self, scheduler: Scheduler) -> tuple[int, ...]:
        due = self.due_ns if scheduler is Scheduler.EDF else 0
        return (not self.blocking, -self.task.level, due, self.release_ns)


def critical_instant(found: TaskSet, result: Analysis) -> Schedule:
    """What runs from 0 on; ends where too many jobs would be shown."""
    focus = _focus(found, result)
    until = _until(found.tasks)
    jobs = sorted(_jobs(found, focus, until), key=lambda job: job.release_ns)
    released = [job for job in jobs if not job.blocking]
    return Schedule(
        tuple(_run(found, jobs, until)),
        # with long jitter hundreds of jobs are released at once: one mark
        tuple(dict.fromkeys(Mark(job.task.name, job.release_ns) for job in released)),
        tuple(Mark(job.task.name, job.due_ns) for job in released if 0 <= job.due_ns <= until),
        focus.name,
        until,
    )


def _focus(found: TaskSet, result: Analysis) -> Task:
    """The task with the least slack; one without a bound has less than any."""
    slacks = {task.name: task.slack_ns for test in result.tests for task in test.tasks}
    return min(
        found.tasks,
        key=lambda t: (slacks.get(t.name) is not None, slacks.get(t.name) or 0),
    )


def _until(tasks: Sequence[Task]) -> int:
    until = min(_SPAN * max(task.period_ns for task in tasks), 2 * max(task.deadline_ns for task in tasks))
    while sum((until + task.jitter_ns) // task.period_ns + 1 for task in tasks) > MAX_JOBS and until > 1:
        until = until * 3 // 4
    return until


def _jobs(found: TaskSet, focus: Task, until: int) -> Iterator[_Job]:
    rate = found.supply.rate
    for task in found.tasks:
        work = int(-(-Fraction(task.wcet_ns) / rate // 1))
        for arrival in range(-task.jitter_ns, until, task.period_ns)[:MAX_JOBS]:
            yield _Job(task, arrival, work)
    if focus.blocking_ns:
        yield _Job(focus, 0, int(-(-Fraction(focus.blocking_ns) / rate // 1)), blocking=True)


def _run(found: TaskSet, waiting: list[_Job], until: int) -> Iterator[Segment]:
    time = min(int(-(-found.supply.delay_ns // 1)), until)
    ready: list[_Job] = []
    waiting = waiting[::-1]
    while time < until:
        while waiting and waiting[-1].release_ns <= time:
            ready.append(waiting.pop())
        if not ready and not waiting:
            return
        ready.sort(key=lambda job: job.urgency(found.scheduler))
        running = _firsts(ready)[: found.cpus]
        until_next = [job.left_ns for job in running] + [until - time]
        if waiting:
            until_next.append(waiting[-1].release_ns - time)
        until_next += [due - time for job in running if (due := job.due_ns) > time]
        step = min(until_next)
        for job in running:
            job.left_ns -= step
            late = time >= job.due_ns and not job.blocking
            yield Segment(job.task.name, time, time + step, job.blocking, job.left_ns > 0, late)
        ready = [job for job in ready if job.left_ns]
        time += step


def _firsts(ready: Sequence[_Job]) -> list[_Job]:
    """Of each task the job that goes first."""
    firsts: dict[str, _Job] = {}
    for job in ready:
        firsts.setdefault(job.task.name, job)
    return list(firsts.values())


def merged(segments: Sequence[Segment]) -> list[Segment]:
    """Without the ends where a job simply went on: each is as long as it ran without a break."""
    found: list[Segment] = []
    ends: dict[tuple[str, bool, bool, int], int] = {}
    for segment in segments:
        kind = (segment.task, segment.blocking, segment.late)
        place = ends.pop((*kind, segment.start_ns), None)
        if place is not None and found[place].preempted:
            found[place] = replace(segment, start_ns=found[place].start_ns)
        else:
            place = len(found)
            found.append(segment)
        ends[(*kind, segment.end_ns)] = place
    return found
