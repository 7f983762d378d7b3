# SPDX-License-Identifier: GPL-2.0-only
"""What can go wrong, by who must act, and the one table of exit codes.

A Problem is in the input (a file, a line); an error is an exception with one sentence for a person
and, where there is one, a hint what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from schedctl.printable import shown

EXIT_OK = 0
EXIT_PENDING = 2  # plan, apply --check: changes pending
EXIT_STATUS_DIFFERS = 3  # status: anything but the live state being what was selected
EXIT_NOT_SCHEDULABLE = 3  # analyze
EXIT_UNKNOWN = 4  # analyze: neither proven nor disproven

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding at a place of the input; line and column count from 1, 0 = the file as a whole."""

    severity: Severity
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None
    source: str = ""

    def sort_key(self) -> tuple[str, int, int, str]:
        return (self.file, self.line, self.column, self.message)


def sorted_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=Problem.sort_key))


_WIDTH = 120


def format_problem(problem: Problem) -> str:
    """The lines a person reads: place and message, the source line, a caret, the hint."""
    file = shown(problem.file)
    place = f"{file}:{problem.line}:{problem.column}" if problem.line else file
    said = f"{problem.severity}: {_shortened(problem.message)}"
    lines = [f"{place}: {said}" if place else said]
    text, column = problem.source.replace("\t", " ").rstrip(), problem.column - 1
    if len(text) > _WIDTH:  # what stands around the place
        start = max(0, min(column - _WIDTH // 2, len(text) - _WIDTH))
        text, column = text[start : start + _WIDTH], column - start
    if text.strip() and column <= len(text):
        lines += [f"    {text}", "    " + " " * column + "^"]
    if problem.hint:
        lines.append(f"    hint: {_shortened(problem.hint)}")
    return "\n".join(lines)


def _shortened(text: str) -> str:
    """Without the middle of what somebody pasted."""
    return text if len(text) <= 3 * _WIDTH else f"{text[:_WIDTH]} … {text[-_WIDTH:]}"


class SchedctlError(Exception):
    """Base of all errors a person can meet; `exit_code` is the table of DESIGN: one place."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, hint: str | None = None, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = problems
        self.old_runs = True  # what ran before still does; False where `message` says what runs instead


class ApplyError(SchedctlError):
    """The kernel refused."""

    exit_code = 1


class VerificationError(SchedctlError):
    """What was read back is not what was written; rolled back."""

    exit_code = 1


class AdmissionError(SchedctlError):
    """The threads cannot meet their deadlines, and the profile says that this is to be refused."""

    exit_code = 3


class UsageError(SchedctlError):
    exit_code = 64


class ProfileError(SchedctlError):
    """Problems in the profile: fix the file."""

    exit_code = 65

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        problems = sorted_problems(problems)
        errors = sum(p.severity == "error" for p in problems)
        super().__init__(f"{errors} problem{'' if errors == 1 else 's'} in the profile", None, problems)


class MissingError(SchedctlError):
    """No such file or profile."""

    exit_code = 66


class HostError(SchedctlError):
    """The host lacks something: sched_ext, BTF, libbpf."""

    exit_code = 69


class InternalError(SchedctlError):
    """A bug of ours."""

    exit_code = 70


class StateError(SchedctlError):
    """State of ours cannot be written: disk full, read-only."""

    exit_code = 73


class ConflictError(SchedctlError):
    """Someone else holds it: another scheduler, the lock."""

    exit_code = 75


class PrivilegeError(SchedctlError):
    """Needs root."""

    exit_code = 77
