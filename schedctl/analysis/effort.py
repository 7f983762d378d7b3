# SPDX-License-Identifier: GPL-2.0-only
"""How much a test may compute: counted in steps, so that the same set always gets the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MAX_STEPS = 4_000_000
"""Per test; a step is one term of a sum, about 0.2 µs."""
_PER_UTILIZATION = 8
"""Steps: it is an exact fraction, and the denominators of sums are long."""


class GaveUpError(Exception):
    """The test would take too long: its answer is UNKNOWN, with this reason."""

    def __init__(self, steps: int) -> None:
        super().__init__(f"gave up after {steps} steps")


class Effort:
    """Counts down; one per test."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._steps = self._left = steps
        self._together = _TOGETHER.get()

    @property
    def used_up(self) -> bool:
        return self._left < 0

    def spend(self, steps: int) -> None:
        """Raises GaveUpError when nothing is left."""
        self._left -= steps
        if self._left < 0:
            raise GaveUpError(self._steps)
        if self._together is not None:
            self._together.spend(steps)


_TOGETHER: ContextVar[Effort | None] = ContextVar("together", default=None)


def affords_sum(terms: int) -> bool:
    """Spends what a sum of so many utilizations costs; false where nothing is left of what is spent together.

    A test does not count it by itself: it is next to nothing, but for who tries thousands of sets.
    """
    shared = _TOGETHER.get()
    try:
        if shared is not None:
            shared.spend(_PER_UTILIZATION * terms)
    except GaveUpError:
        return False
    return True


@contextmanager
def together(steps: int) -> Iterator[Effort]:
    """All tests that run inside may spend so many steps together; afterwards each gives up at once."""
    shared = Effort(steps)
    token = _TOGETHER.set(shared)
    try:
        yield shared
    finally:
        _TOGETHER.reset(token)
