# SPDX-License-Identifier: GPL-2.0-only
"""One scheduler replaced by another: loaded while the old one runs, the old one back where it fails.

Between the two the kernel's fair class runs everything. The steps, and what a kill leaves behind at each,
are in docs/decisions.md; `converge` is how the next start goes on.
"""

from __future__ import annotations

import _thread
import errno
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from schedctl.errors import ApplyError, SchedctlError, StateError
from schedctl.image import abi
from schedctl.image.identity import Identity, identity_of
from schedctl.image.stats import ExitRecord, decode_exit_record, encode_exit_record
from schedctl.kernel import libbpf, procfs, slack, sysfs
from schedctl.kernel.attach import await_enabled, await_ended, loaded, preset
from schedctl.kernel.pins import OPS_MAP, TABLES, THREADS, Pins
from schedctl.kernel.protocol import NotAttachedError, SwapReport
from schedctl.kernel.tables import refused

PROBE_PAUSE_S = 0.002


def swap(pins: Pins, path: Path, policy: bytes) -> SwapReport:
    """See protocol.Kernel.swap."""
    running = pins.identity()
    if running is None and not pins.link.exists():
        raise NotAttachedError("no scheduler of schedctl is there to be replaced")
    if running is None:
        raise ApplyError(
            "the running scheduler is of a version that cannot be replaced while it runs",
            "`schedctl detach`, then apply again",
        )
    staged = pins.next
    staged.remove()
    with ExitStack() as stack:
        abi.check_object(path)
        kept, dropped = _kept(running, identity_of(path))
        shared = {name: stack.enter_context(pins.map(name)) for name in kept}
        bpf, _ = stack.enter_context(loaded(path, shared))
        try:
            if "policy" not in shared:
                preset(bpf, policy)
            with refused(f"the new scheduler cannot be pinned in {staged.directory}"):
                staged.pin_maps(bpf)
            if "task_ctxs" not in shared:
                give_slack_back(pins)
        except BaseException:
            staged.remove()
            raise
        report = _exchange(pins, bpf, dropped)
    remove_replaced(staged)
    return report


def remove_replaced(staged: Pins) -> None:
    """After the exchange, what is pinned there is the scheduler of before: harmless where it has to stay."""
    with suppress(StateError):
        staged.remove()


def _kept(running: Identity, coming: Identity) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(maps that are shared, what is dropped in sentences for people)."""
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    if coming.shares_tables(running):
        kept += TABLES
    else:
        dropped += ("statistics begin anew: their layout has changed",)
    if coming.shares_threads(running):
        kept += THREADS
    else:
        dropped += ("measured periods begin anew: their layout has changed; timer slack was given back",)
    return kept, dropped


def _exchange(pins: Pins, bpf: libbpf.Object, dropped: tuple[str, ...]) -> SwapReport:
    """Detach, attach, judge; the new pins take their names. The old scheduler is back where that fails."""
    link: libbpf.Link | None = None
    with _forking() as longest_ns:
        begun = time.monotonic_ns()
        detach_link(pins)
        try:
            with refused("the kernel did not attach the new scheduler"):
                link = bpf.attach_struct_ops(OPS_MAP)
            await_enabled(lambda: decode_exit_record(bpf.map("exit_record").lookup()))
            gap_ns = time.monotonic_ns() - begun
            with refused("the new scheduler cannot be pinned"):
                link.pin(str(pins.next.link))
                pins.exchange(pins.next)
        except BaseException as error:
            if link is not None:
                link.detach()
            _fall_back(pins)
            pins.next.remove()
            if isinstance(error, SchedctlError):
                error.message += "; the one before runs again"
            raise
        finally:
            if link is not None:
                link.close()
    bypass_ns = sysfs.read_events().get("BYPASS_DURATION")
    return SwapReport(gap_ns, longest_ns(), bypass_ns, dropped)


def detach_link(pins: Pins) -> None:
    """Returns when the scheduler has ended, which counts, not what the call says."""
    try:
        link = libbpf.Link.from_pin(str(pins.link))
        try:
            link.detach()
        finally:
            link.close()
    except OSError as error:
        if sysfs.read_state().ours:
            raise ApplyError(
                f"the kernel did not detach the scheduler: {error.strerror}",
                "`echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
            ) from error
    await_ended()


def _fall_back(pins: Pins) -> None:
    """Attach the scheduler that was detached once more, by its pinned struct_ops map."""
    with pins.map("exit_record") as record, pins.map(OPS_MAP) as ops:
        record.update(encode_exit_record(ExitRecord()))
        with refused("the scheduler of before could not be attached again, and the kernel's own runs"):
            link = _attach_again(ops)
        try:
            await_enabled(lambda: decode_exit_record(record.lookup()))
            pins.replace_link(link)
        except BaseException:
            link.detach()
            raise
        finally:
            link.close()


def _attach_again(ops: libbpf.Map) -> libbpf.Link:
    """The kernel says EBUSY while the scheduler before it is not quite gone."""
    for _ in range(10):
        try:
            return libbpf.Link.of_struct_ops(ops)
        except OSError as error:
            if error.errno != errno.EBUSY or sysfs.read_state().foreign:
                raise
            time.sleep(0.05)
    return libbpf.Link.of_struct_ops(ops)


def converge(pins: Pins) -> str | None:
    """Go on where a swap was killed; what was done, in a sentence, or None where there was none."""
    staged = pins.next
    if not staged.directory.exists():
        return None
    ours = sysfs.read_state().ours
    if ours and staged.attached():
        pins.exchange(staged)
        staged.remove()
        return "a swap that was interrupted is completed: the new scheduler runs"
    if sysfs.read_state().foreign or pins.attached() or not pins.link.exists():
        completed = staged.link.exists()  # a link of the one before: they were exchanged
        staged.remove()
        if completed:
            return "a swap that was interrupted is completed: what the scheduler of before left is removed"
        return "a swap that was interrupted is undone: the scheduler of before was never replaced"
    _fall_back(pins)
    staged.remove()
    return "a swap that was interrupted is undone: the scheduler of before is attached again"


def give_slack_back(pins: Pins) -> None:
    """To every thread, by what is pinned, whichever version's it is."""
    identity = pins.identity()
    if identity is None:
        return
    with suppress(NotAttachedError), pins.map("task_ctxs") as contexts:
        for tid in procfs.thread_ids():
            slack.give_back(contexts, tid, identity)


@contextmanager
def _forking() -> Iterator[Callable[[], int]]:
    """While it lasts threads are made, which wait for an attach as forks do; yields the longest in ns."""
    longest_ns, stop, ended = 0, False, _thread.allocate_lock()

    def probe() -> None:
        nonlocal longest_ns
        with ended:
            started.release()
            while not stop:
                before = time.monotonic_ns()
                _thread.start_new_thread(int, ())
                longest_ns = max(longest_ns, time.monotonic_ns() - before)
                time.sleep(PROBE_PAUSE_S)

    started = _thread.allocate_lock()
    started.acquire()
    _thread.start_new_thread(probe, ())
    started.acquire()
    try:
        yield lambda: longest_ns
    finally:
        stop = True
        ended.acquire()
