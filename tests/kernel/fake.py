# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in memory, for the tests of logic: what the real one refuses, this one refuses (contract.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from schedctl.errors import ApplyError, ConflictError, HostError, PrivilegeError
from schedctl.image.abi import ABI_VERSION, TASK_LAYOUT, Heading, TaskCtx, heading_of, split, version_of
from schedctl.image.stats import ClassStats, ExitRecord, SchedStats
from schedctl.image.task import Event, MeasuredPeriod, TaskContext, decode_task
from schedctl.kernel.protocol import (
    DISABLED,
    ENABLED,
    NR_SLOTS,
    OPS_NAME,
    ChooseSlack,
    NotAttachedError,
    Quota,
    SchedState,
    SwapReport,
)
from schedctl.slack import given_back


class FakeEvents:
    """What tests put into `pending` is read once; `listening` is the kernel's."""

    def __init__(self) -> None:
        self.pending: list[Event] = []
        self.listening = True
        self._fd = os.eventfd(0)

    def fileno(self) -> int:
        return self._fd

    def read(self) -> tuple[Event, ...]:
        found, self.pending = tuple(self.pending), []
        return found

    def close(self) -> None:
        if self.listening:
            os.close(self._fd)
        self.listening = False


def context(class_index: int, generation: int = 1, **values: int) -> TaskContext:
    """Of a thread that the policy of `generation` classified."""
    raw = TaskCtx(class_index=class_index, generation=generation, layout=TASK_LAYOUT, **values)
    return decode_task(bytes(raw))


class FakeKernel:
    """`fail` names the next call that the kernel refuses, `refuse_at` counts to it.

    `torn` makes it keep other bytes than written.
    """

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
        self.refuse_at = 0  # the n-th call from now on
        self.torn = False
        self.calls: list[str] = []
        self.totals = SchedStats()
        self.limits: tuple[Quota, ...] = ()
        self.isolated: str | None = None
        self.kernel_events: dict[str, int] = {}
        self.events: FakeEvents | None = None
        self.threads: dict[int, TaskContext] = {}
        self.periods: dict[int, MeasuredPeriod] = {}
        self.slack_ns: dict[int, int] = {}  # of the threads, by TID
        self.installed: str | None = "a" * 64
        self.object: str | None = None  # which runs
        self.interrupted = False  # a swap was killed between detach and attach
        self.dump = ""

    def eject(self, record: ExitRecord) -> None:
        """The kernel ends the scheduler on its own: link and pins stay."""
        self.running, self.exit = False, record

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.refuse_at -= 1
        if self.fail == name or self.refuse_at == 0:
            self.fail = ""
            raise ApplyError(f"refused: {name}")

    # --- kernel.protocol.Kernel --------------------------------------------------------------

    def check(self, takeover: bool = False) -> None:
        if not self.root:
            raise PrivilegeError("changing the scheduler needs root")
        self.sched_state()
        self.check_isolation()
        if self.foreign and not takeover:
            raise ConflictError(f"another scheduler is attached: {self.foreign}")

    def sched_state(self) -> SchedState:
        if not self.sched_ext:
            raise HostError("this kernel has no sched_ext")
        ops = self.foreign or (OPS_NAME if self.running else None)
        return SchedState(ENABLED if ops else DISABLED, ops, self.enable_seq)

    def check_isolation(self) -> None:
        if self.isolated:
            raise HostError(f"CPUs {self.isolated} are isolated by isolcpus=")

    def quotas(self) -> tuple[Quota, ...]:
        return self.limits

    def read_events(self) -> dict[str, int]:
        return self.kernel_events if self.running else {}

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
        self.object = self.object_id()
        self.enable_seq += 1

    def object_id(self) -> str:
        if self.installed is None:
            raise HostError("no object")
        return self.installed

    def running_object_id(self) -> str | None:
        return self.object if self.link else None

    def swap(self, policy: bytes) -> SwapReport:
        self._need()
        self._call("load")
        installed, old_layout = self.object_id(), version_of(self.slots[self.active]) != ABI_VERSION
        self._call("swap")
        if old_layout:
            self.slots, self.active = [policy, b""], 0
        self.object, self.exit = installed, ExitRecord()
        self.enable_seq += 1
        return SwapReport(50_000_000, 20_000_000, 10_000_000)

    def converge(self) -> str | None:
        if not self.interrupted:
            return None
        self.interrupted, self.running, self.exit = False, True, ExitRecord()
        return "a swap that was interrupted is undone"

    def end_foreign(self) -> None:
        self._call("end_foreign")
        self.foreign = None

    def active_slot(self) -> int:
        self._need()
        return self.active

    def read_policy(self, slot: int) -> bytes:
        self._need()
        return self.slots[slot]

    def read_heading(self) -> Heading:
        self._need()
        return heading_of(self.slots[self.active])

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
        return self.totals

    def read_exit_record(self) -> ExitRecord | None:
        return self.exit if self.link else None

    def read_exit_dump(self) -> str:
        return self.dump if self.link else ""

    def listen(self) -> FakeEvents:
        self._need()
        self.events = FakeEvents()
        return self.events

    def contexts(self) -> Iterator[tuple[int, TaskContext]]:
        self._need()
        yield from list(self.threads.items())

    def measured_period(self, tid: int) -> MeasuredPeriod | None:
        self._need()
        return self.periods.get(tid)

    def set_slack(self, tid: int, choose: ChooseSlack) -> bool:
        self._need()
        if tid not in self.threads:
            return False
        wanted_ns = choose(self.threads[tid], self.slack_ns[tid])
        if wanted_ns is None or wanted_ns == self.slack_ns[tid]:
            return False
        self.slack_ns[tid] = wanted_ns
        return True

    def give_slack_back(self) -> None:
        if self.link:
            for tid in self.threads:
                self.set_slack(tid, given_back)

    def detach(self) -> None:
        self._call("detach")
        self.running = False
        self.release()

    def release(self) -> None:
        if self.running:
            raise ConflictError("the scheduler still runs")
        self.give_slack_back()
        self.link, self.slots, self.threads = False, [], {}

    def _need(self) -> None:
        if not self.link:
            raise NotAttachedError("no scheduler of schedctl")


def _check_size(policy: bytes) -> None:
    try:
        split(policy)
    except ValueError as error:
        raise ApplyError(f"not written: {error}") from None
