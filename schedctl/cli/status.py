# SPDX-License-Identifier: GPL-2.0-only
"""schedctl status: what the kernel runs, read from the kernel, against what was selected."""

from __future__ import annotations

import argparse
import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

from schedctl import paths
from schedctl.choice import chosen, loader
from schedctl.cli.report import Report
from schedctl.errors import EXIT_OK, EXIT_STATUS_DIFFERS, Problem, SchedctlError
from schedctl.image.model import PolicyImage
from schedctl.image.stats import Bounds, ClassStats, ExitRecord, Quantiles
from schedctl.observe import Observation, Owner, observe
from schedctl.reconcile import desired_image
from schedctl.selected import read_selected

_WIDTH = 99
_QUANTILES = ("p50", "p99", "p999", "max")


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.real import RealKernel

    observation = observe(RealKernel())
    desired: PolicyImage | None = None
    problems: tuple[Problem, ...] = ()
    try:
        desired = _desired()
    except SchedctlError as error:
        problems = error.problems or (Problem("error", "", 0, 0, "", error.message, error.hint),)
    drift = _drift(desired, observation, bool(problems))
    differs = drift or bool(problems) or observation.ejected
    data = _document(observation, drift, desired)
    return Report(
        text="\n".join(_lines(observation, drift, data)),
        data=data,
        exit_code=EXIT_STATUS_DIFFERS if differs else EXIT_OK,
        problems=problems,
    )


def _desired() -> PolicyImage | None:
    found = chosen(loader())
    return None if found is None else desired_image(found.profile)


def _drift(desired: PolicyImage | None, observation: Observation, unknown: bool) -> bool | None:
    """Whether something else runs than was selected; None where that cannot be said."""
    if unknown:
        return None
    if observation.owner is Owner.SCHEDCTL and observation.live is None:
        return None if desired is not None else True
    return observation.image != desired


def _document(observation: Observation, drift: bool | None, desired: PolicyImage | None) -> dict[str, Any]:
    live, image = observation.live, observation.image
    selected = read_selected(paths.selected_file())
    return {
        "state": observation.state,
        "ops": observation.ops,
        "owner": observation.owner.value,
        "profile": image.profile if image else None,
        "generation": observation.generation,
        "enable_seq": observation.enable_seq,
        "selected": {"choice": selected.choice.value, "value": selected.value or None},
        "wanted": desired.profile if desired else None,
        "drift": drift,
        "ejected": observation.ejected,
        "last_exit": _exit_document(observation.last_exit),
        "classes": {name: _class_document(stats) for name, stats in live.classes.items()} if live else {},
        "counters": _counters(dataclasses.asdict(live.totals)) if live else {},
    }


def _counters(totals: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in totals.items()}


def _exit_document(record: ExitRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    ago_s = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - record.at_ns) / 1e9
    at = datetime.fromtimestamp(time.time() - ago_s, UTC).isoformat(timespec="seconds")
    return {"kind": record.kind_name, "reason": record.text, "at": at}


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


def _lines(observation: Observation, drift: bool | None, data: dict[str, Any]) -> list[str]:
    lines = [f"scheduler  {_scheduler(observation)}"]
    if observation.image:
        lines.append(f"profile    {observation.image.profile}, generation {observation.generation}")
    lines.append(f"selected   {_selected(data)}")
    if drift:
        lines.append("drift      what runs is not what was selected: see `schedctl plan`")
    if data["last_exit"]:
        lines.append(f"last exit  {data['last_exit']['reason']} at {data['last_exit']['at']}")
    if observation.ejected:
        lines.append("           nothing attaches again before `schedctl apply`")
    if observation.live:
        lines += ["", *_table(observation)]
    elif observation.owner is Owner.SCHEDCTL and not observation.privileged:
        lines.append("the policy and its figures can be read by root only")
    return lines


def _scheduler(observation: Observation) -> str:
    match observation.owner:
        case Owner.SCHEDCTL:
            return "schedctl, attached"
        case Owner.OTHER:
            return f"{observation.ops}, which is not schedctl's"
        case Owner.NONE:
            return f"the kernel's own (sched_ext is {observation.state})"


def _selected(data: dict[str, Any]) -> str:
    choice, value = data["selected"]["choice"], data["selected"]["value"]
    match choice:
        case "none":
            return "none: detached by a person, until the next `schedctl apply` or a reboot"
        case "copy":
            return f"{value} (a copy, its source is not followed)"
        case "profile":
            return f"{value}, until reboot"
    return f"{data['wanted'] or 'nothing'}, by {paths.standing_file()}"


def _table(observation: Observation) -> list[str]:
    """One line per class; the latency is wake-up to running, the upper bound of its bucket."""
    assert observation.live is not None
    assert observation.image is not None
    total_ns = sum(stats.runtime_ns for stats in observation.live.classes.values()) or 1
    rows: list[tuple[str, ...]] = [
        ("class", "level", "wake-ups", "preempts", "misses", "overruns", "CPU", "p50", "p99", "max")
    ]
    for cls in observation.image.classes:
        stats = observation.live.classes[cls.name]
        latency = stats.wakeup()
        times = [_upper(getattr(latency, q)) if latency else "-" for q in ("p50", "p99", "max")]
        level = str(cls.level) if cls.level else cls.tier.value
        counts = (stats.nr_wakeups, stats.nr_preemptions, stats.nr_misses, stats.nr_overruns)
        share = f"{stats.runtime_ns * 100 // total_ns}%"
        rows.append((cls.name, level, *map(_count, counts), share, *times))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = min(widths[0], _WIDTH - sum(widths[1:]) - 2 * (len(widths) - 1))
    return [
        "  ".join(
            cell.ljust(width)
            for cell, width in zip((_shortened(row[0], names), *row[1:]), (names, *widths[1:]), strict=True)
        ).rstrip()
        for row in rows
    ]


def _shortened(name: str, width: int) -> str:
    """Both ends are kept: names often differ in the last figure."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[-end:]}"


def _count(number: int) -> str:
    """At most five characters; --json has every figure."""
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= 10_000 and number >= unit:
            return (
                f"{number // unit}{letter}" if number >= 10 * unit else f"{number * 10 // unit / 10}{letter}"
            )
    return str(number)


def _upper(bounds: Bounds) -> str:
    """Three figures are enough for a person."""
    low, high = bounds
    ns, more = (low, ">") if high is None else (high, "")
    for unit_ns, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")):
        if ns >= unit_ns:
            return f"{more}{ns / unit_ns:.3g}{unit}"
    return f"{more}{ns}ns"
