# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel behind kernel/protocol.py: libbpf, bpffs and sysfs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from schedctl import paths
from schedctl.errors import ApplyError, ConflictError, HostError, PrivilegeError, VerificationError
from schedctl.image import abi
from schedctl.image.identity import identity_of
from schedctl.image.stats import (
    ClassStats,
    ExitRecord,
    SchedStats,
    decode_class_stats,
    decode_exit_record,
    decode_sched_stats,
)
from schedctl.image.task import MeasuredPeriod, TaskContext, TaskFlag, decode_period
from schedctl.kernel import cgroupfs, libbpf, procfs, slack, swap, sysfs
from schedctl.kernel.attach import POLL_S, SETTLE_S, await_enabled, loaded, preset
from schedctl.kernel.pins import OPS_MAP, SLOT_MAPS, Pins
from schedctl.kernel.protocol import (
    DISABLED,
    NR_SLOTS,
    ChooseSlack,
    NotAttachedError,
    Quota,
    SchedState,
    SwapReport,
)
from schedctl.kernel.rings import RingReader
from schedctl.kernel.tables import TABLE_MAPS, read_table, refused, split, write_table
from schedctl.ownership import check_ours

BPFFS = Path("/sys/fs/bpf")


class RealKernel:
    """See protocol.Kernel. Holds no state: every call asks the kernel."""

    def __init__(self, pins: Path = BPFFS / "schedctl", object_path: Path | None = None) -> None:
        self._pins = Pins(pins)
        self._object = object_path

    # --- state -------------------------------------------------------------------------------

    def check(self, takeover: bool = False) -> None:
        if os.geteuid() != 0:
            raise PrivilegeError("changing the scheduler needs root", "run it as root, for example with sudo")
        state = sysfs.read_state()
        sysfs.check_not_off()
        sysfs.check_isolation()
        sysfs.check_btf()
        libbpf.library()
        check_bpffs()
        if state.foreign and not takeover:
            raise ConflictError(
                f"another scheduler is attached: {state.foreign}",
                "stop it first, or let `schedctl apply --takeover` end it",
            )

    def sched_state(self) -> SchedState:
        return sysfs.read_state()

    def check_isolation(self) -> None:
        sysfs.check_isolation()

    def quotas(self) -> tuple[Quota, ...]:
        return cgroupfs.read_quotas()

    def read_events(self) -> dict[str, int]:
        return sysfs.read_events()

    def privileged(self) -> bool:
        return os.geteuid() == 0

    def pinned(self) -> bool:
        return self._pins.link.exists()

    # --- attach and detach -------------------------------------------------------------------

    def attach(self, policy: bytes) -> None:
        self.release()
        with loaded(self._path(), {}) as (bpf, _):
            preset(bpf, policy)
            self._start(bpf)

    def _path(self) -> Path:
        return self._object or paths.bpf_object()

    def _start(self, bpf: libbpf.Object) -> None:
        """Attach, believe only the kernel's state, pin; what fails leaves nothing behind."""
        with refused("the kernel did not attach the scheduler"):
            link = bpf.attach_struct_ops(OPS_MAP)
        try:
            await_enabled(lambda: decode_exit_record(bpf.map("exit_record").lookup()))
            with refused(f"the scheduler cannot be pinned in {self._pins.directory}"):
                self._pins.pin_maps(bpf)
                link.pin(str(self._pins.link))
        except BaseException:
            link.detach()
            self._pins.remove()
            raise
        finally:
            link.close()

    def object_id(self) -> str:
        return identity_of(self._path()).object_id

    def running_object_id(self) -> str | None:
        identity = self._pins.identity()
        return identity.object_id if identity else None

    def swap(self, policy: bytes) -> SwapReport:
        return swap.swap(self._pins, self._path(), policy)

    def converge(self) -> str | None:
        return swap.converge(self._pins)

    def detach(self) -> None:
        for pins in (self._pins.next, self._pins):
            if pins.link.exists():
                check_ours(pins.directory)
                # while it runs, so that it knows children that are forked meanwhile: release() finds them
                swap.give_slack_back(pins)
                swap.detach_link(pins)
        self.release()

    def release(self) -> None:
        if sysfs.read_state().ours:
            raise ConflictError("the scheduler still runs", "run `schedctl detach` first")
        for pins in (self._pins.next, self._pins):
            swap.give_slack_back(pins)
            pins.remove()

    def end_foreign(self) -> None:
        sysfs.end_by_sysrq()
        deadline = time.monotonic() + SETTLE_S
        while (state := sysfs.read_state()).state != DISABLED:
            if time.monotonic() > deadline:
                raise ApplyError(f"{state.ops or 'another scheduler'} still runs after SysRq-S")
            time.sleep(POLL_S)

    # --- the policy --------------------------------------------------------------------------

    def active_slot(self) -> int:
        with self._pins.map("policy") as outer:
            return self._slot_in(outer)

    def _slot_in(self, outer: libbpf.Map) -> int:
        active = int.from_bytes(outer.lookup()[:4], "little")
        for slot, name in enumerate(SLOT_MAPS):
            with self._pins.map(name) as inner:
                if inner.id == active:
                    return slot
        raise VerificationError(
            "the running scheduler's policy is none of schedctl's", "`schedctl detach`, then apply again"
        )

    def read_policy(self, slot: int) -> bytes:
        with self._pins.map(SLOT_MAPS[slot]) as inner:
            parts = [inner.lookup()]
        if abi.version_of(parts[0]) != abi.ABI_VERSION:
            return parts[0]
        for name, size in zip(TABLE_MAPS, abi.table_sizes(parts[0]), strict=True):
            with self._pins.map(name) as outer:
                parts.append(read_table(outer, slot, size))
        return b"".join(parts)

    def read_heading(self) -> abi.Heading:
        with self._pins.map(SLOT_MAPS[self.active_slot()]) as inner:
            try:
                return abi.heading_of(inner.lookup())
            except ValueError as error:
                raise ApplyError(f"the running scheduler's policy: {error}") from None

    def write_policy(self, slot: int, policy: bytes) -> None:
        if slot == self.active_slot():
            raise ApplyError("the active policy is never written to")
        head, *tables = split(policy)
        for name, table in zip(TABLE_MAPS, tables, strict=True):
            with self._pins.map(name) as outer:
                write_table(outer, slot, name, table)
        with self._pins.map(SLOT_MAPS[slot]) as inner:
            inner.update(head)
        with self._pins.map("population") as population:
            zeros = bytes(abi.MAX_CLASSES * population.value_size)
            population.fill(zeros, slot * abi.MAX_CLASSES)

    def flip(self, slot: int) -> None:
        if not 0 <= slot < NR_SLOTS:
            raise ApplyError(f"there is no policy slot {slot}")
        with self._pins.map("policy") as outer, self._pins.map(SLOT_MAPS[slot]) as inner:
            outer.update(inner.fd.to_bytes(4, "little"))

    # --- figures -----------------------------------------------------------------------------

    def clear_class_stats(self, slot: int, count: int) -> None:
        with self._pins.map("class_stats") as stats:
            first = slot * abi.MAX_CLASSES
            for index in range(first, first + count):
                stats.clear_per_cpu(index)

    def read_class_stats(self, slot: int, count: int) -> tuple[ClassStats, ...]:
        with self._pins.map("class_stats") as stats:
            first = slot * abi.MAX_CLASSES
            return tuple(decode_class_stats(stats.lookup_per_cpu(first + i)) for i in range(count))

    def read_sched_stats(self) -> SchedStats:
        with self._pins.map("sched_stats") as stats:
            return decode_sched_stats(stats.lookup_per_cpu())

    def read_exit_record(self) -> ExitRecord | None:
        return self._pins.exit_record()

    def read_exit_dump(self) -> str:
        try:
            with self._pins.map("exit_dump") as dump:
                return dump.lookup().partition(b"\0")[0].decode("utf-8", "replace")
        except NotAttachedError:
            return ""

    # --- threads and events --------------------------------------------------------------------

    def listen(self) -> RingReader:
        with self._pins.map("events") as outer:
            return RingReader(outer, self._pins.maps / "control")

    def contexts(self) -> Iterator[tuple[int, TaskContext]]:
        with self._pins.map("task_ctxs") as contexts:
            for tid in procfs.thread_ids():
                with slack.thread_pidfd(tid) as pidfd:
                    found = None if pidfd is None else slack.context_of(contexts, pidfd)
                if found is not None:
                    yield tid, found

    def measured_period(self, tid: int) -> MeasuredPeriod | None:
        with self._pins.map("task_ctxs") as contexts, slack.thread_pidfd(tid) as pidfd:
            context = None if pidfd is None else slack.context_of(contexts, pidfd)
            if pidfd is None or context is None or TaskFlag.MEASURED not in context.flags:
                return None
            with self._pins.map("period_ctxs") as periods:
                try:
                    return decode_period(periods.lookup(pidfd))
                except (OSError, ValueError):  # not released since it came to its class
                    return None

    def set_slack(self, tid: int, choose: ChooseSlack) -> bool:
        with self._pins.map("task_ctxs") as contexts:
            return slack.set_slack(contexts, tid, choose)

    def give_slack_back(self) -> None:
        swap.give_slack_back(self._pins)


def check_bpffs() -> None:
    if not os.path.ismount(BPFFS):
        raise HostError(f"no BPF file system at {BPFFS}", f"mount -t bpf -o mode=0700 bpf {BPFFS}")
