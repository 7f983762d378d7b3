# SPDX-License-Identifier: GPL-2.0-only
"""The kernel → an Observation: read anew each time, never remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from schedctl.errors import HostError
from schedctl.image.abi import ABI_VERSION, decode, version_of
from schedctl.image.model import PolicyImage
from schedctl.image.stats import ClassStats, ExitRecord, SchedStats
from schedctl.kernel.protocol import Kernel


class Owner(StrEnum):
    SCHEDCTL = "schedctl"
    OTHER = "other"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Live:
    """What our scheduler runs; image is None where another layout than ours runs."""

    abi_version: int
    slot: int = 0
    generation: int = 0
    image: PolicyImage | None = None
    classes: dict[str, ClassStats] = field(default_factory=dict)
    totals: SchedStats = field(default_factory=SchedStats)


@dataclass(frozen=True, slots=True)
class Observation:
    """`live` is None where ours does not run, or cannot be read without root (`privileged`)."""

    state: str
    ops: str | None
    enable_seq: int
    owner: Owner
    privileged: bool
    leftovers: bool = False
    """The pin of a scheduler that no longer runs."""
    live: Live | None = None
    last_exit: ExitRecord | None = None
    outdated: bool = False
    """Another object is installed than the one that runs."""

    @property
    def ejected(self) -> bool:
        """Our scheduler ended, and nobody had asked schedctl for it: only a person attaches again."""
        return self.leftovers

    @property
    def image(self) -> PolicyImage | None:
        return self.live.image if self.live else None

    @property
    def generation(self) -> int | None:
        return self.live.generation if self.live else None


def drift(desired: PolicyImage | None, observation: Observation) -> bool:
    """Whether the kernel runs something else than what was selected (None = nothing)."""
    return observation.image != desired


def observe(kernel: Kernel) -> Observation:
    """The kernel's state, the live policy and its counters; HostError without sched_ext."""
    state = kernel.sched_state()
    privileged = kernel.privileged()
    pinned = privileged and kernel.pinned()
    ours = state.ours and (pinned or not privileged)
    if ours:
        owner = Owner.SCHEDCTL
    else:
        owner = Owner.NONE if state.ops is None else Owner.OTHER
    last_exit = kernel.read_exit_record() if privileged else None
    return Observation(
        state=state.state,
        ops=state.ops,
        enable_seq=state.enable_seq,
        owner=owner,
        privileged=privileged,
        leftovers=pinned and not ours,
        live=read_live(kernel) if ours and privileged else None,
        last_exit=last_exit if last_exit is not None and last_exit.kind else None,
        outdated=ours and privileged and _outdated(kernel),
    )


def _outdated(kernel: Kernel) -> bool:
    """False where it cannot be said: what runs goes on."""
    try:
        installed = kernel.object_id()
    except HostError:
        return False
    running = kernel.running_object_id()
    return running is not None and running != installed


def read_live(kernel: Kernel) -> Live:
    """The active slot and its counters, of a scheduler that runs."""
    slot = kernel.active_slot()
    data = kernel.read_policy(slot)
    abi_version = version_of(data)
    if abi_version != ABI_VERSION:
        return Live(abi_version)
    image, generation, _ = decode(data)
    stats = kernel.read_class_stats(slot, len(image.classes))
    classes = {c.name: s for c, s in zip(image.classes, stats, strict=True)}
    return Live(abi_version, slot, generation, image, classes, kernel.read_sched_stats())
