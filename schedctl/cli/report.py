# SPDX-License-Identifier: GPL-2.0-only
"""What a verb has to say, and its two forms: text for people, one JSON object for machines."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import Any

from schedctl.errors import EXIT_OK, Problem, SchedctlError, format_problem

MAX_SHOWN = 100  # nobody reads more before the next attempt
OUTPUT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Report:
    """`text` goes to stdout; `data` are the verb's own keys beside the JSON envelope's."""

    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    changed: bool = False
    exit_code: int = EXIT_OK
    problems: tuple[Problem, ...] = ()


def report_of(error: SchedctlError) -> Report:
    """A failure as a report; an error without a place in a file is one problem without one."""
    problems = error.problems or (Problem("error", "", 0, 0, "", error.message, error.hint),)
    return Report(exit_code=error.exit_code, problems=problems)


def show(command: str, report: Report, as_json: bool) -> None:
    """Print the report: results on stdout, problems on stderr; with --json all on stdout."""
    if as_json:
        json.dump(_envelope(command, report), sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        if report.text:
            sys.stdout.write(report.text.rstrip("\n") + "\n")
            sys.stdout.flush()
        for problem in report.problems[:MAX_SHOWN]:
            sys.stderr.write(_for_people(problem) + "\n")
        if (rest := len(report.problems) - MAX_SHOWN) > 0:
            sys.stderr.write(f"… and {rest} more problems; --json has all\n")
    sys.stdout.flush()


def _envelope(command: str, report: Report) -> dict[str, Any]:
    return {
        "schedctl_output": OUTPUT_VERSION,
        "command": command,
        "changed": report.changed,
        "exit": report.exit_code,
        "problems": [_document(problem) for problem in report.problems],
        **report.data,
    }


def _document(problem: Problem) -> dict[str, Any]:
    keys = ("severity", "file", "line", "column", "path", "message", "hint")
    return {key: getattr(problem, key) for key in keys}


def _for_people(problem: Problem) -> str:
    if problem.file:
        return format_problem(problem)
    hint = f"\n    hint: {problem.hint}" if problem.hint else ""
    return f"schedctl: {problem.severity}: {problem.message}{hint}"
