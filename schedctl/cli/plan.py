# SPDX-License-Identifier: GPL-2.0-only
"""schedctl plan: what apply would change; exit 2 where it would."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from schedctl.analysis.admission import admit
from schedctl.announce import Announced, announced, outside_document, outside_lines
from schedctl.change import Given, Planned, Wanted, planned, wanted
from schedctl.cli.source import compiled, load, to_plan
from schedctl.desired import Compiled
from schedctl.errors import EXIT_OK, EXIT_PENDING, HostError, Problem, StateError, UsageError
from schedctl.harm import host_warnings, isolated
from schedctl.kernel.protocol import Kernel
from schedctl.observe import Observation, Owner
from schedctl.plan import Plan, make_plan
from schedctl.plan_file import PlanFile
from schedctl.ran import Ran
from schedctl.report import Report


def run(args: argparse.Namespace) -> Report:
    if args.facts is None:
        from schedctl.kernel.real import RealKernel

        return _here(RealKernel(), to_plan(args.source), args.output, diff=True)
    if args.output is not None:
        raise UsageError("--facts is about another host", "a plan is made on the host that carries it out")
    found = compiled(load(args.source, args.facts).profile, args.facts)
    problems = (*found.problems, *admit(found.assignment))
    return _report(_elsewhere(found), _said_elsewhere(found), problems)


def report_here(what: Given, diff: bool) -> Report:
    """What `apply` would do, for its --check: refused where it would be."""
    from schedctl.kernel.real import RealKernel

    kernel = RealKernel()
    found = wanted(what)
    kernel.check()
    return _here(kernel, found, None, diff)


def _here(kernel: Kernel, found: Wanted, output: str | None, diff: bool) -> Report:
    desired = found.desired
    admission = admit(desired.compiled.assignment) if desired.compiled else ()
    plan = planned(kernel, found)
    if output is not None:
        ran = Ran(desired.image, desired.cpu_max, found.notes.selected)
        _write(Path(output), PlanFile(ran, plan.plan.live).to_document())
    return _report(plan, announced(kernel, desired), (*desired.problems, *admission), diff)


def _report(found: Planned, said: Announced, problems: tuple[Problem, ...], diff: bool = True) -> Report:
    """`diff`: every difference, not only that there are some."""
    plan, drift = found.plan, found.drift
    lines = [*(drift.lines() if drift else ()), *(plan.lines() if diff else plan.lines()[:1])]
    return Report(
        text="\n".join([*lines, *outside_lines(said.outside)]),
        data={
            "plan": plan.to_document(),
            "drift": drift.to_document() if drift else None,
            "outside": outside_document(said.outside),
        },
        exit_code=EXIT_PENDING if plan.changed else EXIT_OK,
        problems=(*problems, *said.problems),
    )


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error


def _elsewhere(found: Compiled) -> Planned:
    """Facts do not say which policy runs there: the plan of a host on which nothing is attached."""
    facts = found.facts
    state = facts.kernel.sched_ext
    if state is None:
        raise HostError(f"{facts.hostname}: Linux {facts.kernel.release} there has no sched_ext")
    if facts.kernel.isolcpus is not None:
        raise isolated(facts.kernel.isolcpus)
    plan: Plan = make_plan(found.image, Observation(state, None, 0, Owner.NONE, privileged=True))
    return Planned(plan, None)


def _said_elsewhere(found: Compiled) -> Announced:
    facts = found.facts
    runs = f"{facts.kernel.ops} was attached" if facts.kernel.ops else "nothing was attached"
    note = Problem(
        "note",
        "",
        0,
        0,
        "",
        f"facts do not say which policy {facts.hostname} runs: this is the plan for none ({runs} there)",
    )
    return Announced((note, *host_warnings(facts)), ())
