# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: threads of all kinds, without end."""

from __future__ import annotations

import os
import time
from pathlib import Path


def name(text: str) -> None:
    Path("/proc/self/comm").write_text(text)


def load() -> None:
    """One thread of each class, a hog, and forks: what asks for the figures needs its part of two CPUs."""
    for comm in ("sleeper", "budget", "hog"):
        if os.fork() == 0:
            # what a real-time thread forks has none
            Path("/proc/self/timerslack_ns").write_text("50000")
            name(comm)
            while True:
                if comm == "sleeper":
                    time.sleep(0.1)
    name("forker")
    while True:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.1)


if __name__ == "__main__":
    load()
