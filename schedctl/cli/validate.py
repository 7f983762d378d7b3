# SPDX-License-Identifier: GPL-2.0-only
"""schedctl validate: all problems of each profile, at their places."""

from __future__ import annotations

import argparse

from schedctl.choice import chosen_file, standing_profile
from schedctl.cli.report import Report, report_of
from schedctl.cli.source import compiled, load_source
from schedctl.errors import EXIT_OK, MissingError, ProfileError


def run(args: argparse.Namespace) -> Report:
    valid: list[str] = []
    failed: list[Report] = []
    for word in args.sources or [str(chosen_file() or standing_profile())]:
        try:
            compiled(load_source(word)[0])
            valid.append(word)
        except (ProfileError, MissingError) as error:
            failed.append(report_of(error))
    return Report(
        text="\n".join(f"{word}: valid" for word in valid),
        data={"valid": valid},
        # a problem in a file (65) tells more than a file that is not there (66)
        exit_code=min((report.exit_code for report in failed), default=EXIT_OK),
        problems=tuple(problem for report in failed for problem in report.problems),
    )
