# SPDX-License-Identifier: GPL-2.0-only
"""What every kernel behind schedctl.kernel.protocol does and refuses; the fake and the real one pass it.

Needs nothing but schedctl itself, so that it also runs as a program in the guest, on the real kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from schedctl.errors import ApplyError, ConflictError, SchedctlError
from schedctl.image.abi import decode, encode
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.image.stats import ClassStats
from schedctl.image.task import EventKind
from schedctl.kernel.protocol import Kernel, NotAttachedError
from schedctl.profile.model import Order, Tier

DEFAULT = ImageClass("default", Tier.FAIR, 0, 0, 0, 100)


def policy(slot: int = 0, generation: int = 1, share: str = "1/10") -> bytes:
    return encode(PolicyImage("contract", Order.EDF, Fraction(share), (DEFAULT,), ()), slot, generation)


def refused(call: Callable[[], object], kind: type[SchedctlError]) -> None:
    try:
        call()
    except kind:
        return
    raise AssertionError(f"not refused with {kind.__name__}")


def running(kernel: Kernel) -> None:
    """policy(), of an attach of its own or, as loading takes seconds there, of the check before."""
    if not kernel.sched_state().ours:
        kernel.attach(policy())
    assert kernel.read_policy(kernel.active_slot()) == policy()


def detached_says_so(kernel: Kernel) -> None:
    state = kernel.sched_state()
    assert (state.state, state.ops, state.ours) == ("disabled", None, False)
    assert not kernel.pinned()
    assert kernel.read_exit_record() is None
    reads = (kernel.active_slot, lambda: kernel.read_policy(0), kernel.read_sched_stats, kernel.read_heading)
    for call in reads:
        refused(call, NotAttachedError)


def attach_runs_the_policy(kernel: Kernel) -> None:
    before = kernel.sched_state().enable_seq
    kernel.attach(policy())
    state = kernel.sched_state()
    assert state.ours
    assert state.enable_seq == before + 1
    assert kernel.pinned()
    assert kernel.active_slot() == 0
    assert kernel.read_policy(0) == policy()
    record = kernel.read_exit_record()
    assert record is not None
    assert record.kind == 0


def a_second_attach_is_refused(kernel: Kernel) -> None:
    running(kernel)
    refused(lambda: kernel.attach(policy(share="1/5")), ConflictError)
    assert kernel.read_policy(kernel.active_slot()) == policy()


def the_active_slot_is_not_written(kernel: Kernel) -> None:
    running(kernel)
    refused(lambda: kernel.write_policy(0, policy(share="1/5")), ApplyError)
    assert kernel.read_policy(0) == policy()


def another_size_is_refused(kernel: Kernel) -> None:
    refused(lambda: kernel.attach(policy()[:-1]), ApplyError)
    assert not kernel.pinned()
    assert not kernel.sched_state().ours
    kernel.attach(policy())
    refused(lambda: kernel.write_policy(1, policy(1) + b"\0"), ApplyError)


def flips_go_back_and_forth(kernel: Kernel) -> None:
    running(kernel)
    for generation, slot in ((2, 1), (3, 0), (4, 1)):
        written = policy(slot, generation, "1/5")
        kernel.write_policy(slot, written)
        assert kernel.read_policy(slot) == written
        assert kernel.active_slot() != slot
        kernel.flip(slot)
        assert kernel.active_slot() == slot
        assert decode(kernel.read_policy(slot))[1:] == (generation, slot)
        heading = kernel.read_heading()
        assert (heading.generation, heading.names, heading.slack_ns) == (generation, ("default",), (0,))
    refused(lambda: kernel.flip(2), ApplyError)
    assert kernel.active_slot() == 1


def figures_are_per_slot(kernel: Kernel) -> None:
    running(kernel)
    kernel.clear_class_stats(1, 3)
    assert kernel.read_class_stats(1, 3) == (ClassStats(),) * 3
    assert len(kernel.read_class_stats(0, 1)) == 1
    kernel.read_sched_stats()


def events_are_read_by_who_listens(kernel: Kernel) -> None:
    refused(kernel.listen, NotAttachedError)
    refused(lambda: list(kernel.contexts()), NotAttachedError)
    refused(lambda: kernel.measured_period(1), NotAttachedError)
    kernel.attach(policy())
    threads_without_a_class_keep_their_slack(kernel)
    source = kernel.listen()
    assert source.fileno() >= 0
    assert source.read() == ()
    source.close()
    source = kernel.listen()
    kernel.detach()
    kinds = {event.kind for event in source.read()}
    assert kinds <= {EventKind.EXIT}, "it stays open beyond the scheduler"
    source.close()
    assert kernel.read_events() == {}


def threads_without_a_class_keep_their_slack(kernel: Kernel) -> None:
    for tid, context in kernel.contexts():
        assert not context.slack_ns
        assert not kernel.set_slack(tid, lambda _context, _now_ns: 1)
        assert kernel.measured_period(tid) is None
    assert not kernel.set_slack(2**22, lambda _context, _now_ns: 1), "there is no such thread"
    assert kernel.measured_period(2**22) is None


def release_spares_what_runs(kernel: Kernel) -> None:
    running(kernel)
    refused(kernel.release, ConflictError)
    assert kernel.sched_state().ours
    assert kernel.pinned()


def detach_leaves_nothing(kernel: Kernel) -> None:
    kernel.attach(policy())
    kernel.detach()
    detached_says_so(kernel)
    kernel.detach()
    kernel.attach(policy())
    assert kernel.sched_state().ours


def an_object_is_swapped_for_itself(kernel: Kernel) -> None:
    """Any object would do: policy and generation stay, and nothing is left of the one before."""
    kernel.attach(policy())
    assert kernel.running_object_id() == kernel.object_id()
    kernel.write_policy(1, policy(1, 2, "1/5"))
    kernel.flip(1)
    before = kernel.sched_state().enable_seq
    report = kernel.swap(policy(share="1/2"))
    assert report.gap_ns > 0
    assert kernel.sched_state().ours
    assert kernel.sched_state().enable_seq > before
    assert (kernel.active_slot(), kernel.read_policy(1)) == (1, policy(1, 2, "1/5"))
    record = kernel.read_exit_record()
    assert record is not None
    assert record.kind == 0
    assert kernel.converge() is None
    assert kernel.read_exit_dump() == ""
    kernel.detach()
    detached_says_so(kernel)


def a_swap_needs_a_scheduler(kernel: Kernel) -> None:
    """What becomes of one that fails is for test_swap.py, which has objects that fail."""
    refused(lambda: kernel.swap(policy()), NotAttachedError)
    detached_says_so(kernel)


TAKE_WHAT_RUNS: tuple[Callable[[Kernel], None], ...] = (
    a_second_attach_is_refused,
    the_active_slot_is_not_written,
    figures_are_per_slot,
    release_spares_what_runs,
    flips_go_back_and_forth,
)
CONTRACT: tuple[Callable[[Kernel], None], ...] = (
    detached_says_so,
    attach_runs_the_policy,
    *TAKE_WHAT_RUNS,
    another_size_is_refused,
    events_are_read_by_who_listens,
    detach_leaves_nothing,
    an_object_is_swapped_for_itself,
    a_swap_needs_a_scheduler,
)


def main() -> None:
    from schedctl.kernel.real import RealKernel

    for check in CONTRACT:
        kernel = RealKernel()
        if check not in TAKE_WHAT_RUNS:
            kernel.detach()
        check(kernel)
        print(check.__name__, flush=True)
    RealKernel().detach()


if __name__ == "__main__":
    main()
