# SPDX-License-Identifier: GPL-2.0-only
"""A report on the terminal, or as JSON."""

from __future__ import annotations

import json
import sys

from schedctl.errors import Problem, format_problem
from schedctl.printable import harmless, harmless_json
from schedctl.report import Report as Report
from schedctl.report import envelope
from schedctl.report import report_of as report_of

MAX_SHOWN = 100  # nobody reads more before the next attempt


def show(command: str, report: Report, as_json: bool) -> None:
    """Print the report: results on stdout, problems on stderr; with --json all on stdout."""
    if as_json:
        sys.stdout.write(harmless_json(json.dumps(envelope(command, report), ensure_ascii=False)) + "\n")
    else:
        if report.text:
            sys.stdout.write(harmless(report.text.rstrip("\n")) + "\n")
            sys.stdout.flush()
        for problem in report.problems[:MAX_SHOWN]:
            sys.stderr.write(harmless(_for_people(problem)) + "\n")
        if (rest := len(report.problems) - MAX_SHOWN) > 0:
            sys.stderr.write(f"… and {rest} more problems; --json has all\n")
    sys.stdout.flush()


def _for_people(problem: Problem) -> str:
    if problem.file:
        return format_problem(problem)
    hint = f"\n    hint: {problem.hint}" if problem.hint else ""
    return f"schedctl: {problem.severity}: {problem.message}{hint}"
