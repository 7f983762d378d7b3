# SPDX-License-Identifier: GPL-2.0-only
"""A plan into the kernel: idle slot, read back, outer map. The old policy or the new one, never a mix.

STEPS is the list of docs/decisions.md, which says what each leaves behind when the process ends there.
The caller has done the first two, lock and plan.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from schedctl.books import Books
from schedctl.errors import ConflictError, SchedctlError, VerificationError
from schedctl.image.abi import ABI_VERSION, encode, generation_of, version_of
from schedctl.kernel.protocol import NR_SLOTS, Kernel, SwapReport
from schedctl.log import Priority, log
from schedctl.observe import Observation, observe
from schedctl.plan import Action, Plan

FIRST_GENERATION = 1


def apply_plan(kernel: Kernel, plan: Plan, books: Books | None = None) -> Observation:
    """Carry out the plan and read back what runs now.

    The caller holds the lock. ConflictError: the plan is stale. ApplyError, VerificationError,
    StateError: what ran before still runs, or nothing where nothing ran; behind a swap the new scheduler.
    """
    return Apply(kernel, plan, books or Books()).run()


class Apply:
    """One apply under way: `run` takes the steps in their order, and back what they did where one fails."""

    def __init__(self, kernel: Kernel, plan: Plan, books: Books) -> None:
        self._kernel, self._plan, self._books = kernel, plan, books
        self._old_slot = self._idle = 0
        self._written = b""
        self._switched = self._swapped = False
        self._observation: Observation | None = None

    def run(self) -> Observation:
        try:
            for step in STEPS:
                step(self)
        except BaseException as error:
            self._undo(error)
            raise
        finally:
            self._books.close()
        assert self._observation is not None
        return self._observation

    # --- the steps -----------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """What ran, and the new notes beside the old ones: a full disk shows here."""
        self._books.checkpoint()

    def pending(self) -> None:
        """When what ran comes back: counted by somebody else before anything changes."""
        self._books.pending()

    def trying(self) -> None:
        """A machine that does not survive the attach will find this."""
        self._books.trying()

    def write(self) -> None:
        """The idle slot; a first attach has none yet, and writes, reads and compares by itself."""
        if Action.CHANGE not in self._plan.actions:
            return
        kernel = self._kernel
        self._old_slot = kernel.active_slot()
        self._idle = (self._old_slot + 1) % NR_SLOTS
        active = generation_of(kernel.read_policy(self._old_slot))
        if active != self._plan.generation:
            raise ConflictError("the running policy has changed since the plan was made", "plan again")
        # threads that a policy classified which did not stay are not to look as if they were up to date
        latest = max(active, _generation(kernel.read_policy(self._idle)))
        self._written = encode(self._plan.desired, self._idle, latest + 1, secrets.randbits(64))
        kernel.write_policy(self._idle, self._written)

    def read_back(self) -> None:
        if self._written and self._kernel.read_policy(self._idle) != self._written:
            raise VerificationError("the kernel did not keep the new policy; the old one still runs")

    def flip(self) -> None:
        """The one call after which the new policy runs."""
        kernel, plan = self._kernel, self._plan
        for action in plan.actions:
            match action:
                case Action.RELEASE:
                    kernel.release()
                case Action.ATTACH:
                    policy = encode(plan.desired, 0, FIRST_GENERATION, secrets.randbits(64))
                    kernel.attach(policy)
                    self._switched = True
                case Action.SWAP:
                    policy = encode(plan.desired, 0, FIRST_GENERATION, secrets.randbits(64))
                    report = kernel.swap(policy)
                    self._swapped = True
                    _say_swap(report)
                case Action.CHANGE:
                    kernel.clear_class_stats(self._idle, len(plan.desired.classes))
                    self._switched = True
                    kernel.flip(self._idle)

    def verify(self) -> None:
        self._observation = observe(self._kernel)
        if self._observation.image != self._plan.desired:
            raise VerificationError(
                "the kernel runs another policy than was written", "see `schedctl status`"
            )

    def note(self) -> None:
        """What a person selected: a daemon that wakes up finds nothing to change."""
        self._books.note()

    def history(self) -> None:
        self._books.history()

    def commit(self) -> None:
        self._books.commit()

    def keep(self) -> None:
        """Who says that the policy is good: see trying.py."""
        self._books.keep()

    # --- and back -------------------------------------------------------------------------------

    def _undo(self, error: BaseException) -> None:
        """The old policy, and the old notes; where the kernel refuses even that, the error says so.

        A swap is not taken back: nothing of ours would run meanwhile, once more.
        """
        try:
            if self._switched:
                self._switch_back()
            if self._swapped and isinstance(error, SchedctlError):
                policy = "old" if self._plan.live is not None else "new"
                error.message += f"; the installed scheduler runs now, with the {policy} policy"
                error.old_runs = False
        except SchedctlError as refusal:
            if isinstance(error, SchedctlError):
                error.message += f"; and what ran before could not be brought back: {refusal.message}"
                error.old_runs = False
        finally:
            reason = error.message if isinstance(error, SchedctlError) else repr(error)
            self._books.undo(reason, self._swapped)

    def _switch_back(self) -> None:
        if Action.ATTACH in self._plan.actions:
            self._kernel.detach()
        elif self._kernel.active_slot() == self._idle:
            self._kernel.flip(self._old_slot)


STEPS: tuple[Callable[[Apply], None], ...] = (
    Apply.checkpoint,
    Apply.pending,
    Apply.trying,
    Apply.write,
    Apply.read_back,
    Apply.flip,
    Apply.verify,
    Apply.note,
    Apply.history,
    Apply.commit,
    Apply.keep,
)


def _generation(policy: bytes) -> int:
    """Of an idle slot, which may have nothing in it yet."""
    if len(policy) < 4 or version_of(policy) != ABI_VERSION:
        return 0
    return generation_of(policy)


def _say_swap(report: SwapReport) -> None:
    times = [f"nothing of ours ran for {_ms(report.gap_ns)}"]
    times.append(f"the longest fork took {_ms(report.longest_fork_ns)}")
    if report.bypass_ns is not None:
        times.append(f"the kernel counts {_ms(report.bypass_ns)} in bypass")
    log(
        "\n".join([f"the scheduler was replaced by the installed one: {', '.join(times)}", *report.dropped]),
        "swapped",
        Priority.NOTICE,
        gap_ns=report.gap_ns,
        longest_fork_ns=report.longest_fork_ns,
        bypass_ns=report.bypass_ns,
    )


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.1f} ms"
