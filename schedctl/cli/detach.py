# SPDX-License-Identifier: GPL-2.0-only
"""schedctl detach: the way out. Nothing is attached again until the next apply or a reboot."""

from __future__ import annotations

import argparse

from schedctl.report import Report
from schedctl.request import Request, Verb, carry_out, myself


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.real import RealKernel

    return carry_out(RealKernel(), Request(Verb.DETACH), myself())
