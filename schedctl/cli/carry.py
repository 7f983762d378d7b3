# SPDX-License-Identifier: GPL-2.0-only
"""Where a command's request to change the kernel goes."""

from __future__ import annotations

from schedctl.handover import carried_out as handed_over
from schedctl.report import Report
from schedctl.request import Request


def carried_out(request: Request) -> Report:
    """By the daemon where one runs, else by this process under the lock; raises classes of errors.py."""
    from schedctl.kernel.real import RealKernel

    return handed_over(RealKernel(), request)
