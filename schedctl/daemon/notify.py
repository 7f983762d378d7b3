# SPDX-License-Identifier: GPL-2.0-only
"""The service manager's side: READY, RELOADING, STATUS, WATCHDOG; nothing without one."""

from __future__ import annotations

import os
import time

from systemd import daemon

from schedctl.printable import shown


def ready() -> None:
    daemon.notify("READY=1")


def reloading() -> None:
    """Type=notify-reload wants the time at which the reload began."""
    usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.notify(f"RELOADING=1\nMONOTONIC_USEC={usec}")


def stopping() -> None:
    daemon.notify("STOPPING=1")


def status(text: str) -> None:
    daemon.notify(f"STATUS={shown(text)}")


def alive() -> None:
    daemon.notify("WATCHDOG=1")


def watchdog_s() -> float | None:
    """How often `alive` must be said: half of WatchdogSec; None without a watchdog."""
    usec = os.environ.get("WATCHDOG_USEC")
    return int(usec) / 2e6 if usec else None
