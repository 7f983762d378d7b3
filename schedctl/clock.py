# SPDX-License-Identifier: GPL-2.0-only
"""Times that a clock which is set back cannot change: since the boot, suspend included, and which boot."""

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


def today() -> str:
    """The wall clock, for people only: 2026-11-25T01:02:03+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")
