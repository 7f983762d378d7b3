# SPDX-License-Identifier: GPL-2.0-only
"""A CPU quota that appears while a profile refuses to lose any: said, waited for, then detached."""

from __future__ import annotations

from collections.abc import Callable

from schedctl.daemon import notify
from schedctl.harm import quota_line
from schedctl.kernel.protocol import Kernel, Quota
from schedctl.log import Priority, log
from schedctl.profile.model import CpuMax

# For whoever set it by mistake, or for a moment.
GRACE_S = 10.0


class QuotaWatch:
    """`look` whenever something may have changed; at `due_at` call `detach` under the lock."""

    def __init__(self, kernel: Kernel, clock: Callable[[], float]) -> None:
        self._kernel = kernel
        self._clock = clock
        self._detach_at: float | None = None
        self._said: tuple[Quota, ...] = ()
        self.cpu_max: CpuMax | None = None
        """What the selected profile says; None while none was read."""

    def look(self, attached: bool) -> None:
        """Read the cgroups anew: which quotas there are decides, not what was heard of them."""
        found = self._kernel.quotas() if attached and self.cpu_max is CpuMax.REFUSE else ()
        if found and found != self._said:
            self._say(found)
        if found and self._detach_at is None:
            self._detach_at = self._clock() + GRACE_S
        if not found:
            self._detach_at = None
        self._said = found

    def due_at(self) -> float | None:
        return self._detach_at

    def is_due(self) -> bool:
        """Whether the time is over; where the detach then fails, it is over again later."""
        now = self._clock()
        if self._detach_at is None or self._detach_at > now:
            return False
        self._detach_at = now + GRACE_S
        return True

    def detach(self) -> bool:
        """Whether quotas were still there, and the scheduler is detached now."""
        self.look(self._kernel.sched_state().ours)
        if self._detach_at is None:
            return False
        found = self._said
        self._detach_at, self._said = None, ()
        self._kernel.detach()
        text = "detached, so that the CPU quotas hold again; the next edit or `schedctl apply` tries anew"
        log("\n".join([text, *map(quota_line, found)]), "quota-detached", Priority.ERROR)
        notify.status(text)
        return True

    def _say(self, found: tuple[Quota, ...]) -> None:
        what = "a CPU quota does" if len(found) == 1 else f"{len(found)} CPU quotas do"
        text = f"{what} not hold while the scheduler is attached: it is detached in {GRACE_S:g} s"
        log(
            "\n".join([text, *map(quota_line, found)]),
            "quota",
            Priority.ERROR,
            cgroup=found[0].cgroup,
            unit=found[0].unit or None,
            count=len(found),
        )
