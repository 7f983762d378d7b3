# SPDX-License-Identifier: GPL-2.0-only
"""schedctl plan: what apply would change; exit 2 where it would."""

from __future__ import annotations

import argparse

from schedctl.analysis.admission import admit
from schedctl.announce import Announced, announced, outside_document, outside_lines
from schedctl.cli.report import Report
from schedctl.cli.source import compiled, load
from schedctl.desired import Compiled
from schedctl.errors import EXIT_OK, EXIT_PENDING, HostError, Problem
from schedctl.harm import host_warnings, isolated
from schedctl.observe import Observation, Owner
from schedctl.plan import Plan, make_plan


def run(args: argparse.Namespace) -> Report:
    found = compiled(load(args.source, args.facts).profile, args.facts)
    admission = admit(found.assignment)
    plan, said = _here(found) if args.facts is None else _elsewhere(found)
    return Report(
        text="\n".join([*plan.lines(), *outside_lines(said.outside)]),
        data={"plan": plan.to_document(), "outside": outside_document(said.outside)},
        exit_code=EXIT_PENDING if plan.changed else EXIT_OK,
        problems=(*found.problems, *admission, *said.problems),
    )


def _here(found: Compiled) -> tuple[Plan, Announced]:
    from schedctl.kernel.real import RealKernel
    from schedctl.reconcile import plan_change

    kernel = RealKernel()
    plan = plan_change(kernel, found.image, found.assignment.policy.cpu_max)
    return plan, announced(kernel, found)


def _elsewhere(found: Compiled) -> tuple[Plan, Announced]:
    """Facts do not say which policy runs there: the plan of a host on which nothing is attached."""
    facts = found.facts
    state = facts.kernel.sched_ext
    if state is None:
        raise HostError(f"{facts.hostname}: Linux {facts.kernel.release} there has no sched_ext")
    if facts.kernel.isolcpus is not None:
        raise isolated(facts.kernel.isolcpus)
    runs = f"{facts.kernel.ops} was attached" if facts.kernel.ops else "nothing was attached"
    note = Problem(
        "note",
        "",
        0,
        0,
        "",
        f"facts do not say which policy {facts.hostname} runs: this is the plan for none ({runs} there)",
    )
    nothing = Observation(state, None, 0, Owner.NONE, privileged=True)
    return make_plan(found.image, nothing), Announced((note, *host_warnings(facts)), ())
