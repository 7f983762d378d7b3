# SPDX-License-Identifier: GPL-2.0-only
"""Lifts above a class's level: how far, and after which misses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import TOP_LEVEL, Recovery, ThreadClass
from schedctl.profile.times import MAX_RECOVERY_NS, MIN_RECOVERY_NS, check_range

_EXAMPLES = {"after": "3", "within": "1s", "decay": "2s"}


def check_boost(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    """Of a class with a level; the document must have passed the schema."""
    root: Any = document.value
    boost = root["classes"][cls.name].get("boost", {})
    top = max(cls.levels)
    if 0 < cls.max_level < top:
        path: Path_ = ("classes", cls.name, "boost", "max_level")
        whose = "a level of rate_monotonic" if len(cls.levels) > 1 else "the class's level"
        message = f"the max_level {cls.max_level} is below {whose}, {top}"
        hint = f"{top} to {TOP_LEVEL}, or none" if top < TOP_LEVEL else f"{top}, or none"
        yield problem_at(document.origin(path), path, message, hint)
    elif "recovery" in boost:
        yield from _check_recovery(document, cls, boost)


def _check_recovery(document: Sourced, cls: ThreadClass, boost: dict[str, Any]) -> Iterator[Problem]:
    path: Path_ = ("classes", cls.name, "boost", "recovery")
    keys, recovery = boost["recovery"], cls.recovery
    for key in [key for key in _EXAMPLES if key not in keys]:
        hint = f"add '{key}: {_EXAMPLES[key]}'"
        yield problem_at(document.key_origin(path), path, f"{key!r} is missing", hint)
    if recovery is None:
        return
    lowest = min(cls.levels)
    if cls.max_level <= lowest:
        ceiling = (
            f"the class's level is {lowest}, and so is max_level" if cls.max_level else "max_level is none"
        )
        other = "lower the level" if lowest == TOP_LEVEL else "raise 'max_level'"
        message, hint = f"recovery lifts nobody: {ceiling}", f"remove 'recovery', or {other}"
        yield problem_at(document.key_origin(path), path, message, hint)
        return
    yield from _check_times(document, path, keys, recovery)


def _check_times(
    document: Sourced, path: Path_, keys: dict[str, Any], recovery: Recovery
) -> Iterator[Problem]:
    allowed = (MIN_RECOVERY_NS, MAX_RECOVERY_NS)
    yield from check_range(document, (*path, "within"), keys["within"], recovery.within_ns, allowed)
    yield from check_range(document, (*path, "decay"), keys["decay"], recovery.decay_ns, allowed)
