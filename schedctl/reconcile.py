# SPDX-License-Identifier: GPL-2.0-only
"""The table of contents: from a file to what the kernel runs, one call per stage."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from schedctl.apply import apply_plan
from schedctl.books import Errand, KeptBooks, supersede
from schedctl.checkpoint import sweep
from schedctl.ejections import Ejection, ejection_of, forget_ejections
from schedctl.errors import Problem, StateError
from schedctl.harm import refuse_quotas
from schedctl.history import read_newest
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.kernel.hostinfo import read_facts
from schedctl.kernel.protocol import Kernel
from schedctl.log import Priority, log
from schedctl.notes import now_selected, write_notes
from schedctl.observe import Observation, observe
from schedctl.pending import Pending, waiting, write_pending
from schedctl.plan import Action, Plan, make_plan
from schedctl.profile.model import CpuMax, Profile
from schedctl.ran import Ran
from schedctl.resolve.accounts import names_of
from schedctl.resolve.assignment import Assignment, resolve


@dataclass(frozen=True, slots=True)
class Outcome:
    """`number` is the history's entry; `pending` what a person has to confirm; `problems` warnings."""

    plan: Plan
    observation: Observation  # after the plan was carried out
    number: int | None = None
    pending: Pending | None = None
    problems: tuple[Problem, ...] = ()


def resolved_here(profile: Profile) -> Assignment:
    """Resolved with this host's facts and accounts; raises ProfileError."""
    return resolve(profile, read_facts(names_of(profile), virt=False))


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


def reconcile(
    kernel: Kernel, desired: PolicyImage, cpu_max: CpuMax = CpuMax.REFUSE, errand: Errand | None = None
) -> Outcome:
    """Make the kernel run `desired` and read it back; the caller holds the lock.

    With an errand the notes, the history and what waits for a confirmation change with it.
    """
    kernel.check()
    end_swap(kernel)
    plan = plan_change(kernel, desired, cpu_max)
    if errand is None:
        return Outcome(plan, apply_plan(kernel, plan))
    outcome = _with_errand(kernel, plan, cpu_max, errand)
    if errand.by_person:
        forget_ejections()
    return outcome


def end_swap(kernel: Kernel) -> None:
    """One that was killed, before anything is judged by what runs; the caller holds the lock."""
    if done := kernel.converge():
        log(done, "converged", Priority.WARNING)


def _with_errand(kernel: Kernel, plan: Plan, cpu_max: CpuMax, errand: Errand) -> Outcome:
    if not plan.changed:
        return _unchanged(kernel, plan, errand)
    books = KeptBooks(
        errand,
        ran_before(plan.live),
        Ran(plan.desired, cpu_max, errand.notes.selected if errand.notes else now_selected()),
        bool({Action.ATTACH, Action.SWAP} & set(plan.actions)),
        _ended(kernel) if errand.by_person and Action.RELEASE in plan.actions else None,
    )
    observation = apply_plan(kernel, plan, books)
    return Outcome(plan, observation, books.number, books.pending_now, tuple(books.problems))


def _unchanged(kernel: Kernel, plan: Plan, errand: Errand) -> Outcome:
    """The kernel runs what the notes say; what waits about it goes on waiting, or a person has decided."""
    sweep()
    old, notes, waits = waiting(), errand.notes, None
    if old is not None and errand.within_ns is not None and old.is_about(plan.desired):
        waits = replace(old, standing=(notes.standing if notes else None) or old.standing)
        write_pending(waits)
        notes = errand.notes_until_confirmed()
    if notes is not None:
        write_notes(notes)
    if errand.decides:
        supersede(errand, old)
    return Outcome(plan, observe(kernel), pending=waits)


def _ended(kernel: Kernel) -> Ejection:
    """What the kernel has ended; the daemon has counted by itself what it releases."""
    record = kernel.read_exit_record()
    return ejection_of(kernel, record if record and record.kind else None, time.monotonic_ns())


def ran_before(live: PolicyImage | None) -> Ran:
    """What runs now, in a form that can come back; its word on quotas is the history's."""
    cpu_max = CpuMax.REFUSE
    try:
        newest = read_newest()
        if newest is not None and newest.ran.image == live:
            cpu_max = newest.ran.cpu_max
    except StateError:
        pass  # then what comes back is refused where there are quotas, and a person decides
    return Ran(live, cpu_max, now_selected())
