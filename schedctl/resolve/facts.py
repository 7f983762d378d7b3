# SPDX-License-Identifier: GPL-2.0-only
"""What a profile is resolved against: one host's facts, as data. kernel/hostinfo.py reads them.

As a JSON document (`schedctl_facts: 1`) they let another machine check a profile for this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FACTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cpu:
    """One logical CPU; those with the same `core` are SMT siblings."""

    number: int
    core: int
    llc: int
    node: int
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class KernelFacts:
    release: str = ""
    sched_ext: str | None = None
    """The kernel's word for its state; None = built without it."""
    ops: str | None = None
    """The name of the sched_ext scheduler that runs."""
    btf: bool = False
    bpf_lsm: bool = False
    """Whether `bpf` is in /sys/kernel/security/lsm: an exec is then seen at once."""
    cgroup2: bool = False
    hz: int | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """`members` are uids: who has it as primary group, or is listed in it."""

    gid: int
    members: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """`users` and `groups` have the names that were asked for and exist; `active_seat` are uids."""

    hostname: str = ""
    virt: str = "none"
    tags: tuple[str, ...] = ()
    kernel: KernelFacts = KernelFacts()
    cpus: tuple[Cpu, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=lambda: {"root": 0})
    groups: Mapping[str, Group] = field(default_factory=lambda: {"root": Group(0, (0,))})
    active_seat: tuple[int, ...] = ()

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(sorted({cpu.node for cpu in self.cpus}))

    @property
    def llcs(self) -> tuple[int, ...]:
        return tuple(sorted({cpu.llc for cpu in self.cpus}))

    @property
    def smt(self) -> bool:
        return len({cpu.core for cpu in self.cpus}) < len(self.cpus)
