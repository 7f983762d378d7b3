# SPDX-License-Identifier: GPL-2.0-only
"""What a verb has to say, whoever carried it out: text for people, one JSON object for machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schedctl.errors import EXIT_OK, InternalError, Problem, SchedctlError

OUTPUT_VERSION = 1
_PROBLEM_KEYS = ("severity", "file", "line", "column", "path", "message", "hint")
_ENVELOPE = ("schedctl_output", "command", "changed", "exit", "problems")


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


def envelope(command: str, report: Report) -> dict[str, Any]:
    """What --json prints: see schemas/output."""
    return {
        "schedctl_output": OUTPUT_VERSION,
        "command": command,
        "changed": report.changed,
        "exit": report.exit_code,
        "problems": [{key: getattr(found, key) for key in _PROBLEM_KEYS} for found in report.problems],
        **report.data,
    }


def report_from(document: dict[str, Any], text: str) -> Report:
    """The inverse of `envelope`, which has no text and no source lines; raises InternalError."""
    try:
        if document["schedctl_output"] != OUTPUT_VERSION:
            raise ValueError(f"version {document['schedctl_output']!r}")
        return Report(
            text=text,
            data={key: value for key, value in document.items() if key not in _ENVELOPE},
            changed=document["changed"],
            exit_code=document["exit"],
            problems=tuple(Problem(**problem) for problem in document["problems"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InternalError(f"not a report of schedctl: {error!r}") from None
