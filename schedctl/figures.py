# SPDX-License-Identifier: GPL-2.0-only
"""What the running scheduler says of itself, as data: for `status`, and for whoever asks the daemon."""

from __future__ import annotations

import dataclasses
from collections import Counter
from fractions import Fraction
from typing import Any

from schedctl.clock import on_the_wall
from schedctl.image.model import PolicyImage
from schedctl.image.stats import ClassStats, ExitRecord, Quantiles
from schedctl.kernel.protocol import Kernel
from schedctl.observe import Live, Observation

# A walk over so many threads takes some tens of milliseconds.
MAX_COUNTED = 2000
_QUANTILES = ("p50", "p99", "p999", "max")


def figures(kernel: Kernel, observation: Observation) -> dict[str, Any]:
    """What only root can read; empty where nothing of ours runs."""
    live, image = observation.live, observation.image
    return {
        "profile": image.profile if image else None,
        "generation": observation.generation,
        "ejected": observation.ejected,
        "last_exit": _exit_document(observation.last_exit),
        "classes": _classes_document(kernel, live, image) if live and image else {},
        "counters": _counters(dataclasses.asdict(live.totals)) if live else {},
    }


def digest(image: PolicyImage | None) -> str | None:
    """Equal where the images are; tells nothing of what is in them."""
    if image is None:
        return None
    from schedctl.ran import policy_hash

    return policy_hash(image)


def _counters(totals: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in totals.items()}


def _exit_document(record: ExitRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {"kind": record.kind_name, "reason": record.text, "at": on_the_wall(record.at_ns)}


def _classes_document(kernel: Kernel, live: Live, image: PolicyImage) -> dict[str, Any]:
    threads = _threads(kernel, live)
    total_ns = sum(stats.runtime_ns for stats in live.classes.values())
    return {
        cls.name: {
            "level": cls.level,
            "tier": cls.tier.value,
            "threads": None if threads is None else threads[number],
            "share": str(Fraction(stats.runtime_ns * 1000 // (total_ns or 1), 1000)),
            **_class_document(stats),
        }
        for number, (cls, stats) in enumerate((cls, live.classes[cls.name]) for cls in image.classes)
    }


def _threads(kernel: Kernel, live: Live) -> Counter[int] | None:
    """How many threads each class has, by its number; None where counting them takes too long.

    One that has not run since the policy changed is in no class yet.
    """
    counts: Counter[int] = Counter()
    for number, (_, context) in enumerate(kernel.contexts()):
        if number == MAX_COUNTED:
            return None
        if context.generation == live.generation:
            counts[context.class_id] += 1
    return counts


def _class_document(stats: ClassStats) -> dict[str, Any]:
    """`throttled` to `ignored` are what the overruns led to."""
    return {
        "runs": stats.nr_runs,
        "wakeups": stats.nr_wakeups,
        "preemptions": stats.nr_preemptions,
        "held_back": stats.nr_held_back,
        "runtime_ns": stats.runtime_ns,
        "wakeup_ns": _quantiles(stats.wakeup()),
        "jobs": stats.nr_jobs,
        "misses": stats.nr_misses,
        "tardiness_ns": _quantiles(stats.late()),
        "overruns": stats.nr_overruns,
        "throttled": stats.nr_throttled,
        "postponed": stats.nr_postponed,
        "demoted": stats.nr_demoted,
        "ignored": stats.nr_ignored,
        "over_population": stats.nr_over_population,
        "lifted": stats.nr_lifted,
        "releveled": stats.nr_releveled,
    }


def _quantiles(found: Quantiles | None) -> dict[str, list[int | None]] | None:
    return {name: list(getattr(found, name)) for name in _QUANTILES} if found else None
