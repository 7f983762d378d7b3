# SPDX-License-Identifier: GPL-2.0-only
"""What a profile is resolved against: one host's facts, as data. kernel/hostinfo.py reads them.

As a JSON document (`schedctl_facts: 1`, schemas/facts.schema.json) they let another machine check a
profile for this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schedctl.profile.when import KernelVersion

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
    """Whether `bpf` is in /sys/kernel/security/lsm."""
    cgroup2: bool = False
    hz: int | None = None
    isolcpus: str | None = None
    """The CPUs that isolcpus= took out of the scheduling domains; nothing can be attached then."""
    ext_server: bool | None = None
    """Whether sched_ext threads have a deadline server against RT threads; None = only root can see that."""
    deadline_bandwidth: str | None = None
    """What SCHED_DEADLINE threads have reserved, in CPUs; None = nobody has looked."""


@dataclass(frozen=True, slots=True)
class Group:
    """`members` are uids: who has it as primary group, or is listed in it."""

    gid: int
    members: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFacts:
    """`users` and `groups` have the names that were asked for and exist; `active_seat` are uids.

    `units` are the unit files of the system manager; they and `virt` are empty where nobody asked.
    """

    hostname: str = ""
    virt: str = "none"
    tags: tuple[str, ...] = ()
    kernel: KernelFacts = KernelFacts()
    cpus: tuple[Cpu, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=lambda: {"root": 0})
    groups: Mapping[str, Group] = field(default_factory=lambda: {"root": Group(0, (0,))})
    active_seat: tuple[int, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[int, ...]:
        return tuple(sorted({cpu.node for cpu in self.cpus}))

    @property
    def llcs(self) -> tuple[int, ...]:
        return tuple(sorted({cpu.llc for cpu in self.cpus}))

    @property
    def smt(self) -> bool:
        return len({cpu.core for cpu in self.cpus}) < len(self.cpus)

    def for_when(self) -> dict[str, Any]:
        """What the expressions of `when` may name."""
        return {
            "cpus": len(self.cpus),
            "numa_nodes": len(self.nodes),
            "smt": self.smt,
            "kernel": KernelVersion(self.kernel.release),
            "virt": self.virt,
            "hostname": self.hostname,
            "tags": list(self.tags),
        }

    def to_document(self) -> dict[str, Any]:
        """The facts as JSON; names sorted."""
        return {
            "schedctl_facts": FACTS_VERSION,
            "hostname": self.hostname,
            "virt": self.virt,
            "tags": list(self.tags),
            "kernel": asdict(self.kernel),
            "cpus": [asdict(cpu) for cpu in self.cpus],
            "limits": dict(self.limits),
            "users": dict(sorted(self.users.items())),
            "groups": {
                name: {"gid": group.gid, "members": list(group.members)}
                for name, group in sorted(self.groups.items())
            },
            "active_seat": list(self.active_seat),
            "units": list(self.units),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> HostFacts:
        """The inverse of to_document; the document must have passed the schema."""
        return cls(
            hostname=document["hostname"],
            virt=document["virt"],
            tags=tuple(document["tags"]),
            kernel=KernelFacts(**document["kernel"]),
            cpus=tuple(Cpu(**cpu) for cpu in document["cpus"]),
            limits=dict(document["limits"]),
            users=dict(document["users"]),
            groups={
                name: Group(group["gid"], tuple(group["members"]))
                for name, group in document["groups"].items()
            },
            active_seat=tuple(document["active_seat"]),
            units=tuple(document.get("units", ())),
        )
