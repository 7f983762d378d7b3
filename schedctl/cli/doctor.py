# SPDX-License-Identifier: GPL-2.0-only
"""schedctl doctor: what keeps schedctl from working here, and what to do about it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from schedctl.cli.report import Report
from schedctl.doctor.evidence import Finding, Result
from schedctl.doctor.examine import examine, exit_code
from schedctl.doctor.look import look
from schedctl.errors import Problem, UsageError


def run(args: argparse.Namespace) -> Report:
    if args.with_names and args.report is None:
        raise UsageError("--with-names is about a report", "`schedctl doctor --report FILE --with-names`")
    seen = look()
    findings = examine(seen)
    lines = list(_lines(findings))
    if args.report is not None:
        from schedctl.cli.bugreport import write_report

        write_report(Path(args.report), seen, args.with_names)
        lines += ["", f"written to {args.report}: look at it before you send it"]
    return Report(
        text="\n".join(lines),
        data={"findings": [_document(found) for found in findings], "report": args.report},
        exit_code=exit_code(findings),
        problems=tuple(_problems(findings)),
    )


def _document(found: Finding) -> dict[str, str | None]:
    return {
        "check": found.check,
        "result": found.result.value,
        "message": found.message,
        "hint": found.hint,
    }


def _problems(findings: Iterable[Finding]) -> Iterator[Problem]:
    """One error for all: what they are stands in the output."""
    names = [found.check for found in findings if found.result is Result.PROBLEM]
    if names:
        what = "1 problem keeps" if len(names) == 1 else f"{len(names)} problems keep"
        message = f"{what} schedctl from working here: {', '.join(dict.fromkeys(names))}"
        yield Problem("error", "", 0, 0, "", message)


def _lines(findings: Iterable[Finding]) -> Iterator[str]:
    for found in findings:
        yield f"{found.result.value:<8} {found.check:<13} {found.message}"
        if found.hint and found.result is not Result.OK:
            yield f"{'':<8} {'':<13} -> {found.hint}"
