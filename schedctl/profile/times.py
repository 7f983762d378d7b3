# SPDX-License-Identifier: GPL-2.0-only
"""Durations of a class: each in its range, and in a sensible order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import AUTO, ThreadClass
from schedctl.quantity import format_duration

MIN_DURATION_NS = 100_000
# Below an eighth of the time after which the kernel's watchdog ejects a scheduler that lets a thread wait:
# so long a deadline lies ahead, and so long a throttled thread may be held.
MAX_DURATION_NS = 3_000_000_000
MIN_SLICE_NS = 250_000
MAX_SLICE_NS = 100_000_000
MAX_SLACK_NS = 1_000_000_000
MIN_RECOVERY_NS = 1_000_000
MAX_RECOVERY_NS = 60_000_000_000

Range = tuple[int, int]
_LONG = (MIN_DURATION_NS, MAX_DURATION_NS)
RANGES: dict[str, Range] = {
    "period": _LONG,
    "deadline": _LONG,
    "runtime": _LONG,
    "jitter": (0, MAX_DURATION_NS),
    "slice": (MIN_SLICE_NS, MAX_SLICE_NS),
    "timer_slack": (1, MAX_SLACK_NS),
}


_ORDER = (("deadline", "period"), ("runtime", "deadline"), ("runtime", "period"), ("jitter", "period"))


def check_range(document: Sourced, path: Path_, said: Any, ns: int, allowed: Range) -> Iterator[Problem]:
    low, high = allowed
    if not low <= ns <= high:
        hint = f"{format_duration(low)} to {format_duration(high)}"
        yield problem_at(document.origin(path), path, f"{said} is out of range", hint)


def check_times(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    """Out of range, or a deadline or runtime longer than what it must fit into; one problem per key."""
    root: Any = document.value
    keys = root["classes"][cls.name]
    broken = set()
    for key, allowed in RANGES.items():
        if key in keys and keys[key] != AUTO:
            path: Path_ = ("classes", cls.name, key)
            problems = [*check_range(document, path, keys[key], getattr(cls, f"{key}_ns"), allowed)]
            yield from problems
            broken |= {key} if problems else set()
    for key, bound in (
        ("deadline", "period"),
        ("runtime", "deadline"),
        ("runtime", "period"),
        ("jitter", "period"),
    ):
        if {key, bound} <= keys.keys() and not broken & {key, bound}:
            problems = [*_check_longer(document, cls, keys, key, bound)]
            yield from problems
            broken |= {key} if problems else set()


def _check_longer(
    document: Sourced, cls: ThreadClass, keys: dict[str, Any], key: str, bound: str
) -> Iterator[Problem]:
    ns, most_ns = getattr(cls, f"{key}_ns"), getattr(cls, f"{bound}_ns")
    if ns is not None and most_ns is not None and ns > most_ns:
        path: Path_ = ("classes", cls.name, key)
        message = f"the {key} {keys[key]} is longer than the {bound} {keys[bound]}"
        yield problem_at(document.origin(path), path, message, f"at most {format_duration(most_ns)}")
