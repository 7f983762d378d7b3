# SPDX-License-Identifier: GPL-2.0-only
"""Levels from periods: `level: auto` and its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import AUTO, ThreadClass
from schedctl.profile.times import RANGES, check_range


def check_rates(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    """Of a class with a level; the document must have passed the schema."""
    root: Any = document.value
    keys = root["classes"][cls.name]
    here: Path_ = ("classes", cls.name)
    if keys["level"] != AUTO:
        if "rate_monotonic" in keys:
            path = (*here, "rate_monotonic")
            message = f"'rate_monotonic' has no effect: the level is {keys['level']}"
            yield problem_at(document.key_origin(path), path, message, "write 'level: auto', or remove it")
        return
    if "period" not in keys:
        yield problem_at(
            document.origin((*here, "level")),
            (*here, "level"),
            "the level comes from the period, and there is none",
            "add 'period:', or 'period: auto' to have it measured",
        )
    if "rate_monotonic" in keys:
        yield from _check_steps(document, cls, keys["rate_monotonic"])


def _check_steps(document: Sourced, cls: ThreadClass, said: list[dict[str, Any]]) -> Iterator[Problem]:
    before: int | None = None
    for i, step in enumerate(cls.rate_monotonic):
        path: Path_ = ("classes", cls.name, "rate_monotonic", i)
        last = i == len(said) - 1
        if step.at_most_ns is None:
            if not last:
                message = "'else' takes every period: the steps behind it are never reached"
                yield problem_at(document.origin(path), path, message, "write it as the last one")
                return
            continue
        inner, text = (*path, "at_most"), said[i]["at_most"]
        problems = [*check_range(document, inner, text, step.at_most_ns, RANGES["period"])]
        if not problems and before is not None and step.at_most_ns <= before:
            message = f"{text} is not longer than the step before it, so that this one is never reached"
            problems = [problem_at(document.origin(inner), inner, message, "write the shortest first")]
        yield from problems
        if problems:
            return
        before = step.at_most_ns
        if last:
            hint = f"add '{{else: {step.level}}}' as the last one"
            message = "longer periods have no level, and threads whose period is not known yet"
            yield problem_at(document.origin(path), path, message, hint)
