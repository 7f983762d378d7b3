# SPDX-License-Identifier: GPL-2.0-only
"""schedctl rollback: back to what ran before, or to one entry of the history."""

from __future__ import annotations

import argparse

from schedctl.cli.carry import carried_out
from schedctl.cli.within import asked, within_ns
from schedctl.report import Report
from schedctl.request import Request, Verb


def run(args: argparse.Namespace) -> Report:
    if args.unconfirmed is not None:
        return carried_out(Request(Verb.ROLLBACK, number=args.unconfirmed, unconfirmed=True))
    limit_ns = within_ns(args.confirm_within)
    request = Request(Verb.ROLLBACK, number=args.number, confirm_within_ns=limit_ns)
    return asked(args, carried_out(request))
