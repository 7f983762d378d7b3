# SPDX-License-Identifier: GPL-2.0-only
"""schedctl status: what the kernel runs, read from the kernel, against what was selected."""

from __future__ import annotations

import argparse
import sys
import time

from schedctl import paths
from schedctl.choice import loader
from schedctl.cli.report import Report, show
from schedctl.cli.status_document import Wanted, drifts, status_document, told_of
from schedctl.cli.status_table import lines
from schedctl.desired import desired_by
from schedctl.errors import EXIT_OK, EXIT_STATUS_DIFFERS, Problem, SchedctlError, UsageError
from schedctl.harm import quota_line
from schedctl.inquiry import ask
from schedctl.kernel.protocol import Quota
from schedctl.observe import Owner, observe
from schedctl.profile.model import CpuMax
from schedctl.selected import read_selected

_CLEAR = "\x1b[H\x1b[2J"


def run(args: argparse.Namespace) -> Report:
    if args.watch is None:
        return _report()
    if args.json:
        raise UsageError("--watch is for people", "run `schedctl status --json` again and again")
    while True:
        report = _report()
        if sys.stdout.isatty():
            sys.stdout.write(_CLEAR)
        show("status", report, False)
        if not sys.stdout.isatty():
            print()
        time.sleep(args.watch)


def _report() -> Report:
    from schedctl.kernel.real import RealKernel

    kernel = RealKernel()
    daemon = ask()  # before the kernel is read: what it tells is not newer than that
    observation = observe(kernel)
    wanted, problems = Wanted(), tuple[Problem, ...]()
    try:
        wanted = _wanted()
    except SchedctlError as error:
        problems = error.problems or (Problem("error", "", 0, 0, "", error.message, error.hint),)
    quotas = kernel.quotas()
    drift = drifts(wanted.image, observation, told_of(observation, daemon), bool(problems))
    data = status_document(kernel, observation, wanted, quotas, daemon) | {"drift": drift}
    problems = (*problems, *_refused(quotas, wanted, observation.owner is not Owner.NONE))
    differs = drift or bool(problems) or data["ejected"]
    return Report(
        text="\n".join(lines(observation, data)),
        data=data,
        exit_code=EXIT_STATUS_DIFFERS if differs else EXIT_OK,
        problems=problems,
    )


def _wanted() -> Wanted:
    desired = desired_by(read_selected(paths.selected_file()), loader())
    if desired is None:
        return Wanted()
    return Wanted(desired.compiled.assignment if desired.compiled else None, desired.image)


def _refused(quotas: tuple[Quota, ...], wanted: Wanted, attached: bool) -> tuple[Problem, ...]:
    """Quotas that the selected profile will not lose."""
    if wanted.cpu_max is not CpuMax.REFUSE:
        return ()
    what = "does not hold" if attached else "keeps the scheduler from being attached"
    return tuple(Problem("error", "", 0, 0, "", f"a CPU quota {what}: {quota_line(q)}") for q in quotas)
