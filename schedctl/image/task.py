# SPDX-License-Identifier: GPL-2.0-only
"""One thread as the scheduler sees it, and what it tells of one: struct task_ctx and struct event."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from enum import IntEnum, IntFlag, StrEnum
from fractions import Fraction

from schedctl.image import abi
from schedctl.profile.model import Overrun, Tier


class TaskFlag(IntFlag):
    FIXED_PRIORITY = 1 << 0
    DEMOTED = 1 << 1
    SURPLUS = 1 << 2
    OVERDUE = 1 << 4
    HELD_BACK = 1 << 5
    THROTTLED = 1 << 6
    MEASURED = 1 << 7
    RECOVERS = 1 << 9
    SLACK_LEFT = 1 << 10


class EventKind(IntEnum):
    MISS = 1
    OVERRUN = 2
    SURPLUS = 3
    SLACK = 4
    QUOTA = 5
    EXIT = 6


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Members as in intf.h; `_at` are times of CLOCK_MONOTONIC, 0 = never or none."""

    key: int
    release_at: int
    vtime: int
    exec_ns: int
    slice_used_ns: int
    slice_ns: int
    class_index: int
    idle_cpu: int
    weight: int
    flags: TaskFlag
    tier: Tier
    level: int
    woken_at: int
    queued_at: int
    abs_deadline_at: int
    job_deadline_at: int
    deadline_ns: int
    budget_ns: int
    replenish_at: int
    runtime_ns: int
    period_ns: int
    generation: int
    comm: bytes
    cgroup_id: int
    task_group: int
    uid: int
    gid: int
    exec_id: int
    static_prio: int
    sched_policy: int
    weight_epoch: int
    domain: int
    class_tier: Tier
    class_level: int
    miss_window_at: int
    quiet_since: int
    late_again_at: int
    nr_misses: int
    recovery: int
    max_level: int
    overrun: Overrun
    member: bool
    member_generation: int
    min_deadline: tuple[int, ...]
    nr_donors: tuple[int, ...]
    slack_ns: int
    slack_asked_ns: int

    @property
    def slot(self) -> int:
        return self.class_index // abi.MAX_CLASSES

    @property
    def class_id(self) -> int:
        """Index into the classes of the policy in the slot."""
        return self.class_index % abi.MAX_CLASSES


class Rhythm(StrEnum):
    """What the releases of a measured thread say so far."""

    MEASURING = "measuring"
    PERIODIC = "periodic"
    APERIODIC = "aperiodic"


@dataclass(frozen=True, slots=True)
class MeasuredPeriod:
    """From the releases of one thread. The last four are 0 unless it is periodic."""

    rhythm: Rhythm
    releases: int
    period_ns: int
    jitter_ns: int  # mean distance of a release from where the one before lets expect it
    confidence: Fraction  # share of the last gaps that fit a multiple of the period
    wakeups: int  # in each period


@dataclass(frozen=True, slots=True)
class Event:
    """`value` depends on the kind, see intf.h; `pid` is the process, `tid` the thread."""

    at_ns: int
    value: int
    generation: int
    kind: EventKind
    class_id: int
    pid: int
    tid: int
    comm: bytes


def decode_task(data: bytes) -> TaskContext:
    """An element of task_ctxs; ValueError where it is none of this layout."""
    if len(data) != ctypes.sizeof(abi.TaskCtx):
        raise ValueError(f"a thread's context of {len(data)} bytes")
    raw = abi.TaskCtx.from_buffer_copy(data)
    if raw.layout != abi.TASK_LAYOUT:
        raise ValueError(f"a thread's context of layout {raw.layout}, this is {abi.TASK_LAYOUT}")
    values = {field.name: getattr(raw, field.name) for field in fields(TaskContext)}
    for name in ("min_deadline", "nr_donors"):
        values[name] = tuple(values[name])
    try:
        values |= {name: abi.TIERS[values[name]] for name in ("tier", "class_tier")}
        values["overrun"] = abi.OVERRUNS[raw.overrun]
    except IndexError:
        raise ValueError("a number in the thread's context is out of range") from None
    values |= {"flags": TaskFlag(raw.flags), "member": bool(raw.member)}
    values["comm"] = bytes(raw.comm).partition(b"\0")[0]
    return TaskContext(**values)


def decode_period(data: bytes) -> MeasuredPeriod:
    """An element of period_ctxs; ValueError where it is none of ours."""
    if len(data) != ctypes.sizeof(abi.PeriodCtx):
        raise ValueError(f"a measured period of {len(data)} bytes")
    raw = abi.PeriodCtx.from_buffer_copy(data)
    if raw.period_ns:
        confidence = Fraction(raw.confidence, 1000)
        return MeasuredPeriod(
            Rhythm.PERIODIC, raw.nr_releases, raw.period_ns, raw.jitter_ns, confidence, raw.lag
        )
    # no estimate yet, or results that have begun to agree
    is_open = raw.nr_gaps < abi.PERIOD_GAPS or raw.nr_agreed > 0
    rhythm = Rhythm.MEASURING if is_open else Rhythm.APERIODIC
    return MeasuredPeriod(rhythm, raw.nr_releases, 0, 0, Fraction(0), 0)


def decode_event(data: bytes) -> Event:
    """A record of a ring buffer; ValueError where it is none of ours."""
    if len(data) != ctypes.sizeof(abi.Event):
        raise ValueError(f"an event of {len(data)} bytes")
    raw = abi.Event.from_buffer_copy(data)
    values = {field.name: getattr(raw, field.name) for field in fields(Event)}
    return Event(**values | {"kind": EventKind(raw.kind)})
