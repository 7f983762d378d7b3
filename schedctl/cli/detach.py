# SPDX-License-Identifier: GPL-2.0-only
"""schedctl detach: the way out. Nothing is attached again until the next apply or a reboot."""

from __future__ import annotations

import argparse

from schedctl.cli.carry import carried_out
from schedctl.report import Report
from schedctl.request import Request, Verb


def run(args: argparse.Namespace) -> Report:
    return carried_out(Request(Verb.DETACH))
