# SPDX-License-Identifier: GPL-2.0-only
"""How much a test may compute: counted in steps, so that the same set always gets the same answer."""

from __future__ import annotations

MAX_STEPS = 4_000_000
"""Per test; a step is one term of a sum, about 0.2 µs."""


class GaveUpError(Exception):
    """The test would take too long: its answer is UNKNOWN, with this reason."""

    def __init__(self, steps: int) -> None:
        super().__init__(f"gave up after {steps} steps")


class Effort:
    """Counts down; one per test."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._steps = self._left = steps

    def spend(self, steps: int) -> None:
        """Raises GaveUpError when nothing is left."""
        self._left -= steps
        if self._left < 0:
            raise GaveUpError(self._steps)
