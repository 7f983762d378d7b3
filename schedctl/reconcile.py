# SPDX-License-Identifier: GPL-2.0-only
"""The table of contents: from a file to what the kernel runs, one call per stage."""

from __future__ import annotations

from dataclasses import dataclass

from schedctl.apply import apply_plan
from schedctl.harm import refuse_quotas
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.kernel.hostinfo import read_facts
from schedctl.kernel.protocol import Kernel
from schedctl.log import Priority, log
from schedctl.observe import Observation, observe
from schedctl.plan import Action, Plan, make_plan
from schedctl.profile.model import CpuMax, Profile
from schedctl.resolve.accounts import names_of
from schedctl.resolve.assignment import Assignment, resolve


@dataclass(frozen=True, slots=True)
class Outcome:
    plan: Plan
    observation: Observation  # after the plan was carried out


def resolved_here(profile: Profile) -> Assignment:
    """Resolved with this host's facts and accounts; raises ProfileError."""
    return resolve(profile, read_facts(names_of(profile)))


def desired_image(profile: Profile) -> PolicyImage:
    """Resolve on this host, compile; raises ProfileError with all problems."""
    return compile_image(resolved_here(profile))


def plan_change(kernel: Kernel, desired: PolicyImage, cpu_max: CpuMax = CpuMax.REFUSE) -> Plan:
    """What would change; writes nothing. Refuses what an apply would refuse."""
    plan = make_plan(desired, observe(kernel))
    refuse_quotas(kernel.quotas(), cpu_max)
    if Action.ATTACH in plan.actions:
        kernel.check_isolation()
    return plan


def reconcile(kernel: Kernel, desired: PolicyImage, cpu_max: CpuMax = CpuMax.REFUSE) -> Outcome:
    """Make the kernel run `desired` and read it back; the caller holds the lock."""
    kernel.check()
    if done := kernel.converge():
        log(done, "converged", Priority.WARNING)
    plan = plan_change(kernel, desired, cpu_max)
    return Outcome(plan, apply_plan(kernel, plan))
