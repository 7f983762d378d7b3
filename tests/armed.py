# SPDX-License-Identifier: GPL-2.0-only
"""A service manager that counts when a test says so: the timers that were armed, and what they run."""

from __future__ import annotations

from schedctl.errors import HostError


class ArmedTimers:
    """`armed` is what would run, by unit: (seconds, words). `missing`: there is no systemd."""

    def __init__(self) -> None:
        self.armed: dict[str, tuple[float, list[str]]] = {}
        self.missing = False
        self._count = 0

    def arm(self, name: str, after_s: float, words: list[str]) -> str:
        if self.missing:
            raise HostError("no timer can be set: systemd does not run here")
        self._count += 1
        unit = f"schedctl-{name}-{self._count}"
        self.armed[unit] = (after_s, words)
        return unit

    def disarm(self, name: str) -> None:
        self.armed.pop(name, None)
