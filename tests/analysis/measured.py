# SPDX-License-Identifier: GPL-2.0-only
"""Six periodic threads on a real kernel, their worst response times beside the bounds of the analysis.

`python -m tests.analysis.measured` boots a machine and prints the table of both orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schedctl.analysis.text import duration
from tests.conftest import CONFIGS, Guest, Lab
from tests.sched.measure import Jobs, jobs

# name: period in ms, runtime in us; together 75.5 % of a CPU, of which the tiers below leave 89 %
SIX = {
    "task1": (10, 1000),
    "task2": (20, 2000),
    "task3": (20, 2000),
    "task4": (40, 4800),
    "task5": (50, 6000),
    "task6": (100, 21500),
}
ORDERS = ("edf", "fixed_priority")
SECONDS = 4
# Of each runtime, in percent; the rest is for being preempted and for the first release.
WORK_PERCENT = 85
_PROBES = (50_000, 250_000)


@dataclass(frozen=True, slots=True)
class Row:
    """A task's jobs, what a run of one took on average, how often it took too much, and its bound."""

    jobs: int
    work_ns: int
    longest_ns: int
    bound_ns: int
    overruns: int


def profile(order: str, **changed: int) -> str:
    lines = [f"schedctl: 1\nname: six\npolicy: {{order: {order}, admission: enforce}}\nclasses:"]
    for place, (name, (period_ms, runtime_us)) in enumerate(SIX.items()):
        level = 7 - place if order == "fixed_priority" else 5
        runtime = changed.get(name, runtime_us)
        lines.append(
            f"  {name}: {{match: [{{comm: {name}}}], level: {level}, period: {period_ms}ms,"
            f" runtime: {runtime}us, threads: 1}}"
        )
    lines.append("  idler: {match: [{comm: idler}], tier: background}")
    return "\n".join(lines) + "\n"


def bounds_ns(guest: Guest) -> dict[str, int]:
    """The smallest response time that any test proves, of each task of the applied profile."""
    report = guest.schedctl("analyze", "/root/six.yaml")
    assert report["verdict"] == "SCHEDULABLE"
    found: dict[str, int] = {}
    for test in report["tests"]:
        if test["verdict"] == "SCHEDULABLE":
            for task in test["tasks"]:
                found[task["name"]] = min(found.get(task["name"], 1 << 62), task["response_time_ns"])
    return found


def _per_job(found: Jobs) -> int:
    return found.cpu_ns // found.jobs


def work(guest: Guest) -> dict[str, int]:
    """Iterations per job: two lengths, measured alone, say what one takes, and a job without any."""
    less, more = (_per_job(jobs(guest, 2, f"probe:50000:50000:{length}")["probe"]) for length in _PROBES)
    assert less < more
    spare = _PROBES[1] - _PROBES[0]
    fixed = less - (more - less) * _PROBES[0] // spare
    return {
        name: (runtime_us * 10 * WORK_PERCENT - fixed) * spare // (more - less)
        for name, (_, runtime_us) in SIX.items()
    }


def measured(guest: Guest, order: str) -> dict[str, Row]:
    """Beside spinners of the tiers below, which take all that they are owed."""
    iterations = work(guest)
    guest.vm.put("/root/six.yaml", profile(order))
    guest.apply(profile(order))
    bound_ns = bounds_ns(guest)
    threads = [
        f"{name}:{period_ms * 1000}:{period_ms * 1000}:{iterations[name]}"
        for name, (period_ms, _) in SIX.items()
    ]
    guest.sh("/root/share 60 fair:2:-1:0 idler:1:-1:0 > /dev/null 2>&1 & sleep 2")
    found = jobs(guest, SECONDS, *threads)
    status = guest.status()["classes"]
    guest.sh("pkill -KILL -x share; pkill -KILL -x fair; pkill -KILL -x idler; true")
    return {
        name: Row(
            found[name].jobs,
            _per_job(found[name]),
            found[name].longest_ns,
            bound_ns[name],
            status[name]["overruns"],
        )
        for name in SIX
    }


def table(order: str, rows: dict[str, Row]) -> Iterator[str]:
    yield f"{order}:"
    heads = ("period", "runtime", "work", "jobs", "longest", "bound")
    yield f"  {'':<8}" + "".join(f"{head:>12}" for head in heads)
    for name, (period_ms, runtime_us) in SIX.items():
        row = rows[name]
        times = [f"{period_ms}ms", f"{runtime_us}us", duration(row.work_ns), str(row.jobs)]
        times += [duration(row.longest_ns), duration(row.bound_ns)]
        yield f"  {name:<8}" + "".join(f"{text:>12}" for text in times)


def main() -> None:
    machines = Lab()
    try:
        for order in ORDERS:
            print("\n".join(table(order, measured(machines.guest(CONFIGS["lab1"]), order))), flush=True)
    finally:
        machines.stop()


if __name__ == "__main__":
    main()
