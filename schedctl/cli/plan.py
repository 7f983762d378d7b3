# SPDX-License-Identifier: GPL-2.0-only
"""schedctl plan: what apply would change; exit 2 where it would."""

from __future__ import annotations

import argparse

from schedctl.cli.report import Report
from schedctl.cli.source import image_of
from schedctl.errors import EXIT_OK, EXIT_PENDING


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.real import RealKernel
    from schedctl.reconcile import plan_change

    plan = plan_change(RealKernel(), image_of(args.source))
    return Report(
        text="\n".join(plan.lines()),
        data={"plan": plan.to_document()},
        exit_code=EXIT_PENDING if plan.changed else EXIT_OK,
    )
