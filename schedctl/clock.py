# SPDX-License-Identifier: GPL-2.0-only
"""Times that a clock which is set back cannot change, which boot it is, and times for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_ns() -> int:
    """CLOCK_BOOTTIME now."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()


def on_the_wall(monotonic_ns: int) -> str:
    """A time of CLOCK_MONOTONIC as the wall clock is set now."""
    ahead_ns = monotonic_ns - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return timestamp(time.time_ns() + ahead_ns)


def timestamp(ns: int) -> str:
    """Of CLOCK_REALTIME, in UTC."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).isoformat(timespec="seconds")


def today() -> str:
    """The wall clock, for people only: 2026-11-25T01:02:03+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")
