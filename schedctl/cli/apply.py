# SPDX-License-Identifier: GPL-2.0-only
"""schedctl apply: make the kernel run a profile, and note what a person selected."""

from __future__ import annotations

import argparse

from schedctl.analysis.admission import admit
from schedctl.announce import announced, outside_document, outside_lines
from schedctl.cli.source import request_to_apply
from schedctl.errors import EXIT_OK, EXIT_PENDING
from schedctl.kernel.protocol import Kernel
from schedctl.report import Report
from schedctl.request import Request, carry_out, myself


def run(args: argparse.Namespace) -> Report:
    from dataclasses import replace

    from schedctl.kernel.real import RealKernel

    request = request_to_apply(args.source, args.persist)
    request = replace(request, diff=args.diff, takeover=args.takeover)
    if not args.check:
        return carry_out(RealKernel(), request, myself())
    try:
        return _check(RealKernel(), request)
    finally:
        if request.copy is not None:
            request.copy.unlink(missing_ok=True)


def _check(kernel: Kernel, request: Request) -> Report:
    from schedctl.change import wanted
    from schedctl.reconcile import plan_change

    found = wanted(request)
    admission = admit(found.assignment)
    kernel.check()
    plan = plan_change(kernel, found.image, found.assignment.policy.cpu_max)
    said = announced(kernel, found)
    return Report(
        text="\n".join([*(plan.lines() if request.diff else plan.lines()[:1]), *outside_lines(said.outside)]),
        data={"plan": plan.to_document(), "outside": outside_document(said.outside)},
        exit_code=EXIT_PENDING if plan.changed else EXIT_OK,
        problems=(*found.problems, *said.problems, *admission),
    )
