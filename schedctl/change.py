# SPDX-License-Identifier: GPL-2.0-only
"""schedctl apply, whoever carries it out: the kernel, and the note of what a person selected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schedctl import paths
from schedctl.analysis.admission import admit
from schedctl.announce import announced, outside_document, outside_lines
from schedctl.choice import load_selected, loader, standing
from schedctl.desired import Compiled, compiled_here
from schedctl.ejections import forget_ejections
from schedctl.errors import PrivilegeError, StateError
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.log import Priority, log
from schedctl.plan import Plan
from schedctl.profile.persist import standing_change
from schedctl.reconcile import reconcile
from schedctl.report import Report
from schedctl.request import Request, Who
from schedctl.selected import Choice, Selected, read_selected, selection


def apply(kernel: Kernel, request: Request, who: Who, lock_s: float) -> Report:
    """Kernel first, note last, both under the lock: a daemon that wakes up finds nothing to change."""
    try:
        return _apply(kernel, request, lock_s)
    finally:
        if request.copy is not None:
            with suppress(OSError):
                request.copy.unlink(missing_ok=True)


def _apply(kernel: Kernel, request: Request, lock_s: float) -> Report:
    found = wanted(request)
    admission = admit(found.assignment)
    if not request.takeover:
        kernel.check()
    with locked(paths.lock_file(), lock_s), _noted(request):
        if request.takeover:
            take_over(kernel)
        outcome = reconcile(kernel, found.image, found.assignment.policy.cpu_max)
        forget_ejections()
    said = announced(kernel, found)
    lines = [*_lines(outcome.plan, outcome.observation.generation, request.diff)]
    return Report(
        text="\n".join([*lines, *outside_lines(said.outside)]),
        data={
            "plan": outcome.plan.to_document(),
            "generation": outcome.observation.generation,
            "outside": outside_document(said.outside),
        },
        changed=outcome.plan.changed,
        problems=(*found.problems, *said.problems, *admission),
    )


def take_over(kernel: Kernel) -> None:
    """End another's scheduler, for good only where its owner does not attach it again."""
    other = kernel.sched_state().foreign
    if other is None:
        return
    if not kernel.privileged():
        raise PrivilegeError("ending another scheduler needs root", "run it as root, for example with sudo")
    kernel.end_foreign()
    log(
        f"{other} was ended by SysRq-S for `apply --takeover`: stop what has attached it, or it comes back",
        "taken-over",
        Priority.WARNING,
    )


def wanted(request: Request) -> Compiled:
    """The policy that a request to apply is about; raises MissingError, ProfileError."""
    profiles = loader()
    if request.copy is not None:
        loaded = profiles.by_copy(request.copy)
    elif request.standing is not None:
        loaded = profiles.by_name(request.standing)
    elif request.selected.choice is Choice.STANDING:
        loaded = standing(profiles)
    else:
        loaded = load_selected(request.selected, profiles) or standing(profiles)
    return compiled_here(loaded.profile)


def _lines(plan: Plan, generation: int | None, diff: bool) -> list[str]:
    if not plan.changed:
        return plan.lines()
    nr = len(plan.changes)
    done = f"applied profile {plan.desired.profile}: {nr} change{'s' if nr != 1 else ''},"
    return [*(plan.lines()[1:] if diff else []), f"{done} generation {generation}"]


@contextmanager
def _noted(request: Request) -> Iterator[None]:
    """Write what can fail on a full disk first; make it valid only after the kernel has changed."""
    path = paths.selected_file()
    if request.standing is not None:
        with (
            standing_change(paths.standing_file(), request.standing) as stand,
            selection(path, Selected()) as note,
        ):
            yield
            stand()
            note()
        return
    if request.copy is None and _is_noted(path, request.selected):
        yield
        return
    with selection(path, request.selected) as commit:
        yield
        if request.copy is not None:
            request.copy.replace(Path(request.selected.value))
        commit()


def _is_noted(path: Path, selected: Selected) -> bool:
    try:
        return read_selected(path) == selected
    except StateError:
        return False  # it says nothing sensible, and is written anew
