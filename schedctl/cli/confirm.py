# SPDX-License-Identifier: GPL-2.0-only
"""schedctl confirm: what was applied with a time limit stays. From any terminal."""

from __future__ import annotations

import argparse

from schedctl.cli.carry import carried_out
from schedctl.report import Report
from schedctl.request import LOCK_S, Request, Verb


def run(args: argparse.Namespace) -> Report:
    if not args.settled:
        return carried_out(Request(Verb.CONFIRM))
    from schedctl.keep import settle_in_time
    from schedctl.kernel.real import RealKernel

    settled = settle_in_time(RealKernel(), LOCK_S)
    return Report(text="what runs counts as good" if settled else "nothing to note", data={"number": None})
