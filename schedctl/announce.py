# SPDX-License-Identifier: GPL-2.0-only
"""What plan and apply say beside the changes: what is lost, what is not set, who stays outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schedctl.desired import Desired
from schedctl.errors import Problem
from schedctl.harm import host_warnings, lost_quotas, unset_slack
from schedctl.kernel.protocol import Kernel
from schedctl.presence import daemon_runs
from schedctl.printable import columns, shown
from schedctl.resolve.outside import Outside, find_outside

OUTSIDE_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Announced:
    problems: tuple[Problem, ...]
    outside: tuple[Outside, ...]


def announced(kernel: Kernel, found: Desired) -> Announced:
    """For this host; /proc is read in one pass."""
    from schedctl.kernel.hostinfo import with_deadlines
    from schedctl.kernel.procfs import rivals

    threads = rivals()
    problems = (
        *lost_quotas(kernel.quotas(), found.cpu_max),
        *unset_slack(found.image, daemon_runs()),
        *host_warnings(with_deadlines(found.facts, threads)),
    )
    outside = find_outside(found.compiled.assignment, threads) if found.compiled else ()
    return Announced(problems, outside)


def outside_document(outside: tuple[Outside, ...]) -> list[dict[str, Any]]:
    return [
        {"tid": one.tid, "comm": shown(one.comm), "policy": one.policy.value, "class": one.class_name}
        for one in outside
    ]


def outside_lines(outside: tuple[Outside, ...]) -> list[str]:
    """[] where nobody is outside."""
    if not outside:
        return []
    count = len(outside)
    what = "1 thread that a rule matches is" if count == 1 else f"{count} threads that rules match are"
    rows = [(str(o.tid), shown(o.comm), o.policy.value, o.class_name) for o in outside[:OUTSIDE_SHOWN]]
    lines = [
        f"{what} outside of sched_ext, and not scheduled by any class:",
        *columns([("  TID", "NAME", "POLICY", "CLASS"), *((f"  {row[0]}", *row[1:]) for row in rows)]),
    ]
    if count > OUTSIDE_SHOWN:
        lines.append(f"  and {count - OUTSIDE_SHOWN} more; --json has all")
    return lines
