# SPDX-License-Identifier: GPL-2.0-only
"""schedctl apply: make the kernel run a profile, and note what a person selected."""

from __future__ import annotations

import argparse

from schedctl.cli.carry import carried_out
from schedctl.cli.source import given, request_to_apply
from schedctl.cli.within import asked, within_ns
from schedctl.report import Report


def run(args: argparse.Namespace) -> Report:
    what, limit_ns = given(args.source, args.persist), within_ns(args.confirm_within)
    if args.check:
        from schedctl.cli.plan import report_here

        return report_here(what, args.diff)
    return asked(args, carried_out(request_to_apply(what, args.diff, limit_ns)))
