# SPDX-License-Identifier: GPL-2.0-only
"""What schedctl needs from a kernel: implemented by real.py, and by a fake one for the tests of logic.

tests/kernel/contract.py holds both to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from schedctl.errors import ApplyError
from schedctl.image.abi import Heading
from schedctl.image.stats import ClassStats, ExitRecord, SchedStats
from schedctl.image.task import Event, MeasuredPeriod, TaskContext

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


@dataclass(frozen=True, slots=True)
class Quota:
    """A finite cpu.max: `quota_us` of CPU time in each `period_us`; `unit` is systemd's, "" without one."""

    cgroup: str
    quota_us: int
    period_us: int
    unit: str


@dataclass(frozen=True, slots=True)
class SwapReport:
    """How long nothing of ours ran, and what the new scheduler did not take over."""

    gap_ns: int
    """From the detach to the kernel's word that the new one runs."""
    longest_fork_ns: int
    """What a thread waited at most to be made meanwhile."""
    bypass_ns: int | None
    """How long the new one's attach kept all schedulers' queues out of use, by the kernel's own clock."""
    dropped: tuple[str, ...] = ()


ChooseSlack = Callable[[TaskContext, int], int | None]
"""A thread's context and its timer slack now, in ns -> what it is to be; None = leave it."""


class EventSource(Protocol):
    """The events of the scheduler that ran when it was opened; the kernel writes them while it is open."""

    def fileno(self) -> int:
        """Readable while there are events."""
        ...

    def read(self) -> tuple[Event, ...]:
        """Those that are there, of each CPU in order; a bounded number, then call again."""
        ...

    def close(self) -> None:
        """The kernel writes no more."""
        ...


class Kernel(Protocol):
    """Every call raises classes of errors.py only. Slots are 0 and 1; a policy's bytes are abi.encode's."""

    def check(self, takeover: bool = False) -> None:
        """All that a write needs: HostError, PrivilegeError, or ConflictError naming another scheduler.

        `takeover`: that one is to end, and is no reason.
        """
        ...

    def sched_state(self) -> SchedState:
        """HostError without sched_ext. Needs no root."""
        ...

    def check_isolation(self) -> None:
        """HostError where isolcpus= keeps the kernel from attaching anything. Needs no root."""
        ...

    def quotas(self) -> tuple[Quota, ...]:
        """Every finite cpu.max of this host. Needs no root."""
        ...

    def read_events(self) -> dict[str, int]:
        """The kernel's own counters of the attached scheduler, {} without one. Needs no root."""
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

    def object_id(self) -> str:
        """Which object an attach would load; HostError where there is none."""
        ...

    def running_object_id(self) -> str | None:
        """Which one the running scheduler is of; None where nothing is pinned, or does not tell."""
        ...

    def swap(self, policy: bytes) -> SwapReport:
        """Replace the running scheduler by the installed object; policy and figures stay where they can.

        `policy` is used where the running one's has another layout; it goes into slot 0. ApplyError: what
        ran before runs on, or again.
        """
        ...

    def converge(self) -> str | None:
        """End a swap that was killed, one way or the other: what was done, or None. Under the lock."""
        ...

    def active_slot(self) -> int: ...

    def read_policy(self, slot: int) -> bytes: ...

    def read_heading(self) -> Heading:
        """Of the active policy."""
        ...

    def write_policy(self, slot: int, policy: bytes) -> None:
        """Replace the slot's head and tables, nobody being in its classes; ApplyError for the active slot."""
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

    def read_exit_dump(self) -> str:
        """What the kernel has dumped of the scheduler that it ejected; "" where there is nothing."""
        ...

    def end_foreign(self) -> None:
        """End another's scheduler, as SysRq-S does: its owner may attach it again. ApplyError."""
        ...

    def listen(self) -> EventSource:
        """From now on the scheduler tells what happens, to this one reader."""
        ...

    def contexts(self) -> Iterator[tuple[int, TaskContext]]:
        """TID and what the scheduler keeps about it, of each thread that there is now."""
        ...

    def measured_period(self, tid: int) -> MeasuredPeriod | None:
        """Of a thread whose class has its period measured; None of any other, and where it has ended."""
        ...

    def set_slack(self, tid: int, choose: ChooseSlack) -> bool:
        """Write what `choose` says to a thread that has such a context; whether it has another one now."""
        ...

    def give_slack_back(self) -> None:
        """To every thread, as far as what is pinned tells what it was; nothing where nothing is."""
        ...

    def detach(self) -> None:
        """End our scheduler, wait until the kernel says so, give timer slack back, remove the pins.

        Without one: the latter two.
        """
        ...

    def release(self) -> None:
        """Give back and remove what a scheduler that no longer runs left; ConflictError while it runs."""
        ...
