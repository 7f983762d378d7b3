# SPDX-License-Identifier: GPL-2.0-only
"""A plan into the kernel: idle slot, read back, outer map. The old policy or the new one, never a mix."""

from __future__ import annotations

import secrets

from schedctl.errors import ConflictError, VerificationError
from schedctl.image.abi import encode, generation_of
from schedctl.image.model import PolicyImage
from schedctl.kernel.protocol import NR_SLOTS, Kernel, SwapReport
from schedctl.log import Priority, log
from schedctl.observe import Observation, observe
from schedctl.plan import Action, Plan

FIRST_GENERATION = 1


def apply_plan(kernel: Kernel, plan: Plan) -> Observation:
    """Carry out the plan and read back what runs now.

    The caller holds the lock. ConflictError: the plan is stale. ApplyError, VerificationError: what
    ran before still runs, or nothing where nothing ran.
    """
    for action in plan.actions:
        match action:
            case Action.RELEASE:
                kernel.release()
            case Action.ATTACH:
                kernel.attach(encode(plan.desired, 0, FIRST_GENERATION, secrets.randbits(64)))
            case Action.SWAP:
                _say_swap(kernel.swap(encode(plan.desired, 0, FIRST_GENERATION, secrets.randbits(64))))
            case Action.CHANGE:
                assert plan.generation is not None
                _change(kernel, plan.desired, plan.generation)
    observation = observe(kernel)
    if observation.image != plan.desired:
        raise VerificationError("the kernel runs another policy than was written", "see `schedctl status`")
    return observation


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


def _change(kernel: Kernel, desired: PolicyImage, generation: int) -> None:
    active = kernel.active_slot()
    idle = (active + 1) % NR_SLOTS
    if generation_of(kernel.read_policy(active)) != generation:
        raise ConflictError("the running policy has changed since the plan was made", "plan again")
    written = encode(desired, idle, generation + 1, secrets.randbits(64))
    kernel.write_policy(idle, written)
    if kernel.read_policy(idle) != written:
        raise VerificationError("the kernel did not keep the new policy; the old one still runs")
    kernel.clear_class_stats(idle, len(desired.classes))
    kernel.flip(idle)
    if kernel.active_slot() != idle:
        raise VerificationError("the kernel did not switch to the new policy; the old one still runs")
