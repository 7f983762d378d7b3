# SPDX-License-Identifier: GPL-2.0-only
"""status for people: what runs, what is wrong, one line per class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schedctl import paths
from schedctl.cli.waits import wait_lines
from schedctl.ejections import ejections_lines
from schedctl.inquiry import other_version
from schedctl.observe import Observation, Owner
from schedctl.quantity import rounded_duration

_WIDTH = 99
_TIMES = ("p50", "p99", "max")
MAX_EVENTS = 5
# Each of them is a thread that went past our queues, or ran with a slice that is not ours.
SHOULD_BE_ZERO = (
    *("SELECT_CPU_FALLBACK", "DISPATCH_LOCAL_DSQ_OFFLINE", "DISPATCH_KEEP_LAST", "REFILL_SLICE_DFL"),
    *("ENQ_SKIP_EXITING", "ENQ_SKIP_MIGRATION_DISABLED", "INSERT_NOT_OWNED"),
)


def lines(observation: Observation, data: dict[str, Any]) -> list[str]:
    said = [f"scheduler  {_scheduler(observation)}"]
    if data["profile"]:
        said.append(f"profile    {data['profile']}, generation {data['generation']}")
    said.append(f"selected   {_selected(data)}")
    if data["drift"]:
        said.append("drift      what runs is not what was selected: see `schedctl plan`")
    if data["last_exit"]:
        said.append(f"last exit  {data['last_exit']['reason']} at {data['last_exit']['at']}")
    said += ejections_lines(data["ejections"], data["ejected"], data["daemon"], observation.privileged)
    said += [*wait_lines(data), *_warnings(data)]
    if data["classes"]:
        said += ["", *_table(data["classes"])]
    elif observation.owner is Owner.SCHEDCTL and not observation.privileged:
        said.append("the policy and its figures can be read by root only, or by all while schedctld answers")
    return [*said, *_outside(data), *_lately(data["last_events"] or [])]


def _warnings(data: dict[str, Any]) -> list[str]:
    """What the figures of the classes do not show."""
    found = []
    quotas, counters = data["quotas"], data["counters"]
    if quotas["lost"] and not quotas["refused"]:
        found.append(f"quotas     {quotas['lost']} of cgroups do not hold (policy.cpu_max: ignore)")
    if counters and not data["daemon"]:
        found.append("daemon     does not run: no timer slack is set, no edit is followed")
    if data["daemon"] and not data["answers"]:
        found.append("daemon     does not answer: it is busy, or it hangs; see `systemctl status schedctld`")
    if data["answers"] and (said := other_version(data["daemon_version"])):
        found.append(f"daemon     {said}: `systemctl restart schedctld`, what is attached stays")
    if lost := counters.get("nr_events_dropped"):
        found.append(f"events     {lost} were lost")
    if odd := _past_us(data["events"]):
        found.append(f"kernel     should be 0: {', '.join(f'{name} {count}' for name, count in odd.items())}")
    return found


def _past_us(events: dict[str, int]) -> dict[str, int]:
    """The kernel's own bypass, at an attach or a suspend, refills slices and counts what it dispatches."""
    counts = {name: events.get(name, 0) for name in SHOULD_BE_ZERO}
    counts["REFILL_SLICE_DFL"] -= events.get("BYPASS_DISPATCH", 0)
    return {name: count for name, count in counts.items() if count > 0}


def _outside(data: dict[str, Any]) -> list[str]:
    """By class: `plan` names each."""
    if not data["outside"]:
        return []
    counts = Counter(one["class"] for one in data["outside"])
    classes = ", ".join(f"{name} {count}" for name, count in counts.items())
    return ["", f"outside    threads of classes that sched_ext never sees (fifo, rr, deadline): {classes}"]


def _scheduler(observation: Observation) -> str:
    match observation.owner:
        case Owner.SCHEDCTL:
            return "schedctl, attached"
        case Owner.OTHER:
            return f"{observation.ops}, which is not schedctl's"
        case Owner.NONE:
            return f"the kernel's own (sched_ext is {observation.state})"


def _selected(data: dict[str, Any]) -> str:
    if data["selected"] is None:
        return "unknown: its note cannot be read"
    choice, value = data["selected"]["choice"], data["selected"]["value"]
    match choice:
        case "none":
            return "none: detached by a person, until the next `schedctl apply` or a reboot"
        case "copy":
            return f"{value} (a copy, its source is not followed)"
        case "profile":
            return f"{value}, until reboot"
    return f"{data['wanted'] or 'nothing'}, by {paths.standing_file()}"


def _lately(events: list[dict[str, Any]]) -> list[str]:
    """The last ones; those who may not know names get only what kind they are."""
    if not events:
        return []
    rows = []
    for event in events[-MAX_EVENTS:]:
        what = event["message"] or _without_names(event)
        line = f"  {_local(event['at'])}  {what}"
        rows.append(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…")
    return ["", "lately, by `journalctl -xt schedctld`:", *rows]


def _without_names(event: dict[str, Any]) -> str:
    named = [f"{key} {event[key]}" for key in ("profile", "class") if event[key]]
    if event["count"] is not None and event["count"] != 1:
        named.append(f"{event['count']} times")
    return ", ".join([event["subject"], *named])


def _local(at: str) -> str:
    """Today's without the date."""
    then = datetime.fromisoformat(at).astimezone()
    return then.strftime("%H:%M:%S" if then.date() == datetime.now().date() else "%Y-%m-%d %H:%M:%S")


def _table(classes: dict[str, dict[str, Any]]) -> list[str]:
    """One line per class; the latency is wake-up to running, the upper bound of its bucket."""
    total_ns = sum(found["runtime_ns"] for found in classes.values()) or 1
    rows: list[tuple[str, ...]] = [
        ("class", "level", "threads", "wake-ups", "preempts", "misses", "overruns", "CPU", *_TIMES)
    ]
    for name, found in classes.items():
        latency = found["wakeup_ns"]
        times = [_upper(latency[q]) if latency else "-" for q in _TIMES]
        level = str(found["level"]) if found["level"] else found["tier"]
        counts = (found[key] for key in ("wakeups", "preemptions", "misses", "overruns"))
        share = f"{found['runtime_ns'] * 100 // total_ns}%"
        threads = "-" if found["threads"] is None else _count(found["threads"])
        rows.append((name, level, threads, *map(_count, counts), share, *times))
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
    for power, letter in zip(range(18, 0, -3), "EPTGMk", strict=True):
        unit = 10**power
        if number >= 10_000 and number >= unit:
            return (
                f"{number // unit}{letter}" if number >= 10 * unit else f"{number * 10 // unit / 10}{letter}"
            )
    return str(number)


def _upper(bounds: Sequence[int | None]) -> str:
    low, high = bounds
    assert low is not None
    ns, more = (low, ">") if high is None else (high, "")
    return more + rounded_duration(ns)
