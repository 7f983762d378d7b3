# SPDX-License-Identifier: GPL-2.0-only
"""schedctl apply: make the kernel run a profile, and note what a person selected."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from schedctl import paths
from schedctl.analysis.admission import admit
from schedctl.cli.announce import announced, outside_document, outside_lines
from schedctl.cli.report import Report
from schedctl.cli.source import Source, source_to_apply
from schedctl.errors import EXIT_OK, EXIT_PENDING, StateError
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.plan import Plan
from schedctl.profile.persist import standing_change
from schedctl.selected import Selected, read_selected, selection


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.real import RealKernel

    source = source_to_apply(args.source, args.persist)
    admission = admit(source.compiled.assignment)
    kernel = RealKernel()
    kernel.check()
    report = _check(kernel, source, args.diff) if args.check else _apply(kernel, source, args.diff)
    return replace(report, problems=(*report.problems, *admission))


def _check(kernel: Kernel, source: Source, diff: bool) -> Report:
    from schedctl.reconcile import plan_change

    plan = plan_change(kernel, source.compiled.image, source.compiled.assignment.policy.cpu_max)
    said = announced(kernel, source.compiled)
    return Report(
        text="\n".join([*(plan.lines() if diff else plan.lines()[:1]), *outside_lines(said.outside)]),
        data={"plan": plan.to_document(), "outside": outside_document(said.outside)},
        exit_code=EXIT_PENDING if plan.changed else EXIT_OK,
        problems=(*source.compiled.problems, *said.problems),
    )


def _apply(kernel: Kernel, source: Source, diff: bool) -> Report:
    """Kernel first, note last, both under the lock: a daemon that wakes up finds nothing to change."""
    from schedctl.reconcile import reconcile

    with locked(paths.lock_file()), _noted(source):
        outcome = reconcile(kernel, source.compiled.image, source.compiled.assignment.policy.cpu_max)
    said = announced(kernel, source.compiled)
    lines = [*_lines(outcome.plan, outcome.observation.generation, diff), *outside_lines(said.outside)]
    return Report(
        text="\n".join(lines),
        data={
            "plan": outcome.plan.to_document(),
            "generation": outcome.observation.generation,
            "outside": outside_document(said.outside),
        },
        changed=outcome.plan.changed,
        problems=(*source.compiled.problems, *said.problems),
    )


def _lines(plan: Plan, generation: int | None, diff: bool) -> list[str]:
    if not plan.changed:
        return plan.lines()
    nr = len(plan.changes)
    done = f"applied profile {plan.desired.profile}: {nr} change{'s' if nr != 1 else ''},"
    return [*(plan.lines()[1:] if diff else []), f"{done} generation {generation}"]


@contextmanager
def _noted(source: Source) -> Iterator[None]:
    """Write what can fail on a full disk first; make it valid only after the kernel has changed."""
    path = paths.selected_file()
    if source.standing is not None:
        with (
            standing_change(paths.standing_file(), source.standing) as stand,
            selection(path, Selected()) as note,
        ):
            yield
            stand()
            note()
        return
    if source.copy is None:
        if _is_noted(path, source.selected):
            yield
            return
        with selection(path, source.selected) as commit:
            yield
            commit()
        return
    target = path.parent / "selected.d" / source.selected.value.rsplit("/", 1)[-1]
    partial = target.with_suffix(".new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(source.copy)
    except OSError as error:
        raise StateError(f"cannot write {partial}: {error.strerror}", "make room") from error
    with selection(path, source.selected) as commit:
        yield
        partial.replace(target)
        commit()


def _is_noted(path: Path, selected: Selected) -> bool:
    try:
        return read_selected(path) == selected
    except StateError:
        return False  # it says nothing sensible, and is written anew
