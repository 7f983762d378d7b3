# SPDX-License-Identifier: GPL-2.0-only
"""What is measured, and one sample of it: refused where another scheduler ran before or after."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.contenders import STATE, Contender
from tests.lab.vm import VM, VMTimeoutError

LOAD = Path(__file__).parent / "load"
PROGRAMS = ("batch", "latency", "spawn")
SAMPLE_S = 300
SWITCHES = "sed -n 's/^ctxt //p' /proc/stat"
WAKE_UPS = 200
# 160 us of the guest's time, by the emulator's clock: see "work_ns" in the results
WORK = 13_300
SPAWNS = 400
COMPILES, COMPILE_JOBS = 4, 4
HACKBENCH = "hackbench -g 4 -l {}"
HACKBENCH_LOOPS = 200
# Two runs of hackbench or of spawn differ by some per cent: the order of the threads is another one. An even
# number: as often forwards as backwards through the contenders.
THROUGHPUT_SAMPLES = 4
GUEST_LIBRARIES = "LD_LIBRARY_PATH=/root"
COMPILE = f"{GUEST_LIBRARIES} /root/batch {{}} {{}} /root/cc1 -quiet -O1 /root/compiled.c -o /dev/null"


@dataclass(frozen=True, slots=True)
class Workload:
    name: str
    kind: str  # wake, hackbench, spawn or compile: what --workloads selects, as "budget" does (budgets.py)
    command: str  # of the shell; {seed} and {sched_class} are filled in
    amount: int  # how many of what it counts
    samples: int = 1  # per round, each in a session of its own


def _wake(hogs: int, period_us: int) -> Workload:
    name = f"wake-{period_us // 1000}ms-{hogs}"
    command = f"/root/latency {hogs} {WAKE_UPS} {period_us} {WORK} {{seed}} {{sched_class}}"
    return Workload(name, "wake", command, WAKE_UPS)


WORKLOADS = (
    *(_wake(hogs, period_us) for period_us in (2000, 1000) for hogs in (1, 4, 16)),
    Workload(
        "hackbench", "hackbench", HACKBENCH.format(HACKBENCH_LOOPS), HACKBENCH_LOOPS, THROUGHPUT_SAMPLES
    ),
    Workload("spawn", "spawn", f"/root/spawn {SPAWNS}", SPAWNS, THROUGHPUT_SAMPLES),
    Workload("compile", "compile", COMPILE.format(COMPILE_JOBS, COMPILES), COMPILES),
)
# One of each, for what the first run reads from the disk.
WARM_UP = "; ".join(
    (HACKBENCH.format(1), "/root/spawn 3", COMPILE.format(1, 1), f"/root/latency 1 5 2000 {WORK} 1 other")
)


class RefusedError(Exception):
    """A sample that says nothing: it failed, or its contender was not attached all the time."""


def select(kinds: Sequence[str]) -> list[Workload]:
    """Those of the kinds or names given; all of them where none is."""
    return [w for w in WORKLOADS if not kinds or w.kind in kinds or w.name in kinds]


def sample(vm: VM, contender: Contender, workload: Workload, seed: int) -> dict[str, Any]:
    """One raw result; raises RefusedError."""
    command = workload.command.format(seed=seed, sched_class=contender.sched_class)
    try:
        steps = (STATE, SWITCHES, f"{command} 2>&1", "echo $?", SWITCHES, STATE)
        result = vm.run("; ".join(steps), timeout=SAMPLE_S)
    except VMTimeoutError:
        raise RefusedError(f"no end within {SAMPLE_S} s") from None
    before, switches, *lines, status, switches_after, after = result.stdout.splitlines()
    if not contender.is_attached(before) or before != after:
        raise RefusedError(f"attached before: {before}; after: {after}")
    if status != "0":
        raise RefusedError(f"status {status}: {' '.join(lines)[-200:]}")
    try:
        switched = int(switches_after) - int(switches)
        return {**_parse(workload, lines), "switches": switched, "ops": after}
    except (ValueError, IndexError):
        print("\n".join(lines), file=sys.stderr)
        raise RefusedError(f"unexpected output: {' '.join(lines)[:100]}") from None


def _parse(workload: Workload, lines: list[str]) -> dict[str, Any]:
    if workload.kind == "wake":
        word, work_ns = lines[0].split()
        if word != "work" or len(lines) != workload.amount + 1:
            raise ValueError(word)
        return {"work_ns": int(work_ns), "late_ns": [int(line) for line in lines[1:]]}
    if workload.kind == "hackbench":
        found = re.search(r"^Time: (\d+)\.(\d{3})$", "\n".join(lines), re.MULTILINE)
        if not found:
            raise ValueError("no time")
        return {"elapsed_ns": int(found[1] + found[2]) * 1_000_000}
    return {"elapsed_ns": int(lines[-1])}
