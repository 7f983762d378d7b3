# SPDX-License-Identifier: GPL-2.0-only
"""What status says, as data: the keys of schemas/output/status.json."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from schedctl import paths
from schedctl.announce import outside_document
from schedctl.ejections import ejections_document
from schedctl.errors import StateError
from schedctl.image.model import PolicyImage
from schedctl.image.stats import ClassStats, ExitRecord, Quantiles
from schedctl.kernel.protocol import Kernel, Quota
from schedctl.observe import Live, Observation, Owner
from schedctl.presence import daemon_runs
from schedctl.printable import shown
from schedctl.profile.model import CpuMax
from schedctl.resolve.assignment import Assignment
from schedctl.resolve.outside import find_outside
from schedctl.selected import read_selected

# A walk over so many threads takes some tens of milliseconds.
MAX_COUNTED = 2000
_QUANTILES = ("p50", "p99", "p999", "max")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was selected; None = nothing, or nothing that can be read."""

    assignment: Assignment | None = None
    image: PolicyImage | None = None

    @property
    def cpu_max(self) -> CpuMax | None:
        return self.assignment.policy.cpu_max if self.assignment else None


def drifts(desired: PolicyImage | None, observation: Observation, unknown: bool) -> bool | None:
    """Whether something else runs than was selected; None where that cannot be said."""
    if unknown:
        return None
    if observation.owner is Owner.SCHEDCTL and observation.live is None:
        return None if desired is not None else True
    return observation.image != desired


def status_document(
    kernel: Kernel, observation: Observation, wanted: Wanted, quotas: tuple[Quota, ...]
) -> dict[str, Any]:
    """All keys but `drift`."""
    live, image = observation.live, observation.image
    return {
        "state": observation.state,
        "ops": observation.ops,
        "owner": observation.owner.value,
        "profile": image.profile if image else None,
        "generation": observation.generation,
        "enable_seq": observation.enable_seq,
        "selected": _note(),
        "wanted": wanted.image.profile if wanted.image else None,
        "ejected": observation.ejected,
        "last_exit": _exit_document(observation.last_exit),
        "classes": _classes_document(_threads(kernel, live), live) if live else {},
        "outside": _outside(wanted),
        "quotas": _quotas_document(observation, wanted, quotas),
        "ejections": ejections_document(),
        "events": kernel.read_events(),
        "daemon": daemon_runs(),
        "counters": _counters(dataclasses.asdict(live.totals)) if live else {},
    }


def _outside(wanted: Wanted) -> list[dict[str, Any]]:
    """/proc is read in one pass, and only where there are rules."""
    from schedctl.kernel.procfs import rivals

    return outside_document(find_outside(wanted.assignment, rivals())) if wanted.assignment else []


def _quotas_document(observation: Observation, wanted: Wanted, quotas: tuple[Quota, ...]) -> dict[str, Any]:
    """`lost` are those that a sched_ext scheduler which is attached does not enforce."""
    return {
        "policy": wanted.cpu_max.value if wanted.cpu_max else None,
        "lost": 0 if observation.owner is Owner.NONE else len(quotas),
        "refused": len(quotas) if wanted.cpu_max is CpuMax.REFUSE else 0,
        "cgroups": [
            {
                "cgroup": shown(quota.cgroup),
                "unit": shown(quota.unit) or None,
                "quota_ns": quota.quota_us * 1000,
                "period_ns": quota.period_us * 1000,
            }
            for quota in quotas
        ],
    }


def _counters(totals: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in totals.items()}


def _exit_document(record: ExitRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    ago_s = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - record.at_ns) / 1e9
    at = datetime.fromtimestamp(time.time() - ago_s, UTC).isoformat(timespec="seconds")
    return {"kind": record.kind_name, "reason": record.text, "at": at}


def _classes_document(threads: Counter[int] | None, live: Live) -> dict[str, Any]:
    total_ns = sum(stats.runtime_ns for stats in live.classes.values())
    return {
        name: {
            "threads": None if threads is None else threads[number],
            "share": str(Fraction(stats.runtime_ns * 1000 // (total_ns or 1), 1000)),
            **_class_document(stats),
        }
        for number, (name, stats) in enumerate(live.classes.items())
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


def _note() -> dict[str, str | None] | None:
    """What was selected; None where the note cannot be read, which `problems` has."""
    try:
        selected = read_selected(paths.selected_file())
    except StateError:
        return None
    return {"choice": selected.choice.value, "value": selected.value or None}
