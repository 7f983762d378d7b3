# SPDX-License-Identifier: GPL-2.0-only
"""schedctl facts: what a profile is resolved against on this host."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import pairwise

from schedctl.choice import chosen, loader, settings
from schedctl.cli.report import Report
from schedctl.errors import SchedctlError
from schedctl.kernel.procfs import rivals
from schedctl.resolve.accounts import Names, names_of
from schedctl.resolve.facts import HostFacts

_EXT_SERVER = {
    True: "yes",
    False: "no: a SCHED_FIFO thread that never sleeps starves its CPU",
    None: "unknown: root can see it",
}


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.hostinfo import local_names, read_facts, with_deadlines

    local, named = local_names(), _named()
    names = Names(local.users | named.users, local.groups | named.groups, local.units)
    facts = with_deadlines(read_facts(names, settings().tags), rivals())
    return Report(text="\n".join(_lines(facts)), data={"facts": facts.to_document()})


def _named() -> Names:
    """What the profile in force names: a directory service may know more than it lists."""
    try:
        found = chosen(loader())
        return Names() if found is None else names_of(found.profile)
    except SchedctlError:
        return Names()  # validate says what is wrong with it


def _lines(facts: HostFacts) -> list[str]:
    kernel = facts.kernel
    rows = [
        ("host", ", ".join([facts.hostname, f"virtualization {facts.virt}", *facts.tags])),
        ("kernel", f"{kernel.release}, {kernel.hz} ticks a second" if kernel.hz else kernel.release),
        ("sched_ext", _sched_ext(facts)),
        ("BTF", "yes" if kernel.btf else "no: the scheduler cannot be loaded"),
        ("BPF LSM", "yes" if kernel.bpf_lsm else "no"),
        ("ext server", _EXT_SERVER[kernel.ext_server]),
        ("deadline", f"{kernel.deadline_bandwidth or 0} CPUs reserved by SCHED_DEADLINE threads"),
        ("cgroup v2", "yes" if kernel.cgroup2 else "no: `cgroup` and `unit` match nothing"),
        ("CPUs", f"{_ranges(cpu.number for cpu in facts.cpus)}{', SMT' if facts.smt else ''}"),
        ("nodes", _groups(facts, "node")),
        ("LLCs", _groups(facts, "llc")),
        ("isolated", _isolated(facts)),
        ("limits", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in facts.limits.items())),
        ("seat", _words(f"uid {uid}" for uid in facts.active_seat) or "nobody"),
        ("accounts", f"{len(facts.users)} users, {len(facts.groups)} groups"),
    ]
    return [f"{name:<10} {value}" for name, value in rows]


def _sched_ext(facts: HostFacts) -> str:
    if facts.kernel.sched_ext is None:
        return "no: this kernel is built without it"
    return facts.kernel.sched_ext + (f", {facts.kernel.ops}" if facts.kernel.ops else "")


def _isolated(facts: HostFacts) -> str:
    if facts.kernel.isolcpus:
        return f"{facts.kernel.isolcpus} by isolcpus=: the kernel attaches no scheduler"
    return _ranges(cpu.number for cpu in facts.cpus if cpu.isolated) or "none"


def _groups(facts: HostFacts, key: str) -> str:
    """ "0: 0-3; 1: 4-7"; only the count where there are many."""
    numbers = sorted({getattr(cpu, key) for cpu in facts.cpus})
    if len(numbers) > 8:
        return str(len(numbers))
    members = ((n, (cpu.number for cpu in facts.cpus if getattr(cpu, key) == n)) for n in numbers)
    return "; ".join(f"{number}: CPUs {_ranges(cpus)}" for number, cpus in members)


def _ranges(numbers: Iterable[int]) -> str:
    """(0, 1, 2, 8) -> "0-2,8"."""
    ordered = sorted(numbers)
    if not ordered:
        return ""
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _words(words: Iterable[str]) -> str:
    return ", ".join(words)
