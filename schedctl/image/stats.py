# SPDX-License-Identifier: GPL-2.0-only
"""The statistics of struct class_stats, sched_stats and exit_record, read from their bytes."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

from schedctl.errors import InternalError
from schedctl.image import abi
from schedctl.image.abi import LATENCY_BUCKETS, TARDINESS_BUCKETS
from schedctl.printable import shown

LINEAR_BUCKETS = 16
SUB_BUCKETS = 16

# enum scx_exit_kind, kernel/sched/ext*/…: stable numbers since 6.12; others are shown as numbers.
EXIT_KINDS = {
    0: "none",
    1: "done",
    64: "unreg",
    65: "unreg_bpf",
    66: "unreg_kern",
    67: "sysrq",
    1024: "error",
    1025: "error_bpf",
    1026: "error_stall",
}

Bounds = tuple[int, int | None]
"""[low, high) in ns; high is None in the last, open bucket."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A histogram's buckets: linear ones of `unit_ns`, then SUB_BUCKETS per power of two."""

    unit_ns: int
    buckets: int


LATENCY = Scale(1 << 6, LATENCY_BUCKETS)
TARDINESS = Scale(1 << 14, TARDINESS_BUCKETS)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """As bounds: the bucket that holds the value."""

    p50: Bounds
    p99: Bounds
    p999: Bounds
    max: Bounds


@dataclass(frozen=True, slots=True)
class ClassStats:
    """One class since its policy went live, summed over the CPUs."""

    nr_wakeups: int = 0
    nr_runs: int = 0
    nr_preemptions: int = 0
    runtime_ns: int = 0
    nr_held_back: int = 0
    nr_jobs: int = 0
    nr_misses: int = 0
    nr_overruns: int = 0
    nr_throttled: int = 0
    nr_postponed: int = 0
    nr_demoted: int = 0
    nr_ignored: int = 0
    nr_over_population: int = 0
    nr_lifted: int = 0
    nr_releveled: int = 0
    latency: tuple[int, ...] = (0,) * LATENCY_BUCKETS
    tardiness: tuple[int, ...] = (0,) * TARDINESS_BUCKETS

    def wakeup(self) -> Quantiles | None:
        """Wake-up to running; None when there was none yet."""
        return quantiles(self.latency, LATENCY)

    def late(self) -> Quantiles | None:
        """Deadline to the end of the jobs that ended late; None when there was none yet."""
        return quantiles(self.tardiness, TARDINESS)


@dataclass(frozen=True, slots=True)
class SchedStats:
    """The whole scheduler since its attach, summed over the CPUs."""

    tier_ns: tuple[int, ...] = (0, 0, 0)
    kthread_ns: int = 0
    nr_owed: int = 0
    nr_overdue: int = 0
    nr_classified: int = 0
    nr_held_back: int = 0
    nr_no_context: int = 0
    nr_restricted: int = 0
    nr_slot_taken: int = 0
    nr_path_overflow: int = 0
    nr_cpu_offline: int = 0
    nr_cpu_online: int = 0
    nr_timer_armed: int = 0
    nr_timer_failed: int = 0
    nr_unparked: int = 0
    nr_drained: int = 0
    nr_cpuperf: int = 0
    nr_quota_changes: int = 0
    nr_slack_changes: int = 0
    nr_events: int = 0
    nr_events_dropped: int = 0


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """Why the scheduler left; kind 0 = it did not. `at_ns` is CLOCK_MONOTONIC."""

    kind: int = 0
    exit_code: int = 0
    at_ns: int = 0
    reason: str = ""
    msg: str = ""

    @property
    def kind_name(self) -> str:
        return EXIT_KINDS.get(self.kind, str(self.kind))

    @property
    def text(self) -> str:
        """The kernel's words in one line: they may have threads' names in them."""
        return shown(": ".join(part for part in (self.reason or self.kind_name, self.msg) if part))


def bucket_bounds(bucket: int, scale: Scale = LATENCY) -> Bounds:
    """The times that a bucket holds; the inverse of the bucket functions in bpf/sched_math.h."""
    if not 0 <= bucket < scale.buckets:
        raise InternalError(f"there is no bucket {bucket}")
    shift, step = (0, bucket) if bucket < LINEAR_BUCKETS else divmod(bucket - LINEAR_BUCKETS, SUB_BUCKETS)
    units = step if bucket < LINEAR_BUCKETS else (SUB_BUCKETS + step) << shift
    low = units * scale.unit_ns
    return low, None if bucket == scale.buckets - 1 else low + (scale.unit_ns << shift)


def quantiles(counts: Sequence[int], scale: Scale) -> Quantiles | None:
    """None without a value."""
    if not any(counts):
        return None
    shares = (Fraction(1, 2), Fraction(99, 100), Fraction(999, 1000), Fraction(1))
    return Quantiles(*(quantile(counts, share, scale) for share in shares))


def quantile(counts: Sequence[int], share: Fraction, scale: Scale = LATENCY) -> Bounds:
    """The bounds of the smallest value with at least `share` of all values at or below it."""
    wanted = -(-sum(counts) * share // 1)
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return bucket_bounds(bucket, scale)
    raise InternalError("a quantile of no values")


def decode_class_stats(per_cpu: Sequence[bytes]) -> ClassStats:
    """One element of class_stats, one value per CPU → their sum."""
    parts = [abi.ClassStats.from_buffer_copy(data) for data in per_cpu]
    histograms = ("latency", "tardiness")
    scalars = {
        f.name: sum(getattr(p, f.name) for p in parts) for f in fields(ClassStats) if f.name not in histograms
    }
    latency, tardiness = (
        tuple(map(sum, zip(*(getattr(p, name)[:] for p in parts), strict=True))) for name in histograms
    )
    return ClassStats(**scalars, latency=latency, tardiness=tardiness)


def decode_sched_stats(per_cpu: Sequence[bytes]) -> SchedStats:
    """The element of sched_stats, one value per CPU → their sum."""
    parts = [abi.SchedStats.from_buffer_copy(data) for data in per_cpu]
    scalars = {
        f.name: sum(getattr(p, f.name) for p in parts) for f in fields(SchedStats) if f.name != "tier_ns"
    }
    return SchedStats(tier_ns=tuple(map(sum, zip(*(p.tier_ns[:] for p in parts), strict=True))), **scalars)


def decode_exit_record(data: bytes) -> ExitRecord:
    if len(data) != ctypes.sizeof(abi.ExitRecord):
        raise InternalError(f"the exit record has {len(data)} bytes")
    record = abi.ExitRecord.from_buffer_copy(data)
    return ExitRecord(
        record.kind,
        record.exit_code,
        record.at_ns,
        record.reason.decode("utf-8", "replace"),
        record.msg.decode("utf-8", "replace"),
    )


def encode_exit_record(record: ExitRecord) -> bytes:
    """What ops.exit would have written; for the fake kernel."""
    return bytes(
        abi.ExitRecord(
            kind=record.kind,
            exit_code=record.exit_code,
            at_ns=record.at_ns,
            reason=record.reason.encode(),
            msg=record.msg.encode(),
        )
    )
