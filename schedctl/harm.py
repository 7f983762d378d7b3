# SPDX-License-Identifier: GPL-2.0-only
"""What a profile costs on this host, said before it happens: refused, or listed by plan and apply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from schedctl.errors import HostError, Problem, Severity
from schedctl.image.model import PolicyImage
from schedctl.kernel.protocol import Quota
from schedctl.printable import shown
from schedctl.profile.model import CpuMax
from schedctl.quantity import format_duration
from schedctl.resolve.facts import HostFacts

# The kernel reserves 5 % of each CPU for its own tasks, and 5 % for each of the fair and the ext server.
DEADLINE_ROOM = Fraction(85, 100)


def isolated(cpus: str) -> HostError:
    """The kernel attaches no sched_ext scheduler beside domain isolation, and says only EINVAL."""
    return HostError(
        f"CPUs {cpus} are isolated by isolcpus=: the kernel attaches no scheduler then",
        "boot without isolcpus=, or with its flags managed_irq and nohz alone",
    )


def refuse_quotas(quotas: Sequence[Quota], cpu_max: CpuMax) -> None:
    """HostError that names every quota, where the profile wants none to be lost."""
    if quotas and cpu_max is CpuMax.REFUSE:
        first = _said("error", _lost(len(quotas)), "`policy: {cpu_max: ignore}` lets them go")
        each = (_said("error", line) for line in map(quota_line, quotas))
        raise HostError(first.message, first.hint, (first, *each))


def lost_quotas(quotas: Sequence[Quota], cpu_max: CpuMax) -> Iterator[Problem]:
    """A warning for every quota that a profile with `cpu_max: ignore` loses."""
    if quotas and cpu_max is CpuMax.IGNORE:
        yield _said("warning", _lost(len(quotas)))
        yield from (_said("warning", line) for line in map(quota_line, quotas))


def _lost(count: int) -> str:
    what = "a CPU quota" if count == 1 else f"{count} CPU quotas"
    return f"{what} of cgroups that the kernel does not enforce for sched_ext threads"


def quota_line(quota: Quota) -> str:
    """`/system.slice/a.service: 50% of a CPU (50ms in each 100ms), by a.service`."""
    share = round(Fraction(quota.quota_us * 100, quota.period_us))
    times = (format_duration(us * 1000) for us in (quota.quota_us, quota.period_us))
    by = f", by {quota.unit}" if quota.unit else ""
    return f"{quota.cgroup}: {share}% of a CPU ({' in each '.join(times)}){by}"


def unset_slack(image: PolicyImage, daemon_runs: bool) -> Iterator[Problem]:
    """A note where classes ask for timer slack, and nobody is there to write it."""
    asking = [cls.name for cls in image.classes if cls.timer_slack_ns]
    if asking and not daemon_runs:
        classes = f"class {asking[0]}" if len(asking) == 1 else f"{len(asking)} classes"
        yield _said(
            "note",
            f"timer slack is not set for {classes}: the daemon does that, and it does not run;"
            " timers go off up to 50us late",
            "systemctl start schedctld",
        )


def beside_managers(names: Sequence[str]) -> Iterator[Problem]:
    """A warning for each running program that attaches schedulers, or sets priorities, by itself."""
    for name in names:
        yield _said(
            "warning",
            f"{shown(name)} runs, which sets priorities or attaches schedulers by itself: what it does to a"
            " thread comes on top of the thread's class, or instead of it",
            "`schedctl doctor` says what to do about it",
        )


def host_warnings(facts: HostFacts) -> Iterator[Problem]:
    """What about this host makes an attach fail, or threads wait longer."""
    in_use = Fraction(facts.kernel.deadline_bandwidth or 0)
    if facts.cpus and in_use > DEADLINE_ROOM * len(facts.cpus):
        yield _said(
            "warning",
            f"SCHED_DEADLINE threads have reserved {in_use} of {len(facts.cpus)} CPUs:"
            " the kernel may have no room for its ext server, and then ends the scheduler at once",
        )
    if facts.kernel.ext_server is False:
        yield _said(
            "note",
            "this kernel has no ext server: one SCHED_FIFO thread that never sleeps keeps every other thread"
            " of its CPU waiting, until the kernel ends the scheduler",
        )


def _said(severity: Severity, message: str, hint: str | None = None) -> Problem:
    return Problem(severity, "", 0, 0, "", message, hint)
