# SPDX-License-Identifier: GPL-2.0-only
"""What each callback of a scheduler costs: the kernel's own count and time of every BPF program.

The time is the guest's; under `-icount shift=1` one executed instruction is 2 ns of it, so instructions
are half of the nanoseconds. Both are of the callback with all that it calls, kfuncs of the kernel
included, and with one reading of the clock, which the kernel's measurement adds to each run.
"""

from __future__ import annotations

import json
from typing import Any

from tests.bench.contenders import Contender
from tests.bench.workloads import Workload, sample
from tests.lab.vm import VM

MEASURED = ("schedctl", "scx_simple", "scx_bpfland")
WORKLOADS = ("wake-2ms-4", "hackbench", "spawn", "compile")
ROUNDS = 2
NS_PER_INSTRUCTION = 2


def _counters(vm: VM) -> dict[str, tuple[int, int]]:
    """Run count and time by program; those of struct_ops only, which the scheduler's all are."""
    programs = json.loads(vm.sh("bpftool prog show -j"))
    return {
        f"{p['name']} {p['id']}": (p.get("run_cnt", 0), p.get("run_time_ns", 0))
        for p in programs
        if p["type"] == "struct_ops"
    }


def measure(vm: VM, contender: Contender, workload: Workload, seed: int) -> dict[str, Any]:
    """One sample with the kernel's statistics on, and what its callbacks took; raises RefusedError."""
    vm.sh("sysctl -q kernel.bpf_stats_enabled=1")
    try:
        before = _counters(vm)
        result = sample(vm, contender, workload, seed)
        after = _counters(vm)
    finally:
        vm.sh("sysctl -q kernel.bpf_stats_enabled=0")
    callbacks: dict[str, dict[str, int]] = {}
    for key, (count, ns) in after.items():
        ran = count - before.get(key, (0, 0))[0]
        name = callback_name(key.split()[0], contender)
        if ran > 0:
            callbacks[name] = {"runs": ran, "ns": ns - before.get(key, (0, 0))[1]}
    return {"workload": workload.name, "callbacks": callbacks, **result}


def callback_name(program: str, contender: Contender) -> str:
    """The op's name: each scheduler begins its programs' names with its own."""
    return program.removeprefix(f"{contender.ops}_")
