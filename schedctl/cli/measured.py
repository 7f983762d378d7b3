# SPDX-License-Identifier: GPL-2.0-only
"""What the running scheduler has measured of threads' releases, in the output of `explain`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schedctl.errors import HostError
from schedctl.image.task import MeasuredPeriod, Rhythm
from schedctl.kernel.protocol import Kernel, NotAttachedError

# Of 32 gaps in two estimates, see period_math.h.
RELEASES_NEEDED = 41


def measured_periods(kernel: Kernel, tids: Sequence[int]) -> dict[int, MeasuredPeriod]:
    """By TID, of those that the scheduler measures; empty without one, and without root."""
    if not kernel.privileged():
        return {}
    try:
        found = {tid: kernel.measured_period(tid) for tid in tids}
    except (HostError, NotAttachedError):
        return {}
    return {tid: period for tid, period in found.items() if period is not None}


def documents(found: Mapping[int, MeasuredPeriod]) -> list[dict[str, Any]]:
    return [_document(tid, period) for tid, period in found.items()]


def _document(tid: int, period: MeasuredPeriod) -> dict[str, Any]:
    is_known = period.rhythm is Rhythm.PERIODIC
    return {
        "tid": tid,
        "rhythm": period.rhythm.value,
        "releases": period.releases,
        "period_ns": period.period_ns if is_known else None,
        "jitter_ns": period.jitter_ns if is_known else None,
        "confidence": str(period.confidence) if is_known else None,
        "wakeups": period.wakeups if is_known else None,
    }


def line(tid: int, period: MeasuredPeriod) -> str:
    if period.rhythm is Rhythm.MEASURING:
        return f"measured of {tid}: {period.releases} releases, about {RELEASES_NEEDED} are needed"
    if period.rhythm is Rhythm.APERIODIC:
        return f"measured of {tid}: aperiodic, after {period.releases} releases"
    times = f", {period.wakeups} wake-ups in each" if period.wakeups > 1 else ""
    return (
        f"measured of {tid}: period {period.period_ns / 1e6:.3f} ms ({1e9 / period.period_ns:.1f} Hz){times},"
        f" jitter {period.jitter_ns / 1000:.0f} us, confidence {float(period.confidence):.0%}"
    )
