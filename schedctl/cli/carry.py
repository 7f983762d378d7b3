# SPDX-License-Identifier: GPL-2.0-only
"""Where a command's request to change the kernel goes."""

from __future__ import annotations

from schedctl.report import Report
from schedctl.request import Request, carry_out, myself


def carried_out(request: Request) -> Report:
    """By this process, under the lock; raises classes of errors.py."""
    from schedctl.kernel.real import RealKernel

    return carry_out(RealKernel(), request, myself())
