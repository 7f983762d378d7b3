# SPDX-License-Identifier: GPL-2.0-only
"""The running kernel behind kernel/protocol.py: libbpf, bpffs and sysfs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schedctl import paths
from schedctl.errors import (
    ApplyError,
    ConflictError,
    HostError,
    PrivilegeError,
    StateError,
    VerificationError,
)
from schedctl.image import abi
from schedctl.image.stats import (
    ClassStats,
    ExitRecord,
    SchedStats,
    decode_class_stats,
    decode_exit_record,
    decode_sched_stats,
)
from schedctl.image.task import MeasuredPeriod, TaskContext, TaskFlag, decode_period
from schedctl.kernel import cgroupfs, libbpf, procfs, slack, sysfs
from schedctl.kernel.protocol import NR_SLOTS, ChooseSlack, NotAttachedError, Quota, SchedState
from schedctl.kernel.rings import RingReader, fill_rings
from schedctl.kernel.tables import TABLE_MAPS, read_table, refused, split, write_table
from schedctl.slack import given_back

BPFFS = Path("/sys/fs/bpf")
OPS_MAP = "schedctl_ops"
SLOT_MAPS = ("policy_a", "policy_b")
# The kernel cancels the timers of a map that user space neither holds nor has pinned.
PINNED_MAPS = (
    *("policy", *SLOT_MAPS, *TABLE_MAPS, "class_stats", "sched_stats", "exit_record", "task_ctxs"),
    *("end_timers", "events", "control", "population", "period_ctxs"),
)
# An attach under load waits for every thread to pass through the kernel's bypass mode.
SETTLE_S = 10.0
POLL_S = 0.02
LOG_LINES_SHOWN = 15


class RealKernel:
    """See protocol.Kernel. Holds no state: every call asks the kernel."""

    def __init__(self, pins: Path = BPFFS / "schedctl", object_path: Path | None = None) -> None:
        self._pins = pins
        self._object = object_path

    # --- state -------------------------------------------------------------------------------

    def check(self) -> None:
        if os.geteuid() != 0:
            raise PrivilegeError("changing the scheduler needs root", "run it as root, for example with sudo")
        state = sysfs.read_state()
        sysfs.check_not_off()
        sysfs.check_isolation()
        sysfs.check_btf()
        libbpf.library()
        if not os.path.ismount(BPFFS):
            raise HostError(f"no BPF file system at {BPFFS}", f"mount -t bpf bpf {BPFFS}")
        if state.foreign:
            raise ConflictError(
                f"another scheduler is attached: {state.foreign}", "stop it first, then try again"
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
        return self._link.exists()

    @property
    def _link(self) -> Path:
        return self._pins / "link"

    # --- attach and detach -------------------------------------------------------------------

    def attach(self, policy: bytes) -> None:
        path = self._object or paths.bpf_object()
        abi.check_object(path)
        self.release()
        with libbpf.MessageLog() as log:
            try:
                bpf = libbpf.Object(str(path))
            except OSError as error:
                raise HostError(f"{path}: {error.strerror}", "run `make build` or reinstall") from error
            try:
                self._load(bpf, log)
                self._preset(bpf, policy)
                self._start(bpf)
            finally:
                bpf.close()

    def _load(self, bpf: libbpf.Object, log: libbpf.MessageLog) -> None:
        try:
            bpf.load()
        except OSError as error:
            where = _save_log(log.text)
            last = "\n".join(log.text.rstrip().splitlines()[-LOG_LINES_SHOWN:])
            raise ApplyError(
                f"the kernel refused the scheduler ({error.strerror}); the verifier's log is in {where}:"
                f"\n{last}",
                "please report it with that file and `uname -r`",
            ) from error

    def _preset(self, bpf: libbpf.Object, policy: bytes) -> None:
        """The policy, and room for events, are in place before the first thread asks for them."""
        with refused("there is no room for events"):
            fill_rings(bpf.map("events"))
        head, *tables = split(policy)
        slot, outers = bpf.map(SLOT_MAPS[0]), [bpf.map(name) for name in TABLE_MAPS]
        with refused("the policy cannot be written"):
            for name, outer, table in zip(TABLE_MAPS, outers, tables, strict=True):
                write_table(outer, 0, name, table)
            slot.update(head)
            sizes = map(len, tables)
            found = [read_table(outer, 0, size) for outer, size in zip(outers, sizes, strict=True)]
            if slot.lookup() + b"".join(found) != policy:
                raise VerificationError("the kernel holds another policy than was written")

    def _start(self, bpf: libbpf.Object) -> None:
        """Attach, believe only the kernel's state, pin; what fails leaves nothing behind."""
        with refused("the kernel did not attach the scheduler"):
            link = bpf.attach_struct_ops(OPS_MAP)
        try:
            self._await_enabled(bpf.map("exit_record"))
            with refused(f"the scheduler cannot be pinned in {self._pins}"):
                maps = self._pins / "maps"
                maps.mkdir(parents=True, exist_ok=True, mode=0o700)
                for name in PINNED_MAPS:
                    bpf.map(name).pin(str(maps / name))
                link.pin(str(self._link))
        except BaseException:
            link.close()
            self._unpin()
            raise
        link.close()

    def _await_enabled(self, exit_record: libbpf.Map) -> None:
        deadline = time.monotonic() + SETTLE_S
        while True:
            record = decode_exit_record(exit_record.lookup())
            if record.kind:
                raise ApplyError(
                    f"the kernel ended the scheduler at once: {record.text}", "see `journalctl -k`"
                )
            state = sysfs.read_state()
            if state.ours:
                return
            if time.monotonic() > deadline:
                raise ApplyError(
                    f"the scheduler is not running {SETTLE_S:g} s after its attach:"
                    f" state {state.state}, scheduler {state.ops or 'none'}",
                    "see `journalctl -k`",
                )
            time.sleep(POLL_S)

    def detach(self) -> None:
        if self.pinned():
            # while it runs, so that it knows children that are forked meanwhile: release() finds them
            self.give_slack_back()
            try:
                libbpf.detach_pinned_link(str(self._link))
            except OSError as error:
                if sysfs.read_state().ours:
                    raise ApplyError(
                        f"the kernel did not detach the scheduler: {error.strerror}",
                        "`echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
                    ) from error
            self._await_ended()
        self.release()

    def _await_ended(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while sysfs.read_state().ours:
            if time.monotonic() > deadline:
                raise ApplyError(
                    f"the scheduler still runs {SETTLE_S:g} s after its detach",
                    "`echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
                )
            time.sleep(POLL_S)

    def release(self) -> None:
        if sysfs.read_state().ours:
            raise ConflictError("the scheduler still runs", "run `schedctl detach` first")
        self.give_slack_back()
        self._unpin()

    def _unpin(self) -> None:
        # the link last: while it exists, the rest is known to be a leftover
        for pin in (*(self._pins / "maps" / name for name in PINNED_MAPS), self._link):
            with suppress(FileNotFoundError):
                pin.unlink()
        for directory in (self._pins / "maps", self._pins):
            with suppress(OSError):
                directory.rmdir()

    # --- the policy --------------------------------------------------------------------------

    def active_slot(self) -> int:
        with self._map("policy") as outer:
            return self._slot_in(outer)

    def _slot_in(self, outer: libbpf.Map) -> int:
        active = int.from_bytes(outer.lookup()[:4], "little")
        for slot, name in enumerate(SLOT_MAPS):
            with self._map(name) as inner:
                if inner.id == active:
                    return slot
        raise VerificationError(
            "the running scheduler's policy is none of schedctl's", "`schedctl detach`, then apply again"
        )

    def read_policy(self, slot: int) -> bytes:
        with self._map(SLOT_MAPS[slot]) as inner:
            parts = [inner.lookup()]
        if abi.version_of(parts[0]) != abi.ABI_VERSION:
            return parts[0]
        for name, size in zip(TABLE_MAPS, abi.table_sizes(parts[0]), strict=True):
            with self._map(name) as outer:
                parts.append(read_table(outer, slot, size))
        return b"".join(parts)

    def read_heading(self) -> abi.Heading:
        with self._map(SLOT_MAPS[self.active_slot()]) as inner:
            try:
                return abi.heading_of(inner.lookup())
            except ValueError as error:
                raise ApplyError(f"the running scheduler's policy: {error}") from None

    def write_policy(self, slot: int, policy: bytes) -> None:
        if slot == self.active_slot():
            raise ApplyError("the active policy is never written to")
        head, *tables = split(policy)
        for name, table in zip(TABLE_MAPS, tables, strict=True):
            with self._map(name) as outer:
                write_table(outer, slot, name, table)
        with self._map(SLOT_MAPS[slot]) as inner:
            inner.update(head)
        with self._map("population") as population:
            zeros = bytes(abi.MAX_CLASSES * population.value_size)
            population.fill(zeros, slot * abi.MAX_CLASSES)

    def flip(self, slot: int) -> None:
        if not 0 <= slot < NR_SLOTS:
            raise ApplyError(f"there is no policy slot {slot}")
        with self._map("policy") as outer, self._map(SLOT_MAPS[slot]) as inner:
            outer.update(inner.fd.to_bytes(4, "little"))

    # --- figures -----------------------------------------------------------------------------

    def clear_class_stats(self, slot: int, count: int) -> None:
        with self._map("class_stats") as stats:
            first = slot * abi.MAX_CLASSES
            for index in range(first, first + count):
                stats.clear_per_cpu(index)

    def read_class_stats(self, slot: int, count: int) -> tuple[ClassStats, ...]:
        with self._map("class_stats") as stats:
            first = slot * abi.MAX_CLASSES
            return tuple(decode_class_stats(stats.lookup_per_cpu(first + i)) for i in range(count))

    def read_sched_stats(self) -> SchedStats:
        with self._map("sched_stats") as stats:
            return decode_sched_stats(stats.lookup_per_cpu())

    def read_exit_record(self) -> ExitRecord | None:
        try:
            with self._map("exit_record") as record:
                return decode_exit_record(record.lookup())
        except NotAttachedError:
            return None

    # --- threads and events --------------------------------------------------------------------

    def listen(self) -> RingReader:
        with self._map("events") as outer:
            return RingReader(outer, self._pins / "maps" / "control")

    def contexts(self) -> Iterator[tuple[int, TaskContext]]:
        with self._map("task_ctxs") as contexts:
            for tid in procfs.thread_ids():
                with slack.thread_pidfd(tid) as pidfd:
                    found = None if pidfd is None else slack.context_of(contexts, pidfd)
                if found is not None:
                    yield tid, found

    def measured_period(self, tid: int) -> MeasuredPeriod | None:
        with self._map("task_ctxs") as contexts, slack.thread_pidfd(tid) as pidfd:
            context = None if pidfd is None else slack.context_of(contexts, pidfd)
            if pidfd is None or context is None or TaskFlag.MEASURED not in context.flags:
                return None
            with self._map("period_ctxs") as periods:
                try:
                    return decode_period(periods.lookup(pidfd))
                except (OSError, ValueError):  # not released since it came to its class
                    return None

    def set_slack(self, tid: int, choose: ChooseSlack) -> bool:
        with self._map("task_ctxs") as contexts:
            return slack.set_slack(contexts, tid, choose)

    def give_slack_back(self) -> None:
        with suppress(NotAttachedError):
            for tid, context in self.contexts():
                if context.slack_ns:
                    self.set_slack(tid, given_back)

    @contextmanager
    def _map(self, name: str) -> Iterator[libbpf.Map]:
        path = self._pins / "maps" / name
        with refused(f"map {name} of the running scheduler"):
            try:
                found = libbpf.Map.from_pin(str(path))
            except FileNotFoundError:
                raise NotAttachedError(f"no scheduler of schedctl: {path} does not exist") from None
            try:
                yield found
            finally:
                found.close()


def _save_log(text: str) -> Path:
    path = paths.state_dir() / "verifier.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise StateError(
            f"the kernel refused the scheduler, and {path} cannot be written:"
            f" {error.strerror}\n{text[-2000:]}"
        ) from error
    return path
