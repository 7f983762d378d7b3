# SPDX-License-Identifier: GPL-2.0-only
"""schedctl apply and plan: what is wanted, against what runs. One way to it, so that both say the same."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import ceil

from schedctl import paths
from schedctl.analysis.admission import admit
from schedctl.announce import announced, outside_document, outside_lines
from schedctl.books import Errand
from schedctl.choice import loader, standing
from schedctl.desired import (
    Desired,
    compiled_here,
    copy_of_image,
    desired_by,
    image_in,
    still_means,
    to_image_copy,
)
from schedctl.errors import MissingError, Problem, SchedctlError
from schedctl.harm import refuse_quotas
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.log import Priority, log
from schedctl.notes import Notes, notes_for, now_selected
from schedctl.observe import Observation, observe
from schedctl.ownership import check_ours
from schedctl.plan import Drift, Plan, find_drift
from schedctl.plan_file import PlanFile, plan_in
from schedctl.profile.model import CpuMax
from schedctl.quantity import NS_PER_S, format_duration
from schedctl.ran import Ran
from schedctl.reconcile import Outcome, plan_change, ran_before, reconcile
from schedctl.report import Report
from schedctl.request import STANDING, Request, Who
from schedctl.restore import pending_document
from schedctl.selected import Choice, Selected
from schedctl.timer import Timer


@dataclass(frozen=True, slots=True)
class Given:
    """`copy` has a profile's texts, an image or a plan: nothing that is followed."""

    selected: Selected = STANDING
    copy: bytes | None = None
    standing: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request is about, what is noted with it, and the plan that it must still be."""

    desired: Desired
    notes: Notes
    plan_file: PlanFile | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """`selected` is what a plan file notes; `drift` None where what runs is what was selected."""

    plan: Plan
    drift: Drift | None


def apply(kernel: Kernel, request: Request, who: Who, lock_s: float, timer: Timer) -> Report:
    """See docs/decisions.md for the steps."""
    found = wanted(given_by(request))
    compiled = found.desired.compiled
    admission = admit(compiled.assignment) if compiled else ()
    kernel.check(request.takeover)
    errand = Errand(who, "apply", timer, found.notes, request.confirm_within_ns)
    with locked(paths.lock_file(), lock_s):
        if request.takeover:
            take_over(kernel, found)
        cpu_max = allowed(kernel, found)
        outcome = reconcile(kernel, found.desired.image, cpu_max, errand)
    return _report(kernel, request, found.desired, outcome, admission)


def _report(
    kernel: Kernel, request: Request, desired: Desired, outcome: Outcome, admission: tuple[Problem, ...]
) -> Report:
    said = announced(kernel, desired)
    pending = outcome.pending
    lines = _lines(outcome.plan, outcome.observation.generation, request.diff)
    if pending is not None and request.confirm_within_ns:
        within = format_duration(ceil(pending.left_s) * NS_PER_S)
        lines.append(f"`schedctl confirm` within {within} keeps it; otherwise what ran before comes back")
    elif request.standing is not None:
        lines.append(f"{paths.standing_file()} names it from now on")
    return Report(
        text="\n".join([*lines, *outside_lines(said.outside)]),
        data={
            "plan": outcome.plan.to_document(),
            "generation": outcome.observation.generation,
            "number": outcome.number,
            "pending": pending_document(pending),
            "outside": outside_document(said.outside),
        },
        changed=outcome.plan.changed,
        problems=(*desired.problems, *outcome.problems, *said.problems, *admission),
    )


def take_over(kernel: Kernel, found: Wanted) -> None:
    """End another's scheduler, for good only where its owner does not attach it again.

    Not for what would be refused afterwards, as far as that can be known.
    """
    other = kernel.sched_state().foreign
    if other is None:
        return
    refuse_quotas(kernel.quotas(), allowed(kernel, found))
    kernel.end_foreign()
    log(
        f"{other} was ended by SysRq-S for `apply --takeover`: stop what has attached it, or it comes back",
        "taken-over",
        Priority.WARNING,
    )


def _lines(plan: Plan, generation: int | None, diff: bool) -> list[str]:
    if not plan.changed:
        return plan.lines()
    nr = len(plan.changes)
    done = f"applied profile {plan.desired.profile}: {nr} change{'s' if nr != 1 else ''},"
    return [*(plan.lines()[1:] if diff else []), f"{done} generation {generation}"]


# --- what a request is about ------------------------------------------------------------------------


def given_by(request: Request) -> Given:
    """The copy that the request names is gone afterwards; MissingError where it cannot be read.

    StateError where somebody else could have written it: then it is left alone.
    """
    if request.copy is None:
        return Given(request.selected, standing=request.standing)
    try:
        check_ours(request.copy)
        data = request.copy.read_bytes()
    except OSError as error:
        raise MissingError(f"{request.copy}: {error.strerror}", "apply it once more") from None
    with suppress(OSError):
        request.copy.unlink()
    return Given(request.selected, data)


def wanted(given: Given) -> Wanted:
    """The policy that is to run; raises MissingError, ProfileError, StateError."""
    profiles = loader()
    if given.copy is not None:
        return _copied(given, given.copy)
    if given.standing is not None:
        desired = Desired.of(compiled_here(profiles.by_name(given.standing).profile))
        return Wanted(desired, Notes(Selected(), standing=given.standing))
    if given.selected.choice is Choice.STANDING:
        return Wanted(Desired.of(compiled_here(standing(profiles).profile)), Notes(Selected()))
    found = desired_by(given.selected, profiles)
    if found is None:
        raise MissingError("no profile is named", "`schedctl apply NAME`")
    return Wanted(found, Notes(given.selected))


def _copied(given: Given, data: bytes) -> Wanted:
    """A copy of a profile, an image or a plan: what was given as a path or on standard input."""
    if file := plan_in(data):
        assert file.desired.image is not None
        return Wanted(Desired(file.desired.image, file.desired.cpu_max), notes_for(file.desired), file)
    if image := image_in(data):
        ran = Ran(image.image, image.cpu_max, now_selected())
        if still_means(ran.selected, ran.image, loader()):
            return Wanted(image, Notes(ran.selected))
        return Wanted(image, Notes(copy_of_image(image.image), to_image_copy(ran)))
    loaded = loader().by_copied(data, given.selected.value)
    return Wanted(Desired.of(compiled_here(loaded.profile)), Notes(given.selected, data))


def allowed(kernel: Kernel, found: Wanted) -> CpuMax:
    """What is said about CPU quotas; ConflictError where a plan is stale.

    An image says nothing: one that runs already has lost them, another one loses none.
    """
    observation = observe(kernel)
    if found.plan_file is not None:
        found.plan_file.refuse_stale(observation)
    elif found.desired.compiled is None and found.desired.image == observation.image:
        return ran_before(observation.image).cpu_max
    return found.desired.cpu_max


def planned(kernel: Kernel, found: Wanted) -> Planned:
    """What apply would do now, and what runs although something else was selected; writes nothing."""
    plan = plan_change(kernel, found.desired.image, allowed(kernel, found))
    return Planned(plan, drift_now(observe(kernel)))


def drift_now(observation: Observation) -> Drift | None:
    """None also where nobody can say: without root, or where the note leads to nothing that can be read."""
    if not observation.privileged:
        return None
    try:
        selected = desired_by(now_selected(), loader())
    except SchedctlError:
        return None
    return find_drift(selected.image if selected else None, observation)
