# SPDX-License-Identifier: GPL-2.0-only
"""What schedctl needs from a kernel: implemented by real.py, and by a fake one for the tests of logic.

tests/kernel/contract.py holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schedctl.errors import ApplyError
from schedctl.image.stats import ClassStats, ExitRecord, SchedStats

OPS_NAME = "schedctl"
ENABLED, DISABLED = "enabled", "disabled"
NR_SLOTS = 2


@dataclass(frozen=True, slots=True)
class SchedState:
    """/sys/kernel/sched_ext as it is now: the kernel's own words, readable without root."""

    state: str
    ops: str | None
    enable_seq: int

    @property
    def ours(self) -> bool:
        return self.state == ENABLED and self.ops == OPS_NAME

    @property
    def foreign(self) -> str | None:
        """The name of another scheduler that is attached."""
        return self.ops if self.state == ENABLED and self.ops not in (None, OPS_NAME) else None


class NotAttachedError(ApplyError):
    """The maps of a running scheduler were asked for, and there are none."""


class Kernel(Protocol):
    """Every call raises classes of errors.py only. Slots are 0 and 1; a policy's bytes are abi.encode's."""

    def check(self) -> None:
        """All that a write needs: HostError, PrivilegeError, or ConflictError naming another scheduler."""
        ...

    def sched_state(self) -> SchedState:
        """HostError without sched_ext. Needs no root."""
        ...

    def privileged(self) -> bool:
        """Whether the pins can be read."""
        ...

    def pinned(self) -> bool:
        """Whether the link's pin exists: schedctl attached and nobody detached. It says nothing on now."""
        ...

    def attach(self, policy: bytes) -> None:
        """Load, `policy` into slot 0, attach, wait for the kernel's state, pin.

        ApplyError leaves nothing behind.
        """
        ...

    def active_slot(self) -> int: ...

    def read_policy(self, slot: int) -> bytes: ...

    def write_policy(self, slot: int, policy: bytes) -> None:
        """Replace the slot's head and tables; refused (ApplyError) for the active slot."""
        ...

    def flip(self, slot: int) -> None:
        """Make the slot the active one; returns when no program reads the other one any more."""
        ...

    def clear_class_stats(self, slot: int, count: int) -> None:
        """Of the slot's first `count` classes."""
        ...

    def read_class_stats(self, slot: int, count: int) -> tuple[ClassStats, ...]:
        """Of the slot's first `count` classes, summed over the CPUs."""
        ...

    def read_sched_stats(self) -> SchedStats: ...

    def read_exit_record(self) -> ExitRecord | None:
        """None where nothing is pinned."""
        ...

    def detach(self) -> None:
        """End our scheduler, wait until the kernel says so, remove the pins. Without one: remove the pins."""
        ...

    def release(self) -> None:
        """Remove what a scheduler that no longer runs left behind; ConflictError while it runs."""
        ...
