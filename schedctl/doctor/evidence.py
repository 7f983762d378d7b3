# SPDX-License-Identifier: GPL-2.0-only
"""What the checks look at, as data, and what one of them says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from schedctl.errors import EXIT_OK, SchedctlError
from schedctl.kernel.protocol import Quota
from schedctl.kernel.surroundings import Pins
from schedctl.profile.model import CpuMax
from schedctl.resolve.facts import HostFacts
from schedctl.resolve.match import SchedPolicy, Thread

Need = Literal["sched_ext", "command-line", "btf", "libbpf", "isolcpus", "bpffs", "object"]
"""What an attach cannot do without, in the order of the output."""


class Result(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Good to know."""
    WARNING = "warning"
    """schedctl works, but not as a person may expect."""
    PROBLEM = "problem"
    """It keeps schedctl from working."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what to do; `exit_code` of a problem is that of the table in errors.py."""

    check: str
    result: Result
    message: str
    hint: str | None = None
    exit_code: int = EXIT_OK


@dataclass(frozen=True, slots=True)
class UnitState:
    """systemd's words about schedctld.service."""

    load: str = "not-found"
    active: str = "inactive"
    file: str = ""
    """enabled, disabled, masked, …"""
    result: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """One in which schedctl keeps what it must not forget; `untrusted` says why others could change it."""

    path: str
    writable: bool = True
    free: bool = True
    untrusted: SchedctlError | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected, as far as it can be read."""

    profile: str | None = None
    cpu_max: CpuMax | None = None
    error: SchedctlError | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """None stands for what this caller could not see, or what is not there; each field says which."""

    facts: HostFacts = field(default_factory=HostFacts)
    root: bool = True
    refused: dict[Need, SchedctlError] = field(default_factory=dict)
    """What the host lacks, in the words of who would refuse."""
    libbpf: str | None = None
    lockdown: str | None = None
    """The kernel's word; None where it has no lockdown or does not tell."""
    foreign: str | None = None
    """The name of another scheduler that is attached."""
    ours: bool = False
    layout: int | None = None
    """That of the running scheduler of ours; None without one, or not seen."""
    pins: Pins | None = None
    """None: not seen, or no such folder."""
    last_exit: str | None = None
    quotas: tuple[Quota, ...] = ()
    selection: Selection = Selection()
    rivals: tuple[tuple[int, Thread], ...] = ()
    """(TID, thread) of those in the classes that run before sched_ext."""
    rt_runtime_us: int | None = None
    """Of each 1 s, for SCHED_FIFO and SCHED_RR; -1 = no limit, None = the kernel has no such limit."""
    managers: tuple[str, ...] = ()
    """Programs that run and also set priorities or schedulers."""
    folders: tuple[Folder, ...] = ()
    unit: UnitState | None = None
    """None: this machine has no systemd."""
    daemon: bool = False
    daemon_answers: bool | None = None
    """None where none runs."""
    daemon_version: str | None = None
    """Of one that answers; None where it is too old to say."""
    strangers: tuple[str, ...] = ()
    """Programs called schedctl in PATH that are not this one."""


OUTSIDE_POLICIES = (SchedPolicy.DEADLINE, SchedPolicy.FIFO, SchedPolicy.RR)
