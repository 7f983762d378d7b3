# SPDX-License-Identifier: GPL-2.0-only
"""What status says, as data: the keys of schemas/output/status.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schedctl import paths
from schedctl.announce import outside_document
from schedctl.cli.waits import held_now, pending_now
from schedctl.ejections import ejections_document
from schedctl.errors import StateError
from schedctl.figures import digest, figures
from schedctl.image.model import PolicyImage
from schedctl.inquiry import Told
from schedctl.kernel.protocol import Kernel, Quota
from schedctl.observe import Observation, Owner
from schedctl.presence import daemon_runs
from schedctl.printable import shown
from schedctl.profile.model import CpuMax
from schedctl.resolve.assignment import Assignment
from schedctl.resolve.outside import find_outside
from schedctl.selected import read_selected


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was selected; None = nothing, or nothing that can be read."""

    assignment: Assignment | None = None
    image: PolicyImage | None = None

    @property
    def cpu_max(self) -> CpuMax | None:
        return self.assignment.policy.cpu_max if self.assignment else None


def told_of(observation: Observation, told: Told | None) -> Told | None:
    """What the daemon tells of the scheduler that runs now, to those who cannot read it themselves."""
    if observation.privileged or told is None or told.enable_seq != observation.enable_seq:
        return None
    return told


def drifts(
    desired: PolicyImage | None, observation: Observation, told: Told | None, unknown: bool
) -> bool | None:
    """Whether something else runs than was selected; None where that cannot be said."""
    if unknown:
        return None
    if observation.owner is Owner.SCHEDCTL and observation.live is None:
        if desired is None:
            return True
        return told.digest != digest(desired) if told else None
    return observation.image != desired


def status_document(
    kernel: Kernel,
    observation: Observation,
    wanted: Wanted,
    quotas: tuple[Quota, ...],
    daemon: Told | None,
) -> dict[str, Any]:
    """All keys but `drift`."""
    told = told_of(observation, daemon)
    return {
        "state": observation.state,
        "ops": observation.ops,
        "owner": observation.owner.value,
        "enable_seq": observation.enable_seq,
        "selected": _note(),
        "wanted": wanted.image.profile if wanted.image else None,
        **(figures(kernel, observation) if told is None or told.figures is None else told.figures),
        "outside": _outside(wanted),
        "quotas": _quotas_document(observation, wanted, quotas),
        "pending": pending_now(),
        "held": held_now(observation.owner is Owner.SCHEDCTL),
        "ejections": ejections_document(),
        "events": kernel.read_events(),
        "daemon": daemon is not None or daemon_runs(),
        "answers": daemon is not None,
        "daemon_version": daemon.version if daemon else None,
        "last_events": daemon.events if daemon else None,
    }


def _outside(wanted: Wanted) -> list[dict[str, Any]]:
    """/proc is read in one pass, and only where there are rules."""
    from schedctl.kernel.procfs import rivals

    return outside_document(find_outside(wanted.assignment, rivals())) if wanted.assignment else []


def _quotas_document(observation: Observation, wanted: Wanted, quotas: tuple[Quota, ...]) -> dict[str, Any]:
    """`lost` are those that a sched_ext scheduler which is attached does not enforce."""
    return {
        "policy": wanted.cpu_max.value if wanted.cpu_max else None,
        "lost": 0 if observation.owner is Owner.NONE else len(quotas),
        "refused": len(quotas) if wanted.cpu_max is CpuMax.REFUSE else 0,
        "cgroups": [
            {
                "cgroup": shown(quota.cgroup),
                "unit": shown(quota.unit) or None,
                "quota_ns": quota.quota_us * 1000,
                "period_ns": quota.period_us * 1000,
            }
            for quota in quotas
        ],
    }


def _note() -> dict[str, str | None] | None:
    """What was selected; None where the note cannot be read, which `problems` has."""
    try:
        selected = read_selected(paths.selected_file())
    except StateError:
        return None
    return {"choice": selected.choice.value, "value": selected.value or None}
