# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in memory, for the tests of logic: what the real one refuses, this one refuses (contract.py)."""

from __future__ import annotations

from schedctl.errors import ApplyError, ConflictError, HostError, PrivilegeError
from schedctl.image.abi import split
from schedctl.image.stats import ClassStats, ExitRecord, SchedStats
from schedctl.kernel.protocol import DISABLED, ENABLED, NR_SLOTS, OPS_NAME, NotAttachedError, SchedState


class FakeKernel:
    """`fail` names the next call that the kernel refuses; `torn` makes it keep other bytes than written."""

    def __init__(self, *, sched_ext: bool = True, root: bool = True) -> None:
        self.sched_ext, self.root = sched_ext, root
        self.foreign: str | None = None
        self.running = False
        self.link = False
        self.enable_seq = 0
        self.slots: list[bytes] = []
        self.active = 0
        self.exit = ExitRecord()
        self.stats = [ClassStats(), ClassStats()]
        self.fail = ""
        self.torn = False
        self.calls: list[str] = []

    def eject(self, record: ExitRecord) -> None:
        """The kernel ends the scheduler on its own: link and pins stay."""
        self.running, self.exit = False, record

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.fail == name:
            self.fail = ""
            raise ApplyError(f"refused: {name}")

    # --- kernel.protocol.Kernel --------------------------------------------------------------

    def check(self) -> None:
        if not self.root:
            raise PrivilegeError("changing the scheduler needs root")
        self.sched_state()
        if self.foreign:
            raise ConflictError(f"another scheduler is attached: {self.foreign}")

    def sched_state(self) -> SchedState:
        if not self.sched_ext:
            raise HostError("this kernel has no sched_ext")
        ops = self.foreign or (OPS_NAME if self.running else None)
        return SchedState(ENABLED if ops else DISABLED, ops, self.enable_seq)

    def privileged(self) -> bool:
        return self.root

    def pinned(self) -> bool:
        return self.link

    def attach(self, policy: bytes) -> None:
        self.release()
        self._call("attach")
        if self.foreign:
            raise ConflictError("another scheduler is attached")
        _check_size(policy)
        self.slots, self.active, self.exit = [policy, b""], 0, ExitRecord()
        self.running = self.link = True
        self.enable_seq += 1

    def active_slot(self) -> int:
        self._need()
        return self.active

    def read_policy(self, slot: int) -> bytes:
        self._need()
        return self.slots[slot]

    def write_policy(self, slot: int, policy: bytes) -> None:
        self._need()
        if slot == self.active:
            raise ApplyError("the active policy is never written to")
        _check_size(policy)
        self._call("write_policy")
        self.slots[slot] = policy[:100] + bytes(len(policy) - 100) if self.torn else policy

    def flip(self, slot: int) -> None:
        self._need()
        if not 0 <= slot < NR_SLOTS:
            raise ApplyError(f"there is no policy slot {slot}")
        self._call("flip")
        self.active = slot

    def clear_class_stats(self, slot: int, count: int) -> None:
        self._need()
        self._call("clear_class_stats")
        self.stats[slot] = ClassStats()

    def read_class_stats(self, slot: int, count: int) -> tuple[ClassStats, ...]:
        self._need()
        return (self.stats[slot],) * count

    def read_sched_stats(self) -> SchedStats:
        self._need()
        return SchedStats()

    def read_exit_record(self) -> ExitRecord | None:
        return self.exit if self.link else None

    def detach(self) -> None:
        self._call("detach")
        self.running = False
        self.release()

    def release(self) -> None:
        if self.running:
            raise ConflictError("the scheduler still runs")
        self.link, self.slots = False, []

    def _need(self) -> None:
        if not self.link:
            raise NotAttachedError("no scheduler of schedctl")


def _check_size(policy: bytes) -> None:
    try:
        split(policy)
    except ValueError as error:
        raise ApplyError(f"not written: {error}") from None
