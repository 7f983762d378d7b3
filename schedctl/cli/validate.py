# SPDX-License-Identifier: GPL-2.0-only
"""schedctl validate: all problems of each profile, at their places."""

from __future__ import annotations

import argparse

from schedctl.cli.report import Report, report_of
from schedctl.cli.source import compiled, load
from schedctl.errors import EXIT_OK, MissingError, Problem, ProfileError, sorted_problems


def run(args: argparse.Namespace) -> Report:
    valid: list[str] = []
    failed: list[Report] = []
    problems: list[Problem] = []
    for word in args.sources or [None]:
        try:
            profile = load(word, args.facts).profile
            assignment = compiled(profile, args.facts).assignment
            problems += sorted_problems((*assignment.problems, *assignment.notes))
            valid.append(word or profile.name)
        except (ProfileError, MissingError) as error:
            failed.append(report_of(error))
            problems += failed[-1].problems
    return Report(
        text="\n".join(f"{word}: valid" for word in valid),
        data={"valid": valid},
        # a problem in a file (65) tells more than a file that is not there (66)
        exit_code=min((report.exit_code for report in failed), default=EXIT_OK),
        problems=tuple(problems),
    )
